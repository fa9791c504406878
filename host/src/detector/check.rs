//! Checks what a detector returns before anything uses it: shapes, finiteness, order of bounds,
//! scores, the parts of its state.
//!
//! Pure. An answer that breaks a rule is refused whole, with the variable and the rule in words.

use std::collections::HashSet;
use std::sync::Arc;

use super::guest_text;
use super::limits::{PART_BYTES, PART_OVERHEAD, PARTS};
use crate::batch::{Batch, Column, Flags, Outcome, Verdicts};
use crate::checkpoint::{PartChange, Parts};

/// For each value of a byte of flags, whether its bits may be set together.
const FIT: [bool; 256] = {
    let mut fit = [false; 256];
    let mut bits = 0;
    while bits < fit.len() {
        fit[bits] = Flags::check(bits as u8).is_ok();
        bits += 1;
    }
    fit
};

/// Checks one call's answer against the batch. The error is a sentence for the log.
///
/// # Errors
/// The first rule that the answer breaks.
pub fn answer(batch: &Batch, outcomes: &[Outcome]) -> Result<(), String> {
    if outcomes.len() != batch.columns.len() {
        return Err(format!("{} outcomes for {} columns", outcomes.len(), batch.columns.len()));
    }
    for (column, outcome) in batch.columns.iter().zip(outcomes) {
        if let Outcome::Judged(verdicts) = outcome {
            judged(column, verdicts).map_err(|why| format!("variable `{}`: {why}", column.variable))?;
        }
    }
    Ok(())
}

fn judged(column: &Column, verdicts: &Verdicts) -> Result<(), String> {
    let rows = column.values.len();
    for (list, found) in [
        ("expected", verdicts.expected.len()),
        ("lower", verdicts.lower.len()),
        ("upper", verdicts.upper.len()),
        ("score", verdicts.score.len()),
        ("flags", verdicts.flags.len()),
    ] {
        if found != rows {
            return Err(format!("`{list}` has {found} entries for {rows} instants"));
        }
    }
    if verdicts.withheld.is_empty() && all_in_order(column, verdicts) {
        return Ok(());
    }
    for (row, flags) in verdicts.flags.iter().enumerate() {
        Flags::check(*flags).map_err(|why| format!("instant {row} has flags {flags}: {why}"))?;
    }
    let withheld = withheld_rows(verdicts, rows)?;
    for (row, value) in column.values.iter().enumerate() {
        if value.is_nan() {
            continue;
        }
        let [expected, lower, upper, score] =
            [verdicts.expected[row], verdicts.lower[row], verdicts.upper[row], verdicts.score[row]];
        if withheld[row] {
            if ![expected, lower, upper, score].iter().all(|number| number.is_nan()) {
                return Err(format!("instant {row} is withheld but has numbers"));
            }
            continue;
        }
        if ![expected, lower, upper, score].iter().all(|number| number.is_finite()) {
            return Err(format!(
                "instant {row} has expected {expected}, lower {lower}, upper {upper}, score {score}: \
                 not finite, and not withheld"
            ));
        }
        if !(lower <= expected && expected <= upper) {
            return Err(format!(
                "instant {row} has lower {lower}, expected {expected}, upper {upper}: not in this order"
            ));
        }
        if !(0.0..=100.0).contains(&score) {
            return Err(format!("instant {row} has score {score}: not between 0 and 100"));
        }
    }
    Ok(())
}

