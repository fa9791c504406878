//! Promise 1 on a wire that breaks: a real worker with the real detector goes through a cycle, and at each packet of it, in both
//! directions, the connection is cut, reset, cut within the packet, or slow. At the end every reading has one verdict.
//!
//! The server is the fake one, so this says nothing about the SQL; `kill -9` and lost sessions on a real one are elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use fake_tds::Server;
use fake_tds::proxy::{Harm, Packet, Proxy};
use host::datetime::Datetime;
use host::state::State;
use host::store::schema::sqlserver as ddl;
use host::store::{Connector, SqlServerStore, TableNames};
use host::worker::{Settings, Worker};
use tests::bench::{WORKER, datetime, open_set, prophet};
use tests::sqlserver::Visitor;
use tests::tds;
use tiberius::time::chrono::{DateTime, NaiveDateTime};

/// The variables of a batch, which all have a model.
const VARIABLES: [&str; 3] = ["TEMP-03", "NIVEL 4", "VIBRACION"];

/// What TDS calls the kinds of packet that a cycle is made of.
const KINDS: [(u8, &str); 6] =
    [(18, "prelogin"), (16, "login"), (1, "batch"), (3, "statement with parameters"), (7, "bulk load"), (4, "answer")];

struct Plant {
    server: Server,
    proxy: Proxy,
    visitor: Visitor,
    /// The store under test, behind the proxy.
    store: SqlServerStore,
    /// How many datetimes have readings.
    filled: i64,
}

impl Plant {
    async fn new(store: impl FnOnce(&Server, u16) -> SqlServerStore) -> Self {
        let server = Server::start().unwrap();
        let proxy = Proxy::start(server.port()).unwrap();
        let mut visitor = Visitor::of(&tds::connection_string(server.port(), "DANGER_PLAINTEXT"), "plant").await.unwrap();
        visitor.run(&ddl::input(&TableNames::default().input)).await.unwrap();
        let store = store(&server, proxy.port());
        Self { server, proxy, visitor, store, filled: 0 }
    }

    fn datetime(number: i64) -> Datetime {
        datetime("00:00").later(Duration::from_secs(3600) * u32::try_from(number).unwrap())
    }

    /// The plant commits the readings of one more hour.
    async fn fill(&mut self) {
        let at = naive(Self::datetime(self.filled));
        for (number, variable) in VARIABLES.iter().enumerate() {
            let sql = "INSERT INTO dbo.datos_proceso (datetime, variable_name, value) VALUES (CAST(@P1 AS datetime), @P2, @P3)";
            let value = 20.0 + f64::from(u32::try_from(number).unwrap());
            self.visitor.execute(sql, &[&at, variable, &value]).await.unwrap();
        }
        self.server.set_now(at);
        self.filled += 1;
    }

    async fn worker(&self) -> Worker {
        let settings = Settings {
            name: WORKER.into(),
            batch_rows: 4000,
            initial_lookback: Duration::from_secs(24 * 3600),
            allowed_lateness: Some(Duration::from_secs(3600)),
            settle: Duration::from_secs(20 * 60),
        };
        let detector = open_set(prophet("{}")).await;
        Worker::new(settings, Box::new(self.store.clone()), detector, Default::default())
    }

    /// The state row, seen past the proxy.
    async fn state(&self) -> Option<State> {
        let direct = tds::store(tds::plain(self.server.port()));
        direct.open().await.unwrap().1.peek(WORKER).await.unwrap()
    }

    /// How many verdicts there are on each reading.
    async fn verdicts(&mut self) -> BTreeMap<(NaiveDateTime, String), i32> {
        let sql = "SELECT ds, variable, COUNT(*) FROM dbo.anomalies_detector GROUP BY ds, variable";
        let rows = self.visitor.rows(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| ((row.get(0).unwrap(), row.get::<&str, _>(1).unwrap().to_owned()), row.get(2).unwrap()))
            .collect()
    }

