//! Tables that have more than ours: triggers that answer rows, columns that fill themselves,
//! constraints, synonyms, hypothetical indexes, catalogues that distinguish upper and lower case,
//! and no unique index. On the fake server, which does here what is documented.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_tds::Server;
use host::store::schema::sqlserver as ddl;
use host::store::{Commit, Connector, ErrorKind, SqlServerStore, TableNames};
use host::worker::refused;
use tests::conformance::{at, state, verdict};
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};

const WORKER: &str = "line 1";

async fn begin(server: &Server, setup: &[&str]) -> (SqlServerStore, SideConnection) {
    let mut visitor =
        SideConnection::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap();
    for statement in setup {
        visitor.run(statement).await.unwrap();
    }
    (tds::store(tds::target(server.port(), PLAIN, "plant")), visitor)
}

fn output_with(more: &str) -> String {
    let made = ddl::output(&TableNames::default().output);
    made.replace(
        "[processed_at] DATETIME NULL DEFAULT GETDATE()",
        &format!("[processed_at] DATETIME NULL DEFAULT GETDATE(){more}"),
    )
}

#[tokio::test]
async fn a_commit_reads_its_own_answer_and_no_triggers() {
    let server = Server::start().unwrap();
    let (store, mut visitor) = begin(&server, &[&output_with("")]).await;
    let mut output = store.open().await.unwrap().1;
    output.ensure_tables().await.unwrap();
    for table in ["anomalies_detector", "anomaly_worker_state"] {
        visitor
            .run(&format!("CREATE TRIGGER t ON dbo.{table} AFTER INSERT AS SELECT 7 AS a, 8 AS b, 9 AS c"))
            .await
            .unwrap();
    }
    let epoch = output.claim(WORKER).await.unwrap().epoch;
    assert_eq!(epoch, 1);
    let rows = [verdict("2025-01-15 10:00:00", "T1"), verdict("2025-01-15 10:00:00", "T2")];
    assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap(), 2);
    assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap(), 0);
    let probed = output.probe().await.unwrap();
    assert!(probed.problems.is_empty(), "{probed:?}");
    assert!(probed.notes.iter().any(|note| note.contains("returns rows")), "{probed:?}");
    let count = visitor.rows("SELECT COUNT(*) FROM dbo.anomalies_detector", &[]).await.unwrap();
    assert_eq!(count[0].get::<i32, _>(0), Some(2), "a probe leaves nothing");
}

#[tokio::test]
async fn columns_that_fill_themselves_are_left_to_do_so() {
    let server = Server::start().unwrap();
    let more = ", [twice] AS ([y] * 2), [version] ROWVERSION NOT NULL, \
                [since] DATETIME2 GENERATED ALWAYS AS ROW START NOT NULL, [until] DATETIME2 GENERATED ALWAYS AS ROW END NOT NULL, \
                PERIOD FOR SYSTEM_TIME ([since], [until])";
    let made = output_with(more);
    let (store, mut visitor) = begin(&server, &[&made]).await;
    let mut output = store.open().await.unwrap().1;
    output.ensure_tables().await.unwrap();
    let epoch = output.claim(WORKER).await.unwrap().epoch;
    let rows = [verdict("2025-01-15 10:00:00", "T1")];
    assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap(), 1);
    let rows = visitor.rows("SELECT CAST([twice] AS float) FROM dbo.anomalies_detector", &[]).await.unwrap();
    assert_eq!(rows[0].get::<f64, _>(0), Some(42.5));
}

