//! What to do when the rows that were read last are not where they were: find out whether ids have
//! started again.
//!
//! They do when a table is emptied, its identity reseeded, a backup restored, or another table
//! given its name. Then ids do not tell what was read, and the allowed lateness is read again;
//! readings that have a verdict are left out as always. Only the position in memory changes here:
//! the next commit stores it.

use super::session::Session;
use super::start::position_from;
use crate::datetime::Datetime;
use crate::position::{Doubt, Position};
use crate::store::StoreError;

/// How the scan continues.
pub(super) enum Settled {
    /// From the position that the session has now.
    GoOn,
    /// From the beginning of a pass.
    Anew,
    /// Not before there is something to read.
    Nothing,
}

/// Looks at all rows that the position remembers.
pub(super) async fn settle(session: &mut Session, oldest_allowed: Datetime) -> Result<Settled, StoreError> {
    let Position::Key(position) = &session.state.position else { return Ok(Settled::Nothing) };
    let mut position = position.clone();
    let spans: Vec<_> = position.marks.iter().map(|mark| (mark.id, mark.id)).collect();
    let found = session.input.read_keys(&spans, spans.len()).await?;
    let last = session.input.last_key().await?;
    let settled = match position.resolve(&found, last) {
        Doubt::Empty => return Ok(Settled::Nothing),
        Doubt::Deleted => Settled::GoOn,
        Doubt::StartedAgain => {
            start_again(session, position.scanned, last, oldest_allowed).await?;
            return Ok(Settled::Anew);
        }
    };
    session.state.position = Position::Key(position);
    Ok(settled)
}

/// A position of a version that stored no marks: at least its greatest id must be there.
pub(super) async fn adopt(session: &mut Session, oldest_allowed: Datetime) -> Result<(), StoreError> {
    let Position::Key(position) = &session.state.position else { return Ok(()) };
    if !position.marks.is_empty() || position.scanned == i64::MIN {
        return Ok(());
    }
    let scanned = position.scanned;
    let last = session.input.last_key().await?;
    if last.is_some_and(|last| last < scanned) {
        return start_again(session, scanned, last, oldest_allowed).await;
    }
    let page = session.input.read_keys(&[(scanned, scanned)], 1).await?;
    if let Position::Key(position) = &mut session.state.position {
        position.remember(&page);
    }
    Ok(())
}

async fn start_again(
    session: &mut Session,
    scanned: i64,
    last: Option<i64>,
    oldest_allowed: Datetime,
) -> Result<(), StoreError> {
    tracing::warn!(
        "ids of the input table have started again: up to {scanned} they were read, and what stands there now is something else \
         (the greatest is {}); readings from {oldest_allowed} on are looked at again",
        last.map_or_else(|| "none".into(), |last| last.to_string())
    );
    let since = session.state.position.since();
    let (layout, now) = (session.input.layout().await?, session.input.now().await?);
    session.state.position = position_from(oldest_allowed, layout, session.input.as_mut(), now).await?;
    session.state.position.set_since(since);
    Ok(())
}
