//! Backfill beside a worker: what it clears in the worker's row, what it leaves there, and that
//! nothing is lost with a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use host::counts::Counts;
use host::detector::Detector;
use host::state::State;
use host::store::{Connector, ErrorKind, StoreError};
use host::worker::backfill::{Backfill, BackfillPlan, SetAsideOutcome};
use tests::fixture::{Fixture, Layout, WORKER, counted, datetime, hostile, open_set, verdicts};
use tests::intercept::{Action, Call, Intercepted};

const THREE: [(&str, &str, f64); 6] = [
    ("10:00", "T1", 1.0),
    ("10:00", "T2", 2.0),
    ("10:00", "T3", 3.0),
    ("10:05", "T1", 4.0),
    ("10:05", "T2", 5.0),
    ("10:05", "T3", 6.0),
];

const TRAP: &str = r#"{"do": "trap", "to": "T2"}"#;

async fn detector(settings: &str) -> Detector {
    open_set(hostile(settings, &["*"])).await
}

fn plan(from: &str, to: &str) -> BackfillPlan {
    BackfillPlan {
        worker: WORKER.into(),
        shard: None,
        from: datetime(from),
        to: datetime(to),
        variables: None,
        replace: false,
        rules: Default::default(),
        batch_rows: 4000,
    }
}

/// Runs a backfill to its end.
async fn backfill(
    store: &dyn Connector,
    plan: &BackfillPlan,
    detector: &mut Detector,
) -> (Counts, SetAsideOutcome) {
    let mut backfill = Backfill::begin(plan, store, detector).await.unwrap();
    while backfill.step(detector).await.unwrap() {}
    let counts = backfill.progress().counts;
    (counts, backfill.finish().await.unwrap())
}

/// The row in which a backfill keeps its progress.
async fn progress(bench: &Fixture, plan: &BackfillPlan) -> Option<State> {
    let (_, mut output) = bench.store.open().await.unwrap();
    output.peek(&plan.name()).await.unwrap()
}

/// A running worker takes the change over, and neither loses its name.
#[tokio::test]
async fn a_variable_is_set_aside_no_longer_once_its_readings_are_judged() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&THREE);
        let mut worker = bench.worker(detector(TRAP).await);
        worker.cycle(|| false).await.unwrap();
        let before = bench.state().await.unwrap();
        assert!(before.set_aside["T2"].quarantined, "{layout:?}");

        let mut honest = detector("{}").await;
        let (counts, asides) = backfill(&bench.store, &plan("10:00", "11:00"), &mut honest).await;
        assert_eq!(counts, Counts { judged: 2, already_judged: 4, ..Counts::default() }, "{layout:?}");
        assert_eq!(
            asides,
            SetAsideOutcome { cleared: vec!["T2".into()], ..SetAsideOutcome::default() },
            "{layout:?}"
        );
        assert_eq!(bench.verdicts(), verdicts(&THREE), "{layout:?}");
        let cleared = State { set_aside: Default::default(), ..before };
        assert_eq!(bench.state().await.unwrap(), cleared, "{layout:?}: nothing else was touched");
        assert_eq!(progress(&bench, &plan("10:00", "11:00")).await, None, "{layout:?}");

        bench.insert(&[("10:10", "T1", 7.0)]);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, 1, "{layout:?}");
        let after = bench.state().await.unwrap();
        assert_eq!((after.set_aside.len(), after.epoch), (0, cleared.epoch), "{layout:?}");
        // The variable is given to the detector again, and set aside again if that fails.
        bench.insert(&[("10:15", "T2", 8.0)]);
        worker.cycle(|| false).await.unwrap();
        assert_eq!(bench.state().await.unwrap().set_aside["T2"].readings, 1, "{layout:?}");
    }
}

