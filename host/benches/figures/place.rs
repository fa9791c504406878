//! A directory in which a worker finds all that it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use host::datetime::Datetime;
use host::demo::models::FILES;
use host::demo::plant::{Plant, SEED, STEP};
use host::demo::variables::VARIABLES;
use host::detector::{Detector, Engine, Limits};
use host::reload::{ReloadSlots, SetSource};
use host::store::clock::Clock;
use host::store::{SqliteStore, TableNames, schema};
use host::worker::{Worker, WorkerSettings};
use rusqlite::{Connection, params};

/// A directory with a database, the demo's models and a cache of its own.
pub(crate) struct Place(tempfile::TempDir);

pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) source: SetSource,
    pub(crate) shared: ReloadSlots,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.models()).unwrap();
        for file in FILES {
            fs::write(place.models().join(file.name), file.bytes).unwrap();
        }
        let database = place.connection();
        database.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        database.execute_batch(&schema::sqlite::input(&TableNames::default().input)).unwrap();
        place
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.0.path().join("models")
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("plant.sqlite")
    }

    fn connection(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }

    pub(crate) fn insert(&self, from: Datetime, instants: u32) {
        self.insert_many(from, instants, STEP);
    }

    pub(crate) fn insert_many(&self, from: Datetime, instants: u32, step: Duration) {
        let plant = Plant::new(SEED);
        let mut connection = self.connection();
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, ?2, ?3)")
                .unwrap();
            for instant in 0..instants {
                let at = from.later(step * instant);
                for variable in &VARIABLES {
                    insert
                        .execute(params![at.to_string(), variable.name, plant.value(variable, at)])
                        .unwrap();
                }
            }
        }
        transaction.commit().unwrap();
    }

    pub(crate) async fn worker(&self, clock: Clock, settings: &str) -> (Worker, Parts) {
        let engine = Engine::new(Limits::default(), None).unwrap();
        let source =
            SetSource { module: None, models: self.models(), settings: settings.into(), own: Vec::new() };
        let set = Arc::new(source.read(&engine).await.unwrap());
        let detector = Detector::open(&engine, set, None).await.unwrap();
        let shared = ReloadSlots::default();
        let store = SqliteStore { clock, ..SqliteStore::new(self.database()) };
        let settings = WorkerSettings {
            name: "default".into(),
            shard: None,
            batch_rows: 4000,
            initial_lookback: Duration::from_secs(24 * 3600),
            allowed_lateness: None,
            settle: Duration::from_secs(1200),
            patience: Duration::from_secs(60),
            reconcile: None,
            episodes: Default::default(),
        };
        let worker = Worker::new(settings, Box::new(store), detector, shared.clone());
        (worker, Parts { engine, source, shared })
    }

    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
        command
            .arg("run")
            .args(flags)
            .arg("--database")
            .arg(self.database())
            .arg("--models")
            .arg(self.models());
        command.args(["--log-file", ""]).env("CACHE_DIRECTORY", self.0.path().join("cache"));
        command.env("STATE_DIRECTORY", self.0.path().join("state"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(self.0.path());
        command
    }

    pub(crate) fn run_once(&self) {
        assert!(self.command(&["--once"]).status().unwrap().success());
    }

    /// Fills the cache without touching the backlog.
    pub(crate) fn run_once_elsewhere(&self) {
        let cache: &Path = &self.0.path().join("cache");
        let other = Self::new();
        let done = other.command(&["--once"]).env("CACHE_DIRECTORY", cache).status().unwrap();
        assert!(done.success());
    }
}
