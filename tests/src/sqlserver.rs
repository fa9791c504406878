//! A SQL Server for tests: the one that `TEST_SQLSERVER` names, with a database of its own for each
//! test.
//!
//! The variable holds an ADO.NET connection string of a login that may create databases and logins.
//! Where it is not set, the tests say so and pass.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use host::secret::Secret;
use host::store::sqlserver::{Address, Login, Password, Target, Timeouts};
use tiberius::{Client, Config, Row, ToSql};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// Names the server for the tests.
pub const VARIABLE: &str = "TEST_SQLSERVER";

/// The password of a login that a test makes.
pub const PASSWORD: &str = "Only-4-tests!";

/// A server that this process's tests use instead.
pub static STAND_IN: OnceLock<String> = OnceLock::new();

/// The connection string, if there is a server.
pub fn server() -> Option<String> {
    if let Some(server) = STAND_IN.get() {
        return Some(server.clone());
    }
    std::env::var(VARIABLE).ok().filter(|server| !server.is_empty())
}

/// Another user's connection: the plant's, or that of a person who reads.
pub struct SideConnection(Client<Compat<TcpStream>>);

impl SideConnection {
    /// Connects to a database, as the login of the connection string.
    pub async fn enter(database: &str) -> Result<Self> {
        let mut config = config()?;
        config.database(database);
        Self::connect(config).await
    }

    /// Connects to the database of a store.
    pub async fn of(server: &str, database: &str) -> Result<Self> {
        let mut config = Config::from_ado_string(server)?;
        config.database(database);
        Self::connect(config).await
    }

    async fn connect(config: Config) -> Result<Self> {
        let stream = TcpStream::connect(config.get_addr()).await?;
        stream.set_nodelay(true)?;
        Ok(Self(Client::connect(config, stream.compat_write()).await?))
    }

    /// Runs statements that take no parameters.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        self.0.simple_query(sql).await.with_context(|| sql.to_owned())?.into_results().await?;
        Ok(())
    }

    /// Runs one statement.
    pub async fn execute(&mut self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        Ok(self.0.execute(sql, values).await.with_context(|| sql.to_owned())?.total())
    }

    /// A query's rows.
    pub async fn rows(&mut self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<Row>> {
        Ok(self.0.query(sql, values).await.with_context(|| sql.to_owned())?.into_first_result().await?)
    }

    /// The session's number, by which another can kill it.
    pub async fn id(&mut self) -> Result<i32> {
        let rows = self.rows("SELECT CAST(@@SPID AS int)", &[]).await?;
        rows.first().and_then(|row| row.get(0)).context("no session number")
    }
}

fn config() -> Result<Config> {
    Ok(Config::from_ado_string(&server().with_context(|| format!("{VARIABLE} is not set"))?)?)
}

/// A database of a test's own, which is deleted when this is dropped.
pub struct Database {
    pub name: String,
    logins: std::sync::Mutex<Vec<String>>,
}

impl Database {
    /// Creates it. Where the server can, its texts are UTF-8, so that a VARCHAR holds any name.
    pub async fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let name = format!("aw_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut visitor = SideConnection::connect(config()?).await?;
        // Not every server can create two at a time, and other processes run tests too.
        let _alone = ALONE.lock().await;
        let utf8 = format!("CREATE DATABASE {name} COLLATE Latin1_General_100_CI_AS_SC_UTF8");
        let mut left = 10;
        while visitor.run(&utf8).await.is_err() {
            let Err(error) = visitor.run(&format!("CREATE DATABASE {name}")).await else { break };
            left -= 1;
            if left == 0 {
                bail!(error);
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        Ok(Self { name, logins: std::sync::Mutex::default() })
    }

    /// The store's access to it.
    pub fn target(&self) -> Result<Target> {
        Ok(Target {
            address: Address::ConnectionString(Secret::new(
                server().with_context(|| format!("{VARIABLE} is not set"))?,
            )),
            database: Some(self.name.clone()),
            login: Login::OfConnectionString,
            timeouts: Timeouts { lock: std::time::Duration::from_secs(2), ..Timeouts::default() },
        })
    }

    /// The access with a login of its own, whose user may do here only what the statements grant.
    /// `{user}` in them is its name.
    pub async fn login(&self, grants: &[&str]) -> Result<Target> {
        let user = self.new_login(grants).await?;
        let password = Password::Given(Secret::new(PASSWORD));
        Ok(Target { login: Login::Sql { user, password }, ..self.target()? })
    }

    /// Makes such a login. Returns its name.
    pub async fn new_login(&self, grants: &[&str]) -> Result<String> {
        let mut visitor = SideConnection::enter(&self.name).await?;
        let user = {
            let mut logins = self.logins.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let user = format!("{}_{}", self.name, logins.len());
            logins.push(user.clone());
            user
        };
        visitor.run(&format!("CREATE LOGIN {user} WITH PASSWORD = '{PASSWORD}'")).await?;
        visitor.run(&format!("CREATE USER {user} FOR LOGIN {user}")).await?;
        for grant in grants {
            visitor.run(&grant.replace("{user}", &user)).await?;
        }
        Ok(user)
    }

    async fn drop_it(name: String, logins: Vec<String>) -> Result<()> {
        let mut visitor = SideConnection::connect(config()?).await?;
        // A server that does not know this ends its sessions by itself in a moment.
        let _ = visitor.run(&format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE")).await;
        let mut left = 20;
        while let Err(error) = visitor.run(&format!("DROP DATABASE {name}")).await {
            left -= 1;
            if left == 0 {
                bail!(error);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        for login in logins {
            visitor.run(&format!("DROP LOGIN {login}")).await?;
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let logins = self.logins.get_mut().map(std::mem::take).unwrap_or_default();
        let dropped = apart(Self::drop_it(self.name.clone(), logins));
        if let Err(error) = dropped {
            eprintln!("database {} is left behind: {error:#}", self.name);
        }
    }
}

/// Runs a future to its end in code that cannot await.
fn apart(work: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
    });
    thread.join().unwrap_or_else(|_| bail!("it panicked"))
}
