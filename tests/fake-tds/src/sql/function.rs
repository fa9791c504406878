//! The scalar functions of T-SQL that SQLite does not have.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{NaiveDateTime, TimeDelta};
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;

use super::rewrite::{AT_TIME_ZONE, CAST};
use crate::fault::SqlError;
use crate::server::Shared;
use crate::wire::types::{Type, datetime, keep};

/// Where a function puts its error, because SQLite passes on only a text.
pub(super) type Wrong = Arc<Mutex<Option<SqlError>>>;

pub(super) fn add(connection: &Connection, shared: &Arc<Shared>, wrong: &Wrong) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let report = Arc::clone(wrong);
    connection.create_scalar_function(CAST, 2, pure, move |context| {
        let kind: String = context.get(1)?;
        let kind = Type::parse(&kind).ok_or_else(|| fail(&report, super::unknown(&kind)))?;
        kind.convert(context.get(0)?).map_err(|error| fail(&report, error))
    })?;
    for (name, kind) in [
        ("getdate", Type::DateTime),
        ("current_timestamp_", Type::DateTime),
        ("sysdatetime", Type::DateTime2(7)),
        ("getutcdate", Type::DateTime),
        ("sysutcdatetime", Type::DateTime2(7)),
        // The server's clock is UTC, and an offset is no part of the value.
        ("sysdatetimeoffset", Type::DateTime2(7)),
    ] {
        let shared = Arc::clone(shared);
        let report = Arc::clone(wrong);
        connection.create_scalar_function(name, 0, FunctionFlags::SQLITE_UTF8, move |_| {
            let now = Value::Text(keep(shared.now()));
            kind.convert(now).map_err(|error| fail(&report, error))
        })?;
    }
    for (name, minutes_of) in [("switchoffset", offset as fn(&str) -> Option<i64>), (AT_TIME_ZONE, zone)] {
        let report = Arc::clone(wrong);
        connection.create_scalar_function(name, 2, pure, move |context| {
            let to: String = context.get(1)?;
            let minutes = minutes_of(&to).ok_or_else(|| fail(&report, super::unknown(&to)))?;
            let at = instant(context, 0, &report)?;
            Ok(at.map(|at| keep(at + TimeDelta::minutes(minutes))))
        })?;
    }
    let report = Arc::clone(wrong);
    connection.create_scalar_function("dateadd", 3, pure, move |context| {
        let (unit, count): (String, i64) = (context.get(0)?, context.get(1)?);
        let span = span(&unit).ok_or_else(|| fail(&report, super::unknown(&unit)))?;
        let at = instant(context, 2, &report)?;
        Ok(at.map(|at| keep(at + span * i32::try_from(count).unwrap_or_default())))
    })?;
    Ok(())
}

/// The minutes of `+02:00`.
fn offset(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let minutes = 60 * hours.parse::<i64>().ok()? + minutes.parse::<i64>().ok()?;
    Some(if text.starts_with('-') { -minutes } else { minutes })
}

/// The minutes of a zone in winter, for the few zones that tests name.
fn zone(name: &str) -> Option<i64> {
    let known = [("UTC", 0), ("Romance Standard Time", 60), ("SA Pacific Standard Time", -300)];
    known.into_iter().find(|(zone, _)| *zone == name).map(|(_, minutes)| minutes)
}

fn instant(context: &Context<'_>, at: usize, report: &Wrong) -> rusqlite::Result<Option<NaiveDateTime>> {
    let text: Option<String> = context.get(at)?;
    text.map(|text| datetime(&text).map_err(|error| fail(report, error))).transpose()
}

fn span(unit: &str) -> Option<TimeDelta> {
    Some(match &*unit.to_ascii_lowercase() {
        "day" | "dd" | "d" => TimeDelta::days(1),
        "hour" | "hh" => TimeDelta::hours(1),
        "minute" | "mi" | "n" => TimeDelta::minutes(1),
        "second" | "ss" | "s" => TimeDelta::seconds(1),
        "millisecond" | "ms" => TimeDelta::milliseconds(1),
        _ => return None,
    })
}

fn fail(report: &Wrong, error: SqlError) -> rusqlite::Error {
    let message = error.message.clone();
    *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    rusqlite::Error::UserFunctionError(message.into())
}
