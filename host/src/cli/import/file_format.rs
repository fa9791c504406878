//! The first of the two times that a file is read. It loads nothing: it finds out how the whole
//! file is written, and counts the cells.
//!
//! The second time has to account for as many cells.

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

/// How many records are read between two reports of the progress.
const AT_ONCE: u64 = 1000;

/// What a file was found to be.
#[derive(Debug, PartialEq)]
pub(super) struct FileFormat {
    pub(super) form: CsvDialect,
    /// Cells that are not empty, without the datetimes.
    pub(super) cells: u64,
    /// Whether the datetimes never fall, or never rise, from row to row.
    pub(super) in_order: bool,
}

/// Reads a file to its end. Now and then it calls `come` with the number of bytes read so far.
///
/// # Errors
/// The file cannot be read, its numbers or datetimes contradict each other, or `come` returned an
/// error.
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

/// In which order the datetimes are.
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

/// Finds datetimes that can be read only with day and month exchanged. If there are any, the others
/// are probably read wrongly too.
struct Days<'a> {
    format: Option<&'a DatetimeFormat>,
    swapped: Option<DatetimeFormat>,
    /// The line and the cell of the first one that can be read only as the format says.
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
