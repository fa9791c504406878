//! The fake server, used by a real driver: the store's tests rely on this.

use std::time::Duration;

use anyhow::Result;
use fake_tds::{Fault, PASSWORD, Server, SqlError, USER};
use tiberius::error::Error;
use tiberius::time::chrono::NaiveDateTime;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, IntoSql, TokenRow};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

type Session = Client<Compat<TcpStream>>;

fn config(server: &Server) -> Config {
    let mut config = Config::new();
    config.host("localhost");
    config.port(server.port());
    config.database("plant");
    config.authentication(AuthMethod::sql_server(USER, PASSWORD));
    config.encryption(EncryptionLevel::NotSupported);
    config
}

async fn connect(config: Config) -> Result<Session, Error> {
    let stream =
        TcpStream::connect(("127.0.0.1", config.get_addr().rsplit(':').next().unwrap().parse().unwrap()));
    Client::connect(config, stream.await.unwrap().compat_write()).await
}

async fn run(session: &mut Session, sql: &str) -> Result<(), Error> {
    session.simple_query(sql).await?.into_results().await?;
    Ok(())
}

fn number(error: &Error) -> u32 {
    match error {
        Error::Server(token) => token.code(),
        other => panic!("no error of the server's: {other}"),
    }
}

#[tokio::test]
async fn the_certificate_is_checked_unless_told_otherwise() {
    let (server, stranger) = (Server::start().unwrap(), Server::start().unwrap());
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = config(&server);
        config.encryption(EncryptionLevel::Required);
        change(&mut config);
        config
    };
    let mut session = connect(with(&|config| config.trust_cert_ca_bundle(server.ca()))).await.unwrap();
    let row = session.simple_query("SELECT 1").await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(1));
    connect(with(&|config| config.trust_cert())).await.unwrap();
    for refused in [with(&|config| config.trust_cert_ca_bundle(stranger.ca())), with(&|_| {})] {
        assert!(matches!(connect(refused).await.unwrap_err(), Error::Tls(_)));
    }
}

#[tokio::test]
async fn a_login_is_checked() {
    let server = Server::start().unwrap();
    let mut wrong = config(&server);
    wrong.authentication(AuthMethod::sql_server(USER, "guessed"));
    assert_eq!(number(&connect(wrong).await.unwrap_err()), 18_456);
    let mut nowhere = config(&server);
    nowhere.database("nowhere");
    assert_eq!(number(&connect(nowhere).await.unwrap_err()), 4060);
    server.fault(Fault::route("db7.example.org", 11_000));
    let Err(Error::Routing { host, port }) = connect(config(&server)).await else { panic!("not sent on") };
    assert_eq!((&*host, port), ("db7.example.org", 11_000));
    connect(config(&server)).await.unwrap();
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    let server = Server::start().unwrap();
    let mut session = connect(config(&server)).await.unwrap();
    let at = NaiveDateTime::parse_from_str("2025-01-15 10:00:00.5034567", "%Y-%m-%d %H:%M:%S%.f").unwrap();
    let long = "ñ€漢".repeat(5_000);
    let blob = vec![0_u8, 1, 255];
    let none: Option<&str> = None;
    let sql = "SELECT @P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, CAST(@P6 AS datetime), CAST(@P3 AS decimal(18,6)), \
               CAST(@P3 AS float), COUNT_BIG(*)";
    let values: &[&dyn tiberius::ToSql] = &[&7_i64, &-5_i32, &-2.5_f64, &true, &&*long, &at, &none, &&*blob];
    let row = session.query(sql, values).await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<i64, _>(0), Some(7));
    assert_eq!(row.get::<i32, _>(1), Some(-5));
    assert_eq!(row.get::<f64, _>(2), Some(-2.5));
    assert_eq!(row.get::<bool, _>(3), Some(true));
    assert_eq!(row.get::<&str, _>(4), Some(&*long));
    assert_eq!(row.get::<NaiveDateTime, _>(5), Some(at));
    assert_eq!(row.get::<&str, _>(6), None);
    assert_eq!(row.get::<&[u8], _>(7), Some(&*blob));
    assert_eq!(row.get::<NaiveDateTime, _>(8).unwrap().to_string(), "2025-01-15 10:00:00.503333333");
    assert_eq!(row.get::<tiberius::numeric::Numeric, _>(9).map(f64::from), Some(-2.5));
    assert_eq!(row.get::<f64, _>(10), Some(-2.5));
    assert_eq!(row.get::<i64, _>(11), Some(1));
}

/// Of a text of more than 2,000 characters the driver announces `max` and then sends a size, which
/// SQL Server refuses.
#[tokio::test]
async fn a_bulk_load_sends_the_types_that_it_announced() {
    for (kind, expected) in [
        ("NVARCHAR(MAX)", None),
        ("NVARCHAR(2000)", None),
        ("NVARCHAR(2001)", Some(4816)),
        ("NVARCHAR(4000)", Some(4816)),
        ("VARCHAR(8000)", None),
    ] {
        let server = Server::start().unwrap();
        let mut session = connect(config(&server)).await.unwrap();
        run(&mut session, &format!("CREATE TABLE #staged ([n] FLOAT NULL, [t] {kind} NULL)")).await.unwrap();
        let mut load = session.bulk_insert("#staged").await.unwrap();
        let mut row = TokenRow::new();
        row.push(1.0_f64.into_sql());
        row.push("text".into_sql());
        load.send(row).await.unwrap();
        let found = load.finalize().await.err().map(|error| number(&error));
        assert_eq!(found, expected, "{kind}");
    }
}

