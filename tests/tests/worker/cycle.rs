//! Promise 1, each reading is judged once: the whole cycle on real files with a real sandbox. Where
//! the judging is not tested, the detector expects just what it reads, so that the verdict shows by
//! `y` which reading it is for.

use std::time::Duration;

use host::counts::Counts;
use host::position::Position;
use host::worker::CycleReport;
use tests::fixture::{Fixture, Layout, at, counted, datetime, echo, hostile, open_set, verdicts};
use tests::intercept::{Action, Call, Intercepted};
use tests::logs::{Lines, masked};

/// What a cycle of one batch reports.
fn one_batch(rows: u64, counts: Counts) -> CycleReport {
    CycleReport { batches: 1, rows, counts, stopped: false }
}

fn judged(number: u64) -> Counts {
    Counts { judged: number, ..Counts::default() }
}

#[tokio::test]
async fn a_first_start_looks_a_day_back() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("14 11:59", "T1", 1.0), ("14 12:00", "T1", 2.0), ("11:55", "T1", 3.0)]);
        let mut worker = bench.worker(echo().await);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report, one_batch(2, judged(2)), "{layout:?}");
        assert_eq!(
            bench.verdicts(),
            verdicts(&[("14 12:00", "T1", 2.0), ("11:55", "T1", 3.0)]),
            "{layout:?}"
        );
        let state = bench.state().await.unwrap();
        assert_eq!(state.watermark, Some(datetime("11:55")), "{layout:?}");
        assert_eq!(state.counts, judged(2), "{layout:?}");
        assert_eq!(state.set_digest.as_ref(), Some(&worker.detector().set().digest), "{layout:?}");
        assert_eq!(state.position.since(), datetime("14 12:00"), "{layout:?}");
    }
}

#[tokio::test]
async fn a_cycle_is_told_in_the_lines_that_people_know() {
    let (lines, _guard) = Lines::listen();
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[("11:50", "T1", 1.0), ("11:50", "T2", 2.0), ("11:55", "T1", 3.0), ("11:55", "X", 4.0)]);
    let mut worker = bench.worker(open_set(hostile("{}", &["T1", "T2", "T3"])).await);
    lines.take();
    worker.cycle(|| false).await.unwrap();
    worker.cycle(|| false).await.unwrap();
    let said: Vec<_> = lines.take().iter().map(|line| masked(line)).collect();
    assert_eq!(
        said,
        [
            "INFO created table `anomalies_detector`, table `anomaly_worker_state`, table `anomaly_worker_state_checkpoint`, unique index on (variable, ds), index on ds, \
             index on (variable, ds, y), index on (is_anomaly, ds, variable), index on processed_at, table `anomaly_worker_episodes`, table `anomaly_worker_outbox`",
            "INFO nothing was processed before; readings from 2025-01-14 12:00:00 on are judged",
            "INFO [cycle 1] checking for new data",
            "INFO detector: opened with 0 readings behind it",
            "INFO 4 rows found: 2 datetimes, 3 variables, 2 of 3 models apply",
            "INFO judged 2 datetimes, 0 anomalies (total 0) in # ms",
            "WARN no model for `X`: readings pass unjudged until there is one",
            "INFO not judged: 1 without a model",
            "INFO [cycle 2] checking for new data",
            "INFO no new data",
        ]
    );
}

