//! A checkpoint helps and is never needed. Whatever a detector has left in the state row, the next
//! one judges, says in one line what it did not use, and leaves a checkpoint of its own.

use std::sync::Arc;
use std::time::Duration;

use host::checkpoint::Checkpoint;
use host::detector::{Detector, Module, Set};
use host::reload::{Canary, ReloadSlots};
use host::state::State;
use host::store::{Commit, Connector};
use tests::fixture::{
    Fixture, Layout, counted, counting, described, engine, hostile, open_set, patient_engine, told, verdicts,
};
use tests::logs::Lines;

const FIRST: (&str, &str, f64) = ("10:00", "T1", 1.0);
const SECOND: (&str, &str, f64) = ("10:05", "T1", 2.0);
const BELOW_ZERO: (&str, &str, f64) = ("10:05", "T2", -2.0);

/// A module that keeps no state.
fn stateless() -> Module {
    described(0, Duration::ZERO)
}

fn stateful() -> Module {
    described(7, Duration::ZERO)
}

/// Puts a checkpoint into the state row, as if another program had left it there.
async fn leave(bench: &Fixture, checkpoint: Option<Checkpoint>) {
    let state = bench.state().await.unwrap();
    let (_, mut output) = bench.store.open().await.unwrap();
    let taken = output.claim(&bench.settings.name).await.unwrap();
    let state = State { epoch: taken.epoch, checkpoint, ..state };
    output.commit(&bench.settings.name, &Commit::of(&[], &state)).await.unwrap();
}

fn left(schema: u32, bytes: &[u8]) -> Option<Checkpoint> {
    Some(counting(schema, bytes))
}

/// One in several parts, of a detector of this name.
fn of(detector: &str, parts: &[&str]) -> Option<Checkpoint> {
    let parts = parts.iter().map(|name| ((*name).into(), 5_u64.to_le_bytes().as_slice().into()));
    Some(Checkpoint { detector: Some(detector.into()), parts: parts.collect(), ..counting(7, &[]) })
}

/// What is stored: the schema, and how many readings the honest detector has counted.
async fn stored(bench: &Fixture) -> Option<(u32, u64)> {
    let checkpoint = bench.state().await.unwrap().checkpoint?;
    assert_eq!(checkpoint.parts.size().parts, 1, "what another has left is gone");
    Some((checkpoint.schema, counted(&checkpoint)))
}

fn about_checkpoints(lines: &Lines) -> Vec<String> {
    lines
        .take()
        .into_iter()
        .filter(|line| line.contains("checkpoint") && !line.contains("is tried"))
        .collect()
}

