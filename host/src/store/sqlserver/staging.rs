//! Writes rows into the session's own tables, by the driver's bulk load.
//!
//! A staged table lives as long as the session and is emptied before each load, so that an
//! interrupted load leaves nothing for the next. A row whose values no column accepts fails here,
//! before a transaction is open.
//!
//! Texts are staged as NVARCHAR(MAX): a load announces its columns twice, in INSERT BULK and before
//! its rows, and of a sized NVARCHAR the driver counts the bytes of its length as characters in the
//! first: above 2,000 characters it then says `max` there and a size here, which SQL Server refuses
//! (error 4816, tiberius#322). What its own tests load into SQL Server is NVARCHAR(MAX).

use tiberius::{ColumnData, IntoSql, TokenRow};

use super::connect::SqlSession;
use super::connection;
use super::datetime::{self, Precision};
use super::error::Result;
use super::sql;
use super::sql::episodes::STAGED_EPISODES;
use super::sql::input::STAGED_READINGS;
use super::sql::outbox::STAGED_MESSAGES;
use super::sql::output::{STAGED_KEYS, STAGED_PARTS, STAGED_VERDICTS};
use crate::checkpoint::PartChange;
use crate::datetime::Datetime;
use crate::episode::{Direction, EpisodeChange, OutboxMessage};
use crate::reading::{Reading, ReadingKey};
use crate::store::TableName;
use crate::store::parts::PartsWritten;
use crate::verdict::VerdictRow;

/// The longest text that is staged, in UTF-16 units: the most that a column that is not MAX holds.
const LONGEST: usize = 4000;

/// The most bytes of one value that a load accepts: the driver limits VARBINARY(MAX) to the largest
/// length that it can announce for a sized one.
const MOST_LOADED: usize = 65_535;

/// Which of its tables the session has made.
#[derive(Default)]
pub(super) struct StagingTables {
    verdicts: bool,
    keys: bool,
    readings: bool,
    parts: bool,
    episodes: bool,
    messages: bool,
}

impl StagingTables {
    /// Stages the verdicts of a commit, counted in their order.
    pub(super) async fn verdicts(
        &mut self,
        session: &mut SqlSession,
        verdicts: &[VerdictRow],
        grain: Precision,
    ) -> Result<()> {
        make(session, &mut self.verdicts, STAGED_VERDICTS, sql::output::stage_verdicts).await?;
        let mut load = session.bulk_insert(STAGED_VERDICTS).await?;
        for (n, verdict) in verdicts.iter().enumerate() {
            load.send(row_of(n, verdict, grain)).await?;
        }
        load.finalize().await?;
        Ok(())
    }

    /// Stages the changes of the parts in `table`; returns their statements.
    pub(super) async fn parts_of(
        &mut self,
        session: &mut SqlSession,
        table: &TableName,
        written: &PartsWritten,
    ) -> Result<String> {
        let mut said = String::new();
        if written.anew {
            said.push_str(&sql::output::parts_anew(table));
        }
        if !written.changes.is_empty() {
            self.parts(session, &written.changes).await?;
            said.push_str(&sql::output::parts_changed(table));
        }
        Ok(said)
    }

    /// Bytes are loaded as VARBINARY(MAX), which the driver's own tests load; those that it refuses
    /// to load are passed as parameters.
    async fn parts(&mut self, session: &mut SqlSession, changes: &[PartChange]) -> Result<()> {
        make(session, &mut self.parts, STAGED_PARTS, sql::output::stage_parts).await?;
        let is_large =
            |(_, bytes): &&PartChange| bytes.as_ref().is_some_and(|bytes| bytes.len() > MOST_LOADED);
        let (large, others): (Vec<_>, Vec<_>) = changes.iter().partition(is_large);
        for (name, bytes) in large {
            let bytes = bytes.as_deref().map(|bytes| bytes.to_vec().into());
            let values =
                vec![ColumnData::String(Some(cut(name).to_owned().into())), ColumnData::Binary(bytes)];
            connection::rows(session, sql::output::stage_large_part(), values).await?;
        }
        let mut load = session.bulk_insert(STAGED_PARTS).await?;
        for (name, bytes) in others {
            let mut row = TokenRow::with_capacity(2);
            row.push(cut(name).into_sql());
            row.push(bytes.as_deref().into_sql());
            load.send(row).await?;
        }
        load.finalize().await?;
        Ok(())
    }

    /// Stages the changes of episodes, as of this time.
    pub(super) async fn episodes(
        &mut self,
        session: &mut SqlSession,
        worker: &str,
        changes: &[EpisodeChange],
        now: Datetime,
    ) -> Result<()> {
        make(session, &mut self.episodes, STAGED_EPISODES, sql::episodes::stage_episodes).await?;
        let mut load = session.bulk_insert(STAGED_EPISODES).await?;
        for (n, change) in changes.iter().enumerate() {
            load.send(change_of(n, change, worker, now)).await?;
        }
        load.finalize().await?;
        Ok(())
    }

    /// Stages the messages of a commit.
    pub(super) async fn messages(
        &mut self,
        session: &mut SqlSession,
        messages: &[OutboxMessage],
    ) -> Result<()> {
        make(session, &mut self.messages, STAGED_MESSAGES, sql::outbox::stage_messages).await?;
        let mut load = session.bulk_insert(STAGED_MESSAGES).await?;
        for (n, message) in messages.iter().enumerate() {
            let about = &message.about;
            let mut row = TokenRow::with_capacity(9);
            row.push(number(n));
            row.push(message.id.as_str().into_sql());
            row.push(message.kind.word().into_sql());
            row.push(message.variable.as_deref().map(cut).into_sql());
            row.push(cut(&about.variable).into_sql());
            row.push(about.kind.word().into_sql());
            row.push(moment(Some(about.begin)));
            row.push(moment(Some(message.created_at)));
            row.push(message.payload.as_str().into_sql());
            load.send(row).await?;
        }
        load.finalize().await?;
        Ok(())
    }

