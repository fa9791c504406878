//! The surroundings of a worker under test: database files in a directory of their own, a clock
//! that the test sets, and detectors in the real sandbox. All of it is deleted when the fixture is
//! dropped.
//!
//! Datetimes are abbreviated: `10:05` is 2025-01-15 10:05:00, `14 10:05` the same time a day
//! before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use host::checkpoint::{Checkpoint, Parts};
use host::datetime::Datetime;
use host::detector::{Detector, Engine, Limits, ModelFile, Module, Set};
use host::reload::ReloadSlots;
use host::state::State;
use host::store::clock::ManualClock;
use host::store::{Clock, Connector, SqliteStore, TableName, schema};
use host::worker::{Worker, WorkerSettings};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::HOSTILE;

/// The worker's name in every test that does not need two.
pub const WORKER: &str = "default";

/// How the input table is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The default table, with its identity key.
    Keyed,
    /// The same without an `id`.
    Keyless,
}

impl Layout {
    pub const BOTH: [Self; 2] = [Self::Keyed, Self::Keyless];
}

/// Where a worker runs in a test.
pub struct Fixture {
    /// Input and output. They are one file unless a test says otherwise.
    pub store: SqliteStore,
    pub settings: WorkerSettings,
    /// What a worker and its reloader share.
    pub shared: ReloadSlots,
    hand: ManualClock,
    dir: TempDir,
}

/// `10:05`, `10:05:00.503` or `14 10:05`, as the database has it.
pub fn at(short: &str) -> String {
    let (day, time) = short.split_once(' ').unwrap_or(("15", short));
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    format!("2025-01-{day} {time}{seconds}")
}

/// The same as a datetime.
pub fn datetime(short: &str) -> Datetime {
    Datetime::parse(&at(short)).unwrap()
}

/// Verdicts as [`Fixture::verdicts`] gives them.
pub fn verdicts(expected: &[(&str, &str, f64)]) -> Vec<(String, String, f64)> {
    let mut rows: Vec<_> = expected
        .iter()
        .map(|(ds, variable, y)| (datetime(ds).to_string(), (*variable).to_owned(), *y))
        .collect();
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    rows
}

