//! Promise 2: the detector cannot hurt the host. A hostile component tries every harm in a real
//! sandbox; each time the host gets a typed error with a sentence, and the next call is served by a
//! fresh instance.

use std::sync::Arc;
use std::time::Duration;

use host::batch::{Batch, Column, Outcome};
use host::checkpoint::Checkpoint;
use host::datetime::Datetime;
use host::detector::{
    Detector, DetectorError, Engine, JudgeError, Judged, Limits, ModelFile, Module, Set, inspect,
};
use tests::HOSTILE;
use tests::fixture::{counted, counting};
use tests::logs::Lines;

/// For harms that only a deadline ends. The call after the harm is served under it too.
const SHORT: Duration = Duration::from_secs(1);
/// For all other harms, which end earlier however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

fn engine_with(deadline: Duration) -> Engine {
    Engine::new(Limits { memory: 64 << 20, deadline, returned: 16 << 20, ..Limits::default() }, None).unwrap()
}

fn engine() -> Engine {
    // One for all tests of this process, as in the service.
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| engine_with(LONG)).clone()
}

fn engine_for(harm: &str) -> Engine {
    static IMPATIENT: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    let endless = harm.contains("spin") || harm.contains("sleep");
    if endless { IMPATIENT.get_or_init(|| engine_with(SHORT)).clone() } else { engine() }
}

fn hostile(settings: &str) -> Arc<Set> {
    let module = Module { name: "hostile.wasm".into(), bytes: HOSTILE.into() };
    let files = ["T1", "T2"].map(|path| ModelFile { path: path.into(), bytes: vec![] });
    Arc::new(Set::new(module, files.into(), "models".into(), settings.into()))
}

