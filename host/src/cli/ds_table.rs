//! A table as Prophet takes it, for `host predict` and `host fit`: `ds`, and numbers by column.
//!
//! Pure. The host does not know which columns a model needs, so all that holds numbers is handed
//! on. A cell that is wrong refuses the table, with its line and column; a column of nothing but
//! text is a remark of the user's and is passed over.

use std::io::Read;

use anyhow::{anyhow, bail};

use crate::datetime::Datetime;
use crate::detector::trainer;

/// What Prophet calls the readings.
const Y: &str = "y";

/// What a table is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// `y` is not looked at, and need not be there.
    Predict,
    /// It must be, and there are at most so many rows.
    Fit { most_rows: usize },
}

/// Rows in Prophet's order: by `ds`, those of the same `ds` as they stand in the file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct DsTable {
    pub(super) ds: Vec<Datetime>,
    /// Where each row begins in the file, counted from 1.
    pub(super) lines: Vec<u64>,
    /// Names, and a value a row; NaN where the cell is empty.
    pub(super) columns: Vec<(String, Vec<f64>)>,
    /// Names of the columns that hold text and no number.
    pub(super) passed_over: Vec<String>,
}

impl DsTable {
    /// Reads a CSV file with a header. An empty cell and `nan` are no value; `true` and `false` are
    /// 1 and 0.
    ///
    /// # Errors
    /// Not CSV, no column `ds`, a name twice, no rows, or a cell that is no datetime or no number;
    /// to fit, also no column `y`, and too many rows.
    pub(super) fn read(input: impl Read, to: Use) -> anyhow::Result<Self> {
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
        let header: Vec<String> = csv.headers()?.iter().map(without_mark).map(str::to_owned).collect();
        let ds = place_of_ds(&header)?;
        if to != Use::Predict && !header.iter().any(|name| name == Y) {
            bail!("it has no column `{Y}`; its columns are `{}`", header.join("`, `"));
        }
        let mut columns: Vec<RawColumn> =
            header.into_iter().enumerate().filter_map(|column| RawColumn::new(column, to)).collect();
        let mut rows: Vec<(Datetime, u64)> = Vec::new();
        for record in csv.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let at =
                Datetime::parse(&record[ds]).map_err(|error| anyhow!("line {line}, column `ds`: {error}"))?;
            if let Use::Fit { most_rows } = to
                && rows.len() == most_rows
            {
                bail!("it {}", trainer::too_many_rows(most_rows));
            }
            rows.push((at, line));
            for column in &mut columns {
                column.take(&record[column.place], line);
            }
        }
        if rows.is_empty() {
            bail!("it has no rows");
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|row| rows[*row].0);
        let mut table = Self {
            ds: order.iter().map(|row| rows[*row].0).collect(),
            lines: order.iter().map(|row| rows[*row].1).collect(),
            ..Self::default()
        };
        for column in columns {
            match column.text {
                None => {
                    let values = order.iter().map(|row| column.values[*row]).collect();
                    table.columns.push((column.name, values));
                }
                Some(_) if !column.has_numbers && column.name != Y => table.passed_over.push(column.name),
                Some((line, text)) => bail!(
                    "line {line}, column `{}`: `{text}` is not a finite number; write one, or leave the cell empty",
                    column.name
                ),
            }
        }
        Ok(table)
    }
}

/// A name without the mark that Windows programs put before the first one.
fn without_mark(name: &str) -> &str {
    name.strip_prefix('\u{feff}').unwrap_or(name).trim()
}

fn place_of_ds(header: &[String]) -> anyhow::Result<usize> {
    for (at, name) in header.iter().enumerate() {
        if !name.is_empty() && header[..at].contains(name) {
            bail!("it has two columns `{name}`; keep one");
        }
    }
    header.iter().position(|name| name == "ds").ok_or_else(|| {
        anyhow!("it has no column `ds`; its columns, divided by commas, are `{}`", header.join("`, `"))
    })
}

/// A column while it is read.
struct RawColumn {
    place: usize,
    name: String,
    values: Vec<f64>,
    has_numbers: bool,
    /// The first cell that is no number, with its line.
    text: Option<(u64, String)>,
}

impl RawColumn {
    /// None: the host has no use for it. A column without a name is the index that pandas writes.
    fn new((place, name): (usize, String), to: Use) -> Option<Self> {
        let used = !["", "ds"].contains(&name.as_str()) && (name != Y || to != Use::Predict);
        used.then(|| Self { place, name, values: Vec::new(), has_numbers: false, text: None })
    }

