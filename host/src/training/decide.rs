//! Whether a new model is used.
//!
//! Pure. The rule: a new model is used unless its error on the held-out end is more than a tenth
//! above that of the model in use. Between similar models the new one is better, because a drift
//! has moved further away from the old one. The old one may also have been trained on the end that
//! both are measured on.

use super::holdout::HoldoutScore;

/// The largest ratio of the new model's error to the old one's.
pub const TOLERANCE: f64 = 1.1;

/// The decision on a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It had no model.
    New,
    /// The new one is used.
    Replaced,
    /// The old one stays, as it is better on the end.
    Better,
    /// There is no new model, for this reason. An old one stays.
    Untrained(String),
}

/// `old`: the score of the model in use, if there is such a model and it has one.
pub fn decide(new: Option<HoldoutScore>, old: Option<Option<HoldoutScore>>) -> Decision {
    match (new, old) {
        (_, None) => Decision::New,
        // The old one could not judge the end, or there is no end to judge.
        (_, Some(None)) => Decision::Replaced,
        (Some(new), Some(Some(old))) if new.error <= TOLERANCE * old.error => Decision::Replaced,
        (_, Some(Some(_))) => Decision::Better,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_model_is_used_unless_it_is_clearly_worse() {
        let score = |error| Some(HoldoutScore { error, within: 1.0, readings: 1 });
        for (new, old, expected) in [
            (score(1.0), None, Decision::New),
            (None, None, Decision::New),
            (score(1.0), Some(None), Decision::Replaced),
            (None, Some(None), Decision::Replaced),
            (None, Some(score(1.0)), Decision::Better),
            (score(1.0), Some(score(1.0)), Decision::Replaced),
            (score(1.1), Some(score(1.0)), Decision::Replaced),
            (score(1.2), Some(score(1.0)), Decision::Better),
            (score(0.0), Some(score(0.0)), Decision::Replaced),
        ] {
            assert_eq!(decide(new, old), expected, "{new:?} {old:?}");
        }
    }
}