    /// Every reading has one verdict, and the state row agrees.
    async fn assert_whole(&mut self, what: &str) {
        let expected: BTreeMap<_, _> = (0..self.filled)
            .flat_map(|number| VARIABLES.map(|variable| ((naive(Self::datetime(number)), variable.to_owned()), 1)))
            .collect();
        assert_eq!(self.verdicts().await, expected, "{what}");
        let state = self.state().await.unwrap();
        assert_eq!(state.watermark, Some(Self::datetime(self.filled - 1)), "{what}");
        assert_eq!(state.counts.judged, u64::try_from(expected.len()).unwrap(), "{what}");
    }
}

fn naive(at: Datetime) -> NaiveDateTime {
    DateTime::from_timestamp_micros(at.micros()).unwrap().naive_utc()
}

fn kind(packet: Packet) -> String {
    let name = KINDS.iter().find(|(kind, _)| *kind == packet.kind).map_or("record", |(_, name)| name);
    format!("{name} from the {:?}", packet.from).to_lowercase()
}

/// What came of the harm at each packet of a cycle.
#[derive(Default)]
struct Sweep {
    /// How often which packet was harmed.
    struck: BTreeMap<String, u32>,
    /// Cycles that failed although their commit had happened.
    lost_answers: u32,
    failed: u32,
}

/// Harms a cycle at its first packet, another at its second, until one has no packet left to harm.
async fn sweep(plant: &mut Plant, harm: Harm) -> Sweep {
    let mut sweep = Sweep::default();
    for at in 0.. {
        plant.fill().await;
        let mut worker = plant.worker().await;
        plant.proxy.harm(at, harm);
        let cycle = worker.cycle(|| false).await;
        let struck = plant.proxy.heal();
        let Some(struck) = struck else {
            cycle.unwrap();
            return sweep;
        };
        *sweep.struck.entry(kind(struck)).or_default() += 1;
        if cycle.is_err() {
            sweep.failed += 1;
            let committed = plant.state().await.and_then(|state| state.watermark);
            sweep.lost_answers += u32::from(committed == Some(Plant::datetime(plant.filled - 1)));
        }
        // The next cycles of the same worker run unharmed.
        for _ in 0..2 {
            let cycle = worker.cycle(|| false).await;
            cycle.unwrap_or_else(|error| panic!("{harm:?} at packet {at}, {}: {error}", kind(struck)));
        }
    }
    sweep
}

async fn harm_every_packet(harm: Harm) {
    let mut plant = Plant::new(|_, port| tds::store(tds::plain(port))).await;
    plant.fill().await;
    plant.worker().await.cycle(|| false).await.unwrap();
    plant.assert_whole("before any harm").await;

    let done = sweep(&mut plant, harm).await;
    plant.assert_whole(&format!("{harm:?}")).await;
    // Two connections, and on them all that a cycle is made of.
    for (kind, least) in [
        ("prelogin from the client", 2),
        ("login from the client", 2),
        ("batch from the client", 2),
        ("statement with parameters from the client", 5),
        ("bulk load from the client", 1),
        ("answer from the server", 10),
    ] {
        assert!(done.struck.get(kind).is_some_and(|&times| times >= least), "{kind}: {:?}", done.struck);
    }
    let harmed: u32 = done.struck.values().sum();
    match harm {
        Harm::Delay(_) => assert_eq!(done.failed, 0),
        Harm::Half | Harm::Cut | Harm::Reset => {
            // All but the goodbye of a connection, at which a cycle has all it wanted.
            assert!(done.failed * 10 >= harmed * 9, "{} of {harmed} failed", done.failed);
            assert!(done.lost_answers >= 1, "no commit happened whose answer was lost");
        }
    }
}

#[tokio::test]
async fn a_connection_cut_at_any_packet_costs_no_reading() {
    harm_every_packet(Harm::Cut).await;
}

#[tokio::test]
async fn a_connection_reset_at_any_packet_costs_no_reading() {
    harm_every_packet(Harm::Reset).await;
}

#[tokio::test]
async fn a_connection_cut_within_any_packet_costs_no_reading() {
    harm_every_packet(Harm::Half).await;
}

#[tokio::test]
async fn a_packet_that_is_late_costs_nothing() {
    harm_every_packet(Harm::Delay(Duration::from_millis(10))).await;
}
