//! Which of the rows that were read are new and need a verdict.
//!
//! Pure: the cycle looks up the keys in the output and passes in the result. Rows live for one
//! batch; a row that is not new is counted under the first rule that holds for it, and none is
//! dropped without a count.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::notes::Notes;
use crate::reading::{Reading, ReadingKey};
use crate::row_reason::{Name, RowReason};

/// The rows of a page, sifted: `new`, the sum of `counts` and `seen_before` together are all rows
/// that were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sifted {
    /// Readings to judge, in the order they were read: with a value, one per variable and datetime.
    pub new: Vec<Reading>,
    /// Only the reasons that are known before a detector is asked.
    pub counts: Counts,
    /// Rows that are not new and were counted in an earlier cycle.
    pub seen_before: u64,
    pub notes: Notes,
}

/// The keys that are looked up in the output before [`sift`]: each once, only those that could be
/// new.
pub fn keys_to_look_up(rows: &[Reading], oldest_allowed: Datetime) -> Vec<ReadingKey> {
    let mut asked = HashSet::new();
    let fits = |row: &Reading| RowReason::of(row, |_| Name::Own).is_none();
    let wanted = rows.iter().filter(|row| row.datetime >= oldest_allowed && fits(row));
    wanted.map(Reading::key).filter(|key| asked.insert(key.clone())).collect()
}

/// Removes the rows for which there is a reason, and counts them. The order of the others stays the
/// same.
pub fn take_out(
    rows: Vec<Reading>,
    reason: impl Fn(&Reading) -> Option<RowReason>,
    first_seen: impl Fn(&Reading) -> bool,
) -> (Vec<Reading>, Sifted) {
    let mut sifted = Sifted::default();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        match reason(&row) {
            None => kept.push(row),
            Some(_) if !first_seen(&row) => sifted.seen_before += 1,
            Some(reason) => {
                sifted.counts += reason.counted();
                reason.note(&row).into_iter().for_each(|note| sifted.notes.push(note));
            }
        }
    }
    (kept, sifted)
}

/// Of readings for which there is no [`RowReason`], leaves out what is in `judged` (the output's
/// keys), what is older than `oldest_allowed`, and duplicates, in this order. Of duplicates the
/// lowest id counts, without ids the first.
///
/// `first_seen` tells which rows no earlier cycle has counted: with a key all of them, without one
/// see [`crate::position::TimePosition::first_seen`]. It changes the counts and the notes, never
/// what is new.
pub fn sift(
    rows: Vec<Reading>,
    judged: &HashSet<ReadingKey>,
    oldest_allowed: Datetime,
    first_seen: impl Fn(&Reading) -> bool,
) -> Sifted {
    let mut sifted = Sifted::default();
    let mut places: HashMap<ReadingKey, usize> = HashMap::new();
    for mut row in rows {
        let mut once = Counts::default();
        if judged.contains(&row.key()) {
            once.already_judged = 1;
        } else if row.datetime < oldest_allowed {
            once.too_late = 1;
        } else {
            match places.entry(row.key()) {
                Entry::Vacant(place) => {
                    place.insert(sifted.new.len());
                    sifted.new.push(row);
                    continue;
                }
                Entry::Occupied(place) => {
                    once.duplicates = 1;
                    let kept = &mut sifted.new[*place.get()];
                    if row.id.zip(kept.id).is_some_and(|(id, kept)| id < kept) {
                        std::mem::swap(&mut row, kept);
                    }
                }
            }
        }
        if first_seen(&row) {
            sifted.counts += once;
        } else {
            sifted.seen_before += 1;
        }
    }
    sifted
}

impl Sifted {
    /// Adds the rows that were removed before.
    pub fn add(&mut self, other: Self) {
        self.counts += other.counts;
        self.seen_before += other.seen_before;
        self.notes.append(other.notes);
    }
}

