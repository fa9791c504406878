//! Alerts from the outbox to receivers of the test's own, over a real database and real
//! connections: receivers that are down for a time, that refuse, or that fail at random while the
//! delivery is ended at random.
//!
//! The time is the runtime's. It does not advance while anything runs, and advances at once while
//! nothing does. `KILL_ROUNDS` says how often it is ended (8 unless given, `just test-kill` 200).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops at the first surprise and says its seed"
)]

mod command;
#[path = "../common/mod.rs"]
mod common;
mod kill;
mod mail;
mod mail_over_tls;
mod outbox;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use host::alert::service_status::ServiceStatus;
use host::alert::service_watch::CycleEnd;
use host::config::{ChannelKind, ChannelSection};
use host::secret::Secret;
use outbox::{Outbox, Standing, begin_and_end};
use receiver::{Answer, Receiver};

/// A generator with the period of its 64 bits (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

fn webhook(name: &str, receiver: &Receiver) -> ChannelSection {
    ChannelSection {
        url: Some(Secret::new(receiver.url())),
        secret: Some(Secret::new(receiver::SECRET)),
        ..ChannelSection::new(name, ChannelKind::Webhook)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A receiver is down for a day while episodes begin and end every few minutes. Nothing is lost,
/// and there is one summary. Another channel gets each message in time, and once.
#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_for_a_day_gets_one_summary() {
    let outbox = Outbox::new().await;
    let (down, up) = (Receiver::start().await, Receiver::start().await);
    down.answers(Answer::Status(503));
    let delivery = outbox.start(&[webhook("down", &down), webhook("up", &up)]);
    let mut told = Vec::new();
    for hour in 0..24 {
        let entries = begin_and_end(&["A", "B/<b>", "C\nX"], hour * 60);
        outbox.add(&entries);
        told.extend(entries);
        outbox.beat(hour * 60 + 14);
        tokio::time::sleep(60 * MINUTE).await;
    }
    assert_eq!(outbox.standing(), Standing { due: 144, delivered: 0, dead: 0 });
    let tries = down.requests().len();
    assert!((50..200).contains(&tries), "{tries} tries in a day");

    down.answers(Answer::Status(200));
    outbox.beat(24 * 60);
    tokio::time::sleep(30 * MINUTE).await;
    assert_eq!(outbox.standing(), Standing { due: 0, delivered: 144, dead: 0 });
    let summaries = down.taken();
    assert_eq!(summaries.len(), 1, "one summary");
    assert_eq!(summaries[0].kind, "anomaly-worker.summary");
    let ids: Vec<_> = told.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(summaries[0].events, ids, "nothing is lost, in order");

    // Three begin together, and three end.
    let in_time = up.taken();
    assert_eq!(in_time.len(), 48);
    assert!(in_time.iter().all(|message| message.events.len() == 3));
    assert_eq!(in_time.iter().flat_map(|message| message.events.clone()).collect::<Vec<_>>(), ids);
    delivery.finish().await;
}

/// A message that a receiver refuses delays its variable and is given up. It is sent when it is put
/// back.
#[tokio::test(start_paused = true)]
async fn what_is_refused_becomes_a_dead_letter_and_holds_up_nothing_else() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start().await;
    receiver.refuses("BAD");
    outbox.add(&begin_and_end(&["BAD"], 0));
    outbox.beat(30);
    let delivery = outbox.start(&[webhook("hook", &receiver)]);
    tokio::time::sleep(MINUTE).await;
    outbox.add(&begin_and_end(&["GOOD"], 1));
    tokio::time::sleep(MINUTE).await;
    assert_eq!(outbox.standing(), Standing { due: 2, delivered: 2, dead: 0 });

    tokio::time::sleep(180 * MINUTE).await;
    assert_eq!(outbox.standing(), Standing { due: 0, delivered: 2, dead: 2 });
    let tries = receiver.requests().len();
    assert!((9..20).contains(&tries), "{tries} tries");

    receiver.refuses("nothing");
    outbox.revive();
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!(outbox.standing(), Standing { due: 0, delivered: 4, dead: 0 });
    delivery.finish().await;
}

