//! Advances the plant's time and runs the worker: real cycles of the real worker, on a clock that
//! the demo sets.
//!
//! Each step stores what arrived in the last ten minutes and runs one cycle; nothing sleeps.
//! Between two cycles a model is added, and the reloader is asked to look, which in `host run` its
//! watch loop does on a file event: the demo must not depend on when the system delivers one.
//! Everything else is as in `host run`. Ends with the first error.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::arrivals::Arrivals;
use super::directory::DemoDirectory;
use super::faults;
use super::historian::Historian;
use super::models::{DROPPED_IN_AFTER, WITHHELD, start_and_later};
use super::plant::{Plant, SEED};
use super::score::{self, DemoScore, JudgedReading};
use super::variables::START;
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::detector::{Detector, Engine, short_digest};
use crate::reload::{ReloadOutcome, ReloadSlots, Reloader, SetSource};
use crate::store::{Clock, SqliteStore};
use crate::worker::{Worker, WorkerSettings, report};

/// Between two cycles: what `host run` has by default.
pub const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How much of the plant's past the rule that learns is shown.
const BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// The rule of the Python worker: without a model nothing is judged.
const BY_INTERVAL: &str = r#"{"rule": "interval"}"#;

/// The schedule of the demo.
#[derive(Clone, Copy, Debug)]
pub struct DemoPlan {
    days: u32,
}

impl DemoPlan {
    /// A demo of that many days, at least one.
    pub fn new(days: u32) -> Self {
        Self { days: days.max(1) }
    }

    /// The time of the last cycle.
    pub fn end(self) -> Datetime {
        START.later(self.length())
    }

    /// How many cycles there are.
    pub fn cycles(self) -> u64 {
        cycles_in(self.length())
    }

    /// The first cycle after the model was added; half-way at the latest.
    pub fn drop_before(self) -> u64 {
        cycles_in(DROPPED_IN_AFTER.min(self.length() / 2))
    }

    /// The plant's time at a cycle; the first is number 1.
    pub fn time_of(self, cycle: u64) -> Datetime {
        START.later(INTERVAL.saturating_mul(u32::try_from(cycle).unwrap_or(u32::MAX)))
    }

    fn length(self) -> Duration {
        Duration::from_secs(24 * 3600) * self.days
    }
}

fn cycles_in(span: Duration) -> u64 {
    span.as_secs() / INTERVAL.as_secs()
}

/// What the driver reports while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoEvent<'a> {
    /// A model was added, and a set with it was found and tried; its short digest.
    DroppedIn { set: &'a str },
    /// A cycle begins; the first is number 1.
    Cycle(u64),
}

/// The results.
#[derive(Debug)]
pub struct DemoResult {
    pub score: DemoScore,
    /// The outcomes of all rows, as the worker counted them.
    pub counts: Counts,
    /// Verdicts on the variable whose model was added during the demo, and the first of them.
    pub by_new_model: (usize, Option<Datetime>),
    /// The results of the rule that learns on the same readings.
    pub learning: DemoScore,
}

/// Runs the whole demo in a directory that is prepared for it.
///
/// # Errors
/// The first error: of a file, the detector or a cycle, or the added model was not used.
pub async fn run(
    plan: DemoPlan,
    place: &DemoDirectory,
    engine: Engine,
    mut tell: impl FnMut(DemoEvent<'_>),
) -> anyhow::Result<DemoResult> {
    let faults = faults::until(plan.end());
    let arrivals = Arrivals::new(Plant::new(SEED), &faults, plan.end());
    let (models, later) = start_and_later();
    models.iter().try_for_each(|file| place.drop_in(file))?;
    let mut historian = Historian::create(&place.database())?;

    let source =
        SetSource { module: None, models: place.models(), settings: BY_INTERVAL.to_owned(), own: Vec::new() };
    let detector = Detector::open(&engine, Arc::new(source.read(&engine).await?), None).await?;
    report::models(&detector);
    let shared = ReloadSlots::default();
    let again = engine.clone();
    let mut reloader = Reloader::new(engine, source, shared.clone(), &detector);
    let (clock, hand) = Clock::settable(START);
    let store = SqliteStore { clock, ..SqliteStore::new(place.database()) };
    let mut worker = Worker::new(settings(), Box::new(store), detector, shared);
    let by_learning = LearningPass { engine: again, place, arrivals: &arrivals, end: plan.end() };

    let mut before = START;
    for cycle in 1..=plan.cycles() {
        let now = plan.time_of(cycle);
        historian.store(arrivals.between(before, now)).context("the plant's readings cannot be stored")?;
        hand.set(now);
        if cycle == plan.drop_before() {
            later.iter().try_for_each(|file| place.drop_in(file))?;
            let set = look(&mut reloader).await?;
            tell(DemoEvent::DroppedIn { set: short_digest(&set) });
        }
        tell(DemoEvent::Cycle(cycle));
        worker.cycle(|| false).await.with_context(|| format!("cycle {cycle}"))?;
        before = now;
    }

    let verdicts = historian.verdicts().context("the verdicts cannot be read")?;
    let new = verdicts.iter().filter(|verdict| &*verdict.variable == WITHHELD);
    Ok(DemoResult {
        score: score::score(&faults, arrivals.all(), &verdicts),
        counts: worker.totals(),
        by_new_model: (new.clone().count(), new.map(|verdict| verdict.ds).min()),
        learning: score::score(&faults, arrivals.all(), &by_learning.verdicts().await?),
    })
}

/// The same rows, in a database of their own, judged under the rule that learns. That database has
/// the weeks before too, which its detector is shown.
struct LearningPass<'a> {
    engine: Engine,
    place: &'a DemoDirectory,
    arrivals: &'a Arrivals,
    end: Datetime,
}

