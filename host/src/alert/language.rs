//! The language of messages, and its formats of numbers and times.
//!
//! Datetimes are shown as in the table, by the plant's own clock.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Es,
}

/// The least number of significant digits.
const DIGITS: i32 = 5;

/// The columns are DECIMAL(18,6).
const MOST_DECIMALS: i32 = 6;

impl Language {
    /// Chooses by language.
    pub(super) fn of<T>(self, english: T, spanish: T) -> T {
        match self {
            Self::En => english,
            Self::Es => spanish,
        }
    }

    /// A number in the language's format: `87.4`, `87,4`. Whole numbers keep all their digits.
    pub(super) fn number(self, number: f64) -> String {
        if !number.is_finite() {
            return "?".to_owned();
        }
        let before = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
        // Within the range of a DECIMAL(18,6) by far.
        #[allow(clippy::cast_possible_truncation, reason = "the logarithm of a double lies within 400")]
        let decimals = (DIGITS - 1 - before as i32).clamp(0, MOST_DECIMALS);
        let text = format!("{number:.*}", usize::try_from(decimals).unwrap_or_default());
        let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        let short = if short == "-0" { "0" } else { short };
        self.of(short.to_owned(), short.replace('.', ","))
    }

    /// A count with its noun, in singular or plural.
    pub(super) fn count(self, number: u64, one: [&str; 2], several: [&str; 2]) -> String {
        let [english, spanish] = if number == 1 { one } else { several };
        format!("{number} {}", self.of(english, spanish))
    }
}

/// A time in its two largest units, the same in both languages: `2 d 3 h`, `1 h 20 min`, `45 s`.
pub(super) fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let largest = units.iter().position(|(_, unit)| seconds >= *unit).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, unit) in units.iter().skip(largest).take(2) {
        let number = rest / unit;
        rest %= unit;
        if number > 0 || parts.is_empty() {
            parts.push(format!("{number} {name}"));
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_in_the_readers_form() {
        for (number, english, spanish) in [
            (87.4, "87.4", "87,4"),
            (0.0, "0", "0"),
            (-0.000_000_1, "0", "0"),
            (1234.5678, "1234.6", "1234,6"),
            (-73.203_456, "-73.203", "-73,203"),
            (123_456_789.0, "123456789", "123456789"),
            (100.0, "100", "100"),
            (0.000_123, "0.000123", "0,000123"),
            (f64::NAN, "?", "?"),
        ] {
            assert_eq!(
                [Language::En, Language::Es].map(|language| language.number(number)),
                [english, spanish]
            );
        }
    }

    #[test]
    fn a_time_has_its_two_largest_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (150, "2 min 30 s"),
            (3_600, "1 h"),
            (4_859, "1 h 20 min"),
            (3_605, "1 h"),
            (183_600, "2 d 3 h"),
        ] {
            assert_eq!(lasting(Duration::from_secs(seconds)), words);
        }
    }
}
