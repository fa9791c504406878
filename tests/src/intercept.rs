//! A store that lets a test see each call. It passes the call on to the real store and records it.
//! A test may have it do something just before: fail as a server would, wait, or let the plant
//! insert rows.
//!
//! It is only for what a test cannot cause in another way. Locks, lost files and bad rows are made
//! on the real files.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use host::datetime::Datetime;
use host::episode::{EpisodeRange, Feedback, Shelving, StoredEpisode};
use host::reading::{Page, ReadingKey};
use host::state::{SetAside, State};
use host::store::{
    Claim, Commit, Connector, EntryState, EpisodeEditor, EpisodeReader, Importer, Input, InputLayout,
    LeaderLock, OutboxCounts, OutboxEntry, OutboxQueue, Outline, Output, OutputLimits, OutputProbe, Probed,
    ReadFrom, Rejudging, Replaced, SchemaChanges, SqliteStore, StoreError, StoredVerdict, Stretch, Tried,
    VerdictPage, VerdictReader, VerdictWriter,
};
use host::verdict::VerdictRow;

/// A call that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Now,
    /// With its limit: by key, by datetime.
    Read(usize),
    Count,
    LookUp,
    /// With the number of verdicts.
    Commit(usize),
    /// Any call at the beginning of a session.
    Begin,
}

/// What happens before the call is passed on.
pub enum Action {
    Go,
    /// The call fails with this and is not passed on.
    Fail(StoreError),
    /// The call is passed on, and although the commit was done this error is returned.
    Lose(StoreError),
    Wait(Duration),
}

type Before = dyn FnMut(Call) -> Action + Send;

/// A store, with a test between it and its user.
#[derive(Clone)]
pub struct Intercepted {
    store: SqliteStore,
    shared: Arc<Mutex<Notes>>,
}

struct Notes {
    before: Box<Before>,
    calls: Vec<Call>,
    largest_page: usize,
    verdicts_around: usize,
    lost: Option<StoreError>,
}

impl Intercepted {
    /// `before` is called at each call.
    pub fn new(store: &SqliteStore, before: impl FnMut(Call) -> Action + Send + 'static) -> Self {
        let before = Box::new(before);
        let notes = Notes { before, calls: Vec::new(), largest_page: 0, verdicts_around: 0, lost: None };
        Self { store: store.clone(), shared: Arc::new(Mutex::new(notes)) }
    }

