//! Training within a worker: on a thread of its own with the lowest priority, over a connection of
//! its own, with instances of its own. No cycle waits for it.
//!
//! It lives as long as the service, and is notified after each successful cycle
//! ([`Worker::beats`](crate::worker::Worker::beats)). A failure is logged and retried later; the
//! models in use stay. A training ends after the current page or variable if the service stops or
//! if another worker becomes the active one. It starts again from the beginning after a later
//! cycle.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use super::ageing::Errors;
use super::alone::alone;
use super::decide::Decision;
use super::directory::Swapped;
use super::error::TrainingError;
use super::leave_out::{LeaveOut, LeftOut};
use super::new_set::Placed;
use super::plan::{Pace, TrainingPlan};
use super::record::SetRecord;
use super::schedule::{Due, Schedule, ScheduleFile};
use super::session::{TrainingSession, Variable};
use super::settings::Settings;
use crate::aged;
use crate::batch::Batch;
use crate::datetime::Datetime;
use crate::detector::Engine;
use crate::reload::{ReloadSlots, SetSource};
use crate::stop::Stop;
use crate::store::Store;
use crate::text::escaped;
use crate::worker::report::count;

/// How often aged models are searched for, and new variables whose first model is due.
const LOOKS: Duration = Duration::from_secs(3600);

/// The most batches that are kept for the search for aged models, and the most values in all.
const BATCHES: usize = 24;
const CELLS: usize = 1 << 20;

/// Older batches are not kept.
const RECENT: Duration = Duration::from_secs(2 * 86_400);

/// The most variables with a log line each after a training. Of the rest the number is logged.
const TOLD: usize = 50;

/// How long a stop waits for a set that is being swapped in.
const GRACE: Duration = Duration::from_secs(10);

/// The settings of the training of a worker.
pub struct Orders {
    /// The name of the worker's row in the state table.
    pub worker: String,
    /// None: nothing is trained.
    pub every: Option<Duration>,
    pub history: Duration,
    pub leave_out_anomalies: LeaveOut,
    /// The plan of each training, without range and time.
    pub plan: TrainingPlan,
    pub settings: Settings,
}

/// The training of a worker.
pub struct Background {
    engine: Engine,
    store: Box<dyn Store>,
    source: SetSource,
    shared: ReloadSlots,
    orders: Orders,
    file: ScheduleFile,
    schedule: Schedule,
    /// Whether the log says already that the schedule cannot be written.
    said_unkept: bool,
    /// When aged models were last searched for.
    looked: Option<Datetime>,
    batches: VecDeque<Arc<Batch>>,
    /// The last batch that was kept, so that none is kept twice.
    last: Option<Arc<Batch>>,
    errors: Errors,
}

/// What the thread and its handle share.
#[derive(Clone, Default)]
pub struct Signals {
    stop: Stop,
    /// Held while a set is swapped in.
    placing: Arc<Mutex<()>>,
}

impl Background {
    /// For a worker with this set.
    pub fn new(
        engine: Engine,
        store: Box<dyn Store>,
        source: SetSource,
        shared: ReloadSlots,
        orders: Orders,
    ) -> Self {
        let file = ScheduleFile::new(&source.models, &orders.worker);
        let schedule = file.read();
        Self {
            engine,
            store,
            source,
            shared,
            orders,
            file,
            schedule,
            said_unkept: false,
            looked: None,
            batches: VecDeque::new(),
            last: None,
            errors: Errors::default(),
        }
    }

