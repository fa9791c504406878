//! The queries of the page on the output: verdicts of one variable, anomalies of a time range, the
//! variables, and episodes.
//!
//! Each call reads a bounded number of rows, found by seeks on the indexes on (variable, ds, y) and
//! (is_anomaly, ds, variable), whatever the size of the table. Nothing is changed: a login with
//! SELECT is enough. It has connections of its own with short timeouts
//! ([`Store::open_page`](super::Store)), so that a page may wait for a worker, but no worker for a
//! page.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{EpisodeReader, OutboxCounts, StoreError, StoredVerdict, VerdictReader};
use crate::datetime::Datetime;

/// How long a call may read. A person does not wait longer, and a table without the indexes would
/// take minutes.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long a page waits for a lock, and for a server that does not answer.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// A time range of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub variable: Arc<str>,
    pub from: Datetime,
    /// The datetime before which it ends.
    pub to: Datetime,
}

/// From which end a stretch is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    Start,
    End,
}

/// What an index shows of a stretch without its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub verdicts: u64,
    /// The time of the least reading, of the first if several are equal.
    pub least: Option<Datetime>,
    pub greatest: Option<Datetime>,
}

/// Which anomalies come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstOf {
    Newest,
    /// Of the newest [`MOST_RANKED`].
    Worst,
}

/// This many anomalies are read to find the worst of them.
pub const MOST_RANKED: usize = 20_000;

/// A query for anomalies.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyQuery {
    /// None: of all variables.
    pub variable: Option<Arc<str>>,
    pub from: Datetime,
    pub to: Datetime,
    /// Anomalies with a lower score are left out.
    pub least_score: f64,
    pub first: FirstOf,
    pub limit: usize,
}

/// The number of anomalies of a variable in a time range.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyTally {
    pub variable: Arc<str>,
    pub anomalies: u64,
    pub worst_score: Option<f64>,
    pub last: Datetime,
}

/// The calls of the page.
#[async_trait]
pub trait PageReader: VerdictReader + EpisodeReader {
    /// The plant's clock.
    async fn clock(&mut self) -> Result<Datetime, StoreError>;

    /// At most `limit` variables that have verdicts, by name, each found by a seek.
    async fn variables(&mut self, limit: usize) -> Result<Vec<Arc<str>>, StoreError>;

    /// How many verdicts each stretch has, counted up to `limit`.
    async fn count(&mut self, stretches: &[Stretch], limit: usize) -> Result<Vec<u64>, StoreError>;

    /// For the first `limit` verdicts of each stretch their number, and the times of the least and
    /// the greatest reading. Only an index is read, and no rows.
    async fn extents(&mut self, stretches: &[Stretch], limit: usize) -> Result<Vec<Extent>, StoreError>;

    /// Anomalies that match the query.
    async fn anomalies(&mut self, query: &AnomalyQuery) -> Result<Vec<StoredVerdict>, StoreError>;

    /// How many anomalies each variable has with `from <= ds < to`, of the newest [`MOST_RANKED`];
    /// variables without any are left out. By name; names that the output takes for the same are
    /// one variable.
    async fn tally(&mut self, from: Datetime, to: Datetime) -> Result<Vec<AnomalyTally>, StoreError>;

    /// How many messages of the outbox await delivery, and how many were given up.
    async fn undelivered(&mut self) -> Result<OutboxCounts, StoreError>;

    /// Closes the connection, with nothing pending.
    async fn leave(self: Box<Self>) -> Result<(), StoreError>;
}

/// The order in which anomalies are shown.
pub(super) fn rank(verdicts: &mut [StoredVerdict], first: FirstOf) {
    let score = |verdict: &StoredVerdict| verdict.anomaly_score.unwrap_or_default();
    verdicts.sort_by(|a, b| {
        let by_score = match first {
            FirstOf::Worst => score(b).total_cmp(&score(a)),
            FirstOf::Newest => std::cmp::Ordering::Equal,
        };
        by_score.then_with(|| b.ds.cmp(&a.ds)).then_with(|| a.variable.cmp(&b.variable))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_of_equals_the_newest() {
        let verdict = |at: i64, variable: &str, score: Option<f64>| StoredVerdict {
            ds: Datetime::from_micros(at),
            variable: variable.into(),
            y: None,
            yhat: None,
            yhat_lower: None,
            yhat_upper: None,
            residual: None,
            outside_interval: None,
            high_residual: None,
            is_anomaly: Some(true),
            anomaly_score: score,
            prediction_error_pct: None,
            source_file: None,
            processed_at: None,
        };
        let given = [
            verdict(1, "A", Some(5.0)),
            verdict(3, "B", None),
            verdict(2, "C", Some(9.0)),
            verdict(3, "A", Some(5.0)),
        ];
        for (first, order) in [(FirstOf::Worst, [2, 3, 0, 1]), (FirstOf::Newest, [3, 1, 2, 0])] {
            let mut ranked = given.to_vec();
            rank(&mut ranked, first);
            let expected: Vec<_> = order.into_iter().map(|at: usize| given[at].clone()).collect();
            assert_eq!(ranked, expected, "{first:?}");
        }
    }
}
