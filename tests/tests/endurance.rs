//! Thousands of traps and of reloads in one process: memory, threads, handles and files stay as
//! they are after the first half.
//!
//! ENDURANCE says how many of each (`just test-endurance`); the tests take a few hundred.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::detector::Detector;
use host::reload::{ReloadOutcome, Reloader, SetSource};
use peak_alloc::PeakAlloc;
use tests::HOSTILE;
use tests::fixture::{Fixture, Layout, engine, hostile, open_set};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Threads for blocking work.
const POOL: usize = 16;

/// What the process holds.
#[derive(Debug)]
struct Held {
    resident: u64,
    /// Bytes that Rust code has allocated and not freed.
    heap: usize,
    /// Regions of memory: machine code, memories of detectors, stacks.
    mappings: usize,
    threads: usize,
    handles: usize,
    files: usize,
}

fn held(bench: &Fixture) -> Held {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let number = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let count = |directory: &std::path::Path| fs::read_dir(directory).unwrap().count();
    Held {
        resident: number("VmRSS:"),
        heap: ALLOCATED.current_usage(),
        mappings: fs::read_to_string("/proc/self/maps").unwrap().lines().count(),
        threads: usize::try_from(number("Threads:")).unwrap(),
        handles: count(std::path::Path::new("/proc/self/fd")),
        files: count(bench.dir()),
    }
}

fn rounds() -> usize {
    std::env::var("ENDURANCE").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(200)
}

/// The least that is held in the third quarter, and in the last. An allocator returns memory at
/// times of its own, but a leak is never returned.
fn watch(lowest: &mut [Option<Held>; 2], round: usize, bench: &Fixture) {
    let window = match 4 * round / rounds() {
        2 => &mut lowest[0],
        3 => &mut lowest[1],
        _ => return,
    };
    let now = held(bench);
    match window {
        None => *window = Some(now),
        // The minimum of each, as they are not at the same time.
        Some(lowest) => {
            lowest.resident = lowest.resident.min(now.resident);
            lowest.heap = lowest.heap.min(now.heap);
            lowest.mappings = lowest.mappings.min(now.mappings);
            (lowest.threads, lowest.handles, lowest.files) = (now.threads, now.handles, now.files);
        }
    }
}

/// With this many rounds the resident memory stays within 5 % after half of them. In a shorter run
/// the allocator's own needs still grow. A leak is then seen in the allocated bytes, which are the
/// same from the first round on.
const WARM: usize = 1000;

/// A quarter of the rounds allocates no more than this anew: 650 bytes a round in a short run, 13
/// in one of 10,000.
const HEAP: usize = 32 << 10;

/// Whether what is held is what was held after the first half.
fn stays(what: &str, rounds: usize, took: Duration, first: &Held, last: &Held) {
    println!("{rounds} {what} in {took:.1?}: {first:?} to {last:?}");
    let slack = if rounds >= WARM { first.resident / 20 } else { first.resident / 4 };
    assert!(last.resident <= first.resident + slack, "{what}: {first:?} to {last:?}");
    assert!(last.heap <= first.heap + HEAP, "{what}: {first:?} to {last:?}");
    // A short run's allocator still maps for each thread; one mapping left a round would be a
    // quarter of the rounds.
    let mappings = if rounds >= WARM { POOL } else { rounds / 5 };
    assert!(last.mappings <= first.mappings + mappings, "{what}: {first:?} to {last:?}");
    // This one and the test harness's, the pools, the compiler's on each core, the engine's clock.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(last.threads <= POOL + 6 + cores, "{what}: {first:?} to {last:?}");
    assert_eq!((last.handles, last.files), (first.handles, first.files), "{what}");
}

/// One after the other: what is measured is the process's.
#[test]
fn traps_and_reloads_leave_nothing_behind() {
    // Threads of the pool for blocking work stay for a while after the work. Without a bound their
    // number would depend on how busy the machine was.
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(POOL).enable_all().build();
    runtime.unwrap().block_on(async {
        traps().await;
        reloads().await;
    });
}

async fn traps() {
    let bench = Fixture::new(Layout::Keyed);
    let mut detector = open_set(hostile(r#"{"do": "trap", "to": "BAD"}"#, &["*"])).await;
    let batch = |variable: &str| {
        let column = host::batch::Column { variable: variable.into(), values: vec![1.0] };
        let datetimes = vec![host::datetime::Datetime::from_micros(0)];
        Arc::new(host::batch::Batch { datetimes, columns: vec![column] })
    };
    let begun = Instant::now();
    let mut first = [None, None];
    for round in 0..rounds() {
        detector.judge(batch("BAD")).await.unwrap_err();
        detector.judge(batch("T1")).await.unwrap();
        watch(&mut first, round, &bench);
    }
    let [first, last] = first.map(Option::unwrap);
    stays("traps", rounds(), begun.elapsed(), &first, &last);
}

/// Each with other models, every tenth with another module, and a batch judged by each.
async fn reloads() {
    let bench = Fixture::new(Layout::Keyed);
    let (module, models) = (bench.dir().join("detector.wasm"), bench.dir().join("models"));
    fs::create_dir(&models).unwrap();
    fs::write(models.join("T1"), "one").unwrap();
    fs::write(&module, HOSTILE).unwrap();
    let rebuilt = [HOSTILE, &[0, 6, 4, b'n', b'o', b't', b'e', b'!']].concat();
    let source = SetSource {
        module: Some(module.clone()),
        models: models.clone(),
        settings: "{}".into(),
        own: Vec::new(),
    };
    let detector =
        Detector::open(&engine(), Arc::new(source.read(&engine()).await.unwrap()), None).await.unwrap();
    let mut worker = bench.worker(detector);
    let mut reloader = Reloader::new(engine(), source, bench.shared.clone(), worker.detector());
    let begun = Instant::now();
    let mut first = [None, None];
    for round in 0..rounds() {
        fs::write(models.join("T1"), format!("{round}")).unwrap();
        if round % 10 == 5 {
            fs::write(&module, if round % 20 == 5 { &rebuilt } else { HOSTILE }).unwrap();
        }
        let look = reloader.look().await;
        assert!(matches!(look, ReloadOutcome::Ready(_)), "{look:?}");
        let (minute, second) = (round / 60, round % 60);
        let at = format!("{:02}:{:02}:{second:02}", 9 + minute / 60, minute % 60);
        bench.insert(&[(&at, "T1", 1.0)]);
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "{round}");
        watch(&mut first, round, &bench);
    }
    let [first, last] = first.map(Option::unwrap);
    stays("reloads", rounds(), begun.elapsed(), &first, &last);
}