impl Fixture {
    /// An empty input table at noon.
    pub fn new(layout: Layout) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::settable(datetime("12:00"));
        let file = dir.path().join("plant.sqlite");
        let store = SqliteStore {
            create_output: true,
            clock,
            busy_timeout: Duration::from_millis(20),
            ..SqliteStore::new(&file)
        };
        let table = &store.tables.input;
        let ddl = match layout {
            Layout::Keyed => schema::sqlite::input(table),
            Layout::Keyless => format!(
                "CREATE TABLE {} (datetime TEXT NOT NULL, variable_name TEXT NOT NULL, value REAL, source_file TEXT); {}",
                table.sqlite(),
                schema::sqlite::index(table, &["datetime"], false)
            ),
        };
        Connection::open(&file).unwrap().execute_batch(&ddl).unwrap();
        let settings =
            WorkerSettings { allowed_lateness: Some(HOUR), reconcile: Some(HOUR), ..worker_settings() };
        Self { store, settings, shared: ReloadSlots::default(), hand, dir }
    }

    /// The fixture's directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sets the database's clock.
    pub fn now(&self, short: &str) {
        self.hand.set(datetime(short));
    }

    /// The input file, as the plant's own program has it open.
    pub fn input(&self) -> Connection {
        open(&self.store.input)
    }

    /// The output file, as a person opens it.
    pub fn output(&self) -> Connection {
        open(&self.store.output)
    }

    /// The plant commits these readings, one after the other.
    pub fn insert(&self, readings: &[(&str, &str, f64)]) {
        insert(&self.input(), readings);
    }

    /// The plant commits the readings of an oracle's batch: `datetime,variable_name,value` and
    /// sometimes more.
    pub fn insert_csv(&self, file: &Path) {
        let table = self.store.tables.input.sqlite();
        let input = self.input();
        let transaction = input.unchecked_transaction().unwrap();
        let mut rows = csv::Reader::from_path(file).unwrap();
        let columns = rows.headers().unwrap().iter().collect::<Vec<_>>().join(", ");
        for row in rows.records() {
            let row = row.unwrap();
            let values: Vec<_> = row.iter().map(|field| (!field.is_empty()).then_some(field)).collect();
            let holes = vec!["?"; values.len()].join(", ");
            let sql = format!("INSERT INTO {table} ({columns}) VALUES ({holes})");
            transaction.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// The plant's own SQL.
    pub fn execute(&self, sql: &str) {
        self.input().execute_batch(sql).unwrap();
    }

    /// The first column of what a query on the output finds.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let output = self.output();
        let mut statement = output.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// A worker on this bench's store.
    pub fn worker(&self, detector: Detector) -> Worker {
        self.worker_over(self.store.clone(), detector)
    }

    /// A worker on another store.
    pub fn worker_over(&self, connector: impl Connector + 'static, detector: Detector) -> Worker {
        Worker::new(self.settings.clone(), Box::new(connector), detector, self.shared.clone())
    }

    /// Every verdict as (ds, variable, y), sorted.
    pub fn verdicts(&self) -> Vec<(String, String, f64)> {
        let sql = format!(
            "SELECT ds, variable, y FROM {} ORDER BY ds, variable, y",
            self.store.tables.output.sqlite()
        );
        let output = self.output();
        let mut statement = output.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// The numbers of the verdicts, by variable and datetime: outside_interval, high_residual,
    /// is_anomaly, anomaly_score.
    pub fn flags(&self) -> Vec<(String, [bool; 3], f64)> {
        let sql = format!(
            "SELECT variable, outside_interval, high_residual, is_anomaly, anomaly_score FROM {} ORDER BY variable, ds",
            self.store.tables.output.sqlite()
        );
        let output = self.output();
        let mut statement = output.prepare(&sql).unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?], row.get(4)?)))
            .unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// The state row, as another process would see it.
    pub async fn state(&self) -> Option<State> {
        let (_, mut output) = self.store.open().await.unwrap();
        output.peek(&self.settings.name).await.unwrap()
    }

    /// A table as the Python worker makes it, with these verdicts.
    pub fn python_output(&self, rows: &[(&str, &str, f64)]) {
        let table = self.store.tables.output.clone();
        let output = self.output();
        output.execute_batch(&schema::sqlite::output(&table)).unwrap();
        let sql = format!("INSERT INTO {} (ds, variable, y) VALUES (?1, ?2, ?3)", table.sqlite());
        for (ds, variable, y) in rows {
            output.execute(&sql, params![at(ds), variable, y]).unwrap();
        }
    }
}

fn open(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// Inserts readings over this connection, in one transaction; NaN stands for NULL.
pub fn insert(connection: &Connection, readings: &[(&str, &str, f64)]) {
    let table = TableName::of("dbo", "datos_proceso").sqlite();
    let sql = format!(
        "INSERT INTO {table} (datetime, variable_name, value, source_file) VALUES (?1, ?2, ?3, 'a.csv')"
    );
    let transaction = connection.unchecked_transaction().unwrap();
    for (short, variable, value) in readings {
        let value = (!value.is_nan()).then_some(value);
        transaction.execute(&sql, params![at(short), variable, value]).unwrap();
    }
    transaction.commit().unwrap();
}

/// The one engine of this test process, as in the service. Its deadline is short enough to wait for
/// and long enough for a busy machine; its checkpoints are small enough that one more would not
/// exhaust the memory. Compiled detectors are kept beside this crate's other build
/// results.
pub fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine_with(Duration::from_secs(1))).clone()
}

/// One for a detector whose state takes a busy machine more than a second.
pub fn patient_engine() -> Engine {
    engine_with(Duration::from_secs(300))
}

