//! Draws band, expectation, readings, flags and episodes, from back to front.

use plotters::prelude::*;

use super::axis::{NumberAxis, TimeAxis};
use super::labels::{Labels, number};
use super::svg::{self, Dress};
use super::ticks::NumberMarks;
use super::{ChartData, ChartError, ChartPoint};
use crate::datetime::Datetime;

/// In pixels of the picture, which may be scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartSize {
    pub width: u32,
    pub height: u32,
}

impl ChartSize {
    /// For a page, a message, a file.
    pub const WIDE: Self = Self { width: 1120, height: 380 };
    /// For a phone.
    pub const NARROW: Self = Self { width: 520, height: 300 };
}

/// A line is interrupted where there is no point for this many times the usual spacing.
const GAP: i64 = 4;

/// Draws the chart.
///
/// # Errors
/// An error of the library.
pub fn chart(
    data: &ChartData,
    labels: &'static Labels,
    size: ChartSize,
    dress: Dress,
) -> Result<String, ChartError> {
    let mut picture = String::new();
    draw(&mut picture, data, labels, size)
        .map_err(|why| ChartError { variable: data.variable.clone(), why: why.to_string() })?;
    Ok(svg::finish(&picture, &title(data, labels), &summary(data, labels), dress))
}

fn title(data: &ChartData, labels: &Labels) -> String {
    labels.title(&data.variable, &data.from.to_string(), &data.to.to_string())
}

fn summary(data: &ChartData, labels: &Labels) -> String {
    let readings = data.points.iter().map(|point| point.y);
    let Some(least) = readings.clone().reduce(f64::min) else { return labels.empty.to_owned() };
    let greatest = readings.reduce(f64::max).unwrap_or(least);
    let anomalies = data.points.iter().filter(|point| point.is_anomaly).count();
    labels.summary(data.points.len(), anomalies, &number(least, 3, labels), &number(greatest, 3, labels))
}

fn draw(
    picture: &mut String,
    data: &ChartData,
    labels: &'static Labels,
    size: ChartSize,
) -> Result<(), Box<dyn std::error::Error>> {
    let ChartData { from, to, points, episodes, .. } = data;
    let root = SVGBackend::with_string(picture, (size.width, size.height)).into_drawing_area();
    let values =
        points.iter().flat_map(|point| [Some(point.y), point.expected, point.lower, point.upper]).flatten();
    let marks = NumberMarks::over(values, 6);
    let (bottom, top) = (marks.from, marks.to);
    let most = usize::try_from(size.width / 120).unwrap_or(6);
    let widest = marks.marks.iter().map(|mark| number(*mark, marks.decimals, labels).chars().count()).max();
    // A narrow picture is scaled down.
    let letters = if size.width < ChartSize::WIDE.width { 22 } else { 16 };
    let room = 14 + letters / 2 * i32::try_from(widest.unwrap_or(1)).unwrap_or(1);
    let time = TimeAxis::new(*from, *to, most, labels);
    // The last label stands below the right edge, with half of it beyond.
    let beyond = 4 + letters * i32::try_from(time.longest()).unwrap_or(1) * 3 / 10;
    let mut chart = ChartBuilder::on(&root)
        .margin_top(8)
        .margin_right(beyond.max(14))
        .margin_left(4)
        .x_label_area_size(2 * letters)
        .y_label_area_size(room)
        .build_cartesian_2d(time, NumberAxis::new(marks, labels))?;

    for (begin, end) in episodes {
        let shade = [((*begin).max(*from).micros(), bottom), ((*end).min(*to).micros(), top)];
        chart.draw_series([Rectangle::new(shade, svg::SHADE.filled())])?;
        // A bar at the top shows it without colour.
        let bar = [(shade[0].0, top - 0.02 * (top - bottom)), (shade[1].0, top)];
        chart.draw_series([Rectangle::new(bar, svg::EPISODE.filled())])?;
    }
    for run in runs(points) {
        let band: Vec<_> =
            run.iter().filter_map(|point| Some((point.at.micros(), point.lower?, point.upper?))).collect();
        if band.len() > 1 {
            let there = band.iter().map(|(at, lower, _)| (*at, *lower));
            let back = band.iter().rev().map(|(at, _, upper)| (*at, *upper));
            let outline: Vec<_> = there.chain(back).collect();
            chart.draw_series([Polygon::new(outline, svg::BAND.filled())])?;
        }
    }
    chart
        .configure_mesh()
        .axis_style(svg::AXIS)
        .bold_line_style(svg::GRID)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", letters).into_font().color(&svg::TEXT))
        .draw()?;
    for run in runs(points) {
        let expected: Vec<_> =
            run.iter().filter_map(|point| Some((point.at.micros(), point.expected?))).collect();
        chart.draw_series(LineSeries::new(expected, svg::EXPECTED.stroke_width(2)))?;
    }
    for run in runs(points) {
        match run {
            // A line needs two points.
            [alone] => {
                chart.draw_series([Circle::new((alone.at.micros(), alone.y), 2, svg::READING.filled())])?;
            }
            run => {
                let line = run.iter().map(|point| (point.at.micros(), point.y));
                chart.draw_series(LineSeries::new(line, svg::READING.stroke_width(2)))?;
            }
        }
    }
    let flagged = points.iter().filter(|point| point.is_anomaly);
    chart.draw_series(
        flagged.map(|point| TriangleMarker::new((point.at.micros(), point.y), 7, svg::FLAG.filled())),
    )?;
    if points.is_empty() {
        let middle = (i32::try_from(size.width / 2)?, i32::try_from(size.height / 2)?);
        let style = ("sans-serif", letters + 4).into_font().color(&svg::TEXT);
        let anchor = plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Center,
        );
        root.draw(&Text::new(labels.empty, middle, style.pos(anchor)))?;
    }
    drop(chart);
    root.present()?;
    Ok(())
}

