//! What the kill test asks of a database: rows of the plant, in and out of order, and the agreement
//! of output and state.

use std::process::Command;

use crate::common::Place;

/// Seconds since the plant began, and the variable.
pub(crate) type Reading = (u64, &'static str);

/// What the output has, and what the state row says of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Ledger {
    pub(crate) verdicts: i64,
    pub(crate) readings_with_a_verdict: i64,
    pub(crate) newest: Option<String>,
}

pub(crate) trait Plant {
    /// New datetimes a round, of six readings each: more than the program can judge before most of
    /// the kills.
    const DATETIMES: u64;

    /// The longest of the two pauses before a kill, in milliseconds: so that some come before the
    /// program works and some after.
    const PAUSE: u64;

    /// Where the program runs.
    fn place(&self) -> &Place;

    /// Tells the program where the database is.
    fn address(&self, command: &mut Command);

    fn insert(&mut self, rows: &[Reading]);

    /// Inserts rows that are committed by `release`, where others can be inserted meanwhile.
    fn hold(&mut self, rows: &[Reading]);

    fn release(&mut self);

    /// The output, and the same as the state row has it, at one moment.
    fn ledgers(&mut self) -> (Ledger, Ledger);

    /// The number of readings, with duplicates counted once.
    fn readings(&mut self) -> i64;

    fn readings_without_a_verdict(&mut self) -> i64;

    fn newest_reading(&mut self) -> String;

    fn last_id(&mut self) -> i64;

    /// The state row's, as JSON.
    fn position(&mut self) -> String;
}

/// When the plant began: long ago, so that all of it is past.
pub(crate) fn begin() -> chrono::NaiveDateTime {
    let now = chrono::Local::now().naive_local();
    let midnight = now.date().and_time(chrono::NaiveTime::MIN);
    midnight - chrono::Days::new(30)
}
