//! Computes past episodes again when readings came late or a backfill has judged readings.
//!
//! For each variable concerned it reads the verdicts from the last moment before the change at
//! which the variable was at rest up to the next such moment, a bounded number at a time.

mod runs;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::datetime::Datetime;
use crate::episode::{
    Anew, Changed, Draft, EpisodeChange, EpisodeKind, EpisodeRange, EpisodeTracker, LookedAt, Mended,
    Notifier, Past, PastEnd, Point, RunStart, StateLimits, StoredEpisode, Told, VariableSettings,
};
use crate::store::{Output, ReadFrom, StoreError, Stretch};

/// Before all datetimes.
const START: Datetime = Datetime::from_micros(i64::MIN);

/// The latest datetime that every database can hold.
const END: Datetime = Datetime::from_micros(253_402_300_799_000_000);

/// The step from one verdict to the next.
const STEP: Duration = Duration::from_micros(1);

/// Variables whose verdicts are read at once, and how many verdicts of each: few at first, as most
/// variables are soon at rest.
const AT_ONCE: usize = 64;
const AT_FIRST: usize = 64;
const AT_MOST: usize = 1024;

/// Episodes that began within this time before count as recent: their number decides the priority. So
/// far back a worker looks for late readings, unless it is told otherwise.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// How often storing a batch is tried, if another process changes its episodes at the same time or
/// the output refuses some of its verdicts.
pub(super) const TRIES: usize = 5;

/// The most episodes that are read for all variables together. If there are more, they are read for
/// each variable.
const MOST_EPISODES: usize = 200_000;

/// New verdicts, by variable.
pub(super) type News = BTreeMap<Arc<str>, Vec<Point>>;

/// The evaluation of one variable.
struct Walk {
    past: Past,
    next: Datetime,
    /// The datetime before which it ends.
    to: Datetime,
    is_over: bool,
}

/// Computes again the episodes that late readings of a batch change, and those of the variables in
/// `anew`, all of whose verdicts from there on are evaluated. The tracker uses the result when it
/// makes the draft.
pub(super) async fn late(
    tracker: &mut EpisodeTracker,
    mut late: News,
    anew: &BTreeMap<Arc<str>, Anew>,
    output: &mut dyn Output,
    now: Datetime,
    notifier: &Notifier,
) -> Result<BTreeMap<Arc<str>, Mended>, StoreError> {
    for variable in anew.keys() {
        late.entry(Arc::clone(variable)).or_default();
    }
    let mut concerned = Vec::new();
    for (variable, points) in late {
        let of_new = || anew.get(&variable).map(|anew| anew.from.earlier(STEP));
        let Some(end) = tracker.last(&variable).or_else(of_new) else { continue };
        let ends = points.iter().map(|point| point.ds);
        let (mut first, mut last) = (ends.clone().min().unwrap_or(end), ends.max().unwrap_or(end));
        // Later verdicts are evaluated in their order, as always.
        let mut to = end.later(STEP);
        if let Some(anew) = anew.get(&variable) {
            (first, last, to) = (first.min(anew.from), END, anew.to.unwrap_or(END));
        }
        let settings = tracker.settings_of(&variable);
        let limits = tracker.limits(&variable);
        let known_to = tracker.last(&variable).unwrap_or(START);
        let (run, looked_at) = (RunStart { from: first, is_known: false }, [(START, END); 2]);
        let changed = Changed {
            first,
            last,
            context: first,
            run,
            after: None,
            late: points,
            known_to,
            looked_at,
            replaces: false,
        };
        concerned.push(Concerned { variable, settings, limits, changed, to });
    }
    let mut known = KnownEpisodes::default();
    let walks = go_over(output, &mut known, concerned).await?;
    let finished = walks.into_iter().map(|(variable, past)| {
        let next = anew.get(&variable).and_then(|anew| anew.to);
        (variable, past.finish(next, now, notifier))
    });
    Ok(finished.collect())
}

