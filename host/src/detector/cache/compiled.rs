//! Compiled machine code, one entry a file.
//!
//! Loading code is running it: wasmtime checks nothing. So an entry is found by what it was made of
//! (the module, the compiler with its version, target and settings) and carries a digest over that
//! and over its code. It is used only if the digest is right and nobody else can have written the
//! file. A damaged entry is removed, and made anew.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::trial::{self, FirstLoad};
use super::{Cache, private};
use crate::detector::set::{Digest, hex};
use crate::unit_limit::explained;

/// Changes with everything that changes what the bytes mean.
const MAGIC: &[u8] = b"anomaly-worker code 1\n";

/// The most entries and bytes of one directory. Modules and versions that no longer exist leave
/// entries behind; the most recently used ones stay.
const MOST_ENTRIES: usize = 32;
const MOST_BYTES: u64 = 512 << 20;

/// What an entry was made of.
pub(in crate::detector) struct CacheKey(Digest);

impl CacheKey {
    /// For a module, and the digest of the engine that it is compiled for.
    pub(in crate::detector) fn new(module: &Digest, engine: &str) -> Self {
        Self(Sha256::new().chain_update(module).chain_update(engine).finalize().into())
    }

    fn file(&self) -> String {
        hex(&self.0[..16])
    }
}

/// An entry that was found, and the mark that it is being tried.
pub(in crate::detector) struct CachedCode {
    pub(in crate::detector) code: Vec<u8>,
    pub(in crate::detector) trial: Option<FirstLoad>,
}

impl Cache {
    /// The code of this key, if there is an undamaged entry that only this user can have written.
    pub(in crate::detector) fn code(&self, key: &CacheKey) -> Option<CachedCode> {
        let path = self.compiled().join(key.file());
        let code = match private::check(&self.compiled()).and_then(|()| read(&path, key)) {
            Ok(code) => code,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                tracing::warn!("`{}` is damaged and is made anew", path.display());
                remove(&path);
                return None;
            }
            Err(error) => {
                self.complain(&format!("`{}` is not used: {error}", path.display()));
                return None;
            }
        };
        match trial::begin(&path) {
            trial::Begun::Mine(trial) => Some(CachedCode { code, trial: Some(trial) }),
            trial::Begun::Unmarked => Some(CachedCode { code, trial: None }),
            trial::Begun::Died => {
                tracing::warn!(
                    "the program ended when `{}` was used for the first time; it is made anew",
                    path.display()
                );
                remove(&path);
                None
            }
        }
    }

    /// An entry that the engine itself refuses cannot be used.
    pub(in crate::detector) fn forget(&self, key: &CacheKey) {
        remove(&self.compiled().join(key.file()));
    }

    /// Stores code.
    pub(in crate::detector) fn keep(&self, key: &CacheKey, code: &[u8]) {
        let directory = self.compiled();
        let kept = private::create(&directory).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(&directory)?;
            file.write_all(MAGIC)?;
            file.write_all(&digest(key, code))?;
            file.write_all(code)?;
            file.persist(directory.join(key.file()))?;
            prune(&directory)
        });
        if let Err(error) = kept {
            self.complain(&explained(&error));
        }
    }
}

/// Nor the code of another module under this name.
fn digest(key: &CacheKey, code: &[u8]) -> Digest {
    Sha256::new().chain_update(key.0).chain_update(code).finalize().into()
}

fn read(path: &Path, key: &CacheKey) -> io::Result<Vec<u8>> {
    let file = private::open(path)?;
    let length = file.metadata()?.len();
    if length > MOST_BYTES {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let header = MAGIC.len() + size_of::<Digest>();
    let whole =
        bytes.get(header..).is_some_and(|code| bytes[..header] == *[MAGIC, &digest(key, code)].concat());
    if !whole {
        return Err(ErrorKind::InvalidData.into());
    }
    // Marks it as in use.
    let _ = fs::File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(std::time::SystemTime::now()));
    bytes.drain(..header);
    Ok(bytes)
}

/// Another worker may have removed it meanwhile. If it cannot be removed, it is replaced, or found
/// damaged again.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// The oldest are removed first, and with them temporary files and marks of a process that was
/// killed.
fn prune(directory: &Path) -> io::Result<()> {
    let mut found: Vec<(std::time::SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
            && private::is_own(&entry.path())
        {
            found.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    found.sort();
    let mut bytes = 0;
    for (place, (_, length, path)) in found.iter().rev().enumerate() {
        bytes += length;
        if place > 0 && (place >= MOST_ENTRIES || bytes > MOST_BYTES) {
            remove(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
