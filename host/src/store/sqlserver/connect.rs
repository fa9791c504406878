//! From a target to a session that is set up: name, TCP, TLS, login, redirects.
//!
//! All of it together has the connect timeout. What fails here leaves nothing behind.

use tiberius::error::Error;
use tiberius::{Client, Config, SqlBrowser};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::fault::{Answer, Fault};
use super::sql;
use super::target::Target;
use crate::store::Trouble;

/// A logged-in session.
pub(super) type Session = Client<Compat<TcpStream>>;

/// Azure sends a client on once, from its gateway to the node; a circle is somebody's mistake.
const MOST_REDIRECTS: usize = 3;

/// Where the browser service listens, which knows the port of an instance.
const BROWSER: &str = ":1434";

/// Connects and logs in. The session's settings hold for its life; its database is told.
pub(super) async fn connect(target: &Target) -> Answer<(Session, String)> {
    let limit = target.timeouts.connect;
    match tokio::time::timeout(limit, log_in(target)).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Found(
            Trouble::Connection,
            format!(
                "no session within {} s; is the server up, and does a firewall let us through?",
                limit.as_secs_f64()
            ),
        )),
    }
}

async fn log_in(target: &Target) -> Answer<(Session, String)> {
    let mut config = target.driver()?;
    for _ in 0..=MOST_REDIRECTS {
        let stream = reach(&config).await.map_err(|error| unreachable(&error))?;
        match Client::connect(config.clone(), stream.compat_write()).await {
            Ok(session) => return set_up(session, target).await,
            Err(Error::Routing { host, port }) => {
                config.host(host);
                config.port(port);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault::Found(Trouble::Connection, format!("it sent us on more than {MOST_REDIRECTS} times")))
}

/// A named instance without a port of its own is asked for at the browser service.
async fn reach(config: &Config) -> Result<TcpStream, Error> {
    let address = config.get_addr();
    if address.ends_with(BROWSER) || config.get_multi_subnet_failover() {
        return TcpStream::connect_named(config).await;
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(error: &Error) -> Fault {
    let said = match error {
        Error::Io { message, .. } => message.clone(),
        other => other.to_string(),
    };
    Fault::Found(
        Trouble::Connection,
        format!(
            "it cannot be reached ({said}); is the server up, is TCP/IP on, and are host and port or instance right?"
        ),
    )
}

async fn set_up(mut session: Session, target: &Target) -> Answer<(Session, String)> {
    let row = session.simple_query(sql::session::set_up(target.timeouts.lock)).await?.into_row().await?;
    let database = row.and_then(|row| row.get::<&str, _>(0).map(str::to_owned));
    Ok((session, database.unwrap_or_default()))
}
