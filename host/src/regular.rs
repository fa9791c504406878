//! Reads files that other programs or people provide: a module, a model.
//!
//! Only regular files are read: a named pipe would block the reader until something is written, and
//! a device may never end. The file behind a name can change at any moment, so the opened file is
//! checked again; it is opened without blocking, measured by its handle, and read to that length
//! and no further.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is {0}, and only regular files are read")]
    NotRegular(&'static str),
    #[error("it has {} and at most {} are read{}", mib(*.length), mib(*.most), setting(*.key))]
    TooLong { length: u64, most: u64, key: Option<&'static str> },
    /// It grew or shrank: it is being written.
    #[error("it changed while it was read")]
    Changed,
}

/// The limit for one file, and the setting that changes it.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub bytes: u64,
    /// The key in `[detector]`.
    pub key: Option<&'static str>,
}

/// For files that people write by hand, or nearly: settings, a password, certificates.
const SMALL: Most = Most { bytes: 4 << 20, key: None };

/// A small file, complete, through links, with the system's error.
///
/// # Errors
/// As [`read`].
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    read(path, SMALL).map_err(|error| match error {
        Unreadable::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })
}

/// The same of a text.
///
/// # Errors
/// As [`read`], and if it is not UTF-8.
pub fn read_small_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_small(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The complete file, through links.
///
/// # Errors
/// It is not a regular file, is longer than `most`, changes meanwhile, or cannot be read.
pub fn read(path: &Path, most: Most) -> Result<Vec<u8>, Unreadable> {
    // First without opening it, because opening a device may have an effect.
    check(&std::fs::metadata(path)?)?;
    let file = open(path)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    let length = metadata.len();
    if length > most.bytes {
        return Err(Unreadable::TooLong { length, most: most.bytes, key: most.key });
    }
    read_to(file, length)
}

fn read_to(file: impl Read, length: u64) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // One byte more, to see whether it grew.
    let read = file.take(length + 1).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(Unreadable::Changed) }
}

fn setting(key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!(" (`{key}` of `[detector]`)"))
}

fn check(metadata: &Metadata) -> Result<(), Unreadable> {
    if metadata.is_file() { Ok(()) } else { Err(Unreadable::NotRegular(kind(metadata))) }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// The kind of a file that is not regular, in words.
#[cfg(unix)]
pub(crate) fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "something else",
    }
}

/// The kind of a file that is not regular, in words.
#[cfg(not(unix))]
pub(crate) fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() { "a directory" } else { "no file of the usual kind" }
}

fn mib(bytes: u64) -> String {
    match (bytes >> 20, bytes % (1 << 20)) {
        (whole, 0) => format!("{whole} MiB"),
        (whole, rest) => format!("{whole}.{} MiB", (rest * 10) >> 20),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn the_length_is_that_of_the_opened_file() {
        for (length, expected) in [(4, Some("text")), (3, None), (5, None), (0, None)] {
            let read = read_to(&b"text"[..], length);
            assert_eq!(read.ok(), expected.map(|text| text.as_bytes().to_vec()), "{length}");
        }
        // A file that grows faster than it is read, or never ends.
        assert!(matches!(read_to(io::repeat(0), 10), Err(Unreadable::Changed)));
    }

    #[test]
    fn a_file_longer_than_allowed_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        // Takes no room on the disk.
        File::create(&path).unwrap().set_len((64 << 20) + (1 << 19)).unwrap();
        let most = Most { bytes: 64 << 20, key: Some("model_mib") };
        let refused = read(&path, most).unwrap_err().to_string();
        assert_eq!(refused, "it has 64.5 MiB and at most 64 MiB are read (`model_mib` of `[detector]`)");
        File::options().write(true).open(&path).unwrap().set_len(64 << 20).unwrap();
        assert_eq!(read(&path, most).unwrap().len(), 64 << 20);
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (link, target) in
            [("link", "file"), ("zero", "/dev/zero"), ("pipes", "pipe"), ("nowhere", "gone")]
        {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        let not = |kind: &str| Err(format!("it is {kind}, and only regular files are read"));
        for (name, expected) in [
            ("file", Ok("text".to_owned())),
            ("link", Ok("text".to_owned())),
            ("directory", not("a directory")),
            ("pipe", not("a named pipe")),
            ("pipes", not("a named pipe")),
            ("socket", not("a socket")),
            ("zero", not("a device")),
            ("nowhere", Err("No such file or directory (os error 2)".to_owned())),
        ] {
            let read = read(&at(name), Most { bytes: 100, key: None });
            let read = read.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|error| error.to_string());
            assert_eq!(read, expected, "{name}");
        }
    }
}
