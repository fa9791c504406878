//! Connections that are lost, before, during and after a commit.

use std::time::Duration;

use host::store::{Commit, ErrorKind};
use tests::conformance::{Setup, TestDb};
use tests::conformance_sqlserver::SqlServerTestDb;
use tests::sqlserver::SideConnection;

use super::{WORKER, at, error_of, on_server, state, verdict};

/// The sessions of the store in this database, newest last.
async fn sessions(visitor: &mut SideConnection, database: &str) -> anyhow::Result<Vec<i32>> {
    let sql = "SELECT CAST(session_id AS int) FROM sys.dm_exec_sessions WHERE program_name = 'anomaly-worker' \
               AND database_id = DB_ID(@P1) ORDER BY session_id";
    Ok(visitor.rows(sql, &[&database]).await?.iter().filter_map(|row| row.get(0)).collect())
}

on_server! {
    async fn a_killed_session_is_gone_and_the_next_goes_on() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let (input, mut output) = bench.connector().open().await?;
        output.ensure_tables().await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let mut admin = bench.output().await?;
        for id in sessions(&mut admin, &bench.output_database().name).await? {
            admin.run(&format!("KILL {id}")).await?;
        }
        let rows = [verdict("2025-01-15 10:00:00", "T1")];
        for _ in 0..2 {
            let (kind, message) = error_of(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await);
            assert_eq!(kind, ErrorKind::Connection, "{message}");
        }
        drop(input);
        let mut output = bench.connector().open().await?.1;
        assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await?, 1);
    }
}

on_server! {
    /// The session is killed while its transaction waits. Nothing of it is stored.
    async fn a_session_killed_in_its_commit_leaves_nothing() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.change(|store| store.output.timeouts.lock = Duration::from_secs(20));
        let (input, mut output) = bench.connector().open().await?;
        drop(input);
        output.ensure_tables().await?;
        let epoch = output.claim(WORKER).await?.epoch;
        output.commit(WORKER, &Commit::of(&[], &state(epoch))).await?;
        let mut person = bench.output().await?;
        person.run("BEGIN TRANSACTION; INSERT INTO dbo.anomalies_detector (ds, variable) VALUES ('2025-01-15T10:05:00', 'T1')").await?;
        let commit = tokio::spawn(async move {
            let later = host::state::State { watermark: Some(at("2025-01-15 11:00:00")), ..state(epoch) };
            output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:05:00", "T1")], &later)).await
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut admin = bench.output().await?;
        for id in sessions(&mut admin, &bench.output_database().name).await? {
            admin.run(&format!("KILL {id}")).await?;
        }
        let (kind, message) = error_of(commit.await?);
        assert_eq!(kind, ErrorKind::Connection, "{message}");
        person.run("ROLLBACK TRANSACTION").await?;
        assert_eq!(bench.verdicts().await?, vec![]);
        let mut output = bench.connector().open().await?.1;
        assert_eq!(output.peek(WORKER).await?, Some(state(epoch)));
    }
}

on_server! {
    /// A commit whose future is dropped is stored whole or not at all, and its connection is not
    /// used again.
    async fn a_commit_that_is_dropped_is_whole_or_not_there() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let mut output = bench.connector().open().await?.1;
        output.ensure_tables().await?;
        let mut epoch = output.claim(WORKER).await?.epoch;
        for round in 0..12_i64 {
            let rows: Vec<_> = (0..200).map(|n| verdict("2025-01-15 10:00:00", &format!("T{round}-{n}"))).collect();
            let next = host::state::State {
                counts: host::counts::Counts { judged: u64::try_from(round + 1)?, ..Default::default() },
                ..state(epoch)
            };
            let patience = Duration::from_micros(1500 * u64::try_from(round)?);
            let done = tokio::time::timeout(patience, output.commit(WORKER, &Commit::of(&rows, &next))).await;
            if done.is_err() {
                assert_eq!(error_of(output.peek(WORKER).await).0, ErrorKind::Connection);
                output = bench.connector().open().await?.1;
            }
            // Who takes the name waits for a commit that may still be running, and then knows its
            // result.
            let claim = output.claim(WORKER).await?;
            epoch = claim.epoch;
            let committed = claim.state.is_some_and(|state| state.counts == next.counts);
            let there = bench
                .verdicts()
                .await?
                .iter()
                .filter(|row| row.verdict.variable.starts_with(&format!("T{round}-")))
                .count();
            assert_eq!(there, if committed { 200 } else { 0 }, "round {round}");
        }
    }
}

on_server! {
    async fn a_server_that_is_not_there_is_told_by_its_name() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.change(|store| {
            store.input.address = host::store::sqlserver::Address::ConnectionString(host::secret::Secret::new(
                "server=tcp:127.0.0.1,1;user=w;password=p",
            ));
        });
        let (kind, message) = error_of(bench.connector().open().await);
        assert_eq!(kind, ErrorKind::Connection);
        assert!(message.contains("127.0.0.1,1`: it cannot be reached"), "{message}");
    }
}
