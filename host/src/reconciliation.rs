//! The results of the looks for unjudged readings, as stored in the state row.
//!
//! A position decides what is read, and faulty rows can make it wrong. So from time to time
//! everything within the allowed lateness is checked, whatever its id: each row has a verdict, or a
//! reason why it has none, or is still to be read by a cycle. A reading with none of these is
//! *unjudged*, and is judged then. Plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::datetime::Datetime;

/// What a worker knows of its looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reconciliation {
    /// The last one that was finished.
    pub last: Option<Look>,
    /// One that is not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Look>,
    /// The totals of all looks.
    pub found: Causes,
    /// Set while the look in progress cannot continue, because the detector fails at what it has
    /// found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
    /// The number of readings of each variable that were counted as having no model. A reading that
    /// gets a verdict later is removed from this count.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub without_model: BTreeMap<String, u64>,
}

impl Reconciliation {
    /// How many variables without a model are remembered: the row is written with each commit.
    /// Readings of the others stay counted as having no model.
    const MOST_NAMES: usize = 500;

    /// A page was checked; the last one finishes the look.
    pub fn put(&mut self, mut look: Look, is_last: bool, now: Datetime) {
        self.failed = None;
        if is_last {
            look.looked_at = now;
            (self.last, self.under_way) = (Some(look), None);
        } else {
            self.under_way = Some(look);
        }
    }

    /// This many readings of a variable were counted as having no model.
    pub fn count_without_model(&mut self, variable: &str, readings: u64) {
        if readings > 0
            && (self.without_model.len() < Self::MOST_NAMES || self.without_model.contains_key(variable))
        {
            *self.without_model.entry(variable.to_owned()).or_default() += readings;
        }
    }

    /// A reading of the variable that was counted before has a verdict now. Returns whether it was
    /// counted as having no model.
    pub fn has_model_now(&mut self, variable: &str) -> bool {
        let Some(left) = self.without_model.get_mut(variable) else { return false };
        *left -= 1;
        if *left == 0 {
            self.without_model.remove(variable);
        }
        true
    }

    /// How many readings have neither a verdict nor a reason, as far as was checked; None if
    /// nothing was.
    pub fn unjudged(&self) -> Option<u64> {
        match (&self.failed, &self.under_way, &self.last) {
            (Some(failed), under_way, _) => {
                Some(failed.readings + under_way.as_ref().map_or(0, |look| look.unjudged))
            }
            (None, _, last) => last.as_ref().map(|look| look.unjudged),
        }
    }
}

/// Readings that a look has found and that the detector does not judge: it fails at all of them, or
/// the variables at fault are not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub readings: u64,
    /// The server's time of the last try.
    pub at: Datetime,
    pub why: String,
}

/// One look over a range of datetimes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub from: Datetime,
    /// Exclusive.
    pub to: Datetime,
    /// Everything before this datetime was checked.
    pub through: Datetime,
    /// The server's time at its end.
    pub looked_at: Datetime,
    /// Readings that had neither a verdict nor a reason, and have a verdict since.
    pub found: Causes,
    /// Those that still have none: the output was read again, after the verdicts were stored.
    pub unjudged: u64,
    /// The outcome of every row of the range; `judged` are those with a verdict.
    pub rows: Counts,
    /// Rows that the next cycle will read.
    pub awaited: u64,
}

impl Look {
    /// A look that has not started.
    pub fn over(from: Datetime, to: Datetime) -> Self {
        Self {
            from,
            to,
            through: from,
            looked_at: to,
            found: Causes::default(),
            unjudged: 0,
            rows: Counts::default(),
            awaited: 0,
        }
    }
}

/// Why readings were unjudged, as far as their ids show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Causes {
    /// Committed after their ids were given up.
    pub late: u64,
    /// Below the ids where this worker began: another range of ids.
    pub below: u64,
    /// The row was read before: its value was filled in or changed since, its variable has got a
    /// model, or its verdict was deleted.
    pub changed: u64,
    /// The table has no key that would show it.
    pub behind: u64,
}

impl Causes {
    pub fn total(&self) -> u64 {
        self.late + self.below + self.changed + self.behind
    }
}

impl AddAssign for Causes {
    fn add_assign(&mut self, other: Self) {
        self.late += other.late;
        self.below += other.below;
        self.changed += other.changed;
        self.behind += other.behind;
    }
}

/// `2 committed late, 1 in another range of ids`.
impl fmt::Display for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = [
            (self.late, "committed later than `settle` allows"),
            (self.below, "in a range of ids below this worker's first"),
            (self.changed, "filled in or changed after they were read"),
            (self.behind, "behind the watermark"),
        ];
        let said: Vec<_> = causes
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, cause)| format!("{number} {cause}"))
            .collect();
        f.write_str(if said.is_empty() { "none" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_and_none_is_invented() {
        assert_eq!(Causes::default().to_string(), "none");
        let causes = Causes { late: 2, changed: 1, ..Causes::default() };
        assert_eq!(
            (causes.total(), causes.to_string().as_str()),
            (3, "2 committed later than `settle` allows, 1 filled in or changed after they were read")
        );
    }
}
