//! The output, the state table, the table of checkpoints' parts and those beside them on a SQL
//! Server.
//!
//! A commit stages its verdicts and parts in the session and then is one transaction in one round
//! trip. If the connection is lost before the answer arrives, the state row shows the next claim of
//! the name whether the commit happened.

mod beside;
mod committing;
mod indexing;
mod probing;
mod queries;
mod reading;

use async_trait::async_trait;

use super::connect::SqlSession;
use super::connection::{self, Connection};
use super::ensure_tables::{self, Statements, TablesBeside};
use super::error::Result;
use super::sql;
use super::staging::StagingTables;
use super::target::Target;
use crate::store::parts::StoredParts;
use crate::store::{Output, PlantClock, StoreError, TableName, TableNames};

/// The output side of a SQL Server.
pub struct SqlServerOutput {
    pub(super) link: Connection,
    target: Target,
    /// The clock that gives the plant's time, for the page.
    pub(super) clock: PlantClock,
    pub(super) output: TableName,
    state: TableName,
    parts: TableName,
    beside: TablesBeside,
    staged: StagingTables,
    /// As read once on this connection, until a call fails.
    known: Option<Statements>,
    /// Whether the table of parts was checked.
    parts_known: bool,
    /// Whether the tables of episodes and of the outbox were checked.
    beside_known: bool,
    stored: StoredParts,
}

impl SqlServerOutput {
    pub(super) fn new(link: Connection, target: Target, tables: TableNames) -> Self {
        let TableNames { output, state, episodes, outbox, .. } = tables;
        let parts = state.of_parts();
        let beside = TablesBeside { episodes, outbox };
        let (staged, stored) = (StagingTables::default(), StoredParts::default());
        let clock = PlantClock::default();
        Self {
            link,
            target,
            clock,
            output,
            state,
            parts,
            beside,
            staged,
            known: None,
            parts_known: false,
            beside_known: false,
            stored,
        }
    }

    pub(super) async fn known(&mut self, session: &mut SqlSession) -> Result<Statements> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let wait = self.target.timeouts.lock;
        let known = ensure_tables::expect_tables(session, &self.output, &self.state, wait).await?;
        Ok(self.known.insert(known).clone())
    }

    async fn know_parts(&mut self, session: &mut SqlSession) -> Result<()> {
        if !self.parts_known {
            ensure_tables::expect_parts(session, &self.parts).await?;
            self.parts_known = true;
        }
        Ok(())
    }

    async fn know_beside(&mut self, session: &mut SqlSession) -> Result<()> {
        if !self.beside_known {
            self.beside.expect(session).await?;
            self.beside_known = true;
        }
        Ok(())
    }

    /// Ends a call, with no open transaction after one that failed.
    pub(super) async fn done<T>(
        &mut self,
        mut session: SqlSession,
        answer: Result<T>,
    ) -> Result<T, StoreError> {
        let answer = match answer {
            Err(fault) if fault.leaves_session() => {
                (self.known, self.parts_known, self.beside_known) = (None, false, false);
                match connection::run(&mut session, sql::session::roll_back()).await {
                    Ok(()) => Err(fault),
                    Err(broken) => Err(broken),
                }
            }
            other => other,
        };
        self.link.done(session, answer)
    }
}

#[async_trait]
impl Output for SqlServerOutput {
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}
