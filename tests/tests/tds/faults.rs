//! The errors that a server sends, as the store reports them: their class, which decides what the
//! cycle does, and a text with the server's own words and never the password. The numbers and texts
//! are SQL Server's. Here the fake server sends them.

use std::path::PathBuf;

use fake_tds::{Fault, PASSWORD, Server, SqlError, What, When};
use host::counts::Counts;
use host::state::State;
use host::store::sqlserver::{Address, Encryption, Target, Trust};
use host::store::{Commit, Connector, ErrorKind, SqlServerStore, StoreError};
use tests::conformance::{state, verdict};
use tests::sqlserver::SideConnection;
use tests::tds;

const WORKER: &str = "line 1";

/// A store on a fresh server, encrypted, with its tables.
async fn begin(server: &Server) -> SqlServerStore {
    let store = tds::store(encrypted(server.port(), Trust::Any));
    let mut visitor =
        SideConnection::of(&tds::connection_string(server.port(), tds::PLAIN), "plant").await.unwrap();
    visitor.run(&host::store::schema::sqlserver::input(&store.tables.input)).await.unwrap();
    store.open().await.unwrap().1.ensure_tables().await.unwrap();
    store
}

fn encrypted(port: u16, trust: Trust) -> Target {
    let address = Address::Server {
        host: "localhost".into(),
        port: Some(port),
        instance: None,
        encryption: Encryption::Whole,
        trust,
    };
    Target { address, database: Some("plant".into()), login: tds::login(), timeouts: tds::patient() }
}

/// Everything that an error could show.
fn shown(error: &StoreError) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    shown
}

fn expect(error: &StoreError, kind: ErrorKind, words: &[&str], what: &str) {
    assert_eq!(error.kind, kind, "{what}: {error}");
    for word in words {
        assert!(error.message.contains(word), "{what}: `{word}` is missing in: {error}");
    }
    assert!(!shown(error).contains(PASSWORD), "{what}: the password is shown");
}

#[tokio::test]
async fn a_login_that_fails_is_told_by_what_can_be_done() {
    let server = Server::start().unwrap();
    let store = begin(&server).await;
    for (number, severity, message, kind) in [
        (18_456, 14, "Login failed for user 'worker'.", ErrorKind::Permission),
        (
            18_487,
            14,
            "Login failed for user 'worker'. Reason: The password of the account has expired.",
            ErrorKind::Permission,
        ),
        (
            4060,
            11,
            "Cannot open database \"plant\" requested by the login. The login failed.",
            ErrorKind::Schema,
        ),
        (
            40_613,
            17,
            "Database 'plant' on server 's' is not currently available. Please retry later.",
            ErrorKind::Connection,
        ),
        (
            40_501,
            20,
            "The service is currently busy. Retry the request after 10 seconds.",
            ErrorKind::Connection,
        ),
        (10_928, 16, "Resource ID: 1. The session limit for the database is 300.", ErrorKind::Connection),
    ] {
        server.fault(Fault::login(SqlError::new(number, severity, message)));
        let error = store.open().await.err().expect("this login fails");
        expect(&error, kind, &["localhost", message, &number.to_string()], message);
        store.open().await.unwrap();
    }
    server.fault(Fault { when: When::Login, what: What::Hang });
    let error = store.open().await.err().expect("nobody answers");
    expect(&error, ErrorKind::Connection, &["localhost"], "a login that is not answered");
}

#[tokio::test]
async fn a_redirect_is_followed_to_where_it_leads() {
    let (gateway, node) = (Server::start().unwrap(), Server::start().unwrap());
    let store = begin(&node).await;
    let at_gateway = tds::store(encrypted(gateway.port(), Trust::Any));
    // Both connections of a store are routed to another server.
    for _ in 0..2 {
        gateway.fault(Fault::route("localhost", node.port()));
    }
    let (_, mut output) = at_gateway.open().await.unwrap();
    let epoch = output.claim(WORKER).await.unwrap().epoch;
    assert_eq!(gateway.faults_left(), 0);
    assert_eq!(store.open().await.unwrap().1.claim(WORKER).await.unwrap().epoch, epoch + 1);
    // Routing in a circle is given up.
    for _ in 0..10 {
        gateway.fault(Fault::route("localhost", gateway.port()));
    }
    let error = at_gateway.open().await.err().expect("a circle");
    expect(&error, ErrorKind::Connection, &["redirected the connection"], "a circle");
}

