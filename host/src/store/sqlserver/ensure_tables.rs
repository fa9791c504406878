//! The output, the state table and the table of checkpoints' parts: made if they are missing,
//! checked if they exist.
//!
//! An existing table that cannot be used is refused before anything is made. Our own tables get all
//! their indexes; a table that others made gets those that it lacks ([`indexing`](super::output)),
//! and if one is refused, the worker works without it.

use std::time::Duration;

use super::connect::SqlSession;
use super::connection::{self, Value};
use super::datetime::{self, Precision};
use super::error::{Error, Result};
use super::row::Padded;
use super::sql;
use super::sql::output::{FLAGS, Filled, NUMBERS};
use super::table::{Table, TableColumn};
use crate::datetime::Datetime;
use crate::store::schema::sqlserver as ddl;
use crate::store::schema::sqlserver::{INDEXED, KEY};
use crate::store::schema::{
    EPISODE_COLUMNS, EPISODE_INDEXES, EPISODE_KEY, OUTBOX_COLUMNS, OUTBOX_INDEXES, OUTBOX_KEY,
    OUTPUT_COLUMNS, PARTS_COLUMNS, STATE_COLUMNS,
};
use crate::store::{ErrorKind, SchemaChanges, TableName};

/// The statements for tables of just these columns and types.
#[derive(Clone)]
pub(super) struct Statements {
    /// The precision in which `ds` is staged.
    pub(super) grain: Precision,
    pub(super) insert: String,
    pub(super) replace: String,
    pub(super) has_source_file: bool,
    /// Whether a range of ds is found by a seek.
    pub(super) has_ds_index: bool,
    pub(super) already_judged: String,
    pub(super) foreign_names: String,
    pub(super) equal_names: String,
    /// None if finding a variable's verdicts would read the whole table.
    pub(super) spellings: Option<String>,
    /// Keeps other writers out, if no unique index does.
    pub(super) lock: Option<String>,
    /// Converts a parameter, written `@name`, to the type of the column `variable`.
    variable: String,
    pub(super) padded: Padded,
    /// The first and the last datetime that `ds` can hold.
    pub(super) datetimes: (Datetime, Datetime),
}

impl Statements {
    /// A parameter, converted to the type of the column `variable`.
    pub(super) fn variable(&self, parameter: &str) -> String {
        self.variable.replace("@name", parameter)
    }

    /// The range of datetimes in which the output is read for rows at these; None if there are
    /// none. A little wider on both sides: the server decides how a datetime is converted to the
    /// column's type, and a SMALLDATETIME rounds to minutes.
    pub(super) fn around(&self, datetimes: impl Iterator<Item = Datetime> + Clone) -> Option<[Value; 2]> {
        const ROUNDING: Duration = Duration::from_secs(60);
        let (first, last) = (datetimes.clone().min()?, datetimes.max()?);
        Some([first.earlier(ROUNDING), last.later(ROUNDING)].map(|at| self.grain.not_before(at)))
    }
}

/// An index that an output table of others lacks.
#[derive(Clone, Copy)]
pub(super) struct Lacking {
    pub(super) columns: &'static [&'static str],
    pub(super) unique: bool,
}

/// Makes the tables that are missing; returns the indexes that are still missing.
pub(super) async fn ensure(
    session: &mut SqlSession,
    output: &TableName,
    state: &TableName,
    beside: &TablesBeside,
) -> Result<(SchemaChanges, Vec<Lacking>)> {
    let mut prepared = SchemaChanges::default();
    let found = Table::find(session, output).await?;
    let found_state = Table::find(session, state).await?;
    if let Some(table) = &found {
        statements(table, output, Duration::ZERO)?;
    }
    if let Some(table) = &found_state {
        expect_state(table, state)?;
    }
    let parts = state.of_parts();
    let found_parts = Table::find(session, &parts).await?;
    if let Some(table) = &found_parts {
        expect_parts_of(table, &parts)?;
    }
    for (name, kind) in beside.all() {
        if let Some(table) = Table::find(session, name).await? {
            kind.expect_columns(&table, name)?;
        }
    }
    if found_state.is_none() && create(session, state, &ddl::state(state)).await? {
        prepared.created.push(format!("table `{state}`"));
    }
    if found_parts.is_none() && create(session, &parts, &ddl::parts(&parts)).await? {
        prepared.created.push(format!("table `{parts}`"));
    }
    if found.is_none() && create(session, output, &ddl::output(output)).await? {
        prepared.created.push(format!("table `{output}`"));
        for index in ddl::indexes(output) {
            connection::run(session, index).await?;
        }
    }
    for (name, kind) in beside.all() {
        if Table::find(session, name).await?.is_none() && create(session, name, &kind.table(name)).await? {
            prepared.created.push(format!("table `{name}`"));
        }
        // A process that ended between a table and its indexes leaves the indexes to the next
        // start.
        let table = Table::expect(session, name, MADE_AT_START).await?;
        for index in kind.lacking(&table, name) {
            match connection::run(session, index).await {
                Err(fault) if !fault.exists_already() && !fault.is_right() => return Err(fault),
                // Another process has made it at the same moment, or the check below names what is
                // missing.
                Ok(()) | Err(_) => {}
            }
        }
        kind.expect(&Table::expect(session, name, MADE_AT_START).await?, name)?;
    }
    let found = Table::expect(session, output, MADE_AT_START).await?;
    Ok((prepared, lacking(&found)))
}