/// The changes that the verdicts of a backfill's batch make to episodes: with `replaces` they
/// replace what is stored, else what is stored stays. No message is made of past episodes, except
/// the end of one whose begin was told.
pub(super) async fn rejudged(
    tracker: &mut EpisodeTracker,
    known: &mut KnownEpisodes,
    news: News,
    (replaces, looked_at): (bool, LookedAt),
    output: &mut dyn Output,
    now: Datetime,
) -> Result<Draft, StoreError> {
    let mut concerned = Vec::new();
    for (variable, points) in news {
        let ends = points.iter().map(|point| point.ds);
        let (Some(first), Some(last)) = (ends.clone().min(), ends.max()) else { continue };
        let settings = tracker.settings_of(&variable);
        let limits = tracker.limits(&variable);
        let run = RunStart { from: first, is_known: false };
        // What came lately is looked at by the worker.
        let looked_at = [looked_at, (now.earlier(LATELY), END)];
        let after = known.end_before(&variable, first);
        let changed = Changed {
            first,
            last,
            context: first,
            run,
            after,
            late: points,
            known_to: END,
            looked_at,
            replaces,
        };
        concerned.push(Concerned { variable, settings, limits, changed, to: END });
    }
    let notifier = Notifier::of_the_past();
    let mut draft = Draft::default();
    known.ended.clear();
    for (variable, past) in go_over(output, known, concerned).await? {
        let mut mended = past.finish(None, now, &notifier);
        known.ended.push((Arc::clone(&variable), mended.end.take()));
        draft.changes.extend(mended.changes);
        draft.messages.extend(mended.messages);
        // An open episode stays the worker's, if the worker has a row of it. It is written all the
        // same, so that the worker sees that the row was changed.
        let anomaly = mended.live.and_then(|(machine, row)| Some((machine.open()?.clone(), row)));
        for (mut episode, row) in anomaly.into_iter().chain(mended.stuck.flatten()) {
            if row.is_none() {
                episode.told = Told::Never;
            }
            draft.changes.push(EpisodeChange { before: row, episode, gone: false });
        }
        if let Some(row) = mended.disproved {
            let change = tracker.disprove(&variable, row, mended.last, now, &mut draft.messages);
            draft.changes.push(change);
        }
    }
    Ok(draft)
}

/// A variable whose past verdicts change.
struct Concerned {
    variable: Arc<str>,
    settings: Arc<VariableSettings>,
    limits: StateLimits,
    changed: Changed,
    to: Datetime,
}

/// Evaluates the verdicts of each variable until it is at rest, or there are no more.
async fn go_over(
    output: &mut dyn Output,
    known: &mut KnownEpisodes,
    mut concerned: Vec<Concerned>,
) -> Result<Vec<(Arc<str>, Past)>, StoreError> {
    let Some(first) = concerned.iter().map(|one| one.changed.first).min() else { return Ok(Vec::new()) };
    known.read_from(output, first).await?;
    look_back(output, &mut concerned).await?;
    let mut rows = Vec::new();
    for one in &concerned {
        rows.push(known.of(output, &one.variable, one.changed.first).await?);
    }
    runs::find(output, &mut concerned, &rows).await?;
    let mut walks = Vec::new();
    for (Concerned { variable, settings, limits, changed, to }, old) in concerned.into_iter().zip(rows) {
        let past = Past::new(Arc::clone(&variable), settings, limits, old, changed);
        let next = past.from();
        walks.push((variable, Walk { past, next, to, is_over: false }));
    }
    let mut limit = AT_FIRST;
    loop {
        let mut left: Vec<_> = walks.iter_mut().filter(|(_, walk)| !walk.is_over).collect();
        if left.is_empty() {
            break;
        }
        for some in left.chunks_mut(AT_ONCE) {
            let asked = some.iter().map(|(variable, walk)| Stretch {
                variable: Arc::clone(variable),
                from: walk.next,
                to: walk.to,
            });
            let asked: Vec<Stretch> = asked.collect();
            let found = output.stretches(&asked, limit, ReadFrom::Start).await?;
            for ((_, walk), verdicts) in some.iter_mut().zip(found) {
                verdicts.iter().filter_map(Point::of_stored).for_each(|point| walk.past.take(&point));
                let last = verdicts.last().filter(|_| verdicts.len() >= limit).map(|verdict| verdict.ds);
                walk.is_over = last.is_none() || walk.past.is_done();
                walk.next = last.map_or(walk.next, |last| last.later(STEP));
            }
        }
        limit = (4 * limit).min(AT_MOST);
    }
    Ok(walks.into_iter().map(|(variable, walk)| (variable, walk.past)).collect())
}

/// Where readings in a row open an episode, those just before the first change count too.
async fn look_back(output: &mut dyn Output, concerned: &mut [Concerned]) -> Result<(), StoreError> {
    let mut by_count: BTreeMap<usize, Vec<&mut Concerned>> = BTreeMap::new();
    for one in concerned.iter_mut().filter(|one| one.settings.on_delay > 1) {
        by_count.entry(one.settings.on_delay as usize - 1).or_default().push(one);
    }
    for (count, mut some) in by_count {
        let before = |one: &&mut Concerned| Stretch {
            variable: Arc::clone(&one.variable),
            from: START,
            to: one.changed.first,
        };
        let asked: Vec<Stretch> = some.iter().map(before).collect();
        let found = output.stretches(&asked, count, ReadFrom::End).await?;
        for (one, verdicts) in some.iter_mut().zip(found) {
            one.changed.context = verdicts.first().map_or(one.changed.first, |verdict| verdict.ds);
        }
    }
    Ok(())
}

