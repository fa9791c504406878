//! A state in parts, between the detector and the store. A detector returns each change once.
//! Whatever happens between its batches and the commits, the detector and the store must be as if
//! it had not happened.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use host::store::{ErrorKind, StoreError};
use host::worker::Worker;
use proptest::prelude::*;
use tests::fixture::{Fixture, Layout, hostile, open_set};
use tests::intercept::{Action, Call, Intercepted};

/// What happens before a batch is judged and stored.
#[derive(Clone, Copy, Debug)]
enum Harm {
    None,
    /// The next commits of verdicts fail: nothing is stored.
    CommitFails(u8),
    /// The next commit is stored, and its answer is lost.
    AnswerLost,
    /// The worker is killed, and another starts.
    Kill,
    /// Another set of the same detector is loaded.
    Reload,
}

/// Readings of a datetime: one or none of each variable. The detector fails at the last variable.
type Batch = [Option<i8>; 4];

const VARIABLES: [&str; 4] = ["T1", "t1", "Presión", "TRAP"];

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        2 => Just(Harm::None),
        2 => (1..3_u8).prop_map(Harm::CommitFails),
        1 => Just(Harm::AnswerLost),
        2 => Just(Harm::Kill),
        1 => Just(Harm::Reload),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let reading = || proptest::option::weighted(0.8, any::<i8>());
    (reading(), reading(), reading(), proptest::option::weighted(0.1, any::<i8>()))
        .prop_map(|(a, b, c, bad)| [a, b, c, bad])
}

/// The verdicts. The expected value of each reading depends on all the readings before.
fn verdicts(bench: &Fixture) -> Vec<String> {
    bench.texts("SELECT ds || ' ' || variable || ' ' || yhat FROM anomalies_detector ORDER BY ds, variable")
}

fn insert(bench: &Fixture, minute: usize, batch: &Batch) {
    let at = format!("10:{minute:02}");
    let readings = VARIABLES.iter().zip(batch).filter_map(|(name, value)| Some((name, (*value)?)));
    let readings: Vec<_> = readings.map(|(name, value)| (at.as_str(), *name, f64::from(value))).collect();
    bench.insert(&readings);
}

/// A set with a state. Each number gives another set.
async fn worker(bench: &Fixture, store: &Intercepted, set: usize) -> Worker {
    bench.worker_over(store.clone(), open_set(remembering(set)).await)
}

fn remembering(set: usize) -> Arc<host::detector::Set> {
    hostile(&format!(r#"{{"do": "remember", "to": "set {set}"}}"#), &["*"])
}

/// Judges the steps, each batch after the event that precedes it, in pages of this many rows.
async fn judged(steps: &[(Harm, usize, Vec<Batch>)], rows: usize) -> Vec<String> {
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.batch_rows = rows;
    let fates: Arc<Mutex<VecDeque<Action>>> = Arc::default();
    let next = Arc::clone(&fates);
    let store = Intercepted::new(&bench.store, move |call| match call {
        Call::Commit(verdicts) if verdicts > 0 => {
            next.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Action::Go)
        }
        _ => Action::Go,
    });
    let gone = || StoreError::new(ErrorKind::Connection, "the server has gone away");
    let (mut set, mut minute) = (0, 0);
    let mut at_work = worker(&bench, &store, set).await;
    for (harm, page, batches) in steps {
        {
            let mut fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
            fates.clear();
            // If there are several pages, some of them are stored before.
            fates.extend((0..*page).map(|_| Action::Go));
            match harm {
                Harm::CommitFails(times) => fates.extend((0..*times).map(|_| Action::Fail(gone()))),
                Harm::AnswerLost => fates.push_back(Action::Lose(gone())),
                Harm::None | Harm::Kill | Harm::Reload => fates.clear(),
            }
        }
        match harm {
            Harm::Kill => at_work = worker(&bench, &store, set).await,
            Harm::Reload => {
                set += 1;
                bench.shared.set_ready(open_set(remembering(set)).await);
            }
            _ => {}
        }
        for batch in batches {
            insert(&bench, minute, batch);
            minute += 1;
        }
        let mut tries = 0;
        while let Err(error) = at_work.cycle(|| false).await {
            tries += 1;
            assert!(tries < 4, "the batch is not stored after {tries} tries: {error:?}");
        }
    }
    verdicts(&bench)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_between_the_verdicts_are_those_of_a_run_without_it(
        steps in proptest::collection::vec((harm(), 0..3_usize, proptest::collection::vec(batch(), 1..4)), 1..8),
        last in batch(),
        rows in 1..6_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // If a detector has judged nothing yet and fails at everything, the detector itself is at
        // fault, and the worker waits. So the first batch is one that it can judge.
        let mut disturbed = vec![(Harm::None, 0, vec![[Some(0), None, None, None]])];
        disturbed.extend(steps);
        // A new detector that is opened with the stored state gives the same next verdicts.
        disturbed.push((Harm::Kill, 0, vec![last]));
        let calm: Vec<_> =
            disturbed.iter().map(|(_, page, batches)| (Harm::None, *page, batches.clone())).collect();
        let (expected, found) =
            runtime.block_on(async { (judged(&calm, 4000).await, judged(&disturbed, rows).await) });
        prop_assert_eq!(found, expected);
    }
}

/// If the detector fails at all of a batch, the canary is judged. The next batch is judged as if it
/// had not been.
#[tokio::test]
async fn the_canary_is_not_learnt() {
    let of = |value, bad| (Harm::None, 0, vec![[value, None, None, bad]]);
    let without = [of(Some(0), None), of(None, None), of(Some(0), None)];
    let with = [of(Some(0), None), of(None, Some(0)), of(Some(0), None)];
    assert_eq!(judged(&with, 4000).await, judged(&without, 4000).await);
}
