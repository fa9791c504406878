//! Series and tables as pandas writes them (`to_json` with `orient="split"` and `orient="table"`).
//!
//! Nothing that prediction needs is taken from them but holidays.

use std::fmt::Write;

use serde::Serialize;

use super::ascii::compact;
use super::dates::Dates;
use crate::fit::prepare::Changepoints;
use crate::fit::settings::HolidayEntry;
use crate::time;

#[derive(Serialize)]
struct SeriesJson<'a> {
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
struct TableSchemaJson<'a> {
    fields: Vec<Field<'a>>,
    pandas_version: &'a str,
}

fn series(name: Option<&str>, index: &[usize], data: &[String]) -> String {
    compact(&SeriesJson { name, index, data })
}

pub(super) fn changepoints(changepoints: &Changepoints) -> String {
    series(Some("ds"), &changepoints.index, &texts(&changepoints.instants))
}

pub(super) fn dates(instants: &[i64]) -> String {
    series(Some("ds"), &(0..instants.len()).collect::<Vec<_>>(), &texts(instants))
}

fn texts(instants: &[i64]) -> Vec<String> {
    let mut dates = Dates::default();
    instants.iter().map(|micros| dates.text(*micros)).collect()
}

pub(super) fn names(names: &[String]) -> String {
    series(None, &(0..names.len()).collect::<Vec<_>>(), names)
}

/// `rows` are objects with a comma between them.
pub(super) fn table(fields: &[(&str, &str)], rows: &str) -> String {
    let fields = fields.iter().map(|(name, kind)| Field { name, kind }).collect();
    let schema = compact(&TableSchemaJson { fields, pandas_version: "1.4.0" });
    format!(r#"{{"schema":{schema},"data":[{rows}]}}"#)
}

/// The user's own holidays. Columns that no row has are left out.
pub(super) fn holidays(rows: &[HolidayEntry]) -> String {
    let mut fields = vec![("holiday", "string"), ("ds", "datetime")];
    type Column = (&'static str, fn(&HolidayEntry) -> Option<f64>);
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
            let mut text = format!(
                r#"{{"holiday":{},"ds":"{}""#,
                compact(&row.holiday),
                Dates::default().text(day * time::DAY)
            );
            for (name, of) in &columns {
                let _ = write!(text, r#","{name}":{}"#, compact(&of(row)));
            }
            text + "}"
        })
        .collect();
    table(&fields, &rows.join(","))
}
