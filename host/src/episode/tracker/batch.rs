//! A batch in its order: each verdict moves the episodes of its variable on, after what the late
//! readings of the batch have changed in the past.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::Step;
use super::{Draft, EpisodeTracker};
use crate::datetime::Datetime;
use crate::episode::notifier::Notifier;
use crate::episode::point::Point;
use crate::episode::rewrite::Rewriting;
use crate::episode::track::Track;
use crate::episode::{EpisodeKind, Mended};

/// The readings of one variable in a batch.
#[derive(Debug, Default)]
struct VariableBatch {
    points: Vec<Point>,
    heard: Option<Datetime>,
}

impl EpisodeTracker {
    /// Evaluates the verdicts of a batch, the times of its readings without a verdict, and what its
    /// late readings have changed. What is dated after `until` is skipped; its time has not come
    /// yet.
    pub fn take<'a>(
        &mut self,
        verdicts: impl Iterator<Item = (&'a Arc<str>, Point)>,
        heard: impl Iterator<Item = (&'a Arc<str>, Datetime)>,
        mut mended: BTreeMap<Arc<str>, Mended>,
        (until, now): (Datetime, Datetime),
        notifier: &Notifier,
    ) -> Draft {
        let mut news: BTreeMap<Arc<str>, VariableBatch> = BTreeMap::new();
        for (variable, point) in verdicts.filter(|(_, point)| point.ds <= until) {
            news.entry(Arc::clone(variable)).or_default().points.push(point);
        }
        for (variable, at) in heard.filter(|(_, at)| *at <= until) {
            if let Some(of) = news.get_mut(variable) {
                of.heard = of.heard.max(Some(at));
            } else if self.tracks.get(variable).is_some_and(|track| track.heard < at) {
                news.entry(Arc::clone(variable)).or_default().heard = Some(at);
            }
        }
        for variable in mended.keys() {
            news.entry(Arc::clone(variable)).or_default();
        }
        let mut draft = Draft::default();
        for (variable, VariableBatch { mut points, heard }) in news {
            points.sort_by_key(|point| point.ds);
            let of_others = || mended.get(&variable).and_then(|mended| mended.last).map(Track::after);
            let known = self.tracks.get(&variable).cloned();
            let Some(mut track) = known.or_else(|| points.first().map(Track::begin)).or_else(of_others)
            else {
                continue;
            };
            let settings = self.settings_of(&variable);
            let before = track.clone();
            let mut closed = Vec::new();
            let mut mended_rows = BTreeMap::new();
            let mut disproved = None;
            if let Some(mut mended) = mended.remove(&variable) {
                draft.changes.append(&mut mended.changes);
                draft.messages.append(&mut mended.messages);
                disproved = mended.disproved.take();
                track.resume_after(mended, &mut mended_rows);
            }
            points.retain(|point| point.ds > track.last);
            for point in points {
                closed.extend(track.step(&variable, &point, &settings, self.settings.least_silence));
            }
            track.heard = track.heard.max(heard.unwrap_or(track.heard));
            if let Some(row) = disproved {
                let limit = track.silent_after(&settings, self.settings.least_silence);
                let still = limit.filter(|limit| track.silent.is_none() && now.since(track.heard) > *limit);
                let rewriting = Rewriting { settings: &settings, notifier, now, replaces: false };
                let since = still.map(|_| track.heard);
                let change = rewriting.disprove(row, since, &mut draft.messages);
                if change.gone {
                    draft.changes.push(change);
                } else {
                    mended_rows.insert(EpisodeKind::Silent, change.before);
                    track.silent = Some(change.episode);
                    closed.extend(still.into_iter().flat_map(|limit| track.end_in_silence(limit)));
                }
            }
            let step = Step { before: &before, closed, mended_rows, settings: &settings, now };
            self.put(&mut draft, &variable, track, step, notifier);
        }
        self.seal(&mut draft);
        draft
    }
}