/// The tables of episodes and of the outbox.
#[derive(Clone, Debug)]
pub(super) struct TablesBeside {
    pub(super) episodes: TableName,
    pub(super) outbox: TableName,
}

/// Which of the two.
#[derive(Clone, Copy)]
pub(super) enum Beside {
    Episodes,
    Outbox,
}

impl TablesBeside {
    pub(super) fn all(&self) -> [(&TableName, Beside); 2] {
        [(&self.episodes, Beside::Episodes), (&self.outbox, Beside::Outbox)]
    }

    /// Checks both tables, which exist.
    pub(super) async fn expect(&self, session: &mut SqlSession) -> Result<()> {
        for (name, kind) in self.all() {
            kind.expect(&Table::expect(session, name, MADE_AT_START).await?, name)?;
        }
        Ok(())
    }
}

impl Beside {
    pub(super) fn table(self, name: &TableName) -> String {
        match self {
            Self::Episodes => ddl::episodes(name),
            Self::Outbox => ddl::outbox(name),
        }
    }

    pub(super) fn indexes(self, name: &TableName) -> Vec<String> {
        match self {
            Self::Episodes => ddl::episode_indexes(name),
            Self::Outbox => ddl::outbox_indexes(name),
        }
    }

    /// The columns of its key, and those of each index besides.
    fn indexed(self) -> (&'static [&'static str], &'static [&'static [&'static str]]) {
        match self {
            Self::Episodes => (&EPISODE_KEY, &EPISODE_INDEXES),
            Self::Outbox => (&OUTBOX_KEY, &OUTBOX_INDEXES),
        }
    }

    /// The statements that make the indexes which the table lacks.
    fn lacking(self, table: &Table, name: &TableName) -> Vec<String> {
        let (key, indexes) = self.indexed();
        let key = std::iter::once(key).filter(|key| !table.has_unique(key));
        let others = indexes.iter().filter(|columns| !table.has_index(columns));
        key.map(|key| ddl::index(name, key, true))
            .chain(others.map(|columns| ddl::index(name, columns, false)))
            .collect()
    }

    fn expect_columns(self, table: &Table, name: &TableName) -> Result<()> {
        let (columns, row): (&[&str], _) = match self {
            Self::Episodes => (&EPISODE_COLUMNS, "row of an episode"),
            Self::Outbox => (&OUTBOX_COLUMNS, "message"),
        };
        table.expect_columns(name, columns)?;
        table.expect_no_more_than(name, columns, row)
    }

    /// A table can be used only with every index that a statement seeks by.
    fn expect(self, table: &Table, name: &TableName) -> Result<()> {
        self.expect_columns(table, name)?;
        let (key, indexes) = self.indexed();
        if !table.has_unique(key) {
            let key = key.join(", ");
            return Err(Error::schema(format!(
                "table `{name}` lacks its unique index on ({key}); `host schema` prints it"
            )));
        }
        match indexes.iter().find(|columns| !table.has_index(columns)) {
            None => Ok(()),
            Some(columns) => {
                let columns = columns.join(", ");
                Err(Error::schema(format!(
                    "table `{name}` lacks its index on ({columns}); `host schema` prints it"
                )))
            }
        }
    }
}

const MADE_AT_START: &str = "it is created when the worker starts";

/// Whether we created it, and not another process at the same moment.
async fn create(session: &mut SqlSession, name: &TableName, ddl: &str) -> Result<bool> {
    match connection::run(session, ddl).await {
        Ok(()) => Ok(true),
        Err(fault) if fault.exists_already() => Ok(false),
        Err(fault) if fault.is_right() => Err(Error::Found(
            ErrorKind::Permission,
            format!(
                "table `{name}` is missing, and this login has no right to create it ({}); hand what `host schema` prints to \
                 who has",
                fault.said()
            ),
        )),
        Err(fault) => Err(fault),
    }
}

pub(super) fn lacking(table: &Table) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    if !table.has_unique(&KEY) {
        lacking.push(Lacking { columns: &KEY, unique: true });
    }
    for columns in INDEXED {
        // The index on both columns begins with the first.
        let made = columns == &KEY[..1] && !lacking.is_empty();
        if !made && !table.has_index(columns) {
            lacking.push(Lacking { columns, unique: false });
        }
    }
    lacking
}

