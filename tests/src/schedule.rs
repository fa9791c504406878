//! Runs a worker's schedule until something has happened.

use std::pin::pin;
use std::time::Duration;

use host::service::Manager;
use host::stop::Stop;
use host::worker::Worker;
use host::worker::schedule::{self, ScheduleEnd};

/// Runs cycles until `until` completes, which asks for a stop; with `once`, a single one.
pub async fn run(
    worker: &mut Worker,
    interval: Duration,
    once: bool,
    until: impl Future<Output = ()>,
) -> ScheduleEnd {
    let (manager, stop) = (Manager::default(), Stop::default());
    let mut end = pin!(schedule::run(&manager, worker, interval, once, &stop));
    tokio::select! {
        biased;
        () = until => stop.ask(),
        end = &mut end => return end,
    }
    end.await
}
