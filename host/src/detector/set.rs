//! The parts of one detector: module, model files and settings, with one digest over all of it.
//!
//! Plain bytes in memory. A set is read completely before anything is built from it, so that a file
//! that changes on disk cannot change a running detector, and a fresh instance is opened from the
//! same bytes as the one before. A set holds the compacted form of a model file if the detector
//! made one: megabytes of training history are not kept for months. The digest is still that of the
//! user's files, as far as the detector uses them, which it says when it is opened.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A module as bytes, with its name in messages.
#[derive(Clone)]
pub struct Module {
    /// Its path as the user gave it, or `built-in`.
    pub name: String,
    pub bytes: Arc<[u8]>,
}

impl Module {
    /// The Prophet detector that is part of this program.
    pub fn built_in() -> Self {
        Self { name: "built-in".into(), bytes: super::BUILT_IN.into() }
    }

    /// Of its bytes.
    pub(crate) fn digest(&self) -> Digest {
        Sha256::digest(&self.bytes).into()
    }
}

/// A file of the model directory, or its compacted form. The host does not interpret it.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Relative to the directory, with `/` between parts.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of {} bytes", self.path, self.bytes.len())
    }
}

/// A file of the model directory that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableFile {
    /// Relative to the directory, as in [`ModelFile`].
    pub path: String,
    /// A clause for the log.
    pub why: String,
}

/// What was read of a model directory.
#[derive(Default)]
pub(crate) struct FilesRead {
    /// As they are or compacted, each with the digest of the original file.
    pub(crate) files: Vec<(ModelFile, Digest)>,
    pub(crate) unread: Vec<UnreadableFile>,
    /// See [`Set`].
    pub(crate) made: usize,
}

/// A detector's parts.
#[derive(Clone)]
pub struct Set {
    pub module: Module,
    /// By path.
    pub files: Vec<ModelFile>,
    /// Of the files as they are, in the same order.
    digests: Vec<Digest>,
    /// Bytes of the files that are in a compacted form.
    pub(super) made: usize,
    /// By path. The detector decides what follows from it.
    pub unread: Vec<UnreadableFile>,
    /// Where the files came from, for messages.
    pub models_dir: String,
    /// One JSON object.
    pub settings: String,
    /// SHA-256 in hexadecimal over the digests of module and files, and the settings.
    pub digest: String,
    /// The digest including the files that the detector does not use: it shows whether the same
    /// files were read again.
    pub read: String,
}

impl Set {
    /// Makes a set from files as they are; their order does not matter.
    pub fn new(module: Module, files: Vec<ModelFile>, models_dir: String, settings: String) -> Self {
        let digests = files.iter().map(|file| Sha256::digest(&file.bytes).into()).collect::<Vec<_>>();
        let files = files.into_iter().zip(digests).collect();
        Self::of_files(module, FilesRead { files, ..FilesRead::default() }, models_dir, settings)
    }

    /// Makes a set from what was read.
    pub(crate) fn of_files(module: Module, read: FilesRead, models_dir: String, settings: String) -> Self {
        let FilesRead { mut files, mut unread, made } = read;
        files.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        unread.sort_by(|a, b| a.path.cmp(&b.path));
        let (files, digests): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let mut set = Self {
            module,
            files,
            digests,
            made,
            unread,
            models_dir,
            settings,
            digest: String::new(),
            read: String::new(),
        };
        set.digest = digest(&set);
        set.read.clone_from(&set.digest);
        set
    }

    /// The set as the detector uses it: without the files that it does not use.
    pub(super) fn without(mut self, passed_over: &HashSet<String>) -> Self {
        let files = self.files.into_iter().zip(self.digests);
        (self.files, self.digests) = files.filter(|(file, _)| !passed_over.contains(&file.path)).unzip();
        self.unread.retain(|file| !passed_over.contains(&file.path));
        self.digest = digest(&self);
        self
    }
}

impl Set {
    /// The parts that are stored on disk; the settings come from the configuration.
    pub(crate) fn parts(&self) -> (SetParts, impl Iterator<Item = &[u8]>) {
        let unread = |file: &UnreadableFile| (file.path.clone(), file.why.clone());
        let parts = SetParts {
            module: self.module.name.clone(),
            files: self
                .files
                .iter()
                .map(|file| file.path.clone())
                .zip(self.digests.iter().copied())
                .collect(),
            unread: self.unread.iter().map(unread).collect(),
            made: self.made as u64,
        };
        (
            parts,
            std::iter::once(&*self.module.bytes).chain(self.files.iter().map(|file| file.bytes.as_slice())),
        )
    }

