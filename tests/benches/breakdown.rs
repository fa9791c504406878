//! Where the time of a judged batch goes, and what the floor is: complete verdicts of 25 variables
//! with daily and weekly seasons.
//!
//!     just breakdown
//!
//! The floor is the same way through a component that does not judge: `tests/hostile`, told
//! nothing, gives back columns of the same size. What lies above it is computation. Natively the
//! same library is timed part by part. All parts are taken in turn, round after round, and each is
//! given as median and least, in nanoseconds a point.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops at the first surprise and prints"
)]

#[path = "../../host/benches/figures/sample.rs"]
mod sample;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::batch::Batch;
use host::demo::models::FILES;
use host::demo::variables::VARIABLES;
use host::detector::{Detector, Engine, Limits, ModelFile, Module, Set, check};
use prophet::interval::{Intervals, TrendUncertainty};
use prophet::{Features, Forecast, Inputs, Model};
use tests::HOSTILE;

/// Datetimes in a batch, and rounds.
const SIZES: [(u32, usize); 3] = [(5, 2_000), (1_440, 300), (43_200, 20)];

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (rows, rounds) in SIZES {
        runtime.block_on(measure(rows, rounds));
    }
}

async fn measure(rows: u32, rounds: usize) {
    let batch = Arc::new(sample::batch(rows));
    let mut component = Component::open().await;
    let mut native = Native::open();
    let mut found: Vec<(&'static str, Vec<f64>)> = Vec::new();
    let points = f64::from(rows) * VARIABLES.len() as f64;
    for round in 0..=rounds {
        let mut parts = Parts { found: &mut found, counts: round > 0, points };
        component.measure(&batch, &mut parts).await;
        native.measure(&batch, &mut parts);
    }
    println!("\n{rows} × {} points: nanoseconds a point, median (least of {rounds})\n", VARIABLES.len());
    let mut medians = Vec::new();
    for (part, mut times) in found {
        times.sort_by(f64::total_cmp);
        println!("{part:<62} {:>9.2} ({:.2})", times[times.len() / 2], times[0]);
        medians.push((part, times[times.len() / 2]));
    }
    let of = |part: &str| medians.iter().find(|found| found.0 == part).unwrap().1;
    println!(
        "component / native {:.2}, floor / native {:.2}",
        of(JUDGED) / of(NATIVE),
        of(FLOOR) / of(NATIVE)
    );
}

/// The same batch again and again is all late to the rule that learns.
const SETTINGS: &str = r#"{"rule": "interval"}"#;

const JUDGED: &str = "component: judged";
const FLOOR: &str = "component: batch in, columns out, checked (the floor)";
const NATIVE: &str = "native: judged";

/// What a round found.
struct Parts<'a> {
    found: &'a mut Vec<(&'static str, Vec<f64>)>,
    /// Not the first round, which warms up.
    counts: bool,
    points: f64,
}

impl Parts<'_> {
    fn took(&mut self, part: &'static str, time: Duration) {
        let each = time.as_secs_f64() * 1e9 / self.points;
        if !self.counts {
            self.found.push((part, Vec::new()));
        } else if let Some((_, times)) = self.found.iter_mut().find(|found| found.0 == part) {
            times.push(each);
        }
    }
}

/// Through the host, as the worker does it.
struct Component {
    judging: Detector,
    echoing: Detector,
    ignoring: Detector,
}

impl Component {
    async fn open() -> Self {
        let engine = Engine::new(Limits { memory: 1 << 30, ..Limits::default() }, None).unwrap();
        let open = async |set: Set| Detector::open(&engine, Arc::new(set), None).await.unwrap();
        let hostile = |files: Vec<ModelFile>| {
            let module = Module { name: "hostile.wasm".into(), bytes: HOSTILE.into() };
            Set::new(module, files, "models".into(), "{}".into())
        };
        let all = ModelFile { path: "*".into(), bytes: Vec::new() };
        Self {
            judging: open(sample::set(SETTINGS)).await,
            echoing: open(hostile(vec![all])).await,
            ignoring: open(hostile(Vec::new())).await,
        }
    }

    async fn measure(&mut self, batch: &Arc<Batch>, parts: &mut Parts<'_>) {
        let begun = Instant::now();
        self.ignoring.judge(Arc::new(Batch::default())).await.unwrap();
        parts.took("component: an empty call, thread and back", begun.elapsed());
        for (part, detector) in [
            ("component: batch in, nothing out", &mut self.ignoring),
            (FLOOR, &mut self.echoing),
            (JUDGED, &mut self.judging),
        ] {
            let begun = Instant::now();
            let judged = detector.judge(Arc::clone(batch)).await.unwrap();
            parts.took(part, begun.elapsed());
            if part == JUDGED {
                let begun = Instant::now();
                check::answer(batch, &judged.outcomes).unwrap();
                parts.took("  of which the check (again, on the answer)", begun.elapsed());
            }
        }
    }
}

/// The library by itself.
struct Native {
    detector: detector_guest::ProphetDetector,
    models: Vec<Model>,
}

impl Native {
    fn open() -> Self {
        let files: Vec<_> =
            FILES.iter().map(|file| detector_guest::File { path: file.name, bytes: file.bytes }).collect();
        let models = FILES.iter().filter_map(|file| Model::from_json(file.bytes).ok());
        Self {
            detector: detector_guest::ProphetDetector::open(&files, SETTINGS).unwrap(),
            models: models.collect(),
        }
    }

    fn measure(&mut self, batch: &Batch, parts: &mut Parts<'_>) {
        let instants: Vec<i64> = batch.datetimes.iter().map(|at| at.micros()).collect();
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| detector_guest::Column { variable: &column.variable, values: &column.values })
            .collect();
        let begun = Instant::now();
        drop(black_box(self.detector.detect(&instants, &columns).unwrap()));
        parts.took(NATIVE, begun.elapsed());

        let (mut features, mut forecast, inputs) = (Features::default(), Forecast::default(), Inputs::new());
        let at_once = self.models[0].rows_at_once(TrendUncertainty::None);
        let (mut intervals, mut lower, mut upper) =
            (Intervals::new(), vec![0.0; at_once], vec![0.0; at_once]);
        let (mut common, mut sums, mut bounds) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        for slice in instants.chunks(at_once) {
            let begun = Instant::now();
            features.reset(slice);
            // The first model that asks has the waves computed, for all.
            self.models[0].forecast(&mut features, &inputs, &mut forecast);
            common += begun.elapsed();

            let begun = Instant::now();
            for model in &self.models {
                model.forecast(&mut features, &inputs, &mut forecast);
                black_box(forecast.yhat());
            }
            sums += begun.elapsed();

            let begun = Instant::now();
            for model in &self.models {
                let law = (model.interval_width(), TrendUncertainty::None);
                let (lower, upper) = (&mut lower[..slice.len()], &mut upper[..slice.len()]);
                intervals.bound(model, &mut features, &inputs, &forecast, law, lower, upper);
                black_box((lower, upper));
            }
            bounds += begun.elapsed();
        }
        parts.took("  of which features, with the sums of one variable", common);
        parts.took("  of which weighted sums and trend", sums);
        parts.took("  of which intervals", bounds);
    }
}
