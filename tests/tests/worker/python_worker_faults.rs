//! What the Python worker does wrong. There is a test for each fault, which fails if the fault is
//! there. The numbers are those of the list in the project's notes; faults of its configuration and
//! its file format (1, 2, 16) are not tested here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::counts::Counts;
use host::detector::{Detector, ModelFile, Module, Set};
use host::store::{ErrorKind, StoreError};
use host::worker::schedule::ScheduleEnd;
use rusqlite::Connection;
use tests::fixture::{
    Fixture, Layout, datetime, echo, engine, hostile, insert, open_set, oracle, prophet, prophet_models,
    verdicts,
};
use tests::intercept::{Action, Call, Intercepted};
use tests::logs::Lines;
use tests::schedule;
use tokio::time::Instant;

/// One of the oracle's batches, judged by Prophet in the sandbox.
async fn judged(batch: &str) -> Fixture {
    let bench = Fixture::new(Layout::Keyed);
    bench.now("11 01:00");
    bench.insert_csv(&oracle(batch));
    bench.worker(open_set(prophet("{}")).await).cycle(|| false).await.unwrap();
    bench
}

/// In the Python worker a batch with one datetime has no residual deviation: a spike of 50 sigma is
/// written with score 0.
#[tokio::test]
async fn fault_3_a_spike_in_a_batch_of_one_datetime_scores_100() {
    let flags = judged("one_datetime.input.csv").await.flags();
    let (spike, rest) = flags.split_first().unwrap();
    assert_eq!(spike, &("AGUA/FLOW 1".to_owned(), [true, true, true], 100.0));
    assert_eq!(rest.len(), 5);
    for (variable, flags, score) in rest {
        assert!(*flags == [false; 3] && *score < 40.0, "{variable}: {flags:?}, {score}");
    }
}

/// What Prophet itself expects of `TEMP-03` at the first datetimes of the oracle's batches.
fn expected(number: usize) -> Vec<(String, f64)> {
    let mut rows = csv::Reader::from_path(oracle("five_datetimes.expected.csv")).unwrap();
    let rows = rows.records().map(Result::unwrap).filter(|row| &row[10] == "TEMP-03").take(number);
    // `2025-01-11T00:05:00` is `11 00:05:00`.
    rows.map(|row| (row[0]["2025-01-".len()..].replace('T', " "), row[2].parse().unwrap())).collect()
}

/// Judges readings that lie so far above what is expected, where the model's own noise is 0.56.
async fn judged_above(offsets: &[f64]) -> Vec<(String, [bool; 3], f64)> {
    let bench = Fixture::new(Layout::Keyed);
    bench.now("11 01:00");
    for ((at, yhat), offset) in expected(offsets.len()).iter().zip(offsets) {
        bench.insert(&[(at, "TEMP-03", yhat + offset)]);
    }
    bench.worker(open_set(prophet("{}")).await).cycle(|| false).await.unwrap();
    let flags = bench.flags();
    assert_eq!(flags.len(), offsets.len());
    flags
}

/// Five readings with a harmless constant offset have deviation 0 there: all flagged, score 100.
#[tokio::test]
async fn fault_4_a_constant_offset_is_no_anomaly() {
    for (variable, flags, score) in judged_above(&[0.25; 5]).await {
        assert!(flags == [false; 3] && score < 10.0, "{variable}: {flags:?}, {score}");
    }
}

/// Two readings, both fine, are both flagged there.
#[tokio::test]
async fn fault_5_two_fine_readings_are_not_flagged() {
    for (variable, flags, score) in judged_above(&[0.50, 0.55]).await {
        assert!(flags == [false; 3] && score < 20.0, "{variable}: {flags:?}, {score}");
    }
}

/// Its bounds are random: the same reading flips between runs.
#[tokio::test]
async fn fault_6_bounds_do_not_depend_on_the_run_or_the_batch() {
    let mut seen = Vec::new();
    for batch_rows in [4000, 4000, 7] {
        let mut bench = Fixture::new(Layout::Keyed);
        bench.settings.batch_rows = batch_rows;
        bench.now("11 05:00");
        bench.insert_csv(&oracle("gaps.input.csv"));
        bench.worker(open_set(prophet("{}")).await).cycle(|| false).await.unwrap();
        let output = bench.output();
        let mut statement = output
            .prepare("SELECT ds, variable, yhat_lower, yhat_upper, anomaly_score FROM anomalies_detector ORDER BY 1, 2")
            .unwrap();
        type Row = (String, String, f64, f64, f64);
        let rows: Vec<Row> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows.len(), 308);
        seen.push(rows);
    }
    assert_eq!(seen[0], seen[1], "another run");
    assert_eq!(seen[0], seen[2], "smaller batches");
}

