//! The views, one file each: what is read, and the values of the template.

mod anomalies;
mod chart_series;
mod detector;
mod episode;
mod overview;
mod variable;
mod why;

pub(super) use anomalies::{anomalies, csv};
pub use chart_series::chart_data;
pub(super) use detector::detector;
pub(super) use episode::episode;
pub(super) use overview::overview;
pub(super) use variable::{picture, variable};

use std::time::Duration;

use minijinja::Value;

use super::App;
use super::error::WebError;
use super::render::map;
use super::view::{RANGES, TimeRange, View};
use super::words::Words;
use crate::alert::language::Language;
use crate::alert::sentence::cause_in;
use crate::chart::{Labels, SPANISH};
use crate::datetime::Datetime;
use crate::state::State;
use crate::store::{PageReader, StoreError};

/// The worker's state, and the time at which what is shown ends.
struct WorkerStatus {
    now: Datetime,
    /// None before the first commit.
    state: Option<State>,
    /// The end of "the last hours": the clock, or the watermark of a worker that is far behind.
    until: Datetime,
}

/// A worker that is this far behind is shown as of its watermark.
const FAR_BEHIND: Duration = Duration::from_secs(2 * 3600);

impl WorkerStatus {
    async fn read(app: &App, reader: &mut dyn PageReader) -> Result<Self, StoreError> {
        let now = reader.clock().await?;
        let state = reader.outline(&app.worker).await?.map(|outline| outline.state);
        let watermark = state.as_ref().and_then(|state| state.watermark_at(now));
        // Readings at the watermark are shown as well.
        let past = |watermark: Datetime| watermark.later(Duration::from_secs(1));
        let until = match watermark {
            Some(watermark) if now.since(watermark) > FAR_BEHIND => past(watermark),
            watermark => watermark.map_or(now, past).max(now),
        };
        Ok(Self { now, state, until })
    }
}

/// A cause as people say it.
fn said_cause(cause: &str, labels: &Labels) -> String {
    cause_in(cause, if labels.language == SPANISH.language { Language::Es } else { Language::En })
}

/// The links to time ranges, for the template `ranges.html`.
fn ranges(view: &View, window: &TimeRange, link: impl Fn(&str) -> String) -> Value {
    let words = Words::of(view.labels);
    let range = |(name, _): &(&'static str, u64)| {
        let word = match *name {
            "2h" => "range_2h",
            "24h" => "range_24h",
            "7d" => "range_7d",
            "30d" => "range_30d",
            "90d" => "range_90d",
            _ => "range_1y",
        };
        map([
            ("word", words.get(word).into()),
            ("link", link(&format!("range={name}")).into()),
            ("on", (window.range == Some(*name)).into()),
        ])
    };
    let around = window
        .around()
        .into_iter()
        .map(|(word, query)| map([("word", words.get(word).into()), ("link", link(&query).into())]));
    map([
        ("ranges", RANGES.iter().map(range).collect()),
        ("around", around.collect()),
        ("from", minute(window.from).into()),
        ("to", minute(window.to).into()),
    ])
}

/// In the format of a form's field.
fn minute(at: Datetime) -> String {
    at.to_string().replacen(' ', "T", 1).chars().take(19).collect()
}

/// A datetime to the second, as pages show it.
fn second(at: Datetime) -> String {
    at.to_string().chars().take(19).collect()
}

/// A count with grouped digits, by a separator that both languages use.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How many decimals are shown of a reading.
fn decimals(value: f64) -> usize {
    match value.abs() {
        large if large >= 1000.0 => 1,
        middle if middle >= 1.0 => 2,
        _ => 4,
    }
}

type PageResult<T> = Result<T, WebError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_in_groups() {
        for (count, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (21_093, "21\u{202f}093"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(grouped(count), expected);
        }
    }
}
