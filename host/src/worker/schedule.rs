//! When cycles run: at the start and then on every tick, until a stop is asked for.
//!
//! A late cycle skips ticks, so that they do not pile up. While the database cannot be reached,
//! tries come sooner than the next tick, with growing pauses; one line is logged when an outage
//! begins and one when it ends. A worker on standby asks every few seconds.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::error::CycleError;
use super::outage::Outage;
use super::{Slice, Worker, report};
use crate::alert::service_watch::CycleEnd;
use crate::counts::Counts;
use crate::metrics::CycleOutcome;
use crate::service::Manager;
use crate::stop::{Stop, Unfinished};

/// How often a worker on standby asks whether the active one has ended: the longest delay of a
/// takeover.
const STANDBY_PAUSE: Duration = Duration::from_secs(5);

/// How often the statistics are logged, in cycles.
const STATISTICS_EVERY: u64 = 10;

/// How the schedule ended.
#[derive(Debug)]
pub enum ScheduleEnd {
    /// A stop was asked for, or the one cycle is done.
    Stopped,
    /// The one cycle failed.
    Failed(CycleError),
}

/// Runs cycles until a stop is asked for; with `once`, a single one. Reports the progress to the
/// service manager.
pub async fn run(
    manager: &Manager,
    worker: &mut Worker,
    interval: Duration,
    once: bool,
    stop: &Stop,
) -> ScheduleEnd {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut outage = Outage::default();
    let mut stands_by = false;
    let mut ticked = false;
    let mut failed = 0;
    let end = loop {
        let due = async {
            if !ticked {
                let pause = outage.pause().or(stands_by.then_some(STANDBY_PAUSE));
                manager.waiting(wait(pause, &mut ticks)).await;
            }
        };
        if stop.unless_asked(due).await.is_none() {
            break ScheduleEnd::Stopped;
        }
        ticked = false;
        let in_hand = worker.in_hand();
        let cycles = worker.cycles();
        let metrics = worker.metrics.clone();
        let begun = Instant::now();
        let ended = {
            // It is called between the steps of a cycle, once the store was found in order.
            let is_stopping = || {
                manager.ready();
                manager.alive();
                metrics.alive();
                stop.is_asked()
            };
            let is_in_hand = || {
                let is_in_hand = in_hand.load(Ordering::Relaxed);
                if is_in_hand {
                    tracing::info!("stopping after the batch in hand");
                    manager.stopping();
                }
                is_in_hand
            };
            stop.within_grace(worker.cycle(is_stopping), is_in_hand).await
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(Unfinished::NothingInHand) => break ScheduleEnd::Stopped,
            Err(Unfinished::TooLong) => {
                tracing::warn!(
                    "the batch in hand took too long and is rolled back; the next start judges it"
                );
                break ScheduleEnd::Stopped;
            }
        };
        stands_by = matches!(ended, Err(CycleError::Standby { .. }));
        failed += u64::from(ended.is_err() && !stands_by);
        count(worker, &ended, begun.elapsed());
        tell(manager, worker, &ended);
        beat(worker, &ended);
        match ended {
            Err(error) if once => break ScheduleEnd::Failed(error),
            Err(CycleError::Standby { .. }) | Ok(_) => outage.over(),
            // Another worker is active, or the row was deleted: the next cycle finds out who leads.
            Err(error) if error.is_fenced() => {
                outage.over();
                tracing::warn!("{error}; this one is on standby now");
            }
            Err(error) => outage.failed(&error),
        }
        if stop.is_asked() {
            break ScheduleEnd::Stopped;
        }
        if once {
            break match look(manager, worker, None, stop).await {
                LookEnd::Failed(error) => ScheduleEnd::Failed(error),
                LookEnd::Over | LookEnd::Ticked | LookEnd::Stopped => ScheduleEnd::Stopped,
            };
        }
        if stands_by {
            continue;
        }
        // A try that ended before a cycle is logged as a part of the outage.
        if worker.cycles() > cycles && worker.cycles().is_multiple_of(STATISTICS_EVERY) {
            report::statistics("statistics", worker, failed, started.elapsed());
        }
        if !outage.is_on() {
            tracing::info!("next check in {}", in_words(interval));
            match look(manager, worker, Some(&mut ticks), stop).await {
                LookEnd::Over => {}
                LookEnd::Ticked => ticked = true,
                LookEnd::Stopped => break ScheduleEnd::Stopped,
                LookEnd::Failed(error) => {
                    failed += 1;
                    outage.failed(&error);
                }
            }
        }
    };
    manager.stopping();
    report::statistics("stopped", worker, failed, started.elapsed());
    end
}

