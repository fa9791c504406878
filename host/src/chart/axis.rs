//! The axes for the drawing library, with our own ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::labels::{Labels, number};
use super::ticks::{self, NumberMarks};
use crate::datetime::Datetime;

/// Time, in microseconds.
pub(super) struct TimeAxis {
    from: i64,
    to: i64,
    marks: Vec<(i64, String)>,
}

impl TimeAxis {
    pub(super) fn new(from: Datetime, to: Datetime, most: usize, labels: &Labels) -> Self {
        let marks = ticks::of_time(from, to, most, labels);
        Self { from: from.micros(), to: to.micros().max(from.micros().saturating_add(1)), marks }
    }

    /// The letters of its longest label.
    pub(super) fn longest(&self) -> usize {
        self.marks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or_default()
    }
}

/// The pixel at this fraction of a range of pixels.
fn place(share: f64, limit: (i32, i32)) -> i32 {
    let (first, last) = (f64::from(limit.0), f64::from(limit.1));
    #[expect(clippy::cast_possible_truncation, reason = "between two pixels")]
    let pixel = (first + share.clamp(-1.0, 2.0) * (last - first)).round() as i32;
    pixel
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        let of = |at: i64| (i128::from(at) - i128::from(self.from)) as f64;
        place(of(*value) / of(self.to), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<i64> {
        self.marks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<i64> {
        self.from..self.to
    }
}

impl ValueFormatter<i64> for TimeAxis {
    fn format_ext(&self, value: &i64) -> String {
        self.marks.iter().find(|(at, _)| at == value).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// Readings.
pub(super) struct NumberAxis {
    marks: NumberMarks,
    labels: &'static Labels,
}

impl NumberAxis {
    pub(super) fn new(marks: NumberMarks, labels: &'static Labels) -> Self {
        Self { marks, labels }
    }
}

impl Ranged for NumberAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        place((value - self.marks.from) / (self.marks.to - self.marks.from), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.marks.from..self.marks.to
    }
}

impl ValueFormatter<f64> for NumberAxis {
    fn format_ext(&self, value: &f64) -> String {
        number(*value, self.marks.decimals, self.labels)
    }
}
