//! Opens a file and reads it up to its rows: blank lines, Excel's `sep=` line and the header.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::bail;

use super::csv_dialect::{DATETIME, delimiter, sep_line};
use super::file_source::{FileSource, FileText};
use super::header::Header;
use super::lines::Lines;
use super::moment::DatetimeFormat;
use super::records::Records;

/// A file whose rows are still to be read.
pub(super) struct OpenedFile {
    pub(super) records: Records<FileText>,
    pub(super) header: Header,
    pub(super) delimiter: u8,
    /// Bytes that were read so far.
    pub(super) read: Arc<AtomicU64>,
}

impl OpenedFile {
    /// # Errors
    /// The file cannot be read, or its header cannot be right.
    pub(super) fn of(source: &FileSource, format: Option<&DatetimeFormat>) -> anyhow::Result<Self> {
        let text = source.text()?;
        let read = Arc::clone(&text.read);
        let mut lines = Lines::new(text);
        let mut told = None;
        loop {
            if !lines.next()? {
                bail!("it has no column {DATETIME}; it is empty");
            }
            let blank = lines.line.iter().all(|byte| byte.is_ascii_whitespace() || b",;|".contains(byte));
            match sep_line(&lines.line).filter(|_| told.is_none()) {
                Some(divides) => told = Some(divides),
                None if blank => {}
                None => break,
            }
        }
        let delimiter = told.unwrap_or_else(|| delimiter(&lines.line));
        let mut records = Records::new(lines, delimiter);
        records.begin()?;
        let header = Header::read(&records.record)?;
        records.expect_rows(header.datetime, format.cloned());
        Ok(Self { records, header, delimiter, read })
    }
}
