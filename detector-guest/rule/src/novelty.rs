//! How much of what a variable does now it has not done before.

use serde::{Deserialize, Serialize};

use crate::phase::Phase;

/// Warm-ups of a span, the unit of time.
pub(crate) const SPANS: u32 = 2;

/// Blocks of a span.
const BLOCKS: u32 = 104;

/// The most phases, which begin at even distances. Each makes the state larger by 2 KB, and what is
/// said depends less on where the blocks happen to begin.
const MOST_PHASES: u32 = 3;

/// What one variable has done, in bounded memory.
///
/// Twice the warm-up is its only unit of time. Readings are one per step: a gap is left out, and so
/// is a reading that is not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Novelty {
    /// Readings of the warm-up.
    warm_up: u32,
    /// The first reading: what is kept is relative to it, so that single precision suffices at any
    /// offset.
    origin: Option<f64>,
    phases: Vec<Phase>,
}

impl Novelty {
    /// Knows nothing yet. `warm_up` is how many readings it sees before its answers mean something;
    /// at least 8.
    pub fn new(warm_up: u32) -> Self {
        let warm_up = warm_up.max(8);
        let span = warm_up.saturating_mul(SPANS);
        let size = (span / BLOCKS).max(1);
        let phases = size.min(MOST_PHASES);
        let phase = |at| Phase::new(at * size / phases, size, span / size, warm_up / size);
        Self { warm_up, origin: None, phases: (0..phases).map(phase).collect() }
    }

    /// Readings of the warm-up.
    pub fn warm_up(&self) -> u32 {
        self.warm_up
    }

    pub(crate) fn is_sound(&self) -> bool {
        !self.phases.is_empty()
            && self.phases.len() <= MOST_PHASES as usize
            && self.phases.iter().all(Phase::is_sound)
    }

    /// Takes in a reading: how new it is. 0 for what is known, about 1 for what is nothing like the
    /// past; a reading that is not finite is passed over and has the answer of the one before.
    pub fn push(&mut self, y: f64) -> f64 {
        if y.is_finite() {
            let x = y - *self.origin.get_or_insert(y);
            self.phases.iter_mut().for_each(|phase| phase.push(x));
        }
        self.phases.iter().map(|phase| phase.novelty).sum::<f64>() / self.phases.len() as f64
    }
}
