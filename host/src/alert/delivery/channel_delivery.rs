//! One channel's task: it reads the entries of the outbox that wait for the channel, in order, and
//! sends them. It lives as long as the service.
//!
//! A receiver that cannot be reached delays its own channel only. A refused message delays the
//! later messages on the same variables only. If the outbox cannot be written after a message was
//! sent, it is written later, and the message is not sent again by this process. If the process is
//! killed before that, the next one sends the message a second time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::EntryMark;
use super::{DeliveryContext, POLL};
use crate::alert::channel::Channel;
use crate::alert::event::AlertEvent;
use crate::alert::group::{Group, GroupKind, plan};
use crate::alert::message::Message;
use crate::alert::outbox::{self, Mark};
use crate::alert::picture::picture;
use crate::alert::retry::{self, RetryDecision, SendError};
use crate::datetime::Datetime;
use crate::metrics::AlertOutcome;
use crate::stop::Stop;

/// If an entry has waited longer than this, all waiting entries are one summary.
const LATE: Duration = Duration::from_secs(15 * 60);

/// How long an event of the service is kept: it is about the present.
const KEPT_DIRECT: Duration = Duration::from_secs(24 * 3600);

/// After so many refused messages in a row without a success the channel pauses.
const MOST_REFUSALS: u32 = 3;

/// How often the outbox is read from its beginning, for entries that were made due again.
const FROM_THE_START: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct ChannelDelivery {
    channel: Channel,
    shared: Arc<DeliveryContext>,
    together: Duration,
    /// The number of the next event of the service; the earlier ones were put into `direct`.
    told: u64,
    direct: VecDeque<Direct>,
    /// Entries up to this one need not be read.
    after: i64,
    looked_through: Instant,
    /// When the first of the new entries was seen, which wait for others of the same message.
    seen: Option<Instant>,
    /// Entries that the receiver refused, with the time when each is tried again.
    held: HashMap<i64, Instant>,
    /// Entries that were delivered, and could not be written to the outbox as delivered.
    sent: HashSet<i64>,
    outage: Option<ReceiverOutage>,
}

/// An event of the service, which does not come from the outbox.
struct Direct {
    event: AlertEvent,
    since: Instant,
    tries: u32,
    /// When it is tried again, if it was refused.
    until: Instant,
}

/// A time in which the receiver cannot be reached.
struct ReceiverOutage {
    since: Instant,
    tries: u32,
    until: Instant,
}

/// An entry that waits.
#[derive(Clone, Copy)]
struct WaitingEntry {
    seq: i64,
    created_at: Datetime,
    tries: u32,
}

impl ChannelDelivery {
    pub(super) fn new(channel: Channel, shared: Arc<DeliveryContext>, together: Duration) -> Self {
        Self {
            channel,
            shared,
            together,
            told: 0,
            direct: VecDeque::new(),
            after: 0,
            looked_through: Instant::now(),
            seen: None,
            held: HashMap::new(),
            sent: HashSet::new(),
            outage: None,
        }
    }

