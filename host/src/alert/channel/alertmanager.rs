//! Alertmanager (API v2). It takes states, not events, and considers an alert resolved if it is not
//! sent again. So all open alerts are sent every minute, and ended ones for five more minutes.
//!
//! It needs real time, and the plant's clock has no zone. A datetime is converted by its distance
//! from the plant's present time.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::webhook::bearer;
use crate::alert::event::{AlertEvent, EventDetail};
use crate::alert::http::Request;
use crate::alert::language::Language;
use crate::alert::retry::SendError;
use crate::alert::secret_source::SecretSource;
use crate::alert::sentence::{headline, sentence};
use crate::datetime::Datetime;
use crate::episode::EpisodeKind;
use crate::secret::Secret;

/// How long an ended alert is still sent, and how long an open one holds that is not sent again.
pub const RESENT_AFTER_END: Duration = Duration::from_secs(300);

/// An alert, identified by its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub labels: BTreeMap<&'static str, String>,
    annotations: [String; 2],
    /// The address of its page.
    link: Option<String>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    pub plant: Datetime,
    pub real: DateTime<Utc>,
}

impl Clocks {
    fn real(self, at: Datetime) -> DateTime<Utc> {
        self.real - span(self.plant.since(at))
    }
}

fn span(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

impl Alert {
    /// An open event as an alert, which ends by itself unless it is sent again.
    pub fn open(event: &AlertEvent, worker: &str, language: Language, clocks: Clocks) -> Self {
        let (name, begin) = match &event.what {
            EventDetail::Variable(_, facts) => match facts.nature {
                EpisodeKind::Anomaly | EpisodeKind::Shelved => ("AnomalyWorkerAnomaly", facts.begin),
                EpisodeKind::Silent => ("AnomalyWorkerSilent", facts.begin),
                EpisodeKind::Stuck => ("AnomalyWorkerStuck", facts.begin),
                EpisodeKind::Service => ("AnomalyWorkerNoReadings", facts.begin),
            },
            EventDetail::Service(_) => ("AnomalyWorkerNoSuccess", event.at),
            EventDetail::Test => ("AnomalyWorkerTest", event.at),
        };
        let labels = [("alertname", name), ("worker", worker), ("severity", event.priority().word())];
        let variable = event.variable().map(|variable| ("variable", variable));
        Self {
            labels: labels
                .into_iter()
                .chain(variable)
                .map(|(name, value)| (name, value.to_owned()))
                .collect(),
            annotations: [headline(event, language), sentence(event, language)],
            link: event.link().map(str::to_owned),
            starts_at: clocks.real(begin),
            ends_at: clocks.real + span(RESENT_AFTER_END),
        }
    }

    /// The same, as one that ends now.
    #[must_use]
    pub fn ended(self, now: DateTime<Utc>) -> Self {
        Self { ends_at: now.max(self.starts_at), ..self }
    }

    /// An alert that says that it is a test.
    pub(super) fn test(language: Language) -> Self {
        let clocks = Clocks { plant: Datetime::from_micros(0), real: Utc::now() };
        let event = AlertEvent { id: "test".to_owned(), at: clocks.plant, what: EventDetail::Test };
        let test = Self::open(&event, "test", language, clocks);
        Self { ends_at: clocks.real + span(Duration::from_secs(60)), ..test }
    }

    fn json(&self) -> Value {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let [summary, description] = &self.annotations;
        let mut alert = json!({
            "labels": self.labels,
            "annotations": { "summary": summary, "description": description },
            "startsAt": time(self.starts_at),
            "endsAt": time(self.ends_at),
        });
        if let (Some(link), Some(object)) = (&self.link, alert.as_object_mut()) {
            object.insert("generatorURL".to_owned(), link.as_str().into());
        }
        alert
    }
}

/// The request to Alertmanager at this address, which may have the path of the API or not.
pub(super) fn request(
    url: &Secret,
    token: Option<&SecretSource>,
    alerts: &[Alert],
) -> Result<Request, SendError> {
    const PATH: &str = "/api/v2/alerts";
    let base = url.reveal().trim().trim_end_matches('/');
    let url = Secret::new(format!("{}{PATH}", base.strip_suffix(PATH).unwrap_or(base)));
    let body = Value::Array(alerts.iter().map(Alert::json).collect()).to_string();
    Ok(Request { url, headers: bearer(token)?.into_iter().collect(), body })
}

/// The alerts that were sent as open, so that their ends are sent as well.
#[derive(Debug, Default)]
pub struct OpenAlerts {
    open: BTreeMap<BTreeMap<&'static str, String>, Alert>,
    ended: Vec<Alert>,
}

impl OpenAlerts {
    /// The alerts to send now: the open ones, and those that ended a short time ago.
    pub fn next(&mut self, open: Vec<Alert>, now: DateTime<Utc>) -> Vec<Alert> {
        let open: BTreeMap<_, _> = open.into_iter().map(|alert| (alert.labels.clone(), alert)).collect();
        let before = std::mem::replace(&mut self.open, open);
        self.ended.retain(|alert| {
            alert.ends_at + span(RESENT_AFTER_END) > now && !self.open.contains_key(&alert.labels)
        });
        let gone = before.into_iter().filter(|(labels, _)| !self.open.contains_key(labels));
        self.ended.extend(gone.map(|(_, alert)| alert.ended(now)));
        self.open.values().chain(&self.ended).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::event::Change;
    use crate::alert::fixture::{at, event, facts};

    fn real(minutes: i64) -> DateTime<Utc> {
        // An hour behind the plant's clock, whatever that means.
        DateTime::UNIX_EPOCH + TimeDelta::days(20_103) + TimeDelta::minutes(9 * 60 + minutes)
    }

    fn alert(name: &str, minutes: u64) -> Alert {
        let now = i64::try_from(minutes).unwrap_or_default();
        let clocks = Clocks { plant: at(minutes), real: real(now) };
        Alert::open(&event("1", Change::Opened, minutes, facts(name)), "default", Language::En, clocks)
    }

    #[test]
    fn what_is_open_begins_as_long_ago_as_by_the_plants_clock() {
        let expected = json!({
            "labels": { "alertname": "AnomalyWorkerAnomaly", "variable": "T1", "worker": "default", "severity": "medium" },
            "annotations": {
                "summary": "Anomaly: T1 at 87.4 °C, expected 73.2",
                "description": "T1 is anomalous since 2025-01-15 10:00:00 (20 min); at worst it read 87.4 °C at 2025-01-15 10:05:00, \
                                above the expected 73.2; cause: spike; score 84.25, 2 of 3 readings flagged.",
            },
            "startsAt": "2025-01-15T09:00:00Z",
            "endsAt": "2025-01-15T09:25:00Z",
        });
        assert_eq!(alert("T1", 20).json(), expected);
    }

    #[test]
    fn what_is_open_is_sent_again_and_an_end_for_five_minutes() {
        let mut alerts = OpenAlerts::default();
        // Minute, what is open then, what is sent: `!` is an end.
        for (minute, open, sent) in [
            (0, "", ""),
            (1, "AB", "A B"),
            (2, "AB", "A B"),
            (3, "B", "B A!"),
            (4, "B", "B A!"),
            (7, "B", "B A!"),
            (8, "B", "B"),
            (9, "", "B!"),
            (10, "BC", "B C"),
            (11, "C", "C B!"),
            (30, "C", "C"),
        ] {
            let now = real(minute);
            let minutes = u64::try_from(minute).unwrap_or_default();
            let open = open.chars().map(|name| alert(&name.to_string(), minutes)).collect();
            let found = alerts.next(open, now).into_iter().map(|alert| {
                let end = if alert.ends_at > now { "" } else { "!" };
                format!("{}{end}", alert.labels["variable"])
            });
            assert_eq!(found.collect::<Vec<_>>().join(" "), sent, "minute {minute}");
        }
    }
}
