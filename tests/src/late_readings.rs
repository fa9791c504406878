//! Plants whose readings come late, each made from a seed, for the tests of what a worker mends
//! afterwards. A minute is counted from nine o'clock on the fixture's day. Everything here lives
//! for one test, which stops at the first surprise.

use std::ops::RangeInclusive;

use host::detector::Detector;
use host::store::Connector;
use host::worker::backfill::{Backfill, BackfillPlan};

use crate::fixture::{Fixture, hostile, open_set};

/// When a reading comes, and the reading: its minute, its variable and its value.
pub type Arrival = (u64, (u64, &'static str, f64));

/// The same numbers for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// The plants that are tried: as many as `MEND_SEEDS` says, or one.
pub fn seeds() -> RangeInclusive<u64> {
    let count = std::env::var("MEND_SEEDS").ok().and_then(|count| count.parse::<u64>().ok());
    1..=count.unwrap_or(1)
}

/// A minute as the fixture abbreviates it.
pub fn clock(minute: u64) -> String {
    format!("{:02}:{:02}", 9 + minute / 60, minute % 60)
}

/// The plant inserts what comes up to this minute, which it now is.
pub fn pass_until(minute: u64, bench: &Fixture, arrivals: &mut Vec<Arrival>) {
    let come: Vec<_> = arrivals.extract_if(.., |(at, _)| *at <= minute).collect();
    let come: Vec<_> = come.iter().map(|(_, (at, name, y))| (clock(*at), *name, *y)).collect();
    bench.insert(&come.iter().map(|(at, name, y)| (at.as_str(), *name, *y)).collect::<Vec<_>>());
    bench.now(&clock(minute));
}

/// A detector that flags the readings that have this bit.
pub async fn flagging(bit: u32) -> Detector {
    open_set(hostile(&format!(r#"{{"do": "flag-bit-{bit}"}}"#), &["*"])).await
}

/// Runs a backfill to its end.
pub async fn run_backfill(plan: &BackfillPlan, store: &dyn Connector, detector: &mut Detector) {
    let mut backfill = Backfill::begin(plan, store, detector).await.unwrap();
    while backfill.step(detector).await.unwrap() {}
    backfill.finish().await.unwrap();
}

/// How many messages of this kind were made.
pub fn told(bench: &Fixture, kind: &str) -> usize {
    bench.texts(&format!("SELECT id FROM anomaly_worker_outbox WHERE kind = '{kind}'")).len()
}

/// The variables of episodes whose begin was told, and whose end was not although they have ended.
pub fn unfinished(bench: &Fixture) -> Vec<String> {
    bench.texts(
        "SELECT variable FROM anomaly_worker_episodes WHERE is_open = 0 AND told IN ('opened', 'still_open')",
    )
}