/// Each fails a statement of a commit, which then leaves nothing and works when it is tried again:
/// on the same connection if that is usable, else on a new one.
#[tokio::test]
async fn a_commit_that_fails_is_told_by_its_class_and_leaves_nothing() {
    const UPDATE: &str = "UPDATE [dbo].[anomaly_worker_state]";
    const INSERT: &str = "INSERT INTO [dbo].[anomalies_detector]";
    let server = Server::start().unwrap();
    let store = begin(&server).await;
    let (_, mut output) = store.open().await.unwrap();
    let mut epoch = output.claim(WORKER).await.unwrap().epoch;
    let mut inserted = 0;
    for (at, number, severity, message, kind) in [
        (INSERT, 1205, 13, "Transaction (Process ID 51) was deadlocked on lock resources.", ErrorKind::Busy),
        (UPDATE, 1205, 13, "Transaction (Process ID 51) was deadlocked on lock resources.", ErrorKind::Busy),
        (
            "COMMIT",
            1205,
            13,
            "Transaction (Process ID 51) was deadlocked on lock resources.",
            ErrorKind::Busy,
        ),
        (UPDATE, 1222, 16, "Lock request time out period exceeded.", ErrorKind::Busy),
        (
            INSERT,
            9002,
            17,
            "The transaction log for database 'plant' is full due to 'LOG_BACKUP'.",
            ErrorKind::Other,
        ),
        (
            "COMMIT",
            9002,
            17,
            "The transaction log for database 'plant' is full due to 'LOG_BACKUP'.",
            ErrorKind::Other,
        ),
        (INSERT, 1105, 17, "Could not allocate space for object 'dbo.anomalies_detector'.", ErrorKind::Other),
        (
            INSERT,
            229,
            14,
            "The INSERT permission was denied on the object 'anomalies_detector'.",
            ErrorKind::Permission,
        ),
        (
            UPDATE,
            3906,
            16,
            "Failed to update database \"plant\" because the database is read-only.",
            ErrorKind::Permission,
        ),
        (INSERT, 208, 16, "Invalid object name 'dbo.anomalies_detector'.", ErrorKind::Schema),
        ("INSERT BULK", 9002, 17, "The transaction log for database 'tempdb' is full.", ErrorKind::Other),
        (
            INSERT,
            596,
            21,
            "Cannot continue the execution because the session is in the kill state.",
            ErrorKind::Connection,
        ),
        (
            UPDATE,
            40_613,
            17,
            "Database 'plant' on server 's' is not currently available.",
            ErrorKind::Connection,
        ),
        (INSERT, 8134, 16, "Divide by zero error encountered.", ErrorKind::Other),
    ] {
        let what = format!("{number} at {at}");
        let rows = [verdict("2025-01-15 10:00:00", &format!("T{inserted}"))];
        let counts = Counts { judged: inserted + 1, ..Counts::default() };
        let before = store.open().await.unwrap().1.peek(WORKER).await.unwrap();
        server.fault(Fault::fail(at, SqlError::new(number, severity, message)));
        let error =
            output.commit(WORKER, &Commit::of(&rows, &State { counts, ..state(epoch) })).await.unwrap_err();
        assert_eq!(server.faults_left(), 0, "{what}: it did not strike");
        expect(&error, kind, &["plant", message, &number.to_string()], &what);
        assert_eq!(count(&server).await, inserted, "{what}");
        assert_eq!(store.open().await.unwrap().1.peek(WORKER).await.unwrap(), before, "{what}");
        if kind == ErrorKind::Connection {
            output = store.open().await.unwrap().1;
            epoch = output.claim(WORKER).await.unwrap().epoch;
        }
        let done = output.commit(WORKER, &Commit::of(&rows, &State { counts, ..state(epoch) })).await;
        assert_eq!(done.unwrap(), 1, "{what}");
        inserted += 1;
    }
    assert_eq!(count(&server).await, inserted);
}