/// The changes of the state that a detector returns, as the host stores them.
///
/// # Errors
/// The first rule that a change breaks.
pub(super) fn changes(said: Vec<(String, Option<Vec<u8>>)>) -> Result<Vec<PartChange>, String> {
    let mut names: HashSet<Arc<str>> = HashSet::with_capacity(said.len());
    let mut changes = Vec::with_capacity(said.len());
    for (name, bytes) in said {
        if !Parts::is_name(&name) {
            let name = guest_text::short(&name);
            return Err(format!("`{name}` names no part: 1 to 100 of a to z, 0 to 9, `.`, `_`, `-` and `/`"));
        }
        let length = bytes.as_ref().map_or(0, Vec::len);
        if length > PART_BYTES {
            return Err(format!("part `{name}` has {length} bytes, and at most {PART_BYTES} are kept"));
        }
        let name: Arc<str> = name.into();
        if !names.insert(Arc::clone(&name)) {
            return Err(format!("part `{name}` is there twice"));
        }
        changes.push((name, bytes.map(Arc::from)));
    }
    Ok(changes)
}

/// Checks all parts together, of which at most this many bytes are kept. Returns the bytes that the
/// host needs for them.
///
/// # Errors
/// The first rule that they break.
pub(super) fn parts(parts: &Parts, most: usize) -> Result<usize, String> {
    let size = parts.size();
    if size.parts > PARTS as u64 {
        return Err(format!("it has {} parts, and at most {PARTS} are kept", size.parts));
    }
    if size.bytes > most as u64 {
        let bytes = size.bytes;
        return Err(format!(
            "it has {bytes} bytes, and at most {most} are kept (`checkpoint_mib` of `[detector]`)"
        ));
    }
    Ok(held(parts))
}

/// The bytes that the host needs for them.
pub(super) fn held(parts: &Parts) -> usize {
    parts.iter().map(|(name, bytes)| name.len() + bytes.len() + PART_OVERHEAD).sum()
}

/// Whether every rule holds at every instant. Without branches, so that the usual case of a large
/// batch costs next to nothing; if it fails, the instants are then checked one by one.
fn all_in_order(column: &Column, verdicts: &Verdicts) -> bool {
    let bounds = verdicts.lower.iter().zip(&verdicts.expected).zip(&verdicts.upper);
    let numbers = bounds.zip(&verdicts.score);
    verdicts.flags.iter().fold(true, |good, flags| good & FIT[usize::from(*flags)])
        && column.values.iter().zip(numbers).fold(
            true,
            |good, (value, (((lower, expected), upper), score))| {
                // A value between two finite bounds is finite too.
                let in_order = (lower <= expected)
                    & (expected <= upper)
                    & (*lower > f64::NEG_INFINITY)
                    & (*upper < f64::INFINITY);
                let fits = (*score >= 0.0) & (*score <= 100.0);
                good & ((in_order & fits) | value.is_nan())
            },
        )
}

