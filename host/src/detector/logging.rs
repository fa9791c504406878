//! A detector's output: the contract's logging, and whatever it prints. Lines go to the host's log
//! under the target `detector`, cut at a length and counted per call, so that a guest cannot fill a
//! disk.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::bindings::logging::Level;
use super::guest_text;
use super::limits::{LOG_LINE_BYTES, LOG_LINES};

/// The output of one sandbox; shared by the logging import, stdout and stderr.
#[derive(Clone, Default)]
pub(super) struct GuestLog(Arc<Mutex<LineBudget>>);

#[derive(Default)]
struct LineBudget {
    lines: usize,
    dropped: usize,
}

impl GuestLog {
    /// One line. A line that the log does not show does not count.
    pub(super) fn line(&self, level: Level, message: &str) {
        if !is_heard(level) {
            return;
        }
        {
            let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if budget.lines >= LOG_LINES {
                budget.dropped += 1;
                return;
            }
            budget.lines += 1;
        }
        let message = guest_text::line(message);
        match level {
            Level::Debug => tracing::debug!(target: "detector", "detector: {message}"),
            Level::Info => tracing::info!(target: "detector", "detector: {message}"),
            Level::Warn => tracing::warn!(target: "detector", "detector: {message}"),
            Level::Error => tracing::error!(target: "detector", "detector: {message}"),
        }
    }

    /// A call has ended: the number of lost lines is logged, and the next call starts with a full
    /// budget.
    pub(super) fn end_of_call(&self) {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.dropped > 0 {
            let dropped = budget.dropped;
            tracing::warn!(target: "detector", "detector: {dropped} more lines in one call were dropped");
        }
        *budget = LineBudget::default();
    }
}

/// Whether the log shows lines of this level.
fn is_heard(level: Level) -> bool {
    match level {
        Level::Debug => tracing::enabled!(target: "detector", tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: "detector", tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: "detector", tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: "detector", tracing::Level::ERROR),
    }
}

/// The guest's stdout or stderr, as lines of its log.
#[derive(Clone)]
pub(super) struct Printed {
    log: GuestLog,
    level: Level,
}

impl Printed {
    pub(super) fn new(log: GuestLog, level: Level) -> Self {
        Self { log, level }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    /// Only used by WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineBuffer { printed: self.clone(), partial: Vec::new() })
    }
}

/// Collects bytes to lines. A line that does not end is logged at the length at which it would be
/// cut.
struct LineBuffer {
    printed: Printed,
    partial: Vec<u8>,
}

impl LineBuffer {
    fn give_out(&mut self) {
        if !self.partial.is_empty() {
            let text = String::from_utf8_lossy(&self.partial);
            self.printed.log.line(self.printed.level, text.trim_end());
            self.partial.clear();
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineBuffer {
    async fn ready(&mut self) {}
}

impl OutputStream for LineBuffer {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        for &byte in &bytes {
            if byte == b'\n' || self.partial.len() == LOG_LINE_BYTES {
                self.give_out();
            }
            if byte != b'\n' {
                self.partial.push(byte);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        self.give_out();
    }
}
