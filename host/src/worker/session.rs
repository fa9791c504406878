//! The connections of a worker and the state that was committed through them.
//!
//! A session begins by taking the worker's name, which fences off the worker that had it, and ends
//! with the first call that fails: after a failure only the database knows the state, and the next
//! session reads it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::episodes::SessionEpisodes;
use super::names::Names;
use super::start::{begin_from, position_from};
use super::{WorkerSettings, correct, siblings};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::position::{self, Ahead, Position};
use crate::reading::Reading;
use crate::reconciliation::Reconciliation;
use crate::state::State;
use crate::store::{Commit, Connector, ErrorKind, Input, InputLayout, Output, StoreError};

/// With a key, looking for late rows costs nothing.
const LATENESS_WITH_KEY: Duration = Duration::from_secs(24 * 3600);
const LATENESS_WITHOUT: Duration = Duration::from_secs(3600);

/// How much older than the watermark a reading may be: the configured value, else a default that
/// depends on the cost of reading back.
pub fn lateness(configured: Option<Duration>, layout: InputLayout) -> Duration {
    configured.unwrap_or(if layout.has_key { LATENESS_WITH_KEY } else { LATENESS_WITHOUT })
}

/// Open connections.
pub(super) struct Session {
    pub(super) input: Box<dyn Input>,
    pub(super) output: Box<dyn Output>,
    pub(super) lateness: Duration,
    pub(super) has_datetime_index: bool,
    /// The server's time when it was last asked for.
    pub(super) now: Datetime,
    pub(super) state: State,
    pub(super) timeless: Timeless,
    pub(super) names: Names,
    pub(super) episodes: SessionEpisodes,
    /// The range of datetimes that the output can hold; None before it was asked.
    datetimes: Option<(Datetime, Datetime)>,
    /// Variables that a constraint of the output refused, with its message. The next session tries
    /// them again.
    refused: BTreeMap<Arc<str>, String>,
}

/// Rows without a key and without a datetime: only their text identifies them, and they are read in
/// every cycle.
#[derive(Default)]
pub(super) struct Timeless(HashSet<String>);

impl Timeless {
    /// A table that holds more kinds of them is not a table of readings.
    const MOST: usize = 1000;

    /// Whether this is the first of its kind in this session.
    pub(super) fn first_seen(&mut self, why: &str) -> bool {
        self.0.len() < Self::MOST && self.0.insert(why.to_owned())
    }
}

impl Session {
    pub(super) fn new(
        input: Box<dyn Input>,
        output: Box<dyn Output>,
        lateness: Duration,
        state: State,
    ) -> Self {
        let (now, timeless) = (state.updated_at, Timeless::default());
        Self {
            input,
            output,
            lateness,
            has_datetime_index: false,
            now,
            state,
            timeless,
            names: Names::default(),
            episodes: SessionEpisodes::default(),
            datetimes: None,
            refused: BTreeMap::new(),
        }
    }