/// Both steps, as in a cycle.
#[cfg(test)]
pub(crate) fn sift_all(
    rows: Vec<Reading>,
    name: impl Fn(&str) -> Name,
    judged: &HashSet<ReadingKey>,
    oldest_allowed: Datetime,
    first_seen: impl Fn(&Reading) -> bool,
) -> Sifted {
    let (rows, mut sifted) = take_out(rows, |row| RowReason::of(row, &name), &first_seen);
    let mut rest = sift(rows, judged, oldest_allowed, &first_seen);
    sifted.new = std::mem::take(&mut rest.new);
    sifted.add(rest);
    sifted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Datetime {
        Datetime::from_micros(seconds * 1_000_000)
    }

    fn row(id: Option<i64>, variable: &str, seconds: i64, value: Option<f64>) -> Reading {
        Reading { id, datetime: at(seconds), variable: variable.into(), value, source_file: None }
    }

    fn both(
        rows: Vec<Reading>,
        judged: &HashSet<ReadingKey>,
        oldest_allowed: Datetime,
        first_seen: impl Fn(&Reading) -> bool,
    ) -> Sifted {
        let name = |name: &str| match name {
            "t1" => Name::Equal,
            "温度" => Name::Foreign,
            _ => Name::Own,
        };
        sift_all(rows, name, judged, oldest_allowed, first_seen)
    }

    fn judged() -> HashSet<ReadingKey> {
        HashSet::from([("done".into(), at(3)), ("done".into(), at(20))])
    }

    /// The oldest allowed datetime is 10 s; `done` was judged at 3 s and 20 s.
    #[test]
    fn each_row_falls_under_the_first_rule_that_holds() {
        let long = "é".repeat(101);
        let unfit = Counts { unfit: 1, ..Counts::default() };
        for (why, row, counts) in [
            ("NULL", row(None, "T1", 20, None), Counts { nulls: 1, ..Counts::default() }),
            ("NULL before all else", row(None, "", 3, None), Counts { nulls: 1, ..Counts::default() }),
            ("not a number", row(None, "T1", 20, Some(f64::NAN)), unfit),
            ("infinite", row(None, "T1", 20, Some(f64::NEG_INFINITY)), unfit),
            ("thirteen digits", row(None, "T1", 20, Some(-1e12)), unfit),
            ("no name", row(None, "", 20, Some(1.0)), unfit),
            ("101 characters", row(None, &long, 20, Some(1.0)), unfit),
            ("unfit before too late", row(None, &long, 3, Some(1.0)), unfit),
            ("judged", row(None, "done", 20, Some(1.0)), Counts { already_judged: 1, ..Counts::default() }),
            (
                "judged before too late",
                row(None, "done", 3, Some(1.0)),
                Counts { already_judged: 1, ..Counts::default() },
            ),
            ("another name", row(None, "温度", 20, Some(1.0)), unfit),
            ("an equal name", row(None, "t1", 20, Some(1.0)), Counts { equal_names: 1, ..Counts::default() }),
            ("too late", row(None, "T1", 9, Some(1.0)), Counts { too_late: 1, ..Counts::default() }),
        ] {
            let sifted = both(vec![row.clone()], &judged(), at(10), |_| true);
            assert_eq!((sifted.new, sifted.counts, sifted.seen_before), (vec![], counts, 0), "{why}");
            assert_eq!(sifted.notes.named().len() as u64, counts.unfit, "{why}");
            let again = both(vec![row], &judged(), at(10), |_| false);
            assert_eq!(again, Sifted { seen_before: 1, ..Sifted::default() }, "{why}, seen before");
        }
        for (why, row) in [
            ("at the reach", row(None, "T1", 10, Some(0.0))),
            ("100 characters of two bytes", row(None, &"é".repeat(100), 20, Some(1.0))),
            ("twelve digits", row(None, "T1", 20, Some(999_999_999_999.999))),
            ("judged at another datetime", row(None, "done", 21, Some(1.0))),
        ] {
            let new = vec![row.clone()];
            for first in [true, false] {
                let sifted = both(new.clone(), &judged(), at(10), |_| first);
                assert_eq!(sifted, Sifted { new: new.clone(), ..Sifted::default() }, "{why}");
            }
        }
    }

    #[test]
    fn of_duplicates_the_lowest_id_counts() {
        let one = |id, value| row(id, "T1", 20, value);
        for (why, rows, new, duplicates, nulls) in [
            ("first read", vec![one(Some(1), Some(1.0)), one(Some(2), Some(2.0))], 0, 1, 0),
            (
                "read later",
                vec![one(Some(2), Some(2.0)), one(Some(3), Some(2.0)), one(Some(1), Some(1.0))],
                2,
                2,
                0,
            ),
            ("without ids the first", vec![one(None, Some(1.0)), one(None, Some(2.0))], 0, 1, 0),
            ("a NULL is no reading", vec![one(Some(1), None), one(Some(2), Some(2.0))], 1, 0, 1),
            (
                "an infinity is none either",
                vec![one(Some(1), Some(f64::INFINITY)), one(Some(2), Some(2.0))],
                1,
                0,
                0,
            ),
        ] {
            let unfit = rows.len() as u64 - 1 - duplicates - nulls;
            let expected = vec![rows[new].clone()];
            let sifted = both(rows, &HashSet::new(), at(0), |_| true);
            assert_eq!(sifted.new, expected, "{why}");
            assert_eq!(sifted.counts, Counts { duplicates, nulls, unfit, ..Counts::default() }, "{why}");
        }
    }

    #[test]
    fn only_what_could_be_new_is_looked_up_and_once() {
        let rows = [
            row(None, "T1", 20, Some(1.0)),
            row(None, "T1", 20, Some(2.0)),
            row(None, "T2", 20, None),
            row(None, "T3", 9, Some(1.0)),
            row(None, &"x".repeat(101), 20, Some(1.0)),
            row(None, "T2", 21, Some(1.0)),
        ];
        assert_eq!(keys_to_look_up(&rows, at(10)), [("T1".into(), at(20)), ("T2".into(), at(21))]);
    }

    proptest! {
        #[test]
        fn every_row_is_new_or_counted_once(
            rows in prop::collection::vec(
                (prop::option::of(0..50i64), 0..5usize, 0..30i64, prop::option::of(prop_oneof![Just(1.0), Just(1e15)])),
                0..60,
            ),
            watermark in 0..30i64,
        ) {
            let names = ["T1", "t1", "done", "", "温度"];
            let rows: Vec<Reading> =
                rows.into_iter().map(|(id, name, at, value)| row(id, names[name], at, value)).collect();
            let total = rows.len() as u64;
            let sifted = both(rows.clone(), &judged(), at(10), |row| row.datetime > at(watermark));
            let Counts { nulls, unfit, equal_names, already_judged, too_late, duplicates, .. } = sifted.counts;
            let counted = nulls + unfit + equal_names + already_judged + too_late + duplicates;
            prop_assert_eq!(sifted.new.len() as u64 + counted + sifted.seen_before, total);
            prop_assert_eq!(sifted.notes.named().len() as u64 + sifted.notes.more(), unfit);

            let new: HashSet<ReadingKey> = sifted.new.iter().map(Reading::key).collect();
            prop_assert_eq!(new.len(), sifted.new.len());
            let held = |(name, _): &ReadingKey| !["t1", "温度"].contains(&&**name);
            let wanted = keys_to_look_up(&rows, at(10)).into_iter().filter(held);
            let wanted: HashSet<ReadingKey> = wanted.filter(|key| !judged().contains(key)).collect();
            prop_assert_eq!(new, wanted);
        }
    }
}
