//! The least rights that are enough, and what is said if one is missing.

use host::store::{Commit, ErrorKind};
use tests::conformance::{Setup, TestDb, row};
use tests::conformance_sqlserver::SqlServerTestDb;

use super::{WORKER, error_of, on_server, state, verdict};

const READ_INPUT: &str = "GRANT SELECT ON dbo.datos_proceso TO {user}";

/// On tables that a DBA made.
const WRITE_OUTPUT: [&str; 5] = [
    "GRANT SELECT, INSERT ON dbo.anomalies_detector TO {user}",
    "GRANT SELECT, INSERT, UPDATE ON dbo.anomaly_worker_state TO {user}",
    "GRANT SELECT, INSERT, DELETE ON dbo.anomaly_worker_state_checkpoint TO {user}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.anomaly_worker_episodes TO {user}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.anomaly_worker_outbox TO {user}",
];

on_server! {
    /// The rights that the README documents.
    async fn the_least_rights_do() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.insert(&[row(1, "2025-01-15 10:00:00", "T1")]).await?;
        bench.connector().open().await?.1.ensure_tables().await?;
        let reader = bench.input_database().login(&[READ_INPUT]).await?;
        let writer = bench.output_database().login(&WRITE_OUTPUT).await?;
        bench.change(|store| (store.input, store.output) = (reader, writer));

        let (mut input, mut output) = bench.connector().open().await?;
        assert!(input.layout().await?.has_key);
        assert_eq!(input.read_keys(&[(1, 1)], 10).await?.readings.len(), 1);
        assert_eq!(output.ensure_tables().await?, host::store::SchemaChanges::default());
        let problems: Vec<String> = output.probe().await?.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, Vec::<String>::new());
        let epoch = output.claim(WORKER).await?.epoch;
        let rows = [verdict("2025-01-15 10:00:00", "T1")];
        assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await?, 1);
        assert_eq!(output.already_judged(&[(rows[0].variable.clone(), rows[0].ds)]).await?.len(), 1);
        assert_eq!(output.peek(WORKER).await?, Some(state(epoch)));
    }
}

on_server! {
    async fn a_missing_right_is_told_by_its_name() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.connector().open().await?.1.ensure_tables().await?;
        let select = "GRANT SELECT ON dbo.anomalies_detector TO {user}";
        let select_state = "GRANT SELECT, INSERT ON dbo.anomaly_worker_state TO {user}";
        let writer = bench.output_database().login(&[select, select_state]).await?;
        bench.change(|store| store.output = writer);
        let mut output = bench.connector().open().await?.1;
        let problems = output.probe().await?.problems;
        assert!(problems.iter().all(|problem| problem.kind == ErrorKind::Permission), "{problems:?}");
        let said: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        let names = |right: &str, table: &str| said.iter().any(|said| said.contains(right) && said.contains(table));
        assert!(names("INSERT", "anomalies_detector") || names("permission denied", "anomalies_detector") || names("UPDATE", "anomaly_worker_state"), "{said:?}");
        let (kind, message) = error_of(output.claim(WORKER).await);
        assert_eq!(kind, ErrorKind::Permission, "{message}");
    }
}

on_server! {
    async fn a_login_that_is_refused_is_told_without_its_password() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        bench.change(|store| {
            let password = host::store::sqlserver::Password::Given(host::secret::Secret::new("Hush4-wrong"));
            store.output.login = host::store::sqlserver::Login::Sql { user: "nobody_here".to_owned(), password };
        });
        let error = bench.store().open_output().await.err().expect("nobody may enter");
        assert_eq!(error.kind, ErrorKind::Permission, "{error}");
        let all = format!("{error} {error:?} {:?}", bench.store());
        assert!(all.contains("nobody_here") && !all.contains("Hush4"), "{all}");
    }
}