#[tokio::test]
async fn what_was_not_judged_stays_set_aside() {
    for (why, settings, from, only, failed, left) in [
        ("it fails here too", TRAP, "10:00", None, true, false),
        ("a part of it lies before the range", "{}", "10:05", None, false, true),
        ("it was not asked for", "{}", "10:00", Some("T1"), false, false),
    ] {
        let bench = Fixture::new(Layout::Keyed);
        bench.insert(&THREE);
        bench.worker(detector(TRAP).await).cycle(|| false).await.unwrap();
        let before = bench.state().await.unwrap();
        let variables = only.map(|name: &str| [Arc::from(name)].into());
        let plan = BackfillPlan { variables, ..plan(from, "11:00") };
        let (_, asides) = backfill(&bench.store, &plan, &mut detector(settings).await).await;
        let names = |asides: &[(Arc<str>, _)]| asides.len() == 1 && &*asides[0].0 == "T2";
        assert_eq!(
            (asides.cleared.len(), names(&asides.failed), names(&asides.left)),
            (0, failed, left),
            "{why}"
        );
        assert_eq!(bench.state().await.unwrap(), before, "{why}");
    }
}

/// A commit whose answer is lost may have been done or not. In either case each reading is judged
/// once, and the detector sees it once.
#[tokio::test]
async fn a_connection_that_is_lost_at_a_commit_costs_nothing() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&THREE);
        let plan = BackfillPlan { batch_rows: 4, ..plan("10:00", "11:00") };
        let mut commits = 0;
        let store = Intercepted::new(&bench.store, move |call| {
            commits += usize::from(matches!(call, Call::Commit(_)));
            match (call, commits) {
                (Call::Commit(_), 2) => {
                    Action::Fail(StoreError::new(ErrorKind::Connection, "the server has gone away"))
                }
                _ => Action::Go,
            }
        });
        let mut detector = detector("{}").await;
        let mut first = Backfill::begin(&plan, &store, &mut detector).await.unwrap();
        assert_eq!((first.resumed(), first.progress().of), (false, 6), "{layout:?}");
        assert!(first.step(&mut detector).await.unwrap(), "{layout:?}");
        first.step(&mut detector).await.unwrap_err();
        let mut second = Backfill::begin(&plan, &store, &mut detector).await.unwrap();
        assert_eq!((second.resumed(), second.progress().of), (true, 3), "{layout:?}");
        assert!(!second.step(&mut detector).await.unwrap(), "{layout:?}");
        assert_eq!(second.progress().counts, Counts { judged: 6, ..Counts::default() }, "{layout:?}");
        let kept = progress(&bench, &plan).await.unwrap().checkpoint.unwrap();
        assert_eq!(counted(&kept), 6, "{layout:?}: the detector saw each reading once");
        second.finish().await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&THREE), "{layout:?}");
        assert_eq!(progress(&bench, &plan).await, None, "{layout:?}");
    }
}

/// The next page is read while a batch is stored. If it cannot be read, the batch is stored all the
/// same.
#[tokio::test]
async fn a_page_that_cannot_be_read_costs_the_batch_before_it_nothing() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&THREE);
    let plan = BackfillPlan { batch_rows: 4, ..plan("10:00", "11:00") };
    let reads = Arc::new(AtomicUsize::new(0));
    let read = Arc::clone(&reads);
    let store = Intercepted::new(&bench.store, move |call| match call {
        Call::Read(_) if read.fetch_add(1, Ordering::Relaxed) > 0 => {
            Action::Fail(StoreError::new(ErrorKind::Connection, "the server has gone away"))
        }
        _ => Action::Go,
    });
    let mut detector = detector("{}").await;
    let mut first = Backfill::begin(&plan, &store, &mut detector).await.unwrap();
    reads.store(0, Ordering::Relaxed);
    assert!(first.step(&mut detector).await.unwrap());
    first.step(&mut detector).await.unwrap_err();
    assert_eq!(bench.verdicts(), verdicts(&THREE[..3]));
    let (counts, _) = backfill(&bench.store, &plan, &mut detector).await;
    assert_eq!(counts, Counts { judged: 6, ..Counts::default() });
    assert_eq!(bench.verdicts(), verdicts(&THREE));
}

