//! Commands that only read (`status`, `export`, `check`) change no byte of the file and of those
//! beside it. A log that has grown is small again after its reader has ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use host::state::State;
use host::store::{Commit, Output, SqliteStore, Store};
use tests::conformance::{Setup, TestDb, at, row};
use tests::conformance_sqlite::SqliteTestDb;

use crate::files::{WORKER, state, verdict};

/// The files in a directory with their bytes. The index is memory that processes share, so that
/// only its existence counts.
fn all_of(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = if name.ends_with("-shm") { Vec::new() } else { fs::read(entry.path())? };
        found.insert(name, bytes);
    }
    Ok(found)
}

/// A file as a worker left it that has committed once, and a connection that keeps it open.
async fn worked() -> Result<(SqliteTestDb, State, Box<dyn Output>)> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.insert(&[row(1, "2025-01-15 10:00:00", "T1")]).await?;
    let mut output: Box<dyn Output> = Box::new(fixture.store.open_output().await?);
    output.ensure_tables().await?;
    let committed = state(output.claim(WORKER).await?.epoch);
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &committed)).await?;
    Ok((fixture, committed, output))
}

/// Reads everything, and finds the result of the last commit.
async fn look(store: &SqliteStore, committed: &State) -> Result<()> {
    let (from, to) = (at("2025-01-15"), at("2025-01-16"));
    let mut input = store.look_at_input().await?;
    assert!(input.layout().await?.has_key);
    assert_eq!(input.read_range(from, None, 10).await?.readings.len(), 1);
    let mut output = store.look_at_output().await?.context("the file is there")?;
    assert_eq!(output.peek(WORKER).await?.as_ref(), Some(committed));
    assert_eq!(output.read_verdicts(from, to, false, 10).await?.verdicts.len(), 1);
    let mut output = store.try_output().await?.context("the file is there")?;
    assert_eq!(output.probe().await?.problems.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_look_leaves_everything_as_it_is() -> Result<()> {
    // A worker has it open.
    let (fixture, committed, output) = worked().await?;
    let folder = fixture.store.input.parent().context("it lies in a folder")?.to_owned();
    let before = all_of(&folder)?;
    look(&fixture.store, &committed).await?;
    assert!(all_of(&folder)? == before, "a worker is at work");

    // A killed worker has left it, with all of its commits in the log.
    let other = tempfile::tempdir()?;
    for name in before.keys() {
        fs::copy(folder.join(name), other.path().join(name))?;
    }
    let left = SqliteStore::new(other.path().join("plant.db"));
    assert!(before.contains_key("plant.db-wal"), "{:?}", before.keys());
    look(&left, &committed).await?;
    assert!(all_of(other.path())? == before, "a worker was killed");

    // The worker has ended.
    output.close().await?;
    let before = all_of(&folder)?;
    assert_eq!(before.len(), 1, "{:?}", before.keys());
    look(&fixture.store, &committed).await?;
    assert!(all_of(&folder)? == before, "no worker is at work");

    // Without the log, as on a share.
    let connection = fixture.output()?;
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    drop(connection);
    let before = all_of(&folder)?;
    look(&fixture.store, &committed).await?;
    assert!(all_of(&folder)? == before, "without a log");
    Ok(())
}

#[tokio::test]
async fn a_look_that_lasts_sees_what_is_committed_meanwhile() -> Result<()> {
    let (fixture, committed, output) = worked().await?;
    output.close().await?;
    let mut look = fixture.store.look_at_output().await?.context("the file is there")?;
    assert_eq!(look.peek(WORKER).await?, Some(committed.clone()));
    let mut output: Box<dyn Output> = Box::new(fixture.store.open_output().await?);
    let later = State { watermark: Some(at("2025-01-15 10:05:00")), ..committed };
    output.commit(WORKER, &Commit::of(&[], &later)).await?;
    assert_eq!(look.peek(WORKER).await?, Some(later.clone()));
    output.close().await?;
    assert_eq!(look.peek(WORKER).await?, Some(later));
    Ok(())
}

/// A dashboard has a read transaction open during many commits, and then ends it.
#[tokio::test]
async fn a_log_that_has_grown_is_cut_once_nobody_reads_it() -> Result<()> {
    let (fixture, committed, mut output) = worked().await?;
    let log = fixture.path("plant.db-wal");
    let mut reader = fixture.output()?;
    let dashboard = reader.transaction()?;
    dashboard.query_row("SELECT count(*) FROM anomalies_detector", [], |row| row.get::<_, i64>(0))?;
    let mut hour = 0;
    while fs::metadata(&log)?.len() <= 20 << 20 {
        let verdicts: Vec<_> = (0..3600)
            .map(|n| {
                verdict(
                    &format!("2025-02-{:02} {:02}:{:02}:{:02}", 1 + hour / 24, hour % 24, n / 60, n % 60),
                    "T1",
                )
            })
            .collect();
        output.commit(WORKER, &Commit::of(&verdicts, &committed)).await?;
        hour += 1;
        assert!(hour < 200, "the log does not grow");
    }
    drop(dashboard);
    let one = [verdict("2025-01-15 10:05:00", "T1")];
    output.commit(WORKER, &Commit::of(&one, &committed)).await?;
    assert_eq!(fs::metadata(&log)?.len(), 0);
    assert_eq!(fixture.verdicts().await?.len(), 3600 * hour + 2, "nothing was lost by it");
    Ok(())
}
