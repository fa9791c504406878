//! Divides the rows of a table into batches, as a batch has each instant once. Pure.

use crate::datetime::Datetime;

/// A row in a batch.
#[derive(Debug, PartialEq)]
pub(super) struct BatchRow {
    /// The row's `ds`, or as near as another row of the same `ds` leaves it.
    pub(super) at: Datetime,
    pub(super) row: usize,
    /// Whether the answer is the row's own; otherwise the row is there to be counted.
    pub(super) wanted: bool,
}

/// Batches, one after the other, in which each row is wanted once, at its own `ds`. `ds` is sorted.
/// With `by_number` each row has as many rows before it as in the table: all are in every batch,
/// those of one `ds` a microsecond apart.
pub(super) fn of(ds: &[Datetime], by_number: bool) -> impl Iterator<Item = Vec<BatchRow>> {
    let same: Vec<&[Datetime]> = ds.chunk_by(|a, b| a == b).collect();
    let most = same.iter().map(|same| same.len()).max().unwrap_or(0);
    // For each row its place among those of its `ds`, and how many they are.
    let places: Vec<(usize, usize)> =
        same.iter().flat_map(|same| (0..same.len()).map(|place| (place, same.len()))).collect();
    (0..most).map(move |round| {
        let mut batch: Vec<(BatchRow, bool)> = Vec::new();
        for (row, (&at, &(place, count))) in ds.iter().zip(&places).enumerate() {
            if !by_number {
                if place == round {
                    batch.push((BatchRow { at, row, wanted: true }, true));
                }
                continue;
            }
            // The last ones have their turn in the last round, where no row stands later than it
            // should: not after the end of training if it was at that end.
            let turn = if place + 1 == count { most - 1 } else { place };
            let anchor = round.min(count - 1);
            let apart = place as i64 - anchor as i64;
            let at = Datetime::from_micros(at.micros().saturating_add(apart));
            batch.push((BatchRow { at, row, wanted: turn == round }, apart == 0));
        }
        batch.sort_by_key(|(asked, in_place)| (asked.at, !in_place));
        batch.dedup_by_key(|(asked, _)| asked.at);
        batch.into_iter().map(|(asked, _)| asked).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(ds: &[i64], by_number: bool) -> Vec<Vec<(i64, usize, bool)>> {
        let ds: Vec<_> = ds.iter().map(|micros| Datetime::from_micros(*micros)).collect();
        let plain = |asked: BatchRow| (asked.at.micros(), asked.row, asked.wanted);
        of(&ds, by_number).map(|batch| batch.into_iter().map(plain).collect()).collect()
    }

    #[test]
    fn each_row_is_wanted_once_at_its_own_ds() {
        assert_eq!(rounds(&[0, 9], true), rounds(&[0, 9], false));
        assert_eq!(
            rounds(&[0, 50, 50, 50, 90, 90], false),
            [
                vec![(0, 0, true), (50, 1, true), (90, 4, true)],
                vec![(50, 2, true), (90, 5, true)],
                vec![(50, 3, true)],
            ]
        );
        let (f, t) = (false, true);
        assert_eq!(
            rounds(&[0, 50, 50, 50, 90, 90], true),
            [
                [(0, 0, f), (50, 1, t), (51, 2, f), (52, 3, f), (90, 4, t), (91, 5, f)],
                [(0, 0, f), (49, 1, f), (50, 2, t), (51, 3, f), (89, 4, f), (90, 5, f)],
                [(0, 0, t), (48, 1, f), (49, 2, f), (50, 3, t), (89, 4, f), (90, 5, t)],
            ]
        );
    }

    /// A row that is only counted gives way to one that stands in its place.
    #[test]
    fn instants_increase_however_close_they_are() {
        let (f, t) = (false, true);
        assert_eq!(
            rounds(&[4, 5, 5, 6], true),
            [vec![(4, 0, f), (5, 1, t), (6, 3, f)], vec![(4, 0, t), (5, 2, t), (6, 3, t)]]
        );
    }
}
