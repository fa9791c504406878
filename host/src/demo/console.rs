//! The output of the demo while it runs: text and a selection of the worker's log on standard
//! output, and in a terminal a progress bar on standard error.
//!
//! Everything goes through one [`DemoConsole`], so that no line is written into the bar. If the
//! console is gone (`host demo | head`), the output is lost.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::OptionalWriter;

/// Standard output and the bar.
#[derive(Clone)]
pub struct DemoConsole(Arc<ConsoleState>);

struct ConsoleState {
    bar: ProgressBar,
    log_shown: AtomicBool,
}

impl DemoConsole {
    /// A console with a bar of that many cycles, which is seen only in a terminal.
    pub fn new(cycles: u64) -> Self {
        let style = ProgressStyle::with_template("[{bar:28}] {pos} of {len} cycles, plant time {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
        let bar = ProgressBar::new(cycles).with_style(style);
        Self(Arc::new(ConsoleState { bar, log_shown: AtomicBool::new(false) }))
    }

    /// Writes a line, or several.
    pub fn say(&self, text: &str) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// Whether lines of the log are shown from now on. Warnings and errors always are.
    pub fn show_log(&self, shown: bool) {
        self.0.log_shown.store(shown, Ordering::Relaxed);
    }

    /// Moves the bar.
    pub fn progress(&self, cycle: u64, plant_time: String) {
        self.0.bar.set_position(cycle);
        self.0.bar.set_message(plant_time);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.bar.finish_and_clear();
    }

    fn write(&self, text: &[u8]) {
        self.0.bar.suspend(|| {
            let mut out = io::stdout().lock();
            let _ = out.write_all(text).and_then(|()| out.flush());
        });
    }
}

/// Takes whole lines of the log.
impl Write for DemoConsole {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Self::write(self, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for DemoConsole {
    type Writer = OptionalWriter<DemoConsole>;

    fn make_writer(&'a self) -> Self::Writer {
        OptionalWriter::some(self.clone())
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Self::Writer {
        if *line.level() <= Level::WARN || self.0.log_shown.load(Ordering::Relaxed) {
            self.make_writer()
        } else {
            OptionalWriter::none()
        }
    }
}
