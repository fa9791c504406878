//! The one engine of the process: compiler, linker and epoch clock, shared by every set that comes and goes.
//!
//! It is made once, before the service starts, and lives until the process ends; an engine per module leaks memory.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime::{Cache, CacheConfig, Config};

use super::bindings;
use super::error::DetectorError;
use super::limits::{Limits, STACK};
use super::sandbox::Sandbox;
use super::ticker::Ticker;

/// Compiles and runs detectors. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<Sandbox>,
    limits: Limits,
    _ticker: Ticker,
}

impl Engine {
    /// An engine for detectors with these limits. Compiled code is kept in `cache`, which should be a directory that nobody else
    /// can write; without one each start compiles anew.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] where this machine cannot run compiled WebAssembly or start a thread.
    pub fn new(limits: Limits, cache: Option<&Path>) -> Result<Self, DetectorError> {
        let failed = |error: wasmtime::Error| DetectorError::Engine(format!("{error:#}"));
        let mut config = Config::new();
        config.epoch_interruption(true).max_wasm_stack(STACK);
        if let Some(directory) = cache {
            match compiled_cache(directory) {
                Ok(cache) => drop(config.cache(Some(cache))),
                Err(error) => tracing::warn!(
                    "compiled detectors are not kept, each start compiles anew: `{}`: {error:#}",
                    directory.display()
                ),
            }
        }
        let engine = wasmtime::Engine::new(&config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        bindings::Detector::add_to_linker::<_, Sandbox>(&mut linker, |sandbox| sandbox).map_err(failed)?;
        let ticker = Ticker::start(&engine).map_err(|error| DetectorError::Engine(error.to_string()))?;
        Ok(Self(Arc::new(Inner { engine, linker, limits, _ticker: ticker })))
    }

    pub(super) fn wasm(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(super) fn linker(&self) -> &Linker<Sandbox> {
        &self.0.linker
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

fn compiled_cache(directory: &Path) -> wasmtime::Result<Cache> {
    let absolute = std::path::absolute(directory)?;
    let mut config = CacheConfig::new();
    config.with_directory(absolute);
    Cache::new(config)
}
