//! What a worker on standby costs a server: one connection, and one statement each time it asks.

use fake_tds::Server;
use host::reload::ReloadSlots;
use host::store::TableNames;
use host::store::schema::sqlserver as ddl;
use host::worker::{CycleError, Worker};
use tests::fixture::{echo, worker_settings};
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};

async fn worker(server: &Server) -> Worker {
    let settings = worker_settings();
    let store = tds::store(tds::target(server.port(), PLAIN, "plant"));
    Worker::new(settings, Box::new(store), echo().await, ReloadSlots::default())
}

/// How often the worker asks, and the requests that this needs, each by its purpose.
async fn asks(worker: &mut Worker, server: &Server, times: usize) -> Vec<&'static str> {
    server.requests();
    for _ in 0..times {
        let asked = worker.cycle(|| false).await;
        assert!(matches!(asked, Err(CycleError::Standby { .. })), "{asked:?}");
    }
    let about = |text: &String| if text.contains("sp_getapplock") { "lock" } else { "session" };
    server.requests().iter().map(about).collect()
}

#[tokio::test]
async fn a_worker_on_standby_keeps_its_connection_and_opens_it_anew_when_it_is_lost() {
    let server = Server::start().unwrap();
    let mut plant = SideConnection::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap();
    plant.run(&ddl::input(&TableNames::default().input)).await.unwrap();
    let (mut active, mut standby) = (worker(&server).await, worker(&server).await);
    active.cycle(|| false).await.unwrap();
    assert_eq!(asks(&mut standby, &server, 4).await, ["session", "lock", "lock", "lock", "lock"]);

    server.cut();
    server.wait_for_connections(0);
    let mut other = worker(&server).await;
    other.cycle(|| false).await.unwrap();
    assert_eq!(asks(&mut standby, &server, 2).await, ["session", "lock", "lock"]);
    drop(other);
    // The active worker has three connections, and the one on standby has one.
    server.wait_for_connections(1);
    standby.cycle(|| false).await.unwrap();
}