#[tokio::test]
async fn a_column_that_wants_a_value_is_named_before_anything_is_written() {
    for (from, to, named) in [
        ("[processed_at]", "[line] INT NOT NULL, [processed_at]", "`line`"),
        ("[id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY", "[id] BIGINT NOT NULL PRIMARY KEY", "`id`"),
    ] {
        let server = Server::start().unwrap();
        let (store, _) = begin(&server, &[&output_with("").replace(from, to)]).await;
        let error = store.open().await.unwrap().1.ensure_tables().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Schema, "{error}");
        assert!(error.message.contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_variable_that_a_constraint_refuses_is_found_and_costs_no_other() {
    let server = Server::start().unwrap();
    let check = "ALTER TABLE dbo.anomalies_detector ADD CONSTRAINT known CHECK ([variable] <> 'T3')";
    let (store, mut visitor) = begin(&server, &[&output_with(""), check]).await;
    let mut output = store.open().await.unwrap().1;
    output.ensure_tables().await.unwrap();
    let epoch = output.claim(WORKER).await.unwrap().epoch;
    let rows: Vec<_> = (0..8).map(|n| verdict("2025-01-15 10:00:00", &format!("T{n}"))).collect();
    let error = output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    let found = refused::find(output.as_mut(), &rows).await.unwrap();
    assert_eq!(found.keys().map(|name| &**name).collect::<Vec<_>>(), ["T3"]);
    assert_eq!(refused::find(output.as_mut(), &rows[..3]).await.unwrap(), BTreeMap::new());
    let count = visitor.rows("SELECT COUNT(*) FROM dbo.anomalies_detector", &[]).await.unwrap();
    assert_eq!(count[0].get::<i32, _>(0), Some(0), "a trial leaves nothing");
    let others: Vec<_> = rows.into_iter().filter(|row| &*row.variable != "T3").collect();
    assert_eq!(output.commit(WORKER, &Commit::of(&others, &state(epoch))).await.unwrap(), 7);
}

#[tokio::test]
async fn a_datetime_that_ds_cannot_hold_is_known_beforehand() {
    for (kind, first, last) in [
        ("DATETIME", "1753-01-01", "9999-12-31 23:59:59.998"),
        ("DATETIME2(3)", "0001-01-01", "9999-12-31 23:59:59.499999"),
    ] {
        let server = Server::start().unwrap();
        let made = output_with("").replace("[ds] DATETIME NOT NULL", &format!("[ds] {kind} NOT NULL"));
        let (store, _) = begin(&server, &[&made]).await;
        let mut output = store.open().await.unwrap().1;
        output.ensure_tables().await.unwrap();
        assert_eq!(output.datetimes().await.unwrap(), (at(first), at(last)), "{kind}");
        let epoch = output.claim(WORKER).await.unwrap().epoch;
        for (n, ds) in [first, last].iter().enumerate() {
            let row = verdict(ds, &format!("T{n}"));
            assert_eq!(
                output.commit(WORKER, &Commit::of(&[row], &state(epoch))).await.unwrap(),
                1,
                "{kind} {ds}"
            );
        }
    }
}

#[tokio::test]
async fn an_index_is_tried_once_and_said_so_after() {
    let server = Server::start().unwrap();
    let twice = "INSERT INTO dbo.anomalies_detector ([ds], [variable]) SELECT '2025-01-15', 'T1' UNION ALL SELECT '2025-01-15', 'T1'";
    let (store, mut visitor) = begin(&server, &[&output_with(""), twice]).await;
    let tried = |requests: Vec<String>| {
        let of_output = |text: &&String| text.contains("ON [dbo].[anomalies_detector]");
        requests.iter().filter(|text| text.starts_with("CREATE UNIQUE INDEX")).filter(of_output).count()
    };
    for (round, expected, said) in [(1, 1, "several verdicts"), (2, 0, "tried once"), (3, 0, "tried once")] {
        server.requests();
        let prepared = store.open().await.unwrap().1.ensure_tables().await.unwrap();
        assert_eq!(tried(server.requests()), expected, "round {round}");
        assert!(
            prepared.warnings.iter().any(|warning| warning.contains(said)),
            "round {round}: {prepared:?}"
        );
    }
    // What the warning says to do.
    visitor.run("DELETE FROM dbo.anomalies_detector").await.unwrap();
    let again = ddl::try_index_again(
        &TableNames::default().state,
        "unique index on (ds, variable) of dbo.anomalies_detector",
    );
    visitor.run(&again).await.unwrap();
    let prepared = store.open().await.unwrap().1.ensure_tables().await.unwrap();
    assert!(
        prepared.created.iter().any(|made| made.contains("unique index on (ds, variable)")),
        "{prepared:?}"
    );
}

#[tokio::test]
async fn without_a_unique_index_writers_wait_for_each_other() {
    let server = Server::start().unwrap();
    let twice = "INSERT INTO dbo.anomalies_detector ([ds], [variable]) SELECT '2025-01-15', 'T1' UNION ALL SELECT '2025-01-15', 'T1'";
    let (mut store, mut visitor) = begin(&server, &[&output_with(""), twice]).await;
    // The first commit waits this long, and the others find the lock free.
    store.output.timeouts.lock = Duration::from_millis(500);
    let mut output = store.open().await.unwrap().1;
    output.ensure_tables().await.unwrap();
    let epoch = output.claim(WORKER).await.unwrap().epoch;
    let rows = [verdict("2025-01-15 10:00:00", "T1")];
    let name = "'anomaly-worker writes ' + CAST(OBJECT_ID('dbo.anomalies_detector') AS nvarchar(20))";
    let hold = format!(
        "DECLARE @lock nvarchar(255); SET @lock = {name}; EXEC sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', \
         @LockOwner = 'Session', @LockTimeout = 0"
    );
    visitor.run(&hold).await.unwrap();
    let error = output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy, "{error}");
    let release =
        format!("DECLARE @lock nvarchar(255); SET @lock = {name}; EXEC sp_releaseapplock @Resource = @lock");
    visitor.run(&release).await.unwrap();
    // The lock ends with the transaction, so that a second commit and another writer get it.
    assert_eq!(output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap(), 1);
    let mut other = store.open().await.unwrap().1;
    let epoch = other.claim("line 2").await.unwrap().epoch;
    assert_eq!(other.commit("line 2", &Commit::of(&rows, &state(epoch))).await.unwrap(), 0);
}

const INPUT: &str = "CREATE TABLE dbo.datos_proceso (id BIGINT {id}, datetime DATETIME NOT NULL, \
                     variable_name VARCHAR(100) NOT NULL, value FLOAT{more})";

#[tokio::test]
async fn an_order_of_arrival_is_what_the_table_counts_itself() {
    for (id, more, has_key) in [
        ("IDENTITY PRIMARY KEY", "", true),
        ("NOT NULL PRIMARY KEY", "", false),
        ("NOT NULL DEFAULT (1) UNIQUE", "", true),
        ("NOT NULL", "", false),
        ("NOT NULL DEFAULT (1)", ", PRIMARY KEY (id, datetime)", true),
        ("NOT NULL DEFAULT (1)", ", PRIMARY KEY (datetime, id)", false),
    ] {
        let server = Server::start().unwrap();
        let (store, _) = begin(&server, &[&INPUT.replace("{id}", id).replace("{more}", more)]).await;
        let layout = store.open_input().await.unwrap();
        let layout = {
            let mut input = layout;
            host::store::Input::layout(&mut input).await.unwrap()
        };
        assert_eq!(layout.has_key, has_key, "id BIGINT {id}{more}");
    }
}

#[tokio::test]
async fn hypothetical_indexes_do_not_count() {
    for (with, has_index) in [("", true), (" WITH STATISTICS_ONLY = -1", false)] {
        let server = Server::start().unwrap();
        let table = INPUT.replace("{id}", "IDENTITY PRIMARY KEY").replace("{more}", "");
        let index = format!("CREATE INDEX advised ON dbo.datos_proceso (datetime){with}");
        let (store, _) = begin(&server, &[&table, &index]).await;
        let layout = store.open().await.unwrap().0.layout().await.unwrap();
        assert_eq!(layout.has_datetime_index, has_index, "{index}");
    }
}

#[tokio::test]
async fn a_synonym_is_named_as_one() {
    let server = Server::start().unwrap();
    let (store, _) = begin(&server, &["CREATE SYNONYM dbo.datos_proceso FOR historian.dbo.readings"]).await;
    let error = store.open().await.unwrap().0.layout().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Schema);
    assert!(error.message.contains("a synonym for `historian.dbo.readings`"), "{error}");
}

