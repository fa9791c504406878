//! Promise 1 on a wire that breaks: a real worker with the real detector goes through a cycle, and
//! at each packet of it, in both directions, the connection is cut, reset, cut within the packet,
//! or slow. At the end every reading has one verdict.
//!
//! The server is the fake one, so this says nothing about the SQL; `kill -9` and lost sessions on a
//! real one are elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_tds::Server;
use fake_tds::proxy::{Harm, Packet, Proxy};
use host::datetime::Datetime;
use host::state::State;
use host::store::schema::sqlserver as ddl;
use host::store::{Connector, SqlServerStore, TableNames};
use host::worker::{CycleError, Worker, WorkerSettings};
use tests::fixture::{WORKER, datetime, open_set, prophet, worker_settings};
use tests::sqlserver::SideConnection;
use tests::tds::{self, ENCRYPTED, PLAIN};
use tiberius::time::chrono::{DateTime, NaiveDateTime};

/// The variables of a batch, which all have a model.
const VARIABLES: [&str; 3] = ["TEMP-03", "NIVEL 4", "VIBRACION"];

/// What TDS calls the kinds of packet that a cycle is made of. Anything else is a record of TLS,
/// which holds one.
const KINDS: [(u8, &str); 6] =
    [(18, "prelogin"), (16, "login"), (1, "batch"), (3, "statement"), (7, "bulk load"), (4, "answer")];

/// How long a worker may try after a harm: much longer than it ever needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server behind a proxy, with one plant.
struct Line {
    server: Server,
    proxy: Proxy,
}

/// A plant's database, and the connection to it that is harmed.
struct Plant {
    database: String,
    visitor: SideConnection,
    store: SqlServerStore,
    /// How many datetimes have readings.
    filled: u32,
}

impl Line {
    fn new() -> Self {
        let server = Server::start().unwrap();
        let proxy = Proxy::start(server.port()).unwrap();
        Self { server, proxy }
    }

    /// A plant with its input table and nothing else.
    async fn plant(&self, database: &str, encrypt: &str) -> Plant {
        let direct = tds::connection_string(self.server.port(), PLAIN);
        let mut visitor = SideConnection::of(&direct, "master").await.unwrap();
        visitor.run(&format!("CREATE DATABASE [{database}]")).await.unwrap();
        visitor.run(&format!("USE [{database}]")).await.unwrap();
        visitor.run(&ddl::input(&TableNames::default().input)).await.unwrap();
        let store = tds::store(tds::target(self.proxy.port(), encrypt, database));
        Plant { database: database.into(), visitor, store, filled: 0 }
    }

    /// The plant commits the readings of one more hour.
    async fn fill(&self, plant: &mut Plant) {
        let at = naive(plant.datetime(plant.filled));
        for (number, variable) in (0_u32..).zip(VARIABLES) {
            let sql = "INSERT INTO dbo.datos_proceso (datetime, variable_name, value) VALUES (CAST(@P1 AS datetime), @P2, @P3)";
            plant.visitor.execute(sql, &[&at, &variable, &f64::from(20 + number)]).await.unwrap();
        }
        self.server.set_now(at);
        plant.filled += 1;
    }

    /// The state row, read without the proxy.
    async fn state(&self, plant: &Plant) -> Option<State> {
        let direct = tds::store(tds::target(self.server.port(), PLAIN, &plant.database));
        let mut output = direct.open().await.unwrap().1;
        // Before its first start there is no state table either.
        output.peek(WORKER).await.ok().flatten()
    }

    /// Whether the newest of the plant's readings is judged, by the state row's watermark.
    async fn is_done(&self, plant: &Plant) -> bool {
        self.state(plant).await.and_then(|state| state.watermark) == Some(plant.datetime(plant.filled - 1))
    }

