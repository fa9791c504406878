//! What is new: of the rows that were read, those that still want a verdict.
//!
//! Pure: the cycle looks the keys up in the output and hands in what it found. Rows live for one batch; a row that is not
//! new is counted under the first rule that holds for it, and none is dropped without a count.

mod notes;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

pub use notes::{Note, Notes, Why};

use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::reading::{Key, Reading};
use crate::verdict::decimal_18_6;

/// The output's `variable` is a VARCHAR(100).
const LONGEST_NAME: usize = 100;

/// The rows of a page, sifted: `new`, the sum of `counts` and `seen_before` together make up what was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sifted {
    /// Readings to judge, in the order they were read: with a value, one per variable and datetime.
    pub new: Vec<Reading>,
    /// Only the fates that are known before a detector is asked.
    pub counts: Counts,
    /// Rows that are not new and were counted in an earlier cycle.
    pub seen_before: u64,
    pub notes: Notes,
}

/// The keys that the output is to be asked about before [`sift`]: each once, only those that could be new.
pub fn keys_to_look_up(rows: &[Reading], reach: Datetime) -> Vec<Key> {
    let mut asked = HashSet::new();
    let wanted =
        rows.iter().filter(|row| row.datetime >= reach && row.value.is_some() && unfit(row).is_none());
    wanted.map(Reading::key).filter(|key| asked.insert(key.clone())).collect()
}

/// Leaves out what is no reading (NULL), what fits no row of the output, what is in `judged` (the output's keys), what is
/// older than `reach`, and duplicates, in this order. Of duplicates the lowest id counts, without ids the first.
///
/// `first_sight` tells which rows no earlier cycle has counted: with a key all of them, without one see
/// [`crate::position::TimePosition::first_sight`]. It changes the counts and the notes, never what is new.
pub fn sift(
    rows: Vec<Reading>,
    judged: &HashSet<Key>,
    reach: Datetime,
    first_sight: impl Fn(&Reading) -> bool,
) -> Sifted {
    let mut sifted = Sifted::default();
    let mut places: HashMap<Key, usize> = HashMap::new();
    for mut row in rows {
        let mut once = Counts::default();
        let mut note = None;
        if row.value.is_none() {
            once.nulls = 1;
        } else if let Some(why) = unfit(&row) {
            once.unfit = 1;
            note = Some(Note::new(&row, why));
        } else if judged.contains(&row.key()) {
            once.already_judged = 1;
        } else if row.datetime < reach {
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
        if first_sight(&row) {
            sifted.counts += once;
            note.into_iter().for_each(|note| sifted.notes.push(note));
        } else {
            sifted.seen_before += 1;
        }
    }
    sifted
}

/// Why the output could not hold the reading, whatever its verdict.
fn unfit(row: &Reading) -> Option<Why> {
    let characters = row.variable.chars().count();
    match row.value {
        _ if characters == 0 => Some(Why::NoName),
        _ if characters > LONGEST_NAME => Some(Why::LongName { characters }),
        Some(value) if decimal_18_6(value).is_none() => Some(Why::Value { column: "y", value }),
        _ => None,
    }
}
