//! The output and the state table: made where they are missing, looked over where they exist.
//!
//! What exists and cannot serve is refused before anything is made. Tables of our own get all their indexes; one that others made
//! gets those that it lacks, over a connection of its own that may take its time, and where that is refused it is served
//! without.

use super::connect::Session;
use super::fault::{Answer, Fault};
use super::link;
use super::moment::Grain;
use super::sql;
use super::sql::output::{FLAGS, Filled, NUMBERS};
use super::table::Table;
use crate::store::schema::sqlserver as ddl;
use crate::store::schema::sqlserver::{INDEXED, KEY};
use crate::store::schema::{OUTPUT_COLUMNS, STATE_COLUMNS};
use crate::store::{Prepared, TableName, Trouble};

/// The statements for tables of just these columns and types.
#[derive(Clone)]
pub(super) struct Statements {
    /// In which `ds` is staged.
    pub(super) grain: Grain,
    pub(super) insert: String,
    pub(super) replace: String,
    pub(super) has_source_file: bool,
    /// Whether a range of ds is found by a seek.
    pub(super) has_ds_index: bool,
    pub(super) already_judged: String,
    pub(super) foreign_names: String,
    pub(super) equal_names: String,
    /// Whether names are filled up with blanks.
    pub(super) padded: bool,
    /// None where finding a variable's verdicts would read the table.
    pub(super) spellings: Option<String>,
}

/// An index that an output table of others lacks.
pub(super) struct Lacking {
    columns: &'static [&'static str],
    unique: bool,
}

/// Makes the tables that are missing; which indexes are missing still.
pub(super) async fn prepare(
    session: &mut Session,
    output: &TableName,
    state: &TableName,
) -> Answer<(Prepared, Vec<Lacking>)> {
    let mut prepared = Prepared::default();
    let found = Table::find(session, output).await?;
    let found_state = Table::find(session, state).await?;
    if let Some(table) = &found {
        statements(table, output)?;
    }
    if let Some(table) = &found_state {
        expect_state(table, state)?;
    }
    if found_state.is_none() && create(session, state, &ddl::state(state)).await? {
        prepared.created.push(format!("table `{state}`"));
    }
    if found.is_none() && create(session, output, &ddl::output(output)).await? {
        prepared.created.push(format!("table `{output}`"));
        for index in ddl::indexes(output) {
            link::run(session, index).await?;
        }
    }
    let found = Table::expect(session, output, MADE_AT_START).await?;
    Ok((prepared, lacking(&found)))
}

const MADE_AT_START: &str = "it is created when the worker starts";

/// Whether it was we who created it, and not another at the same moment.
async fn create(session: &mut Session, name: &TableName, ddl: &str) -> Answer<bool> {
    match link::run(session, ddl).await {
        Ok(()) => Ok(true),
        Err(fault) if fault.exists_already() => Ok(false),
        Err(fault) if fault.is_right() => Err(Fault::Found(
            Trouble::Permission,
            format!(
                "table `{name}` is missing, and this login has no right to create it ({}); hand what `host schema` prints to \
                 who has",
                fault.said()
            ),
        )),
        Err(fault) => Err(fault),
    }
}

fn lacking(table: &Table) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    if !table.has_unique(&KEY) {
        lacking.push(Lacking { columns: &KEY, unique: true });
    }
    for at in 0..INDEXED.len() {
        let columns = &INDEXED[at..=at];
        // The index on both begins with the first.
        let made = columns[0] == KEY[0] && !lacking.is_empty();
        if !made && !table.has_index(columns) {
            lacking.push(Lacking { columns, unique: false });
        }
    }
    lacking
}

