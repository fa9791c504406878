//! The compacted forms that a module made of a directory's model files, kept on disk in one file: a
//! pack.
//!
//! One file, because ten thousand small ones take longer to open than to read. It is read whole and
//! used only if its checksum is right, and only for its module and directory; any other content is
//! ignored, and the pack is made anew. It is written under a temporary name and renamed, so that
//! workers can share it: they write the same content, and each reads an old pack or a new one.
//!
//! An entry is found by a file's name and its digest. So that an unchanged file need not be read at
//! all, an entry also has the file's stamp from when it was read (see [`RememberedStamp`]), if the
//! file was at rest; git's index does the same.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::file_stamp::RememberedStamp;
use crate::detector::Digest;
use crate::detector::cache::private;

/// Changes with everything that changes what the bytes mean.
const MAGIC: &[u8] = b"anomaly-worker models 1\n";

/// The most packs of one cache directory. Modules and directories that no longer exist leave packs
/// behind; the oldest are removed first.
const MOST_PACKS: usize = 32;

/// The most bytes of one pack. What a detector makes of its files is never as much.
const MOST_BYTES: u64 = 1 << 30;

/// The result for one model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CompactEntry {
    pub(super) path: String,
    /// Of the file as it is.
    pub(super) digest: Digest,
    /// None: whether the file is the same can only be told by its digest.
    pub(super) mark: Option<RememberedStamp>,
    /// None: the file is used as it is.
    #[serde(with = "serde_bytes")]
    pub(super) compacted: Option<Vec<u8>>,
}

/// The path of a pack.
pub(super) struct Pack {
    file: PathBuf,
    key: Digest,
}

impl Pack {
    /// The pack of a module and a directory of models.
    pub(super) fn new(packs: &Path, module: Digest, models: &Path) -> Self {
        let models = fs::canonicalize(models).unwrap_or_else(|_| models.to_owned());
        let key: Digest = Sha256::new()
            .chain_update(module)
            .chain_update(models.as_os_str().as_encoded_bytes())
            .finalize()
            .into();
        let name: String = key[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file: packs.join(name), key }
    }

    /// The content; empty if there is no pack, or if something else has its name.
    ///
    /// # Errors
    /// Others can have written the file, or it cannot be read.
    pub(super) fn read(&self) -> std::io::Result<Vec<CompactEntry>> {
        let bytes = match self.bytes() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let why = format!("`{}` is not used: {error}", self.file.display());
                return Err(std::io::Error::new(error.kind(), why));
            }
        };
        Ok(self.decode(&bytes).unwrap_or_else(|| {
            tracing::warn!("`{}` is damaged and is made anew", self.file.display());
            Vec::new()
        }))
    }

    fn bytes(&self) -> std::io::Result<Vec<u8>> {
        private::check(self.directory())?;
        let file = private::open(&self.file)?;
        let length = file.metadata()?.len();
        if length > MOST_BYTES {
            return Err(std::io::Error::other("it is longer than this program writes it"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    /// Replaces the pack.
    pub(super) fn write(&self, entries: &[&CompactEntry]) -> std::io::Result<()> {
        private::create(self.directory())?;
        let mut file = tempfile::NamedTempFile::new_in(self.directory())?;
        file.write_all(&self.encode(entries)?)?;
        file.persist(&self.file)?;
        prune(self.directory())
    }

    fn encode(&self, entries: &[&CompactEntry]) -> std::io::Result<Vec<u8>> {
        let body = postcard::to_allocvec(entries).map_err(std::io::Error::other)?;
        Ok([MAGIC, &self.checksum(&body), &body].concat())
    }

    fn decode(&self, bytes: &[u8]) -> Option<Vec<CompactEntry>> {
        let (checksum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        if *checksum != self.checksum(body) {
            return None;
        }
        match postcard::take_from_bytes(body) {
            Ok((entries, [])) => Some(entries),
            _ => None,
        }
    }

    /// It differs from that of any other module or directory.
    fn checksum(&self, body: &[u8]) -> Digest {
        Sha256::new().chain_update(self.key).chain_update(body).finalize().into()
    }
}

/// Temporary files of a process that was killed are removed in the same way.
fn prune(packs: &Path) -> std::io::Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(packs)? {
        let entry = entry?;
        // Another worker may have removed it meanwhile.
        if private::is_own(&entry.path())
            && let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified())
        {
            found.push((modified, entry.path()));
        }
    }
    found.sort();
    let superfluous = found.len().saturating_sub(MOST_PACKS);
    for (_, path) in found.into_iter().take(superfluous) {
        // It is gone, or in use by another process: both are fine.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::super::file_stamp::FileStamp;
    use super::*;

    fn entries(dir: &Path) -> Vec<CompactEntry> {
        let entry = |path: &str, compacted: Option<&[u8]>, mark| CompactEntry {
            path: path.into(),
            digest: Sha256::digest(path).into(),
            mark,
            compacted: compacted.map(Into::into),
        };
        let mark = FileStamp::at(dir).unwrap().mark();
        assert!(mark.is_some());
        vec![entry("a", Some(b"1"), mark), entry("b", Some(b""), None), entry("ñ", None, None)]
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let pack = Pack::new(&dir.path().join("packs"), [1; 32], dir.path());
        assert_eq!(pack.read().unwrap(), []);
        let entries = entries(dir.path());
        for entries in [&entries[..], &entries[1..], &[]] {
            pack.write(&entries.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(pack.read().unwrap(), entries);
        }
        assert_eq!(fs::read_dir(dir.path().join("packs")).unwrap().count(), 1, "no temporary file is left");
        for other in [
            Pack::new(&dir.path().join("packs"), [2; 32], dir.path()),
            Pack::new(&dir.path().join("packs"), [1; 32], &dir.path().join("packs")),
        ] {
            assert_eq!(other.read().unwrap(), [], "another module or directory");
            fs::copy(&pack.file, &other.file).unwrap();
            assert_eq!(other.read().unwrap(), [], "not even if the file is in its place");
        }
    }

    /// Every prefix and every changed bit.
    #[test]
    fn no_part_of_a_pack_is_a_pack() {
        let dir = tempfile::tempdir().unwrap();
        let pack = Pack::new(dir.path(), [1; 32], dir.path());
        let entries = entries(dir.path());
        let bytes = pack.encode(&entries.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(pack.decode(&bytes), Some(entries));
        for length in 0..bytes.len() {
            assert_eq!(pack.decode(&bytes[..length]), None, "{length} bytes");
        }
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(pack.decode(&changed), None, "bit {bit}");
        }
        assert_eq!(pack.decode(&[&bytes[..], b"\0"].concat()), None, "a byte more");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_write_a_pack() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let packs = dir.path().join("cache/models");
        let pack = Pack::new(&packs, [1; 32], dir.path());
        pack.write(&[]).unwrap();
        for path in [&packs, &pack.file] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
    }
}
