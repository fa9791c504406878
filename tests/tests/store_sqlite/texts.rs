//! SQLite keeps a datetime as text, in the form that its writer chose, and anything else in any
//! column.

use anyhow::Result;
use host::datetime::Datetime;
use host::reading::{Malformed, Page, Reading};
use host::store::{Commit, Connector, ErrorKind, Input, StoreError, VerdictReader, VerdictWriter};
use proptest::prelude::*;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use tests::conformance::{InputKind, OutputKind, Setup, TestDb, at};
use tests::conformance_sqlite::SqliteTestDb;

use crate::files::{state, verdict};

const INSERT: &str = "INSERT INTO datos_proceso (id, datetime, variable_name, value) VALUES (?1, ?2, ?3, ?4)";
const UNTYPED: &str = "CREATE TABLE datos_proceso (id INTEGER PRIMARY KEY, datetime, variable_name, value)";

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn seen(page: &Page) -> (Vec<i64>, Vec<i64>) {
    let readings = page.readings.iter().filter_map(|reading| reading.id).collect();
    (readings, page.malformed.iter().filter_map(|row| row.id).collect())
}

/// One row of each kind that is no reading, between two that are.
async fn odd_rows(index: bool) -> Result<SqliteTestDb> {
    let fixture = SqliteTestDb::start(&Setup { input: None, ..Setup::default() }).await?;
    let connection = fixture.input()?;
    connection.execute_batch(UNTYPED)?;
    if index {
        connection.execute_batch("CREATE INDEX i ON datos_proceso (datetime)")?;
    }
    let (ten, name, one) = ("2025-01-15 10:00:00", text("T1"), Value::Real(1.0));
    let rows = [
        (text(ten), name.clone(), one.clone()),
        (Value::Null, name.clone(), one.clone()),
        (text("yesterday"), name.clone(), one.clone()),
        (text("2025-02-30 10:00:00"), name.clone(), one.clone()),
        (text("2025-1-15 10:00:00"), name.clone(), one.clone()),
        (text("2025-01-15T10:00:00Z"), name.clone(), one.clone()),
        (Value::Integer(1_736_935_200), name.clone(), one.clone()),
        (Value::Blob(vec![1, 2]), name.clone(), one.clone()),
        (text(ten), Value::Null, one.clone()),
        (text(ten), Value::Integer(7), one.clone()),
        (text(ten), name.clone(), text("NaN")),
        (text(ten), name.clone(), text("n/a")),
        (text(ten), name.clone(), Value::Blob(vec![0; 9])),
        (text(ten), name.clone(), text(&"long ".repeat(100))),
        (text(ten), name, Value::Integer(3)),
    ];
    for ((datetime, variable, value), id) in rows.into_iter().zip(1..) {
        connection.execute(INSERT, params![id, datetime, variable, value])?;
    }
    connection.execute("INSERT INTO datos_proceso VALUES (16, CAST(x'323032ff' AS TEXT), 'T1', 1)", [])?;
    connection.execute("INSERT INTO datos_proceso VALUES (17, ?1, CAST(x'54ff' AS TEXT), 1)", [ten])?;
    connection.execute("INSERT INTO datos_proceso VALUES (18, '2025-01-15T10:00:00', 'T1', 1)", [])?;
    Ok(fixture)
}

