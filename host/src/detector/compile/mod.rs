//! From a module's bytes to machine code, at a bounded cost.
//!
//! The contents of a module are counted first (`count`, `caps`). If they are within the limits, the
//! module is compiled by a process of its own (`child`, `served`), which has limits on memory and
//! time and ends with its parent: no module takes either from the service. Dropping the future of a
//! compilation kills that process.

mod caps;
mod child;
mod count;
mod expansion;
mod protocol;
mod served;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::caps::Caps;
use self::child::{CompileFailure, CompileJob};
use super::limits::Limits;
use super::set::Module;
use crate::unit_limit::explained_of_code;
pub(crate) use served::serve;

/// Why there is no code: a sentence that begins with "it".
#[derive(Debug)]
pub(super) struct Uncompiled {
    pub(super) why: String,
    /// Whether the cause is the machine at that moment rather than the module.
    pub(super) may_pass: bool,
}

impl From<String> for Uncompiled {
    fn from(why: String) -> Self {
        Self { why, may_pass: false }
    }
}

/// Where modules are compiled: in this process, or in one that is started for each.
#[derive(Clone, Debug)]
pub struct Compiler {
    place: CompileIn,
    caps: Caps,
    memory: u64,
    deadline: Duration,
}

#[derive(Clone, Debug)]
enum CompileIn {
    Here,
    Child(PathBuf),
}

/// Of the process that compiles, in bytes: together with its parent, this process, it stays below
/// 512 MB.
const MEMORY: u64 = 416 << 20;

/// With what comes before and after it, a compilation stays below ten seconds. A Rust detector
/// takes half a second.
const DEADLINE: Duration = Duration::from_secs(9);

/// The module that is part of this program is trusted, and may take as long as a busy machine
/// needs.
const BUILT_IN_DEADLINE: Duration = Duration::from_secs(120);

impl Compiler {
    /// Compiles in this process, after counting: for tests and benchmarks, which are not the
    /// program `host`.
    pub fn here() -> Self {
        Self { place: CompileIn::Here, caps: Caps::default(), memory: MEMORY, deadline: DEADLINE }
    }

    /// Compiles in a process of `program`, which is `host`.
    pub fn child(program: PathBuf) -> Self {
        Self { place: CompileIn::Child(program), ..Self::here() }
    }

    /// Compiles in another process of this program. On Linux this is the very program that runs,
    /// even if its file has been replaced since.
    pub fn this_program() -> Self {
        let itself = PathBuf::from("/proc/self/exe");
        let program = if cfg!(target_os = "linux") && itself.exists() {
            itself
        } else {
            std::env::current_exe().unwrap_or_else(|_| "host".into())
        };
        Self::child(program)
    }

    /// The process that compiles gets so many bytes and so much time.
    #[must_use]
    pub fn limited(self, memory: u64, deadline: Duration) -> Self {
        Self { memory, deadline, ..self }
    }

    /// Counts nothing: for tests of the process's own limits.
    #[must_use]
    pub fn without_caps(self) -> Self {
        Self { caps: Caps::lifted(), ..self }
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Compiles a module for this engine, whose sandboxes have these limits.
    pub(super) async fn compile(
        &self,
        engine: &wasmtime::Engine,
        module: &Module,
        limits: &Limits,
    ) -> Result<Vec<u8>, Uncompiled> {
        let (caps, bytes, begun) =
            (self.caps.of(limits.module_file, limits.memory as u64), module.bytes.clone(), Instant::now());
        on_a_thread(move || count::count(&bytes, caps)).await?;
        let CompileIn::Child(program) = &self.place else { return Ok(here(engine, module).await?) };
        let built_in = *module.bytes == *super::BUILT_IN;
        let deadline = if built_in { BUILT_IN_DEADLINE.max(self.deadline) } else { self.deadline };
        let order = CompileJob {
            program,
            memory: self.memory,
            deadline,
            // Counting is included.
            left: deadline.saturating_sub(begun.elapsed()),
            engine: super::engine_config::digest(engine),
        };
        match child::compile(&order, module.bytes.clone()).await {
            Ok(compiled) => Ok(compiled),
            Err(CompileFailure::Refused(why)) => Err(why.into()),
            Err(CompileFailure::Late(why)) => Err(Uncompiled { why, may_pass: true }),
            Err(CompileFailure::NotStarted(error)) if built_in => {
                tracing::warn!(
                    "no process can be started to compile in ({error}): the built-in detector is compiled here, and no other \
                     module will be"
                );
                Ok(here(engine, module).await?)
            }
            Err(CompileFailure::NotStarted(error)) => Err(Uncompiled {
                why: format!(
                    "it is not compiled: no process can be started for it, and in this one it would have no limits: {error}"
                ),
                may_pass: true,
            }),
        }
    }
}

async fn here(engine: &wasmtime::Engine, module: &Module) -> Result<Vec<u8>, String> {
    let (engine, bytes) = (engine.clone(), module.bytes.clone());
    on_a_thread(move || compiled(&engine, &bytes)).await
}

/// Machine code in the form that wasmtime keeps.
fn compiled(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    // The innermost message: the outer ones name Rust types, which a user of a module does not
    // know.
    let failed =
        |error: wasmtime::Error| explained_of_code(format!("it does not compile: {}", error.root_cause()));
    engine.precompile_component(bytes).map_err(failed)
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(format!("it is not compiled: {error}")))
}

#[cfg(test)]
mod tests;
