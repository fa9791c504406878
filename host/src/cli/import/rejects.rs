//! What is wrong in a file. While the file is loaded, the first few are logged by line and column.
//! All of them are counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::escaped;
use crate::worker::report::count;

/// How many are logged of a file, and how many of one column. With the second limit, a column of
/// remarks does not keep the others out of the log.
const NAMED: u64 = 20;
const NAMED_OF_COLUMN: u64 = 3;

/// The most columns that the summary names.
const COLUMNS: usize = 10;

/// What was wrong so far.
#[derive(Default)]
pub(super) struct Wrong {
    named: u64,
    /// Rows that have no datetime or not as many fields as the header, and their cells.
    rows: u64,
    cells_of_rows: u64,
    cells: BTreeMap<Arc<str>, u64>,
}

impl Wrong {
    /// A row with this number of cells is passed over. `why` continues a text that ends with the
    /// row's line.
    pub(super) fn row(&mut self, line: u64, why: &str, cells: u64) {
        self.rows += 1;
        self.cells_of_rows += cells;
        if self.rows <= NAMED_OF_COLUMN {
            self.name(&format!("line {line}{why}; the row is passed over"));
        }
    }

    /// A cell is passed over.
    pub(super) fn cell(&mut self, line: u64, column: &Arc<str>, why: &str) {
        let of_column = self.cells.entry(Arc::clone(column)).or_default();
        *of_column += 1;
        if *of_column <= NAMED_OF_COLUMN {
            self.name(&format!("line {line}, column `{column}`: {why}; the cell is passed over"));
        }
    }

    fn name(&mut self, text: &str) {
        if self.named < NAMED {
            tracing::warn!("{text}");
        }
        self.named += 1;
    }

    /// Cells that were passed over, by themselves or with their row.
    pub(super) fn refused(&self) -> u64 {
        self.cells_of_rows + self.cells.values().sum::<u64>()
    }

    /// The counts of everything that was wrong. None if nothing was.
    pub(super) fn summary(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.rows > 0 {
            said.push(format!("{} of {}", count(self.rows, "row"), count(self.cells_of_rows, "cell")));
        }
        let cells: u64 = self.cells.values().sum();
        if cells > 0 {
            let mut columns: Vec<(&Arc<str>, u64)> =
                self.cells.iter().map(|(name, cells)| (name, *cells)).collect();
            columns.sort_by_key(|(_, cells)| std::cmp::Reverse(*cells));
            let shown: Vec<String> = columns
                .iter()
                .take(COLUMNS)
                .map(|(name, cells)| format!("{cells} in `{}`", escaped(name)))
                .collect();
            let more = columns.len() - shown.len();
            let more = if more > 0 {
                format!(" and those of {}", count(more as u64, "more column"))
            } else {
                String::new()
            };
            let no_readings = if cells == 1 { "that is no reading" } else { "that are no readings" };
            said.push(format!("{} {no_readings} ({}{more})", count(cells, "cell"), shown.join(", ")));
        }
        (!said.is_empty()).then(|| said.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_counted_by_column() {
        let mut wrong = Wrong::default();
        assert_eq!(wrong.summary(), None);
        wrong.cell(2, &"T1".into(), "`x` is not a number");
        (0..5).for_each(|line| wrong.cell(line, &"NOTE".into(), "`x` is not a number"));
        assert_eq!(wrong.summary().as_deref(), Some("6 cells that are no readings (5 in `NOTE`, 1 in `T1`)"));
        wrong.row(9, " has 3 fields and the header 4", 2);
        let said = "1 row of 2 cells and 6 cells that are no readings (5 in `NOTE`, 1 in `T1`)";
        assert_eq!((wrong.summary().as_deref(), wrong.refused()), (Some(said), 8));
    }
}
