//! Collects readings, which come by datetime, and returns them by variable: in one pass over the
//! table, whatever its size, and in bounded memory.
//!
//! Readings are collected in memory. Each time that is full, all of them are appended to a
//! temporary file, sorted by variable, and the place of each variable's part is kept. A variable is
//! read back from its parts. The file has 16 bytes for each reading. It has no name, so the system
//! removes it when it is closed or its process is killed. If all readings fit into memory, there is
//! no file. If the file cannot be written or read, the training fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::datetime::Datetime;
use crate::detector::trainer::MOST_ROWS;
use crate::reading::Reading;

/// Bytes of a reading in the file.
const WIDTH: usize = 16;

/// The readings of one variable, one a datetime, by datetime.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub datetimes: Vec<Datetime>,
    pub values: Vec<f64>,
    /// Whether there are more than one series may have; the rest is not kept.
    pub too_long: bool,
}

impl History {
    /// Adds a reading that is no earlier than the last one. Of several of one datetime the first
    /// counts. A row without a finite value is not a reading.
    pub fn push(&mut self, reading: &Reading) {
        let Some(value) = usable(reading, self.datetimes.last().copied()) else { return };
        if self.datetimes.len() == MOST_ROWS {
            self.too_long = true;
            return;
        }
        self.datetimes.push(reading.datetime);
        self.values.push(value);
    }
}

/// The value of a reading, if it counts. `last` is the datetime of the reading before it.
fn usable(reading: &Reading, last: Option<Datetime>) -> Option<f64> {
    reading.value.filter(|value| value.is_finite() && last != Some(reading.datetime))
}

/// The readings of a variable so far.
#[derive(Debug, Default)]
struct Gathered {
    /// Readings that are not in the file yet.
    newest: Vec<(Datetime, f64)>,
    /// Its parts of the file, in order.
    pieces: Vec<FilePart>,
    rows: usize,
    last: Option<Datetime>,
    too_long: bool,
}

#[derive(Clone, Copy, Debug)]
struct FilePart {
    at: u64,
    rows: usize,
}

/// Readings that are being collected.
#[derive(Debug)]
pub struct Collector {
    by_variable: BTreeMap<Arc<str>, Gathered>,
    /// The number of readings in memory, and its limit.
    in_memory: usize,
    most: usize,
    /// Where the file is made.
    directory: PathBuf,
    file: Option<File>,
    /// Its length.
    end: u64,
}

impl Collector {
    /// With at most so many readings in memory; the others are in a file in `directory`.
    pub fn new(most: usize, directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self { by_variable: BTreeMap::new(), in_memory: 0, most, directory, file: None, end: 0 }
    }

    /// Adds a reading, as [`History::push`] does; those of one variable come by datetime.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn push(&mut self, reading: &Reading) -> io::Result<()> {
        let gathered = match self.by_variable.get_mut(&reading.variable) {
            Some(gathered) => gathered,
            None => self.by_variable.entry(Arc::clone(&reading.variable)).or_default(),
        };
        let Some(value) = usable(reading, gathered.last) else { return Ok(()) };
        if gathered.rows == MOST_ROWS {
            gathered.too_long = true;
            return Ok(());
        }
        gathered.last = Some(reading.datetime);
        gathered.rows += 1;
        gathered.newest.push((reading.datetime, value));
        self.in_memory += 1;
        if self.in_memory >= self.most { self.put_by() } else { Ok(()) }
    }

    /// Appends all readings in memory to the file.
    fn put_by(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.directory)?),
        };
        let mut out = BufWriter::new(file);
        for gathered in self.by_variable.values_mut().filter(|gathered| !gathered.newest.is_empty()) {
            for (at, value) in &gathered.newest {
                out.write_all(&at.micros().to_le_bytes())?;
                out.write_all(&value.to_le_bytes())?;
            }
            let rows = gathered.newest.len();
            gathered.pieces.push(FilePart { at: self.end, rows });
            self.end += (rows * WIDTH) as u64;
            // Frees the memory of this variable, because another may need more next.
            gathered.newest = Vec::new();
        }
        out.flush()?;
        self.in_memory = 0;
        Ok(())
    }

    /// The variables that have readings, by name.
    pub fn variables(&self) -> Vec<Arc<str>> {
        let seen = self.by_variable.iter().filter(|(_, gathered)| gathered.rows > 0);
        seen.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// All readings of a variable; none of one that was never seen.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn history(&mut self, variable: &str) -> io::Result<History> {
        let Some(gathered) = self.by_variable.get(variable) else { return Ok(History::default()) };
        let mut history = History {
            datetimes: Vec::with_capacity(gathered.rows),
            values: Vec::with_capacity(gathered.rows),
            too_long: gathered.too_long,
        };
        let mut bytes = Vec::new();
        for piece in &gathered.pieces {
            let Some(file) = &mut self.file else { break };
            bytes.resize(piece.rows * WIDTH, 0);
            file.seek(SeekFrom::Start(piece.at))?;
            file.read_exact(&mut bytes)?;
            for row in bytes.as_chunks::<WIDTH>().0 {
                let (at, value) = row.split_at(WIDTH / 2);
                let eight = |bytes: &[u8]| bytes.try_into().unwrap_or_default();
                history.datetimes.push(Datetime::from_micros(i64::from_le_bytes(eight(at))));
                history.values.push(f64::from_le_bytes(eight(value)));
            }
        }
        history.datetimes.extend(gathered.newest.iter().map(|(at, _)| *at));
        history.values.extend(gathered.newest.iter().map(|(_, value)| *value));
        Ok(history)
    }

    /// The same, and frees its memory.
    ///
    /// # Errors
    /// As before.
    pub fn take(&mut self, variable: &str) -> io::Result<History> {
        let history = self.history(variable);
        self.by_variable.remove(variable);
        history
    }
}

