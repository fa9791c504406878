//! The search, with a detector that fails at given variables, and a clock that only its answers
//! advance.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::batch::{Column, Verdicts};
use crate::checkpoint::{Checkpoint, Parts};
use crate::datetime::Datetime;
use crate::detector::Judged;
use crate::worker::{patience, recover};

/// Seconds that a failing call takes; a good one takes none.
const DEADLINE: u64 = 30;

fn checkpoint() -> Checkpoint {
    Checkpoint { schema: 7, detector: None, set_digest: "set".into(), parts: Parts::whole([1]) }
}

/// A detector, and the calls that it got.
struct Told<'a> {
    bad: BTreeSet<usize>,
    /// Without state it would not be asked for a checkpoint.
    checkpoint: bool,
    /// It fails at everything while it has a checkpoint.
    poisoned: bool,
    clock: &'a AtomicU64,
    asked: Vec<usize>,
}

impl Judge for Told<'_> {
    async fn judge(&mut self, batch: Arc<Batch>) -> Result<Judged, JudgeError> {
        assert!(!batch.columns.is_empty(), "it is never asked about nothing");
        self.asked.push(batch.columns.len());
        let bad = |column: &Column| self.bad.contains(&column.variable[1..].parse().unwrap());
        if self.poisoned || batch.columns.iter().any(bad) {
            self.clock.fetch_add(DEADLINE, Ordering::Relaxed);
            return Err(JudgeError::Deadline(Duration::from_secs(DEADLINE)));
        }
        let outcomes = batch.columns.iter().map(|_| Outcome::Judged(Verdicts::default())).collect();
        Ok(Judged { outcomes, checkpoint: Some(checkpoint()), not_kept: None })
    }

    fn discard(&mut self) {}

    fn keeps_state(&self) -> bool {
        true
    }

    fn give_up_checkpoint(&mut self) -> bool {
        self.poisoned = false;
        std::mem::take(&mut self.checkpoint)
    }

    fn digest(&self) -> &str {
        "set"
    }
}

fn told<'a>(bad: &[usize], clock: &'a AtomicU64) -> Told<'a> {
    let bad = bad.iter().copied().collect();
    Told { bad, checkpoint: false, poisoned: false, clock, asked: Vec::new() }
}

/// Variables `T<from>` and so on.
fn batch(from: usize, to: usize) -> Arc<Batch> {
    let column = |number| Column { variable: format!("T{number}").into(), values: vec![1.0] };
    Arc::new(Batch { datetimes: vec![Datetime::from_micros(0)], columns: (from..to).map(column).collect() })
}

/// A batch no detector here fails at.
fn canary() -> Option<Arc<Batch>> {
    Some(batch(1000, 1001))
}

/// The result of a cycle: which columns were at fault, or why there was no answer.
fn outcome(recovered: Result<Recovered, Unjudged>) -> Result<Vec<usize>, String> {
    match recovered {
        Ok(recovered) => {
            let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
            let failed: Vec<_> = recovered
                .outcomes
                .iter()
                .enumerate()
                .filter(|(_, one)| failed(one))
                .map(|(at, _)| at)
                .collect();
            let at_fault: Vec<_> = recovered.at_fault.iter().map(|(at, _)| *at).collect();
            assert_eq!(failed, at_fault);
            Ok(at_fault)
        }
        Err(Unjudged::Unfinished { left, .. }) => Err(format!("{left} left")),
        Err(Unjudged::Failed(_)) => Err("failed".into()),
        Err(Unjudged::Ended(ended)) => Err(format!("{ended:?}")),
    }
}

/// Cycles over the same batch until it is judged, each with this many seconds; the result of each,
/// and how long it took.
async fn cycles(
    detector: &mut Told<'_>,
    batch: &Arc<Batch>,
    canary: Option<Arc<Batch>>,
    seconds: u64,
) -> Vec<(Result<Vec<usize>, String>, u64)> {
    let clock = detector.clock;
    let now = move || Duration::from_secs(clock.load(Ordering::Relaxed));
    let never = || false;
    let mut learnt = Learnt::default();
    let mut came_to = Vec::new();
    for _ in 0..6 {
        let begun = clock.load(Ordering::Relaxed);
        let mut patience = Patience::new(Duration::from_secs(seconds), &now, &never, &never);
        let judged = recover::judge(detector, batch, canary.clone(), &mut learnt, &mut patience).await;
        let done = judged.is_ok();
        came_to.push((outcome(judged), clock.load(Ordering::Relaxed) - begun));
        if done {
            break;
        }
    }
    came_to
}

