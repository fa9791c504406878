//! One walk over what may be new, page by page, whichever way the table is read.

use std::time::Duration;

use super::session::Session;
use crate::datetime::Datetime;
use crate::position::{KeyPass, Position, Taken, TimePass, TimePosition};
use crate::reading::Page;
use crate::store::StoreError;

/// Where a cycle's walk stands.
pub(super) enum Walk {
    Key(KeyPass),
    Time(TimePass),
}

/// A page, and the position that holds once it is committed.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) page: Page,
    pub(super) position: Position,
}

impl Walk {
    /// Starts a walk. Without a key this counts what came behind the reach, and returns how many rows that were.
    pub(super) async fn begin(session: &mut Session, reach: Datetime) -> Result<(Self, u64), StoreError> {
        let Session { input, state, .. } = session;
        match &mut state.position {
            Position::Key(_) => Ok((Self::Key(KeyPass::default()), 0)),
            Position::Time(position) => {
                let pass = position.pass(reach);
                let in_passed = match position.passed {
                    Some(passed) => input.count_range(passed.from, passed.to).await?,
                    None => 0,
                };
                let (from, to) = TimePosition::stretch(reach);
                let in_stretch = input.count_range(from, to).await?;
                let too_late = position.remember(in_passed, reach, in_stretch);
                Ok((Self::Time(pass), too_late))
            }
        }
    }

    /// Reads the next page in whole datetimes.
    pub(super) async fn next(
        &mut self,
        session: &mut Session,
        rows: usize,
        settle: Duration,
    ) -> Result<Step, StoreError> {
        let input = &mut session.input;
        let mut limit = rows;
        loop {
            let mut position = session.state.position.clone();
            let taken = match (&mut position, &mut *self) {
                (Position::Key(position), Self::Key(pass)) => {
                    let asked = input.now().await?;
                    let page = input.read_keys(&position.spans(pass), limit).await?;
                    position.advance(pass, page, asked, settle)
                }
                (_, Self::Time(pass)) => {
                    let page = input.read_range(pass.from(), None, limit).await?;
                    pass.advance(page)
                }
                (Position::Time(_), Self::Key(_)) => Taken::Rows(Page::default()),
            };
            match taken {
                Taken::Rows(page) => return Ok(Step { page, position }),
                Taken::Larger => limit = limit.saturating_mul(2),
            }
        }
    }
}
