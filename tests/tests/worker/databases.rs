//! The databases of a cycle: two databases, two workers on one, one that is locked and one that is
//! missing.

use host::store::{ErrorKind, VerdictWriter};
use host::worker::CycleError;
use tests::fixture::{Fixture, Layout, echo, verdicts};

#[tokio::test]
async fn input_and_output_may_be_two_databases() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        bench.store.output = bench.dir().join("results.sqlite");
        bench.insert(&[("10:00", "T1", 1.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0)]), "{layout:?}");
        let tables = |connection: rusqlite::Connection| -> String {
            let sql = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema \
                       WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name)";
            connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(tables(bench.input()), "datos_proceso", "{layout:?}");
        assert_eq!(
            tables(bench.output()),
            "anomalies_detector,anomaly_worker_episodes,anomaly_worker_outbox,anomaly_worker_state,anomaly_worker_state_checkpoint",
            "{layout:?}"
        );
    }
}

#[tokio::test]
async fn of_two_workers_with_one_name_one_stands_by() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00", "T1", 1.0)]);
        let (mut first, mut second) = (bench.worker(echo().await), bench.worker(echo().await));
        first.cycle(|| false).await.unwrap();
        bench.insert(&[("10:05", "T1", 2.0)]);
        for _ in 0..2 {
            let error = second.cycle(|| false).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                "another worker named `default` is active; give this one another `name` if both are to run",
                "{layout:?}"
            );
        }
        assert_eq!((second.cycles(), bench.verdicts().len()), (0, 1), "{layout:?}");
        drop(first);
        assert_eq!(second.cycle(|| false).await.unwrap().counts.judged, 1, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]), "{layout:?}");
    }
}

/// A worker that was paused, or that lost its lock with a connection, must not write: its epoch is
/// over, and it asks for its name again.
#[tokio::test]
async fn a_worker_whose_name_was_taken_writes_nothing_and_takes_it_anew() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("10:00", "T1", 1.0)]);
        let mut worker = bench.worker(echo().await);
        worker.cycle(|| false).await.unwrap();
        bench.store.open_output().await.unwrap().claim("default").await.unwrap();
        bench.insert(&[("10:05", "T1", 2.0)]);
        let error = worker.cycle(|| false).await.unwrap_err();
        assert!(error.is_fenced(), "{layout:?}: {error}");
        assert!(
            error.to_string().ends_with(
                "this is no longer worker `default`: another process has taken it since (epoch 2, ours is 1); \
                 nothing was written"
            ),
            "{layout:?}: {error}"
        );
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0)]), "{layout:?}");
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]), "{layout:?}");
    }
}

/// Workers of two names share the tables: each reading still has one verdict.
#[tokio::test]
async fn workers_of_two_names_do_not_judge_twice() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        let rows = [("10:00", "T1", 1.0), ("10:05", "T1", 2.0)];
        bench.insert(&rows);
        let mut one = bench.worker(echo().await);
        bench.settings.name = "other".into();
        let mut other = bench.worker(echo().await);
        one.cycle(|| false).await.unwrap();
        other.cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&rows), "{layout:?}");
    }
}

#[tokio::test]
async fn a_lock_is_an_error_and_the_next_cycle_goes_on() {
    let bench = Fixture::new(Layout::Keyed);
    let mut worker = bench.worker(echo().await);
    bench.insert(&[("10:00", "T1", 1.0)]);
    worker.cycle(|| false).await.unwrap();
    bench.insert(&[("10:05", "T1", 2.0)]);
    let browser = bench.output();
    browser.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = worker.cycle(|| false).await.unwrap_err();
    assert_eq!(error_of(&error), Some(ErrorKind::Busy), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "database `{}`: locked for more than 0.02 s by another program: a database browser with changes that are not \
             saved, a backup, a second worker; it is tried again at the next cycle",
            bench.store.output.display()
        )
    );
    assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0)]));
    browser.execute_batch("ROLLBACK").unwrap();
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
    assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]));
}

#[tokio::test]
async fn a_file_that_vanishes_is_an_error_until_it_is_back() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        bench.store.output = bench.dir().join("results.sqlite");
        let mut worker = bench.worker(echo().await);
        bench.insert(&[("10:00", "T1", 1.0)]);
        worker.cycle(|| false).await.unwrap();
        bench.insert(&[("10:05", "T1", 2.0)]);
        let (here, aside) = (bench.store.input.clone(), bench.dir().join("aside.sqlite"));
        std::fs::rename(&here, &aside).unwrap();
        for _ in 0..2 {
            let error = worker.cycle(|| false).await.unwrap_err();
            assert!(error.is_connection(), "{layout:?}: {error}");
            assert!(error.to_string().starts_with(&format!("database `{}`: ", here.display())), "{error}");
        }
        std::fs::rename(&aside, &here).unwrap();
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "{layout:?}");
        assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]), "{layout:?}");
    }
}

fn error_of(error: &CycleError) -> Option<ErrorKind> {
    match error {
        CycleError::Store(error) => Some(error.kind),
        _ => None,
    }
}
