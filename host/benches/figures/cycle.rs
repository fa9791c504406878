//! The worker's cycle in this process, and how soon it uses a new model.

use std::fs;
use std::time::{Duration, Instant};

use host::demo::models::FILES;
use host::demo::plant::STEP;
use host::demo::variables::START;
use host::reload::Reloader;
use host::reload::watch::{Timing, Watch};
use host::store::clock::Clock;

use crate::place::Place;
use crate::times::Times;

/// A cycle over five new datetimes of 25 variables, the commit to disk included.
pub(crate) async fn cycle() {
    let place = Place::new();
    let (clock, hand) = Clock::settable(START);
    let (mut worker, _) = place.worker(clock, "{}").await;
    let times: Vec<f64> = {
        let mut times = Vec::new();
        for round in 0..201 {
            let from = START.later(STEP * (5 * round));
            place.insert(from, 5);
            hand.set(from.later(STEP * 5));
            let begun = Instant::now();
            let report = worker.cycle(|| false).await.unwrap();
            assert_eq!(report.counts.judged, 125);
            times.push(1000.0 * begun.elapsed().as_secs_f64());
        }
        times.split_off(1)
    };
    Times(times).row("cycle of 5 × 25, commit included", "ms", 2);
    let mut idle = Vec::new();
    for _ in 0..201 {
        let begun = Instant::now();
        worker.cycle(|| false).await.unwrap();
        idle.push(1000.0 * begun.elapsed().as_secs_f64());
    }
    Times(idle).row("idle cycle", "ms", 2);
}

/// From a new model file to the verdicts of the first batch judged by it; half a second of it waits
/// for the files to rest.
pub(crate) async fn reload() {
    let place = Place::new();
    let (clock, hand) = Clock::settable(START);
    let (mut worker, parts) = place.worker(clock, "{}").await;
    place.insert(START, 1);
    hand.set(START.later(STEP));
    worker.cycle(|| false).await.unwrap();
    let reloader = Reloader::new(parts.engine, parts.source, parts.shared, worker.detector());
    let _watch = Watch::start(reloader, Timing::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut times = Vec::new();
    for round in 1..=7 {
        place.insert(START.later(STEP * round), 1);
        hand.set(START.later(STEP * (round + 1)));
        let before = worker.detector().set().digest.clone();
        let begun = Instant::now();
        let text = String::from_utf8(FILES[1].bytes.to_vec()).unwrap();
        fs::write(place.models().join(FILES[1].name), format!("{text}{}", " ".repeat(round as usize)))
            .unwrap();
        while worker.detector().set().digest == before {
            worker.cycle(|| false).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(begun.elapsed().as_secs_f64());
    }
    Times(times).row("new model file to first batch judged by it", "s", 2);
}
