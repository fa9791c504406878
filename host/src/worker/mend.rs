//! Episodes that are past, held to the verdicts that stand there now: after readings that came
//! late, and after a backfill.
//!
//! The verdicts of some time are read once, by datetime, for all variables that are concerned, and
//! no further than to where each of them is at rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::cycle_context::Scope;
use super::session::Session;
use crate::datetime::Datetime;
use crate::episode::{
    EpisodeChange, EpisodeKind, EpisodeRange, EpisodeTracker, Mended, Notifier, Past, Point, StoredEpisode,
    Told, VariableRules,
};
use crate::store::{Commit, ErrorKind, Output, StoreError, StoredVerdict};

/// The last moment that every database knows.
const END: Datetime = Datetime::from_micros(253_402_300_799_000_000);

/// What is gone over at once after a backfill.
const PIECE: Duration = Duration::from_secs(24 * 3600);

/// How far after a piece a variable is looked for that is at rest.
const REST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often a piece is tried, which the worker changes at the same time.
const TRIES: usize = 5;

/// Episodes that one transaction changes after a backfill.
const MOST_CHANGES: usize = 2000;

/// How far back from a late reading a cycle goes over verdicts again.
const FARTHEST: Duration = Duration::from_secs(6 * 3600);

/// Verdicts read at a time.
const PAGE: usize = 8000;

/// Episodes that began within this before tell how many there were lately.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// More episodes of a day than anybody would look at.
const MOST_EPISODES: usize = 200_000;

/// Mends what late readings of a batch change. The tracker takes it over when it makes its draft.
pub(super) async fn late(
    tracker: &mut EpisodeTracker,
    late: BTreeMap<Arc<str>, Vec<Point>>,
    output: &mut dyn Output,
    now: Datetime,
    notifier: &Notifier,
) -> Result<BTreeMap<Arc<str>, Mended>, StoreError> {
    let first = late.values().flatten().map(|point| point.ds).min();
    let Some(first) = first else { return Ok(BTreeMap::new()) };
    let mut old = episodes_from(output, first).await?;
    let mut pasts = HashMap::new();
    for (variable, points) in late {
        let old = old.remove(&variable).unwrap_or_default();
        let ends = points.iter().map(|point| point.ds);
        let (Some(first), Some(last)) = (ends.clone().min(), ends.max()) else { continue };
        let (settings, silent_after) = (tracker.settings_of(&variable), tracker.silent_after(&variable));
        let past = Past::new(Arc::clone(&variable), settings, silent_after, old, (first, last), points);
        // What is open for so long has its late readings counted by nobody: the verdicts of all
        // that time, of all variables, would be read for them in each cycle.
        if past.from() >= first.earlier(FARTHEST) {
            pasts.insert(variable, past);
        }
    }
    let until = |variable: &str| tracker.last(variable);
    let end = pasts.keys().filter_map(|variable| until(variable)).max().unwrap_or(now);
    let end = end.later(Duration::from_micros(1));
    go_over(output, &mut pasts, end, |past, row| {
        // What is later comes to its turn as ever.
        if until(&row.variable).is_some_and(|last| row.ds <= last)
            && let Some(point) = Point::of_stored(row)
        {
            past.take(&point);
        }
    })
    .await?;
    let finished = pasts.into_iter().map(|(variable, past)| {
        let is_silent = tracker.is_silent(&variable);
        (variable, past.finish(is_silent, now, notifier))
    });
    Ok(finished.collect())
}

/// What a backfill has changed: all verdicts from `from` up to `to` may be others than they were.
/// Gone over in pieces, of which each is stored by itself; what is told is told to its end.
pub(super) async fn range(
    session: &mut Session,
    name: &str,
    rules: &VariableRules,
    scope: &Scope,
    (from, to): (Datetime, Datetime),
) -> Result<u64, StoreError> {
    let (mut begin, mut changed) = (from, 0);
    while begin < to {
        let end = begin.later(PIECE).min(to);
        let mut left = TRIES;
        changed += loop {
            left -= 1;
            match piece(session, name, rules, scope, (begin, end)).await {
                // The worker was at the same episode: what it has made of it is read again.
                Err(error) if error.kind == ErrorKind::Busy && left > 0 => {}
                done => break done?,
            }
        };
        begin = end;
    }
    Ok(changed)
}

