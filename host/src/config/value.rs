//! Converts written values to typed values, and back.
//!
//! A reader returns the value or a sentence on what is allowed; its caller knows the place and what
//! was found. An empty text means "unset" for every key that may be unset, in the file as in the
//! environment.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use crate::secret::Secret;
use crate::shard::Shard;
use crate::store::PlantClock;
use crate::training::LeaveOut;

/// What would be right: `a duration of …`, to follow "it must be".
pub(super) type Allowed = String;

/// A value before it is parsed.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// From the file, where types are strict.
    Toml(&'a DeValue<'a>),
    /// From an environment variable, where everything is text.
    Text(&'a str),
}

impl<'a> Given<'a> {
    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Toml(value) => value.as_str(),
            Self::Text(text) => Some(text),
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Toml(value) => integer(value),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

/// The integer that a TOML value is, in whatever base it was written.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let value = value.as_integer()?;
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

pub(super) fn whole<T: TryFrom<i64>>(
    range: RangeInclusive<i64>,
) -> impl Fn(&Given<'_>) -> Result<T, Allowed> {
    move |given| {
        given
            .integer()
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A worker's name: it is shown in logs and stored in VARCHAR(100), where a share may follow it.
pub(super) fn name(given: &Given<'_>) -> Result<String, Allowed> {
    text(given)
        .filter(|text| text.chars().count() <= 90)
        .ok_or_else(|| "a text of 1 to 90 characters".to_owned())
}

pub(super) fn shard(given: &Given<'_>) -> Result<Shard, Allowed> {
    given.text().unwrap_or_default().parse()
}

pub(super) fn table(given: &Given<'_>) -> Result<String, Allowed> {
    text(given).ok_or_else(|| "a table's name, such as `dbo.datos_proceso`".to_owned())
}

pub(super) fn path(given: &Given<'_>) -> Result<PathBuf, Allowed> {
    text(given)
        .map(PathBuf::from)
        .ok_or_else(|| r"a path in quotes, in single ones if it has a `\`".to_owned())
}

/// An address to listen at.
pub(super) fn address(given: &Given<'_>) -> Result<SocketAddr, Allowed> {
    let text = given.text().unwrap_or_default().trim();
    text.parse().map_err(|_| "an address and a port, such as `127.0.0.1:8686` or `[::1]:8686`".to_owned())
}

/// A text of one line; `allowed` says what it names.
pub(super) fn line(allowed: &'static str) -> impl Fn(&Given<'_>) -> Result<String, Allowed> {
    move |given| text(given).ok_or_else(|| allowed.to_owned())
}

/// The address of the page for the readers of messages, without a slash at its end.
pub(super) fn page(given: &Given<'_>) -> Result<String, Allowed> {
    let given = text(given).filter(|text| !text.contains([' ', '"', '<', '>', '?', '#']));
    let is_web = |text: &String| text.starts_with("https://") || text.starts_with("http://");
    let page = given.filter(is_web).map(|text| text.trim_end_matches('/').to_owned());
    page.ok_or_else(|| "an address such as `https://plant.example/anomalies`".to_owned())
}

/// Every character of it counts, blanks too.
pub(super) fn secret(given: &Given<'_>) -> Result<Secret, Allowed> {
    given
        .text()
        .filter(|text| !text.contains(char::is_control))
        .map(Secret::new)
        .ok_or_else(|| "a text without control characters".to_owned())
}

pub(super) fn truth(given: &Given<'_>) -> Result<bool, Allowed> {
    let truth = match given {
        Given::Toml(value) => value.as_bool(),
        Given::Text(text) => text.trim().to_ascii_lowercase().parse().ok(),
    };
    truth.ok_or_else(|| "true or false".to_owned())
}

const LEAVE_OUT: &str =
    r#"true or "flagged" for what was flagged, "real" for the episodes that people called so, or false"#;

/// Which readings are not trained on.
pub(super) fn leave_out(given: &Given<'_>) -> Result<LeaveOut, Allowed> {
    let word = given.text().unwrap_or_default().trim().to_ascii_lowercase();
    match (truth(given), &*word) {
        (Ok(false), _) => Ok(LeaveOut::Nothing),
        (Ok(true), _) | (Err(_), "flagged") => Ok(LeaveOut::Flagged),
        (Err(_), "real") => Ok(LeaveOut::Real),
        (Err(_), _) => Err(LEAVE_OUT.to_owned()),
    }
}

/// The same, from a flag.
///
/// # Errors
/// A sentence on what is allowed.
pub fn leave_out_text(text: &str) -> Result<LeaveOut, String> {
    leave_out(&Given::Text(text)).map_err(|allowed| format!("it must be {allowed}"))
}

fn text(given: &Given<'_>) -> Option<String> {
    let text = given.text()?.trim();
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

pub(super) fn optional<T>(
    read: impl Fn(&Given<'_>) -> Result<T, Allowed>,
) -> impl Fn(&Given<'_>) -> Result<Option<T>, Allowed> {
    move |given| match given.text() {
        Some(text) if text.trim().is_empty() => Ok(None),
        _ => read(given).map(Some).map_err(|allowed| format!("{allowed}; or \"\" for the default")),
    }
}

/// A duration with its unit, from `least` to `most`, which are written the same way.
pub(super) fn duration(least: &str, most: &str) -> impl Fn(&Given<'_>) -> Result<Duration, Allowed> {
    move |given| {
        let (from, to) = (with_unit(least).unwrap_or_default(), with_unit(most).unwrap_or_default());
        given.text().and_then(with_unit).filter(|duration| (from..=to).contains(duration)).ok_or_else(|| {
            format!("a duration with its unit, such as `30s`, `10m` or `2h`, from {least} to {most}")
        })
    }
}

/// How often something is done. None: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every(pub Option<Duration>);

/// A duration, or `off`.
pub(super) fn every(least: &str, most: &str) -> impl Fn(&Given<'_>) -> Result<Every, Allowed> {
    let duration = duration(least, most);
    move |given| match given.text() {
        Some(text) if text.trim().eq_ignore_ascii_case("off") => Ok(Every(None)),
        _ => duration(given)
            .map(|every| Every(Some(every)))
            .map_err(|allowed| format!("{allowed}; or \"off\"")),
    }
}

/// The time between two cycles; a number alone is minutes, as with the Python worker.
pub(super) fn interval(given: &Given<'_>) -> Result<Duration, Allowed> {
    let bare = || given.integer().or_else(|| given.text()?.trim().parse().ok());
    let minutes = |number: i64| u64::try_from(number).ok()?.checked_mul(60).map(Duration::from_secs);
    given
        .text()
        .and_then(with_unit)
        .or_else(|| bare().and_then(minutes))
        .filter(|interval| !interval.is_zero() && *interval <= Duration::from_secs(7 * 24 * 3600))
        .ok_or_else(|| "more than zero and at most 7 days: `10` (minutes), `30s`, `10m`, `2h`".to_owned())
}

/// The same, from a flag.
///
/// # Errors
/// A sentence on what is allowed.
pub fn interval_text(text: &str) -> Result<Duration, String> {
    interval(&Given::Text(text)).map_err(|allowed| format!("it must be {allowed}"))
}

/// humantime panics on sums beyond the range of a `Duration`, which take more characters than this.
fn with_unit(text: &str) -> Option<Duration> {
    (text.len() <= 20).then(|| humantime::parse_duration(text).ok()).flatten()
}

/// The clock that gives the plant's time.
pub(super) fn clock(given: &Given<'_>) -> Result<PlantClock, Allowed> {
    PlantClock::parse(given.text().unwrap_or_default()).ok_or_else(|| {
        "\"server\", hours before UTC such as \"+02:00\", or a time zone as the server names it, such as \"Romance Standard Time\""
            .to_owned()
    })
}

/// A word of a short list.
pub(super) trait Choice: Sized + Copy + 'static {
    const ALL: &'static [(&'static str, Self)];
}

pub(super) fn choice<T: Choice>(given: &Given<'_>) -> Result<T, Allowed> {
    let text = given.text().unwrap_or_default().trim();
    T::ALL.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, choice)| *choice).ok_or_else(
        || {
            let words: Vec<_> = T::ALL.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            words.join(" or ")
        },
    )
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `2025-01-15 10:00:00 - INFO - message`
    Text,
    /// One JSON object a line
    Json,
}

