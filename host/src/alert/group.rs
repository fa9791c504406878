//! From what waits for a channel to the messages that it is sent.
//!
//! Pure. What begins together is one message with a list. What would be more than a handful, as
//! after a receiver was down for long or a backlog was judged, is one summary. Each event is in one
//! message, and those of one variable are in the order in which they happened, whatever is put
//! together.

use std::collections::HashMap;

use super::event::{AlertEvent, EventKind};

/// What is to be sent as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub kind: GroupKind,
    /// In the order in which they happened; never empty.
    pub events: Vec<AlertEvent>,
}

/// How events are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    One,
    /// Several of one kind.
    Together,
    /// Of several kinds.
    Summary,
}

/// What is more than this at once, nobody reads one by one.
const MOST_MESSAGES: usize = 10;

/// Puts together what waits, which is in the order of the outbox. `is_late` says that the receiver
/// could not be told for long: then a few messages are one as well. With `each` every event is for
/// itself, for receivers that put together themselves.
pub fn plan(waiting: Vec<AlertEvent>, is_late: bool, each: bool) -> Vec<Group> {
    if each {
        return waiting
            .into_iter()
            .map(|event| Group { kind: GroupKind::One, events: vec![event] })
            .collect();
    }
    let most = if is_late { 1 } else { MOST_MESSAGES };
    let groups = together(&waiting);
    if groups.len() <= most {
        return groups;
    }
    vec![Group { kind: GroupKind::Summary, events: waiting }]
}

/// Events of one kind join the first message of that kind, unless that would put one of them before
/// an earlier one of its variable.
fn together(waiting: &[AlertEvent]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // The last message in which a variable stands, and the messages of each kind.
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut of_kind: HashMap<EventKind, Vec<usize>> = HashMap::new();
    for event in waiting {
        let kind = event.kind();
        let is_alone = matches!(kind, EventKind::Service | EventKind::Test);
        let before = event.variable().and_then(|variable| last.get(variable).copied());
        let same_kind = of_kind.entry(kind).or_default();
        let joins = same_kind.iter().find(|at| before.is_none_or(|before| before < **at));
        let at = match joins.filter(|_| !is_alone) {
            Some(at) => *at,
            None => {
                groups.push(Group { kind: GroupKind::One, events: Vec::new() });
                same_kind.push(groups.len() - 1);
                groups.len() - 1
            }
        };
        let group = &mut groups[at];
        group.events.push(event.clone());
        if group.events.len() > 1 {
            group.kind = GroupKind::Together;
        }
        event.variable().map(|variable| last.insert(variable, at));
    }
    groups
}

#[cfg(test)]
mod tests;