    /// Whether the session can be used. An idle connection is cut by some firewalls, and by Azure
    /// after 30 minutes; that does not mean that the server is gone.
    pub(super) async fn is_alive(&mut self) -> Result<bool, StoreError> {
        let asked = match self.output.alive().await {
            Ok(()) => self.input.now().await.map(drop),
            Err(error) => Err(error),
        };
        match asked {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::Connection => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Leaves out the readings of these variables from now on: a constraint of the output refuses
    /// them, with this message.
    pub(super) fn refuse(&mut self, refused: BTreeMap<Arc<str>, String>) {
        self.refused.extend(refused);
    }

    /// Whether a constraint of the output has refused this variable.
    pub(super) fn refuses(&self, variable: &str) -> bool {
        self.refused.contains_key(variable)
    }

    /// Whether the output can hold this datetime, as far as is known.
    pub(super) fn holds_datetime(&self, at: Datetime) -> bool {
        self.datetimes.is_none_or(|(first, last)| (first..=last).contains(&at))
    }

    /// Asks the output which datetimes it can hold, and about names that are new.
    pub(super) async fn learn_names(
        &mut self,
        rows: &[Reading],
        detector: &Detector,
    ) -> Result<(), StoreError> {
        if self.datetimes.is_none() {
            self.datetimes = Some(self.output.datetimes().await?);
        }
        let met = rows.iter().map(|row| &row.variable);
        let models = detector.summary().loaded().map(|model| &model.variable);
        self.names.learn(self.output.as_mut(), met, &detector.set().digest, models).await
    }

    /// Connects, makes the tables that are missing, takes the worker's name and finds its position.
    pub(super) async fn begin(
        settings: &WorkerSettings,
        connector: &dyn Connector,
    ) -> Result<Self, StoreError> {
        let (mut input, mut output) = connector.open().await?;
        let layout = input.layout().await?;
        let changes = output.ensure_tables().await?;
        if !changes.created.is_empty() {
            tracing::info!("created {}", changes.created.join(", "));
        }
        for warning in &changes.warnings {
            tracing::warn!("{warning}");
        }
        if !layout.has_key && !layout.has_datetime_index {
            tracing::warn!(
                "the input table has neither an `id` nor an index on `datetime`: each cycle reads it whole"
            );
        }
        let lateness = lateness(settings.allowed_lateness, layout);
        let now = input.now().await?;
        let taken = output.claim(&settings.name).await?;
        let state = match taken.state {
            Some(mut state) => {
                correct::watermark(&mut state, now, output.as_mut()).await?;
                correct::since(&mut state, settings, lateness, now, input.as_mut(), output.as_mut()).await?;
                fit_layout(state, layout, input.as_mut(), lateness, now).await?
            }
            None => {
                let found = FirstStart { layout, lateness, now, epoch: taken.epoch };
                let state = first_state(settings, &found, input.as_mut(), output.as_mut()).await?;
                // From now on there is a state row, so that `host status` has something to show.
                output.commit(&settings.name, &Commit::of(&[], &state)).await?;
                state
            }
        };
        match state.watermark {
            Some(watermark) => tracing::info!("last processed datetime: {watermark}"),
            None => tracing::info!(
                "nothing was processed before; readings from {} on are judged",
                state.position.since()
            ),
        }
        let mut session = Self::new(input, output, lateness, state);
        (session.has_datetime_index, session.now) = (layout.has_datetime_index, now);
        session.episodes = SessionEpisodes::load(settings, &session.state, session.output.as_mut()).await?;
        Ok(session)
    }

    /// The oldest datetime that is judged at this time.
    pub(super) fn oldest_allowed(&self, now: Datetime) -> Datetime {
        position::oldest_allowed(
            self.state.position.since(),
            self.state.watermark_at(now),
            now,
            self.lateness,
        )
    }

    /// What is set aside is the one part of the row that another process may change: a `backfill`
    /// that has judged the readings removes it. It is read just before a commit, and only if
    /// something is set aside, so that the commit does not put it back.
    pub(super) async fn reload_set_aside(&mut self, worker: &str) -> Result<(), StoreError> {
        if !self.state.set_aside.is_empty()
            && let Some(stored) = self.output.outline(worker).await?
        {
            self.state.set_aside = stored.state.set_aside;
        }
        Ok(())
    }
}

/// What a new worker finds.
struct FirstStart {
    layout: InputLayout,
    lateness: Duration,
    now: Datetime,
    epoch: i64,
}

/// The position of a worker without a state row: after the output's last verdict, else the initial
/// lookback; in any case no later than where workers of its name with another number of shares have
/// stopped.
async fn first_state(
    settings: &WorkerSettings,
    found: &FirstStart,
    input: &mut dyn Input,
    output: &mut dyn Output,
) -> Result<State, StoreError> {
    let FirstStart { layout, lateness, now, epoch } = *found;
    let (watermark, since) = begin_from(settings, lateness, now, output).await?;
    let (watermark, since) = match siblings::left_off(settings, lateness, output).await? {
        Some(left_off) if left_off < since => (None, left_off),
        _ => (watermark, since),
    };
    Ok(State {
        epoch,
        position: position_from(since, layout, input, now).await?,
        watermark,
        ahead: Ahead::default(),
        reconciliation: Reconciliation::default(),
        checkpoint: None,
        memory: Default::default(),
        set_digest: None,
        models: None,
        set_aside: BTreeMap::new(),
        counts: Counts::default(),
        updated_at: now,
    })
}

/// A table that lost its key, or got one, is read from the allowed lateness on; readings that have
/// a verdict are left out as always.
async fn fit_layout(
    mut state: State,
    layout: InputLayout,
    input: &mut dyn Input,
    lateness: Duration,
    now: Datetime,
) -> Result<State, StoreError> {
    if layout.has_key != matches!(state.position, Position::Key(_)) {
        tracing::warn!(
            "the input table {} key `id` since the last run; readings of the allowed lateness are looked at again",
            if layout.has_key { "has got a" } else { "has lost its" }
        );
        let since = state.watermark.map_or(state.position.since(), |watermark| watermark.earlier(lateness));
        state.position = position_from(since.max(state.position.since()), layout, input, now).await?;
    }
    Ok(state)
}
