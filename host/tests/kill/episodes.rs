//! Episodes under the same kills, with readings that come late. In the end the table has the
//! episodes that follow from all verdicts, and each begin that was told has an end that was told.

use std::process::Stdio;

use crate::common::{Place, wait};
use crate::plant::begin;
use crate::{Random, from_environment};

const VARIABLES: [&str; 4] = ["A", "B", "presión/1", "T 2"];

/// For how many seconds there are readings. The detector learns from the first of them.
const SECONDS: u64 = 800;

const VERDICTS: &str = "SELECT count(*) FROM anomalies_detector";

/// An episode as both sides have it: variable, begin, end, closed at, readings, flagged, peak, its
/// reading.
type Seen = (String, String, String, Option<String>, i64, i64, f64, String);

/// Noise about a level with short bursts above it; a part of it comes later than the rest.
fn plant(random: &mut Random) -> (Vec<String>, Vec<String>) {
    let (begin, mut in_order, mut late) = (begin(), Vec::new(), Vec::new());
    let mut burst = [0; VARIABLES.len()];
    for second in 0..SECONDS {
        let at = begin + chrono::Duration::seconds(second.cast_signed());
        for (n, variable) in VARIABLES.into_iter().enumerate() {
            if burst[n] == 0 && second > 150 && random.below(25) == 0 {
                burst[n] = 1 + random.below(4);
            }
            // A burst has holes, so that normal readings lie within.
            let fault = if burst[n] > 0 && random.below(4) > 0 { 5000 } else { 0 };
            burst[n] = burst[n].saturating_sub(1);
            let row = format!("('{at}', '{variable}', {} / 1000.0)", 20_000 + random.below(1000) + fault);
            let is_late = second > 150 && random.below(12) == 0;
            if is_late { &mut late } else { &mut in_order }.push(row);
        }
    }
    (in_order, late)
}

fn insert(place: &Place, rows: &[String]) {
    if !rows.is_empty() {
        let rows = rows.join(", ");
        place.sql(&format!("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES {rows}"));
    }
}

/// The episodes that follow from the verdicts: opened by the first anomalous reading, closed by two
/// normal ones.
fn afresh(place: &Place) -> Vec<Seen> {
    let database = place.database();
    let sql = "SELECT variable, ds, is_anomaly, anomaly_score FROM anomalies_detector ORDER BY variable, ds";
    let mut statement = database.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut found: Vec<Seen> = Vec::new();
    let mut open: Option<(Seen, i64)> = None;
    while let Some(row) = rows.next().unwrap() {
        let (variable, ds): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (anomaly, score): (bool, f64) = (row.get(2).unwrap(), row.get(3).unwrap());
        if let Some((left, _)) = open.take_if(|(seen, _)| seen.0 != variable) {
            found.push(left);
        }
        match (&mut open, anomaly) {
            (None, true) => open = Some(((variable, ds.clone(), ds.clone(), None, 1, 1, score, ds), 0)),
            (None, false) => {}
            (Some((seen, normal)), true) => {
                seen.2.clone_from(&ds);
                seen.4 += 1 + std::mem::take(normal);
                seen.5 += 1;
                if score > seen.6 {
                    (seen.6, seen.7) = (score, ds);
                }
            }
            (Some((seen, normal)), false) => {
                *normal += 1;
                if *normal == 2 {
                    seen.3 = Some(ds);
                    found.extend(open.take().map(|(seen, _)| seen));
                }
            }
        }
    }
    found.extend(open.map(|(seen, _)| seen));
    found
}

fn stored(place: &Place) -> Vec<Seen> {
    let sql = "SELECT variable, begin_at, end_at, closed_at, readings, flagged, peak_score, worst_ds \
               FROM anomaly_worker_episodes WHERE kind = 'anomaly' ORDER BY variable, begin_at";
    let database = place.database();
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            row.get(6)?,
            row.get(7)?,
        ))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn episodes_are_what_the_verdicts_say_after_kills_and_late_readings() {
    let rounds = from_environment("KILL_ROUNDS").unwrap_or(12);
    let mut random = Random(from_environment("KILL_SEED").unwrap_or(1));
    let place = Place::new();
    let (in_order, mut late) = plant(&mut random);
    insert(&place, &in_order);
    let command = || {
        let mut command = place.command(&["run", "--once", "--log-file", ""]);
        command.env("ANOMALY_WORKER_BATCH_ROWS", "20");
        command.env("ANOMALY_WORKER_INITIAL_LOOKBACK", "60days");
        command.env("ANOMALY_WORKER_ALLOWED_LATENESS", "60days");
        command.env("ANOMALY_WORKER_RECONCILE", "off");
        command.env("ANOMALY_DETECTOR_SETTINGS_WARM_UP", "120 readings");
        command.env("ANOMALY_DETECTOR_SETTINGS_FALSE_ALARMS", "1 per 100 readings");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut kills = 0;
    for _ in 0..rounds {
        let before = place.number(VERDICTS).unwrap_or(0);
        let all = place.number("SELECT count(*) FROM datos_proceso").unwrap();
        let mut child = command().spawn().unwrap();
        wait("a commit, or all is judged", || {
            let found = place.number(VERDICTS).unwrap_or(0);
            found > before || found == all
        });
        random.pause(8);
        child.kill().unwrap();
        child.wait().unwrap();
        kills += u64::from(place.number(VERDICTS).unwrap() < all);
        // The readings that were late arrive, older than those that were judged.
        let some = late.split_off(late.len() - late.len().min(10));
        insert(&place, &some);
    }
    insert(&place, &late);
    wait("one that is alone leads", || command().status().unwrap().success());
    assert!(kills > 0, "no kill came while it worked");

    let all = place.number("SELECT count(*) FROM datos_proceso");
    assert_eq!(place.number(VERDICTS), all, "one verdict each");
    let (expected, found) = (afresh(&place), stored(&place));
    assert!(expected.len() > 20, "{} episodes are too few to prove anything", expected.len());
    let differing: Vec<_> = expected
        .iter()
        .filter(|one| !found.contains(one))
        .chain(found.iter().filter(|one| !expected.contains(one)))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");

    // Each was told once, begin and end.
    let unfinished = "SELECT count(*) FROM anomaly_worker_episodes WHERE kind = 'anomaly' AND \
                      (told IN ('opened', 'nothing', 'still_open')) <> is_open";
    assert_eq!(place.number(unfinished), Some(0));
    for kind in ["opened", "closed"] {
        let untold = format!(
            "SELECT count(*) FROM anomaly_worker_episodes AS e WHERE e.kind = 'anomaly' AND told = 'closed' AND NOT EXISTS \
             (SELECT 1 FROM anomaly_worker_outbox AS o WHERE o.kind = '{kind}' AND o.episode_id = e.id)"
        );
        assert_eq!(place.number(&untold), Some(0), "{kind}");
    }
    let told = |kind: &str| {
        let sql = "SELECT count(*) FROM anomaly_worker_outbox WHERE payload LIKE '%\"kind\":\"anomaly\"%' AND kind = ";
        place.number(&format!("{sql}'{kind}'")).unwrap()
    };
    let open =
        place.number("SELECT count(*) FROM anomaly_worker_episodes WHERE kind = 'anomaly' AND is_open = 1");
    assert!(told("opened") > 20);
    assert_eq!(told("opened"), told("closed") + open.unwrap());
}