/// Its watermark, cut to seconds, selects a row at 10:00:00.503 again and again: four loops wrote
/// it four times.
#[tokio::test]
async fn fault_7_a_fraction_of_a_second_is_judged_once_in_four_cycles() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00:00.503", "T1", 1.0)]);
        let mut worker = bench.worker(echo().await);
        let mut judged = Vec::new();
        for _ in 0..4 {
            judged.push(worker.cycle(|| false).await.unwrap().counts.judged);
        }
        assert_eq!(judged, [1, 0, 0, 0], "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("10:00:00.503", "T1", 1.0)]), "{layout:?}");
        assert_eq!(bench.state().await.unwrap().watermark, Some(datetime("10:00:00.503")), "{layout:?}");
    }
}

/// After a batch its watermark becomes the input's maximum: rows committed meanwhile are skipped.
#[tokio::test]
async fn fault_8_rows_committed_while_a_batch_is_judged_are_not_skipped() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00", "T1", 1.0), ("10:10", "T1", 2.0)]);
        let file = bench.store.input.clone();
        let mut meanwhile = vec![[("10:05", "T1", 3.0), ("10:15", "T1", 4.0)]];
        let plant = move |call| {
            // The batch is judged now and is about to be stored.
            if matches!(call, Call::Commit(verdicts) if verdicts > 0)
                && let Some(rows) = meanwhile.pop()
            {
                insert(&Connection::open(&file).unwrap(), &rows);
            }
            Action::Go
        };
        let mut worker = bench.worker_over(Intercepted::new(&bench.store, plant), echo().await);
        worker.cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0), ("10:10", "T1", 2.0)]), "{layout:?}");
        worker.cycle(|| false).await.unwrap();
        let all = [("10:00", "T1", 1.0), ("10:05", "T1", 3.0), ("10:10", "T1", 2.0), ("10:15", "T1", 4.0)];
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
    }
}

/// Late rows are never judged there.
#[tokio::test]
async fn fault_9_late_rows_are_judged() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(echo().await);
        bench.insert(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]);
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("10:00", "T2", 3.0), ("09:10", "T1", 4.0)]);
        worker.cycle(|| false).await.unwrap();
        let all = [("09:10", "T1", 4.0), ("10:00", "T1", 1.0), ("10:00", "T2", 3.0), ("10:05", "T1", 2.0)];
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
    }
}

/// It never reconnects: a lost connection is reported as "no new data".
#[tokio::test(start_paused = true)]
async fn fault_10_a_lost_connection_is_said_and_opened_again() {
    let (lines, _guard) = Lines::listen();
    let mut bench = Fixture::new(Layout::Keyed);
    bench.store.output = bench.dir().join("results.sqlite");
    let (here, aside) = (bench.store.input.clone(), bench.dir().join("aside.sqlite"));
    let mut worker = bench.worker(echo().await);
    let plant = async {
        tokio::time::sleep(Duration::from_secs(700)).await;
        std::fs::rename(&here, &aside).unwrap();
        tokio::time::sleep(Duration::from_secs(1000)).await;
        std::fs::rename(&aside, &here).unwrap();
        bench.insert(&[("10:00", "T1", 1.0)]);
        // The database is out of reach for a quarter of an hour. The worker continues within a
        // minute after that, and not only at the next tick.
        tokio::time::sleep(Duration::from_secs(70)).await;
    };
    let end = schedule::run(&mut worker, Duration::from_secs(600), false, plant).await;
    assert!(matches!(end, ScheduleEnd::Stopped), "{end:?}");
    assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0)]));
    let said = lines.take();
    let count = |part: &str| said.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count("ERROR the database is out of reach, trying again until it is back: database `"), 1);
    assert_eq!(count("INFO the database is back after "), 1);
    assert_eq!(count("no new data"), 2, "at 0 and at 600 seconds: {said:#?}");
}

