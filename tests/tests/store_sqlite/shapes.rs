//! Tables that people made differently from ours.

use std::sync::Arc;

use anyhow::Result;
use host::reading::Page;
use host::store::schema::sqlite as ddl;
use host::store::{AnomalyTally, Commit, ErrorKind, Input, OutputLimits, VerdictReader, VerdictWriter};
use tests::conformance::{OutputKind, Setup, TestDb, at};
use tests::conformance_sqlite::SqliteTestDb;

use crate::files::{state, verdict};

async fn with_input(ddl: &str) -> Result<SqliteTestDb> {
    let fixture = SqliteTestDb::start(&Setup { input: None, ..Setup::default() }).await?;
    fixture.input()?.execute_batch(ddl)?;
    Ok(fixture)
}

#[tokio::test]
async fn only_an_integer_that_the_database_counts_up_is_a_key() -> Result<()> {
    for (id, has_key) in [
        ("id INTEGER PRIMARY KEY", true),
        ("ID integer primary key autoincrement", true),
        ("id BIGINT NOT NULL UNIQUE", false),
        ("id INT NOT NULL PRIMARY KEY", false),
        ("id BIGINT PRIMARY KEY", false),
        ("id BIGINT NOT NULL", false),
        ("id TEXT NOT NULL UNIQUE", false),
        ("other INTEGER PRIMARY KEY", false),
    ] {
        let fixture =
            with_input(&format!("CREATE TABLE datos_proceso ({id}, datetime, variable_name, value REAL)"))
                .await?;
        assert_eq!(fixture.store.open_input().await?.layout().await?.has_key, has_key, "{id}");
    }
    let composite = "CREATE TABLE datos_proceso (id INTEGER NOT NULL, datetime, variable_name, value, \
                     PRIMARY KEY (id, datetime))";
    assert!(!with_input(composite).await?.store.open_input().await?.layout().await?.has_key);
    let view = "CREATE TABLE plant (id INTEGER PRIMARY KEY, datetime, variable_name, value); \
                CREATE VIEW datos_proceso AS SELECT * FROM plant UNION ALL SELECT * FROM plant";
    let layout = with_input(view).await?.store.open_input().await?.layout().await?;
    assert_eq!((layout.has_key, layout.has_id), (false, true), "an `id` of a view may come twice");
    Ok(())
}