#[tokio::test]
async fn what_is_no_reading_is_told_apart_and_fails_no_page() -> Result<()> {
    let fixture = odd_rows(true).await?;
    let page = fixture.store.open_input().await?.read_keys(&[(1, 100)], 100).await?;
    let readings: Vec<_> =
        page.readings.iter().map(|row| (row.id, row.datetime, &*row.variable, row.value)).collect();
    let ten = at("2025-01-15 10:00:00");
    assert_eq!(readings, [(Some(1), ten, "T1", Some(1.0)), (Some(15), ten, "T1", Some(3.0))]);
    let no_datetime = |found: &str| format!("datetime is {found}; right would be `2025-01-15 10:00:00`");
    let no_name = |found: &str| format!("variable_name is {found}; right would be a text");
    let no_value = |found: &str| format!("value of `T1` is {found}; right would be a number");
    let expected: Vec<Malformed> = [
        (2, no_datetime("NULL")),
        (3, no_datetime("the text `yesterday`")),
        (4, no_datetime("the text `2025-02-30 10:00:00`")),
        (5, no_datetime("the text `2025-1-15 10:00:00`")),
        (6, no_datetime("the text `2025-01-15T10:00:00Z`")),
        (7, no_datetime("the number 1736935200")),
        (8, no_datetime("a blob of 2 bytes")),
        (9, no_name("NULL")),
        (10, no_name("the number 7")),
        (11, no_value("the text `NaN`")),
        (12, no_value("the text `n/a`")),
        (13, no_value("a blob of 9 bytes")),
        (14, no_value(&format!("the text `{}…`", "long ".repeat(12)))),
        (16, no_datetime("the text `202\u{fffd}`")),
        (17, no_name("the text `T\u{fffd}`")),
        (18, no_datetime("the text `2025-01-15T10:00:00`")),
    ]
    .map(|(id, why)| {
        // Only rows with a datetime have a place in the order of time.
        let datetime = (!why.starts_with("datetime")).then_some(ten);
        Malformed { id: Some(id), datetime, why }
    })
    .to_vec();
    assert_eq!(page.malformed, expected);
    Ok(())
}

/// They are counted if the position is a key, which passes them, and not if it is a time.
#[tokio::test]
async fn what_is_no_reading_stops_no_reader() -> Result<()> {
    for index in [true, false] {
        let fixture = odd_rows(index).await?;
        let mut input = fixture.store.open_input().await?;
        let page = input.read_keys(&[(1, 100)], 3).await?;
        assert_eq!((seen(&page), page.full), ((vec![1], vec![2, 3]), true));

        let page = input.read_range(at("2025-01-15"), None, 2).await?;
        assert_eq!((seen(&page).0, page.full), (vec![1, 15], false), "index: {index}");
        // Rows that are wrong at an instant of the range are listed up to the limit, and the others
        // counted.
        let page = input.read_range(at("2025-01-15 09:00:00"), Some(at("2025-01-15 11:00:00")), 100).await?;
        let (readings, malformed) = seen(&page);
        assert_eq!(readings, [1, 15]);
        for id in [9, 10, 11, 12, 13, 14, 17] {
            assert!(malformed.contains(&id), "row {id} is not told, index: {index}");
        }
        let page = input.read_range(at("2025-01-15 09:00:00"), Some(at("2025-01-15 11:00:00")), 2).await?;
        let told =
            page.malformed.last().map(|row| (page.malformed.len(), row.id, row.why.contains("more rows")));
        assert_eq!(told, Some((3, None, true)), "index: {index}");
        // A full page leaves the rows of its last datetime to the next page.
        let page = input.read_range(at("2025-01-15 09:00:00"), Some(at("2025-01-15 11:00:00")), 1).await?;
        assert_eq!((seen(&page).0, page.full), (vec![1], true));
        assert!(!seen(&page).1.iter().any(|id| [9, 10, 11, 12, 13, 14, 17].contains(id)));
        assert_eq!(input.count_range(at("2025-01-15"), at("2025-01-16")).await?, 9);
    }
    Ok(())
}