    /// Takes the calls made so far.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.notes().calls)
    }

    /// The most rows that one read has returned.
    pub fn largest_page(&self) -> usize {
        self.notes().largest_page
    }

    /// How many verdicts were read around changed ones.
    pub fn verdicts_around(&self) -> usize {
        self.notes().verdicts_around
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn before(&self, call: Call) -> Result<(), StoreError> {
        let then = {
            let mut notes = self.notes();
            notes.calls.push(call);
            (notes.before)(call)
        };
        match then {
            Action::Go => Ok(()),
            Action::Fail(error) => Err(error),
            Action::Lose(error) => {
                self.notes().lost = Some(error);
                Ok(())
            }
            Action::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }

    fn read(&self, page: Page) -> Page {
        let mut notes = self.notes();
        notes.largest_page = notes.largest_page.max(page.readings.len() + page.malformed.len());
        page
    }
}

#[async_trait]
impl Connector for Intercepted {
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError> {
        self.before(Call::Open).await?;
        let (input, output) = self.store.open().await?;
        let between = self.clone();
        Ok((Box::new(In { input, between }), Box::new(Out { output, between: self.clone() })))
    }

    async fn open_output(&self) -> Result<Box<dyn Output>, StoreError> {
        Connector::open_output(&self.store).await
    }

    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError> {
        self.store.leader_lock(worker).await
    }

    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError> {
        self.store.open_importer(create).await
    }
}

struct In {
    input: Box<dyn Input>,
    between: Intercepted,
}

#[async_trait]
impl Input for In {
    async fn layout(&mut self) -> Result<InputLayout, StoreError> {
        self.between.before(Call::Begin).await?;
        self.input.layout().await
    }

    async fn now(&mut self) -> Result<Datetime, StoreError> {
        self.between.before(Call::Now).await?;
        self.input.now().await
    }

    async fn first_key_from(&mut self, from: Datetime) -> Result<Option<i64>, StoreError> {
        self.between.before(Call::Begin).await?;
        self.input.first_key_from(from).await
    }

    async fn last_key(&mut self) -> Result<Option<i64>, StoreError> {
        self.between.before(Call::Begin).await?;
        self.input.last_key().await
    }

    async fn read_keys(&mut self, spans: &[(i64, i64)], limit: usize) -> Result<Page, StoreError> {
        self.between.before(Call::Read(limit)).await?;
        Ok(self.between.read(self.input.read_keys(spans, limit).await?))
    }

    async fn read_range(
        &mut self,
        from: Datetime,
        to: Option<Datetime>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.between.before(Call::Read(limit)).await?;
        Ok(self.between.read(self.input.read_range(from, to, limit).await?))
    }

    async fn read_at(&mut self, datetimes: &[Datetime]) -> Result<Page, StoreError> {
        self.between.before(Call::LookUp).await?;
        self.input.read_at(datetimes).await
    }

    async fn count_range(&mut self, from: Datetime, to: Datetime) -> Result<u64, StoreError> {
        self.between.before(Call::Count).await?;
        self.input.count_range(from, to).await
    }
}

struct Out {
    output: Box<dyn Output>,
    between: Intercepted,
}

#[async_trait]
impl VerdictReader for Out {
    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError> {
        self.output.peek(worker).await
    }

    async fn outline(&mut self, worker: &str) -> Result<Option<Outline>, StoreError> {
        self.output.outline(worker).await
    }

    async fn newest(&mut self, until: Datetime) -> Result<Option<Datetime>, StoreError> {
        self.between.before(Call::Begin).await?;
        self.output.newest(until).await
    }

    async fn workers(&mut self) -> Result<Vec<String>, StoreError> {
        self.between.before(Call::Begin).await?;
        self.output.workers().await
    }

    async fn already_judged(&mut self, keys: &[ReadingKey]) -> Result<HashSet<ReadingKey>, StoreError> {
        self.between.before(Call::LookUp).await?;
        self.output.already_judged(keys).await
    }

    async fn read_verdicts(
        &mut self,
        from: Datetime,
        to: Datetime,
        anomalies_only: bool,
        limit: usize,
    ) -> Result<VerdictPage, StoreError> {
        self.between.before(Call::Read(limit)).await?;
        self.output.read_verdicts(from, to, anomalies_only, limit).await
    }

    async fn stretches(
        &mut self,
        stretches: &[Stretch],
        limit: usize,
        end: ReadFrom,
    ) -> Result<Vec<Vec<StoredVerdict>>, StoreError> {
        self.between.before(Call::LookUp).await?;
        let found = self.output.stretches(stretches, limit, end).await?;
        self.between.notes().verdicts_around += found.iter().map(Vec::len).sum::<usize>();
        Ok(found)
    }
}

#[async_trait]
impl OutputLimits for Out {
    async fn datetimes(&mut self) -> Result<(Datetime, Datetime), StoreError> {
        self.output.datetimes().await
    }

    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError> {
        self.between.before(Call::LookUp).await?;
        self.output.foreign_names(names).await
    }

    async fn equal_names(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError> {
        self.between.before(Call::LookUp).await?;
        self.output.equal_names(names).await
    }

    async fn other_spellings(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError> {
        self.between.before(Call::LookUp).await?;
        self.output.other_spellings(names).await
    }
}

#[async_trait]
impl VerdictWriter for Out {
    async fn ensure_tables(&mut self) -> Result<SchemaChanges, StoreError> {
        self.between.before(Call::Begin).await?;
        self.output.ensure_tables().await
    }

    async fn alive(&mut self) -> Result<(), StoreError> {
        self.output.alive().await
    }

    async fn claim(&mut self, worker: &str) -> Result<Claim, StoreError> {
        self.between.before(Call::Begin).await?;
        self.output.claim(worker).await
    }

    async fn commit(&mut self, worker: &str, commit: &Commit<'_>) -> Result<u64, StoreError> {
        self.between.before(Call::Commit(commit.verdicts.len())).await?;
        let done = self.output.commit(worker, commit).await;
        let lost = self.between.notes().lost.take();
        lost.map_or(done, Err)
    }
}

#[async_trait]
impl Rejudging for Out {
    async fn replace(&mut self, worker: &str, commit: &Commit<'_>) -> Result<Replaced, StoreError> {
        self.between.before(Call::Commit(commit.verdicts.len())).await?;
        self.output.replace(worker, commit).await
    }

    async fn forget(&mut self, worker: &str, epoch: i64) -> Result<(), StoreError> {
        self.output.forget(worker, epoch).await
    }

    async fn exchange_set_aside(
        &mut self,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool, StoreError> {
        self.output.exchange_set_aside(worker, before, after).await
    }
}

#[async_trait]
impl OutputProbe for Out {
    async fn probe(&mut self) -> Result<Probed, StoreError> {
        self.output.probe().await
    }

    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError> {
        self.output.attempt(verdicts).await
    }
}

#[async_trait]
impl EpisodeReader for Out {
    async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        self.output.open_episodes().await
    }

    async fn episode(&mut self, id: i64) -> Result<Option<StoredEpisode>, StoreError> {
        self.output.episode(id).await
    }

    async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError> {
        self.output.episodes(wanted).await
    }

    async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        self.output.shelved().await
    }
}

#[async_trait]
impl EpisodeEditor for Out {
    async fn shelve(&mut self, shelving: &Shelving) -> Result<(), StoreError> {
        self.output.shelve(shelving).await
    }

    async fn unshelve(&mut self, variable: &str, now: Datetime) -> Result<bool, StoreError> {
        self.output.unshelve(variable, now).await
    }

    async fn say(
        &mut self,
        id: i64,
        feedback: Feedback,
        note: Option<&str>,
        now: Datetime,
    ) -> Result<bool, StoreError> {
        self.output.say(id, feedback, note, now).await
    }
}

#[async_trait]
impl OutboxQueue for Out {
    async fn due(&mut self, after: i64, now: Datetime, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.output.due(after, now, limit).await
    }

    async fn tried_all(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError> {
        self.output.tried_all(tried).await
    }

    async fn tried(&mut self, seq: i64, tried: &Tried) -> Result<bool, StoreError> {
        self.output.tried(seq, tried).await
    }

    async fn delivered(&mut self, seqs: &[i64], at: Datetime) -> Result<(), StoreError> {
        self.output.delivered(seqs, at).await
    }

    async fn entries(&mut self, state: EntryState, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.output.entries(state, limit).await
    }

    async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError> {
        self.output.outbox_counts().await
    }

    async fn forget_delivered(&mut self, before: Datetime, limit: usize) -> Result<u64, StoreError> {
        self.output.forget_delivered(before, limit).await
    }
}

#[async_trait]
impl Output for Out {
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.output.close().await
    }
}
