//! A state in many parts: of each variable what was known when its part was written last, and in
//! one part what was read since, which is read over when it is opened. The expected value of a
//! reading depends on all the readings before, so that the next verdict shows whether a state was
//! lost or written twice. The division into batches has no influence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::anomaly_worker::detector::types::{Batch, OpenError, Outcome, Part, PartChange, Verdicts};

/// The part that changes with each batch.
const SINCE: &str = "since";

/// A variable at which it fails.
const TRAP: &str = "TRAP";

/// A variable's own part is written once in this number of batches, each variable's at another
/// batch.
const EVERY: usize = 3;

#[derive(Default)]
pub(crate) struct Memory {
    known: BTreeMap<String, Known>,
    since: Since,
}

/// The readings of a variable.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Known {
    count: u32,
    mark: u32,
}

/// What is in no other part yet.
#[derive(Default, Serialize, Deserialize)]
struct Since {
    batches: usize,
    /// The bits of each, because a decimal may not come back as it was.
    readings: Vec<(String, u64)>,
}

impl Known {
    fn learn(&mut self, bits: u64) {
        self.count += 1;
        self.mark = bits
            .to_le_bytes()
            .iter()
            .fold(self.mark, |mark, byte| (mark ^ u32::from(*byte)).wrapping_mul(16_777_619));
    }

    fn expected(&self) -> f64 {
        f64::from(self.count) * 1000.0 + f64::from(self.mark % 1000)
    }
}

impl Memory {
    pub(crate) fn read(parts: &[Part]) -> Result<Self, OpenError> {
        let mut memory = Self::default();
        for part in parts {
            let unreadable =
                |error: serde_json::Error| OpenError::CheckpointUnreadable(format!("{}: {error}", part.name));
            if part.name == SINCE {
                memory.since = serde_json::from_slice(&part.bytes).map_err(unreadable)?;
            } else {
                let (name, known) = serde_json::from_slice(&part.bytes).map_err(unreadable)?;
                memory.known.insert(name, known);
            }
        }
        for (name, bits) in &memory.since.readings {
            memory.known.entry(name.clone()).or_default().learn(*bits);
        }
        Ok(memory)
    }

    pub(crate) fn judge(&mut self, batch: &Batch) -> Vec<Outcome> {
        self.since.batches += 1;
        batch.columns.iter().map(|column| self.judge_column(&column.variable, &column.values)).collect()
    }

    fn judge_column(&mut self, name: &str, values: &[f64]) -> Outcome {
        assert!(name != TRAP, "it does not survive `{TRAP}`");
        let known = self.known.entry(name.to_owned()).or_default();
        let mut expected = Vec::with_capacity(values.len());
        for value in values {
            expected.push(known.expected());
            if !value.is_nan() {
                known.learn(value.to_bits());
                self.since.readings.push((name.to_owned(), value.to_bits()));
            }
        }
        Outcome::Judged(Verdicts {
            lower: expected.clone(),
            upper: expected.clone(),
            expected,
            score: vec![0.0; values.len()],
            flags: vec![0; values.len()],
            withheld: vec![],
        })
    }

    pub(crate) fn changes(&mut self) -> Vec<PartChange> {
        let mut changes = Vec::new();
        for (at, (name, known)) in self.known.iter().enumerate() {
            let unwritten = self.since.readings.iter().any(|(of, _)| of == name);
            if unwritten && (at + self.since.batches) % EVERY == 0 {
                self.since.readings.retain(|(of, _)| of != name);
                let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
                changes.push(PartChange {
                    name: format!("variable/{hex}"),
                    bytes: serde_json::to_vec(&(name, known)).ok(),
                });
            }
        }
        if self.since.readings.is_empty() {
            self.since.batches = 0;
        }
        let bytes = (self.since.batches > 0).then(|| serde_json::to_vec(&self.since).ok()).flatten();
        changes.push(PartChange { name: SINCE.into(), bytes });
        changes
    }
}
