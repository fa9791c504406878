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
        let [level, step, shape] = LENGTHS.map(|length| length as f64);
        let found = [
            (nearest::<{ LENGTHS[0] }>(&blocks), level),
            (nearest::<{ LENGTHS[1] }>(&blocks), step),
            (nearest::<{ LENGTHS[2] }>(&blocks), shape),
        ];
        found.map(|(square, length)| square.map_or(0.0, |square| (square / length).sqrt() / scale))
    }

    /// The blocks, oldest first.
    fn unrolled(&self) -> Vec<f64> {
        let (newer, older) = self.ring.split_at(self.next);
        older.iter().chain(newer).map(|block| f64::from(block.value())).collect()
    }
}

/// Windows whose sums are taken side by side, which the compiler makes vectors of.
const LANES: usize = 8;

/// The least sum of squares between the last `LENGTH` blocks and as many earlier ones that do not
/// overlap them; None if there are none.
fn nearest<const LENGTH: usize>(blocks: &[f64]) -> Option<f64> {
    let first = blocks.len().saturating_sub(MEMORY + 2 * LENGTH - 1);
    let (earlier, last) = blocks[first..].split_last_chunk::<LENGTH>()?;
    let windows = (earlier.len() + 1).checked_sub(LENGTH).filter(|windows| *windows > 0)?;
    let mut least = [f64::INFINITY; LANES];
    let whole = windows / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let mut sums = [0.0; LANES];
        for (back, block) in last.iter().enumerate() {
            let from = &earlier[at + back..][..LANES];
            for (sum, earlier) in sums.iter_mut().zip(from) {
                let difference = earlier - block;
                *sum += difference * difference;
            }
        }
        for (least, sum) in least.iter_mut().zip(sums) {
            *least = if sum < *least { sum } else { *least };
        }
    }
    for at in whole..windows {
        let differences = earlier[at..].iter().zip(last).map(|(earlier, block)| earlier - block);
        let sum = differences.map(|difference| difference * difference).sum::<f64>();
        least[0] = least[0].min(sum);
    }
    Some(least.into_iter().fold(f64::INFINITY, f64::min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_earlier_window_counts() {
        type Search = fn(&[f64]) -> Option<f64>;
        let (one, three): (Search, Search) = (nearest::<1>, nearest::<3>);
        let many: Vec<f64> = (0..20).map(f64::from).chain([13.25]).collect();
        for (blocks, search, square) in [
            (&[1.0][..], one, None),
            (&[1.0, 4.0], one, Some(9.0)),
            (&[1.0, 4.0, 2.0], one, Some(1.0)),
            (&many, one, Some(0.0625)),
            (&many[..20], one, Some(1.0)),
            (&many, three, Some(32.0625)),
            (&[0.0, 0.0, 0.0, 0.0, 0.0], three, None),
            (&[1.0, 2.0, 3.0, 1.0, 2.0, 4.0], three, Some(1.0)),
        ] {
            assert_eq!(search(blocks), square, "{blocks:?}");
        }
    }

    #[test]
    fn the_memory_is_bounded_and_in_order() {
        let mut nearest = Nearest::new(0);
        for block in 0..2000 {
            nearest.push(f64::from(block));
        }
        let expected: Vec<f64> = (2000 - RING..2000).map(|block| block as f64).collect();
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