/// So is a failed write, retried for ever over a growing backlog.
#[tokio::test]
async fn fault_11_a_failed_write_is_an_error_and_the_backlog_stays_in_bounds() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let mut bench = Fixture::new(layout);
        bench.settings.batch_rows = 4;
        bench.insert(&[("10:00", "T1", 0.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        let mut failures = 3;
        let store = Intercepted::new(&bench.store, move |call| match call {
            Call::Commit(verdicts) if verdicts > 0 && failures > 0 => {
                failures -= 1;
                Action::Fail(StoreError::new(ErrorKind::Other, "the transaction log is full"))
            }
            _ => Action::Go,
        });
        let mut worker = bench.worker_over(store.clone(), echo().await);
        let mut all = vec![("10:00", "T1", 0.0)];
        let times = ["10:05", "10:10", "10:15", "10:20"];
        for (cycle, short) in times.into_iter().enumerate() {
            let rows = [(short, "T1", 1.0), (short, "T2", 2.0)];
            bench.insert(&rows);
            all.extend(rows);
            lines.take();
            store.calls();
            let ended = worker.cycle(|| false).await;
            if cycle < 3 {
                assert_eq!(ended.unwrap_err().to_string(), "the transaction log is full", "{layout:?}");
                assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 0.0)]), "{layout:?}");
                let reads = store.calls().into_iter().filter(|call| matches!(call, Call::Read(_)));
                assert_eq!(
                    reads.collect::<Vec<_>>(),
                    [Call::Read(4)],
                    "{layout:?}: one page, whatever waits"
                );
                let said = lines.take();
                assert!(!said.iter().any(|line| line.contains("no new data")), "{layout:?}: {said:?}");
            } else {
                assert_eq!(ended.unwrap().counts.judged, 8, "{layout:?}");
            }
        }
        assert_eq!(bench.verdicts(), verdicts(&all), "{layout:?}");
    }
}

/// A batch with only unknown variables never moves its watermark and grows without bound.
#[tokio::test]
async fn fault_12_unknown_variables_are_read_once() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(open_set(hostile("{}", &["T1"])).await);
        for (cycle, short) in ["10:00", "10:05", "10:10"].into_iter().enumerate() {
            bench.insert(&[(short, "X", 1.0), (short, "Y", 1.0)]);
            let report = worker.cycle(|| false).await.unwrap();
            let counts = Counts { no_model: 2, ..Counts::default() };
            assert_eq!((report.rows, report.counts), (2, counts), "{layout:?}, cycle {cycle}");
            assert_eq!(bench.state().await.unwrap().watermark, Some(datetime(short)), "{layout:?}");
        }
    }
}

/// Two variables `A/B` and `A_B` share one model file there: one is judged with the other's model.
#[tokio::test]
async fn fault_13_a_model_that_could_be_for_two_variables_is_refused_until_it_is_certain() {
    let model = |name: &str| std::fs::read(prophet_models().join(name)).unwrap();
    let files = vec![
        ModelFile { path: "prophet_model_A_B.json".into(), bytes: model("prophet_model_TEMP_03.json") },
        ModelFile { path: "prophet_model_second.json".into(), bytes: model("prophet_model_NIVEL_4.json") },
        ModelFile {
            path: "detector_config.json".into(),
            bytes: br#"{"variables": ["A/B", "A_B"]}"#.to_vec(),
        },
    ];
    let set = |settings: &str| {
        Arc::new(Set::new(Module::built_in(), files.clone(), "models".into(), settings.into()))
    };
    let refused = Detector::open(&engine(), set("{}"), None).await.err().map(|error| error.to_string());
    assert_eq!(
        refused.as_deref(),
        Some(
            "the detector refuses its models: the variables `A/B` and `A_B` have the same model file \
             `prophet_model_A_B.json`; rename one model and name its file in the setting `variables`"
        )
    );

    let certain = r#"{"rule": "interval", "variables": {"A_B": "prophet_model_second.json"}}"#;
    let bench = Fixture::new(Layout::Keyed);
    bench.now("11 01:00");
    bench.insert(&[("11 00:05", "A/B", 352.270825), ("11 00:05", "A_B", -12.924536)]);
    bench.worker(open_set(set(certain)).await).cycle(|| false).await.unwrap();
    for (variable, flags, score) in bench.flags() {
        assert!(flags == [false; 3] && score < 40.0, "`{variable}` is held against its own model: {score}");
    }
}

