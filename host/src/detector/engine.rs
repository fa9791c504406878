//! The one engine of the process: compiler, linker and epoch clock, shared by every set that comes and goes.
//!
//! It is made once, before the service starts, and lives until the process ends; an engine per module leaks memory.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Linker;
use wasmtime::{CacheConfig, Config};

use super::bindings::{self, DetectorPre};
use super::cache::Cache;
use super::error::DetectorError;
use super::limits::{Limits, STACK};
use super::sandbox::Sandbox;
use super::set::Module;
use super::ticker::Ticker;

/// Compiles and runs detectors. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<Sandbox>,
    limits: Limits,
    cache: Option<Cache>,
    last: Mutex<Option<(Module, DetectorPre<Sandbox>)>>,
    _ticker: Ticker,
}

impl Engine {
    /// An engine for detectors with these limits. Compiled modules and prepared models are kept in `cache`, which should be a
    /// directory that nobody else can write; without one each start makes them anew.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] where this machine cannot run compiled WebAssembly or start a thread.
    pub fn new(limits: Limits, cache: Option<&Path>) -> Result<Self, DetectorError> {
        let failed = |error: wasmtime::Error| DetectorError::Engine(format!("{error:#}"));
        let mut config = Config::new();
        config.epoch_interruption(true).max_wasm_stack(STACK);
        let cache = cache.map(Cache::new);
        if let Some(cache) = &cache {
            match compiled_cache(cache) {
                Ok(compiled) => drop(config.cache(Some(compiled))),
                Err(error) => cache.complain(&format!("{error:#}")),
            }
        }
        let engine = wasmtime::Engine::new(&config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        bindings::Detector::add_to_linker::<_, Sandbox>(&mut linker, |sandbox| sandbox).map_err(failed)?;
        let ticker = Ticker::start(&engine).map_err(|error| DetectorError::Engine(error.to_string()))?;
        let last = Mutex::default();
        Ok(Self(Arc::new(Inner { engine, linker, limits, cache, last, _ticker: ticker })))
    }

    pub(super) fn wasm(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(super) fn linker(&self) -> &Linker<Sandbox> {
        &self.0.linker
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    /// Compiles a module, unless it is the one that was compiled last: models are prepared with the module that is opened next.
    pub(super) fn compiled(
        &self,
        module: &Module,
        compile: impl FnOnce() -> Result<DetectorPre<Sandbox>, DetectorError>,
    ) -> Result<DetectorPre<Sandbox>, DetectorError> {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pre)) = last.as_ref().filter(|(compiled, _)| compiled.bytes == module.bytes) {
            return Ok(pre.clone());
        }
        let pre = compile()?;
        *last = Some((module.clone(), pre.clone()));
        Ok(pre)
    }
}

fn compiled_cache(cache: &Cache) -> wasmtime::Result<wasmtime::Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(cache.compiled());
    wasmtime::Cache::new(config)
}
