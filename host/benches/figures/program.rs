//! The whole program as a process of its own: its start, its memory, a backlog.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use host::datetime::Datetime;
use host::demo::plant::STEP;
use host::store::clock::Clock;

use crate::place::Place;
use crate::times::{Times, seconds};

/// The whole program from its start to the end of one cycle over 5 × 25 readings.
pub(crate) fn start() {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let place = Place::new();
        place.insert(now().earlier(STEP * 5), 5);
        cold.push(1000.0 * seconds(|| place.run_once()));
        place.insert(now().later(STEP), 1);
        warm.push(1000.0 * seconds(|| place.run_once()));
    }
    Times(cold).row("start to first verdicts and exit, nothing compiled yet", "ms", 0);
    Times(warm).row("start to first verdicts and exit, compiled before", "ms", 0);
}

/// Resident memory of a worker that waits for its next tick.
pub(crate) fn idle() {
    let mut resident = Vec::new();
    for _ in 0..3 {
        let place = Place::new();
        place.insert(now().earlier(STEP * 5), 5);
        place.run_once();
        let mut child = place.command(&["--interval", "60"]).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&mut child, "next check in");
        std::thread::sleep(Duration::from_secs(1));
        resident.push(memory(child.id(), "VmRSS:"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    Times(resident).row("resident memory, idle", "MB", 1);
}

/// A backlog: memory must not grow with it.
pub(crate) fn backlog() {
    for rows in [100_000_u32, 1_000_000] {
        let place = Place::new();
        let instants = rows / 25;
        place.insert_many(
            now().earlier(Duration::from_secs(20 * 3600)),
            instants,
            Duration::from_millis(1000),
        );
        place.run_once_elsewhere();
        let mut child = place.command(&["--interval", "60"]).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        wait_for(&mut child, "next check in");
        let took = begun.elapsed().as_secs_f64();
        let peak = memory(child.id(), "VmHWM:");
        child.kill().unwrap();
        child.wait().unwrap();
        Times(vec![f64::from(rows) / took / 1000.0]).row(
            &format!("backlog of {rows} readings"),
            "thousand/s",
            0,
        );
        Times(vec![peak]).row(&format!("peak memory over {rows} readings"), "MB", 1);
    }
}

fn now() -> Datetime {
    Clock::system().now()
}

fn wait_for(child: &mut Child, line: &str) {
    use std::io::BufRead;
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let (found, finding) = std::sync::mpsc::channel();
    let line = line.to_owned();
    // The pipe is read on to its end, so that the worker never waits for its reader.
    std::thread::spawn(move || {
        for said in stderr.lines().map_while(Result::ok) {
            if said.contains(&line) {
                let _ = found.send(());
            }
        }
    });
    finding.recv_timeout(Duration::from_secs(300)).unwrap();
}

/// A line of the kernel's account of a process, in MB; not a number where there is none.
pub(crate) fn memory(process: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|found| found.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.map_or(f64::NAN, |kilobytes: f64| kilobytes / 1000.0)
}
