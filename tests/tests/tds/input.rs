//! Input tables, clocks and connections as SQL Server's documentation has them: keys that are
//! decimals, names with blanks at the end, partitions, tables without an index, queries that take
//! too long, idle sessions that were cut. On the fake server.

use std::time::Duration;

use fake_tds::{Fault, Server, SqlError, What, When};
use host::counts::Counts;
use host::reload::ReloadSlots;
use host::store::sqlserver::Timeouts;
use host::store::{Connector, ErrorKind, Input, PlantClock, SqlServerStore, StoreError};
use host::worker::backfill::{Backfill, BackfillPlan};
use host::worker::{CycleError, Worker};
use tests::conformance::at;
use tests::fixture::{WORKER, datetime, echo, worker_settings};
use tests::logs::Lines;
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};
use tiberius::time::chrono::{DateTime, NaiveDateTime};

const KEYED: &str = "CREATE TABLE dbo.datos_proceso (id BIGINT IDENTITY PRIMARY KEY, datetime DATETIME NOT NULL, \
                     variable_name VARCHAR(100) NOT NULL, value FLOAT)";
const INDEX: &str = "CREATE INDEX by_datetime ON dbo.datos_proceso (datetime)";

struct Plant {
    server: Server,
    store: SqlServerStore,
    visitor: SideConnection,
}

impl Plant {
    /// At noon, set up by these statements.
    async fn new(setup: &[&str]) -> Self {
        let server = Server::start().unwrap();
        server.set_now(naive("12:00"));
        let store = tds::store(tds::target(server.port(), PLAIN, "plant"));
        let visitor = visitor(&server).await;
        let mut plant = Self { server, store, visitor };
        for statement in setup {
            plant.visitor.run(statement).await.unwrap();
        }
        plant
    }

    async fn insert(&mut self, columns: &str, rows: &[&str]) {
        for row in rows {
            let sql = format!("INSERT INTO dbo.datos_proceso ({columns}) VALUES ({row})");
            self.visitor.run(&sql).await.unwrap();
        }
    }

    async fn input(&self) -> Box<dyn Input> {
        self.store.open().await.unwrap().0
    }

    async fn worker(&self) -> Worker {
        let settings = worker_settings();
        Worker::new(settings, Box::new(self.store.clone()), echo().await, ReloadSlots::default())
    }

    async fn verdicts(&mut self) -> Vec<String> {
        let sql = "SELECT variable FROM dbo.anomalies_detector ORDER BY ds, variable";
        let rows = self.visitor.rows(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<&str, _>(0).unwrap().to_owned()).collect()
    }
}

async fn visitor(server: &Server) -> SideConnection {
    SideConnection::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap()
}

fn naive(short: &str) -> NaiveDateTime {
    DateTime::from_timestamp_micros(datetime(short).micros()).unwrap().naive_utc()
}

fn judged(judged: u64) -> Counts {
    Counts { judged, ..Counts::default() }
}

fn refused(error: &StoreError, words: &[&str]) {
    assert_eq!(error.kind, ErrorKind::Schema, "{error}");
    for word in words {
        assert!(error.message.contains(word), "`{word}` is missing in: {error}");
    }
}

/// This is not a lost connection: the same query would take as long again at once.
#[tokio::test]
async fn a_query_that_times_out_waits_for_the_next_tick() {
    let mut plant = Plant::new(&[KEYED, INDEX]).await;
    plant.store.input.timeouts = Timeouts { query: Duration::from_secs(1), ..tds::patient() };
    plant.insert("datetime, variable_name, value", &["'2025-01-15 11:00:00', 'T1', 1"]).await;
    let mut worker = plant.worker().await;
    assert_eq!(worker.cycle(|| false).await.unwrap().counts, judged(1));
    plant.insert("datetime, variable_name, value", &["'2025-01-15 11:10:00', 'T1', 2"]).await;
    let slow = When::Statement("FROM [dbo].[datos_proceso]".into());
    plant.server.fault(Fault { when: slow, what: What::Wait(Duration::from_secs(4)) });
    let error = worker.cycle(|| false).await.unwrap_err();
    let CycleError::Store(of_store) = &error else { unreachable!("{error}") };
    assert_eq!(of_store.kind, ErrorKind::Busy, "{error}");
    assert!(!error.is_connection() && error.to_string().contains("tried again at the next cycle"), "{error}");
    assert_eq!(worker.cycle(|| false).await.unwrap().counts, judged(1));
}

