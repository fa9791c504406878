//! A message: what a channel sends, in words and as data.
//!
//! Pure. It lives for one delivery. The words are lines of plain text; each channel writes them in
//! the format of its receiver, and escapes that format's markup.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::event::{AlertEvent, Change, EventDetail, EventKind, ServiceEvent};
use super::group::{Group, GroupKind};
use super::language::Language;
use super::sentence::{headline, name, sentence, shown};
use crate::datetime::Datetime;
use crate::episode::Priority;

/// The most events that a text lists; of the rest it has the number. The data has all events.
const NAMED: usize = 50;

/// The most names in a headline.
const IN_HEADLINE: usize = 3;

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The same at each delivery of the same events.
    pub id: String,
    pub language: Language,
    /// The greatest priority of its events.
    pub priority: Priority,
    /// One line.
    pub subject: String,
    /// Without line breaks.
    pub lines: Vec<String>,
    /// In the order in which they happened.
    pub events: Vec<AlertEvent>,
    /// For receivers that show pictures.
    pub picture: Option<Picture>,
}

/// A picture of what a message is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// `image/svg+xml`.
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Message {
    /// The message of a group.
    pub fn of(group: Group, language: Language) -> Self {
        let Group { kind, events } = group;
        let subject = match (kind, events.as_slice()) {
            (GroupKind::One, [event, ..]) => headline(event, language),
            (GroupKind::Together, _) => together(&events, language),
            (GroupKind::Summary | GroupKind::One, _) => summary(&events, language),
        };
        let mut lines = match kind {
            GroupKind::One => Vec::new(),
            GroupKind::Together | GroupKind::Summary => vec![span(&events, language)],
        };
        let bullet = if kind == GroupKind::One { "" } else { "- " };
        lines.extend(events.iter().take(NAMED).map(|event| format!("{bullet}{}", sentence(event, language))));
        if let (GroupKind::One, Some(link)) = (kind, events.first().and_then(AlertEvent::link)) {
            lines.push(link.to_owned());
        }
        if let Some(more) = events.len().checked_sub(NAMED).filter(|more| *more > 0) {
            lines.push(language.of(format!("- and {more} more."), format!("- y {more} más.")));
        }
        Self {
            id: id(&events),
            language,
            priority: events.iter().map(AlertEvent::priority).max().unwrap_or(Priority::Low),
            subject,
            lines,
            events,
            picture: None,
        }
    }

    /// The message of `host alerts test`, with an id of its own.
    pub fn test(id: String, at: Datetime, language: Language) -> Self {
        let events = vec![AlertEvent { id, at, what: EventDetail::Test }];
        Self::of(Group { kind: GroupKind::One, events }, language)
    }

    /// The lines as one text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// The kind of its events; None if they have several.
    pub fn kind(&self) -> Option<EventKind> {
        let mut kinds = self.events.iter().map(AlertEvent::kind);
        let first = kinds.next()?;
        kinds.all(|kind| kind == first).then_some(first)
    }

    /// The address of the page of its event; None if it has several.
    pub fn link(&self) -> Option<&str> {
        match self.events.as_slice() {
            [event] => event.link(),
            _ => None,
        }
    }

    /// Whether each of its events is an end.
    pub fn is_end(&self) -> bool {
        self.events.iter().all(AlertEvent::is_end)
    }

    /// As data: what the JSON webhook sends, and what templates are given.
    pub fn data(&self) -> Value {
        json!({
            "id": self.id,
            "kind": self.kind().map(EventKind::word),
            "priority": self.priority,
            "language": self.language,
            "subject": self.subject,
            "text": self.text(),
            "ended": self.is_end(),
            "events": self.events.iter().map(|event| data(event, self.language)).collect::<Vec<_>>(),
        })
    }
}

