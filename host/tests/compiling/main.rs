//! Compiling has limits. Whatever a module contains, it is refused with one line after a few
//! seconds, and the memory is not the service's.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at the first surprise")]

mod bombs;
#[cfg(target_os = "linux")]
mod cached;
#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod hot;
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

/// Compiled in this process: only the limits that are counted protect the compiler from the bomb.
#[tokio::test]
async fn what_there_is_too_much_of_is_refused_before_it_is_compiled() {
    let engine = engine(Compiler::here());
    for bomb in &BOMBS {
        let Some(why) = bomb.refused else { continue };
        let bytes = [&b"\0asm\x0d\0\x01\0"[..], &(bomb.make)()].concat();
        // The one that is only long has no header of its own.
        let bytes = if bytes[8..].starts_with(b"\0asm") { bytes[8..].to_vec() } else { bytes };
        let begun = Instant::now();
        let said = refusal(&engine, bytes).await;
        let took = begun.elapsed();
        let expected = match why.split_once(" than a detector may have: ") {
            Some((what, most)) => {
                format!("it has more {what} than a detector may have: {most} are allowed")
            }
            None => format!("it {why}"),
        };
        assert_eq!(said, format!("`bomb.wasm` cannot be used: {expected}"), "{}", bomb.name);
        // Seconds, on a busy machine; the compiler would take minutes, or all memory.
        assert!(took < Duration::from_secs(60), "{}: {took:?}", bomb.name);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use host::detector::BUILT_IN;

    use super::*;
    use crate::common::{Place, Ran, VARIABLES, wait};
    use crate::usage::{Usage, descendants, is_there};

    /// For tests that look at the processes of this one.
    pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    const TIME: Duration = Duration::from_secs(10);
    /// For the time that a process waits for the processor on a busy machine.
    const SLACK: Duration = Duration::from_secs(20);
    const MEMORY: u64 = 512_000_000;

    /// Without the limits that are counted: the limits of the process that compiles are enough.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_gets_through_is_ended_by_the_limits_of_its_process() {
        let _alone = ALONE.lock().await;
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

    /// A bomb that is counted and one that only the process's limits end, for each command that
    /// compiles and for the service.
    #[test]
    fn a_bomb_costs_a_command_one_line() {
        let _alone = ALONE.blocking_lock();
        let place = Place::new();
        place.readings(&VARIABLES, 1);
        let cache = place.path("cache");
        for name in ["instances that double 30 times", "60 MB of code"] {
            let bomb = BOMBS.iter().find(|bomb| bomb.name == name).unwrap();
            place.write("bomb.wasm", (bomb.make)());
            let expected = match bomb.refused {
                Some(why) => vec![format!("bomb.wasm` cannot be used: it has more {why} are allowed")],
                // A fast machine compiles it in time, and finds that it is no detector.
                None => vec![
                    "bomb.wasm` cannot be used: it does not compile within 9s; `compile_deadline` of `[detector]` can \
                     be longer"
                        .into(),
                    "bomb.wasm` cannot be used: it is a component of another world".into(),
                ],
            };
            for arguments in [
                &["detector", "inspect", "bomb.wasm"][..],
                &["check", "--detector", "bomb.wasm"],
                &["run", "--once", "--detector", "bomb.wasm"],
            ] {
                let mut command = place.command(arguments);
                command.env("ANOMALY_DETECTOR_CACHE_DIR", &cache).env("CACHE_DIRECTORY", &cache);
                let (usage, begun) = (Usage::watch(std::process::id()), Instant::now());
                let ran = Ran::of(&command.output().unwrap());
                let (most, took) = (usage.most(), begun.elapsed());
                eprintln!("{name}, `{}`: {took:.1?}, {} MB", arguments[0], most / 1_000_000);
                assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(expected.iter().any(|expected| said.contains(expected)), "{name}: {said}");
                assert!(took < TIME + SLACK && most < MEMORY, "{name}: {took:?}, {most} bytes");
            }
        }
    }

    fn slow() -> Module {
        let bomb = BOMBS.iter().find(|bomb| bomb.name == "60 MB of code").unwrap();
        Module { name: "bomb.wasm".into(), bytes: (bomb.make)().into() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_stops_waiting_ends_the_process() {
        let _alone = ALONE.lock().await;
        let engine = engine(Compiler::child(program()));
        let module = slow();
        let before = descendants(std::process::id());
        let compiling = tokio::spawn(async move { inspect(&engine, &module).await.bytes });
        let ours = || descendants(std::process::id()).into_iter().filter(|child| !before.contains(child));
        wait("a process that compiles", || ours().next().is_some());
        compiling.abort();
        wait("its end", || ours().next().is_none());
    }

    #[test]
    fn a_service_that_is_killed_leaves_no_process_behind() {
        let _alone = ALONE.blocking_lock();
        let place = Place::new();
        place.write("bomb.wasm", &*slow().bytes);
        let mut command = place.command(&["detector", "inspect", "bomb.wasm"]);
        let mut service = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut children = Vec::new();
        wait("a process that compiles", || {
            children = descendants(service.id());
            !children.is_empty()
        });
        service.kill().unwrap();
        service.wait().unwrap();
        wait("its end", || !children.iter().any(|child| is_there(*child)));
    }

    #[tokio::test]
    async fn without_a_process_nothing_but_the_built_in_detector_is_compiled() {
        let _alone = ALONE.lock().await;
        let engine = engine(Compiler::child("/nowhere/host".into()));
        let built_in = Module::built_in();
        assert_eq!(inspect(&engine, &built_in).await.description.unwrap().name, "prophet");
        let other =
            Module { name: "other.wasm".into(), bytes: Arc::from([BUILT_IN, &[0, 2, 1, b'x']].concat()) };
        let said = inspect(&engine, &other).await.description.unwrap_err().to_string();
        assert_eq!(
            said,
            "`other.wasm` cannot be used: it is not compiled: no process can be started for it, and in this one it would have \
             no limits: No such file or directory (os error 2)"
        );
    }

    /// Such as a newer version that was put in its place while the service runs.
    #[test]
    fn a_program_that_is_not_the_one_that_asks_says_so() {
        let _alone = ALONE.blocking_lock();
        let arguments = ["compile-module", "--memory", "400000000", "--seconds", "5", "--engine", "another"];
        let mut child = Command::new(program())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, &0u64.to_le_bytes()).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut said).unwrap();
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(
            said,
            "it is not compiled: the program's file was replaced by another version; start the service again"
        );
    }
}
