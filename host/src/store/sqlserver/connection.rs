//! A connection that is either usable or closed.
//!
//! A call takes the session out and gives it back with its answer. If its future is dropped in
//! between, the session is dropped with it and the connection is closed, so that no call finds one
//! within a transaction. A commit whose future was dropped may therefore have happened; the state
//! row shows it.

use tiberius::{ColumnData, Query, Row};

use super::connect::{self, SqlSession};
use super::error::{Result, ServerContext};
use super::target::Target;
use crate::store::{ErrorKind, StoreError};

/// An open connection, with its name in errors.
pub(super) struct Connection {
    session: Option<SqlSession>,
    place: ServerContext,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self, StoreError> {
        let mut place = target.context();
        match connect::connect(target).await {
            Ok((session, database)) => {
                place.database = database;
                Ok(Self { session: Some(session), place })
            }
            Err(fault) => Err(fault.at(&place)),
        }
    }

    /// The session, for one call. It is given back by [`Self::done`].
    ///
    /// # Errors
    /// `Connection`, if a call before did not end or broke the connection.
    pub(super) fn take(&mut self) -> Result<SqlSession, StoreError> {
        self.session.take().ok_or_else(|| {
            let message =
                format!("{}: a call before was cut short, so the connection was closed", self.place);
            StoreError::new(ErrorKind::Connection, message)
        })
    }

    /// Ends a call. After an error of the server the session can be used; after any other it is
    /// closed.
    pub(super) fn done<T>(&mut self, session: SqlSession, answer: Result<T>) -> Result<T, StoreError> {
        match answer {
            Ok(value) => {
                self.session = Some(session);
                Ok(value)
            }
            Err(fault) => {
                if fault.leaves_session() {
                    self.session = Some(session);
                }
                Err(fault.at(&self.place))
            }
        }
    }

    pub(super) fn place(&self) -> &ServerContext {
        &self.place
    }

    /// Logs out.
    pub(super) async fn close(mut self) -> Result<(), StoreError> {
        if let Some(session) = self.session.take() {
            // Nothing is pending, so that nothing is lost if the logout fails.
            let _ = session.close().await;
        }
        Ok(())
    }
}

/// A parameter, in the type in which the server gets it.
pub(super) type Value = ColumnData<'static>;

/// A statement's rows, all of them.
pub(super) async fn rows(session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<Vec<Row>> {
    let mut query = Query::new(sql);
    query.bind_iter(values);
    Ok(query.query(session).await?.into_first_result().await?)
}

/// A statement's first row.
pub(super) async fn row(session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<Option<Row>> {
    Ok(rows(session, sql, values).await?.into_iter().next())
}

/// The first row of the last result of a statement that writes: a trigger may have returned results
/// before it.
pub(super) async fn last(session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<Answered> {
    let mut query = Query::new(sql);
    query.bind_iter(values);
    let mut results = query.query(session).await?.into_results().await?;
    let ours = results.pop().unwrap_or_default().into_iter().next();
    Ok(Answered { ours, others: !results.is_empty() })
}

/// The results of a statement that writes.
pub(super) struct Answered {
    pub(super) ours: Option<Row>,
    /// Whether a trigger returned something too.
    pub(super) others: bool,
}

/// Statements without parameters, in the session's own scope: what they set and create stays after
/// them.
pub(super) async fn run(session: &mut SqlSession, sql: impl Into<String>) -> Result<()> {
    session.simple_query(sql.into()).await?.into_results().await?;
    Ok(())
}
