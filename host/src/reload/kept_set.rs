//! The set that judged last, as a file.
//!
//! It holds all that the set is opened from: the module, and each model file in the form that the
//! detector uses, which for the built-in one is a small part of the user's file. It is written
//! under a temporary name, flushed and renamed, so that the old one or the new one is there and
//! never a part of one. It is used only if its digest is right, if it was kept for this worker and
//! these files, and if nobody else can have written it.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::set_source::SetSource;
use crate::detector::cache::private;
use crate::detector::{Digest, Set, SetParts};

/// Changes with everything that changes what the bytes mean.
const MAGIC: &[u8] = b"anomaly-worker set 1\n";

/// The most sets of one directory. Workers that no longer exist leave sets behind; the oldest are
/// removed first.
const MOST_SETS: usize = 32;

/// After this time a temporary file is one of a process that was killed.
const STALE: Duration = Duration::from_secs(3600);

/// Where the set of one worker is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptFile {
    path: PathBuf,
    key: Digest,
}

/// A kept set.
pub(super) struct KeptSet {
    pub(super) set: Set,
    /// The digest of the set with the settings that it judged with.
    pub(super) digest: String,
    /// Those settings.
    pub(super) settings: String,
    pub(super) kept_at: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct KeptHeader {
    key: Digest,
    digest: String,
    /// Since 1970.
    kept_at: Duration,
    settings: String,
    parts: SetParts,
    /// Of the module, then of each file, in bytes.
    lengths: Vec<u64>,
}

impl KeptFile {
    /// In this directory, for this worker's sets made of these files.
    pub(super) fn new(directory: &Path, worker: &str, source: &SetSource) -> Self {
        let mut key = Sha256::new();
        let mut text = |text: &[u8]| {
            key.update((text.len() as u64).to_le_bytes());
            key.update(text);
        };
        text(worker.as_bytes());
        // With the configured paths: the target of a link may be replaced, and a share may not be
        // mounted.
        for path in [source.module.as_deref().unwrap_or(Path::new("")), &source.models] {
            text(path.as_os_str().as_encoded_bytes());
        }
        let key: Digest = key.finalize().into();
        let name: String = key[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { path: directory.join("last-good").join(name), key }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn open(&self) -> io::Result<File> {
        private::check(self.directory())?;
        private::open(&self.path)
    }

    /// Whether the set of this digest is kept here, undamaged. Marks it as in use.
    pub(super) fn holds(&self, digest: &str) -> io::Result<bool> {
        let mut reader = Verified::over(self.open()?);
        let Ok(header) = self.header(&mut reader) else { return Ok(false) };
        if header.digest != digest || reader.rest(&header).is_err() {
            return Ok(false);
        }
        // A file that is in use must not be the oldest one.
        let touched = File::options().write(true).open(&self.path);
        let _ = touched.and_then(|file| file.set_modified(SystemTime::now()));
        Ok(true)
    }

    /// The kept set, with these settings; None if there is none.
    ///
    /// # Errors
    /// It is damaged, longer than `most` bytes, writable by others, or cannot be read.
    pub(super) fn read(
        &self,
        models_dir: String,
        settings: String,
        most: u64,
    ) -> io::Result<Option<KeptSet>> {
        let file = match self.open() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if file.metadata()?.len() > most {
            return Err(io::Error::other("it is longer than this program writes it"));
        }
        let mut reader = Verified::over(file);
        let header = self.header(&mut reader)?;
        let bytes = reader.rest(&header)?;
        let (digest, kept_at) = (header.digest, SystemTime::UNIX_EPOCH + header.kept_at);
        let same_settings = settings == header.settings;
        let set = Set::of_parts(header.parts, bytes.into_iter(), models_dir, settings).ok_or_else(damaged)?;
        if same_settings && set.digest != digest {
            return Err(damaged());
        }
        Ok(Some(KeptSet { set, digest, settings: header.settings, kept_at }))
    }

    fn header(&self, reader: &mut Verified) -> io::Result<KeptHeader> {
        if reader.take(MAGIC.len() as u64)? != MAGIC {
            return Err(damaged());
        }
        let length = reader.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| damaged())?;
        let header: KeptHeader = postcard::from_bytes(&reader.take(length)?).map_err(|_| damaged())?;
        if header.key == self.key { Ok(header) } else { Err(damaged()) }
    }

    /// Replaces the kept set.
    pub(super) fn write(&self, set: &Set) -> io::Result<()> {
        private::create(self.directory())?;
        let (parts, bytes) = set.parts();
        let bytes: Vec<_> = bytes.collect();
        let header = KeptHeader {
            key: self.key,
            digest: set.digest.clone(),
            kept_at: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            settings: set.settings.clone(),
            parts,
            lengths: bytes.iter().map(|bytes| bytes.len() as u64).collect(),
        };
        let header = postcard::to_allocvec(&header).map_err(io::Error::other)?;
        let length = (header.len() as u64).to_le_bytes();
        let temporary = tempfile::NamedTempFile::new_in(self.directory())?;
        let (mut file, mut hash) = (BufWriter::new(temporary), Sha256::new());
        for part in [MAGIC, &length, &header].into_iter().chain(bytes) {
            hash.update(part);
            file.write_all(part)?;
        }
        file.write_all(&hash.finalize())?;
        let temporary = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        // After a power cut the name must not be there without the content.
        temporary.as_file().sync_all()?;
        temporary.persist(&self.path)?;
        #[cfg(unix)]
        File::open(self.directory())?.sync_all()?;
        prune(self.directory())
    }
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is damaged")
}

/// Reads a file and computes the digest of what it reads.
struct Verified {
    file: io::BufReader<File>,
    hash: Sha256,
}

impl Verified {
    fn over(file: File) -> Self {
        Self { file: io::BufReader::new(file), hash: Sha256::new() }
    }

    /// Reads this many bytes; a wrong length costs no memory.
    fn take(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = Read::by_ref(&mut self.file).take(length).read_to_end(&mut bytes)?;
        if read as u64 != length {
            return Err(damaged());
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }

    /// The bytes after the header, if the file ends there and the digest of all of it is right.
    fn rest(mut self, header: &KeptHeader) -> io::Result<Vec<Vec<u8>>> {
        let bytes = header.lengths.iter().map(|length| self.take(*length)).collect::<io::Result<_>>()?;
        let digest = self.hash.finalize();
        let mut end = Vec::new();
        self.file.take(1 + digest.len() as u64).read_to_end(&mut end)?;
        if end == *digest { Ok(bytes) } else { Err(damaged()) }
    }
}

fn prune(directory: &Path) -> io::Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Another worker may have removed it meanwhile.
        if private::is_own(&path)
            && let Ok(modified) = fs::metadata(&path).and_then(|metadata| metadata.modified())
        {
            found.push((modified, path));
        }
    }
    found.sort();
    let is_temporary = |path: &Path| path.file_name().is_some_and(|name| name.len() != 32);
    let stale = |modified: &SystemTime| modified.elapsed().is_ok_and(|age| age > STALE);
    let (temporary, sets): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, path)| is_temporary(path));
    let superfluous = sets.len().saturating_sub(MOST_SETS);
    let gone = sets.into_iter().take(superfluous).chain(temporary.into_iter().filter(|(at, _)| stale(at)));
    for (_, path) in gone {
        // It is gone, or in use by another process: both are fine.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
