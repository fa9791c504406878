//! The connection from a command to the service that runs on the same machine: one line each way.
//!
//! On Linux an abstract socket, on Windows a named pipe: the name of both is derived from the
//! worker and its database; they use no port and leave nothing behind when the process ends. Only
//! the service's own user and an administrator get an answer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;

use crate::reload::{Answer, SetOverview};

const PREFIX: &str = "anomaly-worker-";

/// The most connections at a time.
const MOST: usize = 8;

/// How long a connection may stay without a question.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of a question. An answer names every model.
const LONGEST_QUESTION: u64 = 256;
const LONGEST_ANSWER: u64 = 256 << 20;

/// The pause before a name is tried again that another process has.
const PAUSE: Duration = Duration::from_secs(30);

/// What a command can ask the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// To look at its files now.
    Look,
    /// Which set it has in use.
    InUse,
    /// Its process, version and configuration.
    Who,
}

/// The answer of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    Looked(Answer),
    InUse(SetOverview),
    Who(ServiceIdentity),
    /// To a user that is neither its own nor an administrator.
    Denied,
}

/// What a service has that may conflict with another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceIdentity {
    pub process: u32,
    /// The configuration's file.
    pub config: Option<PathBuf>,
    /// The name of its state row.
    pub worker: String,
    /// The place of the verdicts.
    pub output: String,
    pub log_file: Option<PathBuf>,
    /// The directory where the set that judged last is kept.
    pub kept_set: Option<PathBuf>,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error("no service of this worker runs on this machine")]
    NoService,
    #[error("it belongs to another user")]
    Denied,
    #[error("it did not answer within {}", humantime::format_duration(*.0))]
    Slow(Duration),
    #[error("it does not answer: {0}")]
    Broken(io::Error),
}

/// The name under which the service of this worker is reached, whose verdicts go to this place.
pub fn name(worker: &str, place: &str) -> String {
    let digest = Sha256::new().chain_update(worker).chain_update([0]).chain_update(place).finalize();
    let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{digest}")
}

/// The names of the services that run on this machine.
pub fn names() -> Vec<String> {
    system::names().unwrap_or_default().into_iter().filter(|name| name.starts_with(PREFIX)).collect()
}

/// Answers under this name until it is dropped. If another process has the name, that one answers.
/// Questions are taken as soon as this is called, and answered once it is polled.
pub fn serve(name: String, answer: impl AsyncAnswer) -> impl Future<Output = ()> + Send {
    let mut bound = system::Listener::bind(&name);
    async move {
        let (answer, places) = (Arc::new(answer), Arc::new(Semaphore::new(MOST)));
        loop {
            match bound {
                Ok(mut listener) => loop {
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                    match listener.accept().await {
                        Ok((stream, may_ask)) => {
                            let answer = Arc::clone(&answer);
                            tokio::spawn(async move {
                                // The client may be gone.
                                let _ = converse(stream, may_ask, answer.as_ref()).await;
                                drop(place);
                            });
                        }
                        Err(error) => {
                            tracing::debug!("`host reload` gets no answer for a while: {error}");
                            break;
                        }
                    }
                },
                Err(error) => tracing::debug!("`host reload` does not reach this worker: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
            bound = system::Listener::bind(&name);
        }
    }
}

/// Answers questions.
pub trait AsyncAnswer: Send + Sync + 'static {
    /// None: it no longer can.
    fn answer(&self, question: Question) -> impl Future<Output = Option<Reply>> + Send;
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    may_ask: bool,
    answer: &impl AsyncAnswer,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut asked = (&mut stream).take(LONGEST_QUESTION);
    tokio::time::timeout(PATIENCE, asked.read_line(&mut line)).await??;
    let reply = match serde_json::from_str(&line) {
        _ if !may_ask => Some(Reply::Denied),
        Ok(question) => answer.answer(question).await,
        Err(_) => None,
    };
    let Some(reply) = reply else { return Ok(()) };
    let reply = serde_json::to_string(&reply)? + "\n";
    tokio::time::timeout(PATIENCE, stream.get_mut().write_all(reply.as_bytes())).await??;
    stream.get_mut().shutdown().await
}

/// Asks the service of this name, and waits for this long.
///
/// # Errors
/// [`Unanswered`].
pub async fn ask(name: &str, question: Question, wait: Duration) -> Result<Reply, Unanswered> {
    let asked = async {
        let mut stream = BufReader::new(system::connect(name).await?);
        let question = serde_json::to_string(&question)? + "\n";
        stream.get_mut().write_all(question.as_bytes()).await?;
        let mut line = String::new();
        stream.take(LONGEST_ANSWER).read_line(&mut line).await?;
        serde_json::from_str(&line).map_err(io::Error::from)
    };
    match tokio::time::timeout(wait, asked).await {
        Err(_) => Err(Unanswered::Slow(wait)),
        Ok(Ok(Reply::Denied)) => Err(Unanswered::Denied),
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Unanswered::NoService,
            io::ErrorKind::PermissionDenied => Unanswered::Denied,
            _ => Unanswered::Broken(error),
        }),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{self, SocketAddr};

    use tokio::net::{UnixListener, UnixStream};

    pub(super) struct Listener(UnixListener);

    impl Listener {
        pub(super) fn bind(name: &str) -> io::Result<Self> {
            let listener = net::UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener).map(Self)
        }

        /// Accepts connections, and tells whether the client may ask: any process on this machine
        /// can connect.
        pub(super) async fn accept(&mut self) -> io::Result<(UnixStream, bool)> {
            let (stream, _) = self.0.accept().await?;
            let user = stream.peer_cred()?.uid();
            Ok((stream, user == 0 || user == rustix::process::geteuid().as_raw()))
        }
    }

    /// From all abstract sockets of this machine.
    pub(super) fn names() -> io::Result<Vec<String>> {
        let sockets = std::fs::read_to_string("/proc/net/unix")?;
        let name = |line: &str| Some(line.split_whitespace().nth(7)?.strip_prefix('@')?.to_owned());
        let mut names: Vec<_> = sockets.lines().filter_map(name).collect();
        // A connection has the name of its listener.
        names.sort();
        names.dedup();
        Ok(names)
    }

    pub(super) async fn connect(name: &str) -> io::Result<UnixStream> {
        let stream = net::UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }
}