    /// The reverse: `bytes` are the module's, then those of each file. None if they do not match.
    pub(crate) fn of_parts(
        parts: SetParts,
        mut bytes: impl Iterator<Item = Vec<u8>>,
        models_dir: String,
        settings: String,
    ) -> Option<Self> {
        let module = Module { name: parts.module, bytes: bytes.next()?.into() };
        let file = |(path, digest)| Some((ModelFile { path, bytes: bytes.next()? }, digest));
        let files = parts.files.into_iter().map(file).collect::<Option<_>>()?;
        let unread = parts.unread.into_iter().map(|(path, why)| UnreadableFile { path, why }).collect();
        let read = FilesRead { files, unread, made: usize::try_from(parts.made).ok()? };
        Some(Self::of_files(module, read, models_dir, settings))
    }

    /// The digest of the file that each path stands for.
    pub(crate) fn files_by_path(&self) -> impl Iterator<Item = (&str, &Digest)> {
        self.files.iter().map(|file| file.path.as_str()).zip(&self.digests)
    }
}

/// A set without its bytes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetParts {
    module: String,
    /// Each path with the digest of the file as it is.
    files: Vec<(String, Digest)>,
    unread: Vec<(String, String)>,
    made: u64,
}

/// Each text goes in after its length, so that no two sets give the same bytes.
fn digest(set: &Set) -> String {
    let mut hash = Sha256::new();
    let text = |hash: &mut Sha256, text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    hash.update(set.module.digest());
    text(&mut hash, &set.settings);
    for (file, digest) in set.files.iter().zip(&set.digests) {
        text(&mut hash, &file.path);
        hash.update(digest);
    }
    // No file has such a digest. The reason is not in it: it may differ at each look.
    for file in &set.unread {
        text(&mut hash, &file.path);
        hash.update([0; 32]);
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A digest in the form for messages.
pub fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(module: &[u8], files: &[(&str, &[u8])], settings: &str) -> String {
        let files = files.iter().map(|&(path, bytes)| ModelFile { path: path.into(), bytes: bytes.into() });
        let module = Module { name: "m".into(), bytes: module.into() };
        Set::new(module, files.collect(), "models".into(), settings.into()).digest
    }

    #[test]
    fn the_digest_tells_sets_apart_and_nothing_else() {
        let one = set(b"wasm", &[("a", b"1"), ("b", b"2")], "{}");
        assert_eq!(one.len(), 64);
        assert_eq!(
            one,
            set(b"wasm", &[("b", b"2"), ("a", b"1")], "{}"),
            "the order of files does not matter"
        );
        for other in [
            set(b"wasm", &[("a", b"1"), ("b", b"3")], "{}"),
            set(b"wasm", &[("a", b"1")], "{}"),
            set(b"wasm", &[("a", b"1b"), ("", b"2")], "{}"),
            set(b"wasm2", &[("a", b"1"), ("b", b"2")], "{}"),
            set(b"wasm", &[("a", b"1"), ("b", b"2")], "{\"threshold\":3}"),
        ] {
            assert_ne!(one, other);
        }
    }
    #[test]
    fn what_is_passed_over_is_no_part_of_the_set() {
        let of = |files: &[&str], unread: &[&str]| {
            let file = |path: &&str| (ModelFile { path: (*path).into(), bytes: vec![] }, [7; 32]);
            let unread = unread.iter().map(|path| UnreadableFile { path: (*path).into(), why: "so".into() });
            let module = Module { name: "m".into(), bytes: b"wasm"[..].into() };
            let files = files.iter().map(file).collect();
            let read = FilesRead { files, unread: unread.collect(), made: 0 };
            Set::of_files(module, read, "models".into(), "{}".into())
        };
        let passed_over = ["README", "pipe"].map(str::to_owned).into();
        let (plain, with) = (of(&["a", "c"], &["b"]), of(&["a", "README", "c"], &["pipe", "b"]));
        assert_ne!(with.digest, plain.digest);
        let read = with.read.clone();
        let with = with.without(&passed_over);
        assert_eq!((&with.digest, with.read), (&plain.digest, read));
        assert_eq!(with.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(with.unread, plain.unread);
        // A set with an unreadable file that counts differs from one without that file, and from
        // one with it.
        for other in [of(&["a", "c"], &[]), of(&["a", "b", "c"], &[])] {
            assert_ne!(other.digest, plain.digest);
        }
    }
}
