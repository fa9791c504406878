//! What prevents reading, or a commit: rights, each by its name, and then a trial of everything in
//! a transaction that is rolled back.
//!
//! Indexes on a table that others made are not tried: making one locks the table for as long as it
//! takes.

use std::time::Duration;

use super::connect::SqlSession;
use super::connection;
use super::datetime::Precision;
use super::ensure_tables::{self, TablesBeside};
use super::error::{Error, Result};
use super::row::integer;
use super::sql;
use super::staging::StagingTables;
use super::state_row;
use super::table::{Table, text};
use crate::datetime::Datetime;
use crate::store::probe::{self, PROBE};
use crate::store::schema::sqlserver as ddl;
use crate::store::{ErrorKind, TableName};

/// The rights that the login lacks to write.
pub(super) async fn missing_rights(
    session: &mut SqlSession,
    output: &TableName,
    state: &TableName,
    beside: &TablesBeside,
) -> Result<Vec<Error>> {
    let mut missing = Vec::new();
    let parts = state.of_parts();
    for (table, rights) in [
        (output, ["SELECT", "INSERT"].as_slice()),
        (state, &["SELECT", "INSERT", "UPDATE"]),
        (&parts, &["SELECT", "INSERT", "DELETE"]),
        (&beside.episodes, &["SELECT", "INSERT", "UPDATE", "DELETE"]),
        (&beside.outbox, &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ] {
        if Table::find(session, table).await?.is_some() {
            missing.extend(lacking_on(session, &[(table, rights)]).await?);
        } else if !may(session, None, "DATABASE", "CREATE TABLE").await? {
            let why = format!(
                "table `{table}` is missing, or this login has neither {} on it and does not see it",
                rights.join(" nor ")
            );
            missing.push(lacking("CREATE TABLE", &why, "let a DBA run what `host schema` prints"));
        }
    }
    Ok(missing)
}

/// Those of the rights on existing tables that the login lacks.
pub(super) async fn lacking_on(
    session: &mut SqlSession,
    rights: &[(&TableName, &[&str])],
) -> Result<Vec<Error>> {
    let mut missing = Vec::new();
    for (table, rights) in rights {
        for right in *rights {
            if !may(session, Some(&table.sql_server()), "OBJECT", right).await? {
                let grant = format!("GRANT {right} ON {} TO the user of this login", table.sql_server());
                missing.push(lacking(right, &format!("table `{table}`"), &grant));
            }
        }
    }
    Ok(missing)
}

/// Whether the login may make an index on the table, as far as the server tells.
pub(super) async fn may_alter(session: &mut SqlSession, table: &TableName) -> Result<bool> {
    may(session, Some(&table.sql_server()), "OBJECT", "ALTER").await
}

fn lacking(right: &str, on: &str, advice: &str) -> Error {
    Error::Found(ErrorKind::Permission, format!("the right {right} is missing ({on}): {advice}"))
}

async fn may(session: &mut SqlSession, securable: Option<&str>, class: &str, right: &str) -> Result<bool> {
    let database = match securable {
        Some(_) => None,
        None => connection::row(session, "SELECT DB_NAME()".to_owned(), Vec::new()).await?,
    };
    let database = database.as_ref().and_then(|row| row.get::<&str, _>(0)).unwrap_or_default();
    let values = vec![text(securable.unwrap_or(database)), text(class), text(right)];
    let row = connection::row(session, sql::session::may(), values).await?;
    let answer = row.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value));
    // If the server does not tell, the trial shows it.
    Ok(answer != Some(0))
}

/// Tries everything that `ensure_tables`, `claim` and `commit` do; returns remarks on the tables.
/// The caller rolls back.
pub(super) async fn try_all(
    session: &mut SqlSession,
    staged: &mut StagingTables,
    (output, state): (&TableName, &TableName),
    beside: &TablesBeside,
    now: Datetime,
    wait: Duration,
) -> Result<Vec<String>> {
    // The session's own table is made and filled outside the transaction, because the rollback
    // would remove it.
    staged.verdicts(session, &[probe::verdict(now)], Precision::Tick).await?;
    let parts = state.of_parts();
    let mut written = staged.parts_of(session, &parts, &probe::parts()).await?;
    let changes = [probe::episode(now)];
    staged.episodes(session, PROBE, &changes, now).await?;
    staged.messages(session, &[probe::message(now)]).await?;
    written.push_str(&sql::episodes::change(&beside.episodes));
    written.push_str(&sql::outbox::tell(&beside.outbox, &beside.episodes));
    let guard = sql::episodes::expect_for(changes.len());
    connection::run(session, sql::session::begin()).await?;
    if Table::find(session, state).await?.is_none() {
        connection::run(session, ddl::state(state)).await?;
    }
    if Table::find(session, &parts).await?.is_none() {
        connection::run(session, ddl::parts(&parts)).await?;
    }
    ensure_tables::expect_parts(session, &parts).await?;
    for (name, kind) in beside.all() {
        if Table::find(session, name).await?.is_none() {
            connection::run(session, kind.table(name)).await?;
            for index in kind.indexes(name) {
                connection::run(session, index).await?;
            }
        }
    }
    beside.expect(session).await?;
    let existed = Table::find(session, output).await?;
    if existed.is_none() {
        connection::run(session, ddl::output(output)).await?;
    }
    let statements = ensure_tables::expect_tables(session, output, state, wait).await?;
    let taken = connection::last(session, sql::output::take(state), vec![text(PROBE)]).await?.ours;
    let taken = taken.ok_or_else(|| Error::no_answer("the worker's row"))?;
    let epoch = state_row::read(taken, state, PROBE)?.epoch;
    let insert = sql::output::CommitParts { insert: &statements.insert, lock: statements.lock.as_deref() };
    let within = statements.around(std::iter::once(now));
    let within = within.map(|within| (insert, within));
    let (sql, values) = state_row::commit(state, PROBE, &probe::state(epoch, now), within, &written, &guard)?;
    let mut notes = Vec::new();
    match connection::last(session, sql, values).await {
        Ok(answered) if answered.others => {
            notes.push(format!(
                "a trigger of `{output}` or `{state}` returns rows at each commit; they are ignored"
            ));
        }
        Ok(_) => {}
        Err(fault) if fault.is_refused() => {
            notes.push(format!(
                "`{output}` refuses the verdict that was tried ({}), on a variable `{PROBE}`; whether it takes those of your \
                 variables is tried with your readings",
                fault.said()
            ));
        }
        Err(fault) => return Err(fault),
    }
    if existed.is_some_and(|table| ensure_tables::lacking(&table).iter().any(|index| index.unique)) {
        notes.push(format!(
            "`{output}` has no unique index on (ds, variable): commits keep other writers out while they last. `host run` tries \
             once to make one"
        ));
    }
    Ok(notes)
}