#[tokio::test]
async fn only_an_index_on_all_rows_that_begins_with_the_datetime_finds_it() -> Result<()> {
    for (index, finds) in [
        ("(datetime)", true),
        ("(datetime, variable_name)", true),
        ("(variable_name, datetime)", false),
        ("(datetime) WHERE value > 0", false),
        ("(date(datetime))", false),
    ] {
        let fixture = with_input(&format!(
            "CREATE TABLE datos_proceso (datetime, variable_name, value); CREATE INDEX i ON datos_proceso {index}"
        ))
        .await?;
        assert_eq!(fixture.store.open_input().await?.layout().await?.has_datetime_index, finds, "{index}");
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_column_is_named() -> Result<()> {
    let fixture =
        with_input("CREATE TABLE datos_proceso (id INTEGER PRIMARY KEY, fecha TEXT, variable_name TEXT)")
            .await?;
    let error = fixture.store.open_input().await?.layout().await.expect_err("two are missing");
    assert_eq!(error.kind, ErrorKind::Schema);
    assert!(error.message.contains("table `datos_proceso` lacks `datetime`, `value`"), "{error}");

    let error = SqliteTestDb::start(&Setup { input: None, ..Setup::default() })
        .await?
        .store
        .open_input()
        .await?
        .layout()
        .await;
    let error = error.expect_err("there is no such table");
    assert!(error.message.contains("no table `datos_proceso` (its tables are `otra`, `vieja`)"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_view_serves_as_input() -> Result<()> {
    let fixture = with_input(
        "CREATE TABLE mediciones (t TEXT, v TEXT, x REAL); INSERT INTO mediciones VALUES ('2025-01-15 10:00:00', 'T1', 2);
         CREATE VIEW datos_proceso AS SELECT t AS datetime, v AS variable_name, x AS value FROM mediciones",
    )
    .await?;
    let page = fixture.store.open_input().await?.read_range(at("2025-01-15"), None, 10).await?;
    assert_eq!(page.readings.iter().map(|reading| reading.value).collect::<Vec<_>>(), [Some(2.0)]);
    Ok(())
}

#[tokio::test]
async fn a_table_that_changes_under_a_reader_is_seen_as_it_is() -> Result<()> {
    let fixture =
        with_input("CREATE TABLE datos_proceso (datetime TEXT, variable_name TEXT, value REAL)").await?;
    let mut input = fixture.store.open_input().await?;
    assert_eq!(input.read_range(at("2025-01-15"), None, 10).await?, Page::default());
    let other = fixture.input()?;
    other.execute_batch(
        "ALTER TABLE datos_proceso ADD COLUMN source_file TEXT;
         INSERT INTO datos_proceso VALUES ('2025-01-15 10:00:00', 'T1', 2, 'a.csv')",
    )?;
    let page = input.read_range(at("2025-01-15"), None, 10).await?;
    assert_eq!(page.readings[0].source_file.as_deref(), Some("a.csv"));
    other.execute_batch("DROP TABLE datos_proceso")?;
    assert_eq!(input.layout().await.expect_err("dropped").kind, ErrorKind::Schema);
    Ok(())
}

#[tokio::test]
async fn a_column_that_a_verdict_cannot_fill_is_named() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.output()?.execute_batch(
        "CREATE TABLE anomalies_detector (id INTEGER PRIMARY KEY, ds, y, yhat, yhat_lower, yhat_upper, residual,
         outside_interval, high_residual, is_anomaly, anomaly_score, variable, prediction_error_pct, source_file,
         processed_at, line TEXT NOT NULL DEFAULT '', shift TEXT NOT NULL)",
    )?;
    let mut output = fixture.store.open_output().await?;
    let error = output.ensure_tables().await.expect_err("no verdict has a shift");
    assert_eq!(error.kind, ErrorKind::Schema);
    assert!(error.message.contains("`shift`"), "{error}");
    assert!(!error.message.contains("line"), "that one has a default: {error}");
    Ok(())
}

/// Where the table does not tell `t1` from `T1`, its unique index would refuse the second, and with
/// it a whole batch.
#[tokio::test]
async fn a_table_that_does_not_tell_case_holds_up_no_batch() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.create_output(tests::conformance::OutputKind::Python).await?;
    fixture
        .output()?
        .execute_batch("CREATE UNIQUE INDEX theirs ON anomalies_detector (ds, variable COLLATE NOCASE)")?;
    let mut output = fixture.store.open_output().await?;
    output.ensure_tables().await?;
    let epoch = output.claim("line 1").await?.epoch;
    let verdicts = ["T1", "t1", "T2"].map(|variable| verdict("2025-01-15 10:00:00", variable));
    assert_eq!(output.commit("line 1", &Commit::of(&verdicts, &state(epoch))).await?, 2);
    let names: Vec<String> =
        fixture.verdicts().await?.iter().map(|row| row.verdict.variable.to_string()).collect();
    assert_eq!(names, ["T1", "T2"]);
    Ok(())
}

#[tokio::test]
async fn a_state_that_was_edited_by_hand_is_named_and_not_guessed_at() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    let mut output = fixture.store.open_output().await?;
    output.ensure_tables().await?;
    let epoch = output.claim("line 1").await?.epoch;
    for (set, column) in [
        ("position = '{'", "position"),
        ("position = '{\"by\": \"luck\"}'", "position"),
        ("watermark = 'yesterday'", "watermark"),
        ("checkpoint = x'00', checkpoint_schema = NULL", "checkpoint"),
        ("set_aside = NULL", "set_aside"),
        ("updated_at = NULL", "updated_at"),
    ] {
        output.commit("line 1", &Commit::of(&[], &state(epoch))).await?;
        fixture.output()?.execute_batch(&format!("UPDATE anomaly_worker_state SET {set}"))?;
        let error = output.peek("line 1").await.expect_err(set);
        assert!(error.message.contains("worker `line 1`"), "{error}");
        assert!(error.message.contains(&format!("column {column}: ")), "{error}");
        // A claim whose row cannot be read changes nothing.
        assert_eq!(output.claim("line 1").await.expect_err(set).kind, ErrorKind::Other);
        assert_eq!(fixture.workers().await?, [("line 1".to_owned(), epoch)]);
    }
    Ok(())
}

/// The column or a unique index on it decides which texts are equal. SQLite is asked for it.
#[tokio::test]
async fn names_are_the_same_by_the_collation_of_column_and_unique_index() -> Result<()> {
    let asked: Vec<Arc<str>> = ["a", "b", "A", "a ", "B "].map(Arc::from).into();
    for (column, index, expected) in [
        ("", "", &[][..]),
        ("COLLATE NOCASE", "", &[("A", "a")]),
        ("COLLATE RTRIM", "", &[("a ", "a")]),
        ("", "CREATE UNIQUE INDEX u ON anomalies_detector (ds, variable COLLATE NOCASE)", &[("A", "a")]),
        ("", "CREATE INDEX u ON anomalies_detector (variable COLLATE NOCASE, ds)", &[]),
        ("", "CREATE UNIQUE INDEX u ON anomalies_detector (variable COLLATE NOCASE, ds, id)", &[]),
        (
            "COLLATE RTRIM",
            "CREATE UNIQUE INDEX u ON anomalies_detector (variable COLLATE NOCASE, ds)",
            &[("A", "a"), ("a ", "a")],
        ),
    ] {
        let fixture = SqliteTestDb::start(&Setup::default()).await?;
        let table = ddl::output(&fixture.store.tables.output)
            .replace("variable TEXT", &format!("variable TEXT {column}"));
        fixture.output()?.execute_batch(&format!("{table}; {index}"))?;
        let mut output = fixture.store.open_output().await?;
        output.ensure_tables().await?;
        let found = output.equal_names(&asked).await?;
        let found: Vec<_> = found.iter().map(|(name, first)| (&**name, &**first)).collect();
        assert_eq!(found, expected, "{column} {index}");
    }
    Ok(())
}

/// Of a variable that the column holds in several spellings the page has one, also where the
/// anomalies of a day have another.
#[tokio::test]
async fn anomalies_are_counted_under_the_spelling_of_the_page() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.create_output(OutputKind::EqualNames).await?;
    let mut output = fixture.store.open_output().await?;
    output.ensure_tables().await?;
    fixture.output()?.execute_batch(
        "INSERT INTO anomalies_detector (ds, variable, is_anomaly, anomaly_score) VALUES \
         ('2025-01-14 10:00:00', 'Temp-03', 0, 0), ('2025-01-15 10:00:00', 'temp-03', 1, 60), \
         ('2025-01-15 10:05:00', 'TEMP-03', 1, 50)",
    )?;
    let mut page = fixture.open_page().await?;
    let expected = AnomalyTally {
        variable: "Temp-03".into(),
        anomalies: 2,
        worst_score: Some(60.0),
        last: at("2025-01-15 10:05:00"),
    };
    assert_eq!(page.variables(9).await?, [Arc::clone(&expected.variable)]);
    let day = (at("2025-01-15 00:00:00"), at("2025-01-16 00:00:00"));
    assert_eq!(page.tally(day.0, day.1).await?, [expected]);
    Ok(())
}