/// The points in runs without gaps.
pub(super) fn runs(points: &[ChartPoint]) -> impl Iterator<Item = &[ChartPoint]> {
    let gap = usual_spacing(points).saturating_mul(GAP);
    points.chunk_by(move |a, b| b.at.micros().saturating_sub(a.at.micros()) <= gap)
}

/// The median.
fn usual_spacing(points: &[ChartPoint]) -> i64 {
    let between = |pair: &[ChartPoint]| pair[1].at.micros().saturating_sub(pair[0].at.micros());
    let mut spacings: Vec<i64> = points.windows(2).map(between).collect();
    let middle = spacings.len() / 2;
    if spacings.is_empty() {
        return 0;
    }
    let (_, median, _) = spacings.select_nth_unstable(middle);
    *median
}

/// For a time range without readings.
impl ChartData {
    pub fn empty(variable: &str, from: Datetime, to: Datetime) -> Self {
        Self { variable: variable.to_owned(), from, to, points: Vec::new(), episodes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::super::{ENGLISH, SPANISH};
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn data(variable: &str) -> ChartData {
        let from = Datetime::parse("2025-01-15 10:00").unwrap();
        let point = |nth: i64| ChartPoint {
            at: Datetime::from_micros(from.micros() + nth * MINUTE),
            y: 20.0 + nth as f64,
            expected: Some(20.5),
            lower: Some(19.0),
            upper: Some(22.0),
            is_anomaly: nth == 4,
            score: if nth == 4 { 80.0 } else { 0.0 },
        };
        let points: Vec<_> = [0, 1, 2, 3, 4, 30, 40, 41, 42].into_iter().map(point).collect();
        let episodes = vec![(points[4].at, points[5].at)];
        let to = Datetime::from_micros(from.micros() + 60 * MINUTE);
        ChartData { variable: variable.to_owned(), from, to, points, episodes }
    }

    /// Class and number of each part.
    fn parts(svg: &str) -> Vec<(&str, usize)> {
        ["band", "expected", "reading", "flag", "shade", "episode"]
            .map(|class| (class, svg.matches(&format!("class=\"c-{class}\"")).count()))
            .to_vec()
    }

    #[test]
    fn each_thing_is_drawn_and_gaps_are_left_open() {
        let svg = chart(&data("TEMP"), &ENGLISH, ChartSize::WIDE, Dress::Page { id: "wide" }).unwrap();
        let expected =
            [("band", 2), ("expected", 3), ("reading", 3), ("flag", 1), ("shade", 1), ("episode", 1)];
        assert_eq!(parts(&svg), expected);
        assert!(svg.contains(
            "<title id=\"wide-title\">TEMP from 2025-01-15 10:00:00 to 2025-01-15 11:00:00</title>"
        ));
        assert!(svg.contains("Points drawn: 9; anomalies: 1; readings from 20.000 to 62.000."), "{svg}");
        let spanish = chart(&data("TEMP"), &SPANISH, ChartSize::NARROW, Dress::Page { id: "wide" }).unwrap();
        assert!(spanish.contains("lecturas de 20,000 a 62,000."), "{spanish}");
    }

    #[test]
    fn whatever_a_variable_is_called_the_picture_is_well_formed() {
        let names = [
            "</title><script>alert(1)</script>",
            "a\nb\u{1}\u{202e}c",
            "&amp;",
            &"ñ".repeat(100),
            "\"' onload='x",
        ];
        for name in names {
            for dress in [Dress::Page { id: "wide" }, Dress::File] {
                let svg = chart(&data(name), &ENGLISH, ChartSize::WIDE, dress).unwrap();
                let document = roxmltree::Document::parse(&svg).unwrap();
                let tags: Vec<_> = document.descendants().map(|node| node.tag_name().name()).collect();
                assert_eq!(tags.iter().filter(|tag| **tag == "title").count(), 1, "{svg}");
                assert!(!tags.contains(&"script"), "{svg}");
            }
        }
    }

    #[test]
    fn an_empty_chart_says_so() {
        let none = ChartData { points: Vec::new(), episodes: Vec::new(), ..data("T") };
        let svg = chart(&none, &ENGLISH, ChartSize::WIDE, Dress::Page { id: "wide" }).unwrap();
        assert_eq!(svg.matches("no readings in this time").count(), 2, "{svg}");
    }
}
