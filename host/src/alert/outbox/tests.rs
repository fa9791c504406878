#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;
use crate::alert::event::EventKind;
use crate::alert::fixture::at;
use crate::episode::{Direction, Priority, Told, WorstReading};

fn episode(kind: EpisodeKind) -> Episode {
    Episode {
        end: at(10),
        peak_score: Some(84.25),
        worst: Some(WorstReading { ds: at(5), y: 87.4, yhat: Some(73.2) }),
        direction: Some(Direction::Above),
        readings: 3,
        flagged: 2,
        cause: Some("spike".to_owned()),
        priority: Priority::High,
        told: Told::Opened,
        ..Episode::at("T1".into(), kind, at(0))
    }
}

fn entry(kind: MessageKind, payload: String) -> OutboxEntry {
    OutboxEntry {
        seq: 3,
        id: "abc".to_owned(),
        kind,
        variable: Some("T1".into()),
        episode_id: Some(7),
        created_at: at(11),
        payload,
        attempts: 0,
        next_try_at: at(11),
        state: EntryState::Due,
        last_error: None,
        progress: None,
    }
}

fn about(name: &str) -> Described {
    Described {
        unit: Some("°C".to_owned()),
        description: Some(format!("what {name} is")),
        page: Some("https://p.example/a".to_owned()),
    }
}

#[test]
fn an_entry_is_what_it_tells() {
    let of = |kind, episode: &Episode| {
        event(&entry(kind, serde_json::to_string(episode).unwrap()), &about).unwrap()
    };
    let expected = Facts {
        description: Some("what T1 is".to_owned()),
        link: Some("https://p.example/a/episode?id=7".to_owned()),
        priority: Priority::High,
        end: at(10),
        ..crate::alert::fixture::facts("T1")
    };
    let found = of(MessageKind::Opened, &episode(EpisodeKind::Anomaly));
    assert_eq!(found.what, EventDetail::Variable(Change::Opened, Box::new(expected)));
    assert_eq!((found.id.as_str(), found.at), ("abc", at(11)));

    let closed = |kind| Episode { closed_at: Some(at(12)), ..episode(kind) };
    for (kind, episode, told, is_end) in [
        (MessageKind::Opened, episode(EpisodeKind::Anomaly), EventKind::Opened, false),
        (MessageKind::Opened, episode(EpisodeKind::Stuck), EventKind::Opened, false),
        (MessageKind::StillOpen, episode(EpisodeKind::Anomaly), EventKind::StillOpen, false),
        (MessageKind::Closed, closed(EpisodeKind::Anomaly), EventKind::Closed, true),
        (MessageKind::Silent, episode(EpisodeKind::Silent), EventKind::Silent, false),
        (MessageKind::Back, closed(EpisodeKind::Silent), EventKind::Back, true),
        (MessageKind::Service, episode(EpisodeKind::Service), EventKind::Service, false),
        (MessageKind::Service, closed(EpisodeKind::Service), EventKind::Service, true),
    ] {
        let found = of(kind, &episode);
        assert_eq!((found.kind(), found.is_end()), (told, is_end), "{kind}");
    }
    let service = of(MessageKind::Service, &episode(EpisodeKind::Service));
    assert_eq!((service.variable(), &service.facts().unwrap().unit), (None, &None));
    assert_eq!(service.link(), Some("https://p.example/a/episode?id=7"));
}

#[test]
fn an_entry_that_no_worker_wrote_is_said() {
    let error = event(&entry(MessageKind::Opened, "{}".to_owned()), &about).unwrap_err();
    assert!(error.starts_with("the payload of entry 3 is no episode: "), "{error}");
    let shelved = serde_json::to_string(&episode(EpisodeKind::Shelved)).unwrap();
    let error = event(&entry(MessageKind::Opened, shelved), &about).unwrap_err();
    assert_eq!(error, "entry 3 is of a variable that is shelved, and no messages are sent on that");
}

#[test]
fn an_entry_is_over_when_all_channels_are_done_with_it() {
    let of = |text: &str| {
        let progress = (!text.is_empty()).then(|| text.to_owned());
        Progress::of(&OutboxEntry { progress, ..entry(MessageKind::Opened, String::new()) })
    };
    for (text, channels, state) in [
        ("", vec![], EntryState::Delivered),
        ("", vec!["a"], EntryState::Due),
        (r#"{"a":"done"}"#, vec!["a"], EntryState::Delivered),
        (r#"{"a":"done"}"#, vec!["a", "b"], EntryState::Due),
        (r#"{"a":"done","b":{"tried":3}}"#, vec!["a", "b"], EntryState::Due),
        (r#"{"a":"done","b":"dead"}"#, vec!["a", "b"], EntryState::Dead),
        (r#"{"a":"dead","b":"done"}"#, vec!["a", "b"], EntryState::Dead),
        (r#"{"a":"dead"}"#, vec!["a", "b"], EntryState::Due),
        // One that was taken out of the configuration.
        (r#"{"a":"done","old":"dead"}"#, vec!["a"], EntryState::Delivered),
        ("no JSON", vec!["a"], EntryState::Due),
    ] {
        assert_eq!(of(text).state(channels), state, "{text}");
    }
    let mut progress = of(r#"{"a":"done","b":{"tried":3}}"#);
    assert_eq!((progress.tries("a"), progress.tries("b"), progress.tries("c")), (0, 3, 0));
    assert_eq!((progress.is_over("a"), progress.is_over("b"), progress.is_over("c")), (true, false, false));
    let due = progress.note(["a", "b"], at(1), at(9), Some("404".to_owned()));
    assert_eq!((due.state, due.at, due.error), (EntryState::Due, at(1), Some("404".to_owned())));
    progress.set("b", Mark::Dead);
    let dead = progress.note(["a", "b"], at(1), at(9), None);
    assert_eq!((dead.state, dead.at), (EntryState::Dead, at(9)));
    assert_eq!(dead.progress.as_deref(), Some(r#"{"a":"done","b":"dead"}"#));
    assert!(progress.revive() && !progress.revive());
    assert_eq!(progress.state(["a", "b"]), EntryState::Due);
}
