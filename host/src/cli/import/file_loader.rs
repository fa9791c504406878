//! The second of the two times that a file is read: it goes into the store in batches, and every
//! cell is accounted for.

use std::sync::Arc;

use anyhow::{anyhow, bail};

use super::accounts::Accounts;
use super::cell::shown;
use super::file_format::FileFormat;
use super::file_source::FileSource;
use super::moment::DatetimeFormat;
use super::rejects::Wrong;
use super::repeats::Repeats;
use super::rows::{FileRow, FileRows};
use crate::cli::progress::ProgressDisplay;
use crate::datetime::Datetime;
use crate::reading::Reading;
use crate::stop::Stop;
use crate::store::{Importer, Inserted};
use crate::worker::report::count;

/// The most names that an error has.
const NAMED: usize = 10;

const AGAIN: &str = "the same command loads the rest";

/// What is loaded, and how it is written.
pub(super) struct FileLoader<'a> {
    pub(super) source: &'a FileSource,
    pub(super) format: Option<&'a DatetimeFormat>,
    pub(super) looked: &'a FileFormat,
    /// About how many readings go into the store at once. A row is never divided.
    pub(super) batch: usize,
}

/// What became of a file.
pub(super) struct FileResult {
    pub(super) accounts: Accounts,
    pub(super) wrong: Wrong,
    pub(super) rows: u64,
    /// How many variables had a reading.
    pub(super) variables: u64,
}

impl FileLoader<'_> {
    /// Reads all of the file and stores nothing.
    ///
    /// # Errors
    /// The file cannot be read to its end, or it was stopped.
    pub(super) fn rehearse(&mut self, stop: &Stop) -> anyhow::Result<FileResult> {
        let mut walk = FilePass::begin(self)?;
        while walk.batch(self.batch, |at| at)?.1 {
            if stop.is_asked() {
                bail!("stopped; nothing is loaded yet");
            }
        }
        Ok(walk.end())
    }

    /// Reads all of the file and stores it.
    ///
    /// # Errors
    /// The file cannot be read to its end, the store failed, or it was stopped. The batches before
    /// that are stored.
    pub(super) async fn run(
        &mut self,
        importer: &mut dyn Importer,
        stop: &Stop,
        progress: &mut ProgressDisplay,
    ) -> anyhow::Result<FileResult> {
        let mut walk = FilePass::begin(self)?;
        let foreign = importer.foreign_names(&walk.rows.names()).await.map_err(|error| anyhow!("{error}"))?;
        if !foreign.is_empty() {
            let names: Vec<String> =
                foreign.iter().take(NAMED).map(|name| format!("`{}`", shown(name))).collect();
            bail!(
                "the table would change {}: its column `variable_name` is too short for {}, or has no such characters",
                names.join(", "),
                if foreign.len() == 1 { "it" } else { "them" }
            );
        }
        loop {
            let (batch, more) = walk.batch(self.batch, |at| importer.held(at))?;
            let stored = store(importer, &batch, stop).await?;
            walk.accounts.store(batch.len() as u64, stored);
            progress.set(walk.rows.read(), "");
            if !more {
                break;
            }
            if stop.is_asked() {
                bail!("stopped after {}; {AGAIN}", count(walk.accounts.readings(), "reading"));
            }
        }
        Ok(walk.end())
    }
}

async fn store(importer: &mut dyn Importer, batch: &[Reading], stop: &Stop) -> anyhow::Result<Inserted> {
    if batch.is_empty() {
        return Ok(Inserted::default());
    }
    let stored = stop.unless_at_once(importer.insert(batch)).await;
    let stored = stored.ok_or_else(|| anyhow!("stopped at once; {AGAIN}"))?;
    // The error's own text is complete. Its causes would only repeat it.
    stored.map_err(|error| anyhow!("{error}; {AGAIN}"))
}

/// One pass over the file.
struct FilePass {
    rows: FileRows,
    repeats: Repeats,
    file: Arc<str>,
    seen: Vec<bool>,
    accounts: Accounts,
    wrong: Wrong,
}

impl FilePass {
    fn begin(of: &FileLoader<'_>) -> anyhow::Result<Self> {
        Ok(Self {
            rows: FileRows::open(of.source, of.looked.form, of.format)?,
            repeats: Repeats::new(of.looked.in_order)?,
            file: Arc::clone(&of.source.name),
            seen: Vec::new(),
            accounts: Accounts::default(),
            wrong: Wrong::default(),
        })
    }

    /// About `most` readings of the next rows, and whether there are more rows.
    fn batch(
        &mut self,
        most: usize,
        held: impl Fn(Datetime) -> Datetime,
    ) -> anyhow::Result<(Vec<Reading>, bool)> {
        let mut batch = Vec::new();
        while batch.len() < most {
            match self.rows.next(&mut self.wrong)? {
                Some(row) => self.take(row, &held, &mut batch)?,
                None => return Ok((batch, false)),
            }
        }
        Ok((batch, true))
    }

    fn take(
        &mut self,
        row: FileRow,
        held: impl Fn(Datetime) -> Datetime,
        batch: &mut Vec<Reading>,
    ) -> anyhow::Result<()> {
        let FileRow { line, at, mut readings } = row;
        if !readings.is_empty() {
            self.accounts.met(at);
        }
        for (number, _) in &readings {
            if self.seen.len() <= *number {
                self.seen.resize(number + 1, false);
            }
            self.seen[*number] = true;
        }
        let repeated = self.repeats.drop_known(held(at), &mut readings)?;
        self.accounts.repeat(at, line, repeated);
        for (number, value) in readings {
            let Some(variable) = self.rows.variable(number) else { continue };
            batch.push(Reading {
                id: None,
                datetime: at,
                variable: Arc::clone(variable),
                value: Some(value),
                source_file: Some(Arc::clone(&self.file)),
            });
        }
        Ok(())
    }

