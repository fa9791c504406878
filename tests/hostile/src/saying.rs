//! Says what it is told: an answer is made of the batch's own numbers, read as whole numbers below
//! 2^32, whatever comes of it. So a fuzzer decides each list, each length and each bit that the
//! host receives.

use crate::anomaly_worker::detector::types::{Batch, DetectError, Outcome, Verdicts, Withholding};

/// Numbers, one after the other; zeros in the end.
struct Told<'a>(std::iter::Flatten<std::slice::Iter<'a, Vec<f64>>>);

pub(crate) fn say(batch: &Batch) -> Result<Vec<Outcome>, DetectError> {
    let values: Vec<Vec<f64>> = batch.columns.iter().map(|column| column.values.clone()).collect();
    let mut told = Told(values.iter().flatten());
    let text = |told: &mut Told<'_>| "x\u{1b}\n".repeat(told.next() as usize % 1000);
    if told.next() % 16 == 15 {
        return Err(DetectError::Other(text(&mut told)));
    }
    // Most answers have the right shape, because otherwise only the first check would be tested.
    let columns = if told.next() % 8 == 7 { told.next() as usize % 4 } else { batch.columns.len() };
    let rows = batch.instants.len();
    let outcome = |told: &mut Told<'_>| match told.next() % 8 {
        7 => Outcome::Failed(text(told)),
        6 => Outcome::NoModel,
        _ => Outcome::Judged(Verdicts {
            expected: told.floats(rows),
            lower: told.floats(rows),
            upper: told.floats(rows),
            score: told.floats(rows),
            flags: told.list(rows, |told| told.next() as u8),
            withheld: if told.next() % 4 == 3 {
                let rows = told.list(rows, |told| told.next() % 8);
                vec![Withholding { reason: text(told), rows }]
            } else {
                Vec::new()
            },
        }),
    };
    Ok((0..columns).map(|_| outcome(&mut told)).collect())
}

impl Told<'_> {
    fn next(&mut self) -> u32 {
        self.0.next().map_or(0, |value| *value as u32)
    }

    fn list<T>(&mut self, rows: usize, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        let length = if self.next() % 16 == 15 { self.next() as usize % 8 } else { rows };
        (0..length).map(|_| item(self)).collect()
    }

    fn floats(&mut self, rows: usize) -> Vec<f64> {
        self.list(rows, |told| match told.next() % 8 {
            7 => f64::from_bits(u64::from(told.next()) << 32 | u64::from(told.next())),
            6 => f64::NAN,
            5 => f64::INFINITY,
            small => f64::from(small),
        })
    }
}
