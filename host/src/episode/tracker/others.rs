//! What another process has changed in the table of episodes: a backfill, or another worker. The
//! table takes precedence over what this worker remembers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Anew, EpisodeTracker};
use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, StoredEpisode};

impl EpisodeTracker {
    /// Which variables have an open row that differs from what this worker has written, each with
    /// the begin of the difference: a backfill has changed it.
    pub fn changed_by_others(&self, open: &[StoredEpisode]) -> BTreeMap<Arc<str>, Datetime> {
        let mut changed: BTreeMap<Arc<str>, Datetime> = BTreeMap::new();
        let mut note = |variable: &Arc<str>, at: Datetime| {
            let first = changed.entry(Arc::clone(variable)).or_insert(at);
            *first = at.min(*first);
        };
        let open = of_variables(open);
        for ((variable, kind), row) in &open {
            let ours = self.rows.get(&(Arc::clone(variable), *kind));
            // What was taken over stays the other's.
            let is_ours = *kind != EpisodeKind::Anomaly || row.worker == self.worker;
            let is_same = ours == Some(&(row.episode.begin, row.version)) && is_ours;
            if !is_same && self.tracks.contains_key(*variable) {
                note(variable, row.episode.begin);
            }
        }
        for ((variable, kind), (begin, _)) in &self.rows {
            let is_same = open.get(&(variable, *kind)).is_some_and(|row| row.episode.begin == *begin);
            if *kind != EpisodeKind::Service && !is_same {
                note(variable, *begin);
            }
        }
        changed
    }

    /// The known ones of the variables that another process has changed, from there on.
    pub fn after_others(&self, changed: &BTreeMap<Arc<str>, Datetime>) -> BTreeMap<Arc<str>, Anew> {
        let anew = |(variable, from): (&Arc<str>, &Datetime)| {
            let last = self.last(variable)?;
            Some((Arc::clone(variable), Anew { from: last.min(*from), to: None }))
        };
        changed.iter().filter_map(anew).collect()
    }

    /// Takes over the silences and the stuck values of these variables as the table has them,
    /// because another process has changed them. Everything else of them is evaluated again.
    pub fn adopt_states<'a>(
        &mut self,
        variables: impl Iterator<Item = &'a Arc<str>>,
        open: &[StoredEpisode],
    ) {
        let open = of_variables(open);
        for variable in variables {
            let Some(track) = self.tracks.get_mut(variable) else { continue };
            for kind in [EpisodeKind::Silent, EpisodeKind::Stuck] {
                let row = open.get(&(variable, kind));
                track.adopt_state(kind, row.map(|row| row.episode.clone()));
                let key = (Arc::clone(variable), kind);
                match row {
                    Some(row) => self.rows.insert(key, (row.episode.begin, row.version)),
                    None => self.rows.remove(&key),
                };
            }
        }
    }
}

/// The rows of variables, by variable and kind.
fn of_variables(open: &[StoredEpisode]) -> BTreeMap<(&Arc<str>, EpisodeKind), &StoredEpisode> {
    let kinds = [EpisodeKind::Anomaly, EpisodeKind::Silent, EpisodeKind::Stuck];
    let open = open.iter().filter(|row| kinds.contains(&row.episode.kind));
    open.map(|row| ((&row.episode.variable, row.episode.kind), row)).collect()
}
