//! One active worker a name: an application lock on a connection of its own.
//!
//! The server frees the lock when that connection ends, however it ends. A connection that is half dead keeps it until the
//! server's keep-alive notices; one that a firewall cut has lost it unseen, and the fence then stops the worker at its next commit.

use tiberius::ColumnData;

use super::fault::{Answer, Fault};
use super::link::{self, Link};
use super::sql;
use super::target::Target;
use crate::store::{Lead, StoreError, TableName, Trouble};

/// What `sp_getapplock` answers where somebody else holds the lock: its wait has ended.
const TAKEN: i32 = -1;

/// Held until the connection is closed.
struct Locked {
    _link: Link,
}

impl Lead for Locked {}

pub(super) async fn lead(
    target: &Target,
    state: &TableName,
    worker: &str,
) -> Result<Option<Box<dyn Lead>>, StoreError> {
    let mut link = Link::open(target).await?;
    let mut session = link.take()?;
    let answer = lock(&mut session, &resource(state, worker)).await;
    let locked = link.done(session, answer)?;
    if !locked {
        link.close().await?;
        return Ok(None);
    }
    Ok(Some(Box::new(Locked { _link: link })))
}

async fn lock(session: &mut super::connect::Session, resource: &str) -> Answer<bool> {
    let name = ColumnData::String(Some(resource.to_owned().into()));
    let row = link::row(session, sql::session::lock().to_owned(), vec![name]).await?;
    let answer = row.ok_or_else(|| Fault::no_answer("a lock"))?.try_get::<i32, _>(0)?;
    match answer {
        Some(0..) => Ok(true),
        Some(TAKEN) => Ok(false),
        other => Err(Fault::Found(
            Trouble::Other,
            format!(
                "`sp_getapplock` answers {other:?} for the lock `{resource}`, which is neither granted nor taken"
            ),
        )),
    }
}

/// Locks are the database's; workers on two state tables of one database do not compete.
fn resource(state: &TableName, worker: &str) -> String {
    format!("anomaly-worker {worker} of {state}")
}
