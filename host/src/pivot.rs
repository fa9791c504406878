//! Converts readings (long) to a batch (wide).
//!
//! Pure: a batch lives for one call of the detector. The same readings give the same batch in
//! whatever order they came, so that a replay gives the same result.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::batch::{Batch, Column};
use crate::datetime::Datetime;
use crate::reading::Reading;

/// A reading's place in a batch: row and column.
pub type Cell = (usize, usize);

/// A batch, and the place of each reading in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pivoted {
    /// Columns are sorted by name.
    pub batch: Batch,
    /// One entry per reading, in the readings' order. Companions have none: their verdicts exist.
    pub cells: Vec<Cell>,
}

/// Pivots readings, one per variable and datetime. `companions` are rows of the same datetimes that
/// were judged already, for a detector that wants whole instants: they fill cells without a reading
/// (of several the one with the lowest id, as when it was judged) and are dropped at other
/// datetimes.
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
        // Every datetime and name comes from these rows.
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

/// Divides the readings by datetime so that no part's batch has more than `most` cells, and none
/// has less than a complete datetime.
///
/// If every variable had its own timestamps, n readings would be a batch of n rows and n columns,
/// nearly all of it NaN.
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
    /// These columns alone, at the same datetimes: outcomes keep their rows. Used to find a
    /// variable at fault.
    #[must_use]
    pub fn only(&self, columns: &[usize]) -> Self {
        Self {
            datetimes: self.datetimes.clone(),
            columns: columns.iter().filter_map(|&column| self.columns.get(column)).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(variable: &str, seconds: i64, value: f64) -> Reading {
        let datetime = Datetime::from_micros(seconds * 1_000_000);
        Reading { id: None, datetime, variable: variable.into(), value: Some(value), source_file: None }
    }

    /// The batch as text, NaN included: a line per column.
    fn table(batch: &Batch) -> Vec<String> {
        let datetimes = batch.datetimes.iter().map(|at| at.micros() / 1_000_000).collect::<Vec<_>>();
        let columns = batch.columns.iter().map(|column| format!("{} {:?}", column.variable, column.values));
        std::iter::once(format!("{datetimes:?}")).chain(columns).collect()
    }

    #[test]
    fn readings_become_columns_by_name_and_rows_by_time() {
        let readings = [reading("b", 20, 1.5), reading("a", 30, 2.5), reading("b", 10, 3.5)];
        let pivoted = pivot(&readings, &[]);
        assert_eq!(table(&pivoted.batch), ["[10, 20, 30]", "a [NaN, NaN, 2.5]", "b [3.5, 1.5, NaN]"]);
        assert_eq!(pivoted.cells, [(1, 1), (2, 0), (0, 1)]);
        assert_eq!(pivot(&[], &[reading("a", 1, 1.0)]), Pivoted::default());
    }

    #[test]
    fn companions_fill_what_no_reading_claims() {
        let with_id = |id, reading| Reading { id: Some(id), ..reading };
        let companions = [
            with_id(9, reading("c", 20, 9.0)),
            with_id(2, reading("c", 20, 2.0)),
            with_id(1, reading("b", 20, 7.0)),
            with_id(3, reading("c", 40, 4.0)),
            with_id(4, reading("d", 20, f64::INFINITY)),
            Reading { value: None, ..reading("e", 20, 0.0) },
        ];
        let pivoted = pivot(&[reading("b", 20, 1.5), reading("b", 30, 2.5)], &companions);
        assert_eq!(table(&pivoted.batch), ["[20, 30]", "b [1.5, 2.5]", "c [2.0, NaN]"]);
        assert_eq!(pivoted.cells, [(0, 0), (1, 0)]);
    }

    #[test]
    fn a_batch_of_some_columns_keeps_its_rows() {
        let batch = pivot(&[reading("a", 1, 1.0), reading("b", 2, 2.0), reading("c", 2, 3.0)], &[]).batch;
        assert_eq!(table(&batch.only(&[2, 0])), ["[1, 2]", "c [NaN, 3.0]", "a [1.0, NaN]"]);
        assert_eq!(table(&batch.only(&[7])), ["[1, 2]"]);
    }

    fn readings() -> impl Strategy<Value = Vec<Reading>> {
        let keys = prop::collection::hash_map((0..20i64, 0..8u8), -1e6..1e6, 0..60);
        keys.prop_map(|keys| {
            keys.into_iter()
                .map(|((at, variable), value)| reading(&format!("T{variable}"), at, value))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn unpivoted_it_is_what_it_was(readings in readings(), turn in any::<prop::sample::Index>()) {
            let Pivoted { batch, cells } = pivot(&readings, &[]);
            let back: Vec<Reading> = cells
                .iter()
                .map(|&(row, column)| Reading {
                    id: None,
                    datetime: batch.datetimes[row],
                    variable: Arc::clone(&batch.columns[column].variable),
                    value: Some(batch.columns[column].values[row]),
                    source_file: None,
                })
                .collect();
            prop_assert_eq!(&back, &readings);
            let filled = batch.columns.iter().flat_map(|column| &column.values).filter(|value| !value.is_nan()).count();
            prop_assert_eq!(filled, readings.len());
            prop_assert!(batch.datetimes.is_sorted_by(|a, b| a < b));
            prop_assert!(batch.columns.iter().all(|column| column.values.len() == batch.datetimes.len()));

            let mut turned = readings.clone();
            turned.rotate_left(if readings.is_empty() { 0 } else { turn.index(readings.len()) });
            prop_assert_eq!(table(&pivot(&turned, &[]).batch), table(&batch));
        }

        #[test]
        fn parts_are_small_and_whole(readings in readings(), most in 1..60usize) {
            let parts = split(readings.clone(), most);
            for part in &parts {
                let batch = pivot(part, &[]).batch;
                prop_assert!(batch.datetimes.len() * batch.columns.len() <= most || batch.datetimes.len() == 1);
            }
            for pair in parts.windows(2) {
                let last = pair[0].iter().map(|reading| reading.datetime).max();
                prop_assert!(last < pair[1].iter().map(|reading| reading.datetime).min());
            }
            let mut whole = readings;
            whole.sort_by_key(|reading| reading.datetime);
            prop_assert_eq!(parts.concat(), whole);
        }
    }
}