/// The id of one event, or a digest of the ids of several in their order.
fn id(events: &[AlertEvent]) -> String {
    match events {
        [event] => event.id.clone(),
        events => {
            let mut digest = Sha256::new();
            for event in events {
                digest.update(event.id.as_bytes());
                digest.update([0]);
            }
            let digest = digest.finalize();
            format!("group-{}", digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    }
}

/// `12 variables anomalous: A, B, C and 9 more`.
fn together(events: &[AlertEvent], language: Language) -> String {
    let names: Vec<_> = events.iter().filter_map(AlertEvent::facts).take(IN_HEADLINE).map(name).collect();
    let more = events.len() - names.len();
    let number = events.len();
    let head = match events.first().map(AlertEvent::kind) {
        Some(EventKind::Opened) => language.of(format!("{number} anomalies"), format!("{number} anomalías")),
        Some(EventKind::StillOpen) => {
            language.of(format!("{number} still anomalous"), format!("{number} siguen anómalas"))
        }
        Some(EventKind::Closed) => language.of(format!("{number} over"), format!("{number} terminadas")),
        Some(EventKind::Silent) => language.of(format!("{number} silent"), format!("{number} en silencio")),
        Some(EventKind::Back) => language.of(format!("{number} back"), format!("{number} de vuelta")),
        Some(EventKind::Service | EventKind::Test) | None => {
            language.of(format!("{number} messages"), format!("{number} mensajes"))
        }
    };
    let names = names.join(", ");
    match more {
        0 => format!("{head}: {names}"),
        more => {
            language.of(format!("{head}: {names} and {more} more"), format!("{head}: {names} y {more} más"))
        }
    }
}

/// `Summary: 12 begun, 9 over, 1 silent`.
fn summary(events: &[AlertEvent], language: Language) -> String {
    let of = |kind: EventKind| events.iter().filter(|event| event.kind() == kind).count() as u64;
    let counted = [
        (of(EventKind::Opened), language.of("begun", "empezadas")),
        (of(EventKind::StillOpen), language.of("longer than an hour", "de más de una hora")),
        (of(EventKind::Closed), language.of("over", "terminadas")),
        (of(EventKind::Silent), language.of("silent", "en silencio")),
        (of(EventKind::Back), language.of("back", "de vuelta")),
        (of(EventKind::Service), language.of("of the service", "del servicio")),
    ];
    let parts: Vec<_> = counted
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    format!("{}: {}", language.of("Summary", "Resumen"), parts.join(", "))
}

/// The times of the first and the last event.
fn span(events: &[AlertEvent], language: Language) -> String {
    let times = || events.iter().map(|event| event.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return String::new() };
    match first == last {
        true => language.of(format!("At {first}:"), format!("A las {first}:")),
        false => language.of(format!("From {first} to {last}:"), format!("De {first} a {last}:")),
    }
}

/// An event as data for programs. Names are not escaped here, because JSON escapes them.
fn data(event: &AlertEvent, language: Language) -> Value {
    let mut data = json!({
        "id": event.id,
        "kind": event.kind().word(),
        "at": event.at,
        "priority": event.priority(),
        "headline": headline(event, language),
        "sentence": sentence(event, language),
    });
    let Some(object) = data.as_object_mut() else { return data };
    match &event.what {
        EventDetail::Variable(change, facts) => {
            let episode = json!({
                "id": facts.episode,
                "state": facts.nature,
                "open": *change != Change::Closed,
                "begin": facts.begin,
                "end": facts.end,
                "closed_at": facts.closed_at,
                "lasted_seconds": facts.lasted().as_secs(),
                "peak_score": facts.peak,
                "readings": facts.readings,
                "flagged": facts.flagged,
                "cause": facts.cause,
                "worst": facts.worst,
                "unit": facts.unit,
                "description": facts.description,
            });
            object.insert("variable".to_owned(), (*facts.variable).into());
            object.insert("link".to_owned(), facts.link.clone().into());
            object.insert("episode".to_owned(), episode);
        }
        EventDetail::Service(service) => {
            let (name, worker) = match service {
                ServiceEvent::NoSuccess { worker, .. } => ("no-success", worker),
                ServiceEvent::Recovered { worker, .. } => ("recovered", worker),
                ServiceEvent::SetRefused { worker, .. } => ("set-refused", worker),
                ServiceEvent::TooLate { worker, .. } => ("too-late", worker),
            };
            object.insert("service".to_owned(), json!({ "state": name, "worker": shown(worker, 100) }));
        }
        EventDetail::Test => {}
    }
    data
}

#[cfg(test)]
mod tests;
