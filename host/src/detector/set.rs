//! What one detector is made of: module, model files and settings, with one digest over all of it.
//!
//! Plain bytes in memory. A set is read whole before anything is built from it, so that a file that changes on disk cannot change
//! a running detector, and a fresh instance is opened from the very bytes of the one before. Of a model file it holds what the detector
//! made of it, where it made something: megabytes of training history are not kept for months. The digest is that of the user's
//! files all the same.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// SHA-256.
pub type Digest = [u8; 32];

/// A module as bytes, with the name to call it by in messages.
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

/// A file of the model directory, or what the detector made of it. The host never looks inside.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Relative to the directory, with `/` between parts.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// A detector's parts.
pub struct Set {
    pub module: Module,
    /// By path.
    pub files: Vec<ModelFile>,
    /// Where the files came from, for messages.
    pub models_dir: String,
    /// One JSON object.
    pub settings: String,
    /// SHA-256 in hexadecimal over the digests of module and files, and the settings.
    pub digest: String,
}

impl Set {
    /// Puts a set together from files as they are; their order does not matter.
    pub fn new(module: Module, files: Vec<ModelFile>, models_dir: String, settings: String) -> Self {
        let digests = files.iter().map(|file| Sha256::digest(&file.bytes).into()).collect::<Vec<_>>();
        Self::prepared(module, files.into_iter().zip(digests).collect(), models_dir, settings)
    }

    /// Puts a set together from files as they are or as the detector prepared them, each with the digest of the file as it is.
    pub(crate) fn prepared(
        module: Module,
        mut files: Vec<(ModelFile, Digest)>,
        models_dir: String,
        settings: String,
    ) -> Self {
        files.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        let digest = digest(&module, &files, &settings);
        let files = files.into_iter().map(|(file, _)| file).collect();
        Self { module, files, models_dir, settings, digest }
    }
}

/// Texts go in after their length, so that no two sets run together to the same bytes.
fn digest(module: &Module, files: &[(ModelFile, Digest)], settings: &str) -> String {
    let mut hash = Sha256::new();
    let text = |hash: &mut Sha256, text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    hash.update(module.digest());
    text(&mut hash, settings);
    for (file, digest) in files {
        text(&mut hash, &file.path);
        hash.update(digest);
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
}
