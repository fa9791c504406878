//! Times of the week in which a variable is shelved: `mon-fri 06:00-06:30`, `daily 22:00-02:00`.

use std::fmt;
use std::str::FromStr;

use crate::datetime::Datetime;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A time on some days of the week. A window that ends before it begins reaches into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeeklyWindow {
    /// Monday is the first.
    days: [bool; 7],
    /// In minutes of the day; the second one is exclusive.
    from: i64,
    to: i64,
}

impl WeeklyWindow {
    /// What is allowed, as the end of a sentence "it must be …".
    pub const ALLOWED: &str =
        "days and a time, such as \"mon-fri 06:00-06:30\", \"sat,sun 00:00-24:00\" or \"daily 22:00-02:00\"";

    /// Whether it contains this instant, by the plant's clock.
    pub fn holds(&self, at: Datetime) -> bool {
        let (day, minute) = (at.micros().div_euclid(DAY), at.micros().rem_euclid(DAY) / MINUTE);
        // 1970-01-01 was a Thursday.
        let is_day = |day: i64| usize::try_from((day + 3).rem_euclid(7)).is_ok_and(|day| self.days[day]);
        if self.from < self.to {
            return is_day(day) && (self.from..self.to).contains(&minute);
        }
        is_day(day) && minute >= self.from || is_day(day - 1) && minute < self.to
    }
}

impl FromStr for WeeklyWindow {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_ascii_lowercase();
        let (days, times) = text.split_once(' ').ok_or(Self::ALLOWED)?;
        let (from, to) = times.trim().split_once('-').ok_or(Self::ALLOWED)?;
        let (from, to) = (minute(from)?, minute(to)?);
        if from == to || from == 24 * 60 {
            return Err(Self::ALLOWED);
        }
        Ok(Self { days: days_of(days)?, from, to })
    }
}

fn minute(text: &str) -> Result<i64, &'static str> {
    let (hours, minutes) = text.trim().split_once(':').ok_or(WeeklyWindow::ALLOWED)?;
    let number = |text: &str| match text.len() {
        1 | 2 if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_err(|_| WeeklyWindow::ALLOWED)
        }
        _ => Err(WeeklyWindow::ALLOWED),
    };
    let (hours, minutes): (i64, i64) = (number(hours)?, number(minutes)?);
    let all = hours * 60 + minutes;
    if minutes < 60 && all <= 24 * 60 { Ok(all) } else { Err(WeeklyWindow::ALLOWED) }
}

fn days_of(text: &str) -> Result<[bool; 7], &'static str> {
    if text == "daily" {
        return Ok([true; 7]);
    }
    let day = |word: &str| DAYS.iter().position(|day| *day == word).ok_or(WeeklyWindow::ALLOWED);
    let mut days = [false; 7];
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                let (mut at, last) = (day(first)?, day(last)?);
                days[at] = true;
                while at != last {
                    at = (at + 1) % 7;
                    days[at] = true;
                }
            }
            None => days[day(part)?] = true,
        }
    }
    Ok(days)
}

impl fmt::Display for WeeklyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<&str> = DAYS.iter().zip(self.days).filter(|(_, is)| *is).map(|(day, _)| *day).collect();
        let days = if days.len() == 7 { "daily".to_owned() } else { days.join(",") };
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{days} {}-{}", clock(self.from), clock(self.to))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_window_holds_its_days_and_times() {
        // 2025-01-13 was a Monday.
        for (window, at, holds) in [
            ("mon-fri 06:00-06:30", "2025-01-13 06:00", true),
            ("mon-fri 06:00-06:30", "2025-01-13 05:59", false),
            ("mon-fri 06:00-06:30", "2025-01-13 06:30", false),
            ("mon-fri 06:00-06:30", "2025-01-18 06:10", false),
            ("fri-mon 06:00-07:00", "2025-01-18 06:10", true),
            ("fri-mon 06:00-07:00", "2025-01-14 06:10", false),
            ("sat,sun 00:00-24:00", "2025-01-19 23:59", true),
            ("sat,sun 00:00-24:00", "2025-01-20 00:00", false),
            ("daily 22:00-02:00", "2025-01-15 01:59", true),
            ("daily 22:00-02:00", "2025-01-15 02:00", false),
            ("sun 22:00-02:00", "2025-01-20 01:00", true),
            ("sun 22:00-02:00", "2025-01-19 01:00", false),
            ("mon 22:00-24:00", "2025-01-13 23:59", true),
        ] {
            let window: WeeklyWindow = window.parse().unwrap();
            assert_eq!(window.holds(Datetime::parse(at).unwrap()), holds, "{window} at {at}");
            assert_eq!(window.to_string().parse(), Ok(window));
        }
        for wrong in [
            "",
            "mon",
            "06:00-07:00",
            "monday 06:00-07:00",
            "mon 6-7",
            "mon 06:00-25:00",
            "mon 06:60-07:00",
            "mon 06:00-06:00",
            "mon 24:00-24:00",
            "mon 24:00-02:00",
            "mon -1:00-02:00",
            "mon- 06:00-07:00",
        ] {
            assert!(wrong.parse::<WeeklyWindow>().is_err(), "{wrong}");
        }
    }
}