/// It continues where the Python worker stopped: from MAX(ds) of its table, also if that has
/// duplicates.
#[tokio::test]
async fn a_first_start_goes_on_from_the_python_workers_output() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        bench.python_output(&[("09:55", "T1", 1.0), ("09:55", "T1", 1.0), ("10:00", "T1", 2.0)]);
        bench.insert(&[
            ("08:55", "T1", 0.0),
            ("09:55", "T1", 1.0),
            ("09:55", "T2", 1.5),
            ("10:00", "T1", 2.0),
            ("10:05", "T1", 3.0),
        ]);
        let mut worker = bench.worker(echo().await);
        let report = worker.cycle(|| false).await.unwrap();
        // Without a key, rows behind the watermark that have a verdict cannot be distinguished from
        // those of earlier cycles.
        let (rows, before) = if layout == Layout::Keyed { (4, 2) } else { (2, 0) };
        let counts = Counts { judged: 2, already_judged: before, ..Counts::default() };
        assert_eq!(report, one_batch(rows, counts), "{layout:?}");
        assert_eq!(
            bench.verdicts(),
            verdicts(&[
                ("09:55", "T1", 1.0),
                ("09:55", "T1", 1.0),
                ("09:55", "T2", 1.5),
                ("10:00", "T1", 2.0),
                ("10:05", "T1", 3.0)
            ]),
            "{layout:?}"
        );
        let said = lines.take();
        assert!(said.contains(&"INFO last processed datetime: 2025-01-15 10:00:00".to_owned()), "{said:?}");
        assert!(
            said.iter().any(|line| line.contains("so it gets no unique index")
                && line.ends_with("FROM \"anomalies_detector\" GROUP BY ds, variable HAVING COUNT(*) > 1;")),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_restart_goes_on_from_the_state_row() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        let before = bench.state().await.unwrap();
        bench.insert(&[("10:10", "T1", 3.0)]);
        let report = bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(report, one_batch(1, judged(1)), "{layout:?}");
        assert_eq!(
            bench.verdicts(),
            verdicts(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0), ("10:10", "T1", 3.0)]),
            "{layout:?}"
        );
        let after = bench.state().await.unwrap();
        assert_eq!(after.epoch, before.epoch + 1, "{layout:?}");
        assert_eq!(after.counts, judged(3), "{layout:?}");
        assert_eq!(after.checkpoint.as_ref().map(counted), Some(3), "{layout:?}: the detector saw three");
    }
}

#[tokio::test]
async fn late_rows_are_judged_and_those_too_late_are_counted() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(echo().await);
        bench.insert(&[("10:00", "T1", 1.0)]);
        worker.cycle(|| false).await.unwrap();
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("09:00", "T1", 2.0), ("08:59", "T1", 3.0), ("08:59", "T2", 4.0)]);
        lines.take();
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 1, too_late: 2, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("09:00", "T1", 2.0), ("10:00", "T1", 1.0)]), "{layout:?}");
        let said = lines.take();
        let expected = "INFO not judged: 2 too late, left to `backfill`".to_owned();
        assert!(said.contains(&expected), "{layout:?}: {said:?}");
        worker.cycle(|| false).await.unwrap();
        let state = bench.state().await.unwrap();
        assert_eq!(state.watermark, Some(datetime("10:00")), "{layout:?}: it never goes back");
        if layout == Layout::Keyed {
            assert_eq!(state.counts, Counts { judged: 2, too_late: 2, ..Counts::default() });
        }
    }
}

/// Rows are not committed in the order of their keys. An id that was missing is looked for again
/// until it is older than the settle time.
#[tokio::test]
async fn a_row_committed_out_of_key_order_is_judged() {
    let bench = Fixture::new(Layout::Keyed);
    let mut worker = bench.worker(echo().await);
    let row = |id: i64, short: &str| {
        let ds = at(short);
        bench.execute(&format!(
            "INSERT INTO datos_proceso (id, datetime, variable_name, value) VALUES ({id}, '{ds}', 'T1', {id})"
        ));
    };
    row(1, "11:00");
    row(4, "11:15");
    worker.cycle(|| false).await.unwrap();
    row(3, "11:10");
    bench.now("12:10");
    assert_eq!(worker.cycle(|| false).await.unwrap(), one_batch(1, judged(1)));
    assert_eq!(
        bench.verdicts(),
        verdicts(&[("11:00", "T1", 1.0), ("11:10", "T1", 3.0), ("11:15", "T1", 4.0)])
    );
    // Id 2 never came: it was rolled back. Twenty minutes later it is looked for a last time.
    bench.now("12:20");
    row(2, "11:05");
    assert_eq!(worker.cycle(|| false).await.unwrap(), one_batch(1, judged(1)));
    row(6, "11:20");
    worker.cycle(|| false).await.unwrap();
    bench.now("12:40");
    row(7, "11:25");
    worker.cycle(|| false).await.unwrap();
    let Position::Key(position) = bench.state().await.unwrap().position else { unreachable!() };
    assert_eq!((position.scanned, position.gaps), (7, vec![]), "a gap is given up");
}