/// Makes an index, or says why it is done without.
pub(super) async fn make_index(
    session: &mut Session,
    output: &TableName,
    index: &Lacking,
    prepared: &mut Prepared,
) -> Answer<()> {
    let columns = index.columns.join(", ");
    let named = |unique: bool| format!("{}index on ({columns})", if unique { "unique " } else { "" });
    let statement = ddl::index(output, index.columns, index.unique);
    match link::run(session, statement.clone()).await {
        Ok(()) => {
            prepared.created.push(named(index.unique));
            Ok(())
        }
        Err(fault) if fault.is_duplicate() && index.unique => {
            prepared.warnings.push(format!(
                "table `{output}` holds several verdicts for one variable and datetime, so it gets no unique index; this worker \
                 adds none, and this shows them: {}",
                ddl::duplicates(output)
            ));
            let plain = Lacking { unique: false, ..*index };
            Box::pin(make_index(session, output, &plain, prepared)).await
        }
        Err(fault) if fault.exists_already() => Ok(()),
        Err(fault) if fault.leaves_session() => {
            prepared.warnings.push(format!(
                "table `{output}` has no {}, and it could not be made ({}); who may can run: {statement}",
                named(index.unique),
                fault.said()
            ));
            Ok(())
        }
        Err(fault) => Err(fault),
    }
}

/// Looks both tables over, which are there and take what a commit writes.
pub(super) async fn expect_tables(
    session: &mut Session,
    output: &TableName,
    state: &TableName,
) -> Answer<Statements> {
    let found = Table::expect(session, state, MADE_AT_START).await?;
    expect_state(&found, state)?;
    let found = Table::expect(session, output, MADE_AT_START).await?;
    statements(&found, output)
}

fn expect_state(table: &Table, name: &TableName) -> Answer<()> {
    table.expect_columns(name, &STATE_COLUMNS)?;
    table.expect_no_more_than(name, &STATE_COLUMNS, "verdict")?;
    if table.has_unique(&["worker"]) {
        return Ok(());
    }
    Err(Fault::schema(format!("table `{name}` may hold a worker twice; make `worker` its key")))
}

/// What a commit and a look-up say to a table like this.
fn statements(table: &Table, name: &TableName) -> Answer<Statements> {
    table.expect_columns(name, &OUTPUT_COLUMNS)?;
    let mut known = OUTPUT_COLUMNS.to_vec();
    known.extend(["id", "source_file"]);
    table.expect_no_more_than(name, &known, "verdict")?;

    let wrong = |column: &str, kind: String, right: &str| {
        Fault::schema(format!("column `{column}` of table `{name}` is {kind}; it must be {right}"))
    };
    let column = |column: &'static str| {
        table.column(column).ok_or_else(|| Fault::schema(format!("table `{name}` lacks `{column}`")))
    };
    let mut filled = Vec::new();
    let ds = column("ds")?;
    let Some(grain) = Grain::of(&ds.kind) else {
        return Err(wrong("ds", ds.declared(), "DATETIME or DATETIME2"));
    };
    filled.push(Filled { column: "ds", by: ds.cast("s.[ds]") });
    for (number, digits) in NUMBERS {
        let found = column(number)?;
        if !found.is_number() || (found.is_decimal() && found.precision - found.scale < digits) {
            let right = format!("DECIMAL with {digits} digits before the point, or FLOAT");
            return Err(wrong(number, found.declared(), &right));
        }
        filled.push(Filled { column: number, by: found.cast(&format!("s.[{number}]")) });
    }
    for flag in FLAGS {
        let found = column(flag)?;
        if found.kind != "bit" && !found.is_number() {
            return Err(wrong(flag, found.declared(), "BIT"));
        }
        filled.push(Filled { column: flag, by: found.cast(&format!("s.[{flag}]")) });
    }
    let variable = column("variable")?;
    if !variable.is_text() {
        return Err(wrong("variable", variable.declared(), "VARCHAR or NVARCHAR"));
    }
    filled.push(Filled { column: "variable", by: variable.cast("s.[variable]") });
    if let Some(file) = table.column("source_file") {
        filled.push(Filled { column: "source_file", by: file.cast("s.[source_file]") });
    }
    Ok(Statements {
        grain,
        insert: sql::output::insert(name, &filled),
        foreign_names: sql::output::foreign_names(&variable.cast("s.[variable]")),
        equal_names: sql::output::equal_names(&variable.cast("s.[variable]")),
        padded: variable.is_padded(),
        spellings: table
            .has_index(&["variable"])
            .then(|| sql::output::spellings(name, &variable.cast("s.[variable]"))),
        replace: sql::output::replace(name, &filled),
        has_source_file: table.has("source_file"),
        has_ds_index: table.has_index(&["ds"]),
        already_judged: sql::output::already_judged(name, &variable.cast("s.[variable]"), &ds.cast("s.[ds]")),
    })
}
