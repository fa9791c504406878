//! Compiling has limits: whatever a module says, it costs one refused line, a few seconds, and memory that is not the service's.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at the first surprise")]

mod bombs;
#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod usage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bombs::BOMBS;
use host::detector::{Compiler, Engine, Limits, Module, inspect};

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_host").into()
}

fn engine(compiler: Compiler) -> Engine {
    Engine::with_compiler(Limits::default(), None, compiler).unwrap()
}

/// Why a module is refused.
async fn refusal(engine: &Engine, bytes: Vec<u8>) -> String {
    let module = Module { name: "bomb.wasm".into(), bytes: bytes.into() };
    inspect(engine, &module).await.description.map(|said| said.name).unwrap_err().to_string()
}

/// In this very process: nothing but the numbers stands between the compiler and the bomb.
#[tokio::test]
async fn what_there_is_too_much_of_is_refused_before_it_is_compiled() {
    let engine = engine(Compiler::here());
    for bomb in &BOMBS {
        let Some(why) = bomb.refused else { continue };
        let bytes = [&b"\0asm\x0d\0\x01\0"[..], &(bomb.make)()].concat();
        // The one that is nothing but long has no header of its own.
        let bytes = if bytes[8..].starts_with(b"\0asm") { bytes[8..].to_vec() } else { bytes };
        let begun = Instant::now();
        let said = refusal(&engine, bytes).await;
        let expected = match why.split_once(" than a detector may have: ") {
            Some((what, most)) => {
                format!("it has more {what} than a detector may have: {most} are allowed")
            }
            None => format!("it {why}"),
        };
        assert_eq!(said, format!("`bomb.wasm` cannot be used: {expected}"), "{}", bomb.name);
        assert!(begun.elapsed() < Duration::from_secs(10), "{}: {:?}", bomb.name, begun.elapsed());
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::usage::{Usage, descendants};

    const TIME: Duration = Duration::from_secs(10);
    /// For whoever waits for the processor on a busy machine.
    const SLACK: Duration = Duration::from_secs(10);
    const MEMORY: u64 = 512_000_000;

    /// The numbers are not looked at: what the process that compiles is allowed holds by itself.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_gets_through_is_ended_by_the_limits_of_its_process() {
        let engine = engine(Compiler::child(program()).without_caps());
        for bomb in &BOMBS {
            let bytes = (bomb.make)();
            if !bytes.starts_with(b"\0asm") {
                continue;
            }
            let size = bytes.len();
            let (usage, begun) = (Usage::watch(std::process::id()), Instant::now());
            let said = refusal(&engine, bytes).await;
            let (most, took) = (usage.most(), begun.elapsed());
            eprintln!("{} ({size} bytes): {took:.1?}, {} MB: {said}", bomb.name, most / 1_000_000);
            assert!(said.starts_with("`bomb.wasm` cannot be used: it "), "{}: {said}", bomb.name);
            assert!(took < TIME + SLACK, "{}: {took:?}", bomb.name);
            assert!(most < MEMORY, "{}: {most} bytes", bomb.name);
            assert!(descendants(std::process::id()).is_empty(), "{}: a process is left", bomb.name);
        }
    }
}
