//! What a cycle asks of a server, counted by a proxy in front of the fake one. What the store sends
//! is the same on every server, and so is its count; how long a server takes for it is not.

use std::time::Duration;

use fake_tds::Server;
use fake_tds::proxy::{Packet, Party, Proxy};
use host::datetime::Datetime;
use host::store::TableNames;
use host::store::schema::sqlserver as ddl;
use host::worker::{Worker, WorkerSettings};
use tests::fixture::{WORKER, datetime, open_set, prophet};
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};
use tiberius::time::chrono::{DateTime, NaiveDateTime};

use super::VARIABLES;

/// Between two cycles.
const INTERVAL: Duration = Duration::from_secs(600);

/// Prints a table of its own: idle cycles, and such with readings.
pub(super) async fn count() {
    let server = Server::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let mut plant = SideConnection::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap();
    plant.run(&ddl::input(&TableNames::default().input)).await.unwrap();
    let settings = WorkerSettings {
        name: WORKER.into(),
        shard: None,
        batch_rows: super::BATCH,
        initial_lookback: Duration::from_secs(24 * 3600),
        allowed_lateness: None,
        settle: 2 * INTERVAL,
        patience: Duration::from_secs(60),
        reconcile: None,
        episodes: Default::default(),
    };
    let store = tds::store(tds::target(proxy.port(), PLAIN, "plant"));
    let detector = open_set(prophet("{}")).await;
    let mut worker = Worker::new(settings, Box::new(store), detector, Default::default());

    println!("\n| a cycle | statements | bulk loads | round trips |\n|---|---|---|---|");
    let mut now = datetime("00:00");
    // The first two connect, make the tables, and look at what is young.
    for (what, datetimes) in [
        ("the first, with tables to make", 5),
        ("", 5),
        ("5 datetimes × 6 variables", 5),
        ("5 datetimes × 6 variables, again", 5),
        ("no news, but rows that are still young", 0),
        ("", 0),
        ("", 0),
        ("idle", 0),
        ("idle, again", 0),
    ] {
        for minute in 0..datetimes {
            fill(&mut plant, now.later(Duration::from_secs(60 * minute))).await;
        }
        now = now.later(INTERVAL);
        server.set_now(naive(now));
        proxy.heal();
        worker.cycle(|| false).await.unwrap();
        if !what.is_empty() {
            say(what, &proxy.packets());
        }
    }
}

async fn fill(plant: &mut SideConnection, at: Datetime) {
    for variable in VARIABLES {
        let sql = "INSERT INTO dbo.datos_proceso (datetime, variable_name, value) VALUES (CAST(@P1 AS datetime), @P2, 100)";
        plant.execute(sql, &[&naive(at), &variable]).await.unwrap();
    }
}

/// A request may have many packets, and is over when the server speaks.
fn say(what: &str, packets: &[Packet]) {
    let (mut statements, mut loads, mut trips, mut last) = (0, 0, 0, Party::Server);
    for packet in packets {
        if packet.from == Party::Client && last == Party::Server {
            trips += 1;
            statements += u32::from(matches!(packet.kind, 1 | 3));
            loads += u32::from(packet.kind == 7);
        }
        last = packet.from;
    }
    println!("| {what} | {statements} | {loads} | {trips} |");
}

fn naive(at: Datetime) -> NaiveDateTime {
    DateTime::from_timestamp_micros(at.micros()).unwrap().naive_utc()
}
