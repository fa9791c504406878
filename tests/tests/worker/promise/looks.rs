//! What a look for unjudged readings finds, and what it says of readings that could not be judged.

use std::time::Duration;

use host::counts::Counts;
use host::detector::Detector;
use host::reconciliation::Causes;
use host::worker::{CycleError, Slice};
use tests::fixture::{Fixture, Layout, counted, described, echo, hostile, open_set, told, verdicts};

use super::{look, look_now, row};

/// By a worker that has just started, whether or not a look is due.
async fn look_anew(bench: &Fixture, detector: Detector) -> host::reconciliation::Look {
    let mut worker = bench.worker(detector);
    worker.begin_look().await.unwrap();
    look_now(&mut worker).await
}

/// An insert that stayed open for longer than `settle`.
#[tokio::test]
async fn a_row_that_is_committed_after_its_gap_was_given_up_is_late() {
    let bench = Fixture::new(Layout::Keyed);
    row(&bench, 1, "11:40", "1");
    row(&bench, 3, "11:50", "2");
    let mut worker = bench.worker(echo().await);
    worker.cycle(|| false).await.unwrap();
    assert_eq!(look(&mut worker).await.found, Causes::default());
    bench.now("12:25");
    worker.cycle(|| false).await.unwrap();
    row(&bench, 2, "11:45", "3");
    assert_eq!(worker.cycle(|| false).await.unwrap().rows, 0, "nobody waits for it");
    bench.now("13:05");
    worker.cycle(|| false).await.unwrap();
    let found = look(&mut worker).await;
    assert_eq!((found.found, found.unjudged), (Causes { late: 1, ..Causes::default() }, 0));
    let expected = [("11:40", "T1", 1.0), ("11:45", "T1", 3.0), ("11:50", "T1", 2.0)];
    assert_eq!(bench.verdicts(), verdicts(&expected));
}

/// A detector with a lookback is given the readings that it asks for before it judges, in a look as
/// in a cycle.
#[tokio::test]
async fn a_detector_that_looks_back_is_shown_its_lookback_before_it_judges() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[
        ("11:10", "T1", 1.0),
        ("11:15", "T2", 2.0),
        ("11:30", "T1", f64::NAN),
        ("11:40", "T2", 4.0),
    ]);
    let plain = open_set(told(described(0, Duration::ZERO), "{}")).await;
    bench.worker(plain).cycle(|| false).await.unwrap();
    bench.execute("UPDATE datos_proceso SET value = 3 WHERE value IS NULL");
    let looks_back = open_set(told(described(7, Duration::from_secs(3600)), "{}")).await;
    let found = look_anew(&bench, looks_back).await;
    assert_eq!(found.found, Causes { changed: 1, ..Causes::default() });
    let seen = counted(&bench.state().await.unwrap().checkpoint.unwrap());
    assert_eq!(seen, 5, "the four of the last hour, and the one that is judged");
}

/// A reading leaves the count of those without a model when its variable has got one.
#[tokio::test]
async fn what_is_judged_later_is_counted_under_that_alone() {
    for layout in Layout::BOTH {
        for by_look in [true, false] {
            if !by_look && layout == Layout::Keyed {
                // With a key no cycle reads a row twice.
                continue;
            }
            let bench = Fixture::new(layout);
            bench.insert(&[("11:30", "T1", 1.0), ("11:30", "T2", 2.0), ("11:40", "T2", 3.0)]);
            let models = |models: &'static [&'static str]| open_set(hostile("{}", models));
            bench.worker(models(&["T1"]).await).cycle(|| false).await.unwrap();
            let before = Counts { judged: 1, no_model: 2, ..Counts::default() };
            assert_eq!(bench.state().await.unwrap().counts, before, "{layout:?}");
            let both = models(&["T1", "T2"]).await;
            if by_look {
                assert_eq!(look_anew(&bench, both).await.found.total(), 2, "{layout:?}");
            } else {
                bench.worker(both).cycle(|| false).await.unwrap();
            }
            let state = bench.state().await.unwrap();
            let after = Counts { judged: 3, ..Counts::default() };
            assert_eq!(state.counts, after, "{layout:?}, by a look: {by_look}");
            assert!(state.reconciliation.without_model.is_empty());
        }
    }
}

/// A trigger of the output removes a row without an error. The look tries once more, and says so.
#[tokio::test]
async fn what_has_no_verdict_after_it_was_judged_is_unjudged() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("11:30", "T1", 1.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.execute(
            "CREATE TRIGGER takes BEFORE INSERT ON anomalies_detector WHEN NEW.variable = 'T2' \
             BEGIN SELECT RAISE(IGNORE); END",
        );
        bench.insert(&[("11:40", "T2", 2.0), ("11:41", "T1", 3.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        let seen = look_anew(&bench, echo().await).await;
        assert_eq!((seen.unjudged, seen.found.total(), seen.rows.judged), (1, 0, 2), "{layout:?}");
        let state = bench.state().await.unwrap();
        assert_eq!(state.reconciliation.unjudged(), Some(1), "{layout:?}: what `status` shows");
        assert_eq!(state.counts.judged, 2, "{layout:?}");
        bench.execute("DROP TRIGGER takes");
        let seen = look_anew(&bench, echo().await).await;
        assert_eq!((seen.unjudged, seen.found.total(), seen.rows.judged), (0, 1, 3), "{layout:?}");
    }
}

/// A detector that judges nothing does not make what was found go away.
#[tokio::test]
async fn what_the_detector_fails_at_stays_unjudged_and_is_said() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[("11:30", "T1", f64::NAN), ("11:40", "T1", 1.0)]);
    bench.worker(echo().await).cycle(|| false).await.unwrap();
    bench.execute("UPDATE datos_proceso SET value = 2 WHERE value IS NULL");
    let broken = open_set(hostile(r#"{"do": "trap"}"#, &["*"])).await;
    let mut worker = bench.worker(broken);
    worker.begin_look().await.unwrap();
    let error = loop {
        match worker.look().await {
            Ok(Slice::More) => {}
            ended => break ended.unwrap_err(),
        }
    };
    assert!(matches!(error, CycleError::Detector { .. }), "{error}");
    drop(worker);
    let looks = bench.state().await.unwrap().reconciliation;
    assert_eq!((looks.unjudged(), looks.failed.map(|failed| failed.readings)), (Some(1), Some(1)));
    let seen = look_anew(&bench, echo().await).await;
    assert_eq!((seen.unjudged, seen.found.total()), (0, 1));
    let looks = bench.state().await.unwrap().reconciliation;
    assert_eq!((looks.unjudged(), looks.failed), (Some(0), None));
}
