//! Every way to name a server leads to it: host and port, a named instance, connection strings of
//! ADO.NET and JDBC, two servers, one that comes up later. The server is the fake one.

use std::net::UdpSocket;
use std::time::Duration;

use fake_tds::{Fault, PASSWORD, Server, SqlError, USER};
use host::reload::ReloadSlots;
use host::secret::Secret;
use host::store::schema::sqlserver as ddl;
use host::store::sqlserver::{Address, Encryption, Login, Target, Trust};
use host::store::{PlantClock, SqlServerStore, TableNames};
use host::worker::Worker;
use host::worker::schedule::ScheduleEnd;
use tests::fixture::{echo, worker_settings};
use tests::logs::Lines;
use tests::schedule;
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};

/// The port of the service that knows the ports of a machine's instances.
const BROWSER: &str = "127.0.0.1:1434";

fn at(host: &str, port: Option<u16>, instance: Option<&str>) -> Target {
    let address = Address::Server {
        host: host.into(),
        port,
        instance: instance.map(str::to_owned),
        encryption: Encryption::Whole,
        trust: Trust::Any,
    };
    Target { address, database: Some("plant".into()), login: tds::login(), timeouts: tds::patient() }
}

fn by(text: String) -> Target {
    Target {
        address: Address::ConnectionString(Secret::new(text)),
        database: None,
        login: Login::OfConnectionString,
        timeouts: tds::patient(),
    }
}

#[tokio::test]
async fn a_server_is_found_however_it_is_written() {
    let server = Server::start().unwrap();
    let port = server.port();
    for (target, shown) in [
        (at("127.0.0.1", Some(port), None), format!("127.0.0.1,{port}")),
        // The port decides, whatever the instance's name is.
        (at("127.0.0.1", Some(port), Some("SQL2019")), format!(r"127.0.0.1\SQL2019,{port}")),
        (
            by(format!(
                "Server=tcp:127.0.0.1,{port};Database=plant;User Id={USER};Password=\"{PASSWORD}\";Encrypt=true;\
                 TrustServerCertificate=true"
            )),
            format!("127.0.0.1,{port}"),
        ),
        (
            by(format!(
                "jdbc:sqlserver://127.0.0.1:{port};databaseName=plant;user={USER};password={{{PASSWORD}}};encrypt=true;\
                 trustServerCertificate=true"
            )),
            format!("127.0.0.1,{port}"),
        ),
        (
            Target {
                login: tds::login(),
                database: Some("plant".into()),
                ..by(format!("server=127.0.0.1,{port};encrypt=true;trustservercertificate=true"))
            },
            format!("127.0.0.1,{port}"),
        ),
    ] {
        assert_eq!(target.to_string(), shown);
        if let Err(error) = tds::store(target).open_output().await {
            unreachable!("{shown}: {error}");
        }
    }
}

/// The browser service tells the port of an instance. A machine that has a real one is left alone.
#[tokio::test]
async fn an_instance_is_asked_for_by_its_name() {
    let Ok(browser) = UdpSocket::bind(BROWSER) else {
        eprintln!("left out: {BROWSER} is somebody's");
        return;
    };
    let server = Server::start().unwrap();
    let (port, patience) = (server.port(), Duration::from_secs(60));
    browser.set_read_timeout(Some(patience)).unwrap();
    let answering = std::thread::spawn(move || {
        let mut asked = [0; 64];
        let (length, who) = browser.recv_from(&mut asked).unwrap();
        let said =
            format!("ServerName;X;InstanceName;PLANTA;IsClustered;No;Version;16.0.1000.6;tcp;{port};;");
        let length_said = u16::try_from(said.len()).unwrap().to_le_bytes();
        browser.send_to(&[&[5], &length_said[..], said.as_bytes()].concat(), who).unwrap();
        asked[..length].to_vec()
    });
    let opened = tds::store(at("127.0.0.1", None, Some("PLANTA"))).open_output().await;
    assert_eq!(answering.join().unwrap(), b"\x04PLANTA");
    assert!(opened.is_ok(), "{}", opened.err().unwrap());
}

/// A plant with a reading of this moment.
async fn plant(server: &Server) -> SideConnection {
    let mut plant = SideConnection::of(&tds::connection_string(server.port(), PLAIN), "plant").await.unwrap();
    plant.run(&ddl::input(&TableNames::default().input)).await.unwrap();
    plant
        .run("INSERT INTO dbo.datos_proceso (datetime, variable_name, value) SELECT GETDATE(), 'T1', 1")
        .await
        .unwrap();
    plant
}

#[tokio::test]
async fn readings_come_from_one_server_and_verdicts_go_to_another() {
    let (one, other) = (Server::start().unwrap(), Server::start().unwrap());
    plant(&one).await;
    let target = |server: &Server| tds::target(server.port(), PLAIN, "plant");
    let store = SqlServerStore {
        input: target(&one),
        output: target(&other),
        tables: TableNames::default(),
        clock: PlantClock::default(),
    };
    let mut worker = Worker::new(worker_settings(), Box::new(store), echo().await, ReloadSlots::default());
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
    let mut there = SideConnection::of(&tds::connection_string(other.port(), PLAIN), "plant").await.unwrap();
    assert_eq!(there.rows("SELECT ds FROM dbo.anomalies_detector", &[]).await.unwrap().len(), 1);
}

/// A worker that starts before its database waits for it. It says so once, and says once that it is
/// back.
#[tokio::test]
async fn a_database_that_comes_up_later_is_waited_for() {
    let (lines, _guard) = Lines::listen();
    let server = Server::start().unwrap();
    let mut plant = plant(&server).await;
    for _ in 0..2 {
        let text = "Database 'plant' is being recovered. Waiting until recovery is finished.";
        server.fault(Fault::login(SqlError::new(922, 14, text)));
    }
    let store = tds::store(tds::target(server.port(), PLAIN, "plant"));
    let mut worker = Worker::new(worker_settings(), Box::new(store), echo().await, ReloadSlots::default());
    let judged = async {
        // Until there is such a table, and a row in it.
        let verdicts = "SELECT ds FROM dbo.anomalies_detector";
        while !plant.rows(verdicts, &[]).await.is_ok_and(|verdicts| verdicts.len() == 1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let end = schedule::run(&mut worker, Duration::from_secs(3600), false, judged).await;
    assert!(matches!(end, ScheduleEnd::Stopped), "{end:?}");
    let said = lines.take();
    let count = |part: &str| said.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count("ERROR the database is out of reach, trying again until it is back: "), 1, "{said:#?}");
    assert_eq!(count("INFO the database is back after "), 1, "{said:#?}");
    assert_eq!(said.iter().filter(|line| line.starts_with("ERROR")).count(), 1, "{said:#?}");
}
