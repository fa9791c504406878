//! Windows of eight blocks, remembered as a few boxes: what no box covers is new.
//!
//! A window is 32 numbers from 0 to 1: its shape (Haar coefficients of the window stretched to its
//! own range), its level within the range that was seen, and the complements of both. A box is the
//! lower envelope of the windows that it stands for (fuzzy ART). The range follows new extremes,
//! and everything that is remembered moves with it. Lives as long as its phase; cannot fail.

use serde::{Deserialize, Serialize};

/// Head-room on each side of the range, in ranges.
const HEAD_ROOM: f64 = 0.4;

/// The share of an excess by which the range follows a new extreme.
const GROWTH: f64 = 0.5;

/// A window that its best box covers by this much widens the box; any other gets a box of its own.
const VIGILANCE: f64 = 0.75;

/// Boxes (a limit of 16 scores the same on the benchmark, 4 a little less). When a new one is
/// needed, the one that was best the longest ago gives way.
const MOST: usize = 8;

/// Blocks of a window.
const WINDOW: usize = 8;

/// Numbers of a window: shape, level, and their complements.
const NUMBERS: usize = 4 * WINDOW;

/// Where the newest block's level stands, and its complement.
const NEWEST: [usize; 2] = [2 * WINDOW - 1, NUMBERS - 1];

/// From 0 to 255, for 0 to 1: a box is small, and what is stored is what is reckoned with.
type Numbers = [u8; NUMBERS];

/// What was seen, and the window of the last blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Boxes {
    /// Blocks from which the range is taken; until then they are kept in `first`.
    warm: u32,
    first: Vec<f32>,
    scale: Option<Scale>,
    windows: u32,
    window: [u8; WINDOW],
    boxes: Vec<PatternBox>,
}

/// From blocks to 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Scale {
    low: f64,
    high: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PatternBox {
    numbers: Numbers,
    /// The window for which it was the best.
    best_at: u32,
}

impl Boxes {
    pub(crate) fn new(warm: u32) -> Self {
        let (first, boxes) = (Vec::with_capacity(warm as usize), Vec::new());
        Self { warm, first, scale: None, windows: 0, window: [0; WINDOW], boxes }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.boxes.len() <= MOST && self.first.len() <= self.warm as usize
    }

    /// Takes in a block: which share of the window that it completes no box covers. 0 while the
    /// range is not known yet.
    pub(crate) fn push(&mut self, block: f64) -> f64 {
        let Some(scale) = self.scale else {
            self.warm_up(block);
            return 0.0;
        };
        if block < scale.low || block > scale.high {
            let wider = Scale {
                low: scale.low + GROWTH * (block - scale.low).min(0.0),
                high: scale.high + GROWTH * (block - scale.high).max(0.0),
            };
            self.rescale(scale, wider);
            self.scale = Some(wider);
        }
        1.0 - self.learn(self.scale.unwrap_or(scale), block)
    }

    fn warm_up(&mut self, block: f64) {
        self.first.push(block as f32);
        if self.first.len() < self.warm as usize {
            return;
        }
        let first = std::mem::take(&mut self.first);
        let blocks = || first.iter().map(|block| f64::from(*block));
        let scale = Scale {
            low: blocks().fold(f64::INFINITY, f64::min),
            high: blocks().fold(f64::NEG_INFINITY, f64::max),
        };
        self.scale = Some(scale);
        for block in blocks() {
            self.learn(scale, block);
        }
    }

    /// Moves everything that is remembered from one range to another.
    fn rescale(&mut self, from: Scale, to: Scale) {
        let ((old_origin, old_size), (origin, size)) = (from.origin_and_size(), to.origin_and_size());
        let (a, b) = (old_size / size, (old_origin - origin) / size);
        let moved = |level: u8| byte(part(level) * a + b);
        for seen in &mut self.boxes {
            for at in WINDOW..2 * WINDOW {
                seen.numbers[at] = moved(seen.numbers[at]);
                let complement = &mut seen.numbers[at + 2 * WINDOW];
                *complement = u8::MAX - moved(u8::MAX - *complement);
            }
        }
        self.window = self.window.map(moved);
    }

