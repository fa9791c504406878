//! One way to cut readings into blocks, with what it has seen.

use serde::{Deserialize, Serialize};

use crate::blocks::Blocks;
use crate::boxes::Boxes;
use crate::nearest::{LENGTHS, Nearest};
use crate::record::Record;

/// What a record counts beside what no box covers.
const RECORDS_WEIGHT: f64 = 0.2;

/// A record loses half of its lead in so many spans.
const RECORD_HALF_LIFE: f64 = 13.0;

/// A phase: its blocks begin at a reading of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    /// Readings that it lets pass before its first block.
    offset: u32,
    blocks: Blocks,
    boxes: Boxes,
    nearest: Nearest,
    records: [Record; LENGTHS.len()],
    /// Of the last block.
    pub(crate) novelty: f64,
}

impl Phase {
    /// Blocks of `size` readings after the first `offset`; so many to the span and to the warm-up.
    pub(crate) fn new(offset: u32, size: u32, span: u32, warm: u32) -> Self {
        let judged_from = (span / 3).max(8);
        let record = Record::new(judged_from, RECORD_HALF_LIFE * f64::from(span));
        Self {
            offset,
            blocks: Blocks::new(size),
            boxes: Boxes::new(warm.max(8)),
            nearest: Nearest::new(judged_from / 2),
            records: [record.clone(), record.clone(), record],
            novelty: 0.0,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.blocks.is_sound() && self.boxes.is_sound() && self.nearest.is_sound()
    }

    pub(crate) fn push(&mut self, x: f64) {
        if self.offset > 0 {
            self.offset -= 1;
            return;
        }
        let Some(block) = self.blocks.push(x) else { return };
        let uncovered = self.boxes.push(block);
        let distances = self.nearest.push(block);
        let records: f64 =
            self.records.iter_mut().zip(distances).map(|(record, distance)| record.push(distance)).sum();
        self.novelty = uncovered + RECORDS_WEIGHT * records / LENGTHS.len() as f64;
    }
}
