//! A range on a server: loaded, judged, interrupted and continued, judged again. And the rights
//! that this needs.

use host::counts::Counts;
use host::reading::Reading;
use host::store::{Connector, ErrorKind, VerdictReader};
use host::worker::CycleError;
use host::worker::backfill::{Backfill, BackfillPlan};
use tests::conformance::{Setup, TestDb, at};
use tests::conformance_sqlserver::SqlServerTestDb;
use tests::fixture::echo;

use super::on_server;

const VARIABLES: [&str; 3] = ["T1", "T2", "AGUA/FLOW 1"];

/// Eight hours of a day.
fn readings() -> Vec<Reading> {
    let times = (0..8).map(|hour| at(&format!("2025-01-15 {hour:02}:00:00")));
    let at = |datetime| {
        VARIABLES.map(|variable| Reading {
            id: None,
            datetime,
            variable: variable.into(),
            value: Some(1.5),
            source_file: Some("enero.csv".into()),
        })
    };
    times.flat_map(at).collect()
}

fn plan(replace: bool) -> BackfillPlan {
    BackfillPlan {
        worker: "line 1".to_owned(),
        shard: None,
        from: at("2025-01-15"),
        to: at("2025-01-16"),
        variables: None,
        replace,
        rules: Default::default(),
        batch_rows: 7,
    }
}

/// A plant that was loaded from a file.
async fn plant() -> anyhow::Result<SqlServerTestDb> {
    let bench = SqlServerTestDb::start(&Setup::default()).await?;
    let mut importer = bench.connector().open_importer(false).await?;
    assert_eq!(importer.insert(&readings()).await?.inserted, 24);
    importer.close().await?;
    Ok(bench)
}

/// Runs a backfill to its end. Returns what became of the readings, and how many verdicts were
/// replaced.
async fn backfill(store: &dyn Connector, plan: &BackfillPlan) -> Result<(Counts, u64), CycleError> {
    let mut detector = echo().await;
    let mut backfill = Backfill::begin(plan, store, &mut detector).await?;
    while backfill.step(&mut detector).await? {}
    let progress = backfill.progress();
    backfill.finish().await?;
    Ok((progress.counts, progress.replaced))
}

/// The number of rows of the output and of their distinct keys, and whether any worker's row is
/// left.
async fn found(bench: &SqlServerTestDb) -> anyhow::Result<(usize, usize, bool)> {
    let rows = bench.verdicts().await?;
    let keys: std::collections::HashSet<_> =
        rows.iter().map(|row| (&row.verdict.variable, row.verdict.ds)).collect();
    Ok((rows.len(), keys.len(), !bench.workers().await?.is_empty()))
}

on_server! {
    async fn a_range_is_judged_once_and_anew_if_asked() {
        let bench = plant().await?;
        let store = bench.store();
        let judged = Counts { judged: 24, ..Counts::default() };
        let before = Counts { already_judged: 24, ..Counts::default() };

        // Interrupted after its first transaction, without any notice.
        let mut detector = echo().await;
        let mut broken = Backfill::begin(&plan(false), &store, &mut detector).await?;
        assert!(broken.step(&mut detector).await?);
        drop(broken);
        let (rows, _, left) = found(&bench).await?;
        assert!((1..24).contains(&rows) && left, "{rows}");

        assert_eq!(backfill(&store, &plan(false)).await?, (judged, 0));
        assert_eq!(found(&bench).await?, (24, 24, false));
        assert_eq!(backfill(&store, &plan(false)).await?, (before, 0));
        assert_eq!(backfill(&store, &plan(true)).await?, (judged, 24));
        assert_eq!(found(&bench).await?, (24, 24, false));
        let mut output = store.open_output().await?;
        let page = output.read_verdicts(at("2025-01-15"), at("2025-01-16"), false, 100).await?;
        let read: Vec<_> = page.verdicts.iter().map(|row| (row.ds, row.y, row.source_file.as_deref())).collect();
        let mut expected: Vec<_> =
            readings().iter().map(|row| (row.datetime, row.value, Some("enero.csv"))).collect();
        expected.sort_by_key(|(ds, ..)| *ds);
        assert_eq!(read, expected);
    }
}

on_server! {
    /// The row of a finished backfill stays if it may not be deleted, and blocks nothing.
    async fn a_login_that_may_not_delete_can_backfill_and_not_replace() {
        let bench = plant().await?;
        bench.connector().open().await?.1.ensure_tables().await?;
        let grants = [
            "GRANT SELECT, INSERT ON dbo.anomalies_detector TO {user}",
            "GRANT SELECT, INSERT, UPDATE ON dbo.anomaly_worker_state TO {user}",
            "GRANT SELECT, INSERT, DELETE ON dbo.anomaly_worker_state_checkpoint TO {user}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.anomaly_worker_episodes TO {user}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.anomaly_worker_outbox TO {user}",
        ];
        let writer = bench.output_database().login(&grants).await?;
        bench.change(|store| store.output = writer);
        let store = bench.store();
        let (counts, _) = backfill(&store, &plan(false)).await?;
        assert_eq!(counts, Counts { judged: 24, ..Counts::default() });
        assert_eq!(found(&bench).await?, (24, 24, true));
        let (counts, _) = backfill(&store, &plan(false)).await?;
        assert_eq!(counts, Counts { already_judged: 24, ..Counts::default() }, "it began anew");

        let error = backfill(&store, &plan(true)).await.expect_err("it may not delete");
        let CycleError::Store(error) = error else { anyhow::bail!("{error}") };
        assert_eq!(error.kind, ErrorKind::Permission, "{error}");
        assert!(error.message.contains("DELETE") || error.message.contains("denied"), "{error}");
        assert_eq!(found(&bench).await?, (24, 24, true));
    }
}
