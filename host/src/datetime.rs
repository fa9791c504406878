//! A point in time on the database's own clock.
//!
//! Plants store local time without a zone, and models were trained on that same clock, so nothing
//! here ever converts: a `Datetime` is the value of the column, counted in microseconds from
//! 1970-01-01T00:00. A repeated hour in autumn stays repeated.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00 on the database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Datetime(i64);

/// The text is not a datetime of the form `2025-01-15 10:00:00.503`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a datetime; write it as `2025-01-15 10:00:00` or `2025-01-15 10:00:00.503`")]
pub struct NotADatetime(String);

impl Datetime {
    /// The instant that many microseconds from 1970-01-01T00:00.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00: the contract's `instant`.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads `2025-01-15`, `2025-01-15 10:00`, `2025-01-15 10:00:00` and up to nine decimals, with
    /// a space or a `T`. Digits beyond the microsecond are cut. A zone is refused, because it
    /// would mean another clock than the database's.
    ///
    /// # Errors
    /// [`NotADatetime`] with the text.
    pub fn parse(text: &str) -> Result<Self, NotADatetime> {
        let wrong = || NotADatetime(text.to_owned());
        let trimmed = text.trim();
        let normal = match trimmed.len() {
            10 => format!("{trimmed} 00:00:00"),
            16 => format!("{}:00", trimmed.replacen('T', " ", 1)),
            _ => trimmed.replacen('T', " ", 1),
        };
        NaiveDateTime::parse_from_str(&normal, "%Y-%m-%d %H:%M:%S%.f")
            .map(|naive| Self(naive.and_utc().timestamp_micros()))
            .map_err(|_| wrong())
    }

    /// This instant, `by` later; the ends of the range stay where they are.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// This instant, `by` earlier; the ends of the range stay where they are.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// `2025-01-15 10:00:00`, with six decimals only where there is a fraction: the form that sorts as
/// text.
impl fmt::Display for Datetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(at) if self.0.rem_euclid(1_000_000) == 0 => write!(f, "{}", at.format("%Y-%m-%d %H:%M:%S")),
            Some(at) => write!(f, "{}", at.format("%Y-%m-%d %H:%M:%S%.6f")),
            None => write!(f, "{} us", self.0),
        }
    }
}

impl TryFrom<String> for Datetime {
    type Error = NotADatetime;

    fn try_from(text: String) -> Result<Self, NotADatetime> {
        Self::parse(&text)
    }
}

impl From<Datetime> for String {
    fn from(at: Datetime) -> Self {
        at.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for (text, written) in [
            ("2025-01-15", "2025-01-15 00:00:00"),
            ("2025-01-15 10:00", "2025-01-15 10:00:00"),
            ("2025-01-15T10:00:00", "2025-01-15 10:00:00"),
            ("2025-01-15 10:00:00.503", "2025-01-15 10:00:00.503000"),
            ("1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"),
            ("2025-01-15 10:00:00.1234567", "2025-01-15 10:00:00.123456"),
        ] {
            assert_eq!(Datetime::parse(text).map(|at| at.to_string()), Ok(written.to_owned()));
        }
    }

    #[test]
    fn what_is_no_datetime_is_refused_with_its_text() {
        for text in [
            "",
            "yesterday",
            "2025-13-01",
            "2025-01-15 25:00",
            "2025-01-15T10:00:00Z",
            "2025-01-15 10:00:00+01:00",
        ] {
            assert_eq!(Datetime::parse(text), Err(NotADatetime(text.to_owned())));
        }
    }
}
