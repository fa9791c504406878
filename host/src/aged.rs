//! A model that is aged, as the worker's row has it and as people are told of it. Pure data; what
//! makes it so is the rule of [`ageing`](crate::training::ageing).

use serde::{Deserialize, Serialize};

use crate::text::escaped;

/// A model that is aged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aged {
    /// In the readings' units.
    pub error: f64,
    /// What it was when it was trained.
    pub usual: f64,
    /// Digest of its file.
    pub model: String,
}

/// As it is said of a variable.
pub fn sentence(variable: &str, aged: &Aged) -> String {
    format!(
        "the model of `{}` is aged: its error is {:.4} and was {:.4}; train it anew",
        escaped(variable),
        aged.error,
        aged.usual
    )
}