/// One piece of it.
async fn piece(
    session: &mut Session,
    name: &str,
    rules: &VariableRules,
    scope: &Scope,
    (from, to): (Datetime, Datetime),
) -> Result<u64, StoreError> {
    let output = session.output.as_mut();
    let mut old = episodes_from(output, from).await?;
    let last = Datetime::from_micros(to.micros() - 1);
    let mut pasts: HashMap<Arc<str>, Past> = HashMap::new();
    let mut past_of = |variable: &Arc<str>| {
        let old = old.remove(variable).unwrap_or_default();
        Past::new(Arc::clone(variable), rules.of(variable), None, old, (from, last), Vec::new())
    };
    for variable in concerned(output, scope, (from, to)).await? {
        let past = past_of(&variable);
        pasts.insert(variable, past);
    }
    go_over(output, &mut pasts, to.later(REST), |past, row| {
        if let Some(point) = Point::of_stored(row) {
            past.take(&point);
        }
    })
    .await?;
    let (notifier, now) = (Notifier::of_the_past(), session.state.updated_at);
    let mut changes = Vec::new();
    for (_, past) in pasts {
        let mended = past.finish(false, now, &notifier);
        changes.extend(mended.changes);
        // What is open stays the worker's, where it has a row of it.
        if let Some((machine, row)) = mended.live
            && let Some(open) = machine.open()
        {
            let mut episode = open.clone();
            if row.is_none() {
                episode.told = Told::Never;
            }
            changes.push(EpisodeChange { before: row, episode, gone: false });
        }
    }
    let count = changes.len() as u64;
    for episodes in changes.chunks(MOST_CHANGES) {
        let commit = Commit { episodes, ..Commit::of(&[], &session.state) };
        session.output.commit(name, &commit).await?;
    }
    Ok(count)
}

/// The variables that have verdicts in a range.
async fn concerned(
    output: &mut dyn Output,
    scope: &Scope,
    (from, to): (Datetime, Datetime),
) -> Result<BTreeSet<Arc<str>>, StoreError> {
    let mut found = BTreeSet::new();
    read(output, (from, to), |verdict| {
        if !found.contains(&verdict.variable) && scope.has(&verdict.variable) {
            found.insert(Arc::clone(&verdict.variable));
        }
        true
    })
    .await?;
    Ok(found)
}

/// The episodes of anomalous readings that may be concerned by what changes from `first` on.
async fn episodes_from(
    output: &mut dyn Output,
    first: Datetime,
) -> Result<HashMap<Arc<str>, Vec<StoredEpisode>>, StoreError> {
    let wanted = EpisodeRange { variable: None, from: first.earlier(LATELY), to: END, limit: MOST_EPISODES };
    let mut of: HashMap<Arc<str>, Vec<StoredEpisode>> = HashMap::new();
    for row in output.episodes(&wanted).await? {
        if row.episode.kind == EpisodeKind::Anomaly {
            of.entry(Arc::clone(&row.episode.variable)).or_default().push(row);
        }
    }
    Ok(of)
}

/// Reads verdicts until every past is done, or there are no more.
async fn go_over(
    output: &mut dyn Output,
    pasts: &mut HashMap<Arc<str>, Past>,
    to: Datetime,
    mut take: impl FnMut(&mut Past, &StoredVerdict),
) -> Result<(), StoreError> {
    let Some(from) = pasts.values().map(Past::from).min() else { return Ok(()) };
    let mut left = pasts.len();
    read(output, (from, to), |verdict| {
        if let Some(past) = pasts.get_mut(&verdict.variable).filter(|past| !past.is_done()) {
            take(past, verdict);
            left -= usize::from(past.is_done());
        }
        left > 0
    })
    .await
}

/// Reads verdicts by datetime, as long as more are wanted.
async fn read(
    output: &mut dyn Output,
    (mut from, to): (Datetime, Datetime),
    mut wants_more: impl FnMut(&StoredVerdict) -> bool,
) -> Result<(), StoreError> {
    let mut limit = PAGE;
    loop {
        let page = output.read_verdicts(from, to, false, limit).await?;
        let last = page.verdicts.last().map(|verdict| verdict.ds).filter(|_| page.full);
        if last.is_some() && last == page.verdicts.first().map(|verdict| verdict.ds) {
            // A page of one datetime, which may not be whole.
            limit = limit.saturating_mul(2);
            continue;
        }
        limit = PAGE;
        for verdict in page.verdicts.iter().filter(|verdict| last.is_none_or(|last| verdict.ds < last)) {
            if !wants_more(verdict) {
                return Ok(());
            }
        }
        match last {
            Some(last) => from = last,
            None => return Ok(()),
        }
    }
}