    /// A new worker's cycle, harmed at packet `at`, and then cycles of the same worker until all is
    /// judged.
    async fn cycle(&self, plant: &mut Plant, at: usize, harm: Harm, sweep: &mut Sweep) -> Went {
        self.fill(plant).await;
        // The worker before this one has released its name.
        self.server.wait_for_connections(1);
        let mut worker = worker(plant).await;
        self.proxy.harm(at, harm);
        let cycle = worker.cycle(|| false).await;
        let Some(struck) = self.proxy.heal() else {
            cycle.unwrap();
            assert!(self.is_done(plant).await, "a cycle without harm judged nothing");
            return Went::Unharmed;
        };
        let what = format!("{harm:?} at packet {at}, {}", kind(struck));
        *sweep.struck.entry(kind(struck)).or_default() += 1;
        match cycle {
            Ok(_) => assert!(self.is_done(plant).await, "{what}: a cycle that judged nothing"),
            Err(_) => {
                sweep.failed += 1;
                sweep.lost_answers += u32::from(self.is_done(plant).await);
            }
        }
        let unharmed = async {
            // One cycle to judge what is left, and one more that has nothing to do.
            for _ in 0..2 {
                loop {
                    match worker.cycle(|| false).await {
                        Ok(_) => break,
                        // The server has not noticed yet that the connection which held the
                        // worker's name is gone.
                        Err(CycleError::Standby { .. }) => {}
                        Err(error) => panic!("{what}: {error}"),
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, unharmed)
            .await
            .unwrap_or_else(|_| panic!("{what}: it stands by for ever"));
        Went::Harmed
    }
}

impl Plant {
    fn datetime(&self, number: u32) -> Datetime {
        datetime("00:00").later(Duration::from_secs(3600) * number)
    }

    /// Every reading has one verdict, and the state row agrees.
    async fn assert_whole(&mut self, line: &Line, what: &str) {
        let sql = "SELECT ds, variable, COUNT(*) FROM dbo.anomalies_detector GROUP BY ds, variable";
        let rows = self.visitor.rows(sql, &[]).await.unwrap();
        let verdicts: BTreeMap<(NaiveDateTime, String), i32> = rows
            .iter()
            .map(|row| {
                ((row.get(0).unwrap(), row.get::<&str, _>(1).unwrap().to_owned()), row.get(2).unwrap())
            })
            .collect();
        let expected: BTreeMap<_, _> = (0..self.filled)
            .flat_map(|number| {
                let at = naive(self.datetime(number));
                VARIABLES.map(|variable| ((at, variable.to_owned()), 1))
            })
            .collect();
        assert_eq!(verdicts, expected, "{what}");
        let state = line.state(self).await.unwrap();
        assert_eq!(state.watermark, Some(self.datetime(self.filled - 1)), "{what}");
        assert_eq!(state.counts.judged, u64::try_from(expected.len()).unwrap(), "{what}");
    }
}

async fn worker(plant: &Plant) -> Worker {
    let settings = WorkerSettings { allowed_lateness: Some(Duration::from_secs(3600)), ..worker_settings() };
    Worker::new(settings, Box::new(plant.store.clone()), open_set(prophet("{}")).await, Default::default())
}

fn naive(at: Datetime) -> NaiveDateTime {
    DateTime::from_timestamp_micros(at.micros()).unwrap().naive_utc()
}

fn kind(packet: Packet) -> String {
    let name = KINDS.iter().find(|(kind, _)| *kind == packet.kind).map_or("record", |(_, name)| name);
    format!("{name} from the {:?}", packet.from).to_lowercase()
}

enum Went {
    Harmed,
    /// The cycle had fewer packets.
    Unharmed,
}

/// The results of the harm at each packet of a cycle.
#[derive(Default)]
struct Sweep {
    /// How often which packet was harmed.
    struck: BTreeMap<String, u32>,
    failed: u32,
    /// Cycles that failed although their commit had happened.
    lost_answers: u32,
}

impl Sweep {
    fn assert_harmful(&self, harm: Harm, kinds: &[(&str, u32)]) {
        for (kind, least) in kinds {
            assert!(self.struck.get(*kind).is_some_and(|times| times >= least), "{kind}: {:?}", self.struck);
        }
        let harmed: u32 = self.struck.values().sum();
        match harm {
            Harm::Delay(_) => assert_eq!(self.failed, 0),
            Harm::Half | Harm::Cut | Harm::Reset => {
                // All but the packets that end a connection, when a cycle has all that it needs.
                assert!(self.failed * 10 >= harmed * 9, "{} of {harmed} failed", self.failed);
                assert!(self.lost_answers >= 1, "no commit happened whose answer was lost");
            }
        }
    }
}

/// What a cycle is made of, on its three connections: input, output, and the one that holds the
/// worker's name.
const PACKETS: [(&str, u32); 6] = [
    ("prelogin from the client", 3),
    ("login from the client", 3),
    ("batch from the client", 3),
    ("statement from the client", 5),
    ("bulk load from the client", 1),
    ("answer from the server", 12),
];

/// The same where all but the handshake is encrypted.
const RECORDS: [(&str, u32); 3] =
    [("prelogin from the client", 6), ("record from the client", 12), ("record from the server", 12)];

/// The first worker's cycle is harmed at its first packet, the next worker's at its second, and so
/// on to the last packet. All in one database that has its tables.
async fn harm_every_packet(harm: Harm, encrypt: &str, kinds: &[(&str, u32)]) {
    let line = Line::new();
    let mut plant = line.plant("line", encrypt).await;
    line.fill(&mut plant).await;
    worker(&plant).await.cycle(|| false).await.unwrap();
    plant.assert_whole(&line, "before any harm").await;
    let mut sweep = Sweep::default();
    for at in 0.. {
        if let Went::Unharmed = line.cycle(&mut plant, at, harm, &mut sweep).await {
            break;
        }
    }
    plant.assert_whole(&line, &format!("{harm:?}")).await;
    sweep.assert_harmful(harm, kinds);
}

#[tokio::test]
async fn a_connection_cut_at_any_packet_costs_no_reading() {
    harm_every_packet(Harm::Cut, PLAIN, &PACKETS).await;
}

#[tokio::test]
async fn a_connection_reset_at_any_packet_costs_no_reading() {
    harm_every_packet(Harm::Reset, PLAIN, &PACKETS).await;
}

#[tokio::test]
async fn a_connection_cut_within_any_packet_costs_no_reading() {
    harm_every_packet(Harm::Half, PLAIN, &PACKETS).await;
}

#[tokio::test]
async fn a_connection_cut_within_any_record_of_tls_costs_no_reading() {
    harm_every_packet(Harm::Half, ENCRYPTED, &RECORDS).await;
}

#[tokio::test]
async fn a_packet_that_is_late_costs_nothing() {
    harm_every_packet(Harm::Delay(Duration::from_millis(5)), PLAIN, &PACKETS).await;
}

/// A worker's very first cycle, which makes the tables: each time in a new database.
#[tokio::test]
async fn a_first_start_that_is_cut_at_any_packet_costs_no_reading() {
    let line = Line::new();
    let mut sweep = Sweep::default();
    for at in 0.. {
        let mut plant = line.plant(&format!("line {at}"), PLAIN).await;
        let went = line.cycle(&mut plant, at, Harm::Cut, &mut sweep).await;
        plant.assert_whole(&line, &format!("first start, cut at packet {at}")).await;
        if let Went::Unharmed = went {
            break;
        }
    }
    sweep.assert_harmful(Harm::Cut, &PACKETS);
}
