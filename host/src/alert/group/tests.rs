use proptest::prelude::*;

use super::*;
use crate::alert::event::{Change, Facts, ServiceEvent};
use crate::alert::fixture::{event, facts, service};
use crate::episode::EpisodeKind;

/// `+A` opened, `-A` closed, `?A` silent, `!A` back, `~A` still open, `S` the service; ids count.
fn events(text: &str) -> Vec<AlertEvent> {
    let one = |(at, word): (usize, &str)| {
        let (id, name) = (at.to_string(), &word[1..]);
        let silent = Facts { nature: EpisodeKind::Silent, ..facts(name) };
        match &word[..1] {
            "+" => event(&id, Change::Opened, at as u64, facts(name)),
            "-" => event(&id, Change::Closed, at as u64, facts(name)),
            "~" => event(&id, Change::StillOpen, at as u64, facts(name)),
            "?" => event(&id, Change::Opened, at as u64, silent),
            "!" => event(&id, Change::Closed, at as u64, silent),
            _ => service(&id, ServiceEvent::TooLate { worker: "w".to_owned(), readings: 1 }),
        }
    };
    text.split(' ').filter(|word| !word.is_empty()).enumerate().map(one).collect()
}

fn shape(groups: &[Group]) -> String {
    let ids =
        |group: &Group| group.events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>().join(",");
    let kind = |group: &Group| match group.kind {
        GroupKind::One => "",
        GroupKind::Together => "together ",
        GroupKind::Summary => "summary ",
    };
    groups.iter().map(|group| format!("{}{}", kind(group), ids(group))).collect::<Vec<_>>().join(" | ")
}

#[test]
fn what_happens_together_is_one_message() {
    let pairs: String = (0..12).map(|at| format!("+A{at} -A{at} +A{at} ")).collect();
    let flood: String = (0..300).map(|at| format!("+A{at} ")).collect();
    let all = |n: usize| (0..n).map(|at| at.to_string()).collect::<Vec<_>>().join(",");
    for (why, waiting, is_late, each, expected) in [
        ("nothing", "", false, false, String::new()),
        ("one", "+A", false, false, "0".to_owned()),
        ("a flood", &flood, false, false, format!("together {}", all(300))),
        ("by kind", "+A +B -C ?D +E", false, false, "together 0,1,4 | 2 | 3".to_owned()),
        ("an end comes after its begin", "+A -A +B", false, false, "together 0,2 | 1".to_owned()),
        (
            "and a begin after the end before",
            "-A +A -B +B",
            false,
            false,
            "together 0,2 | together 1,3".to_owned(),
        ),
        ("twice", "+A -A +A -A", false, false, "0 | 1 | 2 | 3".to_owned()),
        ("the service is for itself", "S +A S +B", false, false, "0 | together 1,3 | 2".to_owned()),
        (
            "many messages are a summary",
            "S S S S S S S S S S S",
            false,
            false,
            format!("summary {}", all(11)),
        ),
        ("a receiver that was away", "+A -A", true, false, "summary 0,1".to_owned()),
        ("has one message as it is", "+A", true, false, "0".to_owned()),
        ("or a list", "+A +B", true, false, "together 0,1".to_owned()),
        ("each for itself", "+A +B -A", true, true, "0 | 1 | 2".to_owned()),
        ("up and down", &pairs, false, false, {
            let of =
                |from: usize| (0..12).map(|at| (3 * at + from).to_string()).collect::<Vec<_>>().join(",");
            format!("together {} | together {} | together {}", of(0), of(1), of(2))
        }),
    ] {
        assert_eq!(shape(&plan(events(waiting), is_late, each)), expected, "{why}");
    }
}

proptest! {
    /// Every event is in one message, and those of a variable stay in their order.
    #[test]
    fn nothing_is_lost_and_a_variable_keeps_its_order(
        words in prop::collection::vec("[-+?!~][A-D]|S", 0..40), is_late: bool, each: bool,
    ) {
        let waiting = events(&words.join(" "));
        let groups = plan(waiting.clone(), is_late, each);
        let sent: Vec<_> = groups.iter().flat_map(|group| &group.events).collect();
        prop_assert!(groups.iter().all(|group| !group.events.is_empty()));
        prop_assert_eq!(sent.len(), waiting.len());
        for name in ["A", "B", "C", "D"] {
            let of = |event: &&AlertEvent| event.variable() == Some(name);
            let before: Vec<_> = waiting.iter().filter(of).collect();
            let after: Vec<_> = sent.iter().copied().filter(of).collect();
            prop_assert_eq!(before, after);
        }
        let most = if is_late { 1 } else { MOST_MESSAGES };
        prop_assert!(each || groups.len() <= most);
    }
}