fn batch(variables: &[&'static str]) -> Arc<Batch> {
    let column = |&variable: &&'static str| Column { variable: variable.into(), values: vec![1.0, 2.0] };
    Arc::new(Batch {
        datetimes: vec![Datetime::from_micros(0), Datetime::from_micros(300_000_000)],
        columns: variables.iter().map(column).collect(),
    })
}

/// How a failed call is reported, without the engine's words.
fn class(error: &JudgeError) -> String {
    match error {
        JudgeError::Trap(why) => format!("trap: {}", why.split(',').next().unwrap_or_default()),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn every_harm_is_an_error_and_the_next_call_is_served() {
    let contract = |why: &str| format!("the detector's answer breaks the contract: {why}");
    let unreachable = "trap: wasm trap: wasm `unreachable` instruction executed".to_owned();
    let cases = [
        ("trap", unreachable.clone()),
        ("spin", "the detector did not answer within 1s".into()),
        ("sleep", "the detector did not answer within 1s".into()),
        ("memory", unreachable),
        ("stack", "trap: wasm trap: call stack exhausted".into()),
        ("refuse", "the detector cannot judge the batch: told to refuse".into()),
        ("fewer", contract("1 outcomes for 2 columns")),
        ("short", contract("variable `BAD`: `lower` has 1 entries for 2 instants")),
        (
            "nan",
            contract(
                "variable `T1`: instant 0 has expected NaN, lower 0, upper 2, score 0: not finite, and not withheld",
            ),
        ),
        (
            "inverted",
            contract("variable `T1`: instant 0 has lower 2, expected 1, upper 0: not in this order"),
        ),
        ("score", contract("variable `T1`: instant 0 has score 500: not between 0 and 100")),
        ("flags", contract("variable `T1`: instant 0 has flags 8: a cause of what is no anomaly")),
    ];
    for (harm, expected) in cases {
        let set = hostile(&format!(r#"{{"do": "{harm}", "to": "T2"}}"#));
        let mut detector = Detector::open(&engine_for(harm), set, None).await.unwrap();
        let error = detector.judge(batch(&["T1", "T2"])).await.unwrap_err();
        let expected = expected.replace("`BAD`", "`T1`");
        assert_eq!(class(&error), expected, "harm `{harm}`");
        let judged = detector.judge(batch(&["T1"])).await.unwrap();
        assert!(matches!(&judged.outcomes[..], [Outcome::Judged(_)]), "after harm `{harm}`");
    }
}

/// A guest may give its functions any name.
#[tokio::test]
async fn names_in_a_trap_are_cut() {
    let mut detector = Detector::open(&engine(), hostile(r#"{"do": "trap-named"}"#), None).await.unwrap();
    let error = detector.judge(batch(&["T1"])).await.unwrap_err().to_string();
    let named = error.split('`').filter(|part| part.contains("a_function_with_a_name")).collect::<Vec<_>>();
    assert!(matches!(&named[..], [name] if name.len() == 100), "{error}");
}

/// The guest's memory and what the host takes over share one budget: each has what the other
/// leaves.
#[tokio::test]
async fn an_answer_counts_with_the_memory() {
    let limits = |memory| Limits { memory, deadline: LONG, ..Limits::default() };
    for (mebibytes, refused) in [(256, false), (50, true)] {
        let engine = Engine::new(limits(mebibytes << 20), None).unwrap();
        // 32 MiB in the guest, as many in the host, and what the guest needed to make them.
        let mut detector = Detector::open(&engine, hostile(r#"{"do": "huge"}"#), None).await.unwrap();
        let error = detector.judge(batch(&["T1"])).await.unwrap_err();
        let contract = "the detector's answer breaks the contract: variable `T1`: `expected` has 4194304 entries for 2 instants";
        assert_eq!(error.to_string() != contract, refused, "{mebibytes} MiB: {error}");
    }
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused() {
    let mut detector = Detector::open(&engine(), hostile(r#"{"do": "huge"}"#), None).await.unwrap();
    let error = detector.judge(batch(&["T1"])).await.unwrap_err();
    assert!(matches!(error, JudgeError::Trap(_)), "{error}");
}

#[tokio::test]
async fn nothing_outside_can_be_reached_and_every_run_sees_the_same() {
    let (lines, _guard) = Lines::listen();
    let mut said = Vec::new();
    for _ in 0..2 {
        let mut detector =
            Detector::open(&engine(), hostile(r#"{"do": "look-around"}"#), None).await.unwrap();
        detector.judge(batch(&["T1"])).await.unwrap();
        said.push(lines.take());
    }
    assert_eq!(said[0], said[1], "a replay is a replay");
    let reached: Vec<_> = said[0].iter().filter(|line| line.contains("reached")).collect();
    assert!(
        matches!(&reached[..], [line] if line.starts_with("INFO detector: reached []; wall 0; seed ")),
        "{reached:?}"
    );
    assert!(!std::path::Path::new("written-by-a-detector").exists());
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_and_counted() {
    let (lines, _guard) = Lines::listen();
    for (harm, dropped) in [("flood", 99_900), ("print", 99_900)] {
        let settings = format!(r#"{{"do": "{harm}"}}"#);
        let mut detector = Detector::open(&engine(), hostile(&settings), None).await.unwrap();
        lines.take();
        detector.judge(batch(&["T1"])).await.unwrap();
        let said = lines.take();
        assert_eq!(said.len(), 101, "harm `{harm}`");
        assert!(said.iter().all(|line| line.len() < 2_100));
        assert_eq!(said[100], format!("WARN detector: {dropped} more lines in one call were dropped"));
    }
}

#[tokio::test]
async fn a_set_that_cannot_be_opened_says_why() {
    for (settings, expected) in [
        (
            r#"{"do": "open-spin"}"#,
            "`hostile.wasm` failed while it was opened: the detector did not answer within 1s",
        ),
        (
            r#"{"do": "open-settings"}"#,
            "the detector refuses its settings: `threshold` is -1; it must be positive",
        ),
        (
            r#"{"do": "open-models"}"#,
            "the detector refuses its models: `A/B` and `A_B` both stand for `prophet_model_A_B.json`",
        ),
        (r#"{"do": "open-x"}"#, "`hostile.wasm` cannot be used: no harm is called `open-x`"),
    ] {
        let error = Detector::open(&engine_for(settings), hostile(settings), None).await.err().unwrap();
        assert_eq!(error.to_string(), expected);
    }
    let error = Detector::open(&engine(), hostile(r#"{"do": "open-trap"}"#), None).await.err().unwrap();
    assert!(matches!(error, DetectorError::Open { cause: JudgeError::Trap(_), .. }), "{error}");
}

#[tokio::test]
async fn modules_that_are_no_detectors_are_refused_with_what_they_are() {
    let component = |text: &str| wat::parse_str(text).unwrap();
    let cases = [
        ("garbage", b"not wasm at all".to_vec(), "it is not a WebAssembly component"),
        ("empty", vec![], "it is not a WebAssembly component"),
        (
            "core",
            component("(module)"),
            "it is a core WebAssembly module, not a component; build it for wasm32-wasip2",
        ),
        (
            "nothing",
            component("(component)"),
            "it is a component of another world: it exports nothing, and a detector exports \
             `anomaly-worker:detector/judging@0.1.0`",
        ),
        (
            "another world",
            component(r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#),
            "it is a component of another world: it exports `wasi:cli/run@0.2.0`, and a detector exports \
             `anomaly-worker:detector/judging@0.1.0`",
        ),
        (
            "another version",
            component(
                r#"(component (instance $i) (export "anomaly-worker:detector/judging@0.2.0" (instance $i)))"#,
            ),
            "it is built for version 0.2.0 of the contract and this host serves 0.1.0; rebuild it with this host's \
             wit/detector.wit, or use the host that it was built for",
        ),
    ];
    for (what, bytes, expected) in cases {
        let module = Module { name: "x.wasm".into(), bytes: bytes.into() };
        let found = inspect(&engine(), &module).await.description.map(|d| d.name).unwrap_err().to_string();
        assert_eq!(found, format!("`x.wasm` cannot be used: {expected}"), "{what}");
    }
    let greedy = component(
        r#"(component (import "other:thing/files@1.0.0" (instance (export "read" (func)))) (instance $i)
        (export "anomaly-worker:detector/judging@0.1.0" (instance $i)))"#,
    );
    let module = Module { name: "x.wasm".into(), bytes: greedy.into() };
    let found = inspect(&engine(), &module).await.description.map(|d| d.name).unwrap_err().to_string();
    assert!(found.contains("other:thing/files@1.0.0"), "{found}");
}

#[tokio::test]
async fn state_follows_what_was_committed_and_nothing_else() {
    let seen = |judged: Result<Judged, JudgeError>| judged.unwrap().checkpoint.as_ref().map(counted);
    let mut detector =
        Detector::open(&engine(), hostile(r#"{"do": "trap", "to": "BAD"}"#), None).await.unwrap();
    let first = detector.judge(batch(&["T1"])).await.unwrap().checkpoint;
    assert_eq!(first.as_ref().map(counted), Some(2));
    detector.committed(first);

    assert_eq!(seen(detector.judge(batch(&["T1"])).await), Some(4));
    detector.discard();
    let again = detector.judge(batch(&["T1"])).await;
    assert_eq!(seen(again), Some(4), "a batch that was not stored is not remembered");

    detector.judge(batch(&["BAD"])).await.unwrap_err();
    let after = detector.judge(batch(&["T1"])).await;
    assert_eq!(seen(after), Some(4), "a fresh instance resumes from the last commit");

    let another = Checkpoint { detector: Some("threshold".into()), ..counting(7, &9_u64.to_le_bytes()) };
    for (kept, why) in [
        (counting(8, &9_u64.to_le_bytes()), "of another schema"),
        (another, "of another detector"),
        (counting(7, &[1]), "unreadable"),
    ] {
        let mut without = Detector::open(&engine(), hostile("{}"), Some(kept)).await.unwrap();
        assert_eq!(seen(without.judge(batch(&["T1"])).await), Some(2), "{why}: it is left out");
    }
}

/// An instance returns what has changed since it was opened or last asked. The host combines the
/// changes, and opens the next instance with all of them.
#[tokio::test]
async fn a_state_in_parts_is_added_up() {
    let set = || hostile(r#"{"do": "remember"}"#);
    let mut detector = Detector::open(&engine(), set(), None).await.unwrap();
    let mut expected = Vec::new();
    let mut kept = None;
    for number in 0..7 {
        let judged = detector.judge(batch(&["T1", "T2"])).await.unwrap();
        expected.push((judged.outcomes.clone(), judged.checkpoint.clone()));
        // The same from the state that an ended instance has left.
        let mut fresh = Detector::open(&engine(), set(), kept).await.unwrap();
        let again = fresh.judge(batch(&["T1", "T2"])).await.unwrap();
        assert_eq!((again.outcomes, again.checkpoint), expected[number], "batch {number}");
        kept = judged.checkpoint;
    }
    let parts = |of: &Option<Checkpoint>| -> Vec<String> {
        of.iter().flat_map(|kept| kept.parts.iter()).map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(parts(&kept), ["since", "variable/5431", "variable/5432"]);
    let outcomes: Vec<_> = expected.iter().map(|(outcomes, _)| outcomes).collect();
    assert!(outcomes.windows(2).all(|two| two[0] != two[1]), "each verdict hangs on what was before");
}