    fn end(mut self) -> FileResult {
        if let (short @ 1.., line) = self.rows.short {
            tracing::warn!(
                "{} shorter than the header, the first is line {line}: what they lack is taken for empty",
                if short == 1 { "1 row is".to_owned() } else { format!("{short} rows are") }
            );
        }
        self.accounts.refused = self.wrong.refused();
        FileResult {
            accounts: self.accounts,
            wrong: self.wrong,
            rows: self.rows.count,
            variables: self.seen.iter().filter(|seen| **seen).count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::file_format::look;
    use super::*;

    #[derive(Clone, Debug)]
    enum Cell {
        Number(i32),
        Nothing,
        Text,
    }

    #[derive(Clone, Debug)]
    struct Line {
        /// None is a row without a datetime.
        minute: Option<i64>,
        cells: Vec<Cell>,
        /// Whether the row has a value where the header has no column.
        over: bool,
    }

    fn line() -> impl Strategy<Value = Line> {
        let cell = prop_oneof![6 => (-99_999..99_999_i32).prop_map(Cell::Number), 2 => Just(Cell::Nothing), 1 => Just(Cell::Text)];
        let minute = prop_oneof![9 => (0..30_i64).prop_map(Some), 1 => Just(None)];
        (minute, prop::collection::vec(cell, 1..=VARIABLES), prop::bool::weighted(0.05)).prop_map(
            |(minute, mut cells, over)| {
                if over {
                    cells.resize(VARIABLES, Cell::Nothing);
                }
                Line { minute, cells, over }
            },
        )
    }

    const VARIABLES: usize = 3;

    fn text(lines: &[Line], comma: bool) -> String {
        let mut text = String::from("DATETIME;T0;T1;T2\n");
        for Line { minute, cells, over } in lines {
            text.push_str(
                &minute.map_or_else(|| "soon".to_owned(), |minute| format!("2025-01-15 10:{minute:02}:00")),
            );
            for cell in cells {
                text.push(';');
                match cell {
                    Cell::Number(cents) => {
                        let number = format!("{:.2}", f64::from(*cents) / 100.0);
                        text.push_str(&if comma { number.replace('.', ",") } else { number });
                    }
                    Cell::Nothing => {}
                    Cell::Text => text.push_str("ok"),
                }
            }
            text.push_str(if *over { ";1\n" } else { "\n" });
        }
        text
    }

    /// How many are loaded, present, repeated and refused by the rules, and the table afterwards.
    fn expected(lines: &[Line], table: &mut BTreeMap<(i64, usize), f64>) -> [u64; 4] {
        let [mut loaded, mut present, mut repeated, mut refused] = [0; 4];
        let mut met = std::collections::BTreeSet::new();
        let before = table.clone();
        for Line { minute, cells, over } in lines {
            let held =
                cells.iter().filter(|cell| !matches!(cell, Cell::Nothing)).count() as u64 + u64::from(*over);
            let text = cells.iter().any(|cell| matches!(cell, Cell::Text));
            let Some(minute) = minute.filter(|_| !(*over || (cells.len() < VARIABLES && text))) else {
                refused += held;
                continue;
            };
            for (column, cell) in cells.iter().enumerate() {
                match cell {
                    Cell::Nothing => {}
                    Cell::Text => refused += 1,
                    Cell::Number(_) if !met.insert((minute, column)) => repeated += 1,
                    Cell::Number(_) if before.contains_key(&(minute, column)) => present += 1,
                    Cell::Number(cents) => {
                        loaded += 1;
                        table.insert((minute, column), f64::from(*cents) / 100.0);
                    }
                }
            }
        }
        [loaded, present, repeated, refused]
    }

    proptest! {
        /// Whatever the file, the table and the batches, every cell is loaded, was there, repeats
        /// another or is refused. In the end the table has what the file says.
        #[test]
        fn every_cell_is_accounted_for(
            mut lines in prop::collection::vec(line(), 0..40), sorted: bool, comma: bool, batch in 1..9_usize,
            there in prop::collection::btree_map((0..30_i64, 0..VARIABLES), Just(0.5), 0..20),
        ) {
            if sorted {
                lines.sort_by_key(|line| line.minute);
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text(&lines, comma)).unwrap();
            let source = FileSource::open(file.path(), None).unwrap();
            let looked = look(&source, None, None, |_| Ok(())).unwrap();
            let loading = FileLoader { source: &source, format: None, looked: &looked, batch };

            let mut table = there.clone();
            let mut walk = FilePass::begin(&loading).unwrap();
            let begin = Datetime::parse("2025-01-15 10:00:00").unwrap().micros();
            loop {
                let (readings, more) = walk.batch(batch, |at| at).unwrap();
                let mut stored = Inserted::default();
                for reading in &readings {
                    let minute = (reading.datetime.micros() - begin) / 60_000_000;
                    let key = (minute, reading.variable[1..].parse::<usize>().unwrap());
                    if let std::collections::btree_map::Entry::Vacant(free) = table.entry(key) {
                        free.insert(reading.value.unwrap());
                        stored.inserted += 1;
                    }
                }
                walk.accounts.store(readings.len() as u64, stored);
                if !more {
                    break;
                }
            }
            let accounts = walk.end().accounts;
            let mut right = there;
            let counts = expected(&lines, &mut right);
            let found = [accounts.loaded, accounts.present, accounts.repeated, accounts.refused];
            prop_assert_eq!(found, counts);
            prop_assert_eq!(table, right);
            prop_assert_eq!(counts.iter().sum::<u64>(), looked.cells);
            accounts.expect(looked.cells).unwrap();
        }
    }
}
