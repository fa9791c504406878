//! The records of a CSV text. Each is a line, or several if a quoted cell goes over several lines.
//!
//! Such a cell may be a mistake: a single wrong quote makes one cell of all rows to the next quote.
//! The cell is accepted only if it ends and none of its lines could be a row of its own.

use std::borrow::Cow;
use std::io::Read;

use anyhow::bail;

use super::lines::Lines;
use super::moment::{DatetimeFormat, datetime};

/// The most lines of one cell.
const MOST_LINES: u64 = 200;

/// A record, field by field.
#[derive(Default)]
pub(super) struct CsvRecord {
    bytes: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    fields: usize,
    /// The line in which it begins.
    pub(super) line: u64,
    /// The line in which it ends.
    pub(super) last_line: u64,
    /// Whether its last line has an end.
    pub(super) ended: bool,
}

impl CsvRecord {
    pub(super) fn len(&self) -> usize {
        self.fields
    }

    /// A field without blanks around it. It is empty if the record has no such field. A byte order
    /// mark counts as a blank: files that were put together have one at each former beginning.
    pub(super) fn field(&self, place: usize) -> Cow<'_, str> {
        let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        match String::from_utf8_lossy(self.bytes_of(place)) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(blank)),
            Cow::Owned(text) => Cow::Owned(text.trim_matches(blank).to_owned()),
        }
    }

    pub(super) fn is_utf8(&self, place: usize) -> bool {
        std::str::from_utf8(self.bytes_of(place)).is_ok()
    }

    fn bytes_of(&self, place: usize) -> &[u8] {
        let from = if place == 0 { Some(0) } else { self.ends[..self.fields].get(place - 1).copied() };
        match (from, self.ends[..self.fields].get(place)) {
            (Some(from), Some(&to)) => &self.bytes[from..to],
            _ => &[],
        }
    }

    /// Whether a cell has the delimiter in it.
    pub(super) fn holds(&self, delimiter: u8) -> bool {
        self.bytes[..self.written].contains(&delimiter)
    }

    fn is_blank(&self) -> bool {
        (0..self.fields).all(|place| self.field(place).is_empty())
    }

    fn begin(&mut self, line: u64) {
        (self.written, self.fields, self.line) = (0, 0, line);
    }

    /// Takes a line, which ends in a line feed. True if a quote is still open at its end.
    fn take(&mut self, core: &mut csv_core::Reader, delimiter: u8, mut line: &[u8]) -> bool {
        // The line fits: a byte gives at most one, and a field ends at a delimiter or at the end.
        self.bytes.resize(self.bytes.len().max(self.written + line.len()), 0);
        let most = self.fields + memchr::memchr_iter(delimiter, line).count() + 1;
        self.ends.resize(self.ends.len().max(most), 0);
        while !line.is_empty() {
            let (result, read, written, fields) =
                core.read_record(line, &mut self.bytes[self.written..], &mut self.ends[self.fields..]);
            self.written += written;
            self.fields += fields;
            line = &line[read..];
            if result == csv_core::ReadRecordResult::Record {
                return false;
            }
        }
        true
    }
}

/// How a row is distinguished from a line of a quoted cell: a row has a datetime.
struct RowSign {
    place: usize,
    format: Option<DatetimeFormat>,
}

/// The records that are still to be read.
pub(super) struct Records<R> {
    lines: Lines<R>,
    core: csv_core::Reader,
    delimiter: u8,
    pub(super) record: CsvRecord,
    sign: Option<RowSign>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(lines: Lines<R>, delimiter: u8) -> Self {
        let core = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Self { lines, core, delimiter, record: CsvRecord::default(), sign: None }
    }

    /// What follows are rows, with a datetime in the column `place`.
    pub(super) fn expect_rows(&mut self, place: usize, format: Option<DatetimeFormat>) {
        self.sign = Some(RowSign { place, format });
    }

