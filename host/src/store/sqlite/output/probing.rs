//! Tries to write, and rolls back.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::TransactionBehavior;

use super::SqliteOutput;
use super::committing::CommitData;
use crate::store::probe::{self, PROBE};
use crate::store::sqlite::state_row;
use crate::store::{ErrorKind, OutputProbe, Probed, StoreError};
use crate::verdict::VerdictRow;

#[async_trait]
impl OutputProbe for SqliteOutput {
    async fn probe(&mut self) -> Result<Probed, StoreError> {
        let tables = Arc::clone(&self.tables);
        let tried = self
            .link
            .call(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let prepared = tables.ensure(&transaction)?;
                let epoch = state_row::claim(&transaction, &tables.state, PROBE)?;
                let now = tables.clock.now();
                let written = CommitData {
                    verdicts: vec![probe::verdict(now)],
                    state: probe::state(epoch, now),
                    parts: probe::parts(),
                    episodes: vec![probe::episode(now)],
                    messages: vec![probe::message(now)],
                };
                let tried = tables.commit(&transaction, PROBE, &written);
                let mut notes = prepared.warnings;
                match tried {
                    Err(fault) if fault.is_refused() => notes.push(format!(
                        "`{}` refuses the verdict that was tried ({}), on a variable `{PROBE}`; whether it takes those of your \
                         variables is tried with your readings",
                        tables.output.table(),
                        fault.said()
                    )),
                    tried => drop(tried?),
                }
                transaction.rollback()?;
                Ok(notes)
            })
            .await;
        match tried {
            Ok(notes) => Ok(Probed { problems: Vec::new(), notes }),
            // Nothing was found out.
            Err(error) if matches!(error.kind, ErrorKind::Connection | ErrorKind::Busy) => Err(error),
            Err(error) => Ok(Probed { problems: vec![error], notes: Vec::new() }),
        }
    }

    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError> {
        let (tables, verdicts) = (Arc::clone(&self.tables), verdicts.to_vec());
        self.link
            .call(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                tables.insert(&transaction, &verdicts)?;
                Ok(transaction.rollback()?)
            })
            .await
    }
}
