//! When a worker trains models. The schedule is kept in a file of the worker, beside the earlier
//! sets, so that a restart knows it and each machine has the schedule of its own models. If the
//! file cannot be read, the schedule begins anew and all models are trained.
//!
//! All times are by the database's clock. All models are due at first and then at an interval. A
//! new variable gets its first model once it has had readings for [`ENOUGH`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::generations;
use crate::datetime::Datetime;
use crate::detector::hex;
use crate::regular;
use crate::state::Again;

/// How long a variable has readings before its first model is trained: a daily pattern takes two
/// days to show.
pub const ENOUGH: Duration = Duration::from_secs(2 * 86_400);

/// The most variables without a model that are kept.
const MOST_WAITING: usize = 10_000;

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    All,
    /// These have no model; the first of them has readings since then.
    New(BTreeSet<Arc<str>>, Datetime),
}

/// The schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// When all models were last trained.
    last: Option<Datetime>,
    /// When a failed training is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<Again>,
    /// Variables without a model.
    #[serde(default)]
    waiting: BTreeMap<String, WaitingVariable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WaitingVariable {
    since: Datetime,
    /// It could not be trained. The next training of all models tries again.
    tried: bool,
}

impl Schedule {
    /// What is due now.
    pub fn due(&self, every: Duration, now: Datetime) -> Option<Due> {
        // A clock that was set back delays nothing for longer than the pause.
        let put_off =
            |again: &Again| now < again.at && again.at.since(now) <= Duration::from_secs(again.pause_seconds);
        if self.again.as_ref().is_some_and(put_off) {
            return None;
        }
        if self.last.is_none_or(|last| now < last || now.since(last) >= every) {
            return Some(Due::All);
        }
        let due = |waiting: &&WaitingVariable| !waiting.tried && now.since(waiting.since) >= ENOUGH;
        let new: BTreeSet<_> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| due(waiting))
            .map(|(name, _)| name.as_str().into())
            .collect();
        let since = self.waiting.values().filter(due).map(|waiting| waiting.since).min()?;
        Some(Due::New(new, since))
    }

    /// Records the variables of the last readings. Returns whether anything has changed.
    pub fn notice<'a>(
        &mut self,
        seen: impl Iterator<Item = &'a Arc<str>>,
        has_model: impl Fn(&str) -> bool,
        now: Datetime,
    ) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|name, _| !has_model(name));
        let mut news = self.waiting.len() < before;
        for name in seen.filter(|name| !has_model(name)) {
            if self.waiting.len() < MOST_WAITING && !self.waiting.contains_key(&**name) {
                self.waiting.insert(name.to_string(), WaitingVariable { since: now, tried: false });
                news = true;
            }
        }
        news
    }

    /// The training was done.
    pub fn done(&mut self, due: &Due, now: Datetime) {
        self.again = None;
        match due {
            Due::All => {
                self.last = Some(now);
                // Variables that still have none were tried with the others.
                self.waiting.values_mut().for_each(|waiting| waiting.tried = true);
            }
            Due::New(names, _) => {
                let tried = self.waiting.iter_mut().filter(|(name, _)| names.contains(name.as_str()));
                tried.for_each(|(_, waiting)| waiting.tried = true);
            }
        }
    }

    /// The training failed, and is repeated after a growing pause.
    pub fn failed(&mut self, now: Datetime) -> Datetime {
        let again = Again::after(self.again.as_ref(), now);
        let at = again.at;
        self.again = Some(again);
        at
    }
}

/// The file of a worker's schedule.
#[derive(Clone, Debug)]
pub struct ScheduleFile(PathBuf);

impl ScheduleFile {
    /// For a worker by its row, and a directory of models.
    pub fn new(models: &Path, worker: &str) -> Self {
        let name = hex(&Sha256::digest(worker)[..8]);
        Self(generations::place(models).join(format!("schedule-{name}.json")))
    }

    /// Reads the schedule; a new one if there is no readable file.
    pub fn read(&self) -> Schedule {
        let bytes = regular::read_small(&self.0).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes the schedule.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, schedule: &Schedule) -> io::Result<()> {
        let directory = self.0.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(schedule)?)?;
        file.persist(&self.0)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(day: f64) -> Datetime {
        Datetime::from_micros((day * 86_400e6) as i64)
    }

    #[test]
    fn all_are_due_at_first_and_then_every_so_often_also_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let file = ScheduleFile::new(&place.path().join("models"), "default");
        let mut schedule = file.read();
        assert_eq!(schedule.due(7 * DAY, day(100.0)), Some(Due::All));
        schedule.done(&Due::All, day(100.0));
        file.write(&schedule).unwrap();
        let schedule = file.read();
        for (at, due) in [(100.0, None), (106.9, None), (107.0, Some(Due::All)), (99.0, Some(Due::All))] {
            assert_eq!(schedule.due(7 * DAY, day(at)), due, "day {at}");
        }
        let other = ScheduleFile::new(&place.path().join("models"), "default 2/2");
        assert_eq!(other.read(), Schedule::default(), "another worker");
    }

    #[test]
    fn what_failed_is_tried_again_after_growing_pauses() {
        let mut schedule = Schedule::default();
        let (mut now, mut pauses) = (day(1.0), Vec::new());
        for _ in 0..3 {
            assert_eq!(schedule.due(DAY, now), Some(Due::All));
            let again = schedule.failed(now);
            pauses.push(again.since(now).as_secs() / 60);
            assert_eq!(schedule.due(DAY, again.earlier(Duration::from_secs(1))), None);
            now = again;
        }
        assert_eq!(pauses, [15, 30, 60]);
        assert_eq!(schedule.due(DAY, day(-9.0)), Some(Due::All), "a clock that was set back");
        schedule.done(&Due::All, now);
        assert_eq!(schedule.failed(now).since(now).as_secs(), 900, "begins anew");
    }

    #[test]
    fn a_variable_that_came_since_is_due_once_it_was_there_for_long_enough() {
        let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
        let mut schedule = Schedule::default();
        schedule.done(&Due::All, day(0.0));
        let has_model = |name: &str| name == "A";
        assert!(schedule.notice(names(&["A", "B"]).iter(), has_model, day(1.0)));
        assert!(!schedule.notice(names(&["B"]).iter(), has_model, day(1.5)), "no news");
        assert!(schedule.notice(names(&["C"]).iter(), has_model, day(2.0)));
        assert_eq!(schedule.due(30 * DAY, day(2.9)), None);
        let due = Due::New(names(&["B"]).into_iter().collect(), day(1.0));
        assert_eq!(schedule.due(30 * DAY, day(3.0)), Some(due.clone()));
        schedule.done(&due, day(3.0));
        assert_eq!(schedule.due(30 * DAY, day(3.9)), None, "it could not be trained");
        let due = Due::New(names(&["C"]).into_iter().collect(), day(2.0));
        assert_eq!(schedule.due(30 * DAY, day(4.0)), Some(due));
        // A variable that has a model now is not waiting any more.
        assert!(schedule.notice([].iter(), |name| name != "B", day(4.0)));
        assert_eq!(schedule.due(30 * DAY, day(5.0)), None);
    }
}
