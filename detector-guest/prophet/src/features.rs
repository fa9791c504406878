//! What the models of a batch have in common: the timestamps, and the sines and cosines of every
//! season.
//!
//! A sine costs as much as thirty multiplications, and 25 models of a plant share the same two or
//! three seasons. So the columns of a season are computed when the first model asks and kept until
//! the next `reset`; a model of lower order takes the first columns of one of higher order. Columns
//! lie tile by tile: all columns of sixteen rows, then of the next sixteen, so that a weighted sum
//! reads memory once, in order.

use crate::lanes::{LANES, Lanes, fill};
use crate::sincos::sincos;
use crate::time::{EXACT, Times, TrainingTime, day_phase, day_phases};

/// Seasons that are kept at most. Models with more kinds than this recompute them; memory stays
/// bounded.
const MOST_PERIODS: usize = 64;

/// Clocks that are kept. Models of a plant are mostly trained over the same days; of more trainings
/// than these each computes its own.
const MOST_CLOCKS: usize = 4;

/// Feature columns for a slice of timestamps, shared by all models that predict it.
///
/// Work through a long history in slices of a few hundred rows: the columns then stay in the
/// processor's cache.
#[derive(Debug, Default)]
pub struct Features {
    /// Microseconds since 1970, as they were given.
    instants: Vec<i64>,
    /// Microseconds since 1970.
    micros: Vec<Lanes>,
    /// `2π · days` since 1970.
    phases: Vec<Lanes>,
    /// The largest of the phases, without their signs.
    furthest: f64,
    waves: Vec<Waves>,
    clocks: Vec<TrainingClock>,
    next_clock: usize,
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

/// Scaled time as one training has it.
#[derive(Debug)]
struct TrainingClock {
    training: TrainingTime,
    /// Empty until a model asks.
    times: Vec<Times>,
}

impl Features {
    /// Features of these timestamps: microseconds since 1970-01-01T00:00 without a time zone, in
    /// any order.
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
        if instants.iter().all(|micros| micros.unsigned_abs() < EXACT) {
            self.phases.clear();
            self.phases.extend(self.micros.iter().map(day_phases));
        } else {
            fill(&mut self.phases, instants.iter().map(|micros| day_phase(*micros)));
        }
        // Not by `f64::max`, which is a call of a function in WebAssembly.
        let furthest = |most: f64, phase: &f64| if phase.abs() > most { phase.abs() } else { most };
        self.furthest = self.phases.as_flattened().iter().fold(0.0, furthest);
        for waves in &mut self.waves {
            waves.columns.clear();
        }
        for clock in &mut self.clocks {
            clock.times.clear();
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

    /// Tiles that the rows fill.
    pub(crate) fn tiles(&self) -> usize {
        self.micros.len()
    }

    /// Scaled times, tile by tile.
    pub(crate) fn times(&mut self, training: &TrainingTime) -> &[Times] {
        let at = match self.clocks.iter().position(|clock| clock.training == *training) {
            Some(at) => at,
            None => {
                if self.clocks.len() < MOST_CLOCKS {
                    self.clocks.push(TrainingClock { training: training.clone(), times: Vec::new() });
                    self.clocks.len() - 1
                } else {
                    self.next_clock = (self.next_clock + 1) % MOST_CLOCKS;
                    let clock = &mut self.clocks[self.next_clock];
                    clock.training = training.clone();
                    clock.times.clear();
                    self.next_clock
                }
            }
        };
        let clock = &mut self.clocks[at];
        if clock.times.is_empty() {
            clock.times.extend(self.micros.iter().map(|micros| training.tile(micros)));
        }
        &clock.times
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
            waves.compute(&self.phases, self.furthest);
        }
        (&waves.columns, 2 * waves.order)
    }
}

impl Waves {
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    fn compute(&mut self, phases: &[Lanes], furthest: f64) {
        let stride = 2 * self.order;
        self.columns.resize(phases.len() * stride, [0.0; LANES]);
        for (tile, phase) in self.columns.chunks_exact_mut(stride).zip(phases) {
            for (n, waves) in tile.as_chunks_mut().0.iter_mut().enumerate() {
                sincos((n + 1) as f64 / self.period, phase, furthest, waves);
            }
        }
    }
}
