use super::*;
use crate::alert::event::{Change, Facts};
use crate::alert::fixture::{event, facts};
use crate::alert::group::plan;

fn opened(name: &str, minutes: u64) -> AlertEvent {
    let quiet = Facts { cause: None, worst: None, ..facts(name) };
    event(&format!("{name}-opened"), Change::Opened, minutes, quiet)
}

fn closed(name: &str, minutes: u64) -> AlertEvent {
    let quiet = Facts { cause: None, worst: None, priority: Priority::High, ..facts(name) };
    event(&format!("{name}-closed"), Change::Closed, minutes, quiet)
}

fn of(waiting: Vec<AlertEvent>, is_late: bool, language: Language) -> Message {
    let mut groups = plan(waiting, is_late, false);
    assert_eq!(groups.len(), 1);
    Message::of(groups.remove(0), language)
}

#[test]
fn one_event_is_its_sentence() {
    let message = of(vec![opened("T1", 5)], false, Language::En);
    assert_eq!(message.id, "T1-opened");
    assert_eq!(message.subject, "Anomaly: T1");
    assert_eq!(
        message.lines,
        ["T1 is anomalous since 2025-01-15 10:00:00 (5 min); score 84.25, 2 of 3 readings flagged."]
    );
}

#[test]
fn several_are_a_list() {
    let waiting = || ["A", "B", "C", "D", "E"].map(|name| opened(name, 0)).to_vec();
    for (language, subject, first, second) in [
        (
            Language::En,
            "5 anomalies: A, B, C and 2 more",
            "At 2025-01-15 10:00:00:",
            "- A is anomalous at 2025-01-15 10:00:00; score 84.25, 2 of 3 readings flagged.",
        ),
        (
            Language::Es,
            "5 anomalías: A, B, C y 2 más",
            "A las 2025-01-15 10:00:00:",
            "- A es anómala a las 2025-01-15 10:00:00; puntuación 84,25, 2 de 3 lecturas marcadas.",
        ),
    ] {
        let message = of(waiting(), false, language);
        assert_eq!(message.subject, subject);
        assert_eq!((message.lines.len(), &*message.lines[0], &*message.lines[1]), (6, first, second));
        assert_eq!(
            (message.priority, message.kind(), message.is_end()),
            (Priority::Medium, Some(EventKind::Opened), false)
        );
    }
    let again = of(waiting(), false, Language::Es);
    assert_eq!(again.id, of(waiting(), false, Language::En).id, "the same events are the same message");
    assert_ne!(again.id, of(waiting()[1..].to_vec(), false, Language::En).id);
}

#[test]
fn much_is_a_summary_that_ends() {
    let waiting: Vec<_> =
        (0..40).flat_map(|at| [opened(&format!("T{at}"), at), closed(&format!("T{at}"), at + 30)]).collect();
    for (language, subject, span, more) in [
        (
            Language::En,
            "Summary: 40 begun, 40 over",
            "From 2025-01-15 10:00:00 to 2025-01-15 11:09:00:",
            "- and 30 more.",
        ),
        (
            Language::Es,
            "Resumen: 40 empezadas, 40 terminadas",
            "De 2025-01-15 10:00:00 a 2025-01-15 11:09:00:",
            "- y 30 más.",
        ),
    ] {
        let message = of(waiting.clone(), true, language);
        assert_eq!(message.subject, subject);
        assert_eq!((message.lines.len(), &*message.lines[0], &*message.lines[51]), (52, span, more));
        assert_eq!((message.priority, message.kind()), (Priority::High, None));
        assert_eq!(message.events.len(), 80, "the data has them all");
    }
}

#[test]
fn data_is_for_programs() {
    let event = event("e7-opened", Change::Opened, 20, facts("T\n<b>1"));
    let message = of(vec![event], false, Language::En);
    let expected = json!({
        "id": "e7-opened",
        "kind": "opened",
        "priority": "medium",
        "language": "en",
        "subject": "Anomaly: T\\n<b>1 at 87.4 °C, expected 73.2",
        "text": message.lines[0],
        "ended": false,
        "events": [{
            "id": "e7-opened",
            "kind": "opened",
            "at": "2025-01-15 10:20:00",
            "priority": "medium",
            "headline": "Anomaly: T\\n<b>1 at 87.4 °C, expected 73.2",
            "sentence": message.lines[0],
            "variable": "T\n<b>1",
            "link": null,
            "episode": {
                "id": 7,
                "state": "anomaly",
                "open": true,
                "begin": "2025-01-15 10:00:00",
                "end": "2025-01-15 10:20:00",
                "closed_at": null,
                "lasted_seconds": 1200,
                "peak_score": 84.25,
                "readings": 3,
                "flagged": 2,
                "cause": "spike",
                "worst": { "at": "2025-01-15 10:05:00", "value": 87.4, "expected": 73.2 },
                "unit": "°C",
                "description": null,
            },
        }],
    });
    assert_eq!(message.data(), expected);
}

#[test]
fn of_one_thing_the_page_is_named_and_of_several_in_the_data() {
    let link = "https://p.example/episode?id=7";
    let linked = |id: &str, name: &str| {
        event(id, Change::Opened, 20, Facts { link: Some(link.to_owned()), ..facts(name) })
    };
    let one = of(vec![linked("1", "T1")], false, Language::Es);
    assert_eq!((one.lines.len(), one.lines[1].as_str(), one.link()), (2, link, Some(link)));
    let two = of(vec![linked("1", "T1"), linked("2", "T2")], false, Language::En);
    assert!(!two.text().contains("https:") && two.link().is_none(), "{}", two.text());
    assert_eq!(two.data()["events"][1]["link"], link);
}
