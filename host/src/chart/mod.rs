//! A variable's readings and their expectation, as a picture.
//!
//! Pure: points in, SVG out. The page, messages and `host plot` use the same picture. It describes
//! itself to screen readers (`title`, `desc`), and nothing in it is shown by colour alone: a
//! flagged reading is a triangle, an episode a bar at the top, the expectation a dashed line. Each
//! part has a class, so that a page can style it for a dark scheme.

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

/// The data of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartData {
    pub variable: String,
    pub from: Datetime,
    /// The end, exclusive.
    pub to: Datetime,
    /// By time.
    pub points: Vec<ChartPoint>,
    /// Begin and end of each episode.
    pub episodes: Vec<(Datetime, Datetime)>,
}

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart of `{variable}` cannot be drawn: {why}")]
pub struct ChartError {
    pub variable: String,
    pub why: String,
}
