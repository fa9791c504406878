//! What the look for unjudged readings costs a plant of 10,000 variables a minute: `just
//! bench-look`.
//!
//! The detector echoes, so that the look is held against the cheapest cycle there is. Cycles right
//! after a look and cycles without one are timed in turn, in one run. Nothing here asserts a time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints"
)]

use std::time::{Duration, Instant};

use host::datetime::Datetime;
use host::worker::{Slice, Worker};
use tests::fixture::{Fixture, Layout, datetime, echo};

const VARIABLES: u32 = 10_000;

/// How many minutes of readings are within the allowed lateness; `LOOK_MINUTES` says another
/// number.
const MINUTES: u32 = 60;

const ROUNDS: u32 = 9;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let minutes = std::env::var("LOOK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(MINUTES);
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.allowed_lateness = Some(Duration::from_secs(60) * minutes);
    let mut plant = Plant { bench, minute: 0 };
    for _ in 0..minutes {
        plant.insert();
    }
    let mut worker = plant.bench.worker(echo().await);
    plant.cycle(&mut worker, u64::from(minutes)).await;
    // Everything is in the cache of the file by then, as in a plant.
    let (mut alone, mut after, mut looks, mut pages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut rows = 0;
    for _ in 0..ROUNDS {
        plant.insert();
        alone.push(plant.cycle(&mut worker, 1).await);
        let begun = Instant::now();
        worker.begin_look().await.unwrap();
        loop {
            let page = Instant::now();
            let slice = worker.look().await.unwrap();
            pages.push(page.elapsed().as_secs_f64());
            if let Slice::Done(look) = slice {
                assert_eq!((look.found.total(), look.unjudged), (0, 0));
                rows = look.rows.judged;
                break;
            }
        }
        looks.push(begun.elapsed().as_secs_f64());
        plant.insert();
        after.push(plant.cycle(&mut worker, 1).await);
    }
    let (alone, after, looks, pages) = (sorted(alone), sorted(after), sorted(looks), sorted(pages));
    println!("| what | median | range |\n|---|---|---|");
    row("cycle of 10,000 variables", "ms", 1e3, &alone);
    row("the same right after a look", "ms", 1e3, &after);
    row("a page of a look", "ms", 1e3, &pages);
    row(&format!("a whole look over {rows} readings"), "s", 1.0, &looks);
    #[allow(clippy::cast_precision_loss, reason = "some millions")]
    let each = median(&looks) / rows as f64;
    println!("ratio of the cycles: {:.2}", median(&after) / median(&alone));
    println!(
        "a look costs {:.2} µs a reading: {:.0} s for the 14,400,000 of a day",
        each * 1e6,
        each * 14.4e6
    );
}

struct Plant {
    bench: Fixture,
    minute: u32,
}

impl Plant {
    /// The readings of one more minute.
    fn insert(&mut self) {
        let at = self.now();
        self.bench.execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {VARIABLES}) \
             INSERT INTO datos_proceso (datetime, variable_name, value) SELECT '{at}', 'LINE ' || (i % 40) || '/T' || i, i FROM n"
        ));
        self.minute += 1;
        self.bench.now(&self.now().to_string()["2025-01-".len()..]);
    }

    fn now(&self) -> Datetime {
        datetime("10:00").later(Duration::from_secs(60) * self.minute)
    }

    /// A cycle over so many minutes, in seconds.
    async fn cycle(&self, worker: &mut Worker, minutes: u64) -> f64 {
        let begun = Instant::now();
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, minutes * u64::from(VARIABLES));
        begun.elapsed().as_secs_f64()
    }
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

fn median(times: &[f64]) -> f64 {
    times[times.len() / 2]
}

fn row(what: &str, unit: &str, scale: f64, times: &[f64]) {
    let (first, last) = (scale * times[0], scale * times[times.len() - 1]);
    println!("| {what} | {:.1} {unit} | {first:.1} – {last:.1} |", scale * median(times));
}
