//! Promise 1 under the hardest stop: the program is killed at random points of a backlog, with late rows coming in meanwhile, alone or
//! with a second one on standby. After each kill the state row agrees with the verdicts; at the end every reading has exactly one.
//!
//! `KILL_ROUNDS` says how often (12 unless given, `just test-kill` 200), `KILL_SEED` repeats a run.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at the first surprise and says its seed"
)]

mod common;

use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Place, VARIABLES};
use serde_json::Value;

/// New datetimes a round, of six readings each: more than the program can judge before most of the kills.
const DATETIMES: usize = 400;
/// Small batches, so that there are many commits to be killed between and in.
const BATCH_ROWS: &str = "30";

/// A generator with the period of its 64 bits (SplitMix64): all that random moments need.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What the output and the state row say of each other.
#[derive(Debug, PartialEq)]
struct Ledger {
    verdicts: i64,
    readings_with_a_verdict: i64,
    newest: Option<String>,
}

/// The output, and the same as the state row has it, at one moment.
fn ledgers(place: &Place) -> (Ledger, Ledger) {
    let mut database = place.database();
    let moment = database.transaction().unwrap();
    let sql = "SELECT count(*), count(DISTINCT ds || variable), max(ds) FROM anomalies_detector";
    let row = moment.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (verdicts, readings_with_a_verdict, newest) = row.unwrap();
    let found = Ledger { verdicts, readings_with_a_verdict, newest };

    let sql = "SELECT counts, watermark FROM anomaly_worker_state";
    let row = moment.query_row(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    let (counts, newest) = row.unwrap();
    let counts: Value = serde_json::from_str(&counts).unwrap();
    let judged = counts["judged"].as_i64().unwrap();
    (found, Ledger { verdicts: judged, readings_with_a_verdict: judged, newest })
}

/// The plant's next rows: `DATETIMES` minutes ahead of all before them, and a few late ones among those.
fn insert(place: &Place, random: &mut Random, next: &mut u64, late: usize) {
    let mut database = place.database();
    let transaction = database.transaction().unwrap();
    let put = |minute: u64, variable: &str| {
        let sql = "INSERT INTO datos_proceso (datetime, variable_name, value) \
                   VALUES (datetime('now', 'localtime', '-30 days', ?1 || ' minutes', '+' || ?2 || ' seconds'), ?3, 100)";
        transaction.execute(sql, (minute as i64 / 60, minute as i64 % 60, variable)).unwrap();
    };
    if late == 0 {
        for _ in 0..DATETIMES {
            VARIABLES.iter().for_each(|variable| put(*next, variable));
            *next += 2;
        }
    }
    for _ in 0..late {
        // Odd seconds are free for those that come late.
        let minute = (*next - 1).saturating_sub(2 * random.below(600));
        put(minute | 1, VARIABLES[random.below(6) as usize]);
    }
    transaction.commit().unwrap();
}

#[test]
fn a_worker_that_is_killed_loses_and_doubles_nothing() {
    survives(1);
}

#[test]
fn of_two_workers_the_other_takes_over_and_nothing_is_lost_or_doubled() {
    survives(2);
}

/// So many workers of one name, of which one is killed again and again.
fn survives(workers: usize) {
    let rounds = from_environment("KILL_ROUNDS").unwrap_or(12);
    let seed = from_environment("KILL_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into());
    eprintln!("KILL_SEED={seed} KILL_ROUNDS={rounds}, {workers} at a time");
    let mut random = Random(seed);
    let place = Place::new();
    let mut next = 0;
    let command = |once: bool| {
        let mut command = place.command(&["run", "--interval", "200ms", "--log-file", ""]);
        command.args(once.then_some("--once"));
        command.env("ANOMALY_WORKER_BATCH_ROWS", BATCH_ROWS);
        command.env("ANOMALY_WORKER_INITIAL_LOOKBACK", "60days");
        command.env("ANOMALY_WORKER_ALLOWED_LATENESS", "60days");
        // Twice the interval would let a row in flight go at the first pause of this machine.
        command.env("ANOMALY_WORKER_SETTLE", "10m");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    // The tables are there before the first kill, so that each round has something to look at.
    assert!(command(true).status().unwrap().success());

    let mut killed_at_work = 0;
    let mut alive: Vec<Child> = Vec::new();
    for round in 0..rounds {
        insert(&place, &mut random, &mut next, 0);
        let before = ledgers(&place).0.verdicts;
        while alive.len() < workers {
            alive.push(command(false).spawn().unwrap());
        }
        std::thread::sleep(Duration::from_millis(random.below(300)));
        insert(&place, &mut random, &mut next, 5);
        std::thread::sleep(Duration::from_millis(random.below(300)));
        let mut chosen = alive.swap_remove(random.below(workers as u64) as usize);
        chosen.kill().unwrap();
        chosen.wait().unwrap();
        let (found, claimed) = ledgers(&place);
        assert_eq!(found, claimed, "round {round}");
        assert_eq!(found.verdicts, found.readings_with_a_verdict, "round {round}");
        let readings =
            place.number("SELECT count(DISTINCT datetime || variable_name) FROM datos_proceso").unwrap();
        killed_at_work += u64::from(found.verdicts > before && found.verdicts < readings);
    }
    eprintln!("{killed_at_work} of {rounds} kills came between the first and the last commit of a backlog");
    assert!(killed_at_work > 0, "no kill came while it worked: the delays do not fit this machine");

    for mut left in alive {
        left.kill().unwrap();
        left.wait().unwrap();
    }
    assert!(command(true).status().unwrap().success());
    let (found, claimed) = ledgers(&place);
    assert_eq!(found, claimed);
    let without = "SELECT count(*) FROM datos_proceso WHERE NOT EXISTS \
                   (SELECT 1 FROM anomalies_detector WHERE ds = datetime AND variable = variable_name)";
    assert_eq!(place.number(without), Some(0), "readings without a verdict");
    let readings = place.number("SELECT count(DISTINCT datetime || variable_name) FROM datos_proceso");
    assert_eq!(Some(found.verdicts), readings, "one verdict each");
    let newest: String =
        place.database().query_row("SELECT max(datetime) FROM datos_proceso", [], |row| row.get(0)).unwrap();
    assert_eq!(claimed.newest, Some(newest));
    // Every id was read, and none is waited for any more that is there.
    let position: String = place
        .database()
        .query_row("SELECT position FROM anomaly_worker_state", [], |row| row.get(0))
        .unwrap();
    let position: Value = serde_json::from_str(&position).unwrap();
    assert_eq!(position["scanned"].as_i64(), place.number("SELECT max(id) FROM datos_proceso"), "{position}");
}
