//! What the settings say of the rule that learns, for all variables or by name and pattern.

use std::time::Duration;

use rule::{Budget, RuleSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wildmatch::WildMatch;

use crate::OpenError;
use crate::form::nfc;

/// Readings of the longest warm-up: what is longer never ends.
const MOST: f64 = 1e7;

/// A setting that may differ from variable to variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ByName<T> {
    all: T,
    /// The most specific first.
    named: Vec<(String, T)>,
}

impl<T: Clone> ByName<T> {
    pub(crate) fn of_all(all: T) -> Self {
        Self { all, named: Vec::new() }
    }

    /// A text for all variables, or an object of names and patterns with a text each.
    pub(crate) fn parse(
        key: &str,
        value: &Value,
        usual: T,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Self, OpenError> {
        let read = |value: &Value| {
            value.as_str().and_then(&read).ok_or_else(|| OpenError::setting(key, value, expected))
        };
        let Value::Object(by_name) = value else { return Ok(Self::of_all(read(value)?)) };
        let mut named = Vec::new();
        for (pattern, value) in by_name {
            named.push((nfc(pattern).into_owned(), read(value)?));
        }
        Ok(Self::by_pattern(usual, named))
    }

    /// Of all the usual, but for these patterns.
    pub(crate) fn by_pattern(all: T, mut named: Vec<(String, T)>) -> Self {
        // The closest pattern first: that with the most letters, then that with the most places.
        let count =
            |pattern: &str, of: fn(char) -> bool| pattern.chars().filter(|letter| of(*letter)).count();
        let close = |pattern: &str| {
            (count(pattern, |letter| !matches!(letter, '*' | '?')), count(pattern, |letter| letter == '?'))
        };
        named.sort_by_key(|(pattern, _)| std::cmp::Reverse(close(pattern)));
        Self { all, named }
    }

    fn values(&self) -> impl Iterator<Item = &T> {
        self.named.iter().map(|(_, value)| value).chain([&self.all])
    }

    /// What is said of the variable: under its own name, else under the pattern with the most
    /// letters.
    pub(crate) fn of(&self, variable: &str) -> T {
        let own = self.named.iter().find(|(name, _)| name == variable);
        let own = own.or_else(|| self.named.iter().find(|(name, _)| WildMatch::new(name).matches(variable)));
        own.map_or(&self.all, |(_, value)| value).clone()
    }
}

/// A time or a number of readings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Span {
    Time(Duration),
    Readings(u32),
}

impl Span {
    /// Of `3 days` or `600 readings`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(readings) = text.trim().strip_suffix("readings") {
            return readings.trim().parse().ok().filter(|readings| *readings > 0).map(Self::Readings);
        }
        humantime::parse_duration(text).ok().filter(|time| !time.is_zero()).map(Self::Time)
    }

    /// In readings that are so many microseconds apart.
    fn readings(self, interval: f64) -> u32 {
        match self {
            Self::Time(time) => (time.as_secs_f64() * 1e6 / interval).ceil().clamp(1.0, MOST) as u32,
            Self::Readings(readings) => readings.min(MOST as u32),
        }
    }
}

/// How long a variable is learnt before anything is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WarmUp {
    span: Span,
    /// Readings, whatever the span is.
    least: u32,
    most: u32,
}

impl WarmUp {
    /// A day and a half; of readings that come seldom more, and of those that come every second
    /// less.
    pub(crate) const USUAL: Self =
        Self { span: Span::Time(Duration::from_secs(36 * 3600)), least: 200, most: 375 };

    pub(crate) fn of(span: Span) -> Self {
        Self { span, least: RuleSettings::LEAST_WARM_UP, most: MOST as u32 }
    }

    fn readings(self, interval: f64) -> u32 {
        self.span.readings(interval).clamp(self.least, self.most)
    }
}

/// How one variable is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) false_alarms: Budget,
    pub(crate) warm_up: WarmUp,
    /// None: half of the warm-up; of one that is a time, [`LEAST_NORMAL_AFTER`] at least.
    pub(crate) normal_after: Option<Span>,
}

/// Half of the warm-up of readings that come every second is three minutes: a valve that is shut for
/// longer would be normal while it is shut.
const LEAST_NORMAL_AFTER: Span = Span::Time(Duration::from_secs(1800));

impl Plan {
    /// What the rule is told of a variable whose readings are so many microseconds apart. None: of
    /// that the plan depends, and it is not known.
    pub(crate) fn settings(&self, interval: Option<f64>) -> Option<RuleSettings> {
        let is_time = |span: Span| matches!(span, Span::Time(_));
        let needs = is_time(self.warm_up.span) || self.normal_after.is_some_and(is_time);
        let interval = if needs { interval? } else { 1.0 };
        let usual = RuleSettings::new(self.warm_up.readings(interval));
        let normal_after = match (self.normal_after, self.warm_up.span) {
            (Some(span), _) => span.readings(interval),
            (None, Span::Time(_)) => usual.normal_after.max(LEAST_NORMAL_AFTER.readings(interval)),
            (None, Span::Readings(_)) => usual.normal_after,
        };
        Some(RuleSettings { false_alarms: self.false_alarms, normal_after, ..usual })
    }
}

