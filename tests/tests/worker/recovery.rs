//! A detector that fails in a running worker: the variables at fault are set aside and named, the
//! others are judged, nothing is lost, and what is stored is always consistent.

use std::collections::BTreeMap;
use std::sync::Arc;

use host::counts::Counts;
use host::detector::Detector;
use host::state::{Again, SetAside, State};
use host::store::{ErrorKind, StoreError};
use host::worker::Worker;
use tests::fixture::{Fixture, Layout, counted, datetime, engine, hostile, open_set, verdicts};
use tests::intercept::{Action, Call, Intercepted};
use tests::logs::Lines;

const THREE: [(&str, &str, f64); 6] = [
    ("10:00", "T1", 1.0),
    ("10:00", "T2", 2.0),
    ("10:00", "T3", 3.0),
    ("10:05", "T1", 4.0),
    ("10:05", "T2", 5.0),
    ("10:05", "T3", 6.0),
];

fn told(harm: &str, to: &str) -> String {
    format!(r#"{{"do": "{harm}", "to": "{to}"}}"#)
}

async fn detector(settings: &str) -> Detector {
    open_set(hostile(settings, &["*"])).await
}

/// How many readings the detector has seen, as far as its stored state goes.
fn seen(state: &State) -> u64 {
    counted(state.checkpoint.as_ref().unwrap())
}

/// The part of a reason that a test asserts. After the first comma there are the engine's words.
fn beginning(reason: &str) -> &str {
    reason.split(',').next().unwrap_or_default()
}

/// The lines that were logged, without those of level DEBUG.
fn heard(lines: &Lines) -> Vec<String> {
    lines.take().into_iter().filter(|line| !line.starts_with("DEBUG")).collect()
}

#[tokio::test]
async fn a_variable_that_the_detector_does_not_survive_is_set_aside_and_the_rest_is_judged() {
    let trapped = "the detector trapped: wasm trap: wasm `unreachable` instruction executed";
    let broken = "the detector's answer breaks the contract:";
    for (harm, reason) in [
        ("trap", trapped.to_owned()),
        ("memory", trapped.to_owned()),
        ("stack", "the detector trapped: wasm trap: call stack exhausted".to_owned()),
        ("spin", "the detector did not answer within 1s".to_owned()),
        ("refuse", "the detector cannot judge the batch: told to refuse".to_owned()),
        ("fewer", format!("{broken} 0 outcomes for 1 columns")),
        ("short", format!("{broken} variable `T2`: `lower` has 1 entries for 2 instants")),
        ("nan", format!("{broken} variable `T2`: instant 0 has expected NaN")),
        ("inverted", format!("{broken} variable `T2`: instant 0 has lower 3")),
        ("score", format!("{broken} variable `T2`: instant 0 has score 500: not between 0 and 100")),
    ] {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(Layout::Keyed);
        bench.insert(&THREE);
        let mut worker = bench.worker(detector(&told(harm, "T2")).await);
        let report = worker.cycle(|| false).await.unwrap();
        let counts = Counts { judged: 4, set_aside: 2, ..Counts::default() };
        assert_eq!((report.rows, report.counts), (6, counts), "{harm}");
        let fine: Vec<_> = THREE.into_iter().filter(|(_, variable, _)| *variable != "T2").collect();
        assert_eq!(bench.verdicts(), verdicts(&fine), "{harm}");

        let digest = worker.detector().set().digest.clone();
        let mut state = bench.state().await.unwrap();
        let aside = state.set_aside.get_mut("T2").unwrap();
        assert_eq!(beginning(&aside.reason), beginning(&reason), "{harm}");
        aside.reason.clear();
        let expected = SetAside {
            reason: String::new(),
            quarantined: true,
            set_digest: digest,
            first: datetime("10:00"),
            last: datetime("10:05"),
            readings: 2,
            // A call that took too long may be faster next time. One that trapped will trap again.
            again: (harm == "spin").then(|| Again { at: datetime("12:15"), pause_seconds: 900 }),
        };
        assert_eq!(state.set_aside, BTreeMap::from([(Arc::from("T2"), expected)]), "{harm}");
        assert_eq!(
            (seen(&state), state.counts, state.watermark),
            (4, counts, Some(datetime("10:05"))),
            "{harm}"
        );
        let said = lines.take();
        let named = format!("ERROR `T2` is set aside, its readings await `backfill`: {}", beginning(&reason));
        assert_eq!(said.iter().filter(|line| line.starts_with(&named)).count(), 1, "{harm}: {said:#?}");

        // The detector is not shown it again: no second failure, no search.
        bench.insert(&[("10:10", "T1", 7.0), ("10:10", "T2", 8.0)]);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 1, set_aside: 1, ..Counts::default() }, "{harm}");
        let state = bench.state().await.unwrap();
        let aside = &state.set_aside["T2"];
        assert_eq!((aside.readings, aside.last, seen(&state)), (3, datetime("10:10"), 5), "{harm}");
        let said = lines.take();
        assert!(!said.iter().any(|line| line.starts_with("WARN")), "{harm}: {said:#?}");
    }
}

