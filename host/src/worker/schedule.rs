//! When cycles run: at the start and then on every tick, until a stop is asked for.
//!
//! A late cycle skips ticks, they do not pile up. While the database is out of reach the next try
//! comes sooner than the next tick, with growing pauses; an outage is one line when it begins and
//! one when it ends. A worker on standby asks every few seconds.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::error::CycleError;
use super::outage::Outage;
use super::{Slice, Worker, report};
use crate::alert::service_watch::CycleEnd;
use crate::counts::Counts;
use crate::metrics::CycleOutcome;
use crate::service::Manager;

/// How long a batch in hand may take after a stop was asked for. Then it is rolled back; service
/// managers kill after 90 s.
const GRACE: Duration = Duration::from_secs(20);

/// How often a worker on standby asks whether the active one has ended: what a takeover costs at
/// most.
const STANDBY_PAUSE: Duration = Duration::from_secs(5);

/// How often the statistics line comes.
const STATISTICS_EVERY: u64 = 10;

/// How the schedule ended.
#[derive(Debug)]
pub enum ScheduleEnd {
    /// A stop was asked for, or the one cycle is done.
    Stopped,
    /// The one cycle failed.
    Failed(CycleError),
}

/// Runs cycles until `stop` completes; with `once`, a single one.
pub async fn run(
    worker: &mut Worker,
    interval: Duration,
    once: bool,
    stop: impl Future<Output = ()>,
) -> ScheduleEnd {
    run_under(&Manager::default(), worker, interval, once, stop).await
}

/// The same under a manager, which is told how it goes.
pub async fn run_under(
    manager: &Manager,
    worker: &mut Worker,
    interval: Duration,
    once: bool,
    stop: impl Future<Output = ()>,
) -> ScheduleEnd {
    let started = Instant::now();
    let stopping = Arc::new(AtomicBool::new(false));
    let mut stop = pin!(stop);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut outage = Outage::default();
    let mut stands_by = false;
    let mut ticked = false;
    let mut failed = 0;
    let end = loop {
        tokio::select! {
            biased;
            () = &mut stop => break ScheduleEnd::Stopped,
            () = manager.waiting(wait(outage.pause().or(stands_by.then_some(STANDBY_PAUSE)), &mut ticks)),
                if !ticked => {}
            () = std::future::ready(()), if ticked => {}
        }
        ticked = false;
        let asked = Arc::clone(&stopping);
        let in_hand = worker.in_hand();
        let cycles = worker.cycles();
        let metrics = worker.metrics.clone();
        let begun = Instant::now();
        let ended = {
            // It asks between its steps, once it has found the store as it should be.
            let goes_on = || {
                manager.ready();
                manager.alive();
                metrics.alive();
                asked.load(Ordering::Relaxed)
            };
            let mut cycle = pin!(worker.cycle(goes_on));
            tokio::select! {
                ended = &mut cycle => Some(ended),
                () = &mut stop => {
                    if !in_hand.load(Ordering::Relaxed) {
                        break ScheduleEnd::Stopped;
                    }
                    stopping.store(true, Ordering::Relaxed);
                    tracing::info!("stopping after the batch in hand");
                    manager.stopping();
                    tokio::time::timeout(GRACE, cycle).await.ok()
                }
            }
        };
        let Some(ended) = ended else {
            tracing::warn!("the batch in hand took too long and is rolled back; the next start judges it");
            break ScheduleEnd::Stopped;
        };
        stands_by = matches!(ended, Err(CycleError::Standby { .. }));
        failed += u64::from(ended.is_err() && !stands_by);
        count(worker, &ended, begun.elapsed());
        tell(manager, worker, &ended);
        beat(worker, &ended);
        match ended {
            Err(error) if once => break ScheduleEnd::Failed(error),
            Err(CycleError::Standby { .. }) | Ok(_) => outage.over(),
            // Somebody else is at work, or deleted the row: the next cycle asks who leads.
            Err(error) if error.is_fenced() => {
                outage.over();
                tracing::warn!("{error}; this one steps back");
            }
            Err(error) => outage.failed(&error),
        }
        if stopping.load(Ordering::Relaxed) {
            break ScheduleEnd::Stopped;
        }
        if once {
            break match look(manager, worker, None, stop.as_mut()).await {
                LookEnd::Failed(error) => ScheduleEnd::Failed(error),
                LookEnd::Over | LookEnd::Ticked | LookEnd::Stopped => ScheduleEnd::Stopped,
            };
        }
        if stands_by {
            continue;
        }
        // A try that did not come to a cycle is told as a part of its outage.
        if worker.cycles() > cycles && worker.cycles().is_multiple_of(STATISTICS_EVERY) {
            report::statistics("statistics", worker, failed, started.elapsed());
        }
        if !outage.is_on() {
            tracing::info!("next check in {}", in_words(interval));
            match look(manager, worker, Some(&mut ticks), stop.as_mut()).await {
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

/// Tells those who tell people.
fn beat(worker: &Worker, ended: &Result<report::CycleReport, CycleError>) {
    let end = match ended {
        Ok(report) => CycleEnd::Success { too_late: report.counts.too_late },
        Err(CycleError::Standby { .. }) => CycleEnd::Standby,
        // Whoever has the name now is active.
        Err(error) if error.is_fenced() => CycleEnd::Standby,
        Err(error) => CycleEnd::Failure { why: error.to_string() },
    };
    let plant = worker.session.as_ref().map(|session| session.now);
    worker.service_status.cycle_ended(&end, worker.shared.refused().as_deref(), plant);
}

/// What a cycle came to. A store that cannot be reached is waited for, which is all that can be
/// done; one that is not as it should be is not: somebody has to mend it, and whoever started the
/// service should see that.
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

/// A cycle, in numbers.
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
    /// There is nothing more to look at.
    Over,
    /// The next cycle is due; the look goes on after it.
    Ticked,
    Stopped,
    Failed(CycleError),
}

/// Looks for unjudged readings until the next tick, page by page, and rests after each for as long
/// as it took. Without ticks the look comes to its end at once.
async fn look(
    manager: &Manager,
    worker: &mut Worker,
    mut ticks: Option<&mut tokio::time::Interval>,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> LookEnd {
    while worker.looks() {
        let begun = Instant::now();
        let ended = {
            manager.alive();
            worker.metrics.alive();
            let mut slice = pin!(worker.look());
            tokio::select! {
                ended = &mut slice => Some(ended),
                () = &mut stop => {
                    // Left in the middle of a statement it would cost the connection, and gain seconds.
                    let _ = tokio::time::timeout(GRACE, slice).await;
                    None
                }
            }
        };
        match ended {
            None => return LookEnd::Stopped,
            Some(Err(error)) => return LookEnd::Failed(error),
            Some(Ok(Slice::Done(_) | Slice::NoIndex)) => return LookEnd::Over,
            Some(Ok(Slice::More)) => {}
        }
        if let Some(ticks) = &mut ticks {
            tokio::select! {
                biased;
                () = &mut stop => return LookEnd::Stopped,
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
