//! Files that were refused because of the machine are tried again, although they are the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use host::detector::{Compiler, Detector, Engine, Limits};
use host::reload::{ReloadOutcome, Reloader};

use super::disk::{Disk, rebuilt};

/// If the process that compiles cannot be started, the detector in use stays. Here its program is
/// missing at first, and then it is there.
#[tokio::test]
async fn what_may_pass_is_tried_again_after_pauses_that_grow() {
    let disk = Disk::new().await;
    let program = disk.bench.dir().join("host");
    let there = || symlink(env!("CARGO_BIN_EXE_host-under-test"), &program).unwrap();
    there();
    let limits = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    let compiler = Compiler::child(program.clone()).limited(416 << 20, Duration::from_secs(120));
    let engine = Engine::with_compiler(limits, None, compiler).unwrap();
    let set = Arc::new(disk.source.read(&engine).await.unwrap());
    let in_use = Detector::open(&engine, set, None).await.unwrap();

    let minutes = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&minutes);
    let clock = move || Duration::from_secs(60 * now.load(Ordering::Relaxed));
    let shared = disk.bench.shared.clone();
    let mut reloader = Reloader::new(engine, disk.source.clone(), shared, &in_use).by_clock(Arc::new(clock));

    fs::remove_file(&program).unwrap();
    fs::write(disk.module(), rebuilt()).unwrap();
    // A file that was written just now would be read at each look, so these get old times.
    for path in [disk.module(), &disk.model("T1"), &disk.source.models] {
        fs::File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let look = reloader.look().await;
    let ReloadOutcome::Refused(error) = look else { panic!("{look:?}") };
    assert!(error.to_string().contains("no process can be started for it"), "{error}");
    // At 15 it is tried and fails; the next try is at 45.
    for at in [0, 14, 15, 16, 30, 44] {
        minutes.store(at, Ordering::Relaxed);
        let look = reloader.look().await;
        assert!(matches!(look, ReloadOutcome::Same), "{at}: {look:?}");
        if at == 15 {
            there();
        }
    }
    minutes.store(45, Ordering::Relaxed);
    let look = reloader.look().await;
    assert!(matches!(look, ReloadOutcome::Ready(_)), "{look:?}");
    let look = reloader.look().await;
    assert!(matches!(look, ReloadOutcome::Same), "{look:?}");
}