/// Checks that both tables, which exist, accept what a commit writes; waits for no lock longer than
/// `wait`.
pub(super) async fn expect_tables(
    session: &mut SqlSession,
    output: &TableName,
    state: &TableName,
    wait: Duration,
) -> Result<Statements> {
    let found = Table::expect(session, state, MADE_AT_START).await?;
    expect_state(&found, state)?;
    let found = Table::expect(session, output, MADE_AT_START).await?;
    statements(&found, output, wait)
}

fn expect_state(table: &Table, name: &TableName) -> Result<()> {
    table.expect_columns(name, &STATE_COLUMNS)?;
    table.expect_no_more_than(name, &STATE_COLUMNS, "verdict")?;
    if table.has_unique(&["worker"]) {
        return Ok(());
    }
    Err(Error::schema(format!("table `{name}` may hold a worker twice; make `worker` its key")))
}

/// Checks that the table of checkpoints' parts, which exists, accepts what a commit writes.
pub(super) async fn expect_parts(session: &mut SqlSession, name: &TableName) -> Result<()> {
    let found = Table::expect(session, name, MADE_AT_START).await?;
    expect_parts_of(&found, name)
}

fn expect_parts_of(table: &Table, name: &TableName) -> Result<()> {
    table.expect_columns(name, &PARTS_COLUMNS)?;
    table.expect_no_more_than(name, &PARTS_COLUMNS, "part of a checkpoint")?;
    if table.has_unique(&["worker", "name"]) {
        return Ok(());
    }
    Err(Error::schema(format!("table `{name}` may hold a part twice; make `worker`, `name` its key")))
}

/// The statements of commits and look-ups for such a table. Columns that fill themselves are left
/// out.
fn statements(table: &Table, name: &TableName, wait: Duration) -> Result<Statements> {
    table.expect_columns(name, &OUTPUT_COLUMNS)?;
    let mut known = OUTPUT_COLUMNS.to_vec();
    known.push("source_file");
    table.expect_no_more_than(name, &known, "verdict")?;

    let wrong = |column: &str, kind: String, right: &str| {
        Error::schema(format!("column `{column}` of table `{name}` is {kind}; it must be {right}"))
    };
    let column = |column: &'static str| {
        table.column(column).ok_or_else(|| Error::schema(format!("table `{name}` lacks `{column}`")))
    };
    let mut filled = Vec::new();
    let mut fill = |column: &'static str, found: &TableColumn| {
        if !found.fills_itself() {
            filled.push(Filled { column, by: found.cast(&format!("s.[{column}]")) });
        }
    };
    let ds = column("ds")?;
    let Some(grain) = Precision::of(&ds.kind) else {
        return Err(wrong("ds", ds.declared(), "DATETIME or DATETIME2"));
    };
    fill("ds", ds);
    for (number, digits) in NUMBERS {
        let found = column(number)?;
        if !found.is_number() || (found.is_decimal() && found.precision - found.scale < digits) {
            let right = format!("DECIMAL with {digits} digits before the point, or FLOAT");
            return Err(wrong(number, found.declared(), &right));
        }
        fill(number, found);
    }
    for flag in FLAGS {
        let found = column(flag)?;
        if found.kind != "bit" && !found.is_number() {
            return Err(wrong(flag, found.declared(), "BIT"));
        }
        fill(flag, found);
    }
    let variable = column("variable")?;
    if !variable.is_text() {
        return Err(wrong("variable", variable.declared(), "VARCHAR or NVARCHAR"));
    }
    fill("variable", variable);
    let file = table.column("source_file");
    if let Some(file) = file {
        fill("source_file", file);
    }
    for (column, found) in [("ds", ds), ("variable", variable)] {
        if found.fills_itself() {
            return Err(wrong(
                column,
                "filled by the table itself".to_owned(),
                "a column that an INSERT can set",
            ));
        }
    }
    let gives_time = !column("processed_at")?.fills_itself();
    let padded = Padded { name: variable.is_padded(), file: file.is_some_and(TableColumn::is_padded) };
    Ok(Statements {
        grain,
        insert: sql::output::insert(name, &filled, gives_time),
        foreign_names: sql::output::foreign_names(&variable.cast("s.[variable]"), padded.name),
        replace: sql::output::replace(name, &filled, gives_time),
        equal_names: sql::output::equal_names(&variable.cast("s.[variable]")),
        spellings: table
            .has_index(&["variable"])
            .then(|| sql::output::spellings(name, &variable.cast("s.[variable]"))),
        lock: (!table.has_unique(&KEY)).then(|| sql::output::alone(name, wait)),
        variable: variable.cast("@name"),
        padded,
        datetimes: datetime::span(&ds.kind),
        has_source_file: table.has("source_file"),
        has_ds_index: table.has_index(&["ds"]),
        already_judged: sql::output::already_judged(name, &variable.cast("s.[variable]"), &ds.cast("s.[ds]")),
    })
}
