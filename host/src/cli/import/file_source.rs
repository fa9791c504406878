//! The bytes of a file, and its text: whatever the encoding, and as often from the beginning as it
//! is read.
//!
//! A file is read twice, so what is no file (a pipe, standard input) is copied to a temporary one
//! first. What is added to it while it is read is left to the next time.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;

/// How much of the text is looked at to tell what it is.
const SAMPLE: u64 = 64 * 1024;

/// What VARCHAR(255) takes.
const LONGEST_NAME: usize = 255;

/// What other files begin with, and what they are.
const OTHERS: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a workbook or an archive, not text; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "a workbook, not text; save it as CSV"),
    (b"\x1f\x8b", "compressed; unpack it first"),
    (b"SQLite format 3\0", "a database, not text; export its table as CSV"),
];

/// The name of an encoding, as the web has them.
///
/// # Errors
/// There is no such encoding.
pub(in crate::cli) fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.trim().as_bytes())
        .ok_or_else(|| "it must be an encoding's name, such as `windows-1252` or `utf-16le`".to_owned())
}

/// A file that is read from its beginning, more than once.
pub(super) struct FileSource {
    file: File,
    /// Its bytes when it was opened.
    pub(super) length: u64,
    /// Without its directories.
    pub(super) name: Arc<str>,
    told: Option<&'static Encoding>,
}

impl FileSource {
    /// `-` is standard input.
    ///
    /// # Errors
    /// The file cannot be read, or is none of text.
    pub(super) fn open(path: &Path, told: Option<&'static Encoding>) -> anyhow::Result<Self> {
        const UNREADABLE: &str = "it cannot be read";
        let (file, name) = if path == Path::new("-") {
            (whole(io::stdin().lock())?, "stdin".into())
        } else {
            let file = File::open(path).context(UNREADABLE)?;
            let regular = file.metadata().context(UNREADABLE)?.is_file();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A directory is none either, and says so when it is read.
            (if regular { file } else { whole(file)? }, name.chars().take(LONGEST_NAME).collect::<String>())
        };
        let length = file.metadata().context(UNREADABLE)?.len();
        let source = Self { file, length, name: name.into(), told };
        source.expect_text()?;
        Ok(source)
    }

    /// The text from the beginning, as UTF-8. What is not UTF-8, says no mark and was not told,
    /// comes as it is.
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

/// A copy that goes with this process.
fn whole(mut from: impl Read) -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("there is no room for a temporary copy")?;
    io::copy(&mut from, &mut file).context("it cannot be read")?;
    Ok(file)
}

/// The text of a file, and a count of its bytes that were read.
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
