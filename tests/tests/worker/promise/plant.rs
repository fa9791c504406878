//! The same plant in an SQLite file and on the fake server: its SQL, its clock, and its contents as
//! others read them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fake_tds::Server;
use host::datetime::Datetime;
use host::state::State;
use host::store::{Connector, SqlServerStore};
use host::worker::WorkerSettings;
use tests::fixture::{Fixture, Layout};
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};
use tiberius::time::chrono::{DateTime, NaiveDateTime};

pub(crate) trait Plant {
    /// The input table, as its statements name it.
    const TABLE: &'static str;

    fn connector(&self) -> Box<dyn Connector>;

    fn settings(&self) -> WorkerSettings;

    /// Sets the database's clock.
    fn now(&self, at: Datetime);

    async fn run(&mut self, sql: &str);

    /// The ds and the variable of each verdict.
    async fn verdicts(&mut self) -> Vec<(Datetime, String)>;

    /// The datetime and the variable of each row, and whether it has a value.
    async fn rows(&mut self) -> Vec<(Datetime, String, bool)>;

    /// As `host status` reads it.
    async fn state(&self) -> State {
        let settings = self.settings();
        self.connector().open().await.unwrap().1.peek(&settings.name).await.unwrap().unwrap()
    }
}

impl Plant for Fixture {
    const TABLE: &'static str = "datos_proceso";

    fn connector(&self) -> Box<dyn Connector> {
        Box::new(self.store.clone())
    }

    fn settings(&self) -> WorkerSettings {
        self.settings.clone()
    }

    fn now(&self, at: Datetime) {
        Fixture::now(self, &at.to_string()["2025-01-".len()..]);
    }

    async fn run(&mut self, sql: &str) {
        self.execute(sql);
    }

    async fn verdicts(&mut self) -> Vec<(Datetime, String)> {
        let all = Fixture::verdicts(self).into_iter();
        all.map(|(ds, variable, _)| (Datetime::parse(&ds).unwrap(), variable)).collect()
    }

    async fn rows(&mut self) -> Vec<(Datetime, String, bool)> {
        let input = self.input();
        let sql = "SELECT datetime, variable_name, value IS NOT NULL FROM datos_proceso";
        let mut statement = input.prepare(sql).unwrap();
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(|row| row.map(|(at, name, has)| (Datetime::parse(&at).unwrap(), name, has)).unwrap())
            .collect()
    }
}

/// A database on a server whose clock no other plant uses at the same time.
pub(crate) struct OnServer<'a> {
    server: &'a Server,
    store: SqlServerStore,
    visitor: SideConnection,
    settings: WorkerSettings,
}

impl<'a> OnServer<'a> {
    pub(crate) async fn new(server: &'a Server, layout: Layout, settings: WorkerSettings) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = format!("plant{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let direct = tds::connection_string(server.port(), PLAIN);
        let mut visitor = SideConnection::of(&direct, "master").await.unwrap();
        visitor.run(&format!("CREATE DATABASE [{database}]")).await.unwrap();
        visitor.run(&format!("USE [{database}]")).await.unwrap();
        let id = match layout {
            Layout::Keyed => "id BIGINT IDENTITY PRIMARY KEY, ",
            Layout::Keyless => "",
        };
        let table = format!(
            "CREATE TABLE {} ({id}datetime DATETIME NOT NULL, variable_name VARCHAR(100) NOT NULL, value FLOAT)",
            Self::TABLE
        );
        visitor.run(&table).await.unwrap();
        visitor.run(&format!("CREATE INDEX by_datetime ON {} (datetime)", Self::TABLE)).await.unwrap();
        if layout == Layout::Keyed {
            visitor.run(&format!("SET IDENTITY_INSERT {} ON", Self::TABLE)).await.unwrap();
        }
        let store = tds::store(tds::target(server.port(), PLAIN, &database));
        Self { server, store, visitor, settings }
    }
}

fn naive(at: Datetime) -> NaiveDateTime {
    DateTime::from_timestamp_micros(at.micros()).unwrap().naive_utc()
}

fn instant(at: NaiveDateTime) -> Datetime {
    Datetime::from_micros(at.and_utc().timestamp_micros())
}

impl Plant for OnServer<'_> {
    const TABLE: &'static str = "dbo.datos_proceso";

    fn connector(&self) -> Box<dyn Connector> {
        Box::new(self.store.clone())
    }

    fn settings(&self) -> WorkerSettings {
        self.settings.clone()
    }

    fn now(&self, at: Datetime) {
        self.server.set_now(naive(at));
    }

    async fn run(&mut self, sql: &str) {
        self.visitor.run(sql).await.unwrap();
    }

    async fn verdicts(&mut self) -> Vec<(Datetime, String)> {
        let found = self.visitor.rows("SELECT ds, variable FROM dbo.anomalies_detector", &[]).await.unwrap();
        let key =
            |row: &tiberius::Row| (instant(row.get(0).unwrap()), row.get::<&str, _>(1).unwrap().to_owned());
        found.iter().map(key).collect()
    }

    async fn rows(&mut self) -> Vec<(Datetime, String, bool)> {
        let sql = "SELECT datetime, variable_name, value FROM dbo.datos_proceso";
        let found = self.visitor.rows(sql, &[]).await.unwrap();
        let read = |row: &tiberius::Row| {
            let name = row.get::<&str, _>(1).unwrap().to_owned();
            (instant(row.get(0).unwrap()), name, row.get::<f64, _>(2).is_some())
        };
        found.iter().map(read).collect()
    }
}

/// Pages of three rows, and looks that are due at once.
pub(crate) fn settings(layout: Layout) -> WorkerSettings {
    WorkerSettings { batch_rows: 3, reconcile: Some(Duration::from_secs(1)), ..Fixture::new(layout).settings }
}
