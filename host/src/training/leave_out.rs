//! Which readings are not trained on, because they are not normal.
//!
//! It lives for one training. An error of the store ends the training.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::flagged;
use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, EpisodeRange, Feedback, StoredEpisode};
use crate::reading::Reading;
use crate::store::{EpisodeReader, ErrorKind, Output, Store, StoreError, VerdictReader};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaveOut {
    #[default]
    Nothing,
    /// Readings that were flagged.
    Flagged,
    /// Readings of episodes that people called real or the sensor's.
    Real,
}

/// The same, with what is needed to filter a page.
pub enum LeftOut {
    Nothing,
    Flagged(Box<dyn Output>),
    Real(BTreeMap<Arc<str>, Vec<TimeSpan>>),
}

/// From the first of its readings to the last.
type TimeSpan = (Datetime, Datetime);

/// Episodes are read for this much time at once, and at first at most so many.
const STEP: Duration = Duration::from_secs(7 * 86_400);
const PAGE: usize = 1000;

impl LeftOut {
    /// For readings from `from` on and before `to`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn prepare(
        asked: LeaveOut,
        store: &dyn Store,
        from: Datetime,
        to: Datetime,
    ) -> Result<Self, StoreError> {
        if asked == LeaveOut::Nothing {
            return Ok(Self::Nothing);
        }
        match (asked, judged(store).await?) {
            (LeaveOut::Nothing, _) | (_, None) => Ok(Self::Nothing),
            (LeaveOut::Flagged, Some(output)) => Ok(Self::Flagged(output)),
            (LeaveOut::Real, Some(mut output)) => {
                let called = called_real(output.as_mut(), from, to).await?;
                output.close().await?;
                Ok(Self::Real(called))
            }
        }
    }

    /// Those of these readings, which come by datetime, that are trained on.
    pub(super) async fn rest(&mut self, mut readings: Vec<Reading>) -> Result<Vec<Reading>, StoreError> {
        match self {
            Self::Nothing => {}
            Self::Flagged(output) => {
                if let (Some(first), Some(last)) = (readings.first(), readings.last()) {
                    let span = (first.datetime, last.datetime);
                    let output: &mut dyn VerdictReader = output.as_mut();
                    let flagged = flagged::verdicts(output, span, true).await?;
                    readings.retain(|reading| !flagged.contains_key(&reading.key()));
                }
            }
            Self::Real(called) => readings.retain(|reading| {
                let stretches = called.get(&reading.variable).map_or(&[][..], Vec::as_slice);
                !stretches.iter().any(|(begin, end)| (begin..=end).contains(&&reading.datetime))
            }),
        }
        Ok(readings)
    }
}

/// The output; None if no worker has made its tables yet.
///
/// # Errors
/// The store fails.
pub async fn judged(store: &dyn Store) -> Result<Option<Box<dyn Output>>, StoreError> {
    let Some(mut output) = store.look_at_output().await? else { return Ok(None) };
    match output.workers().await {
        Ok(_) => Ok(Some(output)),
        // There are no tables yet.
        Err(error) if error.kind == ErrorKind::Schema => Ok(None),
        Err(error) => Err(error),
    }
}

/// The times of the episodes that people called real or the sensor's, by variable.
async fn called_real(
    output: &mut (impl EpisodeReader + ?Sized),
    from: Datetime,
    to: Datetime,
) -> Result<BTreeMap<Arc<str>, Vec<TimeSpan>>, StoreError> {
    let mut found: BTreeMap<Arc<str>, Vec<TimeSpan>> = BTreeMap::new();
    let mut begin = from;
    while begin < to {
        let end = begin.later(STEP).min(to);
        let mut limit = PAGE;
        let episodes = loop {
            let wanted = EpisodeRange { variable: None, from: begin, to: end, limit };
            let episodes = output.episodes(&wanted).await?;
            if episodes.len() < limit {
                break episodes;
            }
            limit = limit.saturating_mul(4);
        };
        for StoredEpisode { episode, .. } in episodes.into_iter().filter(was_wrong) {
            let stretches = found.entry(episode.variable).or_default();
            let stretch = (episode.begin, episode.end);
            // An episode that reaches into the next step is found twice.
            if !stretches.contains(&stretch) {
                stretches.push(stretch);
            }
        }
        begin = end;
    }
    Ok(found)
}

