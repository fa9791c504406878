//! The first of two readings of a file, which loads nothing: how it is written, by the evidence of
//! all of it, and what is in it.
//!
//! Its count of cells is what the second reading has to account for.

use std::sync::atomic::Ordering;

use anyhow::bail;

use super::cell::shown;
use super::csv_dialect::{CsvDialect, Evidence};
use super::file_source::FileSource;
use super::header::Header;
use super::moment::{DatetimeFormat, datetime};
use super::opened_file::OpenedFile;
use super::records::CsvRecord;
use crate::cli::args::Decimal;
use crate::datetime::Datetime;

/// How many records are read between two looks at the clock.
const AT_ONCE: u64 = 1000;

/// What a file was found to be.
#[derive(Debug, PartialEq)]
pub(super) struct FileFormat {
    pub(super) form: CsvDialect,
    /// Cells that hold something, but for datetimes.
    pub(super) cells: u64,
    /// Whether no datetime comes after a later one, or none after an earlier one.
    pub(super) in_order: bool,
}

/// Reads a file to its end. `come` is told how many bytes were read, now and then.
///
/// # Errors
/// The file cannot be read, its numbers or datetimes contradict each other, or `come` has one.
pub(super) fn look(
    source: &FileSource,
    format: Option<&DatetimeFormat>,
    decimal: Option<Decimal>,
    mut come: impl FnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<FileFormat> {
    let OpenedFile { mut records, header, delimiter, read } = OpenedFile::of(source, format)?;
    let (mut evidence, mut cells) = (Evidence::default(), 0);
    let mut order = DateOrder::default();
    let mut days = Days { format, swapped: format.and_then(DatetimeFormat::swapped), told: None };
    let mut count = 0;
    while records.next()? {
        let record = &records.record;
        cells += header.cells(record).count() as u64;
        if !header.is_exceeded(record) {
            hear(&mut evidence, &header, record);
        }
        if let Some(at) = days.read(record, header.datetime)? {
            order.take(at);
        }
        count += 1;
        if count % AT_ONCE == 0 {
            come(read.load(Ordering::Relaxed))?;
        }
    }
    let decimal = decimal.map_or_else(|| evidence.decimal(delimiter), Ok)?;
    Ok(FileFormat { form: CsvDialect { delimiter, decimal }, cells, in_order: order.is_kept() })
}

fn hear(evidence: &mut Evidence, header: &Header, record: &CsvRecord) {
    for (place, name) in &header.variables {
        evidence.hear(&record.field(*place), record.line, name);
    }
}

/// In which order datetimes come.
#[derive(Default)]
struct DateOrder {
    last: Option<Datetime>,
    rises: bool,
    falls: bool,
}

impl DateOrder {
    fn take(&mut self, at: Datetime) {
        if let Some(last) = self.last {
            self.rises |= at > last;
            self.falls |= at < last;
        }
        self.last = Some(at);
    }

    fn is_kept(&self) -> bool {
        !(self.rises && self.falls)
    }
}

/// Watches for datetimes that are right only with day and month in each other's place: then those
/// that seem right are wrong as well.
struct Days<'a> {
    format: Option<&'a DatetimeFormat>,
    swapped: Option<DatetimeFormat>,
    /// The first that is right only as told.
    told: Option<(u64, String)>,
}

impl Days<'_> {
    fn read(&mut self, record: &CsvRecord, place: usize) -> anyhow::Result<Option<Datetime>> {
        let cell = record.field(place);
        let at = datetime(&cell, self.format).ok();
        let Some(swapped) = &self.swapped else { return Ok(at) };
        if at.is_some() && self.told.is_some() {
            return Ok(at);
        }
        match (at, datetime(&cell, Some(swapped))) {
            (Some(_), Err(_)) => self.told = Some((record.line, shown(&cell))),
            (None, Ok(_)) => match &self.told {
                Some((line, told)) => bail!(
                    "`{told}` (line {line}) is written as --datetime-format says, and `{}` (line {}) with day and month in each \
                     other's place; mend the file",
                    shown(&cell),
                    record.line
                ),
                None => bail!(
                    "`{}` (line {}) is a datetime only with day and month in each other's place; say --datetime-format \
                     \"{swapped}\"",
                    shown(&cell),
                    record.line
                ),
            },
            _ => {}
        }
        Ok(at)
    }
}
