//! Rows in tiles of a fixed width, so that inner loops have no bounds to check and fill the
//! processor's vectors.
//!
//! The last tile of a batch is filled up by repeating its last row; who hands columns out cuts them
//! to length again.
//!
//! In a component each turn of a loop asks whether its time is up, and what is in vector registers
//! then goes to memory and back. So loops go from tile to tile, and what is done to a tile is
//! written out without one.

/// Rows in a tile. Enough independent sums to hide the latency of an addition, few enough to stay
/// in registers.
pub(crate) const LANES: usize = 16;

/// The same quantity at `LANES` rows.
pub(crate) type Lanes = [f64; LANES];

/// Tiles of `len` rows, whose first values come from `values` and the rest from the last of them.
pub(crate) fn fill(tiles: &mut Vec<Lanes>, values: impl ExactSizeIterator<Item = f64>) {
    tiles.clear();
    tiles.reserve(values.len().div_ceil(LANES));
    let mut tile = [0.0; LANES];
    let mut filled = 0;
    for value in values {
        // The lanes from here on: overwritten by the rows that follow, if any do.
        tile[filled..].fill(value);
        filled += 1;
        if filled == LANES {
            tiles.push(tile);
            filled = 0;
        }
    }
    if filled > 0 {
        tiles.push(tile);
    }
}
