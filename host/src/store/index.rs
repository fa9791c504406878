//! The properties of a table's indexes that a store needs, however it reads them from a catalogue.

/// An index on all rows of a table.
pub(super) struct Index {
    /// In order; an expression is an empty name.
    pub(super) columns: Vec<String>,
    pub(super) unique: bool,
    /// Whether it is in partitions by another column than its first: each partition is ordered, and
    /// the whole is not.
    pub(super) split: bool,
}

impl Index {
    /// Whether it begins with these columns, in this order.
    pub(super) fn leads_with(&self, columns: &[&str]) -> bool {
        self.columns.len() >= columns.len()
            && self.columns.iter().zip(columns).all(|(found, wanted)| found == wanted)
    }

    /// Whether its rows are in the order of these columns.
    pub(super) fn is_in_order_of(&self, columns: &[&str]) -> bool {
        !self.split && self.leads_with(columns)
    }

    /// Whether it is unique on just these columns, in any order.
    pub(super) fn is_key(&self, columns: &[&str]) -> bool {
        self.unique
            && self.columns.len() == columns.len()
            && columns.iter().all(|wanted| self.columns.iter().any(|found| found == wanted))
    }
}
