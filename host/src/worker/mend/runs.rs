//! Finds where the runs of equal values begin that a change may extend, divide or end.

use std::sync::Arc;

use super::{AT_ONCE, Concerned, START};
use crate::episode::{Point, RunStart, StoredEpisode, run_in_rows, run_start};
use crate::store::{Output, ReadFrom, StoreError, Stretch};

/// How many readings before a change are looked through: few at first. If a run is longer and no
/// row says that it is stuck, it is left alone.
const LOOKED_THROUGH: [usize; 3] = [16, 128, 1024];

/// Where a value cannot be stuck, only the time since the reading before counts.
const ONE: [usize; 1] = [1];

/// `rows`: the rows of each.
pub(super) async fn find(
    output: &mut dyn Output,
    concerned: &mut [Concerned],
    rows: &[Vec<StoredEpisode>],
) -> Result<(), StoreError> {
    let (mut any, mut silent) = (Vec::new(), Vec::new());
    let goes_on = |one: &Concerned| one.changed.after.as_ref().is_some_and(|end| end.run.is_some());
    let asks = |one: &Concerned| !one.limits.are_unknown() && !goes_on(one);
    for (one, rows) in concerned.iter_mut().zip(rows).filter(|(one, _)| asks(one)) {
        match run_in_rows(rows, one.changed.first) {
            Some(from) => one.changed.run = RunStart { from, is_known: true },
            None if one.limits.stuck.is_some() => any.push(one),
            None => silent.push(one),
        }
    }
    look_back(output, any, &LOOKED_THROUGH).await?;
    look_back(output, silent, &ONE).await
}

async fn look_back(
    output: &mut dyn Output,
    mut left: Vec<&mut Concerned>,
    counts: &[usize],
) -> Result<(), StoreError> {
    for &count in counts {
        let mut longer = Vec::new();
        while !left.is_empty() {
            let some: Vec<&mut Concerned> = left.drain(..AT_ONCE.min(left.len())).collect();
            let before = |one: &&mut Concerned| Stretch {
                variable: Arc::clone(&one.variable),
                from: START,
                to: one.changed.first,
            };
            let asked: Vec<Stretch> = some.iter().map(before).collect();
            let found = output.stretches(&asked, count, ReadFrom::End).await?;
            for (one, verdicts) in some.into_iter().zip(found) {
                let readings: Vec<Point> = verdicts.iter().filter_map(Point::of_stored).collect();
                let start = run_start(&readings, one.limits);
                let is_known = start.is_some() || verdicts.len() < count;
                let from = start.or(readings.first().map(|first| first.ds)).unwrap_or(one.changed.first);
                one.changed.run = RunStart { from, is_known };
                if !is_known {
                    longer.push(one);
                }
            }
        }
        left = longer;
    }
    Ok(())
}
