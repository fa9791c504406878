//! Which rows of a page are judged, and how the others are counted.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::new_readings;
use crate::notes::UnfitReason;
use crate::position::TimePosition;
use crate::reading::{Malformed, Reading};
use crate::row_reason::{Name, RowReason};
use crate::store::StoreError;
use crate::worker::batch_report::BatchReport;
use crate::worker::cycle_context::CycleContext;
use crate::worker::session::Session;

/// Datetimes ahead of the clock by no more than this are not reported.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Without a key the allowed lateness is read in each cycle: a malformed row is reported only once.
pub(super) fn news(
    session: &mut Session,
    context: &CycleContext,
    mut malformed: Vec<Malformed>,
) -> Vec<Malformed> {
    malformed.retain(|row| match row.datetime {
        Some(at) => TimePosition::first_seen(at, context.watermark, &context.ahead),
        None => session.timeless.first_seen(&row.why),
    });
    malformed
}

/// Those of the rows that are to be judged. The others are counted in `report`, each under the
/// first rule that holds for it.
pub(super) async fn sift(
    session: &mut Session,
    detector: &Detector,
    context: &CycleContext,
    rows: Vec<Reading>,
    first_seen: impl Fn(&Reading) -> bool + Copy,
    report: &mut BatchReport,
) -> Result<Vec<Reading>, StoreError> {
    let read = (rows.len() + report.malformed.len()) as u64;
    session.learn_names(&rows, detector).await?;
    let (names, met) = (&session.names, rows.iter().map(|reading| &reading.variable));
    let met: HashSet<&Arc<str>> = met.filter(|name| names.of(name) == Name::Equal).collect();
    let pair = |name: &Arc<str>| Some((Arc::clone(name), names.judged_for(name)?));
    report.equal_names = met.into_iter().filter_map(pair).collect();
    report.equal_names.sort_unstable();

    let refused = |row: &Reading| match () {
        () if row.value.is_none() => None,
        () if !session.holds_datetime(row.datetime) => Some(RowReason::Unfit(UnfitReason::Datetime)),
        () if session.refuses(&row.variable) => Some(RowReason::Unfit(UnfitReason::Refused)),
        () => None,
    };
    let reason = |row: &Reading| refused(row).or_else(|| RowReason::of(row, |name| session.names.of(name)));
    let (rows, mut passed) = new_readings::take_out(rows, reason, first_seen);
    let keys = if context.scope.again {
        Vec::new()
    } else {
        new_readings::keys_to_look_up(&rows, context.oldest_allowed)
    };
    let judged = if keys.is_empty() { HashSet::new() } else { session.output.already_judged(&keys).await? };
    for (variable, at) in &judged {
        let latest = report.judged_before.entry(Arc::clone(variable)).or_insert(*at);
        *latest = (*latest).max(*at);
    }
    let mut sifted = new_readings::sift(rows, &judged, context.oldest_allowed, first_seen);
    let new = std::mem::take(&mut sifted.new);
    passed.add(sifted);

    report.rows = read - passed.seen_before;
    report.counts += passed.counts;
    report.notes = passed.notes;
    Ok(new)
}

/// Those of the readings that are new and dated ahead of the clock: each variable once, with its
/// latest datetime.
pub(super) fn dated_ahead(
    new: &[Reading],
    context: &CycleContext,
    first_seen: impl Fn(&Reading) -> bool,
) -> Vec<(Arc<str>, Datetime)> {
    let edge = context.until.later(AHEAD);
    let mut ahead: BTreeMap<&Arc<str>, Datetime> = BTreeMap::new();
    for reading in new.iter().filter(|reading| reading.datetime > edge && first_seen(reading)) {
        let furthest = ahead.entry(&reading.variable).or_insert(reading.datetime);
        *furthest = (*furthest).max(reading.datetime);
    }
    ahead.into_iter().map(|(variable, at)| (Arc::clone(variable), at)).collect()
}

/// The rows of a page, and their ids.
pub(super) struct PageRows {
    pub(super) all: Vec<Reading>,
    pub(super) page: Vec<Option<i64>>,
}

/// For a detector that wants whole instants: all rows at the datetimes of the page.
pub(super) async fn with_companions(
    session: &mut Session,
    detector: &Detector,
    context: &CycleContext,
    readings: Vec<Reading>,
) -> Result<(PageRows, Vec<Reading>), StoreError> {
    let page: Vec<Option<i64>> = readings.iter().map(|reading| reading.id).collect();
    if !detector.summary().whole_instants {
        return Ok((PageRows { all: readings, page }, Vec::new()));
    }
    let mut datetimes: Vec<_> =
        readings.iter().map(|reading| reading.datetime).filter(|&at| at >= context.oldest_allowed).collect();
    datetimes.sort_unstable();
    datetimes.dedup();
    let companions = session.input.read_at(&datetimes).await?.readings;
    let mut all = readings;
    let known: HashSet<_> = all.iter().map(|reading| (reading.id, reading.key())).collect();
    let ours = |reading: &&Reading| context.scope.holds(reading);
    let unknown = |reading: &&Reading| !known.contains(&(reading.id, reading.key()));
    all.extend(companions.iter().filter(ours).filter(unknown).cloned());
    Ok((PageRows { all, page }, companions))
}