#[tokio::test]
async fn names_of_columns_are_compared_as_the_server_compares_them() {
    for (collation, fits) in [("Latin1_General_CI_AS", true), ("Latin1_General_CS_AS", false)] {
        let server = Server::start().unwrap();
        let (_, mut visitor) = begin(&server, &[&format!("CREATE DATABASE named COLLATE {collation}")]).await;
        visitor.run("USE named").await.unwrap();
        let table = INPUT
            .replace("{id}", "IDENTITY PRIMARY KEY")
            .replace("{more}", "")
            .replace("datetime DATETIME", "DateTime DATETIME");
        visitor.run(&table).await.unwrap();
        let store = tds::store(tds::target(server.port(), PLAIN, "named"));
        let found = store.open().await.unwrap().0.layout().await;
        match found {
            Ok(layout) => assert!(fits && layout.has_key, "{collation}"),
            Err(error) => {
                assert!(!fits, "{collation}: {error}");
                assert!(error.message.contains("it has `DateTime`"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_first_key_of_a_time_is_found_with_and_without_an_index() {
    for index in ["SELECT 1", "CREATE INDEX i ON dbo.datos_proceso (datetime)"] {
        let server = Server::start().unwrap();
        let table = INPUT.replace("{id}", "IDENTITY PRIMARY KEY").replace("{more}", "");
        let values: Vec<String> = (0..2000)
            .map(|n| format!("('2025-01-15 {:02}:{:02}:{:02}', 'T1', 1)", n / 200, n / 20 % 10, n % 20))
            .collect();
        let rows: Vec<String> = values
            .chunks(500)
            .map(|part| format!("INSERT INTO dbo.datos_proceso VALUES {}", part.join(", ")))
            .collect();
        let mut setup = vec![table.as_str(), index];
        setup.extend(rows.iter().map(String::as_str));
        let (store, _) = begin(&server, &setup).await;
        let mut input = store.open().await.unwrap().0;
        for (from, first) in [
            ("2025-01-01", Some(1)),
            ("2025-01-15 00:00:01", Some(2)),
            ("2025-01-15 04:05:07", Some(908)),
            ("2025-01-15 09:09:19", Some(2000)),
            ("2025-01-16", None),
        ] {
            assert_eq!(input.first_key_from(at(from)).await.unwrap(), first, "{index}: from {from}");
        }
    }
}
