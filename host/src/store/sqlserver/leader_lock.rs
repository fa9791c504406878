//! One active worker per name: an application lock on a connection of its own. A worker on standby
//! keeps its connection open too, so that asking every few seconds takes one statement and no
//! login.
//!
//! The server releases the lock when that connection ends, however it ends. A half-open connection
//! keeps it until the server's keep-alive notices; one that a firewall or Azure's gateway has cut
//! has lost it, which the next call shows.

use async_trait::async_trait;
use tiberius::ColumnData;

use super::connection::{self, Connection};
use super::error::{Error, Result};
use super::sql;
use super::target::Target;
use crate::store::{ErrorKind, LeaderLock, StoreError, TableName};

/// The result of `sp_getapplock` if another session holds the lock: its wait has timed out.
const TAKEN: i32 = -1;

/// A lock, held until the connection is closed.
pub(super) struct AppLock {
    link: Connection,
    resource: String,
}

impl AppLock {
    pub(super) async fn line_up(
        target: &Target,
        state: &TableName,
        worker: &str,
    ) -> Result<Self, StoreError> {
        let link = Connection::open(target).await?;
        let resource = resource(state, worker, &link.place().database);
        Ok(Self { link, resource })
    }
}

#[async_trait]
impl LeaderLock for AppLock {
    async fn try_acquire(&mut self) -> Result<bool, StoreError> {
        let mut session = self.link.take()?;
        let answer = lock(&mut session, &self.resource).await;
        self.link.done(session, answer)
    }
}

async fn lock(session: &mut super::connect::SqlSession, resource: &str) -> Result<bool> {
    let name = ColumnData::String(Some(resource.to_owned().into()));
    let row = connection::row(session, sql::session::lock().to_owned(), vec![name]).await?;
    let answer = row.ok_or_else(|| Error::no_answer("a lock"))?.try_get::<i32, _>(0)?;
    match answer {
        Some(0..) => Ok(true),
        Some(TAKEN) => Ok(false),
        other => Err(Error::Found(
            ErrorKind::Other,
            format!(
                "`sp_getapplock` answers {other:?} for the lock `{resource}`, which is neither granted nor taken"
            ),
        )),
    }
}

/// Workers with two state tables in one database do not compete, nor do those of two databases: on
/// some servers a lock is not limited to the database. A server takes 255 characters and truncates
/// the rest, so the name is kept shorter.
fn resource(state: &TableName, worker: &str, database: &str) -> String {
    format!("anomaly-worker {worker} of {state} in {database}")
}
