//! The process that compiles, seen from its parent.
//!
//! It is started without environment, gets the module by its stdin, and answers by its stdout. It
//! lives no longer than the future that waits for it: when that is dropped, it is killed; when this
//! process dies, its stdin is closed and it ends.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::protocol::{COMMAND, COMPILED, too_little};

/// The most bytes that are read of its output.
const SAID: u64 = 4 << 10;

/// A compiler uses all cores, and needs memory for each.
const THREADS: usize = 4;

/// How soon after its output the end of the process is seen.
const PAUSE: Duration = Duration::from_millis(2);

/// The program that compiles, and its limits.
pub(super) struct CompileJob<'a> {
    pub(super) program: &'a Path,
    pub(super) memory: u64,
    pub(super) deadline: Duration,
    /// Of the deadline.
    pub(super) left: Duration,
    /// The digest of the engine that the code is for.
    pub(super) engine: String,
}

/// Why there is no code.
pub(super) enum CompileFailure {
    /// There is no process.
    NotStarted(io::Error),
    /// A sentence that begins with "it".
    Refused(String),
    /// It was not ready in time: the same.
    Late(String),
}

/// A process that is killed when this is dropped.
struct CompileProcess {
    child: Child,
    /// As long as it is there, stdin stays open.
    _stdin: mpsc::Sender<()>,
    #[cfg(windows)]
    _job: win32job::Job,
}

impl Drop for CompileProcess {
    fn drop(&mut self) {
        // It has ended already, or ends now; in either case no zombie process stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compiles a module.
pub(super) async fn compile(order: &CompileJob<'_>, module: Arc<[u8]>) -> Result<Vec<u8>, CompileFailure> {
    let (mut running, compiled, said) = start(order, module).map_err(CompileFailure::NotStarted)?;
    let ended = async {
        let compiled = compiled.await.unwrap_or_default();
        let said = said.await.unwrap_or_default();
        loop {
            match running.child.try_wait() {
                Ok(Some(status)) => return Ok((status, compiled, said)),
                Ok(None) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(CompileFailure::Refused(format!("it is not compiled: {error}"))),
            }
        }
    };
    let Ok(ended) = tokio::time::timeout(order.left, ended).await else {
        return Err(CompileFailure::Late(format!(
            "it does not compile within {}; `compile_deadline` of `[detector]` can be longer",
            humantime::format_duration(order.deadline)
        )));
    };
    let (status, compiled, said) = ended?;
    match status.code() {
        Some(0) if compiled.len() <= COMPILED => Ok(compiled),
        Some(1) => Err(CompileFailure::Refused(String::from_utf8_lossy(&compiled).into_owned())),
        _ => Err(CompileFailure::Refused(died(status, &String::from_utf8_lossy(&said), order))),
    }
}

/// The process, and the readers of its stdout and stderr.
type Started = (CompileProcess, oneshot::Receiver<Vec<u8>>, oneshot::Receiver<Vec<u8>>);

fn start(order: &CompileJob<'_>, module: Arc<[u8]>) -> io::Result<Started> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let seconds = order.left.as_secs().max(1).saturating_mul(threads as u64);
    let mut command = Command::new(order.program);
    command
        .arg(COMMAND)
        .args(["--memory", &order.memory.to_string(), "--seconds", &seconds.to_string()])
        .args(["--engine", &order.engine])
        .env_clear()
        .envs(kept())
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    #[cfg(windows)]
    let _job = job(&mut child, order.memory)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (keep, kept) = mpsc::channel::<()>();
    let running = CompileProcess {
        child,
        _stdin: keep,
        #[cfg(windows)]
        _job,
    };
    let feed = move || {
        let Some(mut stdin) = stdin else { return };
        let length = (module.len() as u64).to_le_bytes();
        // A process that ends before it has read everything gives the reason by its exit.
        if stdin.write_all(&length).and_then(|()| stdin.write_all(&module)).is_ok() {
            // Until the other end is dropped.
            let _ = kept.recv();
        }
    };
    thread::Builder::new().name("compile-stdin".into()).spawn(feed)?;
    let compiled = gather(stdout, COMPILED as u64 + 1)?;
    let said = gather(stderr, SAID)?;
    Ok((running, compiled, said))
}

/// Reads a pipe to its end and keeps this much of it.
fn gather(pipe: Option<impl Read + Send + 'static>, most: u64) -> io::Result<oneshot::Receiver<Vec<u8>>> {
    let (tell, gathered) = oneshot::channel();
    let read = move || {
        let Some(mut pipe) = pipe else { return };
        let mut bytes = Vec::new();
        // What was read before an error is used.
        let _ = pipe.by_ref().take(most).read_to_end(&mut bytes);
        let _ = io::copy(&mut pipe, &mut io::sink());
        // Nobody waits for it any more.
        let _ = tell.send(bytes);
    };
    thread::Builder::new().name("compile-output".into()).spawn(read)?;
    Ok(gathered)
}

/// The environment variables that a program needs to start at all. No others: they may hold
/// secrets.
fn kept() -> impl Iterator<Item = (&'static str, OsString)> {
    ["LD_LIBRARY_PATH", "SystemRoot"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// Why a process ended without an answer.
fn died(status: ExitStatus, said: &str, order: &CompileJob<'_>) -> String {
    // What Rust prints before it aborts, and what a system call returns.
    if ["memory allocation of", "Cannot allocate memory", "os error 12"]
        .iter()
        .any(|words| said.contains(words))
    {
        return too_little(order.memory);
    }
    if status.code() == Some(0) {
        return format!("it compiles to more than {} MiB", COMPILED >> 20);
    }
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    format!("it ended the process that compiled it ({status}): {last}")
}

/// Limits of the process, before it reads anything. It ends with the job, and the job with this
/// process.
#[cfg(windows)]
fn job(child: &mut Child, memory: u64) -> io::Result<win32job::Job> {
    use std::os::windows::io::AsRawHandle;

    let mut limits = win32job::ExtendedLimitInfo::new();
    let most = usize::try_from(memory).unwrap_or(usize::MAX);
    limits.limit_kill_on_job_close().limit_working_memory(1 << 20, most);
    let job = win32job::Job::create_with_limit_info(&limits)
        .and_then(|job| job.assign_process(child.as_raw_handle() as isize).map(|()| job));
    job.map_err(|error| {
        // Without limits it is not used; it has read nothing yet.
        let _ = child.kill();
        io::Error::other(error)
    })
}