    pub(super) async fn run(mut self, stop: Stop) {
        loop {
            while self.round(&stop).await {}
            tokio::select! {
                () = stop.asked() => return,
                () = self.shared.service_status.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Sends what is to be sent now. True: something was sent, and there may be more.
    pub(super) async fn round(&mut self, stop: &Stop) -> bool {
        let now = Instant::now();
        self.take_direct(now);
        if stop.is_asked() || self.outage.as_ref().is_some_and(|outage| outage.until > now) {
            return false;
        }
        if !self.tell_direct(now).await {
            return false;
        }
        if !self.shared.service_status.is_active() {
            return false;
        }
        let (events, entries) = match self.look(now).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!("channel `{}`: the outbox cannot be read: {error}", self.channel.name);
                return false;
            }
        };
        if events.is_empty() {
            self.seen = None;
            return false;
        }
        if now.duration_since(*self.seen.get_or_insert(now)) < self.together {
            return false;
        }
        self.seen = None;
        self.tell(events, &entries, stop).await
    }

    fn take_direct(&mut self, now: Instant) {
        let (events, next) = self.shared.service_status.told_since(self.told);
        self.told = next;
        let taken = events.into_iter().filter(|event| self.channel.filter.takes(event));
        self.direct.extend(taken.map(|event| Direct { event, since: now, tries: 0, until: now }));
    }

    /// Sends the events of the service; false if the receiver cannot be reached.
    async fn tell_direct(&mut self, now: Instant) -> bool {
        let mut at = 0;
        while let Some(direct) = self.direct.get_mut(at) {
            if direct.until > now {
                at += 1;
                continue;
            }
            direct.tries += 1;
            let (tries, age) = (direct.tries, now.duration_since(direct.since));
            let group = Group { kind: GroupKind::One, events: vec![direct.event.clone()] };
            let message = Message::of(group, self.channel.language);
            let failure = match self.channel.send(&message).await {
                Ok(answer) => {
                    self.delivered(&message, &answer);
                    self.direct.remove(at);
                    continue;
                }
                Err(failure) => failure,
            };
            match retry::next(&failure, tries, age, chance()) {
                RetryDecision::Retry(pause) if age <= KEPT_DIRECT => {
                    if !failure.refused {
                        self.failed(&failure);
                        return false;
                    }
                    if tries == 1 {
                        self.say_refused(&message, &failure);
                    }
                    if let Some(direct) = self.direct.get_mut(at) {
                        direct.until = now + pause;
                    }
                    at += 1;
                }
                RetryDecision::Retry(_) | RetryDecision::DeadLetter => {
                    tracing::error!(
                        "channel `{}`: `{}` is given up: {}",
                        self.channel.name,
                        message.subject,
                        failure.what
                    );
                    self.direct.remove(at);
                }
            }
        }
        true
    }

    fn say_refused(&self, message: &Message, failure: &SendError) {
        tracing::warn!(
            "channel `{}`: `{}` is refused, trying again: {}",
            self.channel.name,
            message.subject,
            failure.what
        );
    }

    /// The events in the outbox that wait for this channel and may be sent now, in order.
    async fn look(
        &mut self,
        now: Instant,
    ) -> Result<(Vec<AlertEvent>, HashMap<String, WaitingEntry>), crate::store::StoreError> {
        if now.duration_since(self.looked_through) > FROM_THE_START {
            (self.after, self.looked_through) = (0, now);
        }
        self.held.retain(|_, until| *until > now);
        let mut queue = self.shared.queue.lock().await;
        if !queue.is_ours().await? {
            return Ok((Vec::new(), HashMap::new()));
        }
        let (found, after) = queue.waiting(&self.channel.name, self.after).await?;
        self.after = after;
        let (mut events, mut entries, mut notes) = (Vec::new(), HashMap::new(), Vec::new());
        // Entries after a refused one of the same variable wait with it, to keep their order.
        let mut behind: HashSet<Option<Arc<str>>> = HashSet::new();
        for (entry, tries) in found {
            let note = |mark, error| EntryMark { seq: entry.seq, created_at: entry.created_at, mark, error };
            if self.sent.contains(&entry.seq) {
                notes.push(note(Mark::Done, None));
                continue;
            }
            if self.held.contains_key(&entry.seq) || behind.contains(&entry.variable) {
                behind.insert(entry.variable.clone());
                continue;
            }
            match outbox::event(&entry, self.shared.about.as_ref()) {
                Err(why) => {
                    tracing::error!("channel `{}`: {why}; it is a dead letter", self.channel.name);
                    notes.push(note(Mark::Dead, Some(why)));
                }
                Ok(event) if !self.channel.filter.takes(&event) => notes.push(note(Mark::Done, None)),
                Ok(event) => {
                    let waiting = WaitingEntry { seq: entry.seq, created_at: entry.created_at, tries };
                    entries.insert(event.id.clone(), waiting);
                    events.push(event);
                }
            }
        }
        let noted: Vec<_> = notes.iter().map(|note| note.seq).collect();
        queue.note(&self.channel.name, notes, self.shared.service_status.now()).await?;
        for seq in noted {
            self.sent.remove(&seq);
        }
        Ok((events, entries))
    }

    /// Sends the waiting events; true if some of them arrived.
    async fn tell(
        &mut self,
        events: Vec<AlertEvent>,
        entries: &HashMap<String, WaitingEntry>,
        stop: &Stop,
    ) -> bool {
        let plant = self.shared.service_status.now();
        let is_late = entries.values().any(|waiting| plant.since(waiting.created_at) > LATE);
        let mut refused: HashSet<String> = HashSet::new();
        let mut told = false;
        // Entries that were refused in one message are sent alone, so that one that the receiver
        // cannot take does not delay the others.
        let is_again = |event: &AlertEvent| entries.get(&event.id).is_some_and(|waiting| waiting.tries > 0);
        let (again, fresh): (Vec<_>, Vec<_>) = events.into_iter().partition(is_again);
        let mut groups = plan(again, false, true);
        groups.extend(plan(fresh, is_late, self.channel.tells_each()));
        let mut refusals = 0;
        for group in groups {
            if stop.is_asked() {
                return false;
            }
            let of_refused = |event: &AlertEvent| event.variable().is_some_and(|name| refused.contains(name));
            if group.events.iter().any(of_refused) {
                continue;
            }
            let names: Vec<_> =
                group.events.iter().filter_map(AlertEvent::variable).map(str::to_owned).collect();
            let of_group: Vec<_> =
                group.events.iter().filter_map(|event| entries.get(&event.id)).copied().collect();
            let mut message = Message::of(group, self.channel.language);
            if self.channel.shows_pictures() {
                message.picture = picture(self.shared.store.as_ref(), &message).await;
            }
            match self.channel.send(&message).await {
                Ok(answer) => {
                    self.delivered(&message, &answer);
                    self.note(&of_group, |_| Mark::Done, None).await;
                    told = true;
                }
                Err(failure) if failure.refused => {
                    self.refused(&message, &of_group, &failure).await;
                    refused.extend(names);
                    refusals += 1;
                    if refusals >= MOST_REFUSALS && !told {
                        self.failed(&failure);
                        return false;
                    }
                }
                Err(failure) => {
                    self.failed(&failure);
                    self.give_up_old(&of_group, &failure).await;
                    return false;
                }
            }
        }
        told
    }

    fn delivered(&mut self, message: &Message, answer: &str) {
        if let Some(outage) = self.outage.take() {
            let lasted = Duration::from_secs(outage.since.elapsed().as_secs());
            let lasted = humantime::format_duration(lasted);
            tracing::info!("channel `{}` delivers again after {lasted}", self.channel.name);
        }
        self.shared.metrics.alert(AlertOutcome::Delivered);
        tracing::info!("channel `{}`: sent `{}` ({answer})", self.channel.name, message.subject);
    }

    /// The receiver cannot be reached: the channel pauses.
    fn failed(&mut self, failure: &SendError) {
        let now = Instant::now();
        self.shared.metrics.alert(AlertOutcome::Failed);
        let outage = self.outage.get_or_insert_with(|| {
            tracing::warn!(
                "channel `{}` does not deliver, trying again: {}",
                self.channel.name,
                failure.what
            );
            ReceiverOutage { since: now, tries: 0, until: now }
        });
        outage.tries += 1;
        if let RetryDecision::Retry(pause) = retry::next(
            &SendError { refused: false, ..failure.clone() },
            outage.tries,
            Duration::ZERO,
            chance(),
        ) {
            outage.until = now + pause;
        }
    }

    /// The receiver refused this message.
    async fn refused(&mut self, message: &Message, entries: &[WaitingEntry], failure: &SendError) {
        let plant = self.shared.service_status.now();
        let age = |waiting: &WaitingEntry| plant.since(waiting.created_at);
        let tries = entries.iter().map(|waiting| waiting.tries).max().unwrap_or_default() + 1;
        let oldest = entries.iter().map(age).max().unwrap_or_default();
        match retry::next(failure, tries, oldest, chance()) {
            RetryDecision::Retry(pause) => {
                if tries == 1 {
                    self.say_refused(message, failure);
                }
                self.shared.metrics.alert(AlertOutcome::Failed);
                let until = Instant::now() + pause;
                self.held.extend(entries.iter().map(|waiting| (waiting.seq, until)));
                self.note(entries, |_| Mark::Tried(tries), Some(&failure.what)).await;
            }
            RetryDecision::DeadLetter => {
                self.shared.metrics.alert(AlertOutcome::DeadLetter);
                tracing::error!(
                    "channel `{}`: `{}` is a dead letter after {tries} tries; `host alerts retry` sends it again: {}",
                    self.channel.name,
                    message.subject,
                    failure.what
                );
                self.note(entries, |_| Mark::Dead, Some(&failure.what)).await;
            }
        }
    }

    /// Makes a dead letter of each entry that has waited for a week.
    async fn give_up_old(&mut self, entries: &[WaitingEntry], failure: &SendError) {
        let plant = self.shared.service_status.now();
        let old: Vec<_> =
            entries.iter().filter(|waiting| plant.since(waiting.created_at) > retry::KEPT).copied().collect();
        if !old.is_empty() {
            tracing::error!(
                "channel `{}`: {} messages are dead letters after a week: {}",
                self.channel.name,
                old.len(),
                failure.what
            );
            self.note(&old, |_| Mark::Dead, Some(&failure.what)).await;
        }
    }

    async fn note(
        &mut self,
        entries: &[WaitingEntry],
        mark: impl Fn(&WaitingEntry) -> Mark,
        error: Option<&str>,
    ) {
        let is_done = |waiting: &WaitingEntry| mark(waiting) == Mark::Done;
        self.sent.extend(entries.iter().filter(|waiting| is_done(waiting)).map(|waiting| waiting.seq));
        let notes = entries.iter().map(|waiting| EntryMark {
            seq: waiting.seq,
            created_at: waiting.created_at,
            mark: mark(waiting),
            error: error.map(str::to_owned),
        });
        let noted = {
            let mut queue = self.shared.queue.lock().await;
            queue.note(&self.channel.name, notes.collect(), self.shared.service_status.now()).await
        };
        match noted {
            Ok(()) => {
                for waiting in entries {
                    self.sent.remove(&waiting.seq);
                }
            }
            Err(error) => {
                tracing::debug!(
                    "channel `{}`: the outbox cannot be written, trying again: {error}",
                    self.channel.name
                );
            }
        }
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX))
}