    /// Reads the next record that is not blank. False at the end.
    ///
    /// # Errors
    /// The text cannot be read any further, or a quoted cell would contain rows.
    pub(super) fn next(&mut self) -> anyhow::Result<bool> {
        while self.lines.next()? {
            self.begin()?;
            if !self.record.is_blank() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes a record of the line that was just read.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        self.core.reset();
        self.record.begin(self.lines.number);
        if self.lines.line.iter().any(|byte| !byte.is_ascii_whitespace() || *byte == self.delimiter) {
            self.lines.line.push(b'\n');
            while self.record.take(&mut self.core, self.delimiter, &self.lines.line) {
                self.go_on()?;
            }
        }
        (self.record.last_line, self.record.ended) = (self.lines.number, self.lines.ended);
        Ok(())
    }

    /// Reads the next line of a quoted cell.
    fn go_on(&mut self) -> anyhow::Result<()> {
        let opened = self.record.line;
        let Some(sign) = &self.sign else {
            bail!(
                "line {opened}: a quote opens the name of a column and is not closed in its line; remove it, or close it"
            );
        };
        if !self.lines.next()? {
            bail!(
                "line {opened}: a quote opens a cell and is not closed to the end of the file; remove it, or close it"
            );
        }
        let number = self.lines.number;
        let field = self.lines.line.split(|byte| *byte == self.delimiter).nth(sign.place).unwrap_or_default();
        let field = String::from_utf8_lossy(field);
        if datetime(field.trim_matches(|c: char| c.is_whitespace() || c == '"'), sign.format.as_ref()).is_ok()
        {
            bail!(
                "line {opened}: a quote opens a cell that would swallow line {number}, which is a row of its own; remove the \
                 quote, or close it"
            );
        }
        if number - opened >= MOST_LINES {
            bail!(
                "line {opened}: a quote opens a cell and is not closed within {MOST_LINES} lines; remove it, or close it"
            );
        }
        self.lines.line.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records as `line-last: fields`, or the error.
    fn read(text: &str) -> Vec<String> {
        let mut records = Records::new(Lines::new(text.as_bytes()), b';');
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(false) => return found,
                Ok(true) => {
                    let record = &records.record;
                    let fields: Vec<_> = (0..record.len()).map(|place| record.field(place)).collect();
                    found.push(format!("{}-{}: {}", record.line, record.last_line, fields.join("|")));
                    records.expect_rows(0, None);
                }
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
    }

    #[test]
    fn a_quoted_cell_may_have_lines_and_may_not_swallow_rows() {
        for (text, expected) in [
            (
                "DATETIME;A\n2025-01-15; 1 \n\n;;\n  \n2025-01-16;\"2\"\n",
                vec!["1-1: DATETIME|A", "2-2: 2025-01-15|1", "6-6: 2025-01-16|2"],
            ),
            ("DATETIME;A\n2025-01-15;\"a\"\"b;c\"\n", vec!["1-1: DATETIME|A", "2-2: 2025-01-15|a\"b;c"]),
            (
                "DATETIME;A\n2025-01-15;\"a\r\n\r\nb\";5\n2025-01-16;1",
                vec!["1-1: DATETIME|A", "2-4: 2025-01-15|a\n\nb|5", "5-5: 2025-01-16|1"],
            ),
            ("DATETIME;A\n2025-01-15;12\" pipe\n", vec!["1-1: DATETIME|A", "2-2: 2025-01-15|12\" pipe"]),
            (
                "DATETIME;A\n2025-01-15;\"ok\n2025-01-16;1\n",
                vec![
                    "1-1: DATETIME|A",
                    "line 2: a quote opens a cell that would swallow line 3, which is a row of its own; remove the quote, or close it",
                ],
            ),
            (
                "DATETIME;A\n\"2025-01-15;1\n\"2025-01-16\";1\n",
                vec![
                    "1-1: DATETIME|A",
                    "line 2: a quote opens a cell that would swallow line 3, which is a row of its own; remove the quote, or close it",
                ],
            ),
            (
                "DATETIME;A\n2025-01-15;\"ok\n",
                vec![
                    "1-1: DATETIME|A",
                    "line 2: a quote opens a cell and is not closed to the end of the file; remove it, or close it",
                ],
            ),
            (
                "DATETIME;\"A\nB\"\n2025-01-15;1\n",
                vec![
                    "line 1: a quote opens the name of a column and is not closed in its line; remove it, or close it",
                ],
            ),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        let long = format!("DATETIME;A\n2025-01-15;\"{}\"\n", "x\n".repeat(300));
        let said = "line 2: a quote opens a cell and is not closed within 200 lines; remove it, or close it";
        assert_eq!(read(&long).last().map(String::as_str), Some(said));
    }
}
