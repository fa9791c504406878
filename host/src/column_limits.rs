//! The limits of the output table's columns: the same in every store, so that no verdict makes a
//! whole transaction fail.
//!
//! Pure. Numbers are rounded as the columns round them; what does not fit is found before it is
//! written.

/// Characters of a variable's name: `variable` is a VARCHAR(100).
pub const LONGEST_NAME: usize = 100;

/// The number as DECIMAL(18,6) stores it; None if it does not fit: there are at most twelve digits
/// before the point.
pub fn decimal_18_6(value: f64) -> Option<f64> {
    let rounded = round(value, 1e6);
    (rounded.abs() < 1e12).then_some(rounded)
}

/// Rounds to the steps of `1 / scale`, halves away from zero as SQL's CAST does; a zero has no
/// sign.
pub(crate) fn round(value: f64, scale: f64) -> f64 {
    /// From here on a float has no half steps, and scaling would only lose precision.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    let scaled = value * scale;
    if scaled.abs() < WHOLE { scaled.round() / scale + 0.0 } else { value }
}