/// Duplicates and NULLs vanish there without a count.
#[tokio::test]
async fn fault_14_duplicates_and_nulls_are_counted() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00", "T1", 1.0), ("10:00", "T1", 2.0), ("10:00", "T2", f64::NAN)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        let counts = Counts { judged: 1, nulls: 1, duplicates: 1, ..Counts::default() };
        assert_eq!(bench.state().await.unwrap().counts, counts, "{layout:?}");
        let said = lines.take();
        assert!(said.contains(&"INFO not judged: 1 NULL, 1 duplicate".to_owned()), "{layout:?}: {said:?}");
    }
}

/// Without a key the rows within the allowed lateness are read again in each cycle. Those that are
/// no readings are still logged and counted once.
#[tokio::test]
async fn a_row_that_is_no_reading_is_counted_and_said_once() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        let mut worker = bench.worker(echo().await);
        bench.insert(&[("10:00", "T1", 1.0)]);
        bench.execute(
            "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2025-01-15 10:00:00', 'T2', 'n/a'), \
             ('yesterday', 'T1', 1)",
        );
        worker.cycle(|| false).await.unwrap();
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("10:05", "T1", 2.0)]);
        bench.execute("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2025-01-15 10:05:00', 'T2', 'n/a')");
        worker.cycle(|| false).await.unwrap();
        worker.cycle(|| false).await.unwrap();
        let counts = Counts { judged: 2, malformed: 3, ..Counts::default() };
        assert_eq!(bench.state().await.unwrap().counts, counts, "{layout:?}");
        let said = lines.take();
        let about = |line: &&String| line.starts_with("WARN") && line.contains("no reading");
        assert_eq!(said.iter().filter(about).count(), 3, "{layout:?}: {said:#?}");
        assert_eq!(
            said.iter().filter(|line| *line == "INFO no new data").count(),
            2,
            "{layout:?}: {said:#?}"
        );
    }
}

/// Every loop there runs the data query twice.
#[tokio::test]
async fn fault_15_a_cycle_reads_what_is_new_once() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        let store = Intercepted::new(&bench.store, |_| Action::Go);
        let mut worker = bench.worker_over(store.clone(), echo().await);
        worker.cycle(|| false).await.unwrap();
        for readings in [&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)][..], &[]] {
            bench.insert(readings);
            store.calls();
            worker.cycle(|| false).await.unwrap();
            let reads = store.calls().into_iter().filter(|call| matches!(call, Call::Read(_))).count();
            assert_eq!(reads, 1, "{layout:?}, {} readings", readings.len());
        }
    }
}

/// Its sleep comes after the work, so the schedule drifts.
#[tokio::test(start_paused = true)]
async fn fault_17_cycles_begin_on_the_tick_however_long_they_take() {
    let mut bench = Fixture::new(Layout::Keyless);
    // A look for unjudged readings reads as well, between cycles.
    bench.settings.reconcile = None;
    let begun = Instant::now();
    let starts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&starts);
    // A cycle without a key and without a backlog reads once. The third takes longer than two
    // intervals.
    let store = Intercepted::new(&bench.store, move |call| {
        if !matches!(call, Call::Read(_)) {
            return Action::Go;
        }
        let mut starts = noted.lock().unwrap();
        starts.push(begun.elapsed().as_secs());
        Action::Wait(Duration::from_secs(if starts.len() == 3 { 130 } else { 7 }))
    });
    let mut worker = bench.worker_over(store, echo().await);
    let stop = tokio::time::sleep(Duration::from_secs(400));
    let end = schedule::run(&mut worker, Duration::from_secs(60), false, stop).await;
    assert!(matches!(end, ScheduleEnd::Stopped), "{end:?}");
    // The ticks at 180 and 240 were missed: one cycle is run for both, and then the ticks are kept
    // again.
    assert_eq!(*starts.lock().unwrap(), [0, 60, 120, 250, 300, 360]);
}

/// Its first look-back uses the worker's clock against the plant's naive time.
#[tokio::test]
async fn fault_18_the_first_look_back_is_on_the_databases_clock() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.now("03 06:00");
        bench.insert(&[("02 05:59", "T1", 1.0), ("02 06:00", "T1", 2.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&[("02 06:00", "T1", 2.0)]), "{layout:?}");
    }
}
