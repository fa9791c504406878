//! Series and tables as pandas writes them (`to_json` with `orient="split"` and `orient="table"`).
//!
//! Dates are cut to milliseconds and numbers rounded to ten decimals. Nothing that prediction needs
//! is taken from them.

use std::fmt::Write;

use serde::Serialize;

use super::ascii::compact;
use crate::fit::prepare::{Changepoints, Prepared};
use crate::fit::settings::{Growth, Holiday};
use crate::inputs::Role;
use crate::time;

#[derive(Serialize)]
struct Series<'a> {
    name: Option<&'a str>,
    index: &'a [usize],
    data: &'a [String],
}

#[derive(Serialize)]
struct Field<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
struct Schema<'a> {
    fields: Vec<Field<'a>>,
    pandas_version: &'a str,
}

fn series(name: Option<&str>, index: &[usize], data: &[String]) -> String {
    compact(&Series { name, index, data })
}

/// `2024-03-17T12:00:00.000`.
fn date(micros: i64) -> String {
    let mut text = time::text(micros.div_euclid(1_000) * 1_000);
    if text.contains('.') {
        text.truncate(text.len() - 3);
    } else {
        text.push_str(".000");
    }
    text
}

pub(super) fn changepoints(changepoints: &Changepoints) -> String {
    let dates: Vec<String> = changepoints.instants.iter().map(|micros| date(*micros)).collect();
    series(Some("ds"), &changepoints.index, &dates)
}

pub(super) fn dates(instants: &[i64]) -> String {
    let dates: Vec<String> = instants.iter().map(|micros| date(*micros)).collect();
    series(Some("ds"), &(0..dates.len()).collect::<Vec<_>>(), &dates)
}

pub(super) fn names(names: &[String]) -> String {
    series(None, &(0..names.len()).collect::<Vec<_>>(), names)
}

/// `rows` are objects with a comma between them.
pub(super) fn table(fields: &[(&str, &str)], rows: &str) -> String {
    let fields = fields.iter().map(|(name, kind)| Field { name, kind }).collect();
    let schema = compact(&Schema { fields, pandas_version: "1.4.0" });
    format!(r#"{{"schema":{schema},"data":[{rows}]}}"#)
}

/// The user's own holidays. Columns that no row has are left out.
pub(super) fn holidays(rows: &[Holiday]) -> String {
    let mut fields = vec![("holiday", "string"), ("ds", "datetime")];
    type Column = (&'static str, fn(&Holiday) -> Option<f64>);
    let columns: [Column; 3] = [
        ("lower_window", |row| row.lower_window),
        ("upper_window", |row| row.upper_window),
        ("prior_scale", |row| row.prior_scale),
    ];
    let columns: Vec<Column> =
        columns.into_iter().filter(|(_, of)| rows.iter().any(|row| of(row).is_some())).collect();
    fields.extend(columns.iter().map(|(name, _)| (*name, "number")));
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            // The settings were checked: it is a date.
            let day = time::day(&row.ds).unwrap_or_default();
            let mut text =
                format!(r#"{{"holiday":{},"ds":"{}""#, compact(&row.holiday), date(day * time::DAY));
            for (name, of) in &columns {
                let _ = write!(text, r#","{name}":{}"#, compact(&of(row)));
            }
            text + "}"
        })
        .collect();
    table(&fields, &rows.join(","))
}

enum Column<'a> {
    Numbers(&'a [f64]),
    Truths(Vec<f64>),
}

/// The rows of training with what was made of them.
pub(super) fn history(prepared: &Prepared<'_>) -> String {
    let (rows, problem) = (&prepared.rows, &prepared.problem);
    let mut columns = vec![("y", Column::Numbers(&rows.y))];
    if problem.growth == Growth::Logistic {
        columns.push(("cap", Column::Numbers(&prepared.scale.cap)));
    }
    for condition in prepared.seasons.iter().filter_map(|season| season.condition.as_deref()) {
        // It was there when the features were computed.
        if !columns.iter().any(|(name, _)| *name == condition)
            && let Ok(values) = rows.column(condition, Role::Condition)
        {
            columns.push((condition, Column::Truths(values)));
        }
    }
    for regressor in &prepared.regressors {
        if !columns.iter().any(|(name, _)| *name == regressor.name) {
            columns.push((&regressor.name, Column::Numbers(&regressor.values)));
        }
    }
    columns.push(("floor", Column::Numbers(&prepared.scale.floor)));
    if problem.growth == Growth::Logistic {
        columns.push(("cap_scaled", Column::Numbers(problem.capacities())));
    }
    columns.push(("t", Column::Numbers(problem.times())));
    columns.push(("y_scaled", Column::Numbers(problem.values())));

    let kind = |column: &Column<'_>| if matches!(column, Column::Truths(_)) { "boolean" } else { "number" };
    let fields: Vec<(&str, &str)> = std::iter::once(("ds", "datetime"))
        .chain(columns.iter().map(|(name, column)| (*name, kind(column))))
        .collect();
    let keys: Vec<String> = columns.iter().map(|(name, _)| compact(name)).collect();
    let mut text = String::with_capacity(rows.len() * 24 * (columns.len() + 1));
    for (row, micros) in rows.instants.iter().enumerate() {
        let _ = write!(text, r#"{}{{"ds":"{}""#, if row == 0 { "" } else { "," }, date(*micros));
        for (key, (_, column)) in keys.iter().zip(&columns) {
            let _ = match column {
                Column::Numbers(values) => write!(text, ",{key}:{:?}", rounded(values[row])),
                Column::Truths(values) => write!(text, ",{key}:{}", values[row] != 0.0),
            };
        }
        text.push('}');
    }
    table(&fields, &text)
}

/// To ten decimals; a large number has none of them left.
fn rounded(value: f64) -> f64 {
    let scaled = value * 1e10;
    if scaled.abs() < 4_503_599_627_370_496.0 { scaled.round_ties_even() / 1e10 } else { value }
}