fn withheld_rows(verdicts: &Verdicts, rows: usize) -> Result<Vec<bool>, String> {
    let mut withheld = vec![false; rows];
    for &row in verdicts.withheld.iter().flat_map(|withheld| &withheld.rows) {
        match withheld.get_mut(row) {
            Some(entry) => *entry = true,
            None => return Err(format!("instant {row} is withheld, of {rows} instants")),
        }
    }
    Ok(withheld)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Withheld;
    use crate::datetime::Datetime;

    fn batch() -> Batch {
        Batch {
            datetimes: vec![Datetime::from_micros(0), Datetime::from_micros(1)],
            columns: vec![Column { variable: "T1".into(), values: vec![1.0, f64::NAN] }],
        }
    }

    fn good() -> Verdicts {
        Verdicts {
            expected: vec![1.0, f64::NAN],
            lower: vec![0.0, f64::NAN],
            upper: vec![2.0, f64::NAN],
            score: vec![0.0, 0.0],
            flags: vec![0, 7],
            withheld: vec![],
        }
    }

    #[test]
    fn an_answer_is_taken_whole_or_refused_with_its_reason() {
        let withheld = |rows: Vec<usize>| vec![Withheld { reason: "r".into(), rows }];
        let nan = || vec![f64::NAN, f64::NAN];
        for (change, verdict) in [
            (Box::new(|_: &mut Verdicts| {}) as Box<dyn Fn(&mut Verdicts)>, Ok(())),
            (
                Box::new(move |v| {
                    (v.expected, v.lower, v.upper, v.score) = (nan(), nan(), nan(), nan());
                    v.withheld = withheld(vec![0]);
                }),
                Ok(()),
            ),
            (Box::new(|v| v.lower.truncate(1)), Err("`lower` has 1 entries for 2 instants")),
            (Box::new(|v| v.flags.clear()), Err("`flags` has 0 entries for 2 instants")),
            (
                Box::new(|v| v.expected[0] = f64::NAN),
                Err("instant 0 has expected NaN, lower 0, upper 2, score 0: not finite, and not withheld"),
            ),
            (
                Box::new(|v| v.upper[0] = f64::INFINITY),
                Err("instant 0 has expected 1, lower 0, upper inf, score 0: not finite, and not withheld"),
            ),
            (
                Box::new(|v| v.lower[0] = 1.5),
                Err("instant 0 has lower 1.5, expected 1, upper 2: not in this order"),
            ),
            (Box::new(|v| v.score[0] = 100.5), Err("instant 0 has score 100.5: not between 0 and 100")),
            (Box::new(|v| v.flags = vec![4 | 6 << 3, 64 | 3]), Ok(())),
            (Box::new(|v| v.flags[1] = 128), Err("instant 1 has flags 128: 128 is no bit of it")),
            (Box::new(|v| v.flags[1] = 60), Err("instant 1 has flags 60: 7 is no cause")),
            (Box::new(|v| v.flags[1] = 9), Err("instant 1 has flags 9: a cause of what is no anomaly")),
            (Box::new(|v| v.flags[0] = 68), Err("instant 0 has flags 68: an anomaly while it learns")),
            (Box::new(move |v| v.withheld = withheld(vec![0])), Err("instant 0 is withheld but has numbers")),
            (Box::new(move |v| v.withheld = withheld(vec![7])), Err("instant 7 is withheld, of 2 instants")),
        ] {
            let mut verdicts = good();
            change(&mut verdicts);
            let expected = verdict.map_err(|why| format!("variable `T1`: {why}"));
            assert_eq!(answer(&batch(), &[Outcome::Judged(verdicts)]), expected);
        }
        assert_eq!(answer(&batch(), &[]), Err("0 outcomes for 1 columns".into()));
    }

    #[test]
    fn parts_are_taken_or_refused_with_the_reason() {
        let no_name = |name: &str| {
            Err(format!("`{name}` names no part: 1 to 100 of a to z, 0 to 9, `.`, `_`, `-` and `/`"))
        };
        for (names, length, expected) in [
            (vec!["a", "b"], 8 << 20, Ok(2)),
            (vec!["a", "a"], 1, Err("part `a` is there twice".to_owned())),
            (vec!["a", "B"], 1, no_name("B")),
            (vec![""], 1, no_name("")),
            (vec!["a"], (8 << 20) + 1, {
                Err("part `a` has 8388609 bytes, and at most 8388608 are kept".to_owned())
            }),
        ] {
            let said = names.iter().map(|name| ((*name).to_owned(), Some(vec![0; length]))).collect();
            assert_eq!(changes(said).map(|taken| taken.len()), expected);
        }
        let many = |count: usize, length: usize| -> Parts {
            let bytes: Arc<[u8]> = vec![0; length].into();
            (0..count).map(|number| (format!("{number:05}").into(), Arc::clone(&bytes))).collect()
        };
        assert_eq!(parts(&many(2, 50), 100), Ok(2 * (5 + 50 + 128)));
        let large = "it has 102 bytes, and at most 100 are kept (`checkpoint_mib` of `[detector]`)";
        assert_eq!(parts(&many(2, 51), 100), Err(large.to_owned()));
        let all_too_many = "it has 65537 parts, and at most 65536 are kept";
        assert_eq!(parts(&many(65_537, 0), 100), Err(all_too_many.to_owned()));
    }
}
