//! When models are made within a worker, and what is remembered of that beyond the process: a file
//! of the worker's own among the generations, so that each machine knows what its own models are.
//!
//! All times are the database's clock. All models are due at first and then every so often; a
//! variable that came into the readings since gets its first model once it has been there for
//! [`ENOUGH`].

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

/// How long a variable is there before its first model is made: what shows a daily course.
pub const ENOUGH: Duration = Duration::from_secs(2 * 86_400);

/// Variables without a model that are remembered.
const MOST_WAITING: usize = 10_000;

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    All,
    /// These have no model, and were there since then at most.
    New(BTreeSet<Arc<str>>, Datetime),
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// When all were last trained.
    last: Option<Datetime>,
    /// A try that failed is repeated then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<Again>,
    /// Variables without a model.
    #[serde(default)]
    waiting: BTreeMap<String, WaitingVariable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WaitingVariable {
    since: Datetime,
    /// It could not be trained; the next training of all tries again.
    tried: bool,
}

impl Schedule {
    /// What is to be done now.
    pub fn due(&self, every: Duration, now: Datetime) -> Option<Due> {
        // A clock that was set back does not put anything off for longer than its pause.
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

    /// Takes notice of who came with the last readings; whether that is news.
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

    /// It was done.
    pub fn done(&mut self, due: &Due, now: Datetime) {
        self.again = None;
        match due {
            Due::All => {
                self.last = Some(now);
                // Who still has none was tried with the others.
                self.waiting.values_mut().for_each(|waiting| waiting.tried = true);
            }
            Due::New(names, _) => {
                let tried = self.waiting.iter_mut().filter(|(name, _)| names.contains(name.as_str()));
                tried.for_each(|(_, waiting)| waiting.tried = true);
            }
        }
    }

    /// It came to nothing, and is tried again after a pause that grows.
    pub fn failed(&mut self, now: Datetime) -> Datetime {
        let again = Again::after(self.again.as_ref(), now);
        let at = again.at;
        self.again = Some(again);
        at
    }
}

/// Where a worker's schedule is kept.
#[derive(Clone, Debug)]
pub struct ScheduleFile(PathBuf);

impl ScheduleFile {
    /// Of a worker by its row, for a directory of models.
    pub fn new(models: &Path, worker: &str) -> Self {
        let name = hex(&Sha256::digest(worker)[..8]);
        Self(generations::place(models).join(format!("schedule-{name}.json")))
    }

    /// What is kept; nothing if there is none, or if it is none.
    pub fn read(&self) -> Schedule {
        let bytes = regular::read_small(&self.0).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// What the system says.
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
        // One that got its model is waited for no longer.
        assert!(schedule.notice([].iter(), |name| name != "B", day(4.0)));
        assert_eq!(schedule.due(30 * DAY, day(5.0)), None);
    }
}
