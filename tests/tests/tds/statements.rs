//! `docs/statements.md` has every statement that the store sends to a SQL Server, and no other: its
//! calls are made on the fake server, on tables of several kinds, and the statements that it gets
//! are compared with the page.
//!
//! They are compared by keywords and tables in their order, which decide how they are executed. The
//! number of columns, spans or datetimes depends on the table.

use std::collections::{BTreeMap, BTreeSet};

use fake_tds::{Fault, Server, SqlError};
use host::checkpoint::Checkpoint;
use host::datetime::Datetime;
use host::episode::{EpisodeRange, Feedback, Shelving, StoredEpisode};
use host::reading::Reading;
use host::state::State;
use host::store::schema::sqlserver as ddl;
use host::store::{
    AnomalyQuery, Commit, Connector, EntryState, EpisodeEditor, EpisodeReader, FirstOf, OutboxQueue,
    PlantClock, ReadFrom, SqlServerStore, Store, Stretch, TableName, TableNames, Tried,
};
use tests::conformance::{at, state, verdict};
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/statements.md");

/// Words that do not decide how a statement is executed.
const SILENT: [&str; 16] = [
    "AND",
    "AS",
    "CASE",
    "CAST",
    "COLLATE",
    "DESC",
    "ELSE",
    "END",
    "FORCESEEK",
    "IS",
    "NOT",
    "NULL",
    "OR",
    "THEN",
    "WHEN",
    "WITH",
];

/// The statements of a text, each as its keywords, tables and temporary tables.
fn skeletons(sql: &str) -> BTreeSet<String> {
    let statements = sql.split(';').map(|statement| {
        let words = statement
            .split(|c: char| c.is_whitespace() || "(),=<>+'".contains(c))
            .map(|word| word.trim_matches(['[', ']']))
            .filter(|word| {
                let keyword = word.len() > 1
                    && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                    && !SILENT.contains(word);
                keyword || word.starts_with('#') || word.starts_with("dbo].[") || word.starts_with("sys.")
            });
        let words: Vec<&str> = words
            .map(|word| match word {
                "dbo].[nullable" => "dbo].[datos_proceso",
                staged if staged.starts_with('#') => "#staged",
                word => word,
            })
            .collect();
        // Parts that repeat the first, and the ends of a range, are counted once.
        let mut parts = words.split(|word| *word == "UNION");
        let first = parts.next().unwrap_or_default().join(" ");
        first.replace(" WHERE BETWEEN", " WHERE")
    });
    statements.filter(|statement| !statement.is_empty()).collect()
}

/// The page's statements, each with the name of the function that makes it.
fn documented() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut found = BTreeMap::new();
    for entry in page.split("\n## ").skip(1) {
        let (function, rest) = entry.split_once('\n').unwrap();
        let sql = rest.split("```sql\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
        found.extend(skeletons(sql).into_iter().map(|skeleton| (skeleton, function.to_owned())));
    }
    found
}