/// Updates the status from which alerts are made.
fn beat(worker: &Worker, ended: &Result<report::CycleReport, CycleError>) {
    let end = match ended {
        Ok(report) => CycleEnd::Success { too_late: report.counts.too_late },
        Err(CycleError::Standby { .. }) => CycleEnd::Standby,
        // The worker that has the name now is active.
        Err(error) if error.is_fenced() => CycleEnd::Standby,
        Err(error) => CycleEnd::Failure { why: error.to_string() },
    };
    let plant = worker.session.as_ref().map(|session| session.now);
    worker.service_status.cycle_ended(&end, worker.shared.refused().as_deref(), plant);
}

/// Reports the result of a cycle to the service manager. If the store cannot be reached, waiting is
/// all that can be done, and the service counts as ready. Any other error at the start has to be
/// repaired, so the service does not count as ready.
fn tell(manager: &Manager, worker: &Worker, ended: &Result<report::CycleReport, CycleError>) {
    match ended {
        Ok(_) => {
            manager.ready();
            manager.status(&report::standing(worker));
        }
        Err(error) => {
            let known = worker.watermark().is_some();
            if known || error.is_connection() || matches!(error, CycleError::Standby { .. }) {
                manager.ready();
            }
            manager.status(&error.to_string());
        }
    }
    manager.alive();
}

/// Updates the metrics of a cycle.
fn count(worker: &Worker, ended: &Result<report::CycleReport, CycleError>, took: Duration) {
    let (outcome, counts) = match ended {
        Ok(report) => (CycleOutcome::Done, report.counts),
        Err(CycleError::Standby { .. }) => (CycleOutcome::Standby, Counts::default()),
        Err(_) => (CycleOutcome::Failed, Counts::default()),
    };
    worker.metrics.cycle(outcome, took, &counts);
    if let Some(session) = &worker.session {
        worker.metrics.stands(&session.state, session.now);
    }
}

/// How a look between two cycles ended.
enum LookEnd {
    /// The look is finished.
    Over,
    /// The next cycle is due; the look continues after it.
    Ticked,
    Stopped,
    Failed(CycleError),
}

/// Looks for unjudged readings until the next tick, page by page, and pauses after each page for as
/// long as it took. Without ticks it runs until the look is finished.
async fn look(
    manager: &Manager,
    worker: &mut Worker,
    mut ticks: Option<&mut tokio::time::Interval>,
    stop: &Stop,
) -> LookEnd {
    while worker.looks() {
        let begun = Instant::now();
        manager.alive();
        worker.metrics.alive();
        // Cancelling a statement would cost the connection, and save only seconds.
        let ended = stop.within_grace(worker.look(), || true).await;
        if stop.is_asked() {
            return LookEnd::Stopped;
        }
        match ended {
            Err(_) => return LookEnd::Stopped,
            Ok(Err(error)) => return LookEnd::Failed(error),
            Ok(Ok(Slice::Done(_) | Slice::NoIndex)) => return LookEnd::Over,
            Ok(Ok(Slice::More)) => {}
        }
        if let Some(ticks) = &mut ticks {
            tokio::select! {
                biased;
                () = stop.asked() => return LookEnd::Stopped,
                _ = ticks.tick() => return LookEnd::Ticked,
                () = manager.waiting(tokio::time::sleep(begun.elapsed())) => {}
            }
        }
    }
    LookEnd::Over
}

/// Waits for the next tick, or for a shorter pause.
async fn wait(pause: Option<Duration>, ticks: &mut tokio::time::Interval) {
    match pause {
        Some(pause) => tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = ticks.tick() => {}
        },
        None => drop(ticks.tick().await),
    }
}

/// `10 minutes`, `30 seconds`, as the Python worker says it.
fn in_words(interval: Duration) -> String {
    let seconds = interval.as_secs();
    match seconds {
        _ if seconds >= 60 && seconds.is_multiple_of(60) => report::count(seconds / 60, "minute"),
        _ if interval.subsec_nanos() == 0 => report::count(seconds, "second"),
        _ => humantime::format_duration(interval).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_said_as_people_say_it() {
        for (seconds, words) in [
            (600, "10 minutes"),
            (60, "1 minute"),
            (7200, "120 minutes"),
            (30, "30 seconds"),
            (90, "90 seconds"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
