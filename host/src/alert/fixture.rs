//! Events for tests: what happened to `T1` on the 15th of January.

use std::time::Duration;

use super::event::{AlertEvent, Change, EventDetail, Facts, ServiceEvent, Worst};
use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, Priority};

/// So many minutes after ten.
pub(crate) fn at(minutes: u64) -> Datetime {
    Datetime::parse("2025-01-15 10:00:00")
        .unwrap_or(Datetime::from_micros(0))
        .later(Duration::from_secs(60 * minutes))
}

/// An anomaly that began at ten.
pub(crate) fn facts(variable: &str) -> Facts {
    Facts {
        episode: 7,
        variable: variable.into(),
        nature: EpisodeKind::Anomaly,
        priority: Priority::Medium,
        unit: Some("°C".to_owned()),
        description: None,
        link: None,
        begin: at(0),
        end: at(0),
        closed_at: None,
        peak: Some(84.25),
        readings: 3,
        flagged: 2,
        cause: Some("spike".to_owned()),
        worst: Some(Worst { at: at(5), value: 87.4, expected: Some(73.2) }),
    }
}

/// Something of these facts, which reach to so many minutes after ten.
pub(crate) fn event(id: &str, change: Change, minutes: u64, facts: Facts) -> AlertEvent {
    let closed_at = (change == Change::Closed).then(|| at(minutes));
    let facts = Box::new(Facts { end: at(minutes), closed_at, ..facts });
    AlertEvent { id: id.to_owned(), at: at(minutes), what: EventDetail::Variable(change, facts) }
}

/// Something of the service, at ten.
pub(crate) fn service(id: &str, service: ServiceEvent) -> AlertEvent {
    AlertEvent { id: id.to_owned(), at: at(0), what: EventDetail::Service(service) }
}
