//! Points judged per second through the component and natively, alternately. By the interval: the
//! same batch again and again is all late to the rule that learns.

use std::sync::Arc;
use std::time::Instant;

use host::demo::models::FILES;
use host::demo::variables::VARIABLES;
use host::detector::{Detector, Engine, Limits};

use crate::sample::{batch, set};
use crate::times::{Times, seconds};

/// Settings of `trend_uncertainty`, with batches as datetimes and rounds.
const LAWS: [(&str, &[(u32, usize)]); 3] = [
    ("none", &[(5, 2001), (1_440, 301), (43_200, 31)]),
    ("continuous", &[(5, 501), (1_440, 15), (43_200, 3)]),
    ("batch", &[(5, 501), (1_440, 15), (43_200, 3)]),
];

pub(crate) async fn throughput() {
    let engine = Engine::new(Limits { memory: 1 << 30, ..Limits::default() }, None).unwrap();
    for (law, sizes) in LAWS {
        let settings = format!(r#"{{"rule": "interval", "trend_uncertainty": "{law}"}}"#);
        let mut component = Detector::open(&engine, Arc::new(set(&settings)), None).await.unwrap();
        let files: Vec<_> =
            FILES.iter().map(|file| detector_guest::File { path: file.name, bytes: file.bytes }).collect();
        let mut native = detector_guest::ProphetDetector::open(&files, &settings).unwrap();
        for &(rows, rounds) in sizes {
            compare(&mut component, &mut native, (rows, rounds), &format!("`{law}`, {rows} × 25")).await;
        }
    }
}

async fn compare(
    component: &mut Detector,
    native: &mut detector_guest::ProphetDetector,
    (rows, rounds): (u32, usize),
    what: &str,
) {
    let batch = Arc::new(batch(rows));
    let instants: Vec<i64> = batch.datetimes.iter().map(|at| at.micros()).collect();
    let columns: Vec<_> = batch
        .columns
        .iter()
        .map(|column| detector_guest::Column { variable: &column.variable, values: &column.values })
        .collect();
    let points = f64::from(rows) * VARIABLES.len() as f64 / 1e6;
    let (mut inside, mut outside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let begun = Instant::now();
        component.judge(Arc::clone(&batch)).await.unwrap();
        let wasm = begun.elapsed().as_secs_f64();
        let bare = seconds(|| drop(std::hint::black_box(native.detect(&instants, &columns).unwrap())));
        if round > 0 {
            inside.push(points / wasm);
            outside.push(points / bare);
            ratios.push(wasm / bare);
        }
    }
    Times(inside).row(&format!("component, {what}"), "M points/s", 1);
    Times(outside).row(&format!("native, {what}"), "M points/s", 1);
    Times(ratios).row(&format!("component / native, {what}"), "×", 2);
}
