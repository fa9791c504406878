//! The one engine of the process: compiler, linker and epoch clock, shared by all sets.
//!
//! It is made once, before the service starts, and lives until the process ends; an engine per
//! module leaks memory.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Component, Linker};

use super::bindings::{self, DetectorPre};
use super::cache::{Cache, CacheKey, FirstLoad};
use super::compile::Compiler;
use super::engine_config::{config, digest};
use super::error::DetectorError;
use super::guest_text;
use super::limits::Limits;
use super::sandbox::Sandbox;
use super::set::Module;
use super::ticker::Ticker;
use super::weight::Weights;
use crate::unit_limit::{explained, explained_of_code};

/// Compiles and runs detectors. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

struct EngineInner {
    engine: wasmtime::Engine,
    linker: Linker<Sandbox>,
    limits: Limits,
    compiler: Compiler,
    cache: Option<Cache>,
    /// Held during a compilation: a module that several callers want is compiled once.
    last: tokio::sync::Mutex<Option<(Module, DetectorPre<Sandbox>)>>,
    /// Code from the cache that has not run yet.
    trial: Mutex<Option<FirstLoad>>,
    weights: Weights,
    _ticker: Ticker,
}

impl Engine {
    /// An engine for detectors with these limits, which compiles in this process: for tests and
    /// benchmarks. Compiled modules and compacted models are kept in `cache`, a directory that
    /// nobody else can write; without one each start makes them anew.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] where this machine cannot run compiled WebAssembly or start a
    /// thread.
    pub fn new(limits: Limits, cache: Option<&Path>) -> Result<Self, DetectorError> {
        Self::with_compiler(limits, cache, Compiler::here())
    }

    /// The same with another compiler.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_compiler(
        limits: Limits,
        cache: Option<&Path>,
        compiler: Compiler,
    ) -> Result<Self, DetectorError> {
        let failed = |error: wasmtime::Error| DetectorError::Engine(explained_of_code(format!("{error:#}")));
        let engine = wasmtime::Engine::new(&config()).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        bindings::Detector::add_to_linker::<_, Sandbox>(&mut linker, |sandbox| sandbox).map_err(failed)?;
        let ticker = Ticker::start(&engine).map_err(|error| DetectorError::Engine(explained(&error)))?;
        Ok(Self(Arc::new(EngineInner {
            engine,
            linker,
            limits,
            compiler,
            cache: cache.and_then(Cache::open),
            last: tokio::sync::Mutex::default(),
            trial: Mutex::default(),
            weights: Weights::default(),
            _ticker: ticker,
        })))
    }

    pub(super) fn wasm(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(super) fn linker(&self) -> &Linker<Sandbox> {
        &self.0.linker
    }

    /// What all instances of this module together need beside their memories and tables, in bytes.
    pub(super) fn weight(&self, module: &Module) -> usize {
        self.0.weights.of(module)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    /// Compiles and links a module, unless it is the one that was compiled last: models are
    /// compacted with the module that is opened next.
    pub(super) async fn compiled(
        &self,
        module: &Module,
        link: impl FnOnce(&Component) -> Result<DetectorPre<Sandbox>, DetectorError>,
    ) -> Result<DetectorPre<Sandbox>, DetectorError> {
        let mut last = self.0.last.lock().await;
        if let Some((_, pre)) = last.as_ref().filter(|(compiled, _)| compiled.bytes == module.bytes) {
            return Ok(pre.clone());
        }
        let pre = link(&self.component(module).await?)?;
        *last = Some((module.clone(), pre.clone()));
        Ok(pre)
    }

    /// A module's code: from the cache, else compiled. Dropping the future ends the compilation.
    pub(super) async fn component(&self, module: &Module) -> Result<Component, DetectorError> {
        let refused =
            |why: String| DetectorError::Module { module: module.name.clone(), why: guest_text::line(&why) };
        let key = CacheKey::new(&module.digest(), &digest(&self.0.engine));
        let (engine, key) = (self.clone(), Arc::new(key));
        let kept = {
            let (engine, key) = (engine.clone(), Arc::clone(&key));
            on_a_thread(move || engine.kept(&key)).await?
        };
        if let Some(component) = kept {
            return Ok(component);
        }
        let compiled = self.0.compiler.compile(&self.0.engine, module, &self.0.limits).await;
        let code = compiled.map_err(|uncompiled| match uncompiled.may_pass {
            true => DetectorError::Uncompiled {
                module: module.name.clone(),
                why: guest_text::line(&uncompiled.why),
            },
            false => refused(uncompiled.why),
        })?;
        let loaded = on_a_thread(move || {
            let component = loaded(&engine.0.engine, &code)?;
            if let Some(cache) = &engine.0.cache {
                cache.keep(&key, &code);
            }
            wasmtime::Result::Ok(component)
        });
        loaded.await?.map_err(|error: wasmtime::Error| {
            refused(explained_of_code(format!("it does not compile: {}", error.root_cause())))
        })
    }

    /// The cached code. If it crashes at its first use, the next start will know.
    fn kept(&self, key: &CacheKey) -> Option<Component> {
        let cache = self.0.cache.as_ref()?;
        let found = cache.code(key)?;
        match loaded(&self.0.engine, &found.code) {
            Ok(component) => {
                *self.0.trial.lock().unwrap_or_else(PoisonError::into_inner) = found.trial;
                Some(component)
            }
            Err(error) => {
                tracing::warn!("compiled code in the cache cannot be used and is made anew: {error:#}");
                cache.forget(key);
                None
            }
        }
    }

    /// How long compiling a module may take.
    pub(crate) fn compile_deadline(&self) -> std::time::Duration {
        self.0.compiler.deadline()
    }

    /// The code has run, whatever the result: this process still lives.
    pub(crate) fn has_run(&self) {
        self.0.trial.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Code that is ready to run.
#[allow(unsafe_code, reason = "wasmtime believes every byte of compiled code")]
fn loaded(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are the output of this program's compiler, in this process or in one that
    // it started, or an earlier output: then from a file that only this user can write, with the
    // right digest over what it was made of and over its code (`cache`). They are copied, so that
    // no later change of a file affects them.
    unsafe { Component::deserialize(engine, code) }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DetectorError> {
    let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
    let ended = tokio::task::spawn_blocking(move || tracing::dispatcher::with_default(&log, work)).await;
    ended.map_err(|error| DetectorError::Engine(format!("its thread ended: {error}")))
}