#[tokio::test]
async fn verdicts_are_found_by_any_text_of_their_datetime() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    fixture.create_output(OutputKind::Python).await?;
    let before = [
        ("2025-01-15 10:00:00.000", "T1"),
        ("2025-01-15 10:05", "T1"),
        ("2025-01-15", "T1"),
        ("2025-01-15 10:10:00.5", "T1"),
        ("2025-01-15 11:00:00.000000", "T1"),
        ("never", "T1"),
    ];
    fixture.insert_verdicts(&before).await?;
    let mut output = fixture.store.open_output().await?;
    output.ensure_tables().await?;
    // The text `never` is not a time.
    assert_eq!(output.newest(at("2025-01-16")).await?, Some(at("2025-01-15 11:00:00")));
    let epoch = output.claim("line 1").await?.epoch;
    let verdicts = [
        verdict("2025-01-15 10:00:00", "T1"),
        verdict("2025-01-15 10:05:00", "T1"),
        verdict("2025-01-15 00:00:00", "T1"),
        verdict("2025-01-15 10:10:00.5", "T1"),
        verdict("2025-01-15 11:00:00", "T1"),
        verdict("2025-01-15 10:10:00", "T1"),
        verdict("2025-01-15 10:00:00", "T2"),
    ];
    let keys: Vec<_> = verdicts.iter().map(|row| (row.variable.clone(), row.ds)).collect();
    assert_eq!(output.already_judged(&keys).await?, keys[..5].iter().cloned().collect());
    for (at, key) in keys.iter().enumerate() {
        let found = output.already_judged(std::slice::from_ref(key)).await?.contains(key);
        assert_eq!(found, at < 5, "{key:?} alone");
    }
    assert_eq!(output.commit("line 1", &Commit::of(&verdicts, &state(epoch))).await?, 2);
    Ok(())
}

/// Does what the message says.
fn obey(connection: &Connection, error: &StoreError) -> Result<()> {
    assert_eq!(error.kind, ErrorKind::Schema, "{error}");
    let (_, update) = error.message.split_once("UPDATE ").unwrap();
    connection.execute_batch(&format!("UPDATE {update}"))?;
    Ok(())
}