    /// Works on a thread of its own until it is stopped.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn start(mut self, mut beats: watch::Receiver<Option<Datetime>>) -> io::Result<BackgroundHandle> {
        let signals = Signals::default();
        let running = BackgroundHandle(signals.clone());
        let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
        let work = move || {
            behind_all_else();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .max_blocking_threads(2)
                .on_thread_start(behind_all_else)
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::warn!("no models are trained beside the cycles: {error}");
                    return;
                }
            };
            runtime.block_on(async {
                while let Some(Ok(())) = signals.stop.unless_asked(beats.changed()).await {
                    let Some(now) = *beats.borrow_and_update() else { continue };
                    let leads = beats.clone();
                    let goes_on = || leads.borrow().is_some() && leads.has_changed().is_ok();
                    self.beat(now, &signals, &goes_on).await;
                }
            });
        };
        let named = thread::Builder::new().name("training".to_owned());
        named.spawn(move || tracing::dispatcher::with_default(&log, work))?;
        Ok(running)
    }

    /// Does what is due after a successful cycle. `now` is its time by the database's clock;
    /// `leads` says whether this worker is still the active one.
    pub async fn beat(&mut self, now: Datetime, signals: &Signals, leads: &(dyn Fn() -> bool + Sync)) {
        self.collect(now);
        let looked = self.looked.get_or_insert(now);
        let looks = now < *looked || now.since(*looked) >= LOOKS;
        if looks {
            *looked = now;
            self.look().await;
        }
        let Some(every) = self.orders.every else { return };
        match self.schedule.due(every, now) {
            Some(Due::New(..)) if !looks => {}
            Some(due) => {
                let goes_on = || !signals.stop.is_asked() && leads();
                self.train(&due, now, signals, &goes_on).await;
            }
            None => {}
        }
    }

    /// Keeps the last batch that was judged, and records its variables in the schedule.
    fn collect(&mut self, now: Datetime) {
        let Some(batch) = self.shared.canary().map(|canary| canary.batch) else { return };
        let is_recent = batch.datetimes.last().is_some_and(|last| now.since(*last) <= RECENT);
        if !is_recent || self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &batch)) {
            return;
        }
        self.last = Some(Arc::clone(&batch));
        if self.orders.every.is_some() {
            let variables = self.shared.in_use().map(|set| set.variables).unwrap_or_default();
            let seen = batch.columns.iter().map(|column| &column.variable);
            if self.schedule.notice(seen, |name| variables.contains(name), now) {
                self.keep();
            }
        }
        let cells = |batch: &Batch| batch.datetimes.len().saturating_mul(batch.columns.len());
        self.batches.push_back(batch);
        while self.batches.len() > 1
            && (self.batches.len() > BATCHES
                || self.batches.iter().map(|batch| cells(batch)).sum::<usize>() > CELLS)
        {
            self.batches.pop_front();
        }
    }

    /// Finds the models that are aged.
    async fn look(&mut self) {
        let batches: Vec<_> = self.batches.drain(..).collect();
        if batches.is_empty() {
            return;
        }
        match alone(&self.engine, &self.source).await {
            Ok(mut detector) => self.errors.take(&mut detector, &batches).await,
            // The reload logs what is wrong with the files.
            Err(error) => return tracing::debug!("whether models are aged is not known: {error}"),
        }
        let before = self.shared.aged().unwrap_or_default();
        let record = SetRecord::read(&self.source.models).unwrap_or_default();
        let aged = self.errors.aged(&record, &before);
        for (variable, one) in aged.iter().filter(|(variable, _)| !before.contains_key(*variable)).take(TOLD)
        {
            tracing::warn!("{}", aged::sentence(variable, one));
        }
        self.shared.set_aged(aged);
    }

    async fn train(
        &mut self,
        due: &Due,
        now: Datetime,
        signals: &Signals,
        goes_on: &(dyn Fn() -> bool + Sync),
    ) {
        let (from, variables) = match due {
            Due::All => (now.earlier(self.orders.history), None),
            // The batch in which a variable was first seen has readings from before that time.
            Due::New(names, since) => (since.earlier(LOOKS), Some(names.clone())),
        };
        let plan = TrainingPlan { from, to: now, now, variables, ..self.orders.plan.clone() };
        match &plan.variables {
            None => tracing::info!("training on the readings from {from} on, beside the cycles"),
            Some(new) => tracing::info!("training first models of {}", count(new.len() as u64, "variable")),
        }
        match self.session(&plan, signals, goes_on).await {
            Ok((through, placed)) => {
                tell(&through, placed.as_ref());
                self.schedule.done(due, now);
            }
            Err(TrainingError::Ended) => return tracing::info!("{}", TrainingError::Ended),
            Err(error) => {
                let again = self.schedule.failed(now);
                tracing::warn!(
                    "no models were trained, those in use stay: {error}; tried again from {again} on"
                );
            }
        }
        self.keep();
    }

    async fn session(
        &self,
        plan: &TrainingPlan,
        signals: &Signals,
        goes_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Vec<Variable>, Option<Placed>), TrainingError> {
        let mut input = self.store.look_at_input().await?;
        input.layout().await?;
        let settings = &self.orders.settings;
        let models = &self.source.models;
        let mut session = TrainingSession::begin(&self.engine, &self.source, plan, settings, models).await?;
        let pace = Pace { goes_on, rests: true };
        let asked = self.orders.leave_out_anomalies;
        let leave_out = LeftOut::prepare(asked, self.store.as_ref(), plan.from, plan.to).await?;
        let through = session.train(input.as_mut(), leave_out, &pace, |_| {}).await?;
        let _placing = signals.placing.lock().await;
        Ok((through, session.finish(&self.source).await?))
    }

    /// Writes the schedule to its file, for the next start.
    fn keep(&mut self) {
        if let Err(error) = self.file.write(&self.schedule)
            && !std::mem::replace(&mut self.said_unkept, true)
        {
            tracing::warn!(
                "the schedule of trainings cannot be written, so a restart trains all models again: {error}"
            );
        }
    }
}

