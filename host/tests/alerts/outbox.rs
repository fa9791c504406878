//! A database with an outbox, to which a test adds entries as a worker would.

use std::sync::Arc;
use std::time::Duration;

use host::alert::channel;
use host::alert::delivery::{Delivery, Outgoing};
use host::alert::outbox::Described;
use host::alert::service_status::ServiceStatus;
use host::alert::service_watch::CycleEnd;
use host::config::{AlertsSection, ChannelSection};
use host::datetime::Datetime;
use host::episode::{Episode, EpisodeKind, MessageKind};
use host::metrics::Metrics;
use host::store::{SqliteStore, Store, TableNames};
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// The time this many minutes after ten.
pub(crate) fn at(minutes: u64) -> Datetime {
    Datetime::parse("2025-01-15 10:00").unwrap().later(Duration::from_secs(60 * minutes))
}

/// See the module.
pub(crate) struct Outbox {
    dir: TempDir,
    service_status: Arc<ServiceStatus>,
}

/// An entry that is added.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) variable: String,
    kind: MessageKind,
    created_at: Datetime,
    payload: String,
}

/// How many entries are in each state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) due: usize,
    pub(crate) delivered: usize,
    pub(crate) dead: usize,
}

/// Episodes of these variables, which begin together at this minute and end together later.
pub(crate) fn begin_and_end(variables: &[&str], minute: u64) -> Vec<Entry> {
    let begin = |variable: &str| Episode::at(variable.into(), EpisodeKind::Anomaly, at(minute));
    let entry = |kind: MessageKind, episode: &Episode, minute| Entry {
        id: format!("{}-{minute}-{kind}", episode.variable.escape_debug()),
        variable: episode.variable.to_string(),
        kind,
        created_at: at(minute),
        payload: serde_json::to_string(episode).unwrap(),
    };
    let begun = variables.iter().map(|variable| entry(MessageKind::Opened, &begin(variable), minute));
    let ended = variables.iter().map(|variable| {
        let closed = Episode { closed_at: Some(at(minute + 20)), ..begin(variable) };
        entry(MessageKind::Closed, &closed, minute + 20)
    });
    begun.chain(ended).collect()
}

impl Outbox {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let service_status = Arc::new(ServiceStatus::new("default".to_owned(), Duration::from_secs(600)));
        let outbox = Self { dir, service_status };
        let mut output = outbox.store().open_output().await.unwrap();
        output.ensure_tables().await.unwrap();
        output.close().await.unwrap();
        outbox
    }

    fn store(&self) -> Box<dyn Store> {
        let file = self.dir.path().join("plant.sqlite");
        Box::new(SqliteStore { create_output: true, ..SqliteStore::new(file) })
    }

    fn database(&self) -> Connection {
        let connection = Connection::open(self.dir.path().join("plant.sqlite")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    pub(crate) fn add(&self, entries: &[Entry]) {
        let mut database = self.database();
        let transaction = database.transaction().unwrap();
        let table = TableNames::default().outbox.sqlite();
        for entry in entries {
            let sql = format!(
                "INSERT INTO {table} (id, kind, variable, created_at, payload, attempts, next_try_at, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?4, 'due')"
            );
            let created_at = entry.created_at.to_string();
            let values = params![entry.id, entry.kind.word(), entry.variable, created_at, entry.payload];
            transaction.execute(&sql, values).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// What `host alerts retry` does.
    pub(crate) fn revive(&self) {
        let table = TableNames::default().outbox.sqlite();
        let sql = format!("UPDATE {table} SET state = 'due', progress = NULL WHERE state = 'dead'");
        self.database().execute(&sql, []).unwrap();
    }

    /// A cycle of the active worker ends, at this minute by the plant's clock.
    pub(crate) fn beat(&self, minute: u64) {
        self.service_status.cycle_ended(&CycleEnd::Success { too_late: 0 }, None, Some(at(minute)));
    }

    pub(crate) fn start(&self, channels: &[ChannelSection]) -> Delivery {
        self.start_beside("default", &self.service_status, channels)
    }

    /// The delivery of another worker that writes to the same outbox.
    pub(crate) fn start_beside(
        &self,
        worker: &str,
        service_status: &Arc<ServiceStatus>,
        channels: &[ChannelSection],
    ) -> Delivery {
        let alerts = AlertsSection { channels: channels.to_vec(), ..AlertsSection::default() };
        let outgoing = Outgoing {
            channels: channel::channels(&alerts, worker, None).unwrap(),
            store: self.store(),
            service_status: Arc::clone(service_status),
            about: Box::new(|_| Described::default()),
            together: Duration::from_secs(15),
            worker: worker.to_owned(),
            metrics: Metrics::default(),
        };
        outgoing.start()
    }

    pub(crate) fn standing(&self) -> Standing {
        let table = TableNames::default().outbox.sqlite();
        let database = self.database();
        let of = |state: &str| {
            let sql = format!("SELECT count(*) FROM {table} WHERE state = ?1");
            database.query_row(&sql, [state], |row| row.get::<_, i64>(0)).unwrap() as usize
        };
        Standing { due: of("due"), delivered: of("delivered"), dead: of("dead") }
    }
}
