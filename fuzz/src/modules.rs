//! Modules that a stranger brings: counted first, and what gets through the numbers compiled by the
//! program in a process of its own.

#![allow(dead_code, reason = "each target uses a part of this")]

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The host's own files, as the host itself would bring a compiler along.
#[path = "../../host/src/detector/compile"]
mod compile {
    #[allow(dead_code, reason = "the host lifts them and sets them")]
    mod caps;
    mod count;
    mod expansion;

    pub(super) fn count(bytes: &[u8]) -> Result<(), String> {
        count::count(bytes, caps::Caps::default())
    }
}

/// What stands before every component; a fuzzer need not find it.
const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// Counting ends, with a sentence or without, and takes hardly any memory. Whether the module is
/// within the numbers.
pub fn module(bytes: &[u8]) -> bool {
    let bytes = if bytes.starts_with(b"\0asm") { bytes.to_vec() } else { [HEADER, bytes].concat() };
    match fuzz::frugally(bytes.len(), || compile::count(&bytes)) {
        Ok(()) => true,
        Err(why) => {
            assert!(why.starts_with("it ") && !why.ends_with('.'), "{why}");
            false
        }
    }
}

/// With what comes before and after. The program itself gives a compilation nine seconds; the rest
/// is for a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// What is within the numbers costs the program one line and a few seconds. The program is `HOST`,
/// or what a debug build leaves.
pub fn child(bytes: &[u8]) {
    static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));
    if !bytes.starts_with(HEADER) || !module(bytes) {
        return;
    }
    let at = |name: &str| DIRECTORY.path().join(name);
    fs::write(at("module.wasm"), bytes).expect("a file");
    let said = |name: &str| File::create(at(name)).expect("a file");
    let mut inspect = Command::new(program())
        .args(["detector", "inspect", "module.wasm"])
        .current_dir(DIRECTORY.path())
        // What is compiled is kept nowhere.
        .env("CACHE_DIRECTORY", "/dev/null/none")
        .stdin(Stdio::null())
        .stdout(said("stdout"))
        .stderr(said("stderr"))
        .spawn()
        .expect("the program, built by `cargo build --workspace`");
    let begun = Instant::now();
    let code = loop {
        if let Some(ended) = inspect.try_wait().expect("a child") {
            break ended.code();
        }
        assert!(begun.elapsed() < LONG, "it does not end");
        thread::sleep(Duration::from_millis(1));
    };
    let text = |name: &str| String::from_utf8(fs::read(at(name)).expect("a file")).expect("text");
    let (stdout, stderr) = (text("stdout"), text("stderr"));
    assert!(matches!(code, Some(0 | 1)) && !stderr.contains("panicked"), "{code:?}\n{stdout}{stderr}");
    let last = stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("loadable   "), "{stdout}{stderr}");
}

fn program() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/host");
    env::var_os("HOST").map_or_else(built, PathBuf::from)
}