#[cfg(windows)]
mod system {
    use std::io;
    use std::time::Duration;

    use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};

    /// All instances of the pipe are taken.
    const BUSY: i32 = 231;

    pub(super) struct Listener {
        path: String,
        next: NamedPipeServer,
    }

    fn path(name: &str) -> String {
        format!(r"\\.\pipe\{name}")
    }

    impl Listener {
        pub(super) fn bind(name: &str) -> io::Result<Self> {
            let path = path(name);
            let next = ServerOptions::new().first_pipe_instance(true).create(&path)?;
            Ok(Self { path, next })
        }

        /// Accepts connections. The system admits only the service's user and administrators.
        pub(super) async fn accept(&mut self) -> io::Result<(NamedPipeServer, bool)> {
            self.next.connect().await?;
            let next = ServerOptions::new().create(&self.path)?;
            Ok((std::mem::replace(&mut self.next, next), true))
        }
    }

    /// From all pipes of this machine.
    pub(super) fn names() -> io::Result<Vec<String>> {
        let pipes = std::fs::read_dir(r"\\.\pipe\")?;
        Ok(pipes.flatten().map(|pipe| pipe.file_name().to_string_lossy().into_owned()).collect())
    }

    pub(super) async fn connect(name: &str) -> io::Result<NamedPipeClient> {
        loop {
            match ClientOptions::new().open(path(name)) {
                Err(error) if error.raw_os_error() == Some(BUSY) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                opened => return opened,
            }
        }
    }
}

/// Elsewhere a signal is used (SIGHUP), and the log tells the result.
#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use std::convert::Infallible;
    use std::io;

    use tokio::io::DuplexStream;

    pub(super) struct Listener(Infallible);

    impl Listener {
        pub(super) fn bind(_: &str) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) async fn accept(&mut self) -> io::Result<(DuplexStream, bool)> {
            match self.0 {}
        }
    }

    pub(super) fn names() -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    pub(super) async fn connect(_: &str) -> io::Result<DuplexStream> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::reload::Found;

    struct Echo;

    impl AsyncAnswer for Echo {
        async fn answer(&self, question: Question) -> Option<Reply> {
            let answer = Answer { set: "0123456789abcdef".into(), found: Found::Refused("ñ\n\"".into()) };
            (question == Question::Look).then_some(Reply::Looked(answer))
        }
    }

    #[tokio::test]
    async fn a_question_is_answered_once_there_is_somebody() {
        let name = name("default", &std::process::id().to_string());
        let wait = Duration::from_secs(60);
        let ask = async |question| ask(&name, question, wait).await.map_err(|error| error.to_string());
        let nobody = ask(Question::Look).await.unwrap_err();
        assert_eq!(nobody, "no service of this worker runs on this machine");
        let service = tokio::spawn(serve(name.clone(), Echo));
        let mut answered = ask(Question::Look).await;
        while answered.is_err() {
            tokio::task::yield_now().await;
            answered = ask(Question::Look).await;
        }
        let expected = Answer { set: "0123456789abcdef".into(), found: Found::Refused("ñ\n\"".into()) };
        assert_eq!(answered, Ok(Reply::Looked(expected)));
        let silent = ask(Question::InUse).await.unwrap_err();
        assert!(silent.starts_with("it does not answer: "), "{silent}");

        // Many connections without a question do not block others for long, and other text is not a
        // question.
        let mut stream = system::connect(&name).await.unwrap();
        stream.write_all(&[b'x'; 4096]).await.unwrap();
        let mut said = Vec::new();
        // The client may get an error for what the service did not read.
        let _ = stream.read_to_end(&mut said).await;
        assert_eq!(said, b"");
        assert!(matches!(ask(Question::Look).await, Ok(Reply::Looked(_))));
        service.abort();
    }

    #[tokio::test]
    async fn other_users_are_denied() {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let conversation = tokio::spawn(async move { converse(theirs, false, &Echo).await });
        let mut ours = BufReader::new(ours);
        ours.get_mut().write_all(b"\"look\"\n").await.unwrap();
        let mut line = String::new();
        ours.read_line(&mut line).await.unwrap();
        assert_eq!(line, "\"denied\"\n");
        conversation.await.unwrap().unwrap();
    }
}
