//! The bytes of a file, and its text in UTF-8 whatever its encoding. It can be read from the
//! beginning more than once.
//!
//! A file is read twice. What is not a regular file (a pipe, standard input) is therefore copied to
//! a temporary one first. What is added to the file meanwhile is not read.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;

/// How many bytes of the text are examined to see whether it is text.
const SAMPLE: u64 = 64 * 1024;

/// The length of VARCHAR(255).
const LONGEST_NAME: usize = 255;

/// How files of other kinds begin, and what a message says of them.
const OTHERS: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a workbook or an archive, not text; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "a workbook, not text; save it as CSV"),
    (b"\x1f\x8b", "compressed; unpack it first"),
    (b"SQLite format 3\0", "a database, not text; export its table as CSV"),
];

/// The encoding of a name, one of those that web browsers know.
///
/// # Errors
/// There is no such encoding.
pub(in crate::cli) fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.trim().as_bytes())
        .ok_or_else(|| "it must be an encoding's name, such as `windows-1252` or `utf-16le`".to_owned())
}

/// A file that can be read from its beginning more than once.
pub(super) struct FileSource {
    file: File,
    /// How many bytes it had when it was opened.
    pub(super) length: u64,
    /// The file's name without its directories.
    pub(super) name: Arc<str>,
    told: Option<&'static Encoding>,
}

impl FileSource {
    /// `-` is standard input.
    ///
    /// # Errors
    /// The file cannot be read, or it is not text.
    pub(super) fn open(path: &Path, told: Option<&'static Encoding>) -> anyhow::Result<Self> {
        const UNREADABLE: &str = "it cannot be read";
        let (file, name) = if path == Path::new("-") {
            (whole(io::stdin().lock())?, "stdin".into())
        } else {
            let file = File::open(path).context(UNREADABLE)?;
            let regular = file.metadata().context(UNREADABLE)?.is_file();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A directory is not a regular file either. Reading it gives the error.
            (if regular { file } else { whole(file)? }, name.chars().take(LONGEST_NAME).collect::<String>())
        };
        let length = file.metadata().context(UNREADABLE)?.len();
        let source = Self { file, length, name: name.into(), told };
        source.expect_text()?;
        Ok(source)
    }

    /// The text from the beginning, as UTF-8. Where neither the caller nor a byte order mark names
    /// an encoding, the bytes are not changed.
    pub(super) fn text(&self) -> anyhow::Result<FileText> {
        let mut file = self.file.try_clone().context("it cannot be read")?;
        file.rewind().context("it cannot be read")?;
        let read = Arc::new(AtomicU64::new(0));
        let mut decoder = DecodeReaderBytesBuilder::new();
        decoder.encoding(self.told).bom_override(true).utf8_passthru(true).strip_bom(true);
        let counted = Counted(file.take(self.length), Arc::clone(&read));
        Ok(FileText { decoded: Box::new(decoder.build(counted)), read })
    }

    fn expect_text(&self) -> anyhow::Result<()> {
        let mut sample = Vec::new();
        self.text()?.take(SAMPLE).read_to_end(&mut sample).context("it cannot be read")?;
        if let Some((_, what)) = OTHERS.iter().find(|(begin, _)| sample.starts_with(begin)) {
            bail!("this is {what}");
        }
        if sample.contains(&0) {
            bail!("this is no text; a file of UTF-16 without a mark needs --encoding utf-16le");
        }
        Ok(())
    }
}

/// A temporary copy, which is deleted when it is closed.
fn whole(mut from: impl Read) -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("there is no room for a temporary copy")?;
    io::copy(&mut from, &mut file).context("it cannot be read")?;
    Ok(file)
}

/// The text of a file, and how many of the file's bytes were read.
pub(super) struct FileText {
    decoded: Box<dyn Read + Send>,
    pub(super) read: Arc<AtomicU64>,
}

impl Read for FileText {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.decoded.read(into)
    }
}

struct Counted(io::Take<File>, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