/// The variables that were asked for and have no readings.
pub fn unseen(wanted: Option<&BTreeSet<Arc<str>>>, seen: &BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
    wanted.into_iter().flatten().filter(|name| !seen.contains(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use proptest::prelude::*;

    use super::*;

    fn reading(variable: &str, at: i64, value: Option<f64>) -> Reading {
        Reading {
            id: None,
            datetime: Datetime::from_micros(at),
            variable: variable.into(),
            value,
            source_file: None,
        }
    }

    fn history(rows: &[(i64, f64)]) -> History {
        History {
            datetimes: rows.iter().map(|(at, _)| Datetime::from_micros(*at)).collect(),
            values: rows.iter().map(|(_, value)| *value).collect(),
            too_long: false,
        }
    }

    proptest! {
        /// With any limit of memory: the readings come back by variable, and the limit holds.
        #[test]
        fn every_variable_comes_back_as_it_came(
            readings in prop::collection::vec((0..5_usize, 0..3_i64, -9.0..9.0), 0..200),
            most in 1..40_usize,
        ) {
            let place = tempfile::tempdir().unwrap();
            let mut collector = Collector::new(most, place.path());
            let mut expected: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
            let mut at = -70;
            for (name, step, value) in readings {
                let name = ["A/B", "B", "C", "D", "É"][name];
                at += step;
                collector.push(&reading(name, at, Some(value))).unwrap();
                prop_assert!(collector.in_memory < most);
                let rows = expected.entry(name).or_default();
                if rows.last().is_none_or(|(last, _)| *last != at) {
                    rows.push((at, value));
                }
            }
            let names = collector.variables();
            let names: Vec<_> = names.iter().map(|name| &**name).collect();
            prop_assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
            for (name, rows) in expected {
                // `history` can be called again; `take` cannot.
                prop_assert_eq!(collector.history(name).unwrap(), history(&rows));
                prop_assert_eq!(collector.take(name).unwrap(), history(&rows));
                prop_assert_eq!(collector.take(name).unwrap(), History::default());
            }
            // The file has no name, and nothing of it stays.
            prop_assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn nulls_infinities_and_repeats_are_no_readings() {
        for most in [1, 2, 10] {
            let place = tempfile::tempdir().unwrap();
            let mut collector = Collector::new(most, place.path());
            for (at, value) in
                [(1, Some(1.0)), (1, Some(7.0)), (2, None), (3, Some(f64::INFINITY)), (4, Some(4.0))]
            {
                collector.push(&reading("A", at, value)).unwrap();
            }
            collector.push(&reading("B", 9, None)).unwrap();
            assert_eq!(collector.variables(), ["A".into()]);
            assert_eq!(collector.take("A").unwrap(), history(&[(1, 1.0), (4, 4.0)]));
        }
    }

    #[test]
    fn what_does_not_fit_and_cannot_be_put_by_is_an_error() {
        let mut collector = Collector::new(2, Path::new("no such place"));
        assert!(collector.push(&reading("A", 1, Some(1.0))).is_ok());
        assert!(collector.push(&reading("A", 2, Some(1.0))).is_err());
    }
}
