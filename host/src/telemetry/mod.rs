//! The log: on the console and in a rotated file, in the format of the Python worker or as JSON.
//!
//! [`start`] is called once; the [`Telemetry`] that it returns lives as long as the process and
//! syncs the file when it is dropped. Every line is written at once, and as a whole, so that a
//! killed worker loses none. Nothing here can stop the service: if the console or the file cannot
//! take a line, the line is lost, and for the file this is reported once on the console.
//!
//! The console is standard error, as with the Python worker: standard output is for the answers of
//! commands (`host status --json`). If standard error is systemd's journal, lines become entries
//! with priority and fields. A Windows service has no standard error: its problems go to the Event
//! Log.

mod console;
mod device;
#[cfg(windows)]
mod event_log;
mod journal;
mod line;
mod rotate;

use std::io::{self, Write};
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Local, SecondsFormat};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Dispatch, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::config::{Log, LogFormat, LogLevel};
use crate::text::{escaped, escaped_json};
pub use console::Console;
use device::Device;
use journal::Journal;
use line::LogLine;
use rotate::RotatedFile;

/// The current time, with the offset of local time; a parameter, so that tests can compare whole
/// lines.
type LocalClock = fn() -> DateTime<FixedOffset>;

/// A log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    StartedBefore(#[from] SetGlobalDefaultError),
    #[error("no thread to write it: {0}")]
    NoThread(#[from] io::Error),
}

/// Keeps the log open; syncs the file when dropped, and waits a little for the console.
#[must_use = "the log file is saved when this is dropped"]
pub struct Telemetry {
    file: Option<Arc<RotatedFile>>,
    consoles: Vec<Console>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.save();
        }
        self.consoles.iter().for_each(Console::finish);
    }
}

/// Sends the log of this process to the console and the file.
///
/// A log was started before, or a thread cannot be started. A file that cannot be written is not an
/// error: it is reported on the console, here or when it happens.
pub fn start(log: &Log) -> Result<Telemetry, LogError> {
    let stream = std::env::var(journal::STREAM).ok();
    let journal = if log.format == LogFormat::Text { Journal::behind(stream.as_deref()) } else { None };
    if let Some(journal) = journal {
        let console = Console::over(journal, |lost| journal::warning(&lines_lost(lost)))?;
        let told = console.clone();
        let tell = move |trouble: &str| told.line(&journal::warning(trouble));
        let layer = fmt::layer().with_ansi(false).log_internal_errors(false);
        let layer = layer.with_writer(console.clone()).event_format(journal::JournalEntry).boxed();
        return start_with(log, layer, tell, vec![console]);
    }
    #[cfg(windows)]
    if let Some(events) = crate::service::windows::serve::name().and_then(event_log::EventLog::of) {
        let console = Console::over(events, |lost| event_log::warning(&lines_lost(lost)))?;
        let told = console.clone();
        let tell = move |trouble: &str| told.line(&event_log::warning(trouble));
        let layer = fmt::layer().with_ansi(false).log_internal_errors(false).with_writer(console.clone());
        let layer = layer.event_format(event_log::EventEntry).with_filter(LevelFilter::WARN).boxed();
        return start_with(log, layer, tell, vec![console]);
    }
    let console = stderr(log.format)?;
    let (format, told) = (log.format, console.clone());
    let tell = move |trouble: &str| told.line(warning(format, now, trouble).as_bytes());
    start_with(log, layer(log.format, now, console.clone()), tell, vec![console])
}

/// As [`start`], with another console: the demo shows a selection.
///
/// # Errors
/// As [`start`].
pub fn start_on<W>(log: &Log, console: W) -> Result<Telemetry, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (format, stderr) = (log.format, stderr(log.format)?);
    let told = stderr.clone();
    let tell = move |trouble: &str| told.line(warning(format, now, trouble).as_bytes());
    start_with(log, layer(log.format, now, console), tell, vec![stderr])
}

/// Reports an error from before the log was started, where a service has no console.
#[cfg(windows)]
pub(crate) fn error_before_the_log(message: &str) {
    if let Some(source) = crate::service::windows::serve::name() {
        event_log::error(source, message);
    }
}

