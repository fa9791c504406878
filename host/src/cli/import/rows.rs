//! The rows of a wide file, each as the readings of one datetime.
//!
//! A header that cannot be right refuses the file. Below it, what is wrong costs its cell, or its row, and is handed to [`Wrong`].

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow, bail};
use csv::ByteRecord;
use encoding_rs::Encoding;

use super::cell;
use super::file::{Form, Text};
use super::wrong::Wrong;
use crate::datetime::Datetime;
use crate::reading::Reading;

/// The column of the datetimes, in upper or lower case.
const DATETIME: &str = "DATETIME";

/// What VARCHAR(100) and VARCHAR(255) take.
const LONGEST_NAME: usize = 100;
const LONGEST_FILE: usize = 255;

/// The rows of a file that are still to be read.
pub(super) struct Rows {
    csv: csv::Reader<Text>,
    record: ByteRecord,
    length: u64,
    read: Arc<AtomicU64>,
    form: Form,
    datetime_format: Option<String>,
    file: Arc<str>,
    fields: usize,
    datetime: usize,
    variables: Vec<Variable>,
    tally: Tally,
}

/// A column of readings.
struct Variable {
    name: Arc<str>,
    /// Among the fields of a row.
    place: usize,
    /// Whether it had a reading yet.
    seen: bool,
}

/// What the rows that were read held.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) readings: u64,
    /// The first and the last datetime of a reading.
    pub(super) span: Option<(Datetime, Datetime)>,
    variables: usize,
}

impl Tally {
    /// How many variables had a reading.
    pub(super) fn variables(&self) -> usize {
        self.variables
    }
}

impl Rows {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It cannot be read, is not UTF-8, or its header has no DATETIME, no variable, or one twice.
    pub(super) fn open(
        path: &Path,
        encoding: Option<&'static Encoding>,
        form: Form,
        datetime_format: Option<String>,
    ) -> anyhow::Result<Self> {
        let text = Text::open(path, encoding)?;
        let (length, read) = (text.length, Arc::clone(&text.read));
        let mut csv = csv::ReaderBuilder::new();
        csv.delimiter(form.delimiter).flexible(true).trim(csv::Trim::All);
        let mut csv = csv.from_reader(text);
        let header = csv.byte_headers().context("it cannot be read")?;
        let names: Vec<String> = header.iter().map(name).collect::<anyhow::Result<_>>()?;
        let (datetime, variables) = columns(&names)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            csv,
            record: ByteRecord::new(),
            length,
            read,
            form,
            datetime_format,
            file: file.chars().take(LONGEST_FILE).collect::<String>().into(),
            fields: names.len(),
            datetime,
            variables,
            tally: Tally::default(),
        })
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Of those, how many were read.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The readings of the next row; none of a row that is passed over. None at the end.
    ///
    /// # Errors
    /// The file cannot be read any further.
    pub(super) fn next(&mut self, wrong: &mut Wrong) -> anyhow::Result<Option<Vec<Reading>>> {
        if !self.csv.read_byte_record(&mut self.record).context("it cannot be read to its end")? {
            return Ok(None);
        }
        // Spreadsheets end in rows of nothing but delimiters.
        if self.record.iter().all(<[u8]>::is_empty) {
            return Ok(Some(Vec::new()));
        }
        self.tally.rows += 1;
        let line = self.record.position().map_or(0, csv::Position::line);
        if self.record.len() != self.fields {
            wrong.row(line, &format!(" has {} fields and the header {}", self.record.len(), self.fields));
            return Ok(Some(Vec::new()));
        }
        let text = |place: usize| String::from_utf8_lossy(self.record.get(place).unwrap_or_default());
        let at = match cell::datetime(&text(self.datetime), self.datetime_format.as_deref()) {
            Ok(at) => at,
            Err(why) => {
                wrong.row(line, &format!(", column `{DATETIME}`: {why}"));
                return Ok(Some(Vec::new()));
            }
        };
        let mut readings = Vec::with_capacity(self.variables.len());
        for Variable { name, place, seen } in &mut self.variables {
            match cell::number(&text(*place), self.form.decimal) {
                Ok(None) => {}
                Ok(value) => {
                    self.tally.variables += usize::from(!*seen);
                    *seen = true;
                    readings.push(Reading {
                        id: None,
                        datetime: at,
                        variable: Arc::clone(name),
                        value,
                        source_file: Some(Arc::clone(&self.file)),
                    });
                }
                Err(why) => wrong.cell(line, name, &why),
            }
        }
        if !readings.is_empty() {
            let (first, last) = self.tally.span.unwrap_or((at, at));
            self.tally.span = Some((first.min(at), last.max(at)));
            self.tally.readings += readings.len() as u64;
        }
        Ok(Some(readings))
    }
}

fn name(field: &[u8]) -> anyhow::Result<String> {
    match std::str::from_utf8(field) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(anyhow!(
            "column `{}` is not UTF-8 text; save the file as \"CSV UTF-8\", or say --encoding windows-1252",
            cell::shown(&String::from_utf8_lossy(field))
        )),
    }
}

/// Where the datetime is, and where each variable is. A column without a name is the index that pandas writes.
fn columns(names: &[String]) -> anyhow::Result<(usize, Vec<Variable>)> {
    let mut known = HashSet::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let shown = cell::shown(name);
        if !known.insert(name) {
            bail!("it has two columns `{shown}`; keep one");
        }
        let characters = name.chars().count();
        if characters > LONGEST_NAME {
            bail!(
                "the name of column `{shown}` has {characters} characters; a variable's takes at most {LONGEST_NAME}"
            );
        }
    }
    let datetime = names.iter().position(|name| name.eq_ignore_ascii_case(DATETIME)).ok_or_else(|| {
        let shown: Vec<String> =
            names.iter().take(10).map(|name| format!("`{}`", cell::shown(name))).collect();
        let more = if names.len() > shown.len() { " and more" } else { "" };
        match shown.as_slice() {
            [] => anyhow!("it has no column {DATETIME}; it is empty"),
            shown => anyhow!("it has no column {DATETIME}; its columns are {}{more}", shown.join(", ")),
        }
    })?;
    let variables: Vec<_> = names
        .iter()
        .enumerate()
        .filter(|(place, name)| *place != datetime && !name.is_empty())
        .map(|(place, name)| Variable { name: name.as_str().into(), place, seen: false })
        .collect();
    if variables.is_empty() {
        bail!("it has no column besides {DATETIME}; each variable needs one");
    }
    Ok((datetime, variables))
}