/// Until the set changes. Then the detector gets the variable again, and the readings that were
/// left out still need a `backfill`.
#[tokio::test]
async fn a_variable_that_is_set_aside_is_judged_by_another_set() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&THREE);
        bench.worker(detector(&told("trap", "T2")).await).cycle(|| false).await.unwrap();
        bench.insert(&[("10:10", "T2", 8.0)]);
        // A restart with the same set changes nothing.
        let report = bench.worker(detector(&told("trap", "T2")).await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { set_aside: 1, ..Counts::default() }, "{layout:?}");
        bench.insert(&[("10:15", "T2", 9.0)]);
        let report = bench.worker(detector("{}").await).cycle(|| false).await.unwrap();
        assert!(report.counts.judged >= 1, "{layout:?}: {report:?}");
        let state = bench.state().await.unwrap();
        let aside = &state.set_aside["T2"];
        assert_eq!(
            (aside.quarantined, aside.readings, aside.first),
            (false, 3, datetime("10:00")),
            "{layout:?}"
        );
        assert!(bench.verdicts().contains(&verdicts(&[("10:15", "T2", 9.0)])[0]), "{layout:?}");
    }
}

/// The detector itself is at fault: the position stays, and another detector judges everything.
#[tokio::test]
async fn a_detector_that_judges_nothing_holds_the_position() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("09:55", "T1", 0.0)]);
        bench.worker(detector("{}").await).cycle(|| false).await.unwrap();
        let before = bench.state().await.unwrap();
        bench.insert(&THREE);
        // It fails at the last committed batch as well. A worker that has just started does not
        // have that batch.
        for known_good in [true, false] {
            let mut bench_of_its_own = Worker::new(
                bench.settings.clone(),
                Box::new(bench.store.clone()),
                detector(r#"{"do": "trap"}"#).await,
                if known_good { bench.shared.clone() } else { Default::default() },
            );
            let error = bench_of_its_own.cycle(|| false).await.unwrap_err().to_string();
            let expected = "the detector judges none of 3 variables, so the position stays where it is: \
                            the detector trapped: wasm trap: wasm `unreachable` instruction executed";
            assert_eq!(beginning(&error), "the detector judges none of 3 variables", "{layout:?}");
            assert!(error.starts_with(expected), "{layout:?}: {error}");
        }
        let held = bench.state().await.unwrap();
        assert_eq!(State { epoch: held.epoch, ..before }, held, "{layout:?}: nothing else was stored");
        bench.worker(detector("{}").await).cycle(|| false).await.unwrap();
        let mut all = vec![("09:55", "T1", 0.0)];
        all.extend(THREE);
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
        let after = bench.state().await.unwrap();
        assert_eq!((seen(&after), after.counts.judged), (7, 7), "{layout:?}");
    }
}

