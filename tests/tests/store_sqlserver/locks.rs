//! Other users of the same tables: for whom the store waits, and how long.

use std::time::Instant;

use host::store::{Commit, ErrorKind};
use tests::conformance::{Setup, TestDb, row};
use tests::conformance_sqlserver::SqlServerTestDb;

use super::{WORKER, error_of, on_server, state, verdict};

on_server! {
    /// The store waits for a person's transaction on the results no longer than the lock timeout.
    /// Only this try fails.
    async fn a_lock_on_the_results_is_a_matter_of_the_next_cycle() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let first = [verdict("2025-01-15 10:00:00", "T1")];
        assert_eq!(output.commit(WORKER, &Commit::of(&first, &state(epoch))).await?, 1);

        let mut person = bench.output().await?;
        person.run("BEGIN TRANSACTION; UPDATE dbo.anomaly_worker_state SET counts = counts").await?;
        let begun = Instant::now();
        let second = [verdict("2025-01-15 10:05:00", "T1")];
        let (kind, message) = error_of(output.commit(WORKER, &Commit::of(&second, &state(epoch))).await);
        assert_eq!(kind, ErrorKind::Busy, "{message}");
        assert!(message.contains("locked for more than 2 s"), "{message}");
        assert!(begun.elapsed() < bench.store().output.timeouts.query, "it waited for {:?}", begun.elapsed());
        person.run("ROLLBACK TRANSACTION").await?;
        assert_eq!(output.commit(WORKER, &Commit::of(&second, &state(epoch))).await?, 1);
        assert_eq!(bench.verdicts().await?.len(), 2);
    }
}

on_server! {
    /// An insert that is not committed is not read, and is waited for no longer than the timeout.
    /// It is read after its commit.
    async fn a_late_commit_is_read_when_it_comes() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.insert(&[row(1, "2025-01-15 10:00:00", "T1")]).await?;
        let mut input = bench.connector().open().await?.0;
        let mut plant = bench.input().await?;
        plant.run("BEGIN TRANSACTION; INSERT INTO dbo.datos_proceso (datetime, variable_name, value) VALUES ('2025-01-15T10:05:00', 'T1', 1)").await?;
        match input.read_keys(&[(1, i64::MAX)], 10).await {
            Ok(page) => assert_eq!(page.readings.len(), 1),
            Err(error) => assert_eq!(error.kind, ErrorKind::Busy, "{error}"),
        }
        plant.run("COMMIT TRANSACTION").await?;
        assert_eq!(input.read_keys(&[(2, i64::MAX)], 10).await?.readings.len(), 1);
    }
}

on_server! {
    /// A deadlock of two transactions: one is the victim, and if it is ours the next try succeeds.
    async fn a_deadlock_is_a_matter_of_the_next_cycle() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.change(|store| store.output.timeouts.lock = std::time::Duration::from_secs(20));
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let kept = [verdict("2025-01-15 10:00:00", "T1")];
        output.commit(WORKER, &Commit::of(&kept, &state(epoch))).await?;

        // The person has locked the key that the commit needs after the state row, and then needs
        // the state row.
        let mut person = bench.output().await?;
        person.run("BEGIN TRANSACTION; INSERT INTO dbo.anomalies_detector (ds, variable) VALUES ('2025-01-15T10:05:00', 'T1')").await?;
        let commit = tokio::spawn(async move {
            let done = output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:05:00", "T1")], &state(epoch))).await;
            (output, done)
        });
        // There is no deadlock before the commit waits for the person.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let theirs = person.run("UPDATE dbo.anomaly_worker_state SET counts = counts").await;
        if theirs.is_ok() {
            person.run("ROLLBACK TRANSACTION").await?;
        } else {
            let _ = person.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION").await;
        }
        let (mut output, done) = commit.await?;
        match done {
            Ok(inserted) => assert_eq!(inserted, 1),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Busy, "{error}");
                assert_eq!(output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:05:00", "T1")], &state(epoch))).await?, 1);
            }
        }
        assert_eq!(bench.verdicts().await?.len(), 2);
    }
}

on_server! {
    /// Another program, such as the Python worker, writes the same verdict while ours is being
    /// written.
    async fn a_verdict_that_another_writes_meanwhile_is_theirs() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.change(|store| store.output.timeouts.lock = std::time::Duration::from_secs(20));
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let mut other = bench.output().await?;
        other.run("BEGIN TRANSACTION; INSERT INTO dbo.anomalies_detector (ds, variable) VALUES ('2025-01-15T10:00:00', 'T1')").await?;
        let commit = tokio::spawn(async move {
            let rows = [verdict("2025-01-15 10:00:00", "T1"), verdict("2025-01-15 10:00:00", "T2")];
            output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await
        });
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        other.run("COMMIT TRANSACTION").await?;
        assert_eq!(commit.await??, 1);
        assert_eq!(bench.verdicts().await?.len(), 2);
    }
}
