//! The columns of a series besides the variable's own readings, such as regressors: another
//! variable supplies them, or they are one number.
//!
//! They live for one training. Pure, but for the collector's temporary file. A variable whose
//! columns are nowhere known is not trained.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::collect::{Collector, History};
use super::settings::Supply;
use crate::datetime::Datetime;
use crate::reading::Reading;

/// Readings of the variables that supply columns.
pub(super) struct Suppliers {
    names: BTreeSet<Arc<str>>,
    collector: Collector,
    /// Those that the last variable needed: the next one mostly needs the same.
    held: BTreeMap<Arc<str>, History>,
}

impl Suppliers {
    /// With at most so many readings in memory while they are collected.
    pub(super) fn new(names: BTreeSet<Arc<str>>, most: usize, directory: &Path) -> Self {
        Self { names, collector: Collector::new(most, directory), held: BTreeMap::new() }
    }

    /// Adds a reading, if its variable supplies a column.
    pub(super) fn push(&mut self, reading: &Reading) -> io::Result<()> {
        if self.names.contains(&reading.variable) { self.collector.push(reading) } else { Ok(()) }
    }

    /// The series that these columns need; those without readings are missing.
    pub(super) fn of(
        &mut self,
        columns: &BTreeMap<String, Supply>,
    ) -> io::Result<&BTreeMap<Arc<str>, History>> {
        let needed: BTreeSet<&Arc<str>> = columns
            .values()
            .filter_map(|supply| match supply {
                Supply::Variable(name) => Some(name),
                Supply::Number(_) => None,
            })
            .collect();
        self.held.retain(|name, _| needed.contains(name));
        for name in needed {
            if !self.held.contains_key(name) {
                let history = self.collector.history(name)?;
                if !history.datetimes.is_empty() {
                    self.held.insert(Arc::clone(name), history);
                }
            }
        }
        Ok(&self.held)
    }
}

/// A column of a series.
pub(super) struct Supplied {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
    /// The variable that supplies it.
    pub(super) variable: Option<Arc<str>>,
}

/// The rows at which all columns are known, and these columns. Else the reason, which follows the
/// variable's name in a message.
pub(super) fn supplied(
    history: History,
    columns: &BTreeMap<String, Supply>,
    suppliers: &BTreeMap<Arc<str>, History>,
) -> Result<(History, Vec<Supplied>), String> {
    if columns.is_empty() {
        return Ok((history, Vec::new()));
    }
    let rows = history.datetimes.len();
    let mut found = Vec::new();
    for (column, supply) in columns {
        let (values, variable) = match supply {
            Supply::Number(number) => (vec![*number; rows], None),
            Supply::Variable(name) => {
                let other = suppliers.get(name).ok_or_else(|| {
                    format!("needs readings of `{name}` for its column `{column}`, and the range has none")
                })?;
                let at = |at: &Datetime| match other.datetimes.binary_search(at) {
                    Ok(row) => other.values[row],
                    Err(_) => f64::NAN,
                };
                (history.datetimes.iter().map(at).collect(), Some(Arc::clone(name)))
            }
        };
        found.push(Supplied { name: column.clone(), values, variable });
    }
    let known: Vec<bool> =
        (0..rows).map(|row| found.iter().all(|column| column.values[row].is_finite())).collect();
    if !known.contains(&true) {
        let names: Vec<_> = columns.keys().map(|name| format!("`{name}`")).collect();
        return Err(format!("has no reading at a datetime at which {} are known", names.join(" and ")));
    }
    let of_known = |values: Vec<f64>| {
        values.into_iter().zip(&known).filter_map(|(value, known)| known.then_some(value)).collect::<Vec<_>>()
    };
    let datetimes = history.datetimes.into_iter().zip(&known).filter_map(|(at, known)| known.then_some(at));
    let history =
        History { datetimes: datetimes.collect(), values: of_known(history.values), ..History::default() };
    let columns = found.into_iter().map(|column| Supplied { values: of_known(column.values), ..column });
    Ok((history, columns.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_at_which_a_column_is_not_known_are_left_out() {
        let history = |rows: &[(i64, f64)]| History {
            datetimes: rows.iter().map(|(at, _)| Datetime::from_micros(*at)).collect(),
            values: rows.iter().map(|(_, value)| *value).collect(),
            too_long: false,
        };
        let t1 = history(&[(1, 1.0), (2, 2.0), (4, 4.0)]);
        let suppliers: BTreeMap<Arc<str>, History> = [
            ("POWER".into(), history(&[(2, 20.0), (3, 30.0), (4, 40.0)])),
            ("LATE".into(), history(&[(9, 1.0)])),
        ]
        .into();
        let columns = |columns: &[(&str, Supply)]| {
            columns
                .iter()
                .map(|(name, supply)| ((*name).to_owned(), supply.clone()))
                .collect::<BTreeMap<_, _>>()
        };
        let from = |name: &str| Supply::Variable(name.into());
        let asked = columns(&[("cap", Supply::Number(9.0)), ("load", from("POWER"))]);
        let found = supplied(t1.clone(), &asked, &suppliers).map(|(rows, columns)| {
            (rows, columns.into_iter().map(|column| (column.name, column.values)).collect::<Vec<_>>())
        });
        let expected = vec![("cap".to_owned(), vec![9.0, 9.0]), ("load".to_owned(), vec![20.0, 40.0])];
        assert_eq!(found, Ok((history(&[(2, 2.0), (4, 4.0)]), expected)));
        for (asked, why) in [
            (
                columns(&[("load", from("GONE"))]),
                "needs readings of `GONE` for its column `load`, and the range has none",
            ),
            (
                columns(&[("a", from("LATE")), ("b", from("POWER"))]),
                "has no reading at a datetime at which `a` and `b` are known",
            ),
        ] {
            assert_eq!(supplied(t1.clone(), &asked, &suppliers).map(|_| ()), Err(why.to_owned()));
        }
    }
}
