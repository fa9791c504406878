//! Checks `docs/statements.md` against the code: every statement that this store sends, what it
//! reads, and the source that says so.
//!
//! This test writes the page. After a statement has changed: `WRITE_DOCUMENTS=1 cargo test
//! --workspace --lib documented`, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::{episodes, input, outbox, output, page as pages, session};
use crate::store::{InputLayout, PlantClock, TableName};

/// A statement, with the function that makes it.
struct DocumentedStatement {
    function: &'static str,
    text: String,
    access: &'static str,
    source: &'static str,
}

const KEY: &str = "a seek on the key of the input";
const DATETIME: &str = "a seek on an index that leads with `datetime`, both ends given, in its order, up to TOP rows; without such an index \
     a table of more than 100,000 rows is refused, with the index to make";
const STATE: &str = "one row of the state table, by its key";
const STAGED: &str = "the session's own temporary table, and nothing else";
const CATALOGUE: &str = "catalogue views, by the object's number";
const DS: &str = "a seek on the index on `ds`, both ends given";
const QUEUE: &str = "a seek on the index on (state, seq), in its order, up to TOP rows";
const NONE: &str = "no table";

const TOP: &str = "TOP with ORDER BY: learn.microsoft.com/sql/t-sql/queries/top-transact-sql";
const SEEK: &str = "index design guide, range seeks: learn.microsoft.com/sql/relational-databases/sql-server-index-design-guide";
const MIN_MAX: &str = "MIN and MAX of an index's leading column read one row: index design guide";
const APPLOCK: &str =
    "learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql";
const EXISTS: &str = "INSERT … SELECT, EXISTS: learn.microsoft.com/sql/t-sql/statements/insert-transact-sql";
const VIEWS: &str =
    "learn.microsoft.com/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql";
const DATES: &str =
    "learn.microsoft.com/sql/t-sql/functions/date-and-time-data-types-and-functions-transact-sql";
const BULK: &str = "tiberius `tests/bulk.rs`: FLOAT, DATETIME2, NVARCHAR(MAX), VARBINARY(MAX) and BIT columns in a temporary table";
const SESSION: &str = "learn.microsoft.com/sql/t-sql/statements/set-statements-transact-sql";
const WINDOW: &str = "OVER: learn.microsoft.com/sql/t-sql/queries/select-over-clause-transact-sql";