/// A plant of one variable, and a reading at which the detector fails. The batches before the
/// restart show that the detector itself works, so that the reading is set aside and not tried for
/// ever.
#[tokio::test]
async fn after_a_restart_a_reading_is_told_from_a_detector_that_fails() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        bench.insert(&[("09:55", "T1", 1.0)]);
        bench.worker(detector("{}").await).cycle(|| false).await.unwrap();
        bench.shared = Default::default();
        bench.insert(&[("10:00", "T1", -1.0)]);
        let mut worker = bench.worker(detector(r#"{"do": "trap-below-zero"}"#).await);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { set_aside: 1, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.state().await.unwrap().set_aside["T1"].readings, 1, "{layout:?}");
    }
}

/// A detector's messages are cut before they are logged or stored in the state row.
#[tokio::test]
async fn a_reason_of_any_length_is_cut() {
    let (lines, _guard) = Lines::listen();
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&THREE);
    bench.worker(detector(r#"{"do": "fail-at-length"}"#).await).cycle(|| false).await.unwrap();
    let state = bench.state().await.unwrap();
    assert_eq!(state.set_aside.len(), 3);
    assert!(state.set_aside.values().all(|aside| aside.reason == "é".repeat(1_000)));
    assert!(lines.take().iter().all(|line| line.len() < 3_000));
}

/// If a column's answer is a failure, the column is not set aside: it is asked for again each time.
#[tokio::test]
async fn a_failed_column_is_counted_and_shown_again() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(detector(&told("fail", "T2")).await);
        bench.insert(&THREE);
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("10:10", "T2", 7.0)]);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { set_aside: 1, ..Counts::default() }, "{layout:?}");
        let state = bench.state().await.unwrap();
        let aside = &state.set_aside["T2"];
        assert_eq!(
            (aside.quarantined, aside.readings, aside.reason.as_str(), state.counts.judged),
            (false, 3, "told to fail", 4),
            "{layout:?}"
        );
        lines.take();
        // Without new readings nothing is logged.
        worker.cycle(|| false).await.unwrap();
        assert_eq!(heard(&lines), ["INFO [cycle 3] checking for new data", "INFO no new data"], "{layout:?}");
    }
}

#[tokio::test]
async fn a_withheld_verdict_is_counted_and_said_with_its_reason() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]);
        let mut worker = bench.worker(detector(r#"{"do": "withhold"}"#).await);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 1, withheld: 1, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("10:05", "T1", 2.0)]), "{layout:?}");
        let said = lines.take();
        for expected in [
            "WARN `T1` is not judged at 1 datetime: regressor `T2` has no reading",
            "INFO not judged: 1 withheld by the detector",
        ] {
            assert!(said.iter().any(|line| line == expected), "{layout:?}: {said:#?}");
        }
        worker.cycle(|| false).await.unwrap();
        assert_eq!(heard(&lines), ["INFO [cycle 2] checking for new data", "INFO no new data"], "{layout:?}");
    }
}

/// The detector's state is stored with the verdicts that it led to: after a commit that failed both
/// are as before, and the batch is repeated from there.
#[tokio::test]
async fn state_and_verdicts_are_stored_together_or_not_at_all() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        let mut failures = 0;
        let store = Intercepted::new(&bench.store, move |call| {
            // The first commit of a session stores no verdicts; the third and fourth after it fail.
            if !matches!(call, Call::Commit(verdicts) if verdicts > 0) {
                return Action::Go;
            }
            failures += 1;
            if failures == 2 || failures == 3 {
                return Action::Fail(StoreError::new(ErrorKind::Connection, "the server has gone away"));
            }
            Action::Go
        });
        let mut worker = bench.worker_over(store, detector("{}").await);
        bench.insert(&THREE[..3]);
        worker.cycle(|| false).await.unwrap();
        let before = bench.state().await.unwrap();
        assert_eq!(seen(&before), 3, "{layout:?}");
        bench.insert(&THREE[3..]);
        for _ in 0..2 {
            worker.cycle(|| false).await.unwrap_err();
            let after = bench.state().await.unwrap();
            assert_eq!(
                (after.checkpoint, after.counts),
                (before.checkpoint.clone(), before.counts),
                "{layout:?}"
            );
            assert_eq!(bench.verdicts(), verdicts(&THREE[..3]), "{layout:?}");
        }
        worker.cycle(|| false).await.unwrap();
        assert_eq!(seen(&bench.state().await.unwrap()), 6, "{layout:?}: each reading was seen once");
        assert_eq!(bench.verdicts(), verdicts(&THREE), "{layout:?}");
        // A worker that was killed and started again does the same.
        drop(worker);
        bench.insert(&[("10:10", "T1", 7.0)]);
        bench.worker(detector("{}").await).cycle(|| false).await.unwrap();
        assert_eq!(seen(&bench.state().await.unwrap()), 7, "{layout:?}");
    }
}

