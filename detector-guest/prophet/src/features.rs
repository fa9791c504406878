//! What the models of a batch have in common: the timestamps, and the sines and cosines of every season.
//!
//! A sine costs as much as thirty multiplications, and 25 models of a plant share the same two or three seasons. So the
//! columns of a season are computed when the first model asks and kept until the next `reset`; a model of lower order takes
//! the first columns of one of higher order. Columns lie tile by tile: all columns of sixteen rows, then of the next
//! sixteen, so that a weighted sum reads memory once, in order.

use crate::lanes::{LANES, Lanes, fill};
use crate::sincos::sincos;
use crate::time::day_phase;

/// Seasons that are kept at most. Models with more kinds than this recompute them; memory stays bounded.
const MOST_PERIODS: usize = 64;

/// Feature columns for a slice of timestamps, shared by all models that predict it.
///
/// Work through a long history in slices of a few hundred rows: the columns then stay in the processor's cache.
#[derive(Debug, Default)]
pub struct Features {
    /// Microseconds since 1970, as they were given.
    instants: Vec<i64>,
    /// Microseconds since 1970.
    micros: Vec<Lanes>,
    /// `2π · days` since 1970.
    phases: Vec<Lanes>,
    waves: Vec<Waves>,
    sin: Vec<f64>,
    cos: Vec<f64>,
}

/// `sin cₙ`, `cos cₙ` of one period.
#[derive(Debug)]
struct Waves {
    period: f64,
    /// Harmonics that a model has asked for, now or earlier.
    order: usize,
    /// `2 · order` columns a tile; empty until a model asks.
    columns: Vec<Lanes>,
}

impl Features {
    /// Features of these timestamps: microseconds since 1970-01-01T00:00 without a time zone, in any order.
    #[must_use]
    pub fn new(instants: &[i64]) -> Self {
        let mut features = Self::default();
        features.reset(instants);
        features
    }

    /// Takes other timestamps and keeps the memory.
    pub fn reset(&mut self, instants: &[i64]) {
        self.instants.clear();
        self.instants.extend_from_slice(instants);
        fill(&mut self.micros, instants.iter().map(|micros| *micros as f64));
        fill(&mut self.phases, instants.iter().map(|micros| day_phase(*micros)));
        for waves in &mut self.waves {
            waves.columns.clear();
        }
    }

    /// The number of timestamps.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.instants.len()
    }

    pub(crate) fn instants(&self) -> &[i64] {
        &self.instants
    }

    pub(crate) fn micros(&self) -> &[Lanes] {
        &self.micros
    }

    /// The columns of a season and how many there are in a tile: at least `2 · order`.
    pub(crate) fn waves(&mut self, period: f64, order: usize) -> (&[Lanes], usize) {
        let at = match self.waves.iter().position(|waves| waves.period.to_bits() == period.to_bits()) {
            Some(at) => at,
            None => {
                if self.waves.len() >= MOST_PERIODS {
                    self.waves.clear();
                }
                self.waves.push(Waves { period, order, columns: Vec::new() });
                self.waves.len() - 1
            }
        };
        let waves = &mut self.waves[at];
        if waves.columns.is_empty() || waves.order < order {
            waves.order = waves.order.max(order);
            waves.compute(self.phases.as_flattened(), &mut self.sin, &mut self.cos);
        }
        (&waves.columns, 2 * waves.order)
    }
}

impl Waves {
    fn compute(&mut self, phases: &[f64], sin: &mut Vec<f64>, cos: &mut Vec<f64>) {
        let stride = 2 * self.order;
        sin.resize(phases.len(), 0.0);
        cos.resize(phases.len(), 0.0);
        self.columns.clear();
        self.columns.resize(phases.len() / LANES * stride, [0.0; LANES]);
        for n in 0..self.order {
            sincos((n + 1) as f64 / self.period, phases, sin, cos);
            let tiles = self.columns.chunks_exact_mut(stride);
            for ((tile, sin), cos) in tiles.zip(sin.chunks_exact(LANES)).zip(cos.chunks_exact(LANES)) {
                tile[2 * n].copy_from_slice(sin);
                tile[2 * n + 1].copy_from_slice(cos);
            }
        }
    }
}