#[tokio::test]
async fn nulls_and_duplicates_are_counted_and_the_first_by_id_wins() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[
            ("10:00", "T1", 1.0),
            ("10:00", "T1", 2.0),
            ("10:00", "T2", f64::NAN),
            ("10:00", "T2", 3.0),
            ("10:00", "T1", 4.0),
        ]);
        let mut worker = bench.worker(echo().await);
        let report = worker.cycle(|| false).await.unwrap();
        let counts = Counts { judged: 2, nulls: 1, duplicates: 2, ..Counts::default() };
        assert_eq!(report, one_batch(5, counts), "{layout:?}");
        let expected = verdicts(&[("10:00", "T1", 1.0), ("10:00", "T2", 3.0)]);
        assert_eq!(bench.verdicts(), expected, "{layout:?}");
        assert_eq!(bench.state().await.unwrap().counts, counts, "{layout:?}");
        // The same hour again, as in autumn.
        bench.insert(&[("10:00", "T1", 9.0)]);
        let again = worker.cycle(|| false).await.unwrap();
        if layout == Layout::Keyed {
            assert_eq!(again, one_batch(1, Counts { already_judged: 1, ..Counts::default() }));
        }
        assert_eq!(bench.verdicts(), expected, "{layout:?}");
    }
}

#[tokio::test]
async fn a_batch_of_unknown_variables_moves_the_watermark() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(open_set(hostile("{}", &["T1"])).await);
        bench.insert(&[("10:00", "X", 1.0), ("10:05", "Y", 2.0)]);
        let report = worker.cycle(|| false).await.unwrap();
        let counts = Counts { no_model: 2, ..Counts::default() };
        assert_eq!(report, one_batch(2, counts), "{layout:?}");
        let state = bench.state().await.unwrap();
        assert_eq!((state.watermark, state.counts), (Some(datetime("10:05")), counts), "{layout:?}");
        let again = worker.cycle(|| false).await.unwrap();
        assert_eq!((again.rows, again.counts), (0, Counts::default()), "{layout:?}");
    }
}

#[tokio::test]
async fn fractions_of_a_second_are_judged_once() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00:00.503", "T1", 1.0), ("10:00:00", "T1", 2.0)]);
        for cycle in 0..4 {
            let mut worker = bench.worker(echo().await);
            let report = worker.cycle(|| false).await.unwrap();
            let expected = if cycle == 0 { 2 } else { 0 };
            assert_eq!(report.counts.judged, expected, "{layout:?}, cycle {cycle}");
        }
        let expected = verdicts(&[("10:00", "T1", 2.0), ("10:00:00.503", "T1", 1.0)]);
        assert_eq!(bench.verdicts(), expected, "{layout:?}");
    }
}

/// Memory does not grow with the backlog: no read asks for more than a batch, and none brings more.
#[tokio::test]
async fn a_backlog_is_worked_off_in_bounded_batches() {
    const VARIABLES: usize = 25;
    const DATETIMES: usize = 2000;
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        bench.settings.batch_rows = 1000;
        bench.settings.initial_lookback = Duration::from_secs(30 * 24 * 3600);
        bench.execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {}) \
             INSERT INTO datos_proceso (datetime, variable_name, value) \
             SELECT datetime('2025-01-01', (i / {VARIABLES}) || ' minutes'), 'T' || (i % {VARIABLES}), i FROM n",
            VARIABLES * DATETIMES
        ));
        let store = Intercepted::new(&bench.store, |_| Action::Go);
        let mut worker = bench.worker_over(store.clone(), echo().await);
        let report = worker.cycle(|| false).await.unwrap();
        let all = (VARIABLES * DATETIMES) as u64;
        assert_eq!((report.rows, report.counts), (all, judged(all)), "{layout:?}");
        assert!(report.batches >= 50, "{layout:?}: {report:?}");
        // Before the first commit the ids just below the first are looked at once.
        for call in store.calls().into_iter().skip_while(|call| *call != Call::Commit(0)) {
            assert!(!matches!(call, Call::Read(limit) if limit > 1000), "{layout:?}: {call:?}");
            assert!(!matches!(call, Call::Commit(verdicts) if verdicts > 1000), "{layout:?}: {call:?}");
        }
        assert!(store.largest_page() <= 1000, "{layout:?}: {}", store.largest_page());
        let sql = "SELECT count(*), count(DISTINCT variable || ds), sum(y) FROM anomalies_detector";
        let found: (i64, i64, f64) =
            bench.output().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let all = all as i64;
        assert_eq!(found, (all, all, (all * (all - 1) / 2) as f64), "{layout:?}");
    }
}