/// Episodes as stored in the table, read once for several consecutive batches.
#[derive(Default)]
pub(super) struct KnownEpisodes {
    /// The datetime from which they are known, and the episodes by variable and begin. None: they
    /// were not read, or are too many.
    all: Option<(Datetime, EpisodesByVariable)>,
    /// Where the evaluation of each variable ended, if it went on to its last verdict.
    ends: HashMap<Arc<str>, PastEnd>,
    /// The same of the batch that is about to be stored.
    ended: Vec<(Arc<str>, Option<PastEnd>)>,
}

/// The number of episodes of each kind before a change that may be concerned: the one that contains
/// it, or the last one before it, and the recent ones that are counted.
const BEFORE: usize = 4;

/// The kinds that follow from the verdicts.
const KINDS: [EpisodeKind; 3] = [EpisodeKind::Anomaly, EpisodeKind::Silent, EpisodeKind::Stuck];

type EpisodesByVariable = HashMap<Arc<str>, BTreeMap<(EpisodeKind, Datetime), StoredEpisode>>;

fn wanted(variable: Option<Arc<str>>, first: Datetime) -> EpisodeRange {
    EpisodeRange { variable, from: first.earlier(LATELY), to: END, limit: MOST_EPISODES }
}

impl KnownEpisodes {
    /// Reads the episodes that a change from `first` on may concern.
    async fn read_from(&mut self, output: &mut dyn Output, first: Datetime) -> Result<(), StoreError> {
        if self.all.as_ref().is_some_and(|(from, _)| *from <= first) {
            return Ok(());
        }
        let rows = output.episodes(&wanted(None, first)).await?;
        self.all = (rows.len() < MOST_EPISODES).then(|| {
            let mut of = EpisodesByVariable::new();
            for row in rows.into_iter().filter(|row| KINDS.contains(&row.episode.kind)) {
                let variable = Arc::clone(&row.episode.variable);
                of.entry(variable).or_default().insert((row.episode.kind, row.episode.begin), row);
            }
            (first, of)
        });
        Ok(())
    }

    /// The episodes of one variable.
    async fn of(
        &self,
        output: &mut dyn Output,
        variable: &Arc<str>,
        first: Datetime,
    ) -> Result<Vec<StoredEpisode>, StoreError> {
        let Some((_, of)) = &self.all else {
            return output.episodes(&wanted(Some(Arc::clone(variable)), first)).await;
        };
        let Some(rows) = of.get(variable) else { return Ok(Vec::new()) };
        let of_kind = |kind: EpisodeKind| {
            let before = rows.range((kind, START)..(kind, first)).rev().take(BEFORE);
            before.chain(rows.range((kind, first)..=(kind, END)))
        };
        Ok(KINDS.into_iter().flat_map(of_kind).map(|(_, row)| row.clone()).collect())
    }

    /// Where the evaluation of a variable ended, if that is before its first change: nothing before
    /// it has to be read again.
    fn end_before(&self, variable: &Arc<str>, first: Datetime) -> Option<PastEnd> {
        self.ends.get(variable).filter(|end| end.last < first).cloned()
    }

    /// Another process has changed them.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// These changes were committed.
    pub(super) fn changed(&mut self, changes: &[EpisodeChange], worker: &Arc<str>, now: Datetime) {
        for (variable, end) in self.ended.drain(..) {
            match end {
                Some(end) => self.ends.insert(variable, end),
                None => self.ends.remove(&variable),
            };
        }
        let Some((_, of)) = &mut self.all else { return };
        for change in changes {
            let rows = of.entry(Arc::clone(&change.episode.variable)).or_default();
            let kind = change.episode.kind;
            let before = change.before.and_then(|(begin, _)| rows.remove(&(kind, begin)));
            if change.gone {
                continue;
            }
            let version = change.before.map_or(1, |(_, version)| version + 1);
            let row = StoredEpisode {
                id: before.map_or(0, |row| row.id),
                version,
                episode: change.episode.clone(),
                worker: Arc::clone(worker),
                feedback: None,
                note: None,
                feedback_at: None,
                created_at: now,
                updated_at: now,
            };
            rows.insert((kind, change.episode.begin), row);
        }
    }
}
