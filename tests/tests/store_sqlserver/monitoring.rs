//! The two queries with which people watch the Python worker, and which their graphs use.

use host::store::Commit;
use tests::conformance::{Setup, TestDb};
use tests::conformance_sqlserver::SqlServerTestDb;
use tiberius::Column;
use tiberius::time::chrono::NaiveDateTime;

use super::{WORKER, on_server, state, verdict};

on_server! {
    async fn the_newest_verdicts_and_the_datetimes_of_today_are_found() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        // Written by somebody long ago.
        bench.insert_verdicts(&[("2025-01-14 09:00:00", "T1"), ("2025-01-14 09:05:00", "T1")]).await?;
        let epoch = output.claim(WORKER).await?.epoch;
        for minute in ["00", "05", "10", "15"] {
            let ds = format!("2025-01-15 10:{minute}:00");
            let rows = [verdict(&ds, "T1"), verdict(&ds, "T2"), verdict(&ds, "T3")];
            assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await?, 3);
        }
        let mut person = bench.output().await?;
        let newest = person.rows("SELECT TOP 10 * FROM dbo.anomalies_detector ORDER BY processed_at DESC", &[]).await?;
        let columns: Vec<&str> = newest[0].columns().iter().map(Column::name).collect();
        assert_eq!(
            columns,
            [
                "id", "ds", "y", "yhat", "yhat_lower", "yhat_upper", "residual", "outside_interval", "high_residual",
                "is_anomaly", "anomaly_score", "variable", "prediction_error_pct", "source_file", "processed_at",
            ]
        );
        let ds: Vec<NaiveDateTime> = newest.iter().filter_map(|row| row.get("ds")).collect();
        assert_eq!(ds.len(), 10);
        assert!(ds.iter().all(|ds| ds.to_string().starts_with("2025-01-15")), "{ds:?}");
        let today = "SELECT COUNT(DISTINCT ds) FROM dbo.anomalies_detector WHERE CAST(processed_at AS DATE) = CAST(GETDATE() AS DATE)";
        assert_eq!(person.rows(today, &[]).await?[0].get::<i32, _>(0), Some(4));
    }
}
