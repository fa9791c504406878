//! Which messages are made of an episode.
//!
//! There is one message when an episode opens, one when it has lasted for an hour, and one when it
//! closes. A shelved variable makes none. But if the begin of an episode was told, its end is told
//! too, so that no receiver keeps it open for ever.

use std::collections::HashMap;
use std::sync::Arc;

use super::machine::LONG;
use super::settings::VariableSettings;
use super::{Episode, EpisodeKind, MessageKind, OutboxMessage, StoredEpisode, Told};
use crate::datetime::Datetime;

/// Makes the messages of a cycle.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    /// Until when a person has shelved each variable.
    shelved: HashMap<Arc<str>, Datetime>,
    /// Whether no message is made, as the episodes are past.
    silent: bool,
}

impl Notifier {
    /// With the variables that are shelved now.
    pub fn new(shelved: &[StoredEpisode]) -> Self {
        let until = |row: &StoredEpisode| (Arc::clone(&row.episode.variable), row.episode.end);
        let shelved = shelved.iter().filter(|row| row.episode.kind == EpisodeKind::Shelved);
        Self { shelved: shelved.map(until).collect(), silent: false }
    }

    /// One that makes no messages.
    pub fn of_the_past() -> Self {
        Self { shelved: HashMap::new(), silent: true }
    }

    /// Whether no message is made of a variable at this moment.
    pub fn is_shelved(
        &self,
        variable: &str,
        settings: &VariableSettings,
        at: Datetime,
        now: Datetime,
    ) -> bool {
        self.shelved.get(variable).is_some_and(|until| now < *until)
            || settings.shelved.iter().any(|window| window.holds(at))
    }

    /// Makes the messages that are due of an episode, and records in it what was told.
    pub fn tell(
        &self,
        episode: &mut Episode,
        settings: Option<&VariableSettings>,
        now: Datetime,
    ) -> Vec<OutboxMessage> {
        let shelved = self.silent
            || settings
                .is_some_and(|settings| self.is_shelved(&episode.variable, settings, episode.end, now));
        let [opened, closed] = match episode.kind {
            EpisodeKind::Anomaly | EpisodeKind::Stuck => [MessageKind::Opened, MessageKind::Closed],
            EpisodeKind::Silent => [MessageKind::Silent, MessageKind::Back],
            EpisodeKind::Service => [MessageKind::Service; 2],
            EpisodeKind::Shelved => return Vec::new(),
        };
        let mut kinds = Vec::new();
        if episode.told == Told::Nothing && !shelved {
            kinds.push(opened);
            episode.told = Told::Opened;
        }
        episode.shelved |= shelved && episode.told == Told::Nothing && !self.silent;
        let lasts = episode.end.since(episode.begin) >= LONG && opened == MessageKind::Opened;
        if episode.is_open() && lasts && episode.told == Told::Opened && !shelved {
            kinds.push(MessageKind::StillOpen);
            episode.told = Told::StillOpen;
        }
        if !episode.is_open() {
            let was_told = matches!(episode.told, Told::Opened | Told::StillOpen);
            episode.told = if was_told { Told::Closed } else { Told::Never };
            if was_told {
                kinds.push(closed);
            }
        }
        kinds.into_iter().map(|kind| OutboxMessage::on(kind, episode, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(minute: i64) -> Datetime {
        Datetime::from_micros(minute * 60_000_000)
    }

    /// Told at each end, and closed with the last.
    fn told(
        kind: EpisodeKind,
        ends: &[i64],
        notifier: &Notifier,
        settings: &VariableSettings,
    ) -> Vec<MessageKind> {
        let mut episode = Episode::at("T".into(), kind, at(0));
        let mut messages = Vec::new();
        for (n, end) in ends.iter().enumerate() {
            episode.end = at(*end);
            if n + 1 == ends.len() {
                episode.closed_at = Some(at(*end));
            }
            messages.extend(notifier.tell(&mut episode, Some(settings), at(*end)));
        }
        messages.iter().map(|message| message.kind).collect()
    }

    #[test]
    fn an_episode_is_told_once_for_each_thing_that_happens() {
        use MessageKind::{Back, Closed, Opened, Service, Silent, StillOpen};
        let settings = VariableSettings::default();
        let tells = Notifier::default();
        for (kind, ends, expected) in [
            (EpisodeKind::Anomaly, vec![0, 5, 10, 20], vec![Opened, Closed]),
            (EpisodeKind::Anomaly, vec![0], vec![Opened, Closed]),
            (EpisodeKind::Anomaly, vec![0, 59, 60, 61, 90], vec![Opened, StillOpen, Closed]),
            (EpisodeKind::Stuck, vec![70, 90], vec![Opened, StillOpen, Closed]),
            (EpisodeKind::Silent, vec![0, 90, 100], vec![Silent, Back]),
            (EpisodeKind::Service, vec![0, 90, 100], vec![Service, Service]),
            (EpisodeKind::Shelved, vec![0, 90], vec![]),
        ] {
            assert_eq!(told(kind, &ends, &tells, &settings), expected, "{kind} {ends:?}");
        }
        assert_eq!(told(EpisodeKind::Anomaly, &[0, 90], &Notifier::of_the_past(), &settings), []);
    }

    #[test]
    fn what_is_shelved_is_not_told_and_what_was_told_is_told_to_its_end() {
        use MessageKind::{Closed, Opened};
        let shelved = |from, until| {
            let mut episode = Episode::at("T".into(), EpisodeKind::Shelved, at(from));
            episode.end = at(until);
            Notifier::new(&[StoredEpisode {
                id: 1,
                version: 1,
                episode,
                worker: "a".into(),
                feedback: None,
                note: None,
                feedback_at: None,
                created_at: at(from),
                updated_at: at(from),
            }])
        };
        let none = VariableSettings::default();
        // 1970-01-01 00:00 is minute 0.
        let window = VariableSettings {
            shelved: "daily 00:00-00:30".parse().into_iter().collect(),
            ..VariableSettings::default()
        };
        for (notifier, settings, ends, expected) in [
            (shelved(0, 100), &none, vec![0, 5, 10], vec![]),
            // It lasts longer than what it is shelved for.
            (shelved(0, 8), &none, vec![0, 5, 10, 20], vec![Opened, Closed]),
            (Notifier::default(), &window, vec![0, 5, 10], vec![]),
            (Notifier::default(), &window, vec![0, 29, 30, 40], vec![Opened, Closed]),
            (Notifier::default(), &window, vec![30, 40], vec![Opened, Closed]),
        ] {
            assert_eq!(told(EpisodeKind::Anomaly, &ends, &notifier, settings), expected, "{ends:?}");
        }
        let mut episode = Episode::at("T".into(), EpisodeKind::Anomaly, at(0));
        Notifier::default().tell(&mut episode, Some(&none), at(0));
        episode.end = episode.end.later(Duration::from_secs(60));
        episode.closed_at = Some(episode.end);
        let last = shelved(0, 100).tell(&mut episode, Some(&none), at(1));
        assert_eq!(last.iter().map(|message| message.kind).collect::<Vec<_>>(), [Closed]);
        assert!(!episode.shelved);
        let mut hidden = Episode::at("T".into(), EpisodeKind::Anomaly, at(0));
        shelved(0, 100).tell(&mut hidden, Some(&none), at(0));
        assert!(hidden.shelved);
    }
}