#[tokio::test]
async fn a_search_keeps_to_its_time_and_goes_on_where_it_left_off() {
    let left = |number: usize| Err(format!("{number} left"));
    for (why, bad, seconds, expected) in [
        (
            "time for all of it: two tries of the whole and six halvings",
            vec![40],
            1000,
            vec![(Ok(vec![40]), 240)],
        ),
        (
            "four probes a cycle, and the last may begin just before the end",
            vec![40],
            100,
            vec![(left(24), 180), (Ok(vec![40]), 60)],
        ),
        (
            "two at fault: what was found in one cycle is not asked about in the next",
            vec![3, 40],
            200,
            vec![(left(32), 270), (Ok(vec![3, 40]), 150)],
        ),
    ] {
        let clock = AtomicU64::new(0);
        let came_to = cycles(&mut told(&bad, &clock), &batch(0, 64), canary(), seconds).await;
        assert_eq!(came_to, expected, "{why}");
    }
}

/// However many are at fault, the position moves on after a few cycles; half an hour of each was
/// spent before.
#[tokio::test]
async fn after_a_few_cycles_what_is_not_known_is_set_aside_as_well() {
    let clock = AtomicU64::new(0);
    let bad: Vec<usize> = (0..64).step_by(2).collect();
    let came_to = cycles(&mut told(&bad, &clock), &batch(0, 64), canary(), 150).await;
    assert_eq!(came_to.len(), 3);
    let Ok(at_fault) = &came_to[2].0 else { panic!("{came_to:?}") };
    assert!(bad.iter().all(|bad| at_fault.contains(bad)), "{at_fault:?}");
    assert!(came_to.iter().all(|(_, took)| *took <= 2 * DEADLINE + 150 + DEADLINE), "{came_to:?}");
}

#[tokio::test]
async fn where_all_are_at_fault_it_is_told_from_a_detector_that_fails() {
    for (why, bad, canary, expected) in [
        ("it judges the canary", 0..3, canary(), Ok(vec![0, 1, 2])),
        ("nothing says that it judges anything", 0..3, None, Err("failed".to_owned())),
        ("it does not judge the canary", 0..1001, canary(), Err("failed".to_owned())),
    ] {
        let clock = AtomicU64::new(0);
        let mut detector = told(&bad.collect::<Vec<_>>(), &clock);
        let came_to = cycles(&mut detector, &batch(0, 3), canary, 10_000).await;
        assert_eq!(came_to[0].0, expected, "{why}");
    }
    let clock = AtomicU64::new(0);
    let bad: Vec<usize> = (0..200).collect();
    let came_to = cycles(&mut told(&bad, &clock), &batch(0, 200), canary(), 10_000).await;
    assert_eq!(came_to[0].0, Err("failed".to_owned()), "so many are no single variables");
}

#[tokio::test]
async fn a_checkpoint_that_nothing_is_judged_with_is_given_up() {
    for canary in [canary(), None] {
        let clock = AtomicU64::new(0);
        let mut detector = Told { checkpoint: true, poisoned: true, ..told(&[], &clock) };
        let came_to = cycles(&mut detector, &batch(0, 3), canary, 1000).await;
        assert_eq!(came_to[0].0, Ok(vec![]));
    }
    // One that is not at fault is kept: the variable is.
    let clock = AtomicU64::new(0);
    let mut detector = Told { checkpoint: true, ..told(&[1], &clock) };
    assert_eq!(cycles(&mut detector, &batch(0, 3), canary(), 1000).await[0].0, Ok(vec![1]));
    assert!(detector.checkpoint);
}

/// A stop, or a set that is ready, takes effect after the current call.
#[tokio::test]
async fn a_stop_or_a_set_that_is_ready_ends_it() {
    for (seconds, asked) in [(0, 0), (DEADLINE, 1), (2 * DEADLINE, 2), (3 * DEADLINE, 5)] {
        for (expected, on_stop) in [("Stop", true), ("Ready", false)] {
            let clock = AtomicU64::new(0);
            let now = || Duration::from_secs(clock.load(Ordering::Relaxed));
            let due = || clock.load(Ordering::Relaxed) >= seconds;
            let never = || false;
            let (stop, ready): (patience::StopCheck<'_>, patience::StopCheck<'_>) =
                if on_stop { (&due, &never) } else { (&never, &due) };
            let mut patience = Patience::new(Duration::from_secs(1000), &now, stop, ready);
            let mut detector = told(&[5], &clock);
            let (batch, mut learnt) = (batch(0, 8), Learnt::default());
            let judged = recover::judge(&mut detector, &batch, canary(), &mut learnt, &mut patience).await;
            assert_eq!(outcome(judged), Err(expected.to_owned()), "{seconds} s");
            // The first call is always made: most batches are good.
            assert_eq!(detector.asked.len(), asked.max(1), "{seconds} s");
        }
    }
}