/// What is in the row, the detector that comes next, what it is told, and what it leaves there.
#[tokio::test]
async fn whatever_is_stored_the_next_detector_judges() {
    let not_read = "WARN the detector starts without the checkpoint that is stored: ";
    for (why, checkpoint, module, harm, after, line) in [
        ("none", None, stateful(), "", Some((7, 1)), None),
        ("its own", left(7, &5_u64.to_le_bytes()), stateful(), "", Some((7, 6)), None),
        ("empty", left(7, b""), stateful(), "", Some((7, 1)), Some(not_read)),
        ("of another length", left(7, b"123456789"), stateful(), "", Some((7, 1)), Some(not_read)),
        ("of parts that it does not know", of("hostile", &["a", "state"]), stateful(), "", Some((7, 1)), {
            Some(not_read)
        }),
        ("of another detector", of("threshold", &["state"]), stateful(), "", Some((7, 1)), Some(not_read)),
        ("of another schema", left(9, &5_u64.to_le_bytes()), stateful(), "", Some((7, 1)), Some(not_read)),
        ("it traps over it", left(7, &5_u64.to_le_bytes()), stateful(), "open-resumed-trap", Some((7, 1)), {
            Some(not_read)
        }),
        (
            "it can be opened with it and no more",
            left(7, &5_u64.to_le_bytes()),
            stateful(),
            "resumed-trap",
            { Some((7, 1)) },
            Some(
                "WARN the detector judges nothing with the checkpoint that is stored, and goes on without: ",
            ),
        ),
        ("it keeps none", left(7, &5_u64.to_le_bytes()), stateless(), "", None, {
            Some("INFO the checkpoint that is stored is cleared: detector `hostile` 1 keeps no state")
        }),
    ] {
        let bench = Fixture::new(Layout::Keyed);
        bench.insert(&[FIRST]);
        bench.worker(open_set(told(stateful(), "{}")).await).cycle(|| false).await.unwrap();
        leave(&bench, checkpoint).await;
        bench.insert(&[SECOND]);
        let (lines, _guard) = Lines::listen();
        let settings = format!(r#"{{"do": "{harm}"}}"#);
        let mut worker = bench.worker(open_set(told(module, &settings)).await);
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "{why}");
        assert_eq!(bench.verdicts(), verdicts(&[FIRST, SECOND]), "{why}");
        assert_eq!(stored(&bench).await, after, "{why}");
        let said = about_checkpoints(&lines);
        assert_eq!(said.len(), usize::from(line.is_some()), "{why}: {said:#?}");
        assert!(said.iter().zip(line).all(|(said, line)| said.starts_with(line)), "{why}: {said:#?}");
    }
}

