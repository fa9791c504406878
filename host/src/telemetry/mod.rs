//! The log: on the console and in a rotated file, in the lines of the Python worker or as JSON.
//!
//! [`start`] is called once; the [`Telemetry`] that it returns lives as long as the process and saves the file when it goes.
//! Every line is written whole and at once, so a killed worker loses none. Nothing here can stop the service: where the console or
//! the file takes no line, the line is lost, and for the file that is said once on the console.
//!
//! The console is standard error, as it was with the Python worker: standard output is left to what a command answers
//! (`host status --json`).

mod line;
mod rotate;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Local, SecondsFormat};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Dispatch, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Log, LogFormat, LogLevel};
use crate::text::{escaped, escaped_json};
use line::LogLine;
use rotate::RotatedFile;

/// What time it is, with the offset of local time; a parameter, so that tests can tell whole lines.
type LocalClock = fn() -> DateTime<FixedOffset>;

/// Keeps the log open; saves the file when dropped.
#[must_use = "the log file is saved when this is dropped"]
pub struct Telemetry {
    file: Option<Arc<RotatedFile>>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.save();
        }
    }
}

/// Sends the log of this process to the console and the file.
///
/// # Errors
/// A log was started before. A file that cannot be written is no error: it is told on the console, here or when it happens.
pub fn start(log: &Log) -> Result<Telemetry, SetGlobalDefaultError> {
    start_on(log, io::stderr)
}

/// As [`start`], with another console: the demo shows a selection.
///
/// # Errors
/// As [`start`].
pub fn start_on<W>(log: &Log, console: W) -> Result<Telemetry, SetGlobalDefaultError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let clock: LocalClock = || Local::now().fixed_offset();
    let format = log.format;
    // A console that is gone has nobody to tell.
    let tell = move |trouble: &str| drop(io::stderr().write_all(warning(format, clock, trouble).as_bytes()));
    let open = |path: &PathBuf| Arc::new(RotatedFile::new(path, log.max_mib << 20, log.keep, Box::new(tell)));
    let file = log.file.as_ref().map(open);
    let dispatch = dispatch(log, clock, console, file.clone());
    tracing::dispatcher::set_global_default(dispatch)?;
    Ok(Telemetry { file })
}

fn dispatch<W>(log: &Log, clock: LocalClock, console: W, file: Option<Arc<RotatedFile>>) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = match log.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    // The level is for this crate and for what detectors say; libraries (wasmtime, cranelift) are heard from their warnings on.
    // The driver warns at each connection of what the configuration asked for; the commands say that once.
    let ours = Targets::new()
        .with_target("host", level)
        .with_target("detector", level)
        .with_target("tiberius", LevelFilter::ERROR)
        .with_default(level.min(LevelFilter::WARN));
    let file = file.map(|file| layer(log.format, clock, file));
    Dispatch::new(
        tracing_subscriber::registry().with(layer(log.format, clock, console)).with(file).with(ours),
    )
}

fn layer<S, W>(format: LogFormat, clock: LocalClock, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Internal errors would go through `eprintln!`, which panics where standard error is closed.
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

/// Lines of JSON on their way to a terminal: the same to a program, and nothing in them that a terminal would take for its own.
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

/// What the log says of itself. It cannot go through the log, because it comes up while a line is being written.
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
