//! What the log is told of variables: once, and many in one line.

use std::time::{Duration, SystemTime};

/// Names in a line.
const NAMED: usize = 5;

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Somebody should do something about it.
    pub is_warning: bool,
    pub text: String,
}

/// Variables of which the same is to be said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) learning: Vec<(String, i64)>,
    pub(super) learnt: Vec<String>,
    pub(super) aged: Vec<String>,
    pub(super) fitting: Vec<String>,
    /// Readings that a model could not be asked about, with the reason.
    pub(super) without: Vec<(String, usize, String)>,
    /// Variables whose state cannot be gone on from, with the reason.
    pub(super) anew: Vec<(String, String)>,
    pub(super) others: Vec<News>,
}

impl Heard {
    pub(super) fn inform(&mut self, text: String) {
        self.others.push(News { is_warning: false, text });
    }

    pub(super) fn warn(&mut self, text: String) {
        self.others.push(News { is_warning: true, text });
    }

    /// The lines; nothing is said twice.
    pub(super) fn tell(&mut self) -> Vec<News> {
        let Self { learning, learnt, aged, fitting, without, anew, others } = std::mem::take(self);
        let mut news = others;
        let mut say = |is_warning: bool, text: String| news.push(News { is_warning, text });
        if let Some((_, why)) = anew.first() {
            let names: Vec<_> = anew.iter().map(|(name, _)| name.clone()).collect();
            say(true, format!("{why}; learnt anew: {}", list(&names)));
        }
        if let Some(until) = learning.iter().map(|(_, until)| *until).max() {
            let names: Vec<_> = learning.into_iter().map(|(name, _)| name).collect();
            say(
                false,
                format!(
                    "learning until {}: {}; until then they are judged and not flagged",
                    datetime(until),
                    list(&names)
                ),
            );
        }
        if !learnt.is_empty() {
            say(false, format!("learnt enough to flag from now on: {}", list(&learnt)));
        }
        if !aged.is_empty() {
            let text = "the model fits no more: what is learnt of the readings themselves errs less, and they are judged by that";
            say(true, format!("{text}: {}", list(&aged)));
        }
        if !fitting.is_empty() {
            say(false, format!("the model fits again and is used: {}", list(&fitting)));
        }
        for (variable, readings, reason) in without {
            let text =
                format!("`{variable}`: {readings} readings are judged without the model, because {reason}");
            say(false, text);
        }
        news
    }
}

/// Names, as many as a line holds.
pub(super) fn list(names: &[String]) -> String {
    let named = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// As the database writes it.
fn datetime(micros: i64) -> String {
    let at = u64::try_from(micros).ok().and_then(|micros| {
        // What lies beyond the year 9999 cannot be written.
        let most = Duration::from_secs(253_402_300_799);
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros).min(most))
    });
    match at {
        Some(at) => humantime::format_rfc3339_seconds(at).to_string().replace('T', " ").replace('Z', ""),
        None => "a day before 1970".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_variables_are_one_line() {
        let names: Vec<String> = (1..=7).map(|n| format!("T{n}")).collect();
        let mut heard = Heard {
            learning: vec![("A".into(), 0), ("B".into(), 1_700_000_000_000_000)],
            aged: names,
            ..Heard::default()
        };
        let told: Vec<String> = heard.tell().into_iter().map(|news| news.text).collect();
        assert_eq!(
            told,
            [
                "learning until 2023-11-14 22:13:20: `A`, `B`; until then they are judged and not flagged",
                "the model fits no more: what is learnt of the readings themselves errs less, and they are judged by that: \
                 `T1`, `T2`, `T3`, `T4`, `T5` and 2 more",
            ]
        );
        assert_eq!(heard.tell(), []);
        assert_eq!([i64::MIN, i64::MAX].map(datetime), ["a day before 1970", "9999-12-31 23:59:59"]);
    }
}