/// The handle of the thread.
pub struct BackgroundHandle(Signals);

impl BackgroundHandle {
    /// Ends the training, and waits for a set that is being swapped in.
    pub async fn finish(self) {
        let Self(signals) = self;
        signals.stop.ask();
        // A swap that is killed leaves the old set or the new one.
        let _ = tokio::time::timeout(GRACE, signals.placing.lock()).await;
    }
}

/// Logs the result of a training, with the errors that decided.
fn tell(through: &[Variable], placed: Option<&Placed>) {
    for variable in through.iter().take(TOLD) {
        let name = escaped(&variable.name);
        let error = |score: Option<super::holdout::HoldoutScore>| {
            score.map_or_else(|| "not known".to_owned(), |score| format!("{:.4}", score.error))
        };
        let (rows, new, old) = (count(variable.rows as u64, "row"), error(variable.new), error(variable.old));
        match &variable.decision {
            Decision::Untrained(why) => {
                tracing::warn!("`{name}` {}; the model in use, if there is one, stays", escaped(why));
            }
            Decision::New => tracing::info!("`{name}` has a first model of {rows}: error {new}"),
            Decision::Replaced => {
                tracing::info!(
                    "`{name}` has a new model of {rows}: error {new}, that of the one before {old}"
                );
            }
            Decision::Better => {
                tracing::info!("`{name}` keeps its model: error {old}, that of a new one of {rows} {new}");
            }
        }
    }
    let more = through.len().saturating_sub(TOLD);
    if more > 0 {
        tracing::info!("and {more} variables more; `host models list` shows them all");
    }
    let untrained = through.iter().filter(|one| matches!(one.decision, Decision::Untrained(_))).count();
    let kept = through.iter().filter(|one| one.decision == Decision::Better).count();
    let new = placed.map_or(0, |placed| placed.models);
    let how = match placed {
        None => "no model is new".to_owned(),
        Some(Placed { generation, swapped, .. }) => {
            let how = if *swapped == Swapped::AtOnce { "in one move" } else { "file by file" };
            format!("{} new, in place as generation {generation}, {how}", count(new as u64, "model"))
        }
    };
    tracing::info!("training is done: {how}; {kept} kept, {untrained} not trained");
}

/// Gives this thread the lowest priority, if the system has priorities of threads.
#[cfg(target_os = "linux")]
fn behind_all_else() {
    // On Linux this sets the priority of the calling thread only.
    let _ = rustix::process::setpriority_process(None, 19);
}

#[cfg(windows)]
fn behind_all_else() {
    let _ = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Min);
}

#[cfg(not(any(target_os = "linux", windows)))]
fn behind_all_else() {}
