//! Which events go to a channel. Pure.

use wildmatch::WildMatch;

use super::event::{AlertEvent, EventKind};
use crate::episode::Priority;

/// The filter of a channel. An event without a variable passes whatever `variables` is.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The least priority.
    pub priority: Priority,
    /// Patterns; empty: all.
    pub variables: Vec<WildMatch>,
    /// Empty: all.
    pub kinds: Vec<EventKind>,
}

impl Filter {
    /// Whether an event passes.
    pub fn takes(&self, event: &AlertEvent) -> bool {
        let named = |name: &str| {
            self.variables.is_empty() || self.variables.iter().any(|pattern| pattern.matches(name))
        };
        event.priority() >= self.priority
            && event.variable().is_none_or(named)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::event::{Change, Facts, ServiceEvent};
    use crate::alert::fixture::{event, facts, service};
    use crate::episode::EpisodeKind;

    #[test]
    fn a_channel_is_told_what_it_asks_for() {
        let filter = |priority, variables: &[&str], kinds: &[EventKind]| Filter {
            priority,
            variables: variables.iter().map(|pattern| WildMatch::new(pattern)).collect(),
            kinds: kinds.to_vec(),
        };
        let low = Facts { priority: Priority::Low, ..facts("TEMP-1") };
        let silent = Facts { nature: EpisodeKind::Silent, ..facts("P-1") };
        let late = ServiceEvent::TooLate { worker: "w".to_owned(), readings: 1 };
        let events = [
            event("a", Change::Opened, 1, low.clone()),
            event("b", Change::Closed, 1, low),
            event("c", Change::Opened, 1, facts("P-1")),
            event("d", Change::StillOpen, 1, facts("P-1")),
            event("e", Change::Opened, 1, silent.clone()),
            event("f", Change::Closed, 1, silent),
            service("g", late),
        ];
        for (filter, taken) in [
            (filter(Priority::Low, &[], &[]), "abcdefg"),
            (filter(Priority::Medium, &[], &[]), "cdefg"),
            (filter(Priority::High, &[], &[]), ""),
            (filter(Priority::Low, &["TEMP*"], &[]), "abg"),
            (filter(Priority::Low, &["T", "P-?"], &[]), "cdefg"),
            (filter(Priority::Low, &[], &[EventKind::Opened, EventKind::Back]), "acf"),
            (filter(Priority::Low, &["TEMP*"], &[EventKind::Service]), "g"),
        ] {
            let found: String =
                events.iter().filter(|event| filter.takes(event)).map(|event| event.id.as_str()).collect();
            assert_eq!(found, taken, "{filter:?}");
        }
    }
}