/// How each variable is judged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plans {
    pub(crate) false_alarms: ByName<Budget>,
    pub(crate) warm_up: ByName<WarmUp>,
    pub(crate) normal_after: ByName<Option<Span>>,
    /// The group that a variable is judged with.
    pub(crate) group: ByName<Option<String>>,
}

impl Default for Plans {
    fn default() -> Self {
        Self {
            false_alarms: ByName::of_all(RuleSettings::new(0).false_alarms),
            warm_up: ByName::of_all(WarmUp::USUAL),
            normal_after: ByName::of_all(None),
            group: ByName::of_all(None),
        }
    }
}

impl Plans {
    pub(crate) fn group(&self, variable: &str) -> Option<String> {
        self.group.of(&nfc(variable))
    }

    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.group.values().any(|group| group.as_deref() == Some(name))
    }

    /// How a group is judged whose members have this warm-up: its budget is that of its name.
    pub(crate) fn of_group(&self, name: &str, warm_up: u32) -> RuleSettings {
        RuleSettings { false_alarms: self.false_alarms.of(name), ..RuleSettings::new(warm_up) }
    }

    /// Of those that are times.
    pub(crate) fn longest_warm_up(&self) -> Option<Duration> {
        let time = |warm_up: &WarmUp| match warm_up.span {
            Span::Time(time) => Some(time),
            Span::Readings(_) => None,
        };
        self.warm_up.values().filter_map(time).max()
    }

    pub(crate) fn of(&self, variable: &str) -> Plan {
        let variable = nfc(variable);
        Plan {
            false_alarms: self.false_alarms.of(&variable),
            warm_up: self.warm_up.of(&variable),
            normal_after: self.normal_after.of(&variable),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn the_own_name_goes_before_the_closest_pattern() {
        let value = serde_json::json!({"*": "1 per day", "P-*": "2 per day", "P-1?": "3 per day", "P-1*": "4 per day", "P-*7": "5 per day"});
        let read = |text: &str| text.parse::<Budget>().ok();
        let usual: Budget = "1 per week".parse().unwrap();
        let budgets = ByName::parse("false_alarms", &value, usual, "", read).unwrap();
        for (variable, expected) in [
            ("T", "1 per day"),
            ("P-2", "2 per day"),
            ("P-11", "3 per day"),
            ("P-111", "4 per day"),
            ("P-27", "5 per day"),
            ("P-*", "2 per day"),
        ] {
            assert_eq!(budgets.of(variable), expected.parse().unwrap(), "{variable}");
        }
        let value = serde_json::json!({"A": "1 per day"});
        let budgets = ByName::parse("false_alarms", &value, usual, "", read).unwrap();
        assert_eq!(budgets.of("B"), usual);
    }

    #[test]
    fn spans_are_times_or_readings() {
        for (text, readings) in [
            ("3 days", Some(864)),
            ("1h", Some(12)),
            ("2 weeks", Some(4032)),
            ("600 readings", Some(600)),
            ("600readings", Some(600)),
            ("1s", Some(1)),
            ("1000 years", Some(10_000_000)),
            ("0 readings", None),
            ("0s", None),
            ("3", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(Span::parse(text).map(|span| span.readings(300e6)), readings, "{text}");
        }
    }

    #[test]
    fn a_plan_in_times_waits_for_the_interval() {
        let plan = |warm_up, normal_after| Plan { warm_up, normal_after, ..Plans::default().of("T") };
        let readings = |plan: Plan, interval| {
            plan.settings(interval).map(|settings| (settings.warm_up, settings.normal_after))
        };
        let [hour, many] = ["1h", "600 readings"].map(|text| Span::parse(text).unwrap());
        for (plan, interval, expected) in [
            (plan(WarmUp::USUAL, None), None, None),
            (plan(WarmUp::USUAL, None), Some(300e6), Some((375, 187))),
            (plan(WarmUp::USUAL, None), Some(3600e6), Some((200, 100))),
            (plan(WarmUp::USUAL, None), Some(1e6), Some((375, 1800))),
            (plan(WarmUp::USUAL, Some(many)), Some(1e6), Some((375, 600))),
            (plan(WarmUp::of(many), None), None, Some((600, 300))),
            (plan(WarmUp::of(many), None), Some(1e6), Some((600, 300))),
            (plan(WarmUp::of(many), Some(hour)), None, None),
            (plan(WarmUp::of(many), Some(hour)), Some(60e6), Some((600, 60))),
            (plan(WarmUp::of(hour), Some(many)), Some(60e6), Some((64, 600))),
        ] {
            assert_eq!(readings(plan, interval), expected, "{plan:?} {interval:?}");
        }
    }
}