#[tokio::test]
async fn a_stop_between_two_batches_loses_nothing() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        bench.settings.batch_rows = 2;
        let rows = [("10:00", "T1", 1.0), ("10:05", "T1", 2.0), ("10:10", "T1", 3.0), ("10:15", "T1", 4.0)];
        bench.insert(&rows);
        let report = bench.worker(echo().await).cycle(|| true).await.unwrap();
        assert_eq!((report.batches, report.stopped), (1, true), "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&rows[..1]), "{layout:?}");
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&rows), "{layout:?}");
        assert_eq!(bench.state().await.unwrap().counts, judged(4), "{layout:?}");
    }
}

#[tokio::test]
async fn what_fits_no_column_is_one_logged_reading() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let long = "x".repeat(101);
        bench.insert(&[
            ("10:00", "T1", 1e12),
            ("10:00", "T2", f64::INFINITY),
            ("10:00", &long, 1.0),
            ("10:00", "", 1.0),
            ("10:00", "T3", 5.0),
        ]);
        bench.execute(
            "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES \
             ('2025-01-15 10:00:00', 'T4', 'n/a'), ('2025-01-15 25:00:00', 'T5', 1)",
        );
        let report = bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(
            (report.counts.judged, report.counts.unfit, report.counts.malformed),
            (1, 4, 2),
            "{layout:?}: {report:?}"
        );
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T3", 5.0)]), "{layout:?}");
        let said: Vec<_> = lines.take().into_iter().filter(|line| line.contains(": ")).collect();
        for expected in [
            "WARN `T1` at 2025-01-15 10:00:00: 1e12 does not fit `y`, a DECIMAL(18,6): it must lie within 999999999999.999999",
            "WARN `T2` at 2025-01-15 10:00:00: inf does not fit `y`: it must be a finite number",
            &format!(
                "WARN `{}…` at 2025-01-15 10:00:00: the name has 101 characters; `variable` takes at most 100",
                &long[..100]
            ),
            "WARN `` at 2025-01-15 10:00:00: the name is empty; a variable needs one",
            "is no reading: value of `T4` is the text `n/a`; right would be a number",
            "is no reading: datetime is the text `2025-01-15 25:00:00`; right would be `2025-01-15 10:00:00`",
        ] {
            let times = said.iter().filter(|line| line.ends_with(expected)).count();
            assert_eq!(times, 1, "{layout:?}: {expected}\n{said:#?}");
        }
    }
}

/// A clock that goes back delays nothing, neither new rows nor late ones.
#[tokio::test]
async fn a_clock_set_back_loses_nothing() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(echo().await);
        bench.insert(&[("11:55", "T1", 1.0)]);
        worker.cycle(|| false).await.unwrap();
        bench.now("09:00");
        lines.take();
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("12:00", "T1", 2.0), ("11:00", "T1", 3.0)]);
        worker.cycle(|| false).await.unwrap();
        let expected = [("11:55", "T1", 1.0), ("12:00", "T1", 2.0), ("11:00", "T1", 3.0)];
        assert_eq!(bench.verdicts(), verdicts(&expected), "{layout:?}");
        let state = bench.state().await.unwrap();
        assert_eq!(
            (state.watermark, state.updated_at),
            (Some(datetime("11:55")), datetime("09:00")),
            "{layout:?}"
        );
        let said: Vec<_> =
            lines.take().into_iter().filter(|line| line.starts_with("WARN the database")).collect();
        let once = "WARN the database's clock says 2025-01-15 09:00:00, and said 2025-01-15 12:00:00 at the last commit: it was \
                    set back, or another database's; readings go by their own datetimes";
        assert_eq!(said, [once], "{layout:?}");
    }
}

/// One row dated years ahead moves the watermark there, and the readings of today are still judged.
#[tokio::test]
async fn a_row_dated_ahead_makes_no_other_too_late() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(echo().await);
        bench.execute("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2035-01-01 00:00:00', 'T1', 1)");
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("11:55", "T1", 2.0)]);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, 1, "{layout:?}: {report:?}");
    }
}
