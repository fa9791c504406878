//! Promise 1 under kills: the program is killed at random points of a backlog while late rows
//! arrive, alone or with a second one on standby. After each kill the state row agrees with the
//! verdicts; at the end every reading has exactly one.
//!
//! On an SQLite file, and on the server that `TEST_SQLSERVER` names. `KILL_ROUNDS` says how often
//! (12 unless given, `just test-kill` 200), `KILL_SEED` repeats a run.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at the first surprise and says its seed"
)]

#[path = "../common/mod.rs"]
mod common;
mod episodes;
mod file;
mod learnt;
mod plant;
mod server;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Ran, VARIABLES};
use file::InFile;
use plant::{Plant, Reading};
use serde_json::Value;
use server::OnItsServer;

/// Small batches, so that there are many commits to be killed between and in.
const BATCH_ROWS: &str = "30";

/// A generator with a period of 2^64 (SplitMix64), which is enough for random moments.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    fn pause(&mut self, longest: u64) {
        std::thread::sleep(Duration::from_millis(self.below(longest)));
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The plant's next rows, with datetimes after all before them.
fn new_rows(next: &mut u64, datetimes: u64) -> Vec<Reading> {
    let seconds = (0..datetimes).map(|at| *next + 2 * at);
    let rows = seconds.flat_map(|at| VARIABLES.map(|variable| (at, variable))).collect();
    *next += 2 * datetimes;
    rows
}

/// Rows between those of before: odd seconds are free for them.
fn late_rows(next: u64, random: &mut Random) -> Vec<Reading> {
    let late = |_| {
        let second = (next - 1).saturating_sub(2 * random.below(600));
        (second | 1, VARIABLES[random.below(6) as usize])
    };
    (0..5).map(late).collect()
}

#[test]
fn a_worker_that_is_killed_loses_and_doubles_nothing() {
    survives(&mut InFile::new(), 1);
}

#[test]
fn of_two_workers_the_other_takes_over_and_nothing_is_lost_or_doubled() {
    survives(&mut InFile::new(), 2);
}

#[test]
#[ignore = "needs TEST_SQLSERVER"]
fn on_a_server_too_a_worker_that_is_killed_loses_and_doubles_nothing() {
    survives(&mut OnItsServer::new(), 1);
}

#[test]
#[ignore = "needs TEST_SQLSERVER"]
fn on_a_server_too_the_other_of_two_takes_over_and_nothing_is_lost_or_doubled() {
    survives(&mut OnItsServer::new(), 2);
}

/// `workers` workers of one name, of which one is killed again and again.
fn survives<P: Plant>(plant: &mut P, workers: usize) {
    let rounds = from_environment("KILL_ROUNDS").unwrap_or(12);
    let seed = from_environment("KILL_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into());
    eprintln!("KILL_SEED={seed} KILL_ROUNDS={rounds}, {workers} at a time");
    let (begun, mut random, mut next) = (Instant::now(), Random(seed), 0);
    let command = |plant: &P, once: bool| {
        let mut command = plant.place().command(&["run", "--interval", "200ms", "--log-file", ""]);
        command.args(once.then_some("--once"));
        command.env("ANOMALY_WORKER_BATCH_ROWS", BATCH_ROWS);
        command.env("ANOMALY_WORKER_INITIAL_LOOKBACK", "60days");
        command.env("ANOMALY_WORKER_ALLOWED_LATENESS", "60days");
        // With twice the interval, a short pause of this machine would be enough to no longer wait
        // for an uncommitted row.
        command.env("ANOMALY_WORKER_SETTLE", "10m");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        plant.address(&mut command);
        command
    };
    // The tables are there before the first kill, so that each round has something to look at.
    let first = Ran::of(&command(plant, true).stderr(Stdio::piped()).output().unwrap());
    assert_eq!(first.code, Some(0), "{}", first.stderr);

    let mut killed_at_work = 0;
    let mut alive: Vec<Child> = Vec::new();
    for round in 0..rounds {
        // One that is left of the round before may judge the new rows at once.
        let before = plant.ledgers().0.verdicts;
        plant.insert(&new_rows(&mut next, P::DATETIMES));
        plant.hold(&late_rows(next, &mut random));
        while alive.len() < workers {
            alive.push(command(plant, false).spawn().unwrap());
        }
        // Half of the kills come after it has begun to work, however slow the machine is. The
        // others come at any time, also before.
        let longest = if random.below(2) == 0 {
            common::wait("a commit", || plant.ledgers().0.verdicts > before);
            P::PAUSE / 8
        } else {
            P::PAUSE
        };
        random.pause(longest);
        plant.insert(&late_rows(next, &mut random));
        plant.release();
        random.pause(longest);
        let mut chosen = alive.swap_remove(random.below(workers as u64) as usize);
        chosen.kill().unwrap();
        chosen.wait().unwrap();
        let (found, claimed) = plant.ledgers();
        assert_eq!(found, claimed, "round {round}");
        assert_eq!(found.verdicts, found.readings_with_a_verdict, "round {round}");
        killed_at_work += u64::from(found.verdicts > before && found.verdicts < plant.readings());
    }
    for mut left in alive {
        left.kill().unwrap();
        left.wait().unwrap();
    }
    eprintln!("{killed_at_work} of {rounds} kills came between the first and the last commit of a backlog");
    assert!(killed_at_work > 0, "no kill came while it worked: the delays do not fit this machine");

    // What a killed worker held may stay held for a moment.
    common::wait("one that is alone leads", || command(plant, true).status().unwrap().success());
    let (found, claimed) = plant.ledgers();
    assert_eq!(found, claimed);
    assert_eq!(plant.readings_without_a_verdict(), 0, "readings without a verdict");
    assert_eq!(found.verdicts, plant.readings(), "one verdict each");
    assert_eq!(claimed.newest, Some(plant.newest_reading()));
    // Every id was read, and none that is there is still waited for.
    let position: Value = serde_json::from_str(&plant.position()).unwrap();
    assert_eq!(position["scanned"].as_i64(), Some(plant.last_id()), "{position}");
    eprintln!("{} readings, one verdict each, in {} s", found.verdicts, begun.elapsed().as_secs());
}