async fn on_input(store: &SqlServerStore) {
    let mut input = store.open().await.unwrap().0;
    input.now().await.unwrap();
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

/// A state of this many parts. The second is larger than the driver loads at once.
fn whole(epoch: i64, parts: u8) -> State {
    let part = |n: u8| (n.to_string().into(), vec![n; if n == 1 { 70_000 } else { 1 }].into());
    let (detector, parts) = (Some("prophet".into()), (0..parts).map(part).collect());
    let checkpoint = Checkpoint { schema: 1, detector, set_digest: "a".into(), parts };
    State { checkpoint: Some(checkpoint), set_digest: Some("a".into()), ..state(epoch) }
}

async fn on_output(server: &Server, store: &SqlServerStore) {
    let mut output = store.open().await.unwrap().1;
    output.ensure_tables().await.unwrap();
    output.alive().await.unwrap();
    output.probe().await.unwrap();
    output.datetimes().await.unwrap();
    let epoch = output.claim("line 1").await.unwrap().epoch;
    output.outline("line 1").await.unwrap();
    output.newest(at("2025-01-16")).await.unwrap();
    output.workers().await.unwrap();
    let rows = [verdict("2025-01-15 10:00:00", "T1")];
    output.attempt(&rows).await.unwrap();
    output.commit("line 1", &Commit::of(&[], &whole(epoch, 1))).await.unwrap();
    output.peek("line 1").await.unwrap();
    output.commit("line 1", &Commit::of(&[], &whole(epoch, 1))).await.unwrap();
    output.commit("line 1", &Commit::of(&[], &whole(epoch, 2))).await.unwrap();
    output.commit("line 1", &Commit::of(&rows, &whole(epoch, 2))).await.unwrap();
    output.replace("line 1", &Commit::of(&rows, &whole(epoch, 2))).await.unwrap();
    let names = ["T1".into(), "t1".into()];
    output.foreign_names(&names).await.unwrap();
    output.equal_names(&names).await.unwrap();
    output.other_spellings(&names).await.unwrap();
    let keys: Vec<_> = (0..600).map(|n| (format!("T{n}").into(), at("2025-01-15 10:00:00"))).collect();
    output.already_judged(&keys).await.unwrap();
    for anomalies_only in [false, true] {
        output.read_verdicts(at("2025-01-15"), at("2025-01-16"), anomalies_only, 10).await.unwrap();
    }
    on_page(store).await;
    on_episodes(store).await;
    let none = BTreeMap::new();
    output.exchange_set_aside("line 1", &none, &none).await.unwrap();
    // The next call rolls back what a failed call has left open.
    server.fault(Fault::fail(
        "UPDATE [dbo].[anomaly_worker_state]",
        SqlError::new(1222, 16, "Lock request time out."),
    ));
    output.commit("line 1", &Commit::of(&rows, &whole(epoch, 2))).await.unwrap_err();
    output.forget("line 1", epoch).await.unwrap();
    store.leader_lock("line 1").await.unwrap().try_acquire().await.unwrap();
    let mut importer = store.open_importer(false).await.unwrap();
    let reading = Reading {
        id: None,
        datetime: at("2025-01-15"),
        variable: "T1".into(),
        value: Some(1.0),
        source_file: None,
    };
    importer.insert(&[reading]).await.unwrap();
    importer.foreign_names(&names).await.unwrap();
}

async fn on_episodes(store: &SqlServerStore) {
    let mut output = store.open_output().await.unwrap();
    let (from, to) = (at("2025-01-15"), at("2025-01-16"));
    for variable in [None, Some("T1".into())] {
        output.episodes(&EpisodeRange { variable, from, to, limit: 9 }).await.unwrap();
    }
    output.shelved().await.unwrap();
    let shelving = Shelving {
        variable: "T1".into(),
        from,
        until: to,
        reason: "it is calibrated".into(),
        by: "line 1".into(),
    };
    output.shelve(&shelving).await.unwrap();
    let shelved = output.open_episodes().await.unwrap();
    for StoredEpisode { id, .. } in shelved {
        output.episode(id).await.unwrap();
        output.say(id, Feedback::Expected, Some("so it is"), from).await.unwrap();
    }
    output.unshelve("T1", from).await.unwrap();
    output.entries(EntryState::Dead, 9).await.unwrap();
    output.outbox_counts().await.unwrap();
    let tried = Tried { state: EntryState::Dead, at: to, error: Some("404".into()), progress: None };
    output.tried(1, &tried).await.unwrap();
    output.forget_delivered(to, 9).await.unwrap();
}

async fn on_page(store: &SqlServerStore) {
    let mut page = store.open_page().await.unwrap().unwrap();
    let (from, to) = (at("2025-01-15"), at("2025-01-16"));
    page.clock().await.unwrap();
    page.variables(9).await.unwrap();
    let stretches = [Stretch { variable: "T1".into(), from, to }];
    page.stretches(&stretches, 9, ReadFrom::Start).await.unwrap();
    page.stretches(&stretches, 9, ReadFrom::End).await.unwrap();
    page.count(&stretches, 9).await.unwrap();
    page.extents(&stretches, 9).await.unwrap();
    for variable in [None, Some("T1".into())] {
        let query = AnomalyQuery { variable, from, to, least_score: 0.0, first: FirstOf::Worst, limit: 9 };
        page.anomalies(&query).await.unwrap();
    }
    page.tally(from, to).await.unwrap();
    page.leave().await.unwrap();
}

/// Every statement that came. Without what makes tables and indexes, which `host schema` prints,
/// and what the driver sends by itself.
async fn sent() -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    for (key, index, duplicates) in
        [(true, true, false), (true, false, true), (false, true, false), (false, false, false)]
    {
        let server = Server::start().unwrap();
        let mut plant =
            SideConnection::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap();
        let tables = TableNames::default();
        let id = if key { "[id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY, " } else { "" };
        for name in ["datos_proceso", "nullable"] {
            let null = if name == "nullable" { "NULL" } else { "NOT NULL" };
            let make = format!(
                "CREATE TABLE dbo.{name} ({id}[datetime] DATETIME NOT NULL, [variable_name] VARCHAR(100) {null}, \
                 [value] DECIMAL(18,6) NULL, [source_file] VARCHAR(255) NULL)"
            );
            plant.run(&make).await.unwrap();
            if index {
                plant.run(&format!("CREATE INDEX i_{name} ON dbo.{name} (datetime)")).await.unwrap();
            }
            let row = "('2025-01-15', 'T1', 1)";
            plant
                .run(&format!("INSERT INTO dbo.{name} ([datetime], [variable_name], [value]) VALUES {row}"))
                .await
                .unwrap();
        }
        if duplicates {
            plant.run(&ddl::output(&tables.output)).await.unwrap();
            let twice = "INSERT INTO dbo.anomalies_detector ([ds], [variable]) SELECT '2025-01-15', 'T1' UNION ALL SELECT '2025-01-15', 'T1'";
            plant.run(twice).await.unwrap();
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
        SqlServerStore { tables: missing, ..store.clone() }
            .open()
            .await
            .unwrap()
            .0
            .layout()
            .await
            .unwrap_err();
        on_output(&server, &store).await;
        let ours = |text: &String| {
            text.starts_with("CREATE TABLE #")
                || !["CREATE ", "INSERT BULK", "SELECT TOP 0", "SELECT TOP (0)"]
                    .iter()
                    .any(|start| text.starts_with(start))
        };
        sent.extend(server.requests().into_iter().filter(ours).flat_map(|text| skeletons(&text)));
    }
    sent
}

#[tokio::test]
async fn the_page_has_every_statement_that_is_sent_and_no_other() {
    let (sent, listed) = (sent().await, documented());
    let missing: Vec<_> = sent.iter().filter(|statement| !listed.contains_key(*statement)).collect();
    let superfluous: Vec<_> = listed.iter().filter(|(statement, _)| !sent.contains(*statement)).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "sent and not listed: {missing:#?}\nlisted and not sent: {superfluous:#?}"
    );
}
