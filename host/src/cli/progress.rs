//! The progress of a long command: a bar in a terminal, else a line now and then.
//!
//! Both go to standard error, as the log does; its lines are written around the bar. Lives for one
//! command.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::worker::report::count;

/// The time between two lines if there is no bar: a night's work gives a few thousand lines.
const EVERY: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Readings,
    /// Of a file.
    Bytes,
}

/// A bar, or lines.
pub(super) struct ProgressDisplay {
    bar: ProgressBar,
    unit: Unit,
    begun: Instant,
    said: Duration,
}

/// Writes lines of the log around the bar.
#[derive(Clone)]
pub(super) struct Around(ProgressBar);

impl ProgressDisplay {
    /// Shows nothing yet: see [`start`](Self::start).
    pub(super) fn new(unit: Unit) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Self { bar, unit, begun: Instant::now(), said: Duration::ZERO }
    }

    /// The target of the log.
    pub(super) fn console(&self) -> Around {
        Around(self.bar.clone())
    }

    /// Starts, with this much to do; 0 if that is not known.
    pub(super) fn start(&mut self, of: u64) {
        // What does not fit in the line is left out at its end.
        let template = match self.unit {
            Unit::Readings if of == 0 => "{human_pos} readings, {per_sec}{wide_msg}",
            Unit::Readings => {
                "[{bar:16}] {percent:>3} %  {human_pos} of {human_len}, {per_sec}, {eta} left{wide_msg}"
            }
            Unit::Bytes => "[{bar:16}] {percent:>3} %  {bytes} of {total_bytes}, {eta} left",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let per_second = |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            // Writing to a line cannot fail.
            let _ = write!(out, "{} a second", indicatif::HumanCount(state.per_sec() as u64));
        };
        self.bar.set_style(style.with_key("per_sec", per_second).progress_chars("=> "));
        self.bar.set_length(of);
        self.bar.reset();
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        (self.begun, self.said) = (Instant::now(), Duration::ZERO);
    }

    /// This much is done; `at` describes the position.
    pub(super) fn set(&mut self, done: u64, at: &str) {
        self.bar.set_position(done);
        self.bar.set_message(if at.is_empty() { String::new() } else { format!(", {at}") });
        let elapsed = self.begun.elapsed();
        if self.bar.is_hidden() && elapsed >= self.said + EVERY {
            self.said = elapsed;
            tracing::info!("{}", line(self.unit, done, self.bar.length().unwrap_or(0), elapsed, at));
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// `200000 of 5000000 readings (4 %), up to 2025-01-15 10:00:00, 21000 a second, 3m 48s left`
fn line(unit: Unit, done: u64, of: u64, elapsed: Duration, at: &str) -> String {
    let known = of > 0 || done == 0;
    let share = (100 * u128::from(done)).checked_div(u128::from(of)).unwrap_or(100).min(100);
    let what = match unit {
        Unit::Readings if !known => count(done, "reading"),
        Unit::Readings => format!("{done} of {}", count(of, "reading")),
        Unit::Bytes => format!("{} of {}", indicatif::HumanBytes(done), indicatif::HumanBytes(of)),
    };
    let mut line = if known { format!("{what} ({share} %)") } else { what };
    if !at.is_empty() {
        line.push_str(&format!(", {at}"));
    }
    let rate = done as f64 / elapsed.as_secs_f64();
    if done > 0 && rate.is_finite() && rate > 0.0 {
        let left = Duration::try_from_secs_f64((of.saturating_sub(done) as f64 / rate).ceil());
        if unit == Unit::Readings {
            line.push_str(&format!(", {rate:.0} a second"));
        }
        if known {
            line.push_str(&format!(", {} left", humantime::format_duration(left.unwrap_or(Duration::MAX))));
        }
    }
    line
}

/// Takes whole lines of the log.
impl Write for Around {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // The console may be gone.
        self.0.suspend(|| drop(io::stderr().lock().write_all(line)));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Around {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_how_fast_and_how_long() {
        let second = Duration::from_secs;
        for (unit, done, of, elapsed, at, expected) in [
            (
                Unit::Readings,
                200_000,
                5_000_000,
                second(10),
                "up to 2025-01-15 10:00:00",
                "200000 of 5000000 readings (4 %), up to 2025-01-15 10:00:00, 20000 a second, 4m left",
            ),
            (Unit::Readings, 0, 7, second(10), "", "0 of 7 readings (0 %)"),
            (Unit::Readings, 0, 0, second(10), "", "0 of 0 readings (100 %)"),
            (Unit::Readings, 9, 0, second(3), "up to 2025", "9 readings, up to 2025, 3 a second"),
            (Unit::Readings, 9, 7, second(1), "", "9 of 7 readings (100 %), 9 a second, 0s left"),
            (Unit::Bytes, 1 << 20, 3 << 20, second(2), "", "1.00 MiB of 3.00 MiB (33 %), 4s left"),
            (Unit::Readings, 5, u64::MAX, Duration::ZERO, "", "5 of 18446744073709551615 readings (0 %)"),
        ] {
            assert_eq!(line(unit, done, of, elapsed, at), expected);
        }
    }
}
