//! What is logged of a worker's cycles, in the lines that users of the Python worker know.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::batch_report::BatchReport;
use crate::batch::Cause;
use crate::counts::Counts;
use crate::detector::{Detector, short_digest};

/// The most names in one line; of more, only the number is logged.
pub(super) const NAMED: usize = 20;

/// What was logged, so that it is logged once.
#[derive(Default)]
pub(super) struct NamedOnce {
    /// Variables without a model, for this set.
    pub(super) without_model: HashSet<Arc<str>>,
    /// Names that the output takes for the same as another, each with that one.
    pub(super) equal_names: HashSet<(Arc<str>, Arc<str>)>,
}

/// What a cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// Batches that were committed.
    pub batches: u64,
    /// Rows that no earlier cycle had seen.
    pub rows: u64,
    pub counts: Counts,
    /// Whether it ended because of a stop, with more to read.
    pub stopped: bool,
}

/// The models of a detector that is taken into use.
pub fn models(detector: &Detector) {
    let summary = detector.summary();
    let loaded = summary.loaded().count();
    tracing::info!("{} loaded from {}", count(loaded as u64, "model"), detector.set().models_dir);
    let refused = || summary.models.iter().filter_map(|model| Some((model, model.refused.as_ref()?)));
    for (model, why) in refused().take(NAMED) {
        tracing::warn!("`{}` is not used, so `{}` has no model: {why}", model.path, model.variable);
    }
    let more = refused().skip(NAMED).count();
    if more > 0 {
        tracing::warn!("{more} more models are not used; `host check` names them all");
    }
}

/// One committed batch. The first of a cycle is logged in full; a backlog would flood the log.
pub(super) fn batch(
    said: &BatchReport,
    detector: &Detector,
    total_anomalies: u64,
    number: u64,
    named: &mut NamedOnce,
) {
    let models = detector.summary().loaded().count();
    let mut found = format!(
        "{} found: {}, {}",
        count(said.rows, "row"),
        count(said.datetimes as u64, "datetime"),
        count(said.variables as u64, "variable"),
    );
    // A detector may work without models.
    if models > 0 {
        found.push_str(&format!(", {} of {} apply", said.models, count(models as u64, "model")));
    }
    let judged = format!(
        "judged {}, {} (total {total_anomalies}) in {}",
        count(said.datetimes as u64, "datetime"),
        anomalies(said.counts.anomalies),
        milliseconds(said.judging),
    );
    if said.rows == 0 {
        // Without a key, rows without a verdict are read again in every cycle of the allowed
        // lateness.
        tracing::debug!("{found}");
    } else if number == 1 {
        tracing::info!("{found}");
        tracing::info!("{judged}");
    } else {
        tracing::debug!("{found}");
        tracing::debug!("{judged}");
    }
    match causes(&said.causes) {
        Some(causes) if number == 1 => tracing::info!("{causes}"),
        Some(causes) => tracing::debug!("{causes}"),
        None => {}
    }
    singled_out(said, named);
}

/// Why readings are anomalies, by variable; None if the detector gives no cause.
fn causes(found: &BTreeMap<(Arc<str>, Cause), u64>) -> Option<String> {
    let said = |((variable, cause), times): (&(Arc<str>, Cause), &u64)| {
        let times = if *times > 1 { format!(" ({times} readings)") } else { String::new() };
        format!("`{}` {cause}{times}", variable.escape_debug())
    };
    let said: Vec<_> = found.iter().take(NAMED).map(said).collect();
    let more = found.len() - said.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!said.is_empty()).then(|| format!("anomalies: {}{more}", said.join(", ")))
}

/// One batch of a backfill: only what a person may have to act on. Of the rows, only the first
/// `to_name` of the whole backfill are logged; the rest is in the count at its end. Returns how
/// many more may be logged.
pub(super) fn backfill(said: &mut BatchReport, to_name: usize, names: &mut NamedOnce) -> usize {
    if to_name == 0 {
        (said.malformed, said.notes, said.withheld) = Default::default();
    }
    let named = said.malformed.len() + said.notes.named().len() + said.withheld.len();
    singled_out(said, names);
    to_name.saturating_sub(named)
}