fn entries() -> Vec<DocumentedStatement> {
    let name = |text: &str| text.parse::<TableName>().unwrap();
    let (readings, verdicts, state) =
        (name("dbo.datos_proceso"), name("dbo.anomalies_detector"), name("dbo.anomaly_worker_state"));
    let parts = state.of_parts();
    let (told, messages) = (name("dbo.anomaly_worker_episodes"), name("dbo.anomaly_worker_outbox"));
    let layout = InputLayout { has_id: true, has_key: true, has_source_file: true, has_datetime_index: true };
    let filled = |pairs: &[(&'static str, &str)]| -> Vec<output::Filled> {
        pairs.iter().map(|(column, by)| output::Filled { column, by: (*by).to_owned() }).collect()
    };
    let (variable, ds) = ("CAST(s.[variable] AS varchar(100))", "CAST(s.[ds] AS datetime)");
    let of_output = filled(&[("ds", ds), ("y", "CAST(s.[y] AS decimal(18,6))"), ("variable", variable)]);
    let of_input = filled(&[
        ("datetime", "CAST(s.[datetime] AS datetime)"),
        ("variable_name", "CAST(s.[variable_name] AS varchar(100))"),
        ("value", "CAST(s.[value] AS decimal(18,6))"),
    ]);
    let insert = output::insert(&verdicts, &of_output, true);
    let lock = output::alone(&verdicts, Duration::from_secs(5));
    let staged = output::CommitParts { insert: &insert, lock: Some(&lock) };
    let of = |value: &str| format!("CAST({value} AS varchar(100))");
    let entry =
        |function, text: String, access, source| DocumentedStatement { function, text, access, source };
    vec![
        entry("session::set_up", session::set_up(Duration::from_secs(5)), NONE, SESSION),
        entry("session::begin", session::begin().into(), NONE, SESSION),
        entry("session::roll_back", session::roll_back().into(), NONE, SESSION),
        entry("session::columns", session::columns(), CATALOGUE, VIEWS),
        entry("session::indexes", session::indexes(), CATALOGUE, VIEWS),
        entry("session::synonym", session::synonym(), CATALOGUE, VIEWS),
        entry(
            "session::some_tables",
            session::some_tables(),
            "at most ten names of the catalogue, for an error",
            VIEWS,
        ),
        entry("session::lock", session::lock().into(), NONE, APPLOCK),
        entry("session::alive", session::alive().into(), NONE, "a SELECT without FROM reads no table"),
        entry(
            "session::may",
            session::may(),
            NONE,
            "HAS_PERMS_BY_NAME: learn.microsoft.com/sql/t-sql/functions/has-perms-by-name-transact-sql",
        ),
        entry("input::now", input::now(&PlantClock::Server), NONE, DATES),
        entry("input::now (offset)", input::now(&PlantClock::Offset { minutes: 120 }), NONE, DATES),
        entry(
            "input::now (zone)",
            input::now(&PlantClock::Zone(String::new())),
            NONE,
            "AT TIME ZONE: learn.microsoft.com/sql/t-sql/queries/at-time-zone-transact-sql",
        ),
        entry(
            "input::size",
            input::size(&readings),
            "at most 100,001 rows, once for a connection, and only where no index is in the order of `datetime`",
            TOP,
        ),
        entry("input::stretch", input::stretch(&readings), DATETIME, TOP),
        entry("input::probe", input::probe(&readings), KEY, TOP),
        entry("input::first_key", input::first_key(&readings), "the first row of the key", MIN_MAX),
        entry(
            "input::last_key",
            input::last_key(&readings),
            "the last row of the key; an index in partitions by another column is taken for no key, and the table is read by `datetime`",
            MIN_MAX,
        ),
        entry(
            "input::keys",
            input::keys(&readings, layout, 4),
            "a seek on the key for each span, each up to TOP rows",
            TOP,
        ),
        entry("input::range", input::range(&readings, layout, true, input::RangePart::Whole), DATETIME, TOP),
        entry(
            "input::between",
            input::between(&readings, layout),
            "the rows between two datetimes of a table of at most 100,000 rows, where no index leads with `datetime`",
            SEEK,
        ),
        entry(
            "input::at",
            input::at(&readings, layout, 2),
            "a seek on the index on `datetime` for each datetime",
            SEEK,
        ),
        entry(
            "input::count",
            input::count(&readings),
            "the rows of one range of the index on `datetime`; for a progress bar and for rows that came too late; it may fail",
            SEEK,
        ),
        entry("input::stage_readings", input::stage_readings(), STAGED, BULK),
        entry(
            "input::import",
            input::import(&readings, &of_input, true),
            "for each staged reading a seek on the index on `datetime`, within both ends",
            EXISTS,
        ),
        entry("output::stage_verdicts", output::stage_verdicts(), STAGED, BULK),
        entry("output::stage_keys", output::stage_keys(), STAGED, BULK),
        entry("output::stage_parts", output::stage_parts(), STAGED, BULK),
        entry(
            "output::stage_large_part",
            output::stage_large_part(),
            STAGED,
            "tiberius `tests/query.rs`, `varbinary_max`: VARBINARY(MAX) as a parameter",
        ),
        entry(
            "output::empty",
            output::empty(output::STAGED_KEYS),
            STAGED,
            "learn.microsoft.com/sql/t-sql/statements/truncate-table-transact-sql",
        ),
        entry(
            "output::commit",
            output::commit(&state, output::STATE.map(|name| name != "checkpoint"), Some(staged), "", ""),
            "one row of the state table by its key, and `insert` or `replace`; with a state in parts `parts_anew` or `parts_changed`; where \
             episodes change `episodes::change` and `outbox::tell`, and `episodes::expect_for` at its end",
            EXISTS,
        ),
        entry(
            "output::parts_anew",
            output::parts_anew(&parts),
            "the worker's rows of the table of parts, by its key",
            SEEK,
        ),
        entry(
            "output::parts_changed",
            output::parts_changed(&parts),
            "for each staged part a seek on the key of the table of parts",
            EXISTS,
        ),
        entry(
            "output::parts",
            output::parts(&parts),
            "the worker's rows of the table of parts, by its key",
            SEEK,
        ),
        entry("output::alone", lock.clone(), NONE, APPLOCK),
        entry("output::attempt", output::attempt(&insert), "as `insert`, taken back", EXISTS),
        entry(
            "output::insert",
            insert.clone(),
            "for each staged verdict a seek on the unique index, within both ends of `ds`",
            EXISTS,
        ),
        entry(
            "output::replace",
            output::replace(&verdicts, &of_output, true),
            "as `insert`; the rows that give way lie within both ends of `ds`",
            EXISTS,
        ),
        entry("output::verdicts", output::verdicts(&verdicts, true, true), DS, TOP),
        entry(
            "output::forget",
            output::forget(&state, &parts),
            "one row of the state table and the worker's rows of the table of parts, by their keys",
            SEEK,
        ),
        entry("output::exchange_set_aside", output::exchange_set_aside(&state), STATE, SEEK),
        entry("output::any_within", output::any_within(&verdicts), DS, TOP),
        entry(
            "output::already_judged",
            output::already_judged(&verdicts, variable, ds),
            "for each staged key a seek on the unique index, within both ends of `ds`",
            EXISTS,
        ),
        entry(
            "output::foreign_names",
            output::foreign_names(variable, false),
            STAGED,
            "CAST: learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql",
        ),
        entry("output::tried", output::tried(&state), STATE, SEEK),
        entry("output::note_tried", output::note_tried(&state), STATE, SEEK),
        entry("output::equal_names", output::equal_names(variable), STAGED, WINDOW),
        entry(
            "output::spellings",
            output::spellings(&verdicts, variable),
            "for each staged name one row of the index on `variable`",
            TOP,
        ),
        entry("output::newest", output::newest(&verdicts), "one row of the index on `ds`, backwards", TOP),
        entry(
            "output::workers",
            output::workers(&state),
            "the state table, which has a row for each worker",
            SEEK,
        ),
        entry("episodes::stage_episodes", episodes::stage_episodes(), STAGED, BULK),
        entry(
            "episodes::change",
            episodes::change(&told),
            "for each staged row a seek on the unique index of episodes, within both ends of `begin_at`",
            EXISTS,
        ),
        entry("episodes::expect_for", episodes::expect_for(1) + "COMMIT TRANSACTION;", NONE, SESSION),
        entry(
            "episodes::open",
            episodes::open(&told),
            "a seek on the index on (is_open, kind, begin_at): the open episodes",
            SEEK,
        ),
        entry(
            "episodes::open_of_kind",
            episodes::open_of_kind(&told),
            "a seek on the index on (is_open, kind, begin_at): the open episodes of a kind",
            SEEK,
        ),
        entry("episodes::by_id", episodes::by_id(&told), "one row, by its key", SEEK),
        entry(
            "episodes::begun",
            episodes::begun(&told),
            "a seek on the unique index of episodes, both ends given, up to TOP rows",
            TOP,
        ),
        entry(
            "episodes::ended",
            episodes::ended(&told),
            "a seek on the index on `end_at`, both ends given, up to TOP rows",
            TOP,
        ),
        entry(
            "episodes::of_variable",
            episodes::of_variable(&told),
            "a seek on the index on (variable, begin_at), both ends given, up to TOP rows",
            TOP,
        ),
        entry(
            "episodes::shelve",
            episodes::shelve(&told),
            "a seek on the index on (is_open, kind, begin_at), and one on the unique index",
            SEEK,
        ),
        entry(
            "episodes::unshelve",
            episodes::unshelve(&told),
            "a seek on the index on (is_open, kind, begin_at)",
            SEEK,
        ),
        entry("episodes::say", episodes::say(&told), "one row, by its key", SEEK),
        entry("outbox::stage_messages", outbox::stage_messages(), STAGED, BULK),
        entry(
            "outbox::tell",
            outbox::tell(&messages, &told),
            "for each staged message a seek on the unique index of the outbox, and one on that of episodes",
            EXISTS,
        ),
        entry("outbox::due", outbox::due(&messages), QUEUE, TOP),
        entry("outbox::newest", outbox::newest(&messages), QUEUE, TOP),
        entry("outbox::tried", outbox::tried(&messages), "one row, by its key", SEEK),
        entry(
            "outbox::count",
            outbox::count(&messages),
            "the due or the dead entries of the index on (state, seq)",
            SEEK,
        ),
        entry("outbox::forget_delivered", outbox::forget_delivered(&messages), QUEUE, TOP),
        entry("output::take", output::take(&state), STATE, SEEK),
        entry("output::read", output::read(&state), STATE, SEEK),
        entry(
            "page::stretches",
            pages::stretches(&verdicts, true, 2, false, of),
            "for each stretch a seek on the index on (variable, ds, y), up to TOP rows, with their look-ups; for the page, and where episodes are mended",
            TOP,
        ),
        entry(
            "page::count",
            pages::count(&verdicts, 2, of),
            "for each stretch a seek on the index on (variable, ds, y), up to TOP rows of it; for the page alone",
            TOP,
        ),
        entry(
            "page::extents",
            pages::extents(&verdicts, 2, of),
            "for each stretch a seek on the index on (variable, ds, y), up to TOP rows of it, and twice up to an extreme, without \
             look-ups; for the page alone",
            MIN_MAX,
        ),
        entry(
            "page::first_variable",
            pages::first_variable(&verdicts),
            "one row of the index on (variable, ds, y); for the page alone",
            TOP,
        ),
        entry(
            "page::next_variable",
            pages::next_variable(&verdicts, of),
            "one row of the index on (variable, ds, y), by a seek; for the page alone",
            TOP,
        ),
        entry(
            "page::anomalies",
            pages::anomalies(&verdicts, true, true, of),
            "a seek on the index on (is_anomaly, ds, variable), backwards, both ends given, up to TOP rows that are of the variable, with their \
             look-ups; for the page alone",
            TOP,
        ),
        entry(
            "page::tally",
            pages::tally(&verdicts),
            "a seek on the index on (is_anomaly, ds, variable), backwards, up to TOP rows, with their look-ups; for the page alone",
            TOP,
        ),
    ]
}

fn page() -> String {
    let mut page = "# What is sent to a SQL Server\n\n\
        Every statement, in the shape that it has for the default tables, what it is expected to read, and the source that says so. Beside \
        these only the DDL that `host schema` prints is sent, and the driver's bulk load into the temporary tables. None was seen on \
        Microsoft's own server: the access is what the documentation lets expect. A test makes this page from the code \
        (`host/src/store/sqlserver/sql/documented.rs`).\n\n"
        .to_owned();
    for DocumentedStatement { function, text, access, source } in entries() {
        write!(
            page,
            "## `{function}`\n\n```sql\n{text}\n```\n\n* Access: {access}.\n* Source: {source}.\n\n"
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_has_every_statement_as_it_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/statements.md");
    if std::env::var_os("WRITE_DOCUMENTS").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written == page(), "docs/statements.md is older than the code; see the beginning of this file");
}

#[test]
fn no_statement_is_left_out() {
    let sources = [
        ("episodes", include_str!("episodes.rs")),
        ("input", include_str!("input.rs")),
        ("outbox", include_str!("outbox.rs")),
        ("output", include_str!("output.rs")),
        ("page", include_str!("page.rs")),
        ("session", include_str!("session.rs")),
    ];
    let entries = entries();
    for (module, source) in sources {
        let functions = source.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split('(').next());
        // These make no statement.
        for function in functions.filter(|function| !function.ends_with("_for")) {
            let named = format!("{module}::{function}");
            assert!(entries.iter().any(|entry| entry.function == named), "`{named}` is not on the page");
        }
    }
}
