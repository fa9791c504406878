//! The rows of a wide file, each as the values of one datetime. A cell or a row that is wrong is
//! passed over and told to [`Wrong`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cell;
use super::csv_dialect::{CsvDialect, DATETIME};
use super::file_source::{FileSource, FileText};
use super::header::Header;
use super::moment::{DatetimeFormat, datetime};
use super::opened_file::OpenedFile;
use super::records::{CsvRecord, Records};
use super::rejects::Wrong;
use crate::datetime::Datetime;

/// The rows of a file that are still to be read.
pub(super) struct FileRows {
    records: Records<FileText>,
    header: Header,
    /// The numbers of the columns that have no name.
    nameless: Vec<usize>,
    /// How many fields a row needs to have all columns with a name.
    named: usize,
    form: CsvDialect,
    format: Option<DatetimeFormat>,
    read: Arc<AtomicU64>,
    /// Rows with fewer fields than that: how many, and the line of the first.
    pub(super) short: (u64, u64),
    /// Rows that were read.
    pub(super) count: u64,
}

/// A row.
pub(super) struct FileRow {
    pub(super) line: u64,
    pub(super) at: Datetime,
    /// Each with the variable's number.
    pub(super) readings: Vec<(usize, f64)>,
}

impl FileRows {
    /// # Errors
    /// The file cannot be read, or its header cannot be right.
    pub(super) fn open(
        source: &FileSource,
        form: CsvDialect,
        format: Option<&DatetimeFormat>,
    ) -> anyhow::Result<Self> {
        let OpenedFile { records, header, read, .. } = OpenedFile::of(source, format)?;
        let places = header.variables.iter().map(|(place, _)| *place);
        let named = places.chain([header.datetime]).max().map_or(0, |last| last + 1);
        let has_name = |place: usize| {
            place == header.datetime
                || Some(place) == header.index
                || header.variables.binary_search_by_key(&place, |(place, _)| *place).is_ok()
        };
        let nameless = (0..header.fields).filter(|place| !has_name(*place)).collect();
        let format = format.cloned();
        Ok(Self { records, header, nameless, named, form, format, read, short: (0, 0), count: 0 })
    }

    /// How many of the file's bytes were read.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The name of each variable.
    pub(super) fn variable(&self, number: usize) -> Option<&Arc<str>> {
        self.header.variables.get(number).map(|(_, name)| name)
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.header.variables.iter().map(|(_, name)| Arc::clone(name)).collect()
    }

    /// The next row that is not passed over. None at the end.
    ///
    /// # Errors
    /// The file cannot be read any further.
    pub(super) fn next(&mut self, wrong: &mut Wrong) -> anyhow::Result<Option<FileRow>> {
        while self.records.next()? {
            self.count += 1;
            if let Some(row) = self.row(wrong) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn row(&mut self, wrong: &mut Wrong) -> Option<FileRow> {
        let (record, header) = (&self.records.record, &self.header);
        let line = record.line;
        let cells = || header.cells(record).count() as u64;
        let found = datetime(&record.field(header.datetime), self.format.as_ref());
        let at = match (self.odd_width(record), found) {
            (None, Ok(at)) => at,
            (Some(why), _) => {
                wrong.row(line, &why, cells());
                return None;
            }
            (None, Err(why)) => {
                wrong.row(line, &format!(", column `{DATETIME}`: {why}"), cells());
                return None;
            }
        };
        if record.len() < self.named {
            self.short = (self.short.0 + 1, if self.short.0 == 0 { line } else { self.short.1 });
        }
        let mut readings = Vec::with_capacity(header.variables.len());
        for (number, (place, name)) in header.variables.iter().enumerate() {
            match cell::number(&record.field(*place), self.form.decimal) {
                Ok(None) => {}
                Ok(Some(value)) => readings.push((number, value)),
                Err(why) => wrong.cell(line, name, &why),
            }
        }
        for &place in &self.nameless {
            let field = record.field(place);
            if !cell::is_none(&field) {
                let why = format!("`{}` stands in a column that has no name", cell::shown(&field));
                wrong.cell(line, &format!("number {}", place + 1).into(), &why);
            }
        }
        Some(FileRow { line, at, readings })
    }

    /// Why the number of a row's fields makes the row wrong. Fields may be missing at its end, as
    /// spreadsheets leave out empty ones, unless something in the row suggests that its cells are
    /// not in their columns.
    fn odd_width(&self, record: &CsvRecord) -> Option<String> {
        let widths = || format!(" has {} fields and the header {}", record.len(), self.header.fields);
        if record.len() >= self.named {
            return self.header.is_exceeded(record).then(widths);
        }
        let number = |place: usize| cell::number(&record.field(place), self.form.decimal).is_ok();
        let places = self.header.variables.iter().map(|(place, _)| *place);
        if !record.ended {
            Some(format!("{}, and the file ends in it", widths()))
        } else if record.holds(self.form.delimiter) {
            Some(format!("{}, and a quoted cell holds what divides cells", widths()))
        } else if !places.take_while(|place| *place < record.len()).all(number) {
            Some(format!("{}, and a cell that is no number", widths()))
        } else {
            None
        }
    }
}
