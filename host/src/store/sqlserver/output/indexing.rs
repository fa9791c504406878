//! Indexes that an output table of others lacks.
//!
//! Making an index reads and sorts the table under a lock, and if that fails it costs the same
//! again. So each is tried once. The try is logged before it begins and recorded in the state
//! table, in a row of its own, which needs no other right than a commit. It uses a connection of
//! its own, which may take long. A try that fails at once, because a right or a lock is missing, is
//! repeated later.

use std::time::Duration;

use super::SqlServerOutput;
use crate::store::schema::sqlserver as ddl;
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::connection::{self, Connection, Value};
use crate::store::sqlserver::ensure_tables::Lacking;
use crate::store::sqlserver::error::Result;
use crate::store::sqlserver::row::integer;
use crate::store::sqlserver::table::text;
use crate::store::sqlserver::target::{Target, Timeouts};
use crate::store::sqlserver::{probe, sql};
use crate::store::{SchemaChanges, StoreError};

/// The longest time for one index.
const INDEXING: Duration = Duration::from_secs(6 * 3600);

impl SqlServerOutput {
    /// Makes them, each as long as it takes, or reports why the worker works without.
    pub(super) async fn make_indexes(
        &mut self,
        mut lacking: Vec<Lacking>,
        prepared: &mut SchemaChanges,
    ) -> Result<(), StoreError> {
        if lacking.is_empty() {
            return Ok(());
        }
        let timeouts = Timeouts { query: INDEXING, ..self.target.timeouts };
        let mut link = Connection::open(&Target { timeouts, ..self.target.clone() }).await?;
        lacking.reverse();
        while let Some(index) = lacking.pop() {
            let mut session = link.take()?;
            let made = self.make_index(&mut session, &index, prepared).await;
            // Several verdicts for one key: a plain index serves the look-ups.
            if link.done(session, made)? == IndexOutcome::Duplicates {
                lacking.push(Lacking { unique: false, ..index });
            }
        }
        link.close().await
    }

    async fn make_index(
        &self,
        session: &mut SqlSession,
        index: &Lacking,
        prepared: &mut SchemaChanges,
    ) -> Result<IndexOutcome> {
        let output = &self.output;
        let name = ddl::named(index.columns, index.unique);
        let statement = ddl::index(output, index.columns, index.unique);
        let note = ddl::noted(index.columns, index.unique, output);
        let without = |why: &str| {
            format!(
                "table `{output}` has no {name}, and it could not be made ({why}); let somebody with the right run: {statement}"
            )
        };
        if !probe::may_alter(session, output).await? {
            prepared.warnings.push(without("the right ALTER on it is missing"));
            return Ok(IndexOutcome::Not);
        }
        if self.was_tried(session, &note).await? {
            prepared.warnings.push(format!(
                "table `{output}` has no {name}: it was tried once and is not tried again by itself, because that sorts the table under \
                 a lock; {}run: {statement}; or have it tried at the next start by: {}",
                if index.unique {
                    format!("when this shows no duplicates any more: {} ", ddl::duplicates(output))
                } else {
                    String::new()
                },
                ddl::try_index_again(&self.state, &note)
            ));
            return Ok(if index.unique { IndexOutcome::Duplicates } else { IndexOutcome::Not });
        }
        self.note(session, &note, true).await?;
        tracing::info!(
            "making the {name} of table `{output}`, once: the table is sorted and locked against writing meanwhile, which takes long where it \
             is large"
        );
        match connection::run(session, statement.clone()).await {
            Ok(()) => {
                prepared.created.push(name);
                Ok(IndexOutcome::New)
            }
            Err(fault) if fault.is_duplicate() && index.unique => {
                prepared.warnings.push(format!(
                    "table `{output}` holds several verdicts for one variable and datetime, so it gets no unique index; this \
                     worker adds none, and this shows them: {}",
                    ddl::duplicates(output)
                ));
                Ok(IndexOutcome::Duplicates)
            }
            Err(fault) if fault.exists_already() => Ok(IndexOutcome::Not),
            Err(fault) if fault.leaves_session() => {
                if fault.is_right() || fault.is_lock() {
                    self.note(session, &note, false).await?;
                }
                prepared.warnings.push(without(&fault.said()));
                Ok(IndexOutcome::Not)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn was_tried(&self, session: &mut SqlSession, note: &str) -> Result<bool> {
        let row = connection::row(session, sql::output::tried(&self.state), vec![text(note)]).await?;
        let tried = row.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value));
        Ok(tried.is_some_and(|tried| tried > 0))
    }

    async fn note(&self, session: &mut SqlSession, note: &str, tried: bool) -> Result<()> {
        let values = vec![text(note), Value::I64(Some(i64::from(tried)))];
        match connection::last(session, sql::output::note_tried(&self.state), values).await {
            Ok(_) => Ok(()),
            // A commit will report it.
            Err(fault) if fault.is_right() => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IndexOutcome {
    New,
    Not,
    /// It is impossible, as the table holds a key more than once.
    Duplicates,
}
