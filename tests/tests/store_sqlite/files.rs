//! What can happen to a file: it is missing, replaced, locked, damaged or not a database. And calls
//! that are given up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyhow::Result;
use host::batch::Flags;
use host::counts::Counts;
use host::position::{Position, TimePosition};
use host::state::State;
use host::store::sqlite::{BUSY_TIMEOUT, SqliteOutput};
use host::store::{
    Clock, Commit, Connector, ErrorKind, Input, OutputProbe, SqliteStore, StoreError, VerdictReader,
    VerdictWriter,
};
use host::verdict::VerdictRow;
use tests::conformance::{Setup, TestDb, at, row};
use tests::conformance_sqlite::SqliteTestDb;

pub(crate) const WORKER: &str = "line 1";

pub(crate) fn state(epoch: i64) -> State {
    State {
        epoch,
        position: Position::Time(TimePosition::start(at("2025-01-15"))),
        watermark: None,
        ahead: Default::default(),
        reconciliation: Default::default(),
        checkpoint: None,
        memory: Default::default(),
        set_digest: None,
        models: None,
        set_aside: BTreeMap::new(),
        counts: Counts::default(),
        updated_at: at("2025-01-15"),
    }
}

pub(crate) fn verdict(ds: &str, variable: &str) -> VerdictRow {
    VerdictRow {
        ds: at(ds),
        variable: variable.into(),
        y: 1.0,
        yhat: 1.0,
        yhat_lower: 0.5,
        yhat_upper: 1.5,
        residual: 0.0,
        flags: Flags::default(),
        anomaly_score: 0.0,
        prediction_error_pct: 0.0,
        source_file: None,
    }
}

#[track_caller]
fn expect(error: &StoreError, kind: ErrorKind, path: &Path, words: &str) {
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(&path.display().to_string()), "the file is not named: {error}");
    assert!(error.message.contains(words), "`{words}` is missing in: {error}");
}

/// A fixture whose store gives up on a lock at once, and its prepared output.
async fn impatient() -> Result<(SqliteTestDb, SqliteOutput, i64)> {
    let mut fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.store.busy_timeout = Duration::ZERO;
    let mut output = fixture.store.open_output().await?;
    output.ensure_tables().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    Ok((fixture, output, epoch))
}

#[tokio::test]
async fn what_is_not_there_is_not_made_by_a_mistyped_path() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("plnat.db");
    for create_output in [false, true] {
        let store = SqliteStore { create_output, ..SqliteStore::new(&path) };
        let error = store.open().await.err().expect("there is no such file");
        expect(&error, ErrorKind::Connection, &path, "no such file");
        assert!(!path.exists());
    }
    Ok(())
}

#[tokio::test]
async fn an_output_of_its_own_is_made_where_that_is_allowed() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    let path = fixture.path("verdicts.db");
    let store = SqliteStore { output: path.clone(), create_output: false, ..fixture.store.clone() };
    expect(&store.open().await.err().expect("missing"), ErrorKind::Connection, &path, "no such file");
    assert!(!path.exists());

    let store = SqliteStore { create_output: true, ..store };
    let (_, mut output) = store.open().await?;
    output.ensure_tables().await?;
    assert!(path.exists());

    let path = fixture.path("no folder").join("verdicts.db");
    let store = SqliteStore { output: path.clone(), ..store };
    expect(&store.open().await.err().expect("missing"), ErrorKind::Connection, &path, "no folder");
    Ok(())
}

#[tokio::test]
async fn what_is_no_database_is_told_plainly() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    let path = fixture.path("model.json");
    fs::write(&path, "{\"growth\": \"linear\"}".repeat(200))?;
    for error in [
        SqliteStore::new(&path).open_input().await.err().expect("no database"),
        SqliteStore::new(&path).open_output().await.err().expect("no database"),
    ] {
        expect(&error, ErrorKind::Other, &path, "not a SQLite database");
    }
    let folder = fixture.path("folder");
    fs::create_dir(&folder)?;
    let error = SqliteStore::new(&folder).open_input().await.err().expect("a folder");
    expect(&error, ErrorKind::Other, &folder, "folder");

    // An empty file is a database, which lacks the table.
    let empty = fixture.path("empty.db");
    fs::write(&empty, "")?;
    let error = SqliteStore::new(&empty).open_input().await?.layout().await.expect_err("no table");
    expect(&error, ErrorKind::Schema, &empty, "`datos_proceso` (it has no tables)");
    Ok(())
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_not_an_end_of_data() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    let names: Vec<String> = (1..=2000).map(|n| format!("variable {n}")).collect();
    let rows: Vec<_> = names.iter().zip(1..).map(|(name, id)| row(id, "2025-01-15 10:00:00", name)).collect();
    fixture.insert(&rows).await?;
    // The first two pages hold the catalogue and the root of the table; what comes after is
    // overwritten.
    let mut bytes = fs::read(&fixture.store.input)?;
    bytes[3 * 4096..].fill(0xa5);
    fs::write(&fixture.store.input, bytes)?;
    let mut input = fixture.store.open_input().await?;
    let error = input.read_keys(&[(1, 2000)], 4000).await.expect_err("most of it is gone");
    expect(&error, ErrorKind::Other, &fixture.store.input, "damaged");
    Ok(())
}

