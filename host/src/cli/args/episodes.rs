//! The commands about episodes.

use std::time::Duration;

use clap::Args;

use super::Overrides;
use crate::datetime::Datetime;
use crate::episode::Feedback;

#[derive(Args, Debug)]
pub struct EpisodesArgs {
    /// Episodes that begin, end or are open from this datetime on [default: those open now]
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub from: Option<Datetime>,

    /// And before this one [default: without end]
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub to: Option<Datetime>,

    /// Only those of this variable
    #[arg(long, value_name = "NAME")]
    pub variable: Option<String>,

    /// At most so many, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,

    /// Print CSV, with every column of the table
    #[arg(long)]
    pub csv: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct ShelveArgs {
    /// The name of the variable, as in the input table
    #[arg(value_name = "VARIABLE")]
    pub variable: String,

    /// How long from now on: 30m, 4h, 2days
    #[arg(long = "for", value_name = "TIME", value_parser = how_long, required_unless_present = "end")]
    pub time: Option<Duration>,

    /// The reason, for your colleagues
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = a_note)]
    pub reason: String,

    /// End the shelving now
    #[arg(long, conflicts_with_all = ["time", "reason"])]
    pub end: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct FeedbackArgs {
    /// The number of the episode, as `host episodes` shows it
    #[arg(value_name = "EPISODE", value_parser = clap::value_parser!(i64).range(1..))]
    pub episode: i64,

    #[command(flatten)]
    pub said: FeedbackFlags,

    /// A note
    #[arg(long, value_name = "TEXT", value_parser = a_note)]
    pub note: Option<String>,

    #[command(flatten)]
    pub overrides: Overrides,
}

/// What is said of an episode.
#[derive(Args, Clone, Copy, Debug)]
#[group(required = true, multiple = false)]
pub struct FeedbackFlags {
    /// It was expected: a planned stop, cleaning, a test
    #[arg(long)]
    expected: bool,

    /// Something was wrong with the plant
    #[arg(long)]
    real: bool,

    /// Something was wrong with the sensor
    #[arg(long)]
    sensor: bool,
}

impl FeedbackFlags {
    pub fn feedback(self) -> Feedback {
        match (self.expected, self.real) {
            (true, _) => Feedback::Expected,
            (_, true) => Feedback::Real,
            _ => Feedback::Sensor,
        }
    }
}

fn how_long(text: &str) -> Result<Duration, String> {
    let wrong = || "it must be a time with its unit, from 1s to 365days: `30m`, `4h`, `2days`".to_owned();
    let longest = Duration::from_secs(365 * 24 * 3600);
    let time = if text.len() <= 20 { humantime::parse_duration(text).ok() } else { None };
    time.filter(|time| (Duration::from_secs(1)..=longest).contains(time)).ok_or_else(wrong)
}

/// What the column takes.
fn a_note(text: &str) -> Result<String, String> {
    const MOST: usize = 1000;
    if text.encode_utf16().count() <= MOST && !text.contains(|c: char| c.is_control()) {
        return Ok(text.trim().to_owned());
    }
    Err(format!("it must be a text of one line and at most {MOST} characters"))
}
