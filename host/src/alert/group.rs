//! Groups the events that wait for a channel into messages.
//!
//! Pure. Events of one kind that begin together are one message with a list. If there would be many
//! messages, as after a receiver was down for long or a backlog was judged, there is one summary.
//! Each event is in one message, and the events of one variable keep their order.

use std::collections::HashMap;

use super::event::{AlertEvent, EventKind};

/// Events that are sent as one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub kind: GroupKind,
    /// In the order in which they happened; never empty.
    pub events: Vec<AlertEvent>,
}

/// How the events of a group belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    One,
    /// Several of one kind.
    Together,
    /// Of several kinds.
    Summary,
}

/// If there would be more messages than this, there is one summary.
const MOST_MESSAGES: usize = 10;

/// Groups the waiting events, which are in the order of the outbox. `is_late`: the receiver could
/// not be reached for long, so that even a few messages become one. With `each` every event is a
/// message of its own, for receivers that group by themselves.
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
    // The last message with each variable, and the messages of each kind.
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
