//! Holidays: a feature for each holiday and each day of its window.
//!
//! ```text
//! h(t) = Σ β     over the features whose days include the calendar day of t
//! ```
//!
//! (`make_holiday_features` in `forecaster.py`.) A feature is 1 or 0, however many rows of the
//! table name the day. Features are ordered as text, by code point: `xmas_delim_+0`,
//! `xmas_delim_+1`, `xmas_delim_+10`, `xmas_delim_-1`. A country's holidays come as dates; the
//! package that knows them is Python's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::lanes::{LANES, Lanes};
use crate::seasonality::Mode;
use crate::time::{self, DAY};

/// The holidays of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holidays {
    pub(crate) mode: Mode,
    /// The first feature's place in `β`.
    pub(crate) first: usize,
    /// Days since 1970 with the features that hold on them, counted from the first; days and
    /// features increase.
    pub(crate) days: Vec<(i64, Vec<usize>)>,
    pub(crate) country: Option<Country>,
}

/// A country whose holidays the model has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Country {
    pub(crate) code: String,
    /// Calendar years for which its holidays are known.
    pub(crate) years: Range<i64>,
}

impl Country {
    pub(crate) fn covers(&self, micros: i64) -> bool {
        self.years.contains(&time::year(micros.div_euclid(DAY)))
    }
}

/// A row of the table of holidays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holiday {
    pub(crate) name: String,
    /// Since 1970.
    pub(crate) day: i64,
    /// First and last day of the window, relative to the day.
    pub(crate) window: (i64, i64),
}

/// The windows of all rows together have no more days than this. No calendar comes near; a few
/// kilobytes of rows could ask for all memory.
const MOST_DAYS: u64 = 1 << 20;

/// Days since 1970 of each feature, in the order of `β`; `names` without any row are features that
/// never hold. None: there would be more than `most`, which no model has, or more than `MOST_DAYS`
/// days.
pub(crate) fn features(
    rows: &[Holiday],
    names: &BTreeSet<&str>,
    most: usize,
) -> Option<BTreeMap<String, BTreeSet<i64>>> {
    let mut features: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let dated: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    for name in names.difference(&dated) {
        features.insert(format!("{name}_delim_+0"), BTreeSet::new());
    }
    let mut days = 0;
    for Holiday { name, day, window: (first, last) } in
        rows.iter().filter(|row| names.contains(row.name.as_str()))
    {
        // A window may end before it begins; it is then empty.
        if *last < *first {
            continue;
        }
        let width = last.abs_diff(*first).saturating_add(1);
        days += width.min(MOST_DAYS + 1);
        if width > most as u64 || days > MOST_DAYS {
            return None;
        }
        for offset in *first..=*last {
            let sign = if offset < 0 { '-' } else { '+' };
            let feature = format!("{name}_delim_{sign}{}", offset.unsigned_abs());
            features.entry(feature).or_default().insert(day.saturating_add(offset));
            if features.len() > most {
                return None;
            }
        }
    }
    Some(features)
}

/// The features of each day.
pub(crate) fn by_day(features: &BTreeMap<String, BTreeSet<i64>>) -> Vec<(i64, Vec<usize>)> {
    let mut days: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (feature, of_feature) in features.values().enumerate() {
        for day in of_feature {
            days.entry(*day).or_default().push(feature);
        }
    }
    days.into_iter().collect()
}

impl Holidays {
    /// Adds the holidays to `sums`, tile by tile. `weights` is the whole of `β`.
    pub(crate) fn add_to(&self, sums: &mut [Lanes], instants: &[i64], weights: &[f64]) {
        let mut last = None;
        for (sum, instants) in sums.iter_mut().zip(instants.chunks(LANES)) {
            for (sum, micros) in sum.iter_mut().zip(instants) {
                let day = micros.div_euclid(DAY);
                // Neighbours are mostly of one day.
                let features = match last {
                    Some((known, features)) if known == day => features,
                    _ => self.on(day),
                };
                last = Some((day, features));
                for feature in features {
                    *sum += weights[self.first + feature];
                }
            }
        }
    }

    fn on(&self, day: i64) -> &[usize] {
        self.days.binary_search_by_key(&day, |known| known.0).map_or(&[], |at| self.days[at].1.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holiday(name: &str, day: i64, window: (i64, i64)) -> Holiday {
        Holiday { name: name.to_owned(), day, window }
    }

    #[test]
    fn features_are_in_the_order_of_text() {
        let rows = [holiday("b", 100, (-10, 11)), holiday("a", 7, (0, 0)), holiday("other", 7, (0, 0))];
        let names = BTreeSet::from(["b", "a", "never", "Ñ"]);
        let features = features(&rows, &names, 25).unwrap_or_default();
        let found: Vec<_> = features.keys().map(String::as_str).collect();
        let expected = "a_delim_+0 b_delim_+0 b_delim_+1 b_delim_+10 b_delim_+11 b_delim_+2 b_delim_+3 b_delim_+4 \
            b_delim_+5 b_delim_+6 b_delim_+7 b_delim_+8 b_delim_+9 b_delim_-1 b_delim_-10 b_delim_-2 b_delim_-3 b_delim_-4 \
            b_delim_-5 b_delim_-6 b_delim_-7 b_delim_-8 b_delim_-9 never_delim_+0 Ñ_delim_+0";
        assert_eq!(found, expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(features["b_delim_-10"], BTreeSet::from([90]));
        assert_eq!(features["Ñ_delim_+0"], BTreeSet::new());
    }

    #[test]
    fn a_feature_holds_once_however_often_a_day_is_named() {
        let rows = [holiday("a", 5, (-1, 1)), holiday("a", 6, (-1, 1)), holiday("a", 6, (2, -2))];
        let features = features(&rows, &BTreeSet::from(["a"]), 3).unwrap_or_default();
        assert_eq!(by_day(&features), [(4, vec![2]), (5, vec![0, 2]), (6, vec![0, 1]), (7, vec![1])]);
    }

    #[test]
    fn a_window_wider_than_the_model_is_not_spread_out() {
        for window in [(0, 3), (i64::MIN, i64::MAX), (-2, 1)] {
            assert_eq!(features(&[holiday("a", 5, window)], &BTreeSet::from(["a"]), 3), None);
        }
        // A thousand columns are plausible, and so are a thousand rows; not all at once.
        let rows = |count| (0..count).map(|row| holiday("a", 1_000 * row, (0, 999))).collect::<Vec<_>>();
        assert_eq!(features(&rows(1_049), &BTreeSet::from(["a"]), 1_000), None);
        assert!(features(&rows(1_048), &BTreeSet::from(["a"]), 1_000).is_some());
    }
}
