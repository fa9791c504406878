//! `docs/statements.md` lists every statement that the store sends to a SQL Server, and no other: all of its calls are made on the
//! fake server, and what came there is compared with what stands there. With `STATEMENTS` set to a file, what came is written to it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use fake_tds::Server;
use host::datetime::Datetime;
use host::reading::Reading;
use host::state::{Checkpoint, State};
use host::store::schema::sqlserver as ddl;
use host::store::{Connector, PlantClock, SqlServerStore, TableName, TableNames};
use tests::conformance::{at, state, verdict};
use tests::sqlserver::Visitor;
use tests::tds::{self, PLAIN};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/statements.md");

/// As both sides write it: parameters without their numbers, NULLs as parameters, of parts that repeat the first.
fn plain(sql: &str) -> String {
    let mut text = String::new();
    let mut rest = sql;
    while let Some(found) = rest.find("@P") {
        let (before, after) = rest.split_at(found + 2);
        text.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text.push_str(rest);
    let text = text.replace("] = NULL", "] = @P").replace("[dbo].[nullable]", "[dbo].[datos_proceso]");
    let parts: Vec<&str> = text.split(" UNION ALL ").collect();
    let text = match parts.as_slice() {
        [first, .., last] => {
            // What stands behind the last part is of the whole.
            let end = last.rfind(" ORDER BY").or_else(|| last.rfind(") AS found")).unwrap_or(last.len());
            let end = last.find(") AS found").unwrap_or(end);
            format!("{first} UNION ALL …{}", &last[end..])
        }
        _ => text,
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statements of the document, each with what stands beside it.
fn documented() -> BTreeMap<String, String> {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let end = row[3..].find("` |").expect("a statement in a row of its own") + 3;
        (plain(&row[3..end].replace("\\|", "|")), row[end + 3..].to_owned())
    })
    .collect()
}

async fn on_input(store: &SqlServerStore) {
    let mut input = store.open().await.unwrap().0;
    // A clock that the fake does not know is asked for all the same.
    let _ = input.now().await;
    input.layout().await.unwrap();
    input.probe().await.unwrap();
    let spans: Vec<(i64, i64)> = (0..65).map(|n| (2 * n, 2 * n)).collect();
    // What has no key answers with an error of its own, and sends nothing.
    let _ = input.first_key_from(at("2025-01-15")).await;
    let _ = input.last_key().await;
    let _ = input.read_keys(&spans[..1], 10).await;
    let _ = input.read_keys(&spans, 10).await;
    for to in [None, Some(at("2025-01-16"))] {
        input.read_range(at("2025-01-15"), to, 10).await.unwrap();
    }
    let many: Vec<Datetime> = (0..64).map(|n| Datetime::from_micros(n * 1_000_000)).collect();
    input.read_at(&many[..1]).await.unwrap();
    input.read_at(&many).await.unwrap();
    input.count_range(at("2025-01-15"), at("2025-01-16")).await.unwrap();
}

fn whole(epoch: i64) -> State {
    let checkpoint = Checkpoint { schema: 1, bytes: vec![1], set_digest: "a".into() };
    State { checkpoint: Some(checkpoint), set_digest: Some("a".into()), ..state(epoch) }
}

async fn on_output(store: &SqlServerStore) {
    let mut output = store.open().await.unwrap().1;
    output.prepare().await.unwrap();
    output.alive().await.unwrap();
    output.probe().await.unwrap();
    let epoch = output.take("line 1").await.unwrap().epoch;
    output.peek("line 1").await.unwrap();
    output.newest().await.unwrap();
    let rows = [verdict("2025-01-15 10:00:00", "T1")];
    output.attempt(&rows).await.unwrap();
    output.commit("line 1", &[], &whole(epoch)).await.unwrap();
    output.commit("line 1", &rows, &whole(epoch)).await.unwrap();
    output.replace("line 1", &rows, &whole(epoch)).await.unwrap();
    let names = ["T1".into(), "t1".into()];
    output.foreign_names(&names).await.unwrap();
    output.equal_names(&names).await.unwrap();
    output.other_spellings(&names).await.unwrap();
    let keys: Vec<_> = (0..600).map(|n| (format!("T{n}").into(), at("2025-01-15 10:00:00"))).collect();
    output.already_judged(&keys).await.unwrap();
    for anomalies_only in [false, true] {
        output.read_verdicts(at("2025-01-15"), at("2025-01-16"), anomalies_only, 10).await.unwrap();
    }
    let none = BTreeMap::new();
    output.exchange_set_aside("line 1", &none, &none).await.unwrap();
    output.forget("line 1", epoch).await.unwrap();
    store.lead("line 1").await.unwrap().ask().await.unwrap();
    let mut importer = store.open_importer(false).await.unwrap();
    let reading = Reading {
        id: None,
        datetime: at("2025-01-15"),
        variable: "T1".into(),
        value: Some(1.0),
        source_file: None,
    };
    importer.insert(&[reading]).await.unwrap();
}

/// Every statement that came, without the DDL, which `host schema` prints, and what the driver sends by itself.
async fn sent() -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    for (key, index, duplicates) in
        [(true, true, false), (true, false, true), (false, true, false), (false, false, false)]
    {
        let server = Server::start().unwrap();
        let mut visitor = Visitor::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap();
        let tables = TableNames::default();
        let id = if key { "[id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY, " } else { "" };
        for name in ["datos_proceso", "nullable"] {
            let null = if name == "nullable" { "NULL" } else { "NOT NULL" };
            let make = format!(
                "CREATE TABLE dbo.{name} ({id}[datetime] DATETIME NOT NULL, [variable_name] VARCHAR(100) {null}, \
                 [value] DECIMAL(18,6) NULL, [source_file] VARCHAR(255) NULL)"
            );
            visitor.run(&make).await.unwrap();
            if index {
                visitor.run(&format!("CREATE INDEX i_{name} ON dbo.{name} (datetime)")).await.unwrap();
            }
            visitor.run(&format!("INSERT INTO dbo.{name} ([datetime], [variable_name], [value]) VALUES ('2025-01-15', 'T1', 1)")).await.unwrap();
        }
        if duplicates {
            visitor.run(&ddl::output(&tables.output)).await.unwrap();
            let twice = "INSERT INTO dbo.anomalies_detector ([ds], [variable]) SELECT '2025-01-15', 'T1' UNION ALL SELECT '2025-01-15', 'T1'";
            visitor.run(twice).await.unwrap();
        }
        server.requests();
        let store = tds::store(tds::target(server.port(), PLAIN, "plant"));
        let clocks = [
            PlantClock::Server,
            PlantClock::Offset { minutes: 120 },
            PlantClock::Zone("Romance Standard Time".into()),
        ];
        for clock in clocks {
            on_input(&SqlServerStore { clock, ..store.clone() }).await;
        }
        let nullable = TableNames { input: TableName::of("dbo", "nullable"), ..tables.clone() };
        on_input(&SqlServerStore { tables: nullable, ..store.clone() }).await;
        let missing = TableNames { input: TableName::of("dbo", "missing"), ..tables };
        let _ = SqlServerStore { tables: missing, ..store.clone() }.open().await.unwrap().0.layout().await;
        on_output(&store).await;
        sent.extend(server.requests().iter().map(|text| plain(text)));
    }
    let not_ours = |text: &String| {
        ["CREATE ", "INSERT BULK", "SELECT TOP 0", "SELECT TOP (0)"]
            .iter()
            .any(|start| text.starts_with(start))
            && !text.starts_with("CREATE TABLE #")
    };
    sent.retain(|text| !not_ours(text));
    sent
}

#[tokio::test]
async fn every_statement_that_is_sent_is_listed_with_its_access_and_its_source_and_no_other() {
    let sent = sent().await;
    if let Some(file) = std::env::var_os("STATEMENTS") {
        let lines = sent.iter().fold(String::new(), |mut lines, text| {
            writeln!(lines, "{text}").unwrap();
            lines
        });
        std::fs::write(file, lines).unwrap();
    }
    let listed = documented();
    let missing: Vec<_> = sent.iter().filter(|text| !listed.contains_key(*text)).collect();
    let superfluous: Vec<_> = listed.keys().filter(|text| !sent.contains(*text)).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "sent and not listed: {missing:#?}\nlisted and not sent: {superfluous:#?}"
    );
    for (text, beside) in listed {
        let cells: Vec<&str> = beside.trim_matches(['|', ' ']).split(" | ").collect();
        assert!(
            cells.len() == 2 && cells.iter().all(|cell| cell.len() > 10),
            "{text} has no access or no source: {cells:?}"
        );
    }
}
