//! From a target to a session that is set up: name, TCP, TLS, login, redirects.
//!
//! The connect timeout applies to all of it together. A failure leaves nothing behind.

use tiberius::error::Error as DriverError;
use tiberius::{Client, Config, SqlBrowser};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::error::{Error, Result};
use super::sql;
use super::target::Target;
use crate::store::ErrorKind;

/// A logged-in session.
pub(super) type SqlSession = Client<Compat<TcpStream>>;

/// Azure redirects a client once, from its gateway to the node; a cycle of redirects is an error of
/// configuration.
const MOST_REDIRECTS: usize = 3;

/// The port of the browser service, which knows the port of an instance.
const BROWSER: &str = ":1434";

/// Connects and logs in. The session's settings hold for its life; returns its database.
pub(super) async fn connect(target: &Target) -> Result<(SqlSession, String)> {
    let limit = target.timeouts.connect;
    match tokio::time::timeout(limit, log_in(target)).await {
        Ok(done) => done,
        Err(_) => Err(Error::Found(
            ErrorKind::Connection,
            format!(
                "no connection within {} s; is the server up, and does a firewall block it?",
                limit.as_secs_f64()
            ),
        )),
    }
}

async fn log_in(target: &Target) -> Result<(SqlSession, String)> {
    let mut config = target.driver()?;
    for _ in 0..=MOST_REDIRECTS {
        let stream = open_stream(&config).await.map_err(|error| unreachable(&error))?;
        match Client::connect(config.clone(), stream.compat_write()).await {
            Ok(session) => return set_up(session, target).await,
            Err(DriverError::Routing { host, port }) => {
                config.host(host);
                config.port(port);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Found(
        ErrorKind::Connection,
        format!("it redirected the connection more than {MOST_REDIRECTS} times; check the server's name"),
    ))
}

/// The browser service is asked for a named instance without a port.
async fn open_stream(config: &Config) -> Result<TcpStream, DriverError> {
    let address = config.get_addr();
    if address.ends_with(BROWSER) || config.get_multi_subnet_failover() {
        return TcpStream::connect_named(config).await;
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(error: &DriverError) -> Error {
    let said = match error {
        DriverError::Io { message, .. } => message.clone(),
        other => other.to_string(),
    };
    Error::Found(
        ErrorKind::Connection,
        format!(
            "it cannot be reached ({said}); is the server up, is TCP/IP on, and are host and port or instance right?"
        ),
    )
}

async fn set_up(mut session: SqlSession, target: &Target) -> Result<(SqlSession, String)> {
    let row = session.simple_query(sql::session::set_up(target.timeouts.lock)).await?.into_row().await?;
    let database = row.and_then(|row| row.get::<&str, _>(0).map(str::to_owned));
    Ok((session, database.unwrap_or_default()))
}