/// Whether a person said that something was wrong, with the plant or with the sensor. A silent
/// episode does not count: its only reading is the normal one before the silence.
fn was_wrong(row: &StoredEpisode) -> bool {
    matches!(row.episode.kind, EpisodeKind::Anomaly | EpisodeKind::Stuck)
        && matches!(row.feedback, Some(Feedback::Real | Feedback::Sensor))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::episode::Episode;

    fn at(hour: i64) -> Datetime {
        Datetime::from_micros(hour * 3_600_000_000)
    }

    /// Rows of the table, found as stores find them: the newest first.
    struct Rows(Vec<StoredEpisode>);

    #[async_trait]
    impl EpisodeReader for Rows {
        async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
            Ok(Vec::new())
        }

        async fn episode(&mut self, _: i64) -> Result<Option<StoredEpisode>, StoreError> {
            Ok(None)
        }

        async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError> {
            let range = wanted.from..wanted.to;
            let within =
                |row: &&StoredEpisode| range.contains(&row.episode.begin) || range.contains(&row.episode.end);
            let mut found: Vec<_> = self.0.iter().filter(within).cloned().collect();
            found.sort_by_key(|row| std::cmp::Reverse(row.episode.begin));
            found.truncate(wanted.limit);
            Ok(found)
        }

        async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
            Ok(Vec::new())
        }
    }

    fn row(
        variable: &str,
        kind: EpisodeKind,
        hours: (i64, i64),
        feedback: Option<Feedback>,
    ) -> StoredEpisode {
        let episode = Episode { end: at(hours.1), ..Episode::at(variable.into(), kind, at(hours.0)) };
        StoredEpisode {
            id: hours.0,
            version: 1,
            episode,
            worker: "w".into(),
            feedback,
            note: None,
            feedback_at: None,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    #[tokio::test]
    async fn what_people_called_wrong_is_found_however_many_episodes_there_are() {
        use EpisodeKind::{Anomaly, Silent, Stuck};
        use Feedback::{Expected, Real, Sensor};
        let mut rows = vec![
            row("A", Anomaly, (10, 12), Some(Real)),
            row("A", Anomaly, (20, 22), Some(Expected)),
            row("A", Anomaly, (30, 32), None),
            row("A", Silent, (40, 42), Some(Real)),
            row("B", Stuck, (50, 52), Some(Sensor)),
            // It reaches from the first week into the second.
            row("B", Anomaly, (160, 170), Some(Real)),
            row("C", Anomaly, (900, 901), Some(Real)),
        ];
        // More than one page has, all of them newer.
        rows.extend((0..3000).map(|_| row("D", Anomaly, (60, 60), None)));
        let called = called_real(&mut Rows(rows), at(0), at(400)).await.unwrap_or_default();
        let expected: BTreeMap<Arc<str>, Vec<TimeSpan>> =
            [("A".into(), vec![(at(10), at(12))]), ("B".into(), vec![(at(160), at(170)), (at(50), at(52))])]
                .into();
        assert_eq!(called, expected);

        let reading = |variable: &str, hour| Reading {
            id: None,
            datetime: at(hour),
            variable: variable.into(),
            value: Some(1.0),
            source_file: None,
        };
        let readings: Vec<_> = [9, 10, 11, 12, 13]
            .into_iter()
            .flat_map(|hour| [reading("A", hour), reading("B", hour)])
            .collect();
        let rest = LeftOut::Real(called).rest(readings).await.unwrap_or_default();
        let rest: Vec<_> = rest.iter().map(|reading| (&*reading.variable, reading.datetime)).collect();
        let expected = [("A", 9), ("B", 9), ("B", 10), ("B", 11), ("B", 12), ("A", 13), ("B", 13)];
        assert_eq!(rest, expected.map(|(variable, hour)| (variable, at(hour))));
    }
}
