//! The configuration of wasmtime, and what identifies code for one configuration.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};
use wasmtime::Config;

use super::limits::STACK;
use super::set::hex;

/// The configuration of every engine of this program.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).max_wasm_stack(STACK);
    config
}

/// The digest of everything that decides whether an engine can run code: wasmtime's version, the
/// target with the features of this processor, the settings.
pub(super) fn digest(engine: &wasmtime::Engine) -> String {
    struct DigestHasher(Sha256);
    impl Hasher for DigestHasher {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut writer = DigestHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut writer);
    hex(&writer.0.finalize())
}