/// What a person may have to act on, each by name.
fn singled_out(said: &BatchReport, named: &mut NamedOnce) {
    let news: Vec<_> =
        said.without_model.iter().filter(|name| named.without_model.insert(Arc::clone(name))).collect();
    if !news.is_empty() {
        let shown: Vec<_> = news.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
        let more = news.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        tracing::warn!("no model for {}{more}: readings pass unjudged until there is one", shown.join(", "));
    }
    let news: Vec<_> =
        said.equal_names.iter().filter(|pair| named.equal_names.insert((*pair).clone())).collect();
    for (name, judged) in news.iter().take(NAMED) {
        tracing::warn!(
            "the output takes the names `{}` and `{}` for one: `{1}` is judged and readings of `{0}` pass unjudged; rename one, or \
             give the column `variable` of the output a collation that tells them apart",
            name.escape_debug(),
            judged.escape_debug()
        );
    }
    if news.len() > NAMED {
        tracing::warn!("{} more names are taken for another's", news.len() - NAMED);
    }
    if let Some((variable, at)) = said.ahead.iter().max_by_key(|(_, at)| *at) {
        let others = said.ahead.len() - 1;
        let others = if others > 0 {
            format!(" and of {}", count(others as u64, "more variable"))
        } else {
            String::new()
        };
        tracing::warn!(
            "a reading of `{variable}`{others} is dated ahead of the database's clock, at {at}: it is judged, and the watermark \
             does not go there"
        );
    }
    for (variable, why) in &said.set_aside {
        tracing::error!("`{variable}` is set aside, its readings await `backfill`: {why}");
    }
    for (variable, why, datetimes) in said.withheld.iter().take(NAMED) {
        tracing::warn!("`{variable}` is not judged at {}: {why}", count(*datetimes as u64, "datetime"));
    }
    for row in said.malformed.iter().take(NAMED) {
        match row.id {
            Some(id) => tracing::warn!("row with id {id} is no reading: {}", row.why),
            None => tracing::warn!("a row is no reading: {}", row.why),
        }
    }
    for note in said.notes.named() {
        tracing::warn!("{note}");
    }
    if said.notes.more() > 0 {
        tracing::warn!("{} more readings do not fit the output", said.notes.more());
    }
}

/// The end of a cycle: what was not judged, and the sum if there was more than one batch.
pub(super) fn cycle(report: &CycleReport, took: Duration) {
    let counts = &report.counts;
    if report.rows == 0 && counts.too_late == 0 && !report.stopped {
        tracing::info!("no new data");
    }
    if report.batches > 1 {
        tracing::info!(
            "{} of {} judged in {} batches, {}, in {:.1} s{}",
            counts.judged,
            count(report.rows, "row"),
            report.batches,
            anomalies(counts.anomalies),
            took.as_secs_f64(),
            if report.stopped { "; the rest waits for the next start" } else { "" }
        );
    }
    if let Some(reasons) = not_judged(counts) {
        tracing::info!("not judged: {reasons}");
    }
}

/// How many rows were not judged, by reason; None if all were.
pub fn not_judged(counts: &Counts) -> Option<String> {
    let said: Vec<_> = counts
        .outcomes()
        .iter()
        .filter(|outcome| outcome.rows > 0)
        .filter_map(|outcome| Some(format!("{} {}", outcome.rows, outcome.reason?)))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The line after every tenth cycle, and at the end.
pub(super) fn statistics(what: &str, worker: &Worker, failed: u64, up: Duration) {
    let totals = worker.totals();
    let share = if totals.judged > 0 { 100.0 * totals.anomalies as f64 / totals.judged as f64 } else { 0.0 };
    tracing::info!(
        "{what}: {}, {failed} failed, {} judged, {} ({share:.2} %), last processed datetime {}, up {}",
        count(worker.cycles(), "cycle"),
        count(totals.judged, "reading"),
        anomalies(totals.anomalies),
        worker.watermark().map_or_else(|| "none".into(), |at| at.to_string()),
        humantime::format_duration(Duration::from_secs(up.as_secs())),
    );
}

/// The status after a cycle, for the service manager.
pub(super) fn standing(worker: &Worker) -> String {
    let watermark = worker.watermark().map_or_else(|| "none".into(), |at| at.to_string());
    let lag = worker.lag().map_or_else(String::new, |lag| {
        format!(", lag {}", humantime::format_duration(Duration::from_secs(lag.as_secs())))
    });
    let set = short_digest(&worker.detector().set().digest);
    let refused = if worker.shared.refused().is_some() { "; the files on disk are refused" } else { "" };
    format!("cycle {}, watermark {watermark}{lag}, set {set}{refused}", worker.cycles())
}

/// `1 anomaly`, `5 anomalies`.
pub fn anomalies(number: u64) -> String {
    if number == 1 { "1 anomaly".into() } else { format!("{number} anomalies") }
}

/// Whole milliseconds, as users know the line; with a decimal if it would be 0.
fn milliseconds(time: Duration) -> String {
    let milliseconds = 1000.0 * time.as_secs_f64();
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

/// `1 row`, `5 rows`.
pub fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_by_variable() {
        let found = |number: usize| -> BTreeMap<(Arc<str>, Cause), u64> {
            let name = |at: usize| Arc::from(format!("T{at:02}"));
            (0..number).map(|at| ((name(at), Cause::Spike), at as u64 + 1)).collect()
        };
        assert_eq!(causes(&BTreeMap::new()), None);
        let mut two = found(2);
        two.insert((Arc::from("T00"), Cause::Shift), 1);
        let said = "anomalies: `T00` spike, `T00` shift of level, `T01` spike (2 readings)";
        assert_eq!(causes(&two).as_deref(), Some(said));
        let many = causes(&found(NAMED + 3)).unwrap_or_default();
        assert!(many.ends_with("`T19` spike (20 readings), and 3 more"), "{many}");
    }

    #[test]
    fn each_reason_is_said_and_none_is_invented() {
        assert_eq!(not_judged(&Counts { judged: 9, anomalies: 1, ..Counts::default() }), None);
        let counts = Counts { nulls: 2, too_late: 1, malformed: 3, ..Counts::default() };
        assert_eq!(
            not_judged(&counts).as_deref(),
            Some("2 NULL, 1 too late, left to `backfill`, 3 malformed")
        );
    }
}
