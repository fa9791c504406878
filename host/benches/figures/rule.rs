//! What the rule that learns costs beside the interval, in the component and natively, in turn.
//!
//! Batches follow each other, as they do for a worker: of one that was judged before, the rule would
//! learn nothing.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use host::batch::Batch;
use host::demo::models::FILES;
use host::detector::{Detector, Engine, Limits};

use crate::sample::{batch, set};
use crate::times::Times;

const ROWS: usize = 1_440;

/// Those that are learnt before the first that is timed, and all.
const LEARNT: usize = 3;
const BATCHES: usize = 24;

const RULES: [&str; 2] = ["interval", "adaptive"];

pub(crate) async fn rule() {
    let engine = Engine::new(Limits { memory: 1 << 30, ..Limits::default() }, None).unwrap();
    let files: Vec<_> =
        FILES.iter().map(|file| detector_guest::File { path: file.name, bytes: file.bytes }).collect();
    let (mut components, mut natives) = (Vec::new(), Vec::new());
    for rule in RULES {
        let settings = format!(r#"{{"rule": "{rule}"}}"#);
        components.push(Detector::open(&engine, Arc::new(set(&settings)), None).await.unwrap());
        natives.push(detector_guest::ProphetDetector::open(&files, &settings).unwrap());
    }
    let mut times = [(); 4].map(|()| Vec::new());
    for (n, batch) in batches().into_iter().enumerate() {
        let readings = (batch.datetimes.len() * batch.columns.len()) as f64;
        let instants: Vec<i64> = batch.datetimes.iter().map(|at| at.micros()).collect();
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| detector_guest::Column { variable: &column.variable, values: &column.values })
            .collect();
        let mut took = Vec::new();
        for component in &mut components {
            let begun = Instant::now();
            component.judge(Arc::clone(&batch)).await.unwrap();
            took.push(begun.elapsed());
        }
        for native in &mut natives {
            let begun = Instant::now();
            drop(black_box(native.detect(&instants, &columns).unwrap()));
            took.push(begun.elapsed());
        }
        if n >= LEARNT {
            times
                .iter_mut()
                .zip(took)
                .for_each(|(times, took)| times.push(took.as_secs_f64() * 1e6 / readings));
        }
    }
    let ratio = |above: usize, below: usize| {
        Times(times[above].iter().zip(&times[below]).map(|(above, below)| above / below).collect())
    };
    let ratios = [
        ("component, adaptive / interval", ratio(1, 0)),
        ("native, adaptive / interval", ratio(3, 2)),
        ("adaptive, component / native", ratio(1, 3)),
    ];
    let names = ["component, interval", "component, adaptive", "native, interval", "native, adaptive"];
    for (name, times) in names.into_iter().zip(times) {
        Times(times).row(&format!("{name}, {ROWS} × 25"), "µs a reading", 3);
    }
    for (name, ratio) in ratios {
        ratio.row(name, "×", 1);
    }
}

/// The plant's readings.
fn batches() -> Vec<Arc<Batch>> {
    let all = batch((ROWS * BATCHES) as u32);
    let one = |n: usize| {
        let rows = n * ROWS..(n + 1) * ROWS;
        let mut batch =
            Batch { datetimes: all.datetimes[rows.clone()].to_vec(), columns: all.columns.clone() };
        batch.columns.iter_mut().for_each(|column| column.values = column.values[rows.clone()].to_vec());
        Arc::new(batch)
    };
    (0..BATCHES).map(one).collect()
}