#[tokio::test]
async fn a_lock_of_somebody_else_fails_a_commit_and_stops_no_reading() -> Result<()> {
    let (fixture, mut output, epoch) = impatient().await?;
    fixture.insert(&[row(1, "2025-01-15 10:00:00", "T1")]).await?;
    let mut input = fixture.store.open_input().await?;
    let other = fixture.output()?;
    other.execute_batch(
        "BEGIN IMMEDIATE; INSERT INTO anomaly_worker_state (worker, epoch) VALUES ('other', 1)",
    )?;

    let verdicts = [verdict("2025-01-15 10:00:00", "T1")];
    let error = output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await.expect_err("locked");
    expect(&error, ErrorKind::Busy, &fixture.store.output, "by another program");
    expect(
        &output.claim(WORKER).await.expect_err("locked"),
        ErrorKind::Busy,
        &fixture.store.output,
        "locked",
    );
    expect(&output.probe().await.expect_err("locked"), ErrorKind::Busy, &fixture.store.output, "locked");
    assert_eq!(input.last_key().await?, Some(1));
    assert_eq!(output.peek(WORKER).await?, None);

    other.execute_batch("ROLLBACK")?;
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_long_reader_does_not_hold_up_a_commit() -> Result<()> {
    let (fixture, mut output, epoch) = impatient().await?;
    let mut reader = fixture.output()?;
    let dashboard = reader.transaction()?;
    let count = "SELECT count(*) FROM anomalies_detector";
    assert_eq!(dashboard.query_row(count, [], |row| row.get::<_, i64>(0))?, 0);
    assert_eq!(
        output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &state(epoch))).await?,
        1
    );
    assert_eq!(dashboard.query_row(count, [], |row| row.get::<_, i64>(0))?, 0, "it still sees what it saw");
    Ok(())
}

#[tokio::test]
async fn a_file_held_whole_by_another_program_is_busy_from_the_start() -> Result<()> {
    let mut fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.store.busy_timeout = Duration::ZERO;
    let other = fixture.input()?;
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE mine (a)")?;
    let error = fixture.store.open().await.err().expect("locked");
    expect(&error, ErrorKind::Busy, &fixture.store.input, "locked");
    assert_eq!(BUSY_TIMEOUT, Duration::from_secs(5), "what the message and the documents say");
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_replaced_is_a_lost_connection() -> Result<()> {
    let (fixture, mut output, epoch) = impatient().await?;
    let mut input = fixture.store.open_input().await?;
    let aside = fixture.path("aside.db");
    fs::rename(&fixture.store.input, &aside)?;
    let verdicts = [verdict("2025-01-15 10:00:00", "T1")];
    for error in [
        input.last_key().await.expect_err("gone"),
        output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await.expect_err("gone"),
    ] {
        expect(&error, ErrorKind::Connection, &fixture.store.input, "gone");
    }
    fs::copy(&aside, &fixture.store.input)?;
    let error = output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await.expect_err("another file");
    expect(&error, ErrorKind::Connection, &fixture.store.input, "replaced");
    // It works again after it is opened again.
    let (mut input, _output) = fixture.store.open().await?;
    assert_eq!(input.last_key().await?, None);
    Ok(())
}

/// Every future here is polled once, which is when its work begins, and then dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_leaves_a_good_connection() -> Result<()> {
    let (fixture, mut output, epoch) = impatient().await?;
    let verdicts: Vec<VerdictRow> =
        (0..500).map(|n| verdict("2025-01-15 10:00:00", &format!("T{n}"))).collect();
    let mut once = Context::from_waker(Waker::noop());
    let (given, mut given_up) = (state(epoch), 0);
    for chunk in verdicts.chunks(50) {
        let commit = Commit::of(chunk, &given);
        let mut commit = output.commit(WORKER, &commit);
        given_up += usize::from(matches!(commit.as_mut().poll(&mut once), Poll::Pending));
        drop(commit);
    }
    assert!(given_up > 0, "none of the calls was cut short");
    output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?;
    assert_eq!(fixture.verdicts().await?.len(), 500, "each once, whoever wrote it");
    assert_eq!(output.peek(WORKER).await?, Some(state(epoch)));
    Ok(())
}

#[tokio::test]
async fn time_is_what_the_clock_says() -> Result<()> {
    let mut fixture = SqliteTestDb::start(&Setup::default()).await?;
    let (clock, hand) = Clock::settable(at("2025-01-15 10:00:00"));
    fixture.store.clock = clock;
    let (mut input, mut output) = fixture.store.open().await?;
    output.ensure_tables().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 09:55:00", "T1")], &state(epoch))).await?;
    hand.set(at("2025-01-15 10:10:00.25"));
    assert_eq!(input.now().await?, at("2025-01-15 10:10:00.25"));
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:05:00", "T1")], &state(epoch))).await?;
    let times: Vec<_> = fixture.verdicts().await?.iter().map(|row| row.processed_at).collect();
    assert_eq!(times, [at("2025-01-15 10:00:00"), at("2025-01-15 10:10:00.25")]);
    Ok(())
}
