//! The server: it listens, gives each connection a thread, and keeps what they share.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::NaiveDateTime;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fault::{Fault, SqlError, What, When};
use crate::rights::Rights;
use crate::session;
use crate::wire::tls::Identity;

/// The login that has all rights.
pub const USER: &str = "worker";
/// It has special characters that a password may have, and a text that a test can search for.
pub const PASSWORD: &str = "Tr0ub4dor;'&3";

/// A running server, with its databases in a directory of its own. All of it is deleted when this
/// is dropped.
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one on a free port, with the databases `master` and `plant`.
    ///
    /// # Errors
    /// If there is no port, no directory, or no certificate can be made.
    pub fn start() -> Result<Self> {
        Self::start_in(&std::env::temp_dir())
    }

    /// The same, with its own directory in this one.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_in(directory: &Path) -> Result<Self> {
        let shared = Arc::new(Shared::new(directory)?);
        shared.create("master").map_err(SqlError::into_driver)?;
        shared.create("plant").map_err(SqlError::into_driver)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let serving = Arc::clone(&shared);
        let listening = std::thread::spawn(move || listen(&listener, &serving));
        Ok(Self { shared, port, listening: Some(listening) })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that its own certificate is from, PEM.
    pub fn ca(&self) -> &str {
        &self.shared.identity.ca
    }

    /// From now on GETDATE() is this.
    pub fn set_now(&self, now: NaiveDateTime) {
        *lock(&self.shared.now) = Some(now);
    }

    /// Adds a fault that occurs once, after those that were added before.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// How many of the faults have not occurred yet.
    pub fn faults_left(&self) -> usize {
        lock(&self.shared.faults).len()
    }

    /// The texts of the requests since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shared.requests))
    }

    /// Waits until at most this number of connections are left. What the others held is free then.
    ///
    /// # Panics
    /// If that takes a minute, which means that one is not closed.
    pub fn wait_for_connections(&self, most: usize) {
        let streams = lock(&self.shared.streams);
        let more = |streams: &mut BTreeMap<u16, TcpStream>| streams.len() > most;
        let waited = self.shared.left.wait_timeout_while(streams, Duration::from_secs(60), more);
        let timed_out = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        assert!(!timed_out, "more than {most} connections are left");
    }

    /// Closes every connection without an answer, like a server that is killed.
    pub fn cut(&self) {
        for stream in lock(&self.shared.streams).values() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The listener wakes and sees that it is to stop.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    let mut number = 50;
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        number += 1;
        sessions.retain(|session| !session.is_finished());
        let Ok(kept) = stream.try_clone() else { continue };
        lock(&shared.streams).insert(number, kept);
        let shared = Arc::clone(shared);
        sessions.push(std::thread::spawn(move || {
            let _listed = Listed { number, shared: &shared };
            // Many tests break connections on purpose, and the client sees it.
            let _ = session::serve(stream, number, &shared);
        }));
    }
    for stream in lock(&shared.streams).values() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for session in sessions {
        let _ = session.join();
    }
}

/// A session in the list of open ones. Its connection is closed with it, even by a panic.
struct Listed<'a> {
    number: u16,
    shared: &'a Shared,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        if let Some(stream) = lock(&self.shared.streams).remove(&self.number) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.shared.left.notify_all();
    }
}

/// What the sessions share.
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    pub(crate) locks: Locks,
    /// Connections that do nothing, by the database's directory. They are closed before it is
    /// removed.
    kept: Mutex<BTreeMap<String, Vec<Connection>>>,
    directory: TempDir,
    now: Mutex<Option<NaiveDateTime>>,
    faults: Mutex<Vec<Fault>>,
    requests: Mutex<Vec<String>>,
    read_only: Mutex<Vec<String>>,
    pub(crate) made: Made,
    pub(crate) rights: Rights,
    streams: Mutex<BTreeMap<u16, TcpStream>>,
    /// Told when a connection has ended.
    left: Condvar,
    stopped: AtomicBool,
}