#[tokio::test]
async fn a_table_that_mixes_the_forms_is_refused_with_what_makes_them_one() -> Result<()> {
    // Day by day, where in the table the texts stand, by key; and whether it mixes forms.
    let tables: [(&[&str], bool); 8] = [
        (&[], false),
        (&["2025-01-14", "2025-01-15"], false),
        (&["2025-01-14", "2025-01-15 10:00", "2025-01-15 11:00:00.5"], false),
        (&["2025-01-14T10:00", "2025-01-15", "2025-01-15T11:00:00.5"], false),
        (&["2025-01-14 10:00", "2025-01-15T10:00Z", "2025-01-16Tomorrow", "T"], false),
        (&["2025-01-14 10:00", "2025-01-15T11:00", "2025-01-16 10:00"], true),
        (&["2025-01-14T10:00", "2025-01-15 11:00", "2025-01-15T12:00"], true),
        (&["2025-01-14T10:00", "2025-01-14T11:00", "2025-01-14 12:00"], true),
    ];
    for (at, index) in (0..tables.len()).flat_map(|at| [(at, true), (at, false)]) {
        let (texts, mixed) = tables[at];
        let kind = InputKind { datetime_index: index, ..InputKind::DEFAULT };
        let fixture = SqliteTestDb::start(&kind.into()).await?;
        let connection = fixture.input()?;
        for (text, id) in texts.iter().zip(1..) {
            connection.execute(INSERT, params![id, text, "T1", 1.0])?;
        }
        let mut input = fixture.store.open_input().await?;
        if mixed {
            let error = input.layout().await.expect_err("it mixes them");
            assert!(error.message.contains("column `datetime` of table `datos_proceso`"), "{error}");
            obey(&connection, &error)?;
        }
        assert_eq!(input.layout().await?.has_datetime_index, index, "{texts:?}");
        let page = input.read_keys(&[(1, 9)], 9).await?;
        let valid = texts.iter().filter(|text| Datetime::parse(text).is_ok()).count();
        assert_eq!(page.readings.len(), valid, "{texts:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_output_with_a_t_is_refused_and_never_read_in_part() -> Result<()> {
    let fixture = SqliteTestDb::start(&Setup::default()).await?;
    let mut output = fixture.store.open_output().await?;
    output.ensure_tables().await?;
    fixture.insert_verdicts(&[("2025-01-15 10:00:00", "T1"), ("2025-01-15T11:00:00", "T1")]).await?;
    let (from, to) = (at("2025-01-15"), at("2025-01-16"));
    let error = output.read_verdicts(from, to, false, 10).await.expect_err("one of two");
    assert!(error.message.contains("column `ds` of table `anomalies_detector`"), "{error}");
    let error = output.ensure_tables().await.expect_err("it would be judged again");
    obey(&fixture.output()?, &error)?;
    output.ensure_tables().await?;
    assert_eq!(output.read_verdicts(from, to, false, 10).await?.verdicts.len(), 2);
    Ok(())
}

/// Rows of a file go in as the table has them.
#[tokio::test]
async fn an_import_keeps_to_the_form_of_the_table() -> Result<()> {
    let fixture = SqliteTestDb::start(&InputKind::DEFAULT.into()).await?;
    fixture.input()?.execute(INSERT, params![1, "2025-01-15T10:00:00", "T1", 1.0])?;
    let mut importer = fixture.store.open_importer(false).await?;
    let readings = ["2025-01-15 10:00:00", "2025-01-15 10:01:00.5"].map(|datetime| Reading {
        id: None,
        datetime: at(datetime),
        variable: "T1".into(),
        value: Some(1.0),
        source_file: None,
    });
    assert_eq!(importer.insert(&readings).await?.inserted, 1);
    let texts =
        fixture.input()?.query_row("SELECT group_concat(datetime) FROM datos_proceso", [], |row| row.get(0));
    assert_eq!(texts, Ok("2025-01-15T10:00:00,2025-01-15T10:01:00.500000".to_owned()));
    Ok(())
}

/// A datetime, and how many characters of its text are written where fewer mean the same.
fn instant() -> impl Strategy<Value = (Datetime, usize)> {
    // Few instants, so that many rows have the same instant with different texts.
    let day = prop_oneof![Just("2025-01-14"), Just("2025-01-15"), Just("2025-02-01")];
    let clock = prop_oneof![
        Just("00:00:00.000000"),
        Just("00:01:00.000000"),
        Just("10:00:00.000000"),
        Just("10:00:00.503000"),
        Just("10:00:00.503333"),
        Just("23:59:59.997000"),
    ];
    let length = prop_oneof![Just(10_usize), Just(16), Just(19), Just(21), Just(23), Just(26)];
    (day, clock, length).prop_map(|(day, clock, length)| (at(&format!("{day} {clock}")), length))
}

/// A text that means this instant.
fn written(instant: Datetime, length: usize, separator: char) -> String {
    let mut whole = instant.to_string();
    if whole.len() == 19 {
        whole.push_str(".000000");
    }
    let whole = whole.replacen(' ', &separator.to_string(), 1);
    let short = &whole[..length];
    if Datetime::parse(short) == Ok(instant) { short.to_owned() } else { whole }
}

/// Which rows are on a page depends only on the key, and not on the order of texts or rows.
#[tokio::test]
async fn within_an_instant_the_key_decides() -> Result<()> {
    const ROWS: [(i64, &str); 5] = [
        (9, "2025-01-15 10:00"),
        (7, "2025-01-15 10:00:00"),
        (5, "2025-01-15 10:00:00.0"),
        (8, "2025-01-15 10:00:00.00"),
        (6, "2025-01-15 10:00:00.000"),
    ];
    for index in [true, false] {
        let kind = InputKind { datetime_index: index, ..InputKind::DEFAULT };
        let fixture = SqliteTestDb::start(&kind.into()).await?;
        let connection = fixture.input()?;
        for (id, datetime) in ROWS {
            connection.execute(INSERT, params![id, datetime, "T1", 1.0])?;
        }
        let mut input = fixture.store.open_input().await?;
        for limit in 1..=5 {
            let page = input.read_range(at("2025-01-15"), None, limit).await?;
            assert_eq!(
                (seen(&page).0, page.full),
                ((5..).take(limit).collect(), limit < 5),
                "index: {index}"
            );
        }
    }
    Ok(())
}

/// A row: its instant, how long its text is, and whether it has the table's form.
type Written = ((Datetime, usize), bool);

/// Datetimes and ids of the readings in time order, as any store without texts would have them.
fn model(rows: &[Written], from: Datetime, to: Option<Datetime>) -> Vec<(Datetime, Option<i64>)> {
    let mut expected: Vec<(Datetime, Option<i64>)> = rows
        .iter()
        .zip(1..)
        .filter(|(row, _)| row.1 && from <= row.0.0 && to.is_none_or(|to| row.0.0 < to))
        .map(|(row, id)| (row.0.0, Some(id)))
        .collect();
    expected.sort_unstable();
    expected
}

fn found(page: &Page) -> Vec<(Datetime, Option<i64>)> {
    page.readings.iter().map(|reading| (reading.datetime, reading.id)).collect()
}

async fn ranges_agree(
    form: char,
    rows: &[Written],
    (from, to): (Datetime, Option<Datetime>),
    limit: usize,
    index: bool,
) -> Result<()> {
    let kind = InputKind { datetime_index: index, ..InputKind::DEFAULT };
    let fixture = SqliteTestDb::start(&kind.into()).await?;
    let mut connection = fixture.input()?;
    let transaction = connection.transaction()?;
    // The first row says which form the table has.
    transaction.execute(INSERT, params![0, format!("2000-01-01{form}10:00"), "T1", 1.0])?;
    let other = if form == 'T' { ' ' } else { 'T' };
    for (&((instant, length), is_own), id) in rows.iter().zip(1_i64..) {
        // A date alone has either form.
        let text =
            if is_own { written(instant, length, form) } else { written(instant, length.max(16), other) };
        transaction.execute(INSERT, params![id, text, "T1", 1.0])?;
    }
    transaction.commit()?;
    let mut input = fixture.store.open_input().await?;
    let expected = model(rows, from, to);

    let page = input.read_range(from, to, limit).await?;
    assert_eq!(found(&page), expected[..limit.min(expected.len())]);
    assert_eq!(page.full, expected.len() > limit);
    // A reader that reaches the end has read each row of the other form.
    let page = input.read_range(from, None, 1000).await?;
    let day = |at: Datetime| at.micros().div_euclid(86_400_000_000);
    let others = rows.iter().zip(1..).filter(|(row, _)| !row.1 && day(row.0.0) >= day(from));
    let mut named = seen(&page).1;
    named.sort_unstable();
    assert_eq!(named, others.map(|(_, id)| id).collect::<Vec<i64>>());

    let end = to.unwrap_or_else(|| at("2100-01-01"));
    assert_eq!(input.count_range(from, end).await?, model(rows, from, Some(end)).len() as u64);
    let first = model(rows, from, None).iter().filter_map(|row| row.1).min();
    assert_eq!(input.first_key_from(from).await?, first);
    let asked: Vec<Datetime> = rows.iter().map(|row| row.0.0).filter(|at| at.micros() % 3 == 0).collect();
    let mut expected = model(rows, Datetime::from_micros(i64::MIN), None);
    expected.retain(|row| asked.contains(&row.0));
    assert_eq!(found(&input.read_at(&asked).await?), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn either_form_reads_in_time_order_and_the_other_is_named(
        form in prop_oneof![Just(' '), Just('T')],
        rows in prop::collection::vec((instant(), prop::bool::weighted(0.8)), 0..40),
        from in instant(),
        to in prop::option::of(instant()),
        nudge in -1..=1_i64,
        limit in 1..12_usize,
        index: bool,
    ) {
        let from = Datetime::from_micros(from.0.micros() + nudge);
        let to = to.map(|to| Datetime::from_micros(to.0.micros() - nudge));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(ranges_agree(form, &rows, (from, to), limit, index)).unwrap();
    }
}
