//! A session's transaction: one of SQLite's, with the count that T-SQL keeps of its BEGINs.

use super::{Sql, Stop};
use crate::fault::SqlError;
use crate::wire::token::Answer;

impl Sql {
    pub(super) fn begin(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        self.strike("BEGIN TRANSACTION", false)?;
        if self.depth == 0 {
            self.simple("BEGIN")?;
            answer.begun();
        }
        self.depth += 1;
        self.strike("BEGIN TRANSACTION", true)
    }

    pub(super) fn commit(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        self.strike("COMMIT TRANSACTION", false)?;
        match self.depth {
            0 => {
                let message = "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.";
                return Err(SqlError::new(3902, 16, message).into());
            }
            1 => {
                self.simple("COMMIT")?;
                answer.ended(true);
            }
            _ => {}
        }
        self.depth -= 1;
        if self.depth == 0 {
            self.unlock();
        }
        self.strike("COMMIT TRANSACTION", true)
    }

    pub(super) fn roll_back(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        if self.depth == 0 {
            let message = "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.";
            return Err(SqlError::new(3903, 16, message).into());
        }
        self.simple("ROLLBACK")?;
        answer.ended(false);
        (self.depth, self.known) = (0, None);
        self.unlock();
        Ok(())
    }

    /// Releases the applocks that end with the transaction.
    fn unlock(&mut self) {
        for resource in std::mem::take(&mut self.locked) {
            self.shared.locks.release(&resource, self.number);
        }
    }

    pub(super) fn simple(&self, sql: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(sql).map_err(|error| self.error(&error, sql))
    }

    /// What an error does to an open transaction.
    pub(super) fn take_back(&mut self, error: &SqlError, answer: &mut Answer) {
        const VICTIMS: [i32; 2] = [1205, 3960];
        let gone = self.depth > 0 && self.connection.is_autocommit();
        if self.depth > 0 && (gone || self.xact_abort || VICTIMS.contains(&error.number)) {
            // If SQLite has rolled it back already, there is nothing more to do.
            let _ = self.connection.execute_batch("ROLLBACK");
            (self.depth, self.known) = (0, None);
            self.unlock();
            answer.ended(false);
        }
    }
}
