//! A variable's readings with what was expected of them, as a picture.
//!
//! Pure: points in, SVG out. The same picture serves the page, a message and `host plot`. It says
//! what it shows to whoever cannot see it (`title`, `desc`), and nothing in it is told by colour
//! alone: what is flagged is a triangle, an episode a bar at the top, the expectation a broken
//! line. Each part has a class, so that a page can dress it for the dark.

mod axis;
mod draw;
mod error_measures;
mod labels;
mod points;
mod strip;
mod svg;
mod ticks;

pub use draw::{ChartSize, chart};
pub use error_measures::ErrorMeasures;
pub use labels::{ENGLISH, Labels, SPANISH, number};
pub use points::{ChartPoint, decimate};
pub use strip::strip;
pub use svg::Dress;

use crate::datetime::Datetime;

/// What a chart shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartData {
    pub variable: String,
    pub from: Datetime,
    /// The datetime before which it ends.
    pub to: Datetime,
    /// By time.
    pub points: Vec<ChartPoint>,
    /// Beginnings and ends of episodes.
    pub episodes: Vec<(Datetime, Datetime)>,
}

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart of `{variable}` cannot be drawn: {why}")]
pub struct ChartError {
    pub variable: String,
    pub why: String,
}