/// A backfill beside it may change an episode between its draft and its commit. The batch is not
/// judged again, and each reading is seen once.
#[tokio::test]
async fn a_commit_whose_episode_has_changed_is_made_again_in_the_same_cycle() {
    for (changes, stored_by) in [(1, 1), (4, 1), (5, 2)] {
        let bench = Fixture::new(Layout::Keyed);
        let mut left = changes;
        let store = Intercepted::new(&bench.store, move |call| match call {
            Call::Commit(verdicts) if verdicts > 0 && left > 0 => {
                left -= 1;
                Action::Fail(StoreError::new(ErrorKind::EpisodeChanged, "somebody else has changed it"))
            }
            _ => Action::Go,
        });
        let mut worker = bench.worker_over(store, detector("{}").await);
        bench.insert(&THREE);
        for _ in 1..stored_by {
            let error = worker.cycle(|| false).await.unwrap_err();
            assert_eq!(error.to_string(), "somebody else has changed it", "{changes}");
            assert_eq!(bench.verdicts(), [], "{changes}");
        }
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 6, "{changes}");
        assert_eq!(bench.verdicts(), verdicts(&THREE), "{changes}");
        assert_eq!(seen(&bench.state().await.unwrap()), 6, "{changes}");
    }
}

/// Models of such a detector use the other variables of the instant: a late reading comes with all
/// of them, and verdicts that exist are not written again.
#[tokio::test]
async fn a_detector_that_wants_whole_instants_gets_them() {
    for layout in Layout::BOTH {
        for (reach, shown) in [("", 3 + 1), ("whole-instants", 3 + 3)] {
            let bench = Fixture::new(layout);
            let settings = format!(r#"{{"do": "{reach}"}}"#);
            let mut worker = bench.worker(detector(&settings).await);
            let rows = [("10:00", "T1", 1.0), ("10:00", "T2", 2.0), ("10:05", "T1", 3.0)];
            bench.insert(&rows);
            worker.cycle(|| false).await.unwrap();
            let late = ("10:00", "T3", 4.0);
            bench.insert(&[late]);
            let report = worker.cycle(|| false).await.unwrap();
            assert_eq!((report.rows, report.counts.judged), (1, 1), "{layout:?}, `{reach}`: {report:?}");
            assert_eq!(seen(&bench.state().await.unwrap()), shown, "{layout:?}, `{reach}`");
            let mut all = rows.to_vec();
            all.push(late);
            assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}, `{reach}`");
        }
    }
}

/// A reading that comes late to a table without a key is counted nowhere, but it does not make the
/// detector trap in each cycle.
#[tokio::test]
async fn a_late_reading_that_the_detector_does_not_survive_is_shown_once() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(detector(&told("trap", "T2")).await);
        bench.insert(&[("10:00", "T1", 1.0)]);
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("09:30", "T2", 2.0), ("09:30", "T1", 3.0)]);
        worker.cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&[("09:30", "T1", 3.0), ("10:00", "T1", 1.0)]), "{layout:?}");
        let aside = bench.state().await.unwrap().set_aside["T2"].clone();
        assert_eq!((aside.quarantined, aside.first), (true, datetime("09:30")), "{layout:?}");
        lines.take();
        worker.cycle(|| false).await.unwrap();
        assert_eq!(heard(&lines), ["INFO [cycle 3] checking for new data", "INFO no new data"], "{layout:?}");
    }
}

