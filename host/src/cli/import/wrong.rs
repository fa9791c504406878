//! What in a file is wrong, said by line and column while it is loaded: the first few, and then counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::escaped;
use crate::worker::report::count;

/// So many are named of a file, and of one column: a column of remarks must not hide what else is wrong.
const NAMED: u64 = 20;
const NAMED_OF_COLUMN: u64 = 3;

/// Columns in one line.
const COLUMNS: usize = 10;

/// What was wrong so far.
#[derive(Default)]
pub(super) struct Wrong {
    named: u64,
    /// Rows that have no datetime or not as many fields as the header.
    rows: u64,
    cells: BTreeMap<Arc<str>, u64>,
}

impl Wrong {
    /// A row is passed over. `why` goes on from its place.
    pub(super) fn row(&mut self, line: u64, why: &str) {
        self.rows += 1;
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

    /// All of it, counted; None if nothing was wrong.
    pub(super) fn summary(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.rows > 0 {
            said.push(count(self.rows, "row"));
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
            let no_numbers = if cells == 1 { "that is no number" } else { "that are no numbers" };
            said.push(format!("{} {no_numbers} ({}{more})", count(cells, "cell"), shown.join(", ")));
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
        assert_eq!(wrong.summary().as_deref(), Some("6 cells that are no numbers (5 in `NOTE`, 1 in `T1`)"));
        wrong.row(9, " has 3 fields and the header 4");
        let said = "1 row and 6 cells that are no numbers (5 in `NOTE`, 1 in `T1`)";
        assert_eq!(wrong.summary().as_deref(), Some(said));
    }
}
