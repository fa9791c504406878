//! The distance of the last blocks to the most similar earlier ones: large for what was never like
//! this in the last 512 blocks.
//!
//! In running standard deviations of the blocks, so that units do not matter. Lives as long as its
//! phase; cannot fail.

use serde::{Deserialize, Serialize};

/// Windows that are compared, in blocks: a level, a step, a shape.
pub(crate) const LENGTHS: [usize; 3] = [1, 3, 8];

/// Earlier windows that are remembered.
const MEMORY: usize = 512;

/// The longest window's own blocks and one of the remembered windows before it.
const RING: usize = MEMORY + 2 * LENGTHS[2] - 1;

/// The slowest that mean and variance follow.
const SLOWEST: f64 = 0.001;

/// A number of 24 bits, 16 of them its digits: there are many, and they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Short([u8; 3]);

impl Short {
    fn of(x: f64) -> Self {
        // To the nearest: half of what is cut is added first.
        let [_, low, middle, high] = (x as f32).to_bits().saturating_add(0x80).to_le_bytes();
        Self([low, middle, high])
    }

    fn value(self) -> f32 {
        let [low, middle, high] = self.0;
        f32::from_le_bytes([0, low, middle, high])
    }
}

/// The last blocks, with their running mean and variance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Nearest {
    /// Blocks before the first distance.
    warm: u32,
    count: u32,
    mean: f64,
    variance: f64,
    /// A ring once it is full: `next` is the oldest.
    ring: Vec<Short>,
    next: usize,
}

impl Nearest {
    pub(crate) fn new(warm: u32) -> Self {
        Self { warm, count: 0, mean: 0.0, variance: 0.0, ring: Vec::new(), next: 0 }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.ring.len() < RING && self.next == 0 || self.ring.len() == RING && self.next < RING
    }

    /// Takes in a block; the distance for each of [`LENGTHS`], 0 while too little is known.
    pub(crate) fn push(&mut self, block: f64) -> [f64; 3] {
        if self.count == 0 {
            self.mean = block;
        }
        let weight = SLOWEST.max(1.0 / (f64::from(self.count) + 1.0));
        let off = block - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
        if self.ring.len() < RING {
            self.ring.push(Short::of(block));
        } else {
            self.ring[self.next] = Short::of(block);
            self.next = (self.next + 1) % RING;
        }
        let warm = self.count >= self.warm;
        self.count = self.count.saturating_add(1);
        if !warm {
            return [0.0; 3];
        }
        let blocks = self.unrolled();
        let scale = self.variance.sqrt() + 1e-12;
        LENGTHS.map(|length| {
            nearest(&blocks, length).map_or(0.0, |square| (square / length as f64).sqrt() / scale)
        })
    }

    /// The blocks, oldest first.
    fn unrolled(&self) -> Vec<f32> {
        let (newer, older) = self.ring.split_at(self.next);
        older.iter().chain(newer).map(|block| block.value()).collect()
    }
}

/// The least sum of squares between the last `length` blocks and as many earlier ones that do not
/// overlap them; None if there are none.
fn nearest(blocks: &[f32], length: usize) -> Option<f64> {
    let first = blocks.len().saturating_sub(MEMORY + 2 * length - 1);
    let (earlier, last) = blocks[first..].split_at(blocks.len() - first - length.min(blocks.len() - first));
    let squares = earlier.windows(length).map(|window| {
        let differences = window.iter().zip(last).map(|(a, b)| f64::from(*a) - f64::from(*b));
        differences.map(|difference| difference * difference).sum::<f64>()
    });
    squares.reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_earlier_window_counts() {
        for (blocks, length, square) in [
            (&[1.0_f32][..], 1, None),
            (&[1.0, 4.0], 1, Some(9.0)),
            (&[1.0, 4.0, 2.0], 1, Some(1.0)),
            (&[0.0, 0.0, 0.0, 0.0, 0.0], 3, None),
            (&[1.0, 2.0, 3.0, 1.0, 2.0, 4.0], 3, Some(1.0)),
        ] {
            assert_eq!(nearest(blocks, length), square, "{blocks:?}");
        }
    }

    #[test]
    fn the_memory_is_bounded_and_in_order() {
        let mut nearest = Nearest::new(0);
        for block in 0..2000 {
            nearest.push(f64::from(block));
        }
        let expected: Vec<f32> = (2000 - RING..2000).map(|block| block as f32).collect();
        assert_eq!(nearest.unrolled(), expected);
    }

    #[test]
    fn a_short_number_keeps_sixteen_digits() {
        for x in [0.0, 1.0, -2.5, 1e-30, 1e18, -1e18, 20.017, 65_537.0, f64::from(f32::MIN_POSITIVE)] {
            let short = f64::from(Short::of(x).value());
            assert!((short - x).abs() <= x.abs() / 65_536.0, "{x}: {short}");
            assert_eq!(Short::of(short).value(), short as f32, "{x}");
        }
    }
}