    /// Stages keys to look up, counted in their order.
    pub(super) async fn keys(
        &mut self,
        session: &mut SqlSession,
        keys: &[ReadingKey],
        grain: Precision,
    ) -> Result<()> {
        make(session, &mut self.keys, STAGED_KEYS, sql::output::stage_keys).await?;
        let mut load = session.bulk_insert(STAGED_KEYS).await?;
        for (n, (variable, ds)) in keys.iter().enumerate() {
            let mut row = TokenRow::with_capacity(3);
            row.push(number(n));
            row.push(grain.staged(*ds));
            row.push(cut(variable).into_sql());
            load.send(row).await?;
        }
        load.finalize().await?;
        Ok(())
    }

    /// Stages readings of a file, those with a value, counted in their order.
    pub(super) async fn readings(
        &mut self,
        session: &mut SqlSession,
        readings: &[Reading],
        grain: Precision,
    ) -> Result<()> {
        make(session, &mut self.readings, STAGED_READINGS, sql::input::stage_readings).await?;
        let mut load = session.bulk_insert(STAGED_READINGS).await?;
        for (n, reading) in readings.iter().enumerate().filter(|(_, reading)| reading.value.is_some()) {
            let mut row = TokenRow::with_capacity(5);
            row.push(number(n));
            row.push(grain.staged(reading.datetime));
            row.push(cut(&reading.variable).into_sql());
            row.push(reading.value.into_sql());
            row.push(reading.source_file.as_deref().map(cut).into_sql());
            load.send(row).await?;
        }
        load.finalize().await?;
        Ok(())
    }
}

async fn make(session: &mut SqlSession, made: &mut bool, name: &str, create: fn() -> String) -> Result<()> {
    if *made {
        return connection::run(session, sql::output::empty(name)).await;
    }
    connection::run(session, create()).await?;
    *made = true;
    Ok(())
}

fn row_of(n: usize, verdict: &VerdictRow, grain: Precision) -> TokenRow<'_> {
    let numbers = [
        verdict.y,
        verdict.yhat,
        verdict.yhat_lower,
        verdict.yhat_upper,
        verdict.residual,
        verdict.anomaly_score,
        verdict.prediction_error_pct,
    ];
    let flags = [verdict.flags.outside_interval, verdict.flags.high_residual, verdict.flags.anomaly];
    let mut row = TokenRow::with_capacity(14);
    row.push(number(n));
    row.push(grain.staged(verdict.ds));
    row.push(cut(&verdict.variable).into_sql());
    numbers.into_iter().for_each(|number| row.push(number.into_sql()));
    flags.into_iter().for_each(|flag| row.push(flag.into_sql()));
    row.push(verdict.source_file.as_deref().map(cut).into_sql());
    row
}

/// A row in the order of [`sql::episodes::WRITTEN`].
fn change_of<'a>(n: usize, change: &'a EpisodeChange, worker: &'a str, now: Datetime) -> TokenRow<'a> {
    let EpisodeChange { before, episode, gone } = change;
    let worst = episode.worst;
    let count = |count: u64| number(usize::try_from(count).unwrap_or(usize::MAX));
    let mut row = TokenRow::with_capacity(6 + sql::episodes::WRITTEN.len());
    row.push(number(n));
    row.push(cut(&episode.variable).into_sql());
    row.push(episode.kind.word().into_sql());
    row.push(moment(before.map(|(begin, _)| begin)));
    row.push(before.map(|(_, version)| f64::from(version)).into_sql());
    row.push((*gone).into_sql());
    row.push(moment(Some(episode.begin)));
    row.push(moment(Some(episode.end)));
    row.push(moment(episode.closed_at));
    row.push(episode.is_open().into_sql());
    row.push(episode.peak_score.into_sql());
    row.push(moment(worst.map(|worst| worst.ds)));
    row.push(worst.map(|worst| worst.y).into_sql());
    row.push(worst.and_then(|worst| worst.yhat).into_sql());
    row.push(episode.direction.map(Direction::word).into_sql());
    row.push(count(episode.readings));
    row.push(count(episode.flagged));
    row.push(episode.cause.as_deref().into_sql());
    row.push(episode.priority.word().into_sql());
    row.push(episode.told.word().into_sql());
    row.push(episode.shelved.into_sql());
    row.push(cut(worker).into_sql());
    row.push(moment(Some(now)));
    row
}

/// A DATETIME2, or NULL.
fn moment(at: Option<Datetime>) -> ColumnData<'static> {
    at.map_or(ColumnData::DateTime2(None), datetime::fine)
}

#[expect(clippy::cast_precision_loss, reason = "a page holds far fewer rows than 2^53")]
fn number(n: usize) -> ColumnData<'static> {
    ColumnData::F64(Some(n as f64))
}

/// The part of a text that is staged; a variable's name is never that long.
fn cut(text: &str) -> &str {
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > LONGEST
    });
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("presión"), "presión");
        let long = "é".repeat(4001);
        assert_eq!(cut(&long).chars().count(), 4000);
        assert_eq!(cut(&"🌡".repeat(2001)).chars().count(), 2000);
    }
}