/// The number of calls of a search grows with the logarithm of the number of variables.
#[tokio::test]
async fn a_search_for_the_variable_at_fault_is_short() {
    let bench = Fixture::new(Layout::Keyed);
    let names: Vec<_> = (0..64).map(|number| format!("T{number:02}")).collect();
    let rows: Vec<_> = names.iter().map(|name| ("10:00", name.as_str(), 1.0)).collect();
    bench.insert(&rows);
    let (lines, _guard) = Lines::listen();
    let mut worker =
        bench.worker(Detector::open(&engine(), hostile(&told("trap", "T40"), &["*"]), None).await.unwrap());
    let report = worker.cycle(|| false).await.unwrap();
    assert_eq!(report.counts, Counts { judged: 63, set_aside: 1, ..Counts::default() });
    // Two tries of the whole, six halvings with two calls each, and the rest as one batch, each on
    // a fresh instance. One more was opened to see whether the set can be opened.
    let opened = lines.take().iter().filter(|line| line.contains("opened with 0 readings")).count();
    assert_eq!(opened, 1 + 2 + 12 + 1, "instances were opened");
}

/// If only the machine was busy, a variable must not stay unjudged for ever: it is tried again,
/// alone, after pauses that grow.
#[tokio::test]
async fn what_was_set_aside_by_a_deadline_is_tried_again_after_a_while() {
    // Without a key the readings of the allowed lateness are shown again with the new ones.
    for layout in [Layout::Keyed] {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(detector(r#"{"do": "spin-below-zero"}"#).await);
        bench.insert(&[("10:00", "T1", 1.0), ("10:00", "T2", -1.0)]);
        worker.cycle(|| false).await.unwrap();
        let mut pause = 900;
        for (now, reading, tried, judged) in [
            ("12:14", ("12:14", "T2", -2.0), false, false),
            ("12:15", ("12:15", "T2", -3.0), true, false),
            ("12:44", ("12:44", "T2", 4.0), false, false),
            ("12:45", ("12:45", "T2", 5.0), true, true),
            ("12:46", ("12:46", "T2", 6.0), false, true),
        ] {
            bench.now(now);
            bench.insert(&[reading, (now, "T1", 7.0)]);
            lines.take();
            let counts = worker.cycle(|| false).await.unwrap().counts;
            let there = |(ds, variable, _): &(String, String, f64)| {
                *ds == tests::fixture::at(now) && variable == "T2"
            };
            assert_eq!(bench.verdicts().iter().any(there), judged, "{layout:?} {now}: {counts:?}");
            let said = lines.take();
            assert!(!said.iter().any(|line| line.contains("are looked for")), "{layout:?} {now}: {said:#?}");
            let aside = &bench.state().await.unwrap().set_aside["T2"];
            assert_eq!(aside.quarantined, !judged, "{layout:?} {now}");
            if tried && !judged {
                pause *= 2;
            }
            let again = aside.again.as_ref().map(|again| again.pause_seconds);
            assert_eq!(again, (!judged).then_some(pause), "{layout:?} {now}");
        }
    }
}

/// The row is written with each commit, so that it must not grow with a guest's messages about each
/// variable.
#[tokio::test]
async fn the_state_row_stays_small_however_many_variables_fail() {
    let bench = Fixture::new(Layout::Keyed);
    let names: Vec<_> = (0..500).map(|number| format!("T{number:03}")).collect();
    let rows: Vec<_> = names.iter().map(|name| ("10:00", name.as_str(), 1.0)).collect();
    bench.insert(&rows);
    bench.worker(detector(r#"{"do": "fail-at-some-length"}"#).await).cycle(|| false).await.unwrap();
    let state = bench.state().await.unwrap();
    let reasons: Vec<_> = state.set_aside.values().map(|aside| aside.reason.len()).collect();
    assert_eq!(reasons, vec![130; 500]);
}

/// Only the service can begin a line of its log.
#[tokio::test]
async fn what_a_detector_says_is_cleaned_where_it_comes_in() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&THREE[..1]);
    bench.worker(detector(r#"{"do": "forge"}"#).await).cycle(|| false).await.unwrap();
    let reason = &bench.state().await.unwrap().set_aside["T1"].reason;
    assert_eq!(reason, r"gone\r\n2025-01-15 - ERROR - forged \u{1b}[2J\u{202e}");
}
