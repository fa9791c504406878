//! The process that compiles: it limits itself, reads a module, writes code, and ends.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::thread;

use super::protocol::{COMPILED, too_little};
use crate::detector::engine_config;

/// Compiles the module from stdin for its parent, within these limits. Exit code 0: stdout has the
/// code; 1: stdout has the reason.
pub(crate) fn serve(memory: u64, seconds: u64, expected: &str) -> ExitCode {
    let (answer, code) = match limited(memory, seconds).and_then(|()| answer(memory, expected)) {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(why) => (why.into_bytes(), ExitCode::FAILURE),
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&answer).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        // The parent has ended.
        Err(_) => ExitCode::from(3),
    }
}

fn answer(memory: u64, expected: &str) -> Result<Vec<u8>, String> {
    let module = read().map_err(|error| format!("it is not compiled: its bytes did not arrive: {error}"))?;
    // From here on stdin shows whether the parent is alive: it sends nothing more, and its end
    // closes stdin.
    let watch = || {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(3);
    };
    let watching = thread::Builder::new().name("parent".into()).spawn(watch);
    watching.map_err(|error| format!("it is not compiled: {error}"))?;
    let engine = wasmtime::Engine::new(&engine_config::config())
        .map_err(|error| format!("it is not compiled: {error:#}"))?;
    if engine_config::digest(&engine) != expected {
        return Err(
            "it is not compiled: the program's file was replaced by another version; start the service again"
                .into(),
        );
    }
    let compiled = super::compiled(&engine, &module).map_err(|why| {
        // The compiler's own request for memory was refused.
        if why.contains("Cannot allocate memory") { too_little(memory) } else { why }
    })?;
    if compiled.len() > COMPILED {
        return Err(format!("it compiles to more than {} MiB", COMPILED >> 20));
    }
    Ok(compiled)
}

fn read() -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin().lock();
    let mut length = [0; 8];
    stdin.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut module = Vec::new();
    let read = stdin.take(length).read_to_end(&mut module)?;
    if read as u64 == length { Ok(module) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Limits of this process, which it cannot lift again: memory, time of all its threads, no files,
/// no core dump.
#[cfg(unix)]
fn limited(memory: u64, seconds: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

    // Judging has priority.
    let _ = setpriority_process(None, 5);
    // Reserved memory that is not used counts for the address space only: stacks, and an
    // allocator's arenas.
    const RESERVED: u64 = 2 << 30;
    for (resource, most) in [
        (Resource::Data, memory),
        (Resource::As, memory.saturating_add(RESERVED)),
        (Resource::Cpu, seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        let most = getrlimit(resource).maximum.map_or(most, |highest| highest.min(most));
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit)
            .map_err(|error| format!("it is not compiled: no limits can be set for that: {error}"))?;
    }
    Ok(())
}

/// Its parent has put it into a job that limits it.
#[cfg(not(unix))]
fn limited(_: u64, _: u64) -> Result<(), String> {
    Ok(())
}