/// The input is only read: whatever fails, the same call works at the next try.
#[tokio::test]
async fn a_read_that_fails_is_told_by_its_class() {
    const SELECT: &str = "FROM [dbo].[datos_proceso]";
    let server = Server::start().unwrap();
    let store = begin(&server).await;
    let (mut input, _) = store.open().await.unwrap();
    input.layout().await.unwrap();
    for (number, severity, message, kind) in [
        (1205, 13, "Transaction (Process ID 51) was deadlocked on lock resources.", ErrorKind::Busy),
        (1222, 16, "Lock request time out period exceeded.", ErrorKind::Busy),
        (229, 14, "The SELECT permission was denied on the object 'datos_proceso'.", ErrorKind::Permission),
        (208, 16, "Invalid object name 'dbo.datos_proceso'.", ErrorKind::Schema),
        (6005, 10, "SHUTDOWN is in progress.", ErrorKind::Connection),
        (
            823,
            24,
            "The operating system returned error 5 to SQL Server during a read.",
            ErrorKind::Connection,
        ),
    ] {
        server.fault(Fault::fail(SELECT, SqlError::new(number, severity, message)));
        let error = input.last_key().await.unwrap_err();
        expect(&error, kind, &["plant", message, &number.to_string()], message);
        if matches!(kind, ErrorKind::Connection | ErrorKind::Schema) {
            input = store.open().await.unwrap().0;
        }
        assert_eq!(input.last_key().await.unwrap(), None, "{message}");
    }
}

/// The connection is lost before, during and after the commit. The state row shows whether it was
/// done.
#[tokio::test]
async fn a_lost_answer_is_told_from_a_lost_commit_by_the_state_row() {
    for (when, happened) in [
        (When::Statement("INSERT BULK".into()), false),
        (When::Statement("UPDATE [dbo].[anomaly_worker_state]".into()), false),
        (When::After("INSERT INTO [dbo].[anomalies_detector]".into()), false),
        (When::Statement("COMMIT".into()), false),
        (When::After("COMMIT".into()), true),
    ] {
        let server = Server::start().unwrap();
        let store = begin(&server).await;
        let (_, mut output) = store.open().await.unwrap();
        let epoch = output.claim(WORKER).await.unwrap().epoch;
        let rows = [verdict("2025-01-15 10:00:00", "T1")];
        server.fault(Fault { when: when.clone(), what: What::Hang });
        let error = output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap_err();
        expect(&error, ErrorKind::Connection, &["plant"], &format!("{when:?}"));
        assert_eq!(server.faults_left(), 0, "{when:?}");
        // The connection is not used again.
        assert_eq!(output.peek(WORKER).await.unwrap_err().kind, ErrorKind::Connection, "{when:?}");

        let mut output = store.open().await.unwrap().1;
        let found = output.peek(WORKER).await.unwrap();
        assert_eq!(found.and_then(|state| state.watermark).is_some(), happened, "{when:?}");
        assert_eq!(count(&server).await, u64::from(happened), "{when:?}");
        let again = output.commit(WORKER, &Commit::of(&rows, &state(epoch))).await.unwrap();
        assert_eq!(again, u64::from(!happened), "{when:?}");
        assert_eq!(count(&server).await, 1, "{when:?}");
    }
}

#[tokio::test]
async fn the_servers_certificate_is_checked_and_a_ca_file_or_a_word_lets_it_pass() {
    let (server, stranger) = (Server::start().unwrap(), Server::start().unwrap());
    begin(&server).await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    for (trust, enters) in [
        (Trust::AlsoFile(file("ours.pem", server.ca())), true),
        (Trust::Any, true),
        (Trust::AlsoFile(file("another.pem", stranger.ca())), false),
        (Trust::System, false),
    ] {
        let store = tds::store(encrypted(server.port(), trust.clone()));
        match store.open().await {
            Ok(_) => assert!(enters, "{trust:?}"),
            Err(error) => {
                assert!(!enters, "{trust:?}: {error}");
                expect(&error, ErrorKind::Connection, &["ca_file", "trust_server_certificate"], "TLS");
            }
        }
    }
    let missing = tds::store(encrypted(server.port(), Trust::AlsoFile(directory.path().join("none.pem"))));
    let error = missing.open().await.err().expect("there is no such file");
    expect(&error, ErrorKind::Permission, &["none.pem"], "a missing file");
}

/// The number of verdicts, as another connection sees them.
async fn count(server: &Server) -> u64 {
    let direct = tds::connection_string(server.port(), tds::PLAIN);
    let mut visitor = SideConnection::of(&direct, "plant").await.unwrap();
    let rows = visitor.rows("SELECT COUNT(*) FROM dbo.anomalies_detector", &[]).await.unwrap();
    u64::try_from(rows[0].get::<i32, _>(0).unwrap()).unwrap()
}
