//! The task of a channel that takes states: it sends all open alerts every minute, and ended ones
//! for some minutes more. It lives as long as the service. If sending fails, the next minute
//! repeats it.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::DeliveryContext;
use crate::alert::channel::{Alert, Channel, Clocks, OpenAlerts};
use crate::alert::event::AlertEvent;
use crate::alert::outbox;
use crate::stop::Stop;

/// A fifth of the time that an alert holds which is not sent again.
const EVERY: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct States {
    channel: Channel,
    shared: Arc<DeliveryContext>,
    alerts: OpenAlerts,
    /// What was open when the database was last read. It is sent while that cannot be reached.
    open: Vec<AlertEvent>,
    failed: bool,
}

impl States {
    pub(super) fn new(channel: Channel, shared: Arc<DeliveryContext>) -> Self {
        Self { channel, shared, alerts: OpenAlerts::default(), open: Vec::new(), failed: false }
    }

    pub(super) async fn run(mut self, stop: Stop) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.asked() => return,
                _ = ticks.tick() => {}
                () = self.shared.service_status.changed() => {}
            }
            self.tell().await;
        }
    }

    async fn tell(&mut self) {
        if self.shared.service_status.is_active() {
            let mut queue = self.shared.queue.lock().await;
            match queue.is_ours().await {
                Ok(true) => {}
                // Another process sends what is open. It does not know whether the cycles of this
                // one fail, so that is sent here.
                Ok(false) => {
                    drop(queue);
                    self.open.clear();
                    return self.send().await;
                }
                // The database cannot be reached: what was open before is sent.
                Err(_) => {}
            }
            let now = self.shared.service_status.now();
            if let Ok(open) = queue.open_episodes().await {
                let told =
                    open.into_iter().filter_map(|open| outbox::open(open, now, self.shared.about.as_ref()));
                self.open = told.filter(|event| self.channel.filter.takes(event)).collect();
            }
        } else {
            self.open.clear();
        }
        self.send().await;
    }

    /// Sends what is open, and whether the cycles of this process fail.
    async fn send(&mut self) {
        let clocks = Clocks { plant: self.shared.service_status.now(), real: Utc::now() };
        let trouble = self.shared.service_status.trouble().filter(|event| self.channel.filter.takes(event));
        let open = self.open.iter().chain(&trouble);
        let (worker, language) = (&self.shared.worker, self.channel.language);
        let open = open.map(|event| Alert::open(event, worker, language, clocks)).collect();
        let alerts = self.alerts.next(open, clocks.real);
        if alerts.is_empty() {
            return;
        }
        match self.channel.send_alerts(&alerts).await {
            Ok(_) if self.failed => {
                self.failed = false;
                tracing::info!("channel `{}` delivers again", self.channel.name);
            }
            Ok(_) => {}
            Err(failure) if self.failed => {
                tracing::debug!("channel `{}`: {}", self.channel.name, failure.what);
            }
            Err(failure) => {
                self.failed = true;
                tracing::warn!(
                    "channel `{}` does not deliver, trying again: {}",
                    self.channel.name,
                    failure.what
                );
            }
        }
    }
}
