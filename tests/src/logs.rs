//! Log lines of the code under test, collected per thread, so that a test can assert what an
//! operator would have read.

use std::fmt::Write;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Event, Metadata, Subscriber};

/// The lines that were logged since it was made, as `LEVEL message`. It gets those of threads that
/// have the guard's default, so it is only for single-threaded runtimes and threads that are given
/// the dispatcher.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Starts to listen until the guard is dropped.
    pub fn listen() -> (Self, DefaultGuard) {
        // While there is a single subscriber, `tracing` asks the first thread that reaches a line
        // whether there will ever be a listener, and keeps the answer. In a process of many tests
        // that thread may be another test's.
        static NEVER_ALONE: Once = Once::new();
        NEVER_ALONE.call_once(|| {
            // Fails only if there is one already, which is as good.
            let _ = tracing::subscriber::set_global_default(NoSubscriber::new());
        });
        let lines = Self::default();
        let guard = tracing::subscriber::set_default(Listener(lines.clone()));
        (lines, guard)
    }

    /// Takes the lines so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Listener(Lines);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("host") || metadata.target() == "detector"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let line = format!("{} {}", event.metadata().level(), message.0);
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// A line without the parts that differ at each run: `in 12 ms` and `in 0.1 s` become `in # ms` and
/// `in # s`.
pub fn masked(line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let mut masked = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let unit =
            words.get(at + 1).is_some_and(|unit| matches!(unit.trim_end_matches([';', ',']), "ms" | "s"));
        let number = word.parse::<f64>().is_ok();
        masked.push(if unit && number { "#" } else { word });
    }
    masked.join(" ")
}