    fn take(&mut self, cell: &str, line: u64) {
        let value = match cell.to_ascii_lowercase().as_str() {
            "" | "nan" => Some(f64::NAN),
            "true" => Some(1.0),
            "false" => Some(0.0),
            number => number.parse().ok().filter(|number: &f64| number.is_finite()),
        };
        self.has_numbers |= value.is_some_and(f64::is_finite);
        if value.is_none() && self.text.is_none() {
            self.text = Some((line, cell.to_owned()));
        }
        self.values.push(value.unwrap_or(f64::NAN));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_sorted_and_stay_in_order_where_they_are_equal() {
        let text = "\u{feff},ds, load ,y,note,on\n0,2025-01-02,2.5,7,late,True\n1,2025-01-01T00:00:00.000001,,x,,False\n\
                    2,2025-01-01,NaN,,early,\n3,2025-01-02 00:00:00,-1e3,,\"two\nlines\",1\n";
        let table = DsTable::read(text.as_bytes(), Use::Predict).unwrap();
        let micros: Vec<i64> = table.ds.iter().map(|at| at.micros() - 1_735_689_600_000_000).collect();
        assert_eq!(micros, [0, 1, 86_400_000_000, 86_400_000_000]);
        assert_eq!(table.lines, [4, 3, 2, 5]);
        let columns: Vec<String> = table.columns.iter().map(|column| format!("{column:?}")).collect();
        assert_eq!(columns, [r#"("load", [NaN, NaN, 2.5, -1000.0])"#, r#"("on", [NaN, 0.0, 1.0, 1.0])"#]);
        assert_eq!(table.passed_over, ["note"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, expected) in [
            ("", "it has no column `ds`; its columns, divided by commas, are ``"),
            ("ds;cap\n2025-01-01;3\n", "it has no column `ds`; its columns, divided by commas, are `ds;cap`"),
            ("ds\n", "it has no rows"),
            ("ds,cap,cap\n2025-01-01,1,2\n", "it has two columns `cap`; keep one"),
            (
                "ds\n2025-01-01\nNaT\n",
                "line 3, column `ds`: `NaT` is not a datetime; write it as `2025-01-15 10:00:00` or \
                 `2025-01-15 10:00:00.503`",
            ),
            (
                "ds,cap\n2025-01-01,1\n2025-01-02,inf\n",
                "line 3, column `cap`: `inf` is not a finite number; write one, or leave the cell empty",
            ),
            (
                "ds,cap\n2025-01-01,\"1,5\"\n2025-01-02,2\n",
                "line 2, column `cap`: `1,5` is not a finite number; write one, or leave the cell empty",
            ),
            (
                "ds,cap\n2025-01-01\n",
                "CSV error: record 1 (line: 2, byte: 7): found record with 1 fields, but the previous record has 2 fields",
            ),
        ] {
            assert_eq!(
                DsTable::read(text.as_bytes(), Use::Predict).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_table_to_fit_has_readings() {
        let fit = Use::Fit { most_rows: 2 };
        let read = |text: &str| DsTable::read(text.as_bytes(), fit).map_err(|error| error.to_string());
        let table = read("y,ds\n7,2025-01-01\n,2025-01-02\n").unwrap();
        assert_eq!(format!("{:?}", table.columns), r#"[("y", [7.0, NaN])]"#);
        for (text, expected) in [
            ("ds,x\n2025-01-01,1\n", "it has no column `y`; its columns are `ds`, `x`"),
            (
                "ds,y\n2025-01-01,low\n",
                "line 2, column `y`: `low` is not a finite number; write one, or leave the cell empty",
            ),
            (
                "ds,y\n2025-01-01,1\n2025-01-02,-inf\n",
                "line 3, column `y`: `-inf` is not a finite number; write one, or leave the cell empty",
            ),
            (
                "ds,y\n2025-01-01,1\n2025-01-02,2\n2025-01-03,3\n",
                "it has more than 2 rows; train on a shorter time, or on fewer rows of it",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
    }

    const TEXT: &str = "\u{feff},ds, load ,y,note,on\n0,2025-01-02,2.5,7,\"late, \"\"x\"\"\",True\n1,2025-01-01T00:00:00.000001,,x,,False\r\n\
                        2,2024-12-31 23:59,NaN,,early,\n3,2025-01-02 00:00:00,-1e3,,\"two\nlines\",1\n";

    proptest! {
        /// A whole table in Prophet's order, or an error that says something.
        #[test]
        fn any_damage_is_read_or_refused(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), length in any::<prop::sample::Index>(), cut: bool,
        ) {
            let mut bytes = TEXT.as_bytes().to_vec();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if cut {
                bytes.truncate(length.index(bytes.len()));
            }
            match DsTable::read(bytes.as_slice(), Use::Predict) {
                Ok(table) => {
                    prop_assert!(table.ds.is_sorted() && !table.ds.is_empty());
                    prop_assert_eq!(table.lines.len(), table.ds.len());
                    for (_, values) in table.columns {
                        prop_assert_eq!(values.len(), table.ds.len());
                        prop_assert!(values.iter().all(|value| !value.is_infinite()));
                    }
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
