//! What became of the cells of a file: each was loaded, was in the table already, repeats one
//! before it, or was refused. None is left out.

use anyhow::bail;

use crate::datetime::Datetime;
use crate::store::Inserted;
use crate::worker::report::count;

/// What became of the cells that were read so far.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Accounts {
    pub(super) loaded: u64,
    pub(super) present: u64,
    pub(super) repeated: u64,
    pub(super) refused: u64,
    /// The first and the last datetime of the readings that were not refused.
    pub(super) span: Option<(Datetime, Datetime)>,
    /// The first and the last datetime of the rows that repeat, and their lines.
    repeats: Option<((Datetime, Datetime), (u64, u64))>,
}

impl Accounts {
    /// How many readings were not refused.
    pub(super) fn readings(&self) -> u64 {
        self.loaded + self.present + self.repeated
    }

    pub(super) fn met(&mut self, at: Datetime) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// This number of readings of a row repeat readings that the file had before.
    pub(super) fn repeat(&mut self, at: Datetime, line: u64, readings: u64) {
        if readings == 0 {
            return;
        }
        self.repeated += readings;
        let ((first, last), (from, _)) = self.repeats.unwrap_or(((at, at), (line, line)));
        self.repeats = Some(((first.min(at), last.max(at)), (from, line)));
    }

    /// What the store did with `given` readings.
    pub(super) fn store(&mut self, given: u64, inserted: Inserted) {
        self.loaded += inserted.inserted;
        self.repeated += inserted.repeated;
        self.present += given.saturating_sub(inserted.inserted + inserted.repeated);
    }

    /// # Errors
    /// The number of cells differs from `cells`, which were counted the first time.
    pub(super) fn expect(&self, cells: u64) -> anyhow::Result<()> {
        let Self { loaded, present, repeated, refused, .. } = self;
        let accounted = self.readings() + refused;
        if accounted != cells {
            bail!(
                "it has {cells} cells and {accounted} are accounted for ({loaded} loaded, {present} there already, {repeated} \
                 repeated, {refused} refused); it was changed while it was read, or this program is wrong: load it again"
            );
        }
        Ok(())
    }

    /// A sentence on readings that repeat, if there are any.
    pub(super) fn repeats(&self) -> Option<String> {
        let Some(((first, last), (from, to))) = self.repeats.filter(|_| self.repeated > 0) else {
            // The file's names or datetimes differ, and the table has them as the same.
            let said = || format!("{}: to the table it is the same as another one", said(self.repeated));
            return (self.repeated > 0).then(said);
        };
        let lines = if from == to { format!("line {from}") } else { format!("lines {from} to {to}") };
        let span = if first == last { first.to_string() } else { format!("{first} to {last}") };
        Some(format!("{} ({span}, {lines}): the first counts", said(self.repeated)))
    }
}

fn said(repeated: u64) -> String {
    let have = if repeated == 1 { "has" } else { "have" };
    format!("{} {have} the variable and datetime of one before in the file", count(repeated, "reading"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_accounted_for() {
        let at = Datetime::from_micros;
        let mut accounts = Accounts::default();
        assert_eq!(accounts.repeats(), None);
        accounts.repeat(at(0), 4, 0);
        accounts.repeat(at(60_000_000), 5, 2);
        let one = "2 readings have the variable and datetime of one before in the file (1970-01-01 00:01:00, line 5): the first counts";
        assert_eq!(accounts.repeats().as_deref(), Some(one));
        accounts.repeat(at(0), 9, 1);
        accounts.store(10, Inserted { inserted: 6, repeated: 1 });
        accounts.refused = 5;
        let more = "4 readings have the variable and datetime of one before in the file (1970-01-01 00:00:00 to 1970-01-01 00:01:00, \
                    lines 5 to 9): the first counts";
        assert_eq!(accounts.repeats().as_deref(), Some(more));
        assert_eq!(
            (accounts.loaded, accounts.present, accounts.repeated, accounts.readings()),
            (6, 3, 4, 13)
        );
        assert!(accounts.expect(18).is_ok());
        let said = accounts.expect(19).map_err(|error| error.to_string());
        let lost = "it has 19 cells and 18 are accounted for (6 loaded, 3 there already, 4 repeated, 5 refused); it was changed while it \
                    was read, or this program is wrong: load it again";
        assert_eq!(said, Err(lost.to_owned()));
    }
}