/// A receiver fails at random, and the delivery is ended at random and begun again. Every begin and
/// end arrives at least once, none arrives that did not happen, and those of each variable arrive
/// in order.
#[tokio::test(start_paused = true)]
async fn whatever_ends_the_delivery_everything_arrives() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("KILL_SEED").unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos().into()
    });
    eprintln!("KILL_SEED={seed}");
    let mut random = Random(seed);
    for round in 0..number("KILL_ROUNDS").unwrap_or(8) {
        let outbox = Outbox::new().await;
        let receivers = [Receiver::start().await, Receiver::start().await];
        let mut told = Vec::new();
        for step in 0..6 {
            for receiver in &receivers {
                receiver.answers(match random.below(4) {
                    0 => Answer::Status(200),
                    1 => Answer::Status(503),
                    2 => Answer::Takes { and_answers: 500 },
                    _ => Answer::HangsUp,
                });
            }
            let names = ["A", "B", "C", "D"];
            let first = usize::try_from(random.below(4)).unwrap();
            let entries = begin_and_end(&names[first..], step * 40);
            outbox.add(&entries);
            told.extend(entries);
            outbox.beat(step * 40 + 35);
            let delivery = outbox.start(&[webhook("one", &receivers[0]), webhook("two", &receivers[1])]);
            tokio::time::sleep(Duration::from_millis(random.below(120_000))).await;
            drop(delivery);
        }
        receivers.iter().for_each(|receiver| receiver.answers(Answer::Status(200)));
        let delivery = outbox.start(&[webhook("one", &receivers[0]), webhook("two", &receivers[1])]);
        tokio::time::sleep(60 * MINUTE).await;
        let left = outbox.standing();
        assert_eq!((left.due, left.dead), (0, 0), "round {round}");
        let ids: BTreeSet<_> = told.iter().map(|entry| entry.id.clone()).collect();
        for receiver in &receivers {
            let arrived: Vec<_> = receiver.taken().into_iter().flat_map(|message| message.events).collect();
            assert_eq!(arrived.iter().cloned().collect::<BTreeSet<_>>(), ids, "round {round}");
            let mut first: BTreeMap<&str, usize> = BTreeMap::new();
            for (at, id) in arrived.iter().enumerate() {
                first.entry(id).or_insert(at);
            }
            for name in ["A", "B", "C", "D"] {
                let of_variable = told.iter().filter(|entry| entry.variable == name);
                let places: Vec<_> = of_variable.map(|entry| first[&*entry.id]).collect();
                assert!(places.is_sorted(), "round {round}: {name} arrived as {places:?}");
            }
        }
        delivery.finish().await;
    }
}

/// An outbox without channels does not grow, nor does one whose last channel was removed.
#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_is_done() {
    let outbox = Outbox::new().await;
    outbox.add(&begin_and_end(&["A"], 0));
    outbox.beat(30);
    let delivery = outbox.start(&[]);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(outbox.standing(), Standing { due: 0, delivered: 2, dead: 0 });
    delivery.finish().await;
}

/// A worker on standby sends nothing.
#[tokio::test(start_paused = true)]
async fn a_worker_on_standby_tells_nobody() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start().await;
    outbox.add(&begin_and_end(&["A"], 0));
    let delivery = outbox.start(&[webhook("hook", &receiver)]);
    tokio::time::sleep(30 * MINUTE).await;
    assert_eq!(receiver.requests().len(), 0);
    outbox.beat(30);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(receiver.taken().len(), 1);
    delivery.finish().await;
}

/// Workers that share the variables share one outbox: one of their processes sends all of it, each
/// message once, and when that process ends another continues.
#[tokio::test(start_paused = true)]
async fn workers_that_share_an_outbox_tell_each_thing_once() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start().await;
    let channels = [webhook("hook", &receiver)];
    let status = Arc::new(ServiceStatus::new("default 2/2".to_owned(), 10 * MINUTE));
    let success = CycleEnd::Success { too_late: 0 };
    let mut first = Some(outbox.start(&channels));
    let second = outbox.start_beside("default 2/2", &status, &channels);
    let mut told = BTreeSet::new();
    for step in 0..6 {
        if step == 3 {
            first.take().unwrap().finish().await;
        }
        let entries = begin_and_end(&["A", "B"], step * 40);
        outbox.add(&entries);
        told.extend(entries.into_iter().map(|entry| entry.id));
        outbox.beat(step * 40 + 35);
        status.cycle_ended(&success, None, Some(outbox::at(step * 40 + 35)));
        tokio::time::sleep(2 * MINUTE).await;
    }
    assert_eq!(outbox.standing(), Standing { due: 0, delivered: 24, dead: 0 });
    let arrived: Vec<_> = receiver.taken().into_iter().flat_map(|message| message.events).collect();
    assert_eq!((arrived.len(), arrived.into_iter().collect::<BTreeSet<_>>()), (24, told));
    second.finish().await;
}

/// The process that delivers tells Alertmanager what is open. Each process tells its own condition.
#[tokio::test(start_paused = true)]
async fn a_process_that_does_not_deliver_tells_of_its_own_trouble() {
    let outbox = Outbox::new().await;
    let (url, came) = command::receiver(|| "200 OK");
    let channel = ChannelSection {
        url: Some(Secret::new(url)),
        ..ChannelSection::new("alertmanager", ChannelKind::Alertmanager)
    };
    let channels = [channel];
    let first = outbox.start(&channels);
    outbox.beat(1);
    tokio::time::sleep(MINUTE).await;
    let status = Arc::new(ServiceStatus::new("default 2/2".to_owned(), Duration::ZERO));
    let second = outbox.start_beside("default 2/2", &status, &channels);
    status.cycle_ended(&CycleEnd::Success { too_late: 0 }, None, Some(outbox::at(2)));
    status.cycle_ended(&CycleEnd::Failure { why: "no disk".to_owned() }, None, None);
    tokio::time::sleep(3 * MINUTE).await;
    let labels = |alerts: &serde_json::Value| {
        let of = |name: &str| alerts[0]["labels"][name].as_str().unwrap().to_owned();
        [of("alertname"), of("worker")]
    };
    let told: BTreeSet<_> = came.lock().unwrap().iter().map(labels).collect();
    let expected = ["AnomalyWorkerNoSuccess", "default 2/2"].map(str::to_owned);
    assert_eq!(told, BTreeSet::from([expected]));
    first.finish().await;
    second.finish().await;
}
