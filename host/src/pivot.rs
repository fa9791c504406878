//! Readings, long, to a batch, wide.
//!
//! Pure: a batch lives for one call of the detector. The same readings give the same batch whatever order they came in, so that a
//! replay is a replay.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::batch::{Batch, Column};
use crate::datetime::Datetime;
use crate::reading::Reading;

/// A reading's place in a batch: row and column.
pub type Cell = (usize, usize);

/// A batch, and where each reading stands in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pivoted {
    /// Columns are sorted by name.
    pub batch: Batch,
    /// One entry per reading, in the readings' order. Companions have none: their verdicts exist.
    pub cells: Vec<Cell>,
}

/// Pivots readings, one per variable and datetime. `companions` are rows of the same datetimes that were judged already, for a detector that
/// wants whole instants: they fill cells that no reading claims (of several the lowest id, as when it was judged) and
/// are dropped at other datetimes.
pub fn pivot(readings: &[Reading], companions: &[Reading]) -> Pivoted {
    let datetimes: Vec<Datetime> =
        readings.iter().map(|reading| reading.datetime).collect::<BTreeSet<_>>().into_iter().collect();
    let rows: HashMap<Datetime, usize> = datetimes.iter().enumerate().map(|(row, &at)| (at, row)).collect();
    let mut companions: Vec<&Reading> = companions
        .iter()
        .filter(|companion| {
            rows.contains_key(&companion.datetime) && companion.value.is_some_and(f64::is_finite)
        })
        .collect();
    companions.sort_by_key(|companion| companion.id);

    let all = || readings.iter().chain(companions.iter().copied());
    let names: BTreeSet<&Arc<str>> = all().map(|reading| &reading.variable).collect();
    let columns: HashMap<&str, usize> =
        names.iter().enumerate().map(|(column, name)| (&***name, column)).collect();
    let mut batch = Batch {
        columns: names
            .iter()
            .map(|name| Column { variable: Arc::clone(name), values: vec![f64::NAN; datetimes.len()] })
            .collect(),
        datetimes: datetimes.clone(),
    };

    let mut cells = Vec::with_capacity(readings.len());
    for (at, reading) in all().enumerate() {
        // Every datetime and name was taken from these very rows.
        let (row, column) = (rows[&reading.datetime], columns[&*reading.variable]);
        let value = &mut batch.columns[column].values[row];
        if value.is_nan() {
            *value = reading.value.unwrap_or(f64::NAN);
        }
        if at < readings.len() {
            cells.push((row, column));
        }
    }
    Pivoted { batch, cells }
}

/// Parts the readings by datetime so that no part's batch has more than `most` cells, and none less than a whole datetime.
///
/// Where every variable has a clock of its own, n readings would be a batch of n rows and n columns, nearly all of it NaN.
pub fn split(mut readings: Vec<Reading>, most: usize) -> Vec<Vec<Reading>> {
    readings.sort_by_key(|reading| reading.datetime);
    let mut parts: Vec<Vec<Reading>> = Vec::new();
    let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut rows = 0;
    for instant in readings.chunk_by(|a, b| a.datetime == b.datetime) {
        rows += 1;
        names.extend(instant.iter().map(|reading| Arc::clone(&reading.variable)));
        match parts.last_mut() {
            Some(part) if rows * names.len() <= most => part.extend_from_slice(instant),
            _ => {
                parts.push(instant.to_vec());
                rows = 1;
                names = instant.iter().map(|reading| Arc::clone(&reading.variable)).collect();
            }
        }
    }
    parts
}

impl Batch {
    /// These columns alone, at the same datetimes: outcomes keep their rows. Used to find a variable at fault.
    #[must_use]
    pub fn only(&self, columns: &[usize]) -> Self {
        Self {
            datetimes: self.datetimes.clone(),
            columns: columns.iter().filter_map(|&column| self.columns.get(column)).cloned().collect(),
        }
    }
}