fn engine_with(deadline: Duration) -> Engine {
    let limits = Limits { deadline, checkpoint: 64 << 20, ..Limits::default() };
    Engine::new(limits, Some(&Path::new(env!("OUT_DIR")).join("compiled"))).unwrap()
}

/// The hostile detector, with another schema of its checkpoints and a lookback.
pub fn described(schema: u32, lookback: Duration) -> Module {
    const MARK: &[u8] = b"hostile-describes:";
    let mut bytes = HOSTILE.to_vec();
    let at = MARK.len() + bytes.windows(MARK.len()).position(|window| window == MARK).unwrap();
    bytes[at..at + 4].copy_from_slice(&schema.to_le_bytes());
    let lookback = u64::try_from(lookback.as_micros()).unwrap();
    bytes[at + 4..at + 12].copy_from_slice(&lookback.to_le_bytes());
    Module { name: "hostile.wasm".into(), bytes: bytes.into() }
}

/// Its state: the number of readings that it has counted, in one part.
pub fn counting(schema: u32, bytes: &[u8]) -> Checkpoint {
    let detector = Some("hostile".into());
    Checkpoint { schema, detector, set_digest: "d".to_owned(), parts: Parts::whole(bytes) }
}

/// How many readings it has counted, by its stored state.
pub fn counted(checkpoint: &Checkpoint) -> u64 {
    let part = checkpoint.parts.get(Parts::WHOLE).unwrap();
    u64::from_le_bytes(part[..].try_into().unwrap())
}

/// A set of this module, with models for all variables.
pub fn told(module: Module, settings: &str) -> Arc<Set> {
    let files = vec![ModelFile { path: "*".into(), bytes: vec![] }];
    Arc::new(Set::new(module, files, "models".into(), settings.into()))
}

/// The hostile detector, with models for these variables (`*` is all).
pub fn hostile(settings: &str, models: &[&str]) -> Arc<Set> {
    let module = Module { name: "hostile.wasm".into(), bytes: HOSTILE.into() };
    let files = models.iter().map(|path| ModelFile { path: (*path).into(), bytes: vec![] });
    Arc::new(Set::new(module, files.collect(), "models".into(), settings.into()))
}

/// The built-in Prophet detector with the six models that the oracle's batches are for, under the
/// rule of the Python worker that made them.
pub fn prophet(settings: &str) -> Arc<Set> {
    let mut settings: serde_json::Value = serde_json::from_str(settings).unwrap();
    settings["rule"] = "interval".into();
    built_in(&settings.to_string())
}

/// The built-in detector with these models.
pub fn built_in(settings: &str) -> Arc<Set> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(prophet_models()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.push(ModelFile { path: name, bytes: std::fs::read(&path).unwrap() });
    }
    Arc::new(Set::new(Module::built_in(), files, "models".into(), settings.into()))
}

/// Where those models are.
pub fn prophet_models() -> PathBuf {
    oracle("models")
}

/// A file of the oracle: batches that the real Python worker judged.
pub fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/tests/fixtures").join(name)
}

const HOUR: Duration = Duration::from_secs(3600);

/// The settings of a test's worker, unless the test has others: no look of its own, and the
/// lateness that the store's layout gives.
pub fn worker_settings() -> WorkerSettings {
    WorkerSettings {
        name: WORKER.into(),
        shard: None,
        batch_rows: 4000,
        initial_lookback: 24 * HOUR,
        allowed_lateness: None,
        settle: Duration::from_secs(20 * 60),
        patience: Duration::from_secs(60),
        reconcile: None,
        episodes: Default::default(),
    }
}

/// Opens a set in the sandbox.
pub async fn open_set(set: Arc<Set>) -> Detector {
    Detector::open(&engine(), set, None).await.unwrap()
}

/// A detector that expects just what it reads, for every variable.
pub async fn echo() -> Detector {
    open_set(hostile("{}", &["*"])).await
}
