//! The store for SQL Server against the fake one ([`fake_tds`]), which shows that the protocol
//! works, and never that the SQL is right.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use fake_tds::{PASSWORD, Server, USER};
use host::secret::Secret;
use host::store::sqlserver::{Address, Login, Password, Target, Timeouts};
use host::store::{PlantClock, SqlServerStore, TableNames};

use crate::sqlserver::STAND_IN;

/// Gives a fake server, over TLS, to the tests of this process that need a server.
pub fn stand_in() {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::start_in(Path::new(env!("OUT_DIR"))).unwrap());
    STAND_IN.get_or_init(|| connection_string(server.port(), ENCRYPTED));
}

/// Without encryption, so that a proxy sees the packets.
pub const PLAIN: &str = "DANGER_PLAINTEXT";

/// With encryption, whatever the certificate is.
pub const ENCRYPTED: &str = "true;trustservercertificate=true";

/// A connection string as in ADO.NET, with one of the two above.
pub fn connection_string(port: u16, encrypt: &str) -> String {
    format!("server=tcp:127.0.0.1,{port};user={USER};password=\"{PASSWORD}\";encrypt={encrypt}")
}

/// The access to a database of a fake server, or of a proxy before it.
pub fn target(port: u16, encrypt: &str, database: &str) -> Target {
    Target {
        address: Address::ConnectionString(Secret::new(connection_string(port, encrypt))),
        database: Some(database.into()),
        login: Login::OfConnectionString,
        timeouts: patient(),
    }
}

/// The only login.
pub fn login() -> Login {
    Login::Sql { user: USER.into(), password: Password::Given(Secret::new(PASSWORD)) }
}

/// What a test waits for at most: as long as a busy machine may take. What the server fails at, it
/// fails at once.
pub fn patient() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { connect: long, query: long, lock: long / 3 }
}

/// A store with input and output in one database.
pub fn store(target: Target) -> SqlServerStore {
    SqlServerStore {
        input: target.clone(),
        output: target,
        tables: TableNames::default(),
        clock: PlantClock::default(),
    }
}
