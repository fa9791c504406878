//! A CSV file as people's programs write it: its encoding, what divides its columns, and what stands before decimals.
//!
//! The form is guessed from the beginning of the file, said in the log, and may be told instead. A file that is no CSV at all is refused
//! with what it is.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::cli::args::Decimal;

/// How much of the file is looked at.
const SAMPLE: u64 = 64 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) delimiter: u8,
    pub(super) decimal: Decimal,
}

/// The name of an encoding, as the web has them.
///
/// # Errors
/// There is no such encoding.
pub(in crate::cli) fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.trim().as_bytes())
        .ok_or_else(|| "it must be an encoding's name, such as `windows-1252` or `utf-16le`".to_owned())
}

/// The text of a file as UTF-8, and a count of its bytes that were read. What is not UTF-8, says no mark and was not told, comes as
/// it is.
pub(super) struct Text {
    decoded: Box<dyn Read + Send>,
    pub(super) length: u64,
    pub(super) read: Arc<AtomicU64>,
}

struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Text {
    pub(super) fn open(path: &Path, told: Option<&'static Encoding>) -> anyhow::Result<Self> {
        let file = File::open(path).context("it cannot be read")?;
        let length = file.metadata().context("it cannot be read")?.len();
        let read = Arc::new(AtomicU64::new(0));
        let mut decoder = DecodeReaderBytesBuilder::new();
        decoder.encoding(told).bom_override(true).utf8_passthru(true).strip_bom(true);
        let decoded = decoder.build(Counted(file, Arc::clone(&read)));
        Ok(Self { decoded: Box::new(decoded), length, read })
    }
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.decoded.read(into)
    }
}

impl Form {
    /// # Errors
    /// The file cannot be read, or is none of text.
    pub(super) fn of(path: &Path, told: Option<&'static Encoding>) -> anyhow::Result<Self> {
        let mut sample = Vec::new();
        Text::open(path, told)?.take(SAMPLE).read_to_end(&mut sample).context("it cannot be read")?;
        if sample.starts_with(b"PK\x03\x04") {
            bail!("this is a workbook or an archive, not text; save it as CSV");
        }
        if sample.contains(&0) {
            bail!("this is no text; a file of UTF-16 without a mark needs --encoding utf-16le");
        }
        Ok(Self::guess(&sample))
    }

    /// The delimiter is the one that the header has most of. Decimals are set off by a comma where a number is, and the comma does
    /// not divide columns.
    fn guess(sample: &[u8]) -> Self {
        let header = sample.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let header = header.unwrap_or_default();
        let outside_quotes = |wanted: u8| {
            let mut quoted = false;
            let counts = header.iter().filter(|&&byte| {
                quoted ^= byte == b'"';
                byte == wanted && !quoted
            });
            counts.count()
        };
        // Of two with the same number the last wins: a comma may stand in a name.
        let marks = [b',', b';', b'\t'].into_iter().filter(|&mark| outside_quotes(mark) > 0);
        let delimiter = marks.max_by_key(|&mark| outside_quotes(mark)).unwrap_or(b',');
        let mut decimal = Decimal::Point;
        if delimiter != b',' {
            let mut records = csv::ReaderBuilder::new();
            records.delimiter(delimiter).flexible(true).trim(csv::Trim::All);
            let mut records = records.from_reader(sample).into_byte_records();
            if records.any(|record| record.is_ok_and(|record| record.iter().any(has_decimal_comma))) {
                decimal = Decimal::Comma;
            }
        }
        Self { delimiter, decimal }
    }
}

/// `12,5` and `-0,5e3`, but neither a name nor a datetime with a comma.
fn has_decimal_comma(cell: &[u8]) -> bool {
    let number = |byte: &u8| byte.is_ascii_digit() || b"+-eE,".contains(byte);
    let mut halves = cell.split(|&byte| byte == b',');
    let (Some(whole), Some(decimals), None) = (halves.next(), halves.next(), halves.next()) else {
        return false;
    };
    cell.iter().all(number)
        && whole.last().is_some_and(u8::is_ascii_digit)
        && decimals.first().is_some_and(u8::is_ascii_digit)
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delimiter = match self.delimiter {
            b'\t' => "tabs".to_owned(),
            byte => format!("`{}`", char::from(byte)),
        };
        let decimal = match self.decimal {
            Decimal::Comma => "comma",
            Decimal::Point => "point",
        };
        write!(f, "columns are divided by {delimiter}, decimals by a {decimal}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_guessed_from_the_beginning() {
        for (text, delimiter, decimal) in [
            ("DATETIME,T1\n2025-01-15,1.5\n", b',', Decimal::Point),
            ("DATETIME;T1\n15/01/2025 10:00;1,5\n", b';', Decimal::Comma),
            ("DATETIME;T1\n2025-01-15;1.5\n", b';', Decimal::Point),
            ("DATETIME;T1;T2\n2025-01-15;15;-0,25E3\n", b';', Decimal::Comma),
            ("DATETIME;\"P, bar\"\n2025-01-15 10:00:00,503;15\n", b';', Decimal::Point),
            ("DATETIME;T, a;T, b\n2025-01-15;1;2\n", b';', Decimal::Point),
            ("\r\nDATETIME\tT1\r\n2025-01-15\t1,5\r\n", b'\t', Decimal::Comma),
            ("DATETIME,T1\n2025-01-15,\"1,5\"\n", b',', Decimal::Point),
            ("\"a;b;c\",T1\n", b',', Decimal::Point),
            ("DATETIME", b',', Decimal::Point),
            ("", b',', Decimal::Point),
        ] {
            assert_eq!(Form::guess(text.as_bytes()), Form { delimiter, decimal }, "{text}");
        }
    }
}
