//! What a look for unjudged readings came to, as the state row keeps it.
//!
//! A position says what is read first, and any row of a database can lead it astray. So from time to time everything within
//! the allowed lateness is looked at, whatever its id: each row has a verdict, or a reason why it has none, or is yet to be
//! read by a cycle; what has none of these is *unjudged*, and is judged then. Plain data.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::datetime::Datetime;

/// What a worker knows of its looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reconciliation {
    /// The last that came to its end.
    pub last: Option<Look>,
    /// One that did not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Look>,
    /// What all looks have found.
    pub found: Causes,
}

/// One look over a range of datetimes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub from: Datetime,
    /// Exclusive.
    pub to: Datetime,
    /// Up to here and without it everything was looked at.
    pub through: Datetime,
    /// The server's time at its end.
    pub looked_at: Datetime,
    /// Readings that had neither a verdict nor a reason, and have a verdict since.
    pub found: Causes,
    /// Those that have none still.
    pub unjudged: u64,
    /// The account: every row of the range by what it has now; `judged` are those with a verdict.
    pub rows: Counts,
    /// Rows that the next cycle was to read.
    pub awaited: u64,
}

impl Look {
    /// A look that is to begin.
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

/// Why readings were unjudged, as far as their ids tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Causes {
    /// Committed when nobody waited for their ids any more.
    pub late: u64,
    /// Below the ids where this worker began: another range of ids.
    pub below: u64,
    /// The row was read before: its value was filled in or changed since, its variable has got a model, or its verdict was deleted.
    pub changed: u64,
    /// The table has no key to tell by.
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