#[tokio::test]
async fn a_bulk_load_fills_a_table_of_the_session() {
    let server = Server::start().unwrap();
    let mut session = connect(config(&server)).await.unwrap();
    let table = "CREATE TABLE #staged ([n] FLOAT NULL, [ds] DATETIME2 NULL, [variable] NVARCHAR(MAX) NULL, [f] BIT NULL)";
    run(&mut session, table).await.unwrap();
    let at = NaiveDateTime::parse_from_str("2025-01-15 10:00:00", "%Y-%m-%d %H:%M:%S").unwrap();
    let mut load = session.bulk_insert("#staged").await.unwrap();
    for n in 0..1_000 {
        let mut row = TokenRow::new();
        row.push(f64::from(n).into_sql());
        row.push(at.into_sql());
        row.push(if n == 0 { None } else { Some(format!("variable {n}")) }.into_sql());
        row.push((n % 2 == 0).into_sql());
        load.send(row).await.unwrap();
    }
    assert_eq!(load.finalize().await.unwrap().total(), 1_000);
    let sql = "SELECT COUNT(*), COUNT([variable]), SUM([n]), MAX([ds]) FROM #staged WHERE [f] = 1";
    let row = session.simple_query(sql).await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!((row.get::<i32, _>(0), row.get::<i32, _>(1)), (Some(500), Some(499)));
    assert_eq!((row.get::<f64, _>(2), row.get::<NaiveDateTime, _>(3)), (Some(249_500.0), Some(at)));
    // Nobody else sees it.
    let mut other = connect(config(&server)).await.unwrap();
    let error = run(&mut other, sql).await.unwrap_err();
    assert_eq!(number(&error), 208);
}

#[tokio::test]
async fn what_is_not_committed_is_taken_back() {
    let server = Server::start().unwrap();
    let mut session = connect(config(&server)).await.unwrap();
    run(
        &mut session,
        "CREATE TABLE [dbo].[t] ([a] DECIMAL(5,2) NOT NULL PRIMARY KEY, [b] DATETIME DEFAULT GETDATE())",
    )
    .await
    .unwrap();
    run(&mut session, "SET XACT_ABORT ON; BEGIN TRANSACTION; INSERT INTO dbo.t (a) VALUES (1.005), (2)")
        .await
        .unwrap();
    let mut other = connect(config(&server)).await.unwrap();
    run(&mut other, "SET LOCK_TIMEOUT 20").await.unwrap();
    let count = "IF (SELECT COUNT(*) FROM dbo.t) <> 0 THROW 50001, N'seen', 1";
    run(&mut other, count).await.unwrap();
    let waited = run(&mut other, "INSERT INTO dbo.t (a) VALUES (3)").await.unwrap_err();
    assert_eq!(number(&waited), 1222);
    // It ended with its session, so that the next one does not wait.
    drop(session);
    run(&mut other, "SET LOCK_TIMEOUT 60000; INSERT INTO dbo.t (a) VALUES (3)").await.unwrap();
    for (sql, expected) in [
        ("BEGIN TRANSACTION; INSERT INTO dbo.t (a) VALUES (4); INSERT INTO dbo.t (a) VALUES (3)", 2627),
        ("INSERT INTO dbo.t (a) VALUES (NULL)", 515),
        ("INSERT INTO dbo.t (a) VALUES (999.995)", 8115),
        ("SELECT 1 FROM dbo.u", 208),
        ("SELECT u FROM dbo.t", 207),
        ("MERGE dbo.t USING dbo.u ON 1 = 1", 46_999),
    ] {
        let sql = format!("SET XACT_ABORT ON; {sql}");
        assert_eq!(number(&run(&mut other, &sql).await.unwrap_err()), expected, "{sql}");
    }
    let row = other.simple_query("SELECT COUNT(*), MAX(a), @@TRANCOUNT FROM dbo.t").await.unwrap();
    let row = row.into_row().await.unwrap().unwrap();
    assert_eq!((row.get::<i32, _>(0), row.get::<i32, _>(2)), (Some(1), Some(0)));
}

#[tokio::test]
async fn an_applock_goes_with_its_session() {
    let server = Server::start().unwrap();
    let lock = "DECLARE @r int; EXEC @r = sp_getapplock @Resource = @P1, @LockMode = 'Exclusive', @LockOwner = 'Session', \
                @LockTimeout = @P2; SELECT @r";
    let get = async |session: &mut Session, wait: i32| {
        let row = session.query(lock, &[&"line 1", &wait]).await.unwrap().into_row().await.unwrap().unwrap();
        row.get::<i32, _>(0).unwrap()
    };
    let mut holder = connect(config(&server)).await.unwrap();
    let mut waiting = connect(config(&server)).await.unwrap();
    assert_eq!(get(&mut holder, 0).await, 0);
    assert_eq!(get(&mut waiting, 0).await, -1);
    drop(holder);
    assert!(get(&mut waiting, 60_000).await >= 0);
}

#[tokio::test]
async fn a_fault_strikes_once_where_it_was_told() {
    let server = Server::start().unwrap();
    let mut session = connect(config(&server)).await.unwrap();
    server.fault(Fault::fail("select 2", SqlError::new(1205, 13, "Deadlocked.")));
    for (sql, expected) in [("SELECT 1", None), ("SELECT 2", Some(1205)), ("SELECT 2", None)] {
        let done = run(&mut session, sql).await;
        assert_eq!(done.err().as_ref().map(number), expected, "{sql}");
    }
    assert_eq!(server.faults_left(), 0);
    server.cut();
    let lost = tokio::time::timeout(Duration::from_secs(60), run(&mut session, "SELECT 1")).await.unwrap();
    assert!(matches!(lost, Err(Error::Io { .. })));
}
