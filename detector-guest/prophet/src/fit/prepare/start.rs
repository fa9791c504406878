//! Where the search begins (`linear_growth_init` and its like in `forecaster.py`).

use super::pairwise;
use crate::fit::series::SortedRows;
use crate::fit::settings::Growth;

/// `k` and `m`, from scaled y and capacities.
pub(super) fn of(growth: Growth, rows: &SortedRows<'_>, y: &[f64], cap: &[f64]) -> (f64, f64) {
    // Of several rows at the last instant the first.
    let latest = rows.instants[rows.len() - 1];
    let last = rows.instants.partition_point(|micros| *micros < latest);
    match growth {
        Growth::Linear => (y[last] - y[0], y[0]),
        Growth::Flat => (0.0, pairwise::mean(y)),
        Growth::Logistic => {
            let ratio = |row: usize| cap[row] / y[row].max(0.01 * cap[row]).min(0.99 * cap[row]);
            let (mut first, last) = (ratio(0), ratio(last));
            if (first - last).abs() <= 0.01 {
                first *= 1.05;
            }
            let (first, last) = (libm::log(first - 1.0), libm::log(last - 1.0));
            let rate = first - last;
            (rate, first / rate)
        }
    }
}
