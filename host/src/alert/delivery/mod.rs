//! Delivery: a task for each channel, beside the worker and over a connection of its own.
//!
//! It lives as long as the service. A stop gives the messages that are being sent a few seconds;
//! what is not delivered by then is sent again after the next start. No cycle waits for a delivery.
//! Only the process of the active worker delivers the outbox.

mod channel_delivery;
mod queue;
mod states;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::channel::Channel;
use super::outbox::Described;
use super::service_status::ServiceStatus;
use crate::metrics::Metrics;
use crate::stop::Stop;
use crate::store::Store;
use channel_delivery::ChannelDelivery;
use queue::Queue;
use states::States;

/// How often the outbox is read, besides after each cycle.
const POLL: Duration = Duration::from_secs(5);

/// How long a stop waits for messages that are being sent.
const GRACE: Duration = Duration::from_secs(3);

/// How often entries that wait for no channel are searched for.
const TIDY: Duration = Duration::from_secs(600);

/// How long what was delivered stays in the outbox.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long `host run --once` delivers at most.
const ONCE: Duration = Duration::from_secs(60);

/// The channels, and what they need to deliver.
pub struct Outgoing {
    pub channels: Vec<Channel>,
    /// Where the outbox is. It opens a connection of its own.
    pub store: Box<dyn Store>,
    pub service_status: Arc<ServiceStatus>,
    pub about: Box<dyn Fn(&str) -> Described + Send + Sync>,
    pub together: Duration,
    pub worker: String,
    pub metrics: Metrics,
}

/// The tasks that deliver. They end when this is dropped.
pub struct Delivery {
    tasks: Vec<JoinHandle<()>>,
    stop: Stop,
}

/// What all tasks share.
struct DeliveryContext {
    queue: Mutex<Queue>,
    store: Arc<dyn Store>,
    metrics: Metrics,
    service_status: Arc<ServiceStatus>,
    about: Box<dyn Fn(&str) -> Described + Send + Sync>,
    worker: String,
}

impl Outgoing {
    fn shared(self) -> (Arc<DeliveryContext>, Vec<Channel>, Duration) {
        let of_events = self.channels.iter().filter(|channel| !channel.tells_state());
        let names = of_events.map(|channel| channel.name.clone()).collect();
        let store: Arc<dyn Store> = self.store.into();
        let queue = Mutex::new(Queue::new(Arc::clone(&store), names));
        let (service_status, about, worker, metrics) =
            (self.service_status, self.about, self.worker, self.metrics);
        (
            Arc::new(DeliveryContext { queue, store, metrics, service_status, about, worker }),
            self.channels,
            self.together,
        )
    }

    /// Begins to deliver.
    pub fn start(self) -> Delivery {
        let (shared, channels, together) = self.shared();
        let stop = Stop::default();
        let mut tasks = vec![tokio::spawn(tidy(Arc::clone(&shared), stop.clone()))];
        for channel in channels {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            tasks.push(match channel.tells_state() {
                true => tokio::spawn(States::new(channel, shared).run(stop)),
                false => tokio::spawn(ChannelDelivery::new(channel, shared, together).run(stop)),
            });
        }
        Delivery { tasks, stop }
    }

    /// Delivers what waits now, without waiting for retries.
    pub async fn once(self) {
        let (shared, channels, _) = self.shared();
        let stop = Stop::default();
        let told = channels.into_iter().filter(|channel| !channel.tells_state()).map(|channel| {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            async move {
                let mut delivery = ChannelDelivery::new(channel, shared, Duration::ZERO);
                while delivery.round(&stop).await {}
            }
        });
        let all = futures_util::future::join_all(told);
        if tokio::time::timeout(ONCE, all).await.is_err() {
            tracing::warn!("not all alerts were delivered in time; the next cycle goes on");
        }
        if shared.service_status.is_active() {
            shared.tidy().await;
        }
    }
}

impl Delivery {
    /// Stops the tasks, within seconds.
    pub async fn finish(mut self) {
        self.stop.ask();
        let all = futures_util::future::join_all(self.tasks.iter_mut());
        let _ = tokio::time::timeout(GRACE, all).await;
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Keeps the outbox small, and releases it while the worker of this process is not active.
async fn tidy(shared: Arc<DeliveryContext>, stop: Stop) {
    let mut tidied = None;
    loop {
        tokio::select! {
            () = stop.asked() => return,
            () = shared.service_status.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        let mut queue = shared.queue.lock().await;
        if !shared.service_status.is_active() {
            queue.leave();
            continue;
        }
        let now = tokio::time::Instant::now();
        if tidied.is_some_and(|tidied| now.duration_since(tidied) < TIDY) {
            continue;
        }
        drop(queue);
        if shared.tidy().await {
            tidied = Some(now);
        }
    }
}

impl DeliveryContext {
    /// Removes old entries; false if another process does that, or it failed.
    async fn tidy(&self) -> bool {
        let mut queue = self.queue.lock().await;
        if !matches!(queue.is_ours().await, Ok(true)) {
            return false;
        }
        let now = self.service_status.now();
        let tidied = queue.tidy(now, now.earlier(REMEMBERED)).await;
        if let Err(error) = &tidied {
            tracing::debug!("the outbox could not be tidied: {error}");
        }
        tidied.is_ok()
    }
}
