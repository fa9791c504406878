//! A sparkline: readings without axes, for a row of a table.

use plotters::prelude::*;

use super::axis::{NumberAxis, TimeAxis};
use super::draw::runs;
use super::labels::Labels;
use super::svg;
use super::ticks::NumberMarks;
use super::{ChartData, ChartError};

const SIZE: (u32, u32) = (220, 36);

/// Draws it. The row says the same in words, so it is hidden from screen readers.
///
/// # Errors
/// As [`chart`](super::chart()).
pub fn strip(data: &ChartData, labels: &'static Labels) -> Result<String, ChartError> {
    let mut picture = String::new();
    draw(&mut picture, data, labels)
        .map_err(|why| ChartError { variable: data.variable.clone(), why: why.to_string() })?;
    let (opening, body) = picture.split_once('>').unwrap_or_default();
    let size = opening.split_once("viewBox").map_or("", |(_, size)| size);
    Ok(format!("<svg class=\"strip\" aria-hidden=\"true\" viewBox{size}>{}", svg::classed(body)))
}

fn draw(
    picture: &mut String,
    data: &ChartData,
    labels: &'static Labels,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(picture, SIZE).into_drawing_area();
    let values = data.points.iter().flat_map(|point| [Some(point.y), point.expected]).flatten();
    let marks = NumberMarks::over(values, 6);
    let mut chart = ChartBuilder::on(&root)
        .margin(3)
        .build_cartesian_2d(TimeAxis::new(data.from, data.to, 1, labels), NumberAxis::new(marks, labels))?;
    for run in runs(&data.points) {
        let expected: Vec<_> =
            run.iter().filter_map(|point| Some((point.at.micros(), point.expected?))).collect();
        chart.draw_series(LineSeries::new(expected, svg::EXPECTED))?;
        let line = run.iter().map(|point| (point.at.micros(), point.y));
        chart.draw_series(LineSeries::new(line, svg::READING.stroke_width(2)))?;
    }
    let flagged = data.points.iter().filter(|point| point.is_anomaly);
    chart.draw_series(
        flagged.map(|point| TriangleMarker::new((point.at.micros(), point.y), 4, svg::FLAG.filled())),
    )?;
    drop(chart);
    root.present()?;
    Ok(())
}
