//! The clock of a store without a server, and the clock of a server.
//!
//! An SQLite file has no clock of its own. The wall clock of this machine, as local time without a
//! zone, is the plant's as long as both are in one place; tests and the demo pass their own. Never
//! fails; lives as long as its owner.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::datetime::Datetime;

/// The clock that gives the plant's time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PlantClock {
    /// The server's own time: GETDATE(). On Azure that is UTC.
    #[default]
    Server,
    /// This many minutes before UTC, all the year.
    Offset { minutes: i32 },
    /// A zone by the server's name for it, such as `Romance Standard Time`, with its summer time.
    Zone(String),
}

/// As in the configuration: `server`, `+02:00`, or the zone's name.
impl fmt::Display for PlantClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Offset { minutes } => {
                let sign = if *minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            Self::Zone(name) => f.write_str(name),
        }
    }
}

impl PlantClock {
    /// Reads the output of [`Display`](fmt::Display), and `UTC`, `UTC+2`, `+2`, `+0530`; None if it
    /// is none of these and cannot be a name.
    pub fn parse(text: &str) -> Option<Self> {
        /// The server's offsets go to 14 hours.
        const MOST: i32 = 14 * 60;
        let text = text.trim();
        if text.eq_ignore_ascii_case("server") {
            return Some(Self::Server);
        }
        let offset = match text.get(..3) {
            Some(utc) if utc.eq_ignore_ascii_case("utc") => &text[3..],
            _ => text,
        };
        if offset.is_empty() {
            return (!text.is_empty()).then_some(Self::Offset { minutes: 0 });
        }
        let (sign, digits) = match offset.split_at_checked(1) {
            Some(("+", digits)) => (1, digits),
            Some(("-", digits)) => (-1, digits),
            _ => return Self::zone(text),
        };
        let (hours, minutes) = match digits.split_once(':') {
            Some(parts) => parts,
            None if digits.len() == 4 => digits.split_at_checked(2)?,
            None => (digits, "0"),
        };
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok())?;
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let all = hours.checked_mul(60)?.checked_add(minutes)?;
        (minutes < 60 && all <= MOST).then_some(Self::Offset { minutes: sign * all })
    }

    fn zone(text: &str) -> Option<Self> {
        let of_name = |c: char| c.is_alphanumeric() || " .-+()_/".contains(c);
        let is_name = text.chars().any(char::is_alphabetic) && text.chars().all(of_name);
        is_name.then(|| Self::Zone(text.to_owned()))
    }
}

/// Gives the time of the database's clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Datetime + Send + Sync>);

/// Sets the time of a [`Clock::settable`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl Clock {
    /// This machine's wall clock, local time.
    pub fn system() -> Self {
        Self::new(|| Datetime::from_micros(chrono::Local::now().naive_local().and_utc().timestamp_micros()))
    }

    /// This many minutes before UTC.
    pub fn before_utc(minutes: i32) -> Self {
        let offset = i64::from(minutes) * 60_000_000;
        Self::new(move || Datetime::from_micros(chrono::Utc::now().timestamp_micros().saturating_add(offset)))
    }

    /// Always the same time.
    pub fn fixed(at: Datetime) -> Self {
        Self::new(move || at)
    }

    /// Stays at `at` until the [`ManualClock`] sets it.
    pub fn settable(at: Datetime) -> (Self, ManualClock) {
        let micros = Arc::new(AtomicI64::new(at.micros()));
        let hand = ManualClock(Arc::clone(&micros));
        (Self::new(move || Datetime::from_micros(micros.load(Ordering::Relaxed))), hand)
    }

    /// Gives whatever `tell` returns.
    pub fn new(tell: impl Fn() -> Datetime + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The time now.
    pub fn now(&self) -> Datetime {
        (self.0)()
    }
}

impl ManualClock {
    /// Sets the time; it may go backwards, as clocks do.
    pub fn set(&self, at: Datetime) {
        self.0.store(at.micros(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settable_clock_stands_where_its_hand_puts_it() {
        let (clock, hand) = Clock::settable(Datetime::from_micros(1));
        assert_eq!(clock.now(), Datetime::from_micros(1));
        hand.set(Datetime::from_micros(-5));
        assert_eq!(clock.clone().now(), Datetime::from_micros(-5));
    }

    #[test]
    fn a_clock_is_the_servers_an_offset_or_a_zone() {
        let minutes = |minutes| Some(PlantClock::Offset { minutes });
        for (text, expected) in [
            ("server", Some(PlantClock::Server)),
            (" Server ", Some(PlantClock::Server)),
            ("UTC", minutes(0)),
            ("utc+2", minutes(120)),
            ("+02:00", minutes(120)),
            ("-0330", minutes(-210)),
            ("+14:00", minutes(840)),
            ("Romance Standard Time", Some(PlantClock::Zone("Romance Standard Time".to_owned()))),
            ("Europe/Madrid", Some(PlantClock::Zone("Europe/Madrid".to_owned()))),
            ("+14:01", None),
            ("+2:75", None),
            ("+", None),
            ("+two", None),
            ("", None),
            ("12", None),
            ("x'; DROP", None),
        ] {
            let found = PlantClock::parse(text);
            assert_eq!(found, expected, "`{text}`");
            let again = found.as_ref().and_then(|clock| PlantClock::parse(&clock.to_string()));
            assert_eq!(again, found, "`{text}` as it is written");
        }
    }
}