impl Shared {
    fn new(directory: &Path) -> Result<Self> {
        Ok(Self {
            identity: Identity::new()?,
            locks: Locks::default(),
            kept: Mutex::default(),
            directory: tempfile::tempdir_in(directory)?,
            now: Mutex::default(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            read_only: Mutex::default(),
            made: Made::default(),
            rights: Rights::default(),
            streams: Mutex::default(),
            left: Condvar::new(),
            stopped: AtomicBool::new(false),
        })
    }

    pub(crate) fn now(&self) -> NaiveDateTime {
        lock(&self.now).unwrap_or_else(|| chrono::Local::now().naive_local())
    }

    pub(crate) fn note(&self, request: &str) {
        lock(&self.requests).push(request.to_owned());
    }

    /// Takes the fault for such a statement.
    pub(crate) fn fault(&self, statement: &str, after: bool) -> Option<What> {
        let mut faults = lock(&self.faults);
        if faults.is_empty() {
            return None;
        }
        let statement = plain(statement);
        let found = faults.iter().position(|fault| match &fault.when {
            When::Login => false,
            When::Statement(part) => !after && statement.contains(&plain(part)),
            When::After(part) => after && statement.contains(&plain(part)),
        })?;
        Some(faults.remove(found).what)
    }

    pub(crate) fn login_fault(&self) -> Option<What> {
        let mut faults = lock(&self.faults);
        let found = faults.iter().position(|fault| matches!(fault.when, When::Login))?;
        Some(faults.remove(found).what)
    }

    /// The names of the databases.
    pub(crate) fn databases(&self) -> Vec<String> {
        names(self.directory.path())
    }

    /// The schemas of a database; None if there is none of this name.
    pub(crate) fn schemas(&self, database: &str) -> Option<Vec<String>> {
        let directory = self.directory.path().join(encoded(database));
        directory.is_dir().then(|| names(&directory))
    }

    pub(crate) fn file(&self, database: &str, schema: &str) -> PathBuf {
        self.directory.path().join(encoded(database)).join(encoded(schema))
    }

    pub(crate) fn create(&self, database: &str) -> Result<(), SqlError> {
        std::fs::create_dir(self.directory.path().join(encoded(database))).map_err(|error| {
            SqlError::new(1801, 16, format!("Database '{database}' already exists ({error})."))
        })?;
        self.create_schema(database, "dbo")
    }

    /// Makes a schema's file, and keeps it open: the last one that closes a file locks it, and
    /// nothing waits for that.
    pub(crate) fn create_schema(&self, database: &str, schema: &str) -> Result<(), SqlError> {
        let open = || {
            let kept = Connection::open(self.file(database, schema))?;
            kept.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            // The connection opens the file only when it first reads.
            kept.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok::<_, rusqlite::Error>(kept)
        };
        let kept = open().map_err(|error| SqlError::new(1802, 16, format!("CREATE failed: {error}.")))?;
        lock(&self.kept).entry(encoded(database)).or_default().push(kept);
        Ok(())
    }

    pub(crate) fn remove(&self, database: &str) {
        lock(&self.kept).remove(&encoded(database));
        // On Windows a session that still uses it keeps its files. The directory is deleted with
        // the server.
        let _ = std::fs::remove_dir_all(self.directory.path().join(encoded(database)));
    }

    /// Closes a session.
    pub(crate) fn kill(&self, number: Option<u16>) {
        if let Some(stream) =
            number.and_then(|number| lock(&self.streams).get(&number).map(TcpStream::try_clone))
        {
            let _ = stream.and_then(|stream| stream.shutdown(Shutdown::Both));
        }
    }

    pub(crate) fn forbid_writing(&self, database: &str) {
        lock(&self.read_only).push(database.to_lowercase());
    }

    pub(crate) fn may_write(&self, database: &str) -> bool {
        !lock(&self.read_only).contains(&database.to_lowercase())
    }
}

/// Things that SQLite does not have, or not in this form, for each database.
#[derive(Default)]
pub(crate) struct Made {
    /// Database, schema, name, and what it stands for.
    pub(crate) synonyms: Mutex<Vec<(String, String, String, String)>>,
    /// Database, schema and table, and the query that answers after an INSERT.
    pub(crate) triggers: Mutex<Vec<(String, String, String, String)>>,
    /// Databases that distinguish upper and lower case in the names of their catalogue.
    pub(crate) tell_case: Mutex<Vec<String>>,
}

/// The applocks, each with the session that holds it and how often.
#[derive(Default)]
pub(crate) struct Locks {
    held: Mutex<BTreeMap<String, (u16, u32)>>,
    freed: Condvar,
}

impl Locks {
    /// What sp_getapplock returns: 0 at once, 1 after waiting, −1 if it took too long.
    pub(crate) fn get(&self, resource: &str, session: u16, wait: Duration) -> i32 {
        let end = Instant::now() + wait;
        let mut held = lock(&self.held);
        let mut waited = 0;
        loop {
            let (owner, times) = held.entry(resource.to_owned()).or_insert((session, 0));
            if *owner == session {
                *times += 1;
                return waited;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return -1;
            }
            waited = 1;
            held = self.freed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the session has it.
    pub(crate) fn has(&self, resource: &str, session: u16) -> bool {
        lock(&self.held).get(resource).is_some_and(|(owner, _)| *owner == session)
    }

    /// What sp_releaseapplock returns: 0, or −999 for a lock that is not held.
    pub(crate) fn release(&self, resource: &str, session: u16) -> i32 {
        let mut held = lock(&self.held);
        match held.get_mut(resource) {
            Some((owner, times)) if *owner == session => {
                *times -= 1;
                if *times == 0 {
                    held.remove(resource);
                    self.freed.notify_all();
                }
                0
            }
            _ => -999,
        }
    }

    /// Frees all that a session held.
    pub(crate) fn leave(&self, session: u16) {
        lock(&self.held).retain(|_, (owner, _)| *owner != session);
        self.freed.notify_all();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text in a form that is equal for two ways to write the same.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !"[]`\"".contains(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name as a file's: letters and digits as they are, everything else by its number.
fn encoded(name: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    };
    name.bytes().map(encode).collect()
}

fn decoded(file: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = file.as_bytes();
    while let [first, after @ ..] = rest {
        let coded = std::str::from_utf8(after.get(..2).unwrap_or_default()).ok();
        match coded.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The names in a directory, without SQLite's own files beside a database's.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.contains('-'))
        .map(|name| decoded(&name))
        .collect();
    names.sort();
    names
}
