//! What the detector has learnt, under the same kills: the verdicts of a worker that is killed
//! again and again equal, row for row, those of a worker that is never killed.

use std::process::Stdio;

use crate::common::{Place, Ran, VARIABLES, wait};
use crate::plant::begin;
use crate::{Random, from_environment};

/// Of 30 readings a batch. What there is to do lasts for more kills than are asked for.
fn datetimes(rounds: u64) -> u64 {
    u64::max(320, 8 * rounds)
}

/// When a variable spikes, and when another shifts: after it has learnt.
const SPIKE: u64 = 200;
const SHIFT: u64 = 240;

const VERDICTS: &str = "SELECT count(*) FROM anomalies_detector";

/// Noise about a level, with a spike and a shift, on a clock that is the same for both.
fn plant(begin: chrono::NaiveDateTime, datetimes: u64) -> Place {
    let place = Place::new();
    let mut random = Random(5);
    let mut rows = Vec::new();
    for second in 0..datetimes {
        let at = begin + chrono::Duration::seconds(second.cast_signed());
        for (n, variable) in VARIABLES.into_iter().chain(["no model"]).enumerate() {
            let fault = match second {
                SPIKE if n == 6 => 5000,
                SHIFT.. if n == 2 => 3000,
                _ => 0,
            };
            let value = 20_000 + random.below(1000) + fault;
            rows.push(format!("('{at}', '{variable}', {value} / 1000.0)"));
        }
    }
    let rows = rows.join(", ");
    place.sql(&format!("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES {rows}"));
    place
}

fn verdicts(place: &Place) -> Vec<String> {
    let sql = "SELECT ds || ' ' || variable || ': ' || yhat || ' ' || yhat_lower || ' ' || yhat_upper || ' ' || anomaly_score \
               || ' ' || outside_interval || high_residual || is_anomaly FROM anomalies_detector ORDER BY ds, variable";
    let database = place.database();
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_was_learnt_outlives_kills_to_the_last_digit() {
    let rounds = from_environment("KILL_ROUNDS").unwrap_or(12);
    let (begin, mut random) = (begin(), Random(from_environment("KILL_SEED").unwrap_or(1)));
    let [never, killed] = [(); 2].map(|()| plant(begin, datetimes(rounds)));
    let command = |place: &Place| {
        let mut command = place.command(&["run", "--once", "--log-file", ""]);
        command.env("ANOMALY_WORKER_BATCH_ROWS", "30");
        command.env("ANOMALY_WORKER_INITIAL_LOOKBACK", "60days");
        command.env("ANOMALY_DETECTOR_SETTINGS_WARM_UP", "120 readings");
        command.env("ANOMALY_DETECTOR_SETTINGS_FALSE_ALARMS", "1 per 200 readings");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let ran = Ran::of(&command(&never).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    let (mut kills, all) = (0, never.number(VERDICTS).unwrap());
    for _ in 0..rounds {
        let before = killed.number(VERDICTS).unwrap_or(0);
        let mut child = command(&killed).stderr(Stdio::null()).spawn().unwrap();
        wait("a commit", || killed.number(VERDICTS).unwrap_or(0) > before);
        random.pause(8);
        child.kill().unwrap();
        child.wait().unwrap();
        let found = killed.number(VERDICTS).unwrap();
        kills += u64::from(found < all);
        if found == all {
            break;
        }
    }
    wait("one that is alone leads", || command(&killed).status().unwrap().success());
    eprintln!("{kills} of {rounds} kills came before all was judged");
    assert!(kills > 0, "no kill came while it worked");
    let (expected, found) = (verdicts(&never), verdicts(&killed));
    assert_eq!(expected.len() as u64, datetimes(rounds) * 7);
    let at = (begin + chrono::Duration::seconds(SPIKE.cast_signed())).to_string();
    let spike = expected.iter().find(|verdict| verdict.starts_with(&at) && verdict.contains("no model"));
    assert!(spike.is_some_and(|verdict| verdict.ends_with("111")), "{spike:?}");
    assert!(
        found == expected,
        "{:?}",
        found.iter().zip(&expected).find(|(found, expected)| found != expected)
    );
}
