//! Which variables of a batch have to be evaluated again, and from which verdict on. An answer is
//! for one batch: the worker then reads those verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::EpisodeTracker;
use crate::datetime::Datetime;
use crate::episode::point::Point;

/// The range of a variable's verdicts that has to be evaluated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anew {
    pub from: Datetime,
    /// The first reading that is evaluated in its order, as always. None: all verdicts are
    /// evaluated again, those of the batch among them, because another process has judged later
    /// ones.
    pub to: Option<Datetime>,
}

impl EpisodeTracker {
    /// Verdicts that are not later than the last one of their variable. What they change is found
    /// from the verdicts around them.
    pub fn late<'a>(
        &self,
        verdicts: impl Iterator<Item = (&'a Arc<str>, Point)>,
        anew: &BTreeMap<Arc<str>, Anew>,
    ) -> BTreeMap<Arc<str>, Vec<Point>> {
        let mut late: BTreeMap<Arc<str>, Vec<Point>> = BTreeMap::new();
        for (variable, point) in verdicts {
            let is_whole = anew.get(variable).is_some_and(|anew| anew.to.is_none());
            if is_whole || self.last(variable).is_some_and(|last| point.ds <= last) {
                late.entry(Arc::clone(variable)).or_default().push(point);
            }
        }
        late
    }

    /// Which variables of a batch have to be evaluated again from earlier verdicts on: those that
    /// are new here, also if another process has judged all their readings; those that `others`
    /// have changed; those with readings that another process has judged; those for which the
    /// number of consecutive readings counts, whatever the outcome of the earlier ones; and those
    /// whose next reading says that the silence was none: what it has ended goes on.
    pub fn doubtful<'a>(
        &mut self,
        verdicts: impl Iterator<Item = (&'a Arc<str>, Point)>,
        judged_before: &BTreeMap<Arc<str>, Datetime>,
        others: &BTreeMap<Arc<str>, Datetime>,
    ) -> BTreeMap<Arc<str>, Anew> {
        let mut of: BTreeMap<Arc<str>, Vec<Point>> = BTreeMap::new();
        for (variable, point) in verdicts {
            of.entry(Arc::clone(variable)).or_default().push(point);
        }
        let mut doubtful = BTreeMap::new();
        for (variable, points) in of {
            let settings = self.settings_of(&variable);
            let last = self.last(&variable);
            let news = || points.iter().filter(|point| last.is_none_or(|last| last < point.ds));
            let to = news().map(|point| point.ds).min();
            let Some(track) = self.tracks.get(&variable) else {
                let to = to.filter(|_| !judged_before.contains_key(&variable));
                let first = points.iter().map(|point| point.ds).min();
                doubtful.extend(first.map(|from| (variable, Anew { from, to })));
                continue;
            };
            let is_counted = news().any(|point| point.counts(&settings));
            let may_wait = settings.on_delay > 1 && track.machine.open().is_none() && is_counted;
            let limit = track.silent_after(&settings, self.settings.least_silence);
            let is_late = |next: Datetime| limit.is_some_and(|limit| next.since(track.last) <= limit);
            let was_not_silent = track.silent.is_some() && to.is_some_and(is_late);
            let heard = track.heard.max(judged_before.get(&variable).copied().unwrap_or(track.heard));
            let is_others = others.contains_key(&variable) || heard > track.last;
            if is_others || may_wait || was_not_silent {
                let from = others.get(&variable).map_or(track.last, |from| track.last.min(*from));
                doubtful.insert(variable, Anew { from, to: to.filter(|_| !is_others) });
            }
        }
        // Later readings are evaluated after these, and so is a silence.
        for (variable, at) in judged_before {
            let last = self.last(variable);
            if last.is_none_or(|last| last < *at) {
                let from = last.map_or(*at, |last| last.min(*at));
                doubtful.entry(Arc::clone(variable)).or_insert(Anew { from, to: None });
            }
        }
        doubtful
    }
}
