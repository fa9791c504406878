//! One active worker a name: an application lock on a connection of its own, which one that stands
//! by keeps open too: what it asks every few seconds is then one statement and no login.
//!
//! The server frees the lock when that connection ends, however it ends. A connection that is half
//! dead keeps it until the server's keep-alive notices; one that a firewall or Azure's gateway cut
//! has lost it, which the next question shows.

use async_trait::async_trait;
use tiberius::ColumnData;

use super::connection::{self, Connection};
use super::error::{Error, Result};
use super::sql;
use super::target::Target;
use crate::store::{ErrorKind, LeaderLock, StoreError, TableName};

/// What `sp_getapplock` answers where somebody else holds the lock: its wait has ended.
const TAKEN: i32 = -1;

/// What it has, it holds until the connection is closed.
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

/// Workers on two state tables of one database do not compete, nor do those of two databases: on
/// some servers a lock is not the database's. A server takes 255 characters and cuts off the rest,
/// which it is best to do without.
fn resource(state: &TableName, worker: &str, database: &str) -> String {
    format!("anomaly-worker {worker} of {state} in {database}")
}