/// The same backfill twice at once: the second has the name, and the first writes nothing more.
#[tokio::test]
async fn of_the_same_backfill_only_one_is_at_work() {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&THREE);
    let plan = BackfillPlan { batch_rows: 4, ..plan("10:00", "11:00") };
    let (mut one, mut other) = (detector("{}").await, detector("{}").await);
    let mut first = Backfill::begin(&plan, &bench.store, &mut one).await.unwrap();
    first.step(&mut one).await.unwrap();
    let mut second = Backfill::begin(&plan, &bench.store, &mut other).await.unwrap();
    assert!(first.step(&mut one).await.unwrap_err().is_fenced());
    while second.step(&mut other).await.unwrap() {}
    second.finish().await.unwrap();
    assert_eq!(bench.verdicts(), verdicts(&THREE));
}

/// A reading that came too late for the worker, of whatever age.
#[tokio::test]
async fn what_came_too_late_is_judged() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&THREE);
        let mut worker = bench.worker(detector("{}").await);
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("10 09:00", "T1", 9.0)]);
        worker.cycle(|| false).await.unwrap();
        let before = bench.state().await.unwrap();
        let (counts, _) = backfill(&bench.store, &plan("01 00:00", "11:00"), &mut detector("{}").await).await;
        assert_eq!(counts, Counts { judged: 1, already_judged: 6, ..Counts::default() }, "{layout:?}");
        let mut all = THREE.to_vec();
        all.push(("10 09:00", "T1", 9.0));
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
        assert_eq!(bench.state().await.unwrap(), before, "{layout:?}: the worker's row is its own");
    }
}

/// A detector that wants whole instants gets them, and judges only what was asked for.
#[tokio::test]
async fn the_other_variables_come_for_company_only() {
    for (reach, shown) in [("", 2), ("whole-instants", 6)] {
        for replace in [false, true] {
            let bench = Fixture::new(Layout::Keyed);
            bench.insert(&THREE);
            let plan =
                BackfillPlan { variables: Some(["T2".into()].into()), replace, ..plan("10:00", "11:00") };
            let mut detector = detector(&format!(r#"{{"do": "{reach}"}}"#)).await;
            let mut run = Backfill::begin(&plan, &bench.store, &mut detector).await.unwrap();
            assert!(!run.step(&mut detector).await.unwrap());
            let kept = progress(&bench, &plan).await.unwrap().checkpoint.unwrap();
            assert_eq!(counted(&kept), shown, "`{reach}`");
            run.finish().await.unwrap();
            let asked: Vec<_> = THREE.into_iter().filter(|(_, variable, _)| *variable == "T2").collect();
            assert_eq!(bench.verdicts(), verdicts(&asked), "`{reach}`");
        }
    }
}

/// Memory does not grow with the range: pages are of the size that was asked for, and cut between
/// datetimes.
#[tokio::test]
async fn a_long_range_is_read_in_pages() {
    let bench = Fixture::new(Layout::Keyed);
    let times: Vec<String> = (0..600).map(|n| format!("{:02}:{:02}", n / 60, n % 60)).collect();
    let rows: Vec<_> =
        times.iter().flat_map(|time| ["T1", "T2", "T3"].map(|name| (time.as_str(), name, 1.0))).collect();
    bench.insert(&rows);
    let store = Intercepted::new(&bench.store, |_| Action::Go);
    let plan = BackfillPlan { batch_rows: 50, ..plan("00:00", "12:00") };
    let (counts, _) = backfill(&store, &plan, &mut detector("{}").await).await;
    assert_eq!(counts.judged, 1800);
    assert_eq!(bench.verdicts(), verdicts(&rows));
    assert!(store.largest_page() <= 50, "{}", store.largest_page());
    let commits = store.calls().into_iter().filter_map(|call| match call {
        Call::Commit(verdicts) => Some(verdicts),
        _ => None,
    });
    assert!(
        commits.clone().all(|verdicts| verdicts <= 50 && verdicts % 3 == 0),
        "{:?}",
        commits.collect::<Vec<_>>()
    );
}