/// The lowest level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// Where the search for a model ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TrainingMode {
    /// At the optimum that Prophet aims at, the same every time
    Optimum,
    /// About where Prophet's own search stops, which is short of it
    AsProphet,
}

impl TrainingMode {
    /// Its name in the training's setting `method`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }
}

impl Choice for TrainingMode {
    const ALL: &'static [(&'static str, Self)] =
        &[("optimum", Self::Optimum), ("as-prophet", Self::AsProphet)];
}

impl Choice for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Choice for LogLevel {
    const ALL: &'static [(&'static str, Self)] =
        &[("debug", Self::Debug), ("info", Self::Info), ("warning", Self::Warning), ("error", Self::Error)];
}

/// A value as TOML.
pub(super) trait Literal {
    fn literal(&self) -> String;
}

fn quoted(text: impl fmt::Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

impl Literal for PlantClock {
    fn literal(&self) -> String {
        quoted(self)
    }
}

impl Literal for SocketAddr {
    fn literal(&self) -> String {
        quoted(self)
    }
}

impl Literal for String {
    fn literal(&self) -> String {
        quoted(self)
    }
}

impl Literal for PathBuf {
    fn literal(&self) -> String {
        quoted(self.display())
    }
}

/// In the largest unit that divides it: `24h`, not humantime's `1day`.
impl Literal for Duration {
    fn literal(&self) -> String {
        let nanos = self.as_nanos();
        let units =
            [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];
        let fits = units.into_iter().find(|(_, unit)| nanos > 0 && nanos.is_multiple_of(*unit));
        match fits {
            Some((name, unit)) => quoted(format!("{}{name}", nanos / unit)),
            None if nanos == 0 => quoted("0s"),
            None => quoted(format!("{nanos}ns")),
        }
    }
}

impl Literal for Every {
    fn literal(&self) -> String {
        self.0.map_or_else(|| quoted("off"), |every| every.literal())
    }
}

impl Literal for LeaveOut {
    fn literal(&self) -> String {
        match self {
            Self::Nothing => false.literal(),
            Self::Flagged => true.literal(),
            Self::Real => quoted("real"),
        }
    }
}

impl Literal for Shard {
    fn literal(&self) -> String {
        quoted(self)
    }
}

macro_rules! plain {
    ($($type:ty)*) => {
        $(impl Literal for $type {
            fn literal(&self) -> String {
                self.to_string()
            }
        })*
    };
}

plain!(bool u16 u64 usize);

/// Shows only that there is one.
impl Literal for Secret {
    fn literal(&self) -> String {
        quoted("(not shown)")
    }
}

impl<T: Literal> Literal for Option<T> {
    fn literal(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), T::literal)
    }
}

impl Literal for TrainingMode {
    fn literal(&self) -> String {
        word(*self)
    }
}

impl Literal for LogFormat {
    fn literal(&self) -> String {
        word(*self)
    }
}

impl Literal for LogLevel {
    fn literal(&self) -> String {
        word(*self)
    }
}

pub(super) fn word<T: Choice + PartialEq>(value: T) -> String {
    T::ALL.iter().find(|(_, choice)| *choice == value).map(|(word, _)| quoted(word)).unwrap_or_default()
}
