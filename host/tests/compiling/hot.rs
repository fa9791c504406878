//! Bombs that come to a service while it runs and while it starts.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use host::detector::BUILT_IN;
use rustix::process::Signal;

use crate::bombs::BOMBS;
use crate::common::{Place, VARIABLES, signal, wait};
use crate::linux::ALONE;
use crate::usage::{Usage, descendants, is_there, peak};

fn bomb(name: &str) -> Vec<u8> {
    (BOMBS.iter().find(|bomb| bomb.name == name).unwrap().make)()
}

/// The program with a module in a file, its log in another.
fn service(place: &Place, arguments: &[&str]) -> Child {
    let log = fs::File::options().create(true).append(true).open(place.path("said")).unwrap();
    place
        .command(arguments)
        .args(["--detector", "detector.wasm", "--log-file", ""])
        .env("ANOMALY_DETECTOR_CACHE_DIR", place.path("cache"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Puts a module in place as a careful person does: at once, by renaming it.
fn put(place: &Place, module: &[u8]) {
    let coming = place.write("coming", module);
    fs::rename(coming, place.path("detector.wasm")).unwrap();
}

fn said(place: &Place, words: &str) -> usize {
    fs::read_to_string(place.path("said")).unwrap().lines().filter(|line| line.contains(words)).count()
}

fn verdicts(place: &Place) -> i64 {
    place.number("SELECT COUNT(*) FROM anomalies_detector").unwrap_or(0)
}

/// How a service ends that was asked to end, and how long that takes.
fn ended(service: &mut Child) -> (Option<i32>, Duration) {
    let begun = Instant::now();
    wait("the end of the service", || service.try_wait().unwrap().is_some());
    (service.wait().unwrap().code(), begun.elapsed())
}

/// Each is refused with one line. Meanwhile readings are judged as before, and the memory of the
/// service does not grow.
#[test]
fn a_bomb_dropped_in_beside_a_worker_costs_one_line() {
    const REFUSED: &str = "the files changed and cannot be used, the detector in use stays";
    let _alone = ALONE.blocking_lock();
    let place = Place::new();
    put(&place, BUILT_IN);
    let mut judged = 0;
    let mut plant_goes_on = || {
        judged += 1;
        for variable in VARIABLES {
            place.sql(&format!(
                "INSERT INTO datos_proceso (datetime, variable_name, value) \
                 VALUES (datetime('now', 'localtime', '-{judged} minutes'), '{variable}', 100)"
            ));
        }
        wait("verdicts", || verdicts(&place) == 6 * judged);
    };
    let mut service = service(&place, &["run", "--interval", "1s"]);
    plant_goes_on();
    let before = peak(service.id()).unwrap();
    let usage = Usage::watch(service.id());
    for (number, name) in ["instances that double 30 times", "60 MB of code"].into_iter().enumerate() {
        put(&place, &bomb(name));
        plant_goes_on();
        // A fast machine compiles the second in time, and finds that it is no detector.
        wait("a line", || said(&place, REFUSED) > number);
        plant_goes_on();
    }
    let (compiling, after) = (usage.most(), peak(service.id()).unwrap());
    put(&place, &[BUILT_IN, &[0, 2, 1, b'x']].concat());
    wait("a good module", || said(&place, "a new detector is ready") == 1);
    plant_goes_on();
    assert_eq!(said(&place, REFUSED), 2, "{}", fs::read_to_string(place.path("said")).unwrap());
    assert!(descendants(service.id()).is_empty());
    eprintln!("the service: {} to {} MB, what it started: {} MB", before >> 20, after >> 20, compiling >> 20);
    assert!(after < before + (160 << 20), "the module itself has 56 MB");
    assert!(compiling < 512_000_000);
    signal(service.id(), Signal::TERM);
    let (code, _) = ended(&mut service);
    assert_eq!(code, Some(0));
}

#[test]
fn a_stop_ends_a_start_that_compiles() {
    let _alone = ALONE.blocking_lock();
    let place = Place::new();
    put(&place, &bomb("60 MB of code"));
    for name in [Signal::TERM, Signal::INT] {
        let mut service = service(&place, &["run"]);
        wait("a process that compiles", || !descendants(service.id()).is_empty());
        let compiling = descendants(service.id());
        signal(service.id(), name);
        let (code, took) = ended(&mut service);
        assert_eq!(code, Some(0), "{name:?}: {}", fs::read_to_string(place.path("said")).unwrap());
        // Less than the nine seconds after which the compilation would be ended anyway.
        assert!(took < Duration::from_secs(8), "{name:?}: {took:?}");
        wait("the end of what compiled", || !compiling.iter().any(|child| is_there(*child)));
    }
    assert_eq!(said(&place, "cannot be used"), 0);
}