impl LearningPass<'_> {
    async fn verdicts(self) -> anyhow::Result<Vec<JudgedReading>> {
        let Self { engine, place, arrivals, end } = self;
        let file = place.learning();
        let mut historian = Historian::create(&file)?;
        historian
            .store(Arrivals::before(Plant::new(SEED), BEFORE).all())
            .and_then(|()| historian.store(arrivals.all()))
            .context("the plant's readings cannot be stored a second time")?;
        let source =
            SetSource { module: None, models: place.models(), settings: "{}".to_owned(), own: Vec::new() };
        let detector = Detector::open(&engine, Arc::new(source.read(&engine).await?), None).await?;
        let (clock, _) = Clock::settable(end);
        let store = SqliteStore { clock, ..SqliteStore::new(file) };
        let settings = WorkerSettings { initial_lookback: end.since(START), ..settings() };
        let mut worker = Worker::new(settings, Box::new(store), detector, ReloadSlots::default());
        worker.cycle(|| false).await.context("the cycle under the rule that learns")?;
        historian.verdicts().context("the verdicts of the rule that learns cannot be read")
    }
}

/// As a worker without a configuration has them.
fn settings() -> WorkerSettings {
    let config =
        crate::config::WorkerSection { interval: INTERVAL, ..crate::config::WorkerSection::default() };
    WorkerSettings {
        settle: config.settle(),
        patience: Duration::from_secs(60),
        reconcile: None,
        episodes: Default::default(),
        name: config.row(),
        shard: config.shard,
        batch_rows: config.batch_rows,
        initial_lookback: config.initial_lookback,
        allowed_lateness: config.allowed_lateness,
    }
}

/// The digest of the set that the reloader found and tried.
async fn look(reloader: &mut Reloader) -> anyhow::Result<String> {
    match reloader.look().await {
        ReloadOutcome::Ready(digest) => Ok(digest),
        ReloadOutcome::Same => bail!("the model that was dropped in was not noticed"),
        ReloadOutcome::Refused(error) | ReloadOutcome::Unsettled(error) => {
            Err(error).context("the model that was dropped in is not used")
        }
        ReloadOutcome::Hangs(_) => {
            bail!("the model that was dropped in cannot be read, the file system does not answer")
        }
    }
}

impl DemoResult {
    /// What the worker did wrong, a sentence each; empty if everything is right.
    pub fn broken_promises(&self) -> Vec<String> {
        let readings = &self.score.readings;
        let harmful = |fault: &&score::FaultScore| fault.outcome == score::FaultOutcome::Harmful;
        let harmful = self.score.faults.iter().filter(harmful).count();
        let without_model = usize::try_from(self.counts.no_model).unwrap_or(usize::MAX);
        let expected = readings.arrived.saturating_sub(without_model);
        let mut broken: Vec<String> = [
            (
                expected.saturating_sub(readings.judged),
                "readings without a verdict although there is a model",
            ),
            (
                readings.judged.saturating_sub(expected),
                "readings with a verdict although they were counted out",
            ),
            (readings.judged_twice, "readings judged twice"),
            (readings.judged_from_nothing, "verdicts on readings that never arrived"),
            (harmful, "faults in how rows arrive that did harm"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
        if self.by_new_model.0 == 0 {
            broken.push("no verdict by the model that was dropped in".to_owned());
        }
        broken
    }
}

#[cfg(test)]
mod tests;
