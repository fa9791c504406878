//! Converts a row of the input table into a reading, or into the error that is wrong with it. Lives
//! for one page, whose names it shares.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::datetime::DatetimeForm;
use crate::datetime::Datetime;
use crate::reading::{Malformed, Reading, ScannedRow};

/// How much of an invalid value is shown in a message.
const SHOWN_CHARS: usize = 60;

/// 2025-01-15 10:00:00.
const EXAMPLE: Datetime = Datetime::from_micros(1_736_935_200_000_000);

/// The columns of [`decode`](RowReader::decode), in its order.
pub(super) fn columns(has_key: bool, has_source_file: bool) -> String {
    format!(
        "{}, datetime, variable_name, value, {}",
        if has_key { "id" } else { "NULL" },
        if has_source_file { "source_file" } else { "NULL" }
    )
}

/// Converts rows into readings; a datetime of another form than the column's is not valid.
/// Consecutive rows often have the same datetime, and there are few variables and files: each text
/// is converted once.
#[derive(Default)]
pub(super) struct RowReader {
    form: DatetimeForm,
    names: HashSet<Arc<str>>,
    last: Option<(String, Option<Datetime>)>,
}

impl RowReader {
    pub(super) fn new(form: DatetimeForm) -> Self {
        Self { form, ..Self::default() }
    }

    pub(super) fn decode(&mut self, row: &Row<'_>) -> rusqlite::Result<ScannedRow> {
        let id: Option<i64> = row.get(0)?;
        let datetime = row.get_ref(1)?;
        let at = self.instant(datetime);
        let malformed = |why| Ok(ScannedRow::Malformed(Malformed { id, datetime: at, why }));
        let Some(datetime) = at else {
            let right = self.form.text(EXAMPLE);
            return malformed(format!("datetime is {}; right would be `{right}`", shown(datetime)));
        };
        let variable = row.get_ref(2)?;
        let Some(name) = text(variable) else {
            return malformed(format!("variable_name is {}; right would be a text", shown(variable)));
        };
        let found = row.get_ref(3)?;
        let value = match found {
            ValueRef::Null => None,
            #[expect(
                clippy::cast_precision_loss,
                reason = "a count beyond 2^53 loses its last digits, as it would in Python"
            )]
            ValueRef::Integer(number) => Some(number as f64),
            ValueRef::Real(number) => Some(number),
            ValueRef::Text(_) | ValueRef::Blob(_) => {
                return malformed(format!(
                    "value of `{}` is {}; right would be a number",
                    short(name),
                    shown(found)
                ));
            }
        };
        let variable = self.shared(name);
        let source_file = text(row.get_ref(4)?).map(|file| self.shared(file));
        Ok(ScannedRow::Reading(Reading { id, datetime, variable, value, source_file }))
    }

    /// The instant in a column, if there is one.
    pub(super) fn instant(&mut self, datetime: ValueRef<'_>) -> Option<Datetime> {
        let text = text(datetime)?;
        match &self.last {
            Some((last, at)) if last == text => *at,
            _ => {
                let at = self.form.parse(text);
                self.last = Some((text.to_owned(), at));
                at
            }
        }
    }

    pub(super) fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// A value in the form for messages.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => format!("the number {number}"),
        ValueRef::Real(number) => format!("the number {number}"),
        ValueRef::Text(bytes) => format!("the text `{}`", short(&String::from_utf8_lossy(bytes))),
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
