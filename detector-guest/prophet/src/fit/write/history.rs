//! The rows of training, as Prophet keeps them: what was given, and what was made of it.
//!
//! Numbers are rounded to ten decimals, as pandas leaves them; prediction takes nothing from here.

use super::ascii::compact;
use super::dates::Dates;
use super::tables;
use crate::fit::prepare::PreparedSeries;
use crate::fit::settings::Growth;
use crate::inputs::Role;

enum HistoryColumn<'a> {
    Numbers(&'a [f64]),
    Truths(Vec<f64>),
    Constant(f64),
}

/// The rows of training with what was made of them; of `ends`, the first two, which are then as far
/// apart in scaled time as all are on the average: Prophet asks that of them, and nothing else.
pub(super) fn history(prepared: &PreparedSeries<'_>, ends: bool) -> String {
    let (rows, problem) = (&prepared.rows, &prepared.problem);
    let mut columns = vec![("y", HistoryColumn::Numbers(&rows.y))];
    if problem.growth == Growth::Logistic {
        columns.push(("cap", HistoryColumn::Numbers(&prepared.scale.cap)));
    }
    for condition in prepared.seasons.iter().filter_map(|season| season.condition.as_deref()) {
        // It was there when the features were computed.
        if !columns.iter().any(|(name, _)| *name == condition)
            && let Ok(values) = rows.column(condition, Role::Condition)
        {
            columns.push((condition, HistoryColumn::Truths(values)));
        }
    }
    for regressor in &prepared.regressors {
        if !columns.iter().any(|(name, _)| *name == regressor.name) {
            columns.push((&regressor.name, HistoryColumn::Numbers(&regressor.values)));
        }
    }
    let floor = prepared.scale.floor.as_deref();
    columns
        .push(("floor", floor.map_or(HistoryColumn::Constant(prepared.scale.y_min), HistoryColumn::Numbers)));
    if problem.growth == Growth::Logistic {
        columns.push(("cap_scaled", HistoryColumn::Numbers(problem.capacities())));
    }
    let apart = [0.0, 1.0 / (rows.len() as f64 - 1.0)];
    let kept = if ends { rows.len().min(apart.len()) } else { rows.len() };
    columns.push(("t", HistoryColumn::Numbers(if ends { &apart } else { problem.times() })));
    columns.push(("y_scaled", HistoryColumn::Numbers(problem.values())));

    let kind = |column: &HistoryColumn<'_>| {
        if matches!(column, HistoryColumn::Truths(_)) { "boolean" } else { "number" }
    };
    let fields: Vec<(&str, &str)> = std::iter::once(("ds", "datetime"))
        .chain(columns.iter().map(|(name, column)| (*name, kind(column))))
        .collect();
    let keys: Vec<String> = columns.iter().map(|(name, _)| format!(",{}:", compact(name))).collect();
    let mut out = Vec::with_capacity(kept * 24 * (columns.len() + 1));
    let mut dates = Dates::default();
    for (row, micros) in rows.instants.iter().take(kept).enumerate() {
        out.extend_from_slice(if row == 0 { b"{\"ds\":\"" } else { b",{\"ds\":\"" });
        dates.write(*micros, &mut out);
        out.push(b'"');
        for (key, (_, column)) in keys.iter().zip(&columns) {
            out.extend_from_slice(key.as_bytes());
            // Writing to memory does not fail.
            let _ = match column {
                HistoryColumn::Numbers(values) => serde_json::to_writer(&mut out, &rounded(values[row])),
                HistoryColumn::Constant(value) => serde_json::to_writer(&mut out, &rounded(*value)),
                HistoryColumn::Truths(values) => serde_json::to_writer(&mut out, &(values[row] != 0.0)),
            };
        }
        out.push(b'}');
    }
    tables::table(&fields, &String::from_utf8(out).unwrap_or_default())
}

/// To ten decimals; a large number has none of them left.
fn rounded(value: f64) -> f64 {
    let scaled = value * 1e10;
    if scaled.abs() < 4_503_599_627_370_496.0 { scaled.round_ties_even() / 1e10 } else { value }
}