/// The number of readings is for a progress bar.
#[tokio::test]
async fn a_count_that_fails_does_not_fail_a_backfill() {
    let locked = SqlError::new(1222, 16, "Lock request time out period exceeded.");
    for what in [What::Fail(locked), What::Wait(Duration::from_secs(4)), What::Hang] {
        let mut plant = Plant::new(&[KEYED, INDEX]).await;
        plant.store.input.timeouts = Timeouts { query: Duration::from_secs(1), ..tds::patient() };
        plant.insert("datetime, variable_name, value", &["'2025-01-15 11:00:00', 'T1', 1"]).await;
        plant.server.fault(Fault { when: When::Statement("SELECT COUNT_BIG(*)".into()), what: what.clone() });
        let plan = BackfillPlan {
            worker: WORKER.into(),
            shard: None,
            from: datetime("10:00"),
            to: datetime("12:00"),
            variables: None,
            replace: false,
            rules: Default::default(),
            batch_rows: 10,
        };
        let mut detector = echo().await;
        let mut backfill = Backfill::begin(&plan, &plant.store, &mut detector).await.unwrap();
        assert_eq!(plant.server.faults_left(), 0, "{what:?} did not strike");
        while backfill.step(&mut detector).await.unwrap() {}
        let progress = backfill.progress();
        assert_eq!((progress.of, progress.counts), (0, judged(1)), "{what:?}");
        backfill.finish().await.unwrap();
    }
}

/// The connection that holds the name may have been cut, and another worker may have it since.
#[tokio::test]
async fn the_lead_is_asked_for_in_each_cycle() {
    let plant = Plant::new(&[KEYED, INDEX]).await;
    let mut worker = plant.worker().await;
    for cycle in 0..3 {
        plant.server.requests();
        worker.cycle(|| false).await.unwrap();
        let asked = plant.server.requests().iter().filter(|text| text.contains("sp_getapplock")).count();
        assert_eq!(asked, 1, "cycle {cycle}");
    }
}

/// As Azure cuts a session after half an hour.
#[tokio::test]
async fn a_session_that_was_cut_while_it_rested_is_opened_anew_without_an_error() {
    let mut plant = Plant::new(&[KEYED, INDEX]).await;
    let mut worker = plant.worker().await;
    worker.cycle(|| false).await.unwrap();
    plant.server.cut();
    plant.server.wait_for_connections(0);
    plant.visitor = visitor(&plant.server).await;
    plant.insert("datetime, variable_name, value", &["'2025-01-15 11:00:00', 'T1', 1"]).await;
    let (lines, _guard) = Lines::listen();
    assert_eq!(worker.cycle(|| false).await.unwrap().counts, judged(1));
    let said = lines.take();
    assert!(!said.iter().any(|line| line.starts_with("ERROR") || line.starts_with("WARN")), "{said:#?}");
}

/// CHAR and NCHAR give their texts with blanks at the end, which are not part of the name.
#[tokio::test]
async fn names_that_are_filled_up_are_trimmed() {
    for kind in ["CHAR(12)", "NCHAR(12)"] {
        let table = KEYED
            .replace("VARCHAR(100)", kind)
            .replace("value FLOAT", &format!("value FLOAT, source_file {kind}"));
        let mut plant = Plant::new(&[&table, INDEX]).await;
        let row = "'2025-01-15 11:00:00', 'TEMP 03     ', 1, 'a.csv       '";
        plant.insert("datetime, variable_name, value, source_file", &[row]).await;
        let page = plant.input().await.read_keys(&[(1, 9)], 10).await.unwrap();
        let found = &page.readings[0];
        assert_eq!((&*found.variable, found.source_file.as_deref()), ("TEMP 03", Some("a.csv")), "{kind}");
        assert_eq!(plant.worker().await.cycle(|| false).await.unwrap().counts, judged(1));
        assert_eq!(plant.verdicts().await, ["TEMP 03"], "{kind}");
        assert_eq!(plant.worker().await.cycle(|| false).await.unwrap().counts, judged(0), "{kind}");
    }
}

/// As tables of older designs have them. The fake server has no identity of this type. A default
/// makes it a key that the table counts.
#[tokio::test]
async fn a_decimal_without_decimals_is_a_key() {
    for (kind, has_key) in
        [("NUMERIC(18,0)", true), ("DECIMAL(10)", true), ("NUMERIC(19,0)", false), ("NUMERIC(18,2)", false)]
    {
        let table =
            KEYED.replace("BIGINT IDENTITY PRIMARY KEY", &format!("{kind} NOT NULL DEFAULT (1) UNIQUE"));
        let mut plant = Plant::new(&[&table, INDEX]).await;
        let rows: Vec<String> =
            (1..=5).map(|id| format!("{id}, '2025-01-15 11:0{id}:00', 'T1', {id}")).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        plant.insert("id, datetime, variable_name, value", &rows).await;
        let mut input = plant.input().await;
        assert_eq!(input.layout().await.unwrap().has_key, has_key, "{kind}");
        if has_key {
            assert_eq!(input.last_key().await.unwrap(), Some(5), "{kind}");
            assert_eq!(input.first_key_from(datetime("11:03")).await.unwrap(), Some(3), "{kind}");
            let page = input.read_keys(&[(2, 3), (5, 9)], 10).await.unwrap();
            let ids: Vec<_> = page.readings.iter().map(|reading| reading.id).collect();
            assert_eq!(ids, [Some(2), Some(3), Some(5)], "{kind}");
        }
        let mut worker = plant.worker().await;
        assert_eq!(worker.cycle(|| false).await.unwrap().counts, judged(5), "{kind}");
        assert_eq!(worker.cycle(|| false).await.unwrap().counts, judged(0), "{kind}");
    }
}

