//! What a user says of a variable: how many false alarms, how long it learns, when a new level is
//! normal.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a variable is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleSettings {
    /// Readings before the first alarm; half as many where a model fits from the first one on.
    /// Twice the warm-up is the rule's unit of time: what it remembers and how fast it follows
    /// is a multiple of that. At least 64; 375 are a good choice.
    pub warm_up: u32,
    pub false_alarms: Budget,
    /// Readings after which what lasts counts as normal.
    pub normal_after: u32,
}

impl RuleSettings {
    /// Readings of a warm-up from which on everything has enough of them.
    pub const LEAST_WARM_UP: u32 = 64;

    /// One false alarm a week; what lasts for half of a warm-up is normal.
    pub fn new(warm_up: u32) -> Self {
        let warm_up = warm_up.max(Self::LEAST_WARM_UP);
        Self {
            warm_up,
            false_alarms: Budget { alarms: 1.0, per: Per::Microseconds(WEEK) },
            normal_after: warm_up / 2,
        }
    }
}

/// How often a variable that is as always may alarm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    alarms: f64,
    per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Per {
    Microseconds(f64),
    Readings(f64),
}

const HOUR: f64 = 3600e6;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;

const PERIODS: [(&str, f64); 5] =
    [("hour", HOUR), ("day", DAY), ("week", WEEK), ("month", 365.25 / 12.0 * DAY), ("year", 365.25 * DAY)];

impl Budget {
    /// Alarms for each reading, where these are so many microseconds apart.
    pub(crate) fn for_a_reading(self, microseconds: f64) -> f64 {
        match self.per {
            Per::Microseconds(per) => self.alarms * microseconds / per,
            Per::Readings(per) => self.alarms / per,
        }
    }
}

/// Why a text is no budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a budget of false alarms: write as `1 per week` (hour, day, week, month or year) or `1 per 1000 readings`, with 0.001 to 1000 alarms"
)]
pub struct BudgetError(String);

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let error = || BudgetError(text.to_owned());
        let (alarms, per) = match text.split_whitespace().collect::<Vec<_>>()[..] {
            [alarms, "per", period] => {
                let per = PERIODS.iter().find(|(name, _)| *name == period).ok_or_else(error)?.1;
                (alarms, Per::Microseconds(per))
            }
            [alarms, "per", readings, "readings"] => {
                let readings: u32 =
                    readings.parse().ok().filter(|readings| *readings > 0).ok_or_else(error)?;
                (alarms, Per::Readings(f64::from(readings)))
            }
            _ => return Err(error()),
        };
        let alarms =
            alarms.parse().ok().filter(|alarms| (0.001..=1000.0).contains(alarms)).ok_or_else(error)?;
        Ok(Self { alarms, per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_read_as_people_write_it() {
        for (text, for_a_reading) in [
            ("1 per day", Some(1.0)),
            ("3.5  per week", Some(0.5)),
            ("2 per hour", Some(48.0)),
            ("1 per 1000 readings", Some(0.001)),
            ("", None),
            ("1", None),
            ("1 per", None),
            ("one per week", None),
            ("0 per day", None),
            ("-1 per day", None),
            ("NaN per day", None),
            ("1e9 per day", None),
            ("1 per weeks", None),
            ("1 per week now", None),
            ("1 per 0 readings", None),
        ] {
            // A reading a day.
            let found = text.parse::<Budget>().map(|budget| budget.for_a_reading(DAY));
            assert_eq!(found.as_ref().ok(), for_a_reading.as_ref(), "{text}");
            if let Err(error) = found {
                assert!(error.to_string().starts_with(&format!("`{text}` is not a budget")));
            }
        }
    }
}
