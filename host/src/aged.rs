//! A model that is aged, as stored in the worker's row and as reported. Pure data; the rule that
//! decides it is in [`ageing`](crate::training::ageing).

use serde::{Deserialize, Serialize};

use crate::text::escaped;

/// A model that is aged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aged {
    /// In the readings' units.
    pub error: f64,
    /// Its error when it was trained.
    pub usual: f64,
    /// Digest of its file.
    pub model: String,
}

/// The sentence for a variable.
pub fn sentence(variable: &str, aged: &Aged) -> String {
    format!(
        "the model of `{}` is aged: its error is {:.4} and was {:.4}; train it anew",
        escaped(variable),
        aged.error,
        aged.usual
    )
}