/// On Azure GETDATE() is UTC, whatever the plant's clocks say.
#[tokio::test]
async fn the_plants_clock_is_told_from_the_servers() {
    let plant = Plant::new(&[KEYED]).await;
    for (clock, now) in [
        (PlantClock::Server, "12:00"),
        (PlantClock::Offset { minutes: 120 }, "14:00"),
        (PlantClock::Offset { minutes: -210 }, "08:30"),
        (PlantClock::Zone("Romance Standard Time".into()), "13:00"),
        (PlantClock::Zone("SA Pacific Standard Time".into()), "07:00"),
    ] {
        let store = SqlServerStore { clock: clock.clone(), ..plant.store.clone() };
        assert_eq!(store.open().await.unwrap().0.now().await.unwrap(), datetime(now), "{clock}");
    }
    let unknown = SqlServerStore { clock: PlantClock::Zone("Europe/Nowhere".into()), ..plant.store.clone() };
    let error = unknown.open().await.unwrap().0.now().await.unwrap_err();
    assert!(error.message.contains("Europe/Nowhere"), "{error}");
}

/// A value of DATETIME2 that DATETIME does not have leads to the loss of that reading only.
#[tokio::test]
async fn a_reading_beyond_what_the_output_holds_is_unfit() {
    let mut plant = Plant::new(&[&KEYED.replace("DATETIME", "DATETIME2(7)"), INDEX]).await;
    let rows = [
        "'2025-01-15 11:00:00', 'T1', 1",
        "'9999-12-31 23:59:59.9999999', 'T1', 2",
        "'2025-01-15 11:05:00', 'T2', 3",
    ];
    plant.insert("datetime, variable_name, value", &rows).await;
    let mut worker = plant.worker().await;
    let expected = Counts { unfit: 1, ..judged(2) };
    assert_eq!(worker.cycle(|| false).await.unwrap().counts, expected);
    assert_eq!(worker.cycle(|| false).await.unwrap().counts, judged(0));
    assert_eq!(plant.verdicts().await, ["T1", "T2"]);
}

/// Each partition has an order of its own: the greatest key would have to be found in all of them,
/// and a range of keys to be sorted.
#[tokio::test]
async fn a_key_in_partitions_by_another_column_is_no_order_of_arrival() {
    let table = KEYED.replace("IDENTITY PRIMARY KEY", "NOT NULL DEFAULT (1)");
    for (key, index, expected) in [
        ("(id, datetime) ON by_month (datetime)", "(datetime) ON by_month (datetime)", (false, true)),
        ("(id) ON by_id (id)", "(datetime) ON by_id (id)", (true, false)),
        ("(id, datetime)", "(datetime)", (true, true)),
    ] {
        let key = format!("CREATE UNIQUE INDEX k ON dbo.datos_proceso {key}");
        let index = format!("CREATE INDEX i ON dbo.datos_proceso {index}");
        let plant = Plant::new(&[&table, &key, &index]).await;
        let layout = plant.input().await.layout().await.unwrap();
        assert_eq!((layout.has_key, layout.has_datetime_index), expected, "{key}; {index}");
    }
}

/// More than 100,000 rows.
fn many() -> String {
    let some: Vec<String> = (0..47).map(|n| format!("({n})")).collect();
    let list = |name: char| format!("(VALUES {}) AS {name}(n)", some.join(", "));
    format!(
        "INSERT INTO dbo.datos_proceso (datetime, variable_name, value) SELECT '2025-01-15 11:00:00', 'T1', 1 FROM {} \
         CROSS JOIN {} CROSS JOIN {}",
        list('a'),
        list('b'),
        list('c')
    )
}

#[tokio::test]
async fn a_large_table_without_an_index_is_not_read_whole() {
    let advice = "CREATE INDEX [IX_datos_proceso_datetime] ON [dbo].[datos_proceso] ([datetime])";
    let keyless = KEYED.replace("id BIGINT IDENTITY PRIMARY KEY, ", "");
    let mut plant = Plant::new(&[&keyless, &many()]).await;
    let error = plant.input().await.layout().await.unwrap_err();
    refused(&error, &["dbo.datos_proceso", "no `id`", "100000 rows", advice]);
    plant.visitor.run(INDEX).await.unwrap();
    assert!(plant.input().await.layout().await.unwrap().has_datetime_index);

    let mut plant = Plant::new(&[KEYED, &many()]).await;
    let mut input = plant.input().await;
    assert!(input.layout().await.unwrap().has_key);
    let (from, to) = (at("2025-01-15"), at("2025-01-16"));
    refused(&input.read_range(from, Some(to), 10).await.unwrap_err(), &[advice]);
    refused(&input.read_at(&[from]).await.unwrap_err(), &[advice]);
    refused(&input.count_range(from, to).await.unwrap_err(), &[advice]);
    // Reading by key does not need it.
    assert_eq!(input.read_keys(&[(1, 5)], 3).await.unwrap().readings.len(), 3);
    plant.visitor.run("DELETE FROM dbo.datos_proceso WHERE id > 10").await.unwrap();
    assert_eq!(plant.input().await.read_range(from, Some(to), 99).await.unwrap().readings.len(), 10);
}
