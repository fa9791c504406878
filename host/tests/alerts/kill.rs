//! The real program is killed at random points while episodes open and close and the receiver fails
//! at random. The outbox has what was committed. All of that arrives and nothing else, and the
//! messages of each variable arrive in order.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::Random;
use crate::command::receiver;
use crate::common::{Place, wait};

const VARIABLES: [&str; 4] = ["A", "B/<i>", "C 3", "D"];

/// How many datetimes there are. The detector learns from the first `LEARNT` of them.
const DATETIMES: u64 = 400;
const LEARNT: u64 = 120;

/// Noise about a level, with a fault of a few readings every now and then.
fn plant(random: &mut Random) -> Place {
    let place = Place::new();
    let begin = chrono::Local::now().naive_local() - chrono::Duration::days(1);
    let mut rows = Vec::new();
    for second in 0..DATETIMES {
        let at = (begin + chrono::Duration::seconds(second.cast_signed())).format("%Y-%m-%d %H:%M:%S");
        for (n, variable) in VARIABLES.iter().enumerate() {
            let is_faulty = second > LEARNT && (second + 7 * n as u64) % 40 < 3;
            let value = 20_000 + random.below(1_000) + if is_faulty { 30_000 } else { 0 };
            rows.push(format!("('{at}', '{variable}', {value} / 1000.0)"));
        }
    }
    let rows = rows.join(", ");
    place.sql(&format!("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES {rows}"));
    place
}

fn service(place: &Place) -> Child {
    let mut command = place.command(&["run", "--interval", "1s", "--log-file", ""]);
    command.env("ANOMALY_WORKER_BATCH_ROWS", "40");
    command.env("ANOMALY_WORKER_INITIAL_LOOKBACK", "60days");
    command.env("ANOMALY_DETECTOR_MODELS", place.path("models"));
    command.env("ANOMALY_DETECTOR_SETTINGS_WARM_UP", "100 readings");
    command.env("ANOMALY_DETECTOR_SETTINGS_FALSE_ALARMS", "1 per 200 readings");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The ids of the outbox in order, with the variable of each.
fn outbox(place: &Place) -> Vec<(String, String)> {
    let database = place.database();
    let sql = "SELECT id, coalesce(variable, '') FROM anomaly_worker_outbox ORDER BY seq";
    let Ok(mut statement) = database.prepare(sql) else { return Vec::new() };
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn whatever_kills_the_program_every_begin_and_end_arrives() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let mut random = Random(number("KILL_SEED").unwrap_or(1));
    let place = plant(&mut random);
    std::fs::create_dir(place.path("models")).unwrap();
    let fails = Arc::new(Mutex::new(Some(Random(random.below(u64::MAX)))));
    let asked = Arc::clone(&fails);
    let (url, came) = receiver(move || match &mut *asked.lock().unwrap() {
        Some(random) => {
            ["200 OK", "503 Busy", "500 Oh", "429 Slow\r\nretry-after: 1"][random.below(4) as usize]
        }
        None => "200 OK",
    });
    place.write(
        "anomaly-worker.toml",
        format!("[alerts]\ntogether = \"0s\"\n[alerts.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n"),
    );
    for _ in 0..number("KILL_ROUNDS").unwrap_or(8) {
        let before = (came.lock().unwrap().len(), outbox(&place).len());
        let mut child = service(&place);
        wait("something happens", || {
            (came.lock().unwrap().len(), outbox(&place).len()) != before || place.number(ALL_TOLD) == Some(1)
        });
        std::thread::sleep(Duration::from_millis(random.below(60)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    *fails.lock().unwrap() = None;
    let mut child = service(&place);
    wait("all is judged and told", || place.number(ALL_TOLD) == Some(1));
    child.kill().unwrap();
    child.wait().unwrap();

    let committed = outbox(&place);
    let begun = place.number("SELECT count(*) FROM anomaly_worker_episodes WHERE told <> 'never'").unwrap();
    assert!(begun > 20 && committed.len() as i64 >= 2 * begun - 8, "{begun} {}", committed.len());
    let arrived: Vec<String> = came
        .lock()
        .unwrap()
        .iter()
        .flat_map(|message: &Value| message["data"]["events"].as_array().unwrap().clone())
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    let ids: BTreeSet<_> = committed.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(arrived.iter().cloned().collect::<BTreeSet<_>>(), ids);
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, id) in arrived.iter().enumerate() {
        first.entry(id).or_insert(at);
    }
    for name in VARIABLES {
        let of_variable = committed.iter().filter(|(_, variable)| variable == name);
        let places: Vec<_> = of_variable.map(|(id, _)| first[&**id]).collect();
        assert!(places.is_sorted(), "{name} arrived as {places:?}");
    }
}

/// Every reading has its verdict, and no entry waits.
const ALL_TOLD: &str = "SELECT (SELECT count(*) FROM anomalies_detector) = (SELECT count(*) FROM datos_proceso) \
                        AND NOT EXISTS (SELECT 1 FROM anomaly_worker_outbox WHERE state = 'due')";