    /// Adds a block to the window and the window to the boxes; how much of the window was covered
    /// before, 0 to 1.
    fn learn(&mut self, scale: Scale, block: f64) -> f64 {
        self.windows = self.windows.saturating_add(1);
        self.window.rotate_left(1);
        self.window[WINDOW - 1] = scale.level(block);
        if (self.windows as usize) < WINDOW {
            return 0.0;
        }
        let numbers = numbers(&self.window);
        let covers = self.boxes.iter().map(|seen| cover(&seen.numbers, &numbers)).enumerate();
        // Of equal ones the first.
        let best = covers
            .filter(|(_, cover)| *cover > 0.0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        let cover = best.map_or(0.0, |(_, cover)| cover);
        if let Some((at, _)) = best {
            self.boxes[at].best_at = self.windows;
        }
        match best {
            Some((at, cover)) if cover >= VIGILANCE => {
                let seen = &mut self.boxes[at].numbers;
                seen.iter_mut().zip(&numbers).for_each(|(seen, new)| *seen = (*seen).min(*new));
            }
            _ => self.remember(PatternBox { numbers, best_at: self.windows }),
        }
        cover
    }

    fn remember(&mut self, new: PatternBox) {
        if self.boxes.len() < MOST {
            self.boxes.push(new);
        } else if let Some(oldest) = self.boxes.iter_mut().min_by_key(|seen| seen.best_at) {
            *oldest = new;
        }
    }
}

impl Scale {
    /// Where 0 lies, and how long 1 is.
    fn origin_and_size(self) -> (f64, f64) {
        let width = self.high - self.low;
        let size = width * (1.0 + 2.0 * HEAD_ROOM);
        if size > 0.0 { (self.low - HEAD_ROOM * width, size) } else { (self.low - 0.5, 1.0) }
    }

    fn level(self, block: f64) -> u8 {
        let (origin, size) = self.origin_and_size();
        byte((block - origin) / size)
    }
}

/// How much of what the box remembers is present in the window, counted once for all numbers and
/// once for the newest level.
fn cover(seen: &Numbers, window: &Numbers) -> f64 {
    let (mut present, mut remembered) = (0_u32, 0_u32);
    for (seen, new) in seen.iter().zip(window) {
        present += u32::from(*seen.min(new));
        remembered += u32::from(*seen);
    }
    let sum = |of: &dyn Fn(usize) -> u8| NEWEST.map(|at| u32::from(of(at))).iter().sum::<u32>();
    let newest_seen = sum(&|at| seen[at]);
    if remembered == 0 || newest_seen == 0 {
        return 0.0;
    }
    let newest = sum(&|at| seen[at].min(window[at]));
    f64::from(present) / f64::from(remembered) * f64::from(newest) / f64::from(newest_seen)
}

/// A byte for 0 to 1, and what it stands for.
fn byte(part: f64) -> u8 {
    (part.clamp(0.0, 1.0) * f64::from(u8::MAX)).round() as u8
}

fn part(byte: u8) -> f64 {
    f64::from(byte) / f64::from(u8::MAX)
}

/// Shape and level of a window, with their complements.
fn numbers(window: &[u8; WINDOW]) -> Numbers {
    let shape = stretched(haar(stretched(window.map(part))));
    let mut numbers = [0; NUMBERS];
    for at in 0..WINDOW {
        let (shape, level) = (byte(shape[at]), window[at]);
        numbers[at] = shape;
        numbers[WINDOW + at] = level;
        numbers[2 * WINDOW + at] = u8::MAX - shape;
        numbers[3 * WINDOW + at] = u8::MAX - level;
    }
    numbers
}

/// Moved and scaled to 0 to 1; all 0 if they are equal.
fn stretched(values: [f64; WINDOW]) -> [f64; WINDOW] {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let moved = values.map(|value| value - least);
    let greatest = moved.iter().copied().fold(0.0, f64::max);
    if greatest == 0.0 { moved } else { moved.map(|value| value / greatest) }
}

/// The orthonormal Haar transform: the mean, then details from coarse to fine.
fn haar(values: [f64; WINDOW]) -> [f64; WINDOW] {
    let (mut rest, mut transformed) = (values, [0.0; WINDOW]);
    let mut length = WINDOW;
    while length > 1 {
        let half = length / 2;
        for at in 0..half {
            let (left, right) = (rest[2 * at], rest[2 * at + 1]);
            transformed[half + at] = (right - left) * std::f64::consts::FRAC_1_SQRT_2;
            rest[at] = (left + right) * std::f64::consts::FRAC_1_SQRT_2;
        }
        length = half;
    }
    transformed[0] = rest[0];
    transformed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_haar_transform_is_orthonormal() {
        let root = 2.0_f64.sqrt();
        for (values, expected) in [
            ([1.0; 8], [2.0 * root, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [root, root, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (
                [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
                [root, 0.0, 0.0, 0.0, 1.0 / root, 1.0 / root, 1.0 / root, 1.0 / root],
            ),
        ] {
            let found = haar(values);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        }
    }

    #[test]
    fn what_was_seen_is_covered_and_what_was_not_is_new() {
        let mut boxes = Boxes::new(40);
        let wave = |n: u32| f64::from(n % 4);
        let warm: Vec<f64> = (0..200).map(|n| boxes.push(wave(n))).collect();
        assert!(warm.iter().all(|new| *new < 1e-6), "{warm:?}");
        // The same shape at a level that was not seen before.
        let shifted = boxes.push(wave(200) + 10.0);
        assert!(shifted > 0.25, "{shifted}");
    }
}
