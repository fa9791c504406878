//! The line of `host status` on unjudged readings: how many a look has found, when, and whether
//! that is still up to date.

use std::time::Duration;

use crate::datetime::Datetime;
use crate::reconciliation::Reconciliation;

/// The settings that decide whether there are looks at all.
#[derive(Clone, Copy)]
pub(super) struct Looking {
    /// How often; None: never.
    pub(super) every: Option<Duration>,
    pub(super) lateness: Duration,
    /// Without an index on the datetime there are none.
    pub(super) has_datetime_index: bool,
}

impl Looking {
    /// Whether the last look is so long ago that its result is out of date.
    pub(super) fn is_overdue(self, looks: &Reconciliation, now: Datetime) -> bool {
        let Some(every) = self.every else { return false };
        looks.last.as_ref().is_some_and(|last| now.since(last.looked_at) > every.saturating_mul(2))
    }
}

/// One sentence or a few, in a line.
pub(super) fn in_words(looks: &Reconciliation, looking: Looking, now: Datetime) -> String {
    let mut said = match (&looks.last, looks.unjudged()) {
        (_, None) => format!("unjudged readings: {}", why_not(looks, looking)),
        (Some(last), Some(unjudged)) => {
            let found = match last.found.total() {
                0 => String::new(),
                found => format!(" ({found} were found and judged then: {})", last.found),
            };
            format!(
                "unjudged readings in the last {}: {unjudged}, looked at {}{found}",
                span(looking.lateness),
                last.looked_at
            )
        }
        (None, Some(unjudged)) => {
            format!("unjudged readings in the last {}: {unjudged} so far", span(looking.lateness))
        }
    };
    match looking.every {
        Some(every) if looking.is_overdue(looks, now) => said.push_str(&format!(
            "; that is {} ago, and a look is due every {}",
            ago(looks.last.as_ref().map_or(Duration::ZERO, |last| now.since(last.looked_at))),
            span(every)
        )),
        None if looks.last.is_some() => said.push_str("; `reconcile` is off"),
        _ => {}
    }
    if let Some(look) = &looks.under_way {
        said.push_str(&format!(
            "; the look that began {} is not finished: it has reached {}",
            look.to, look.through
        ));
    }
    if let Some(failed) = &looks.failed {
        said.push_str(&format!(
            ", where {} found at {} have no verdict: {}",
            crate::worker::report::count(failed.readings, "reading"),
            failed.at,
            failed.why
        ));
    }
    said
}

fn why_not(looks: &Reconciliation, looking: Looking) -> &'static str {
    match looking {
        _ if looks.under_way.is_some() => "not known yet",
        Looking { every: None, .. } => "not looked at, as `reconcile` is off",
        Looking { has_datetime_index: false, .. } => {
            "not looked at, as the input table has no index on `datetime`"
        }
        _ => "not looked at yet",
    }
}

/// In whole minutes.
fn ago(span: Duration) -> String {
    humantime::format_duration(Duration::from_secs(span.as_secs() / 60 * 60)).to_string()
}

/// `24 h`, `90 min`.
fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconciliation::{Causes, Failed, Look};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: i64) -> Datetime {
        Datetime::from_micros(hours * 3_600_000_000)
    }

    #[test]
    fn what_was_looked_at_and_when_is_said_and_what_was_not() {
        let looking = Looking { every: Some(HOUR), lateness: 24 * HOUR, has_datetime_index: true };
        let done = Look { looked_at: at(14), unjudged: 2, ..Look::over(at(0), at(14)) };
        let found = Look { found: Causes { late: 3, ..Causes::default() }, ..done.clone() };
        let part = Look { through: at(5), unjudged: 1, ..Look::over(at(0), at(15)) };
        let failed = Failed { readings: 4, at: at(15), why: "it traps".into() };
        let none = Reconciliation::default();
        let last = |last: &Look| Reconciliation { last: Some(last.clone()), ..Reconciliation::default() };
        let stuck =
            Reconciliation { under_way: Some(part.clone()), failed: Some(failed.clone()), ..last(&done) };
        let day = "unjudged readings in the last 24 h";
        let seen = "looked at 1970-01-01 14:00:00";
        let unfinished =
            "the look that began 1970-01-01 15:00:00 is not finished: it has reached 1970-01-01 05:00:00";
        let told = ", where 4 readings found at 1970-01-01 15:00:00 have no verdict: it traps";
        for (looks, looking, now, expected) in [
            (&none, looking, 15, "unjudged readings: not looked at yet".to_owned()),
            (
                &none,
                Looking { every: None, ..looking },
                15,
                "unjudged readings: not looked at, as `reconcile` is off".to_owned(),
            ),
            (
                &none,
                Looking { has_datetime_index: false, ..looking },
                15,
                "unjudged readings: not looked at, as the input table has no index on `datetime`".to_owned(),
            ),
            (&last(&done), looking, 16, format!("{day}: 2, {seen}")),
            (
                &last(&found),
                looking,
                15,
                format!(
                    "{day}: 2, {seen} (3 were found and judged then: 3 committed later than `settle` allows)"
                ),
            ),
            (
                &last(&done),
                looking,
                17,
                format!("{day}: 2, {seen}; that is 3h ago, and a look is due every 1 h"),
            ),
            (
                &last(&done),
                Looking { every: None, ..looking },
                99,
                format!("{day}: 2, {seen}; `reconcile` is off"),
            ),
            (
                &Reconciliation { under_way: Some(part.clone()), ..last(&done) },
                looking,
                15,
                format!("{day}: 2, {seen}; {unfinished}"),
            ),
            (
                &Reconciliation { under_way: Some(part.clone()), ..none.clone() },
                looking,
                15,
                format!("unjudged readings: not known yet; {unfinished}"),
            ),
            (&stuck, looking, 15, format!("{day}: 5, {seen}; {unfinished}{told}")),
            (
                &Reconciliation { last: None, ..stuck.clone() },
                looking,
                15,
                format!("{day}: 5 so far; {unfinished}{told}"),
            ),
        ] {
            assert_eq!(in_words(looks, looking, at(now)), expected);
        }
    }
}