/// A busy machine does not lead to the loss of state. Only two missed deadlines in a row do.
#[tokio::test]
async fn a_checkpoint_that_takes_too_long_is_tried_twice() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[FIRST]);
    bench.worker(open_set(told(stateful(), "{}")).await).cycle(|| false).await.unwrap();
    bench.insert(&[SECOND]);
    let (lines, _guard) = Lines::listen();
    let mut worker = bench.worker(open_set(told(stateful(), r#"{"do": "open-resumed-spin"}"#)).await);
    worker.cycle(|| false).await.unwrap();
    let late = "`hostile.wasm` failed while it was opened: the detector did not answer within 1s";
    assert_eq!(
        about_checkpoints(&lines),
        [
            format!("WARN with the checkpoint that is stored, {late}; it is opened once more with it"),
            format!("WARN the detector starts without the checkpoint that is stored: {late}"),
        ]
    );
    assert_eq!(stored(&bench).await, Some((7, 1)));
}

/// The built-in detector keeps no state. An earlier version failed at its first trap after a
/// detector that keeps one.
#[tokio::test]
async fn a_detector_without_state_survives_its_traps_after_one_with_state() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[FIRST]);
    bench.worker(open_set(told(stateful(), "{}")).await).cycle(|| false).await.unwrap();
    let mut worker = bench.worker(open_set(told(stateless(), r#"{"do": "trap-below-zero"}"#)).await);
    bench.insert(&[SECOND, BELOW_ZERO]);
    let counts = worker.cycle(|| false).await.unwrap().counts;
    assert_eq!((counts.judged, counts.set_aside), (1, 1));
    assert_eq!(stored(&bench).await, None);
}

/// Another process has had the worker's name meanwhile, and has left something else there.
#[tokio::test]
async fn a_worker_that_takes_its_name_back_goes_on_over_a_foreign_checkpoint() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[FIRST]);
    let mut worker = bench.worker(open_set(told(stateful(), "{}")).await);
    worker.cycle(|| false).await.unwrap();
    leave(&bench, left(9, b"foreign")).await;
    bench.insert(&[SECOND]);
    assert!(worker.cycle(|| false).await.is_err_and(|error| error.is_fenced()));
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
    assert_eq!(stored(&bench).await, Some((7, 1)));
}

/// A detector returns a state that cannot be kept, with good verdicts. These are stored, the state
/// before is kept, and the log says it once.
#[tokio::test]
async fn a_checkpoint_that_is_none_costs_no_verdict() {
    for (harm, why) in [
        ("twice", "part `state` is there twice"),
        ("named", "`State` names no part: 1 to 100 of a to z, 0 to 9, `.`, `_`, `-` and `/`"),
        ("large", "part `state` has 8388609 bytes, and at most 8388608 are kept"),
        ("huge", "part `state` has 20971520 bytes, and at most 8388608 are kept"),
        ("trap", "the detector trapped: wasm trap: wasm `unreachable` instruction executed"),
    ] {
        let bench = Fixture::new(Layout::Keyed);
        bench.insert(&[FIRST]);
        bench.worker(open_set(told(stateful(), "{}")).await).cycle(|| false).await.unwrap();
        let (lines, _guard) = Lines::listen();
        let settings = format!(r#"{{"do": "checkpoint-{harm}"}}"#);
        let mut worker = bench.worker(open_set(told(stateful(), &settings)).await);
        for reading in [SECOND, ("10:10", "T1", 3.0)] {
            bench.insert(&[reading]);
            assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "{harm}");
        }
        assert_eq!(stored(&bench).await, Some((7, 1)), "{harm}");
        let said: Vec<_> = lines.take().into_iter().filter(|line| line.contains("is not kept")).collect();
        assert!(matches!(&said[..], [line] if line.contains(why)), "{harm}: {said:#?}");
    }
}

/// A detector that says that all of its state is gone has what was stored cleared; one that says
/// that nothing has changed keeps it.
#[tokio::test]
async fn no_change_and_no_state_are_two_things() {
    for (harm, after) in [("none", None), ("unchanged", Some((7, 1)))] {
        let bench = Fixture::new(Layout::Keyed);
        bench.insert(&[FIRST]);
        bench.worker(open_set(told(stateful(), "{}")).await).cycle(|| false).await.unwrap();
        bench.insert(&[SECOND]);
        let settings = format!(r#"{{"do": "checkpoint-{harm}"}}"#);
        bench.worker(open_set(told(stateful(), &settings)).await).cycle(|| false).await.unwrap();
        assert_eq!(stored(&bench).await, after, "{harm}");
    }
}

/// Only the instance knows a change that it returned and that could not be kept. It is not asked
/// again, and the next instance begins with what is stored.
#[tokio::test]
async fn a_state_that_grows_beyond_what_is_kept_stays_as_it_was() {
    let bench = Fixture::new(Layout::Keyed);
    let (lines, _guard) = Lines::listen();
    let set = told(stateful(), r#"{"do": "checkpoint-grows"}"#);
    let mut worker = bench.worker(Detector::open(&patient_engine(), set, None).await.unwrap());
    let mut sizes = Vec::new();
    for minute in 0..6 {
        bench.insert(&[(format!("10:{minute:02}").as_str(), "T1", 1.0)]);
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
        sizes.push(bench.state().await.unwrap().checkpoint.unwrap().parts.size().parts);
    }
    // Each batch adds two parts of 8 MiB, and 64 MiB can be kept. A fresh instance counts from the
    // state that it was given.
    assert_eq!(sizes, [2, 4, 6, 8, 8, 8]);
    let said: Vec<_> = lines.take().into_iter().filter(|line| line.contains("is not kept")).collect();
    let why = "it has 83886080 bytes, and at most 67108864 are kept (`checkpoint_mib` of `[detector]`)";
    assert!(matches!(&said[..], [line] if line.ends_with(why)), "{said:#?}");
}

/// An earlier version kept the state in the row itself. It is read once, as one part, and moved.
#[tokio::test]
async fn a_checkpoint_of_an_earlier_version_is_gone_on_from() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[FIRST]);
    bench.worker(open_set(told(stateless(), "{}")).await).cycle(|| false).await.unwrap();
    bench.execute(
        "UPDATE anomaly_worker_state SET checkpoint = x'0500000000000000', checkpoint_schema = 7, checkpoint_digest = 'd'; \
         DROP TABLE anomaly_worker_state_checkpoint",
    );
    bench.insert(&[SECOND]);
    bench.worker(open_set(told(stateful(), "{}")).await).cycle(|| false).await.unwrap();
    assert_eq!(stored(&bench).await, Some((7, 6)));
    let (row, parts) = (
        "SELECT hex(checkpoint) FROM anomaly_worker_state",
        "SELECT name FROM anomaly_worker_state_checkpoint WHERE name NOT LIKE 'episodes:%'",
    );
    assert_eq!((bench.texts(row), bench.texts(parts)), (vec![String::new()], vec!["state".to_owned()]));
}

/// If parts were deleted or added by others, the state is one that no batch has led to.
#[tokio::test]
async fn parts_that_are_not_those_of_the_row_are_no_state() {
    let last = "DELETE FROM anomaly_worker_state_checkpoint WHERE name = 'since'";
    let more = "INSERT INTO anomaly_worker_state_checkpoint SELECT worker, 'more', bytes FROM anomaly_worker_state_checkpoint WHERE name = 'since'";
    for (meddled, why) in [(last, "a part less"), (more, "a part more")] {
        let bench = Fixture::new(Layout::Keyed);
        let remember = || told(stateful(), r#"{"do": "remember"}"#);
        bench.insert(&[FIRST]);
        bench.worker(open_set(remember()).await).cycle(|| false).await.unwrap();
        bench.execute(meddled);
        bench.insert(&[SECOND]);
        let (lines, _guard) = Lines::listen();
        bench.worker(open_set(remember()).await).cycle(|| false).await.unwrap();
        let said = about_checkpoints(&lines);
        assert!(
            matches!(&said[..], [line] if line.contains("is not whole: stored were 1 part with")),
            "{why}: {said:#?}"
        );
        let names: Vec<String> =
            bench.texts("SELECT name FROM anomaly_worker_state_checkpoint WHERE name NOT LIKE 'episodes:%'");
        assert_eq!(names, ["since"], "{why}");
    }
}

/// If a page is judged in several parts, each continues from the one before, also on a fresh
/// instance.
#[tokio::test]
async fn a_part_of_a_page_goes_on_from_the_part_before() {
    let mut bench = Fixture::new(Layout::Keyed);
    // Sixteen cells a row: every variable at a datetime of its own makes several parts.
    bench.settings.batch_rows = 40;
    let names: Vec<_> = (0..40).map(|number| format!("T{number}")).collect();
    let times: Vec<_> = (0..40).map(|minute| format!("10:{minute:02}")).collect();
    let rows: Vec<_> =
        names.iter().zip(&times).map(|(name, time)| (time.as_str(), name.as_str(), 1.0)).collect();
    bench.insert(&rows);
    // It fails in a part that is not the first, and is judged there by a fresh instance.
    let settings = r#"{"do": "trap", "to": "T39"}"#;
    let counts =
        bench.worker(open_set(hostile(settings, &["*"])).await).cycle(|| false).await.unwrap().counts;
    assert_eq!((counts.judged, counts.set_aside), (39, 1));
    assert_eq!(stored(&bench).await, Some((7, 39)));
}

/// A reload tries a set on the last batch and its checkpoint, which may be that of any other
/// detector.
#[tokio::test]
async fn a_detector_is_opened_beside_a_checkpoint_that_it_cannot_read() {
    let (lines, _guard) = Lines::listen();
    for checkpoint in [left(9, b""), left(7, b"")] {
        let set: Arc<Set> = told(stateful(), "{}");
        let shared = ReloadSlots::default();
        shared.set_canary(Canary { batch: Arc::default(), checkpoint: checkpoint.clone() });
        assert!(Detector::open(&engine(), set, checkpoint).await.is_ok());
        assert_eq!(about_checkpoints(&lines).len(), 1);
    }
}