fn stderr(format: LogFormat) -> io::Result<Console> {
    Console::over(io::stderr(), notice(format))
}

/// How missing lines are reported in a format.
fn notice(format: LogFormat) -> fn(u64) -> Vec<u8> {
    match format {
        LogFormat::Text => |lost| warning(LogFormat::Text, now, &lines_lost(lost)).into_bytes(),
        LogFormat::Json => |lost| warning(LogFormat::Json, now, &lines_lost(lost)).into_bytes(),
    }
}

fn lines_lost(lost: u64) -> String {
    format!("{lost} lines are missing here: the console took none for a while")
}

fn now() -> DateTime<FixedOffset> {
    Local::now().fixed_offset()
}

/// The targets of lines, and their format.
type Place = Box<dyn Layer<Registry> + Send + Sync>;

fn start_with(
    log: &Log,
    console: Place,
    tell: impl Fn(&str) + Clone + Send + Sync + 'static,
    mut consoles: Vec<Console>,
) -> Result<Telemetry, LogError> {
    let mut file = None;
    let in_file = match &log.file {
        Some(path) if Device::is_at(path) => {
            let device = Console::over(Device::new(path, Box::new(tell)), notice(log.format))?;
            consoles.push(device.clone());
            Some(layer(log.format, now, device))
        }
        Some(path) => {
            let rotated = Arc::new(RotatedFile::new(path, log.max_mib << 20, log.keep, Box::new(tell)));
            file = Some(Arc::clone(&rotated));
            Some(layer(log.format, now, rotated))
        }
        None => None,
    };
    tracing::dispatcher::set_global_default(dispatch(log, console, in_file))?;
    Ok(Telemetry { file, consoles })
}

fn dispatch(log: &Log, console: Place, file: Option<Place>) -> Dispatch {
    let level = match log.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    // The level applies to this crate and to detectors; of libraries (wasmtime, cranelift) only
    // warnings and errors are logged. The driver warns at each connection of settings that the
    // configuration asked for; the commands report those once.
    let ours = Targets::new()
        .with_target("host", level)
        .with_target("detector", level)
        .with_target("tiberius", LevelFilter::ERROR)
        .with_default(level.min(LevelFilter::WARN));
    let places: Vec<Place> = [console].into_iter().chain(file).collect();
    Dispatch::new(tracing_subscriber::registry().with(places).with(ours))
}

fn layer<S, W>(format: LogFormat, clock: LocalClock, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Internal errors would use `eprintln!`, which panics if standard error is closed.
    let layer = fmt::layer().with_ansi(false).log_internal_errors(false);
    match format {
        LogFormat::Text => layer.with_writer(writer).event_format(LogLine { clock }).boxed(),
        LogFormat::Json => {
            let layer = layer
                .with_writer(TerminalWriter(writer))
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false);
            layer.with_timer(Timestamp(clock)).boxed()
        }
    }
}

/// Lines of JSON for a terminal: the same to a program, and without characters that a terminal
/// would take for commands.
struct TerminalWriter<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for TerminalWriter<W> {
    type Writer = TerminalWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        TerminalWriter(self.0.make_writer())
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Self::Writer {
        TerminalWriter(self.0.make_writer_for(line))
    }
}

impl<W: Write> Write for TerminalWriter<W> {
    /// Takes whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The time of a JSON line: local, with its offset.
struct Timestamp(LocalClock);

impl FormatTime for Timestamp {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{}", (self.0)().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A message of the log itself. It cannot go through the log, because it arises while a line is
/// being written.
fn warning(format: LogFormat, clock: LocalClock, message: &str) -> String {
    match format {
        LogFormat::Text => format!("{} - WARNING - {}\n", clock().format(line::TIME), escaped(message)),
        LogFormat::Json => {
            let timestamp = clock().to_rfc3339_opts(SecondsFormat::Millis, true);
            let line = json!({"timestamp": timestamp, "level": "WARN", "message": message}).to_string();
            format!("{}\n", escaped_json(&line))
        }
    }
}

#[cfg(test)]
mod tests;
