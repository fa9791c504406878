//! Whether a new model is used.
//!
//! Pure. The rule is one sentence: a new model is used unless its error on the held-out end is more
//! than a tenth above that of the model in use. New is better where both are alike, because what
//! drifts has drifted further from the old one; and the old one may have been trained on the very
//! end that both are measured on.

use super::holdout::HoldoutScore;

/// How much larger the new model's error may be.
pub const TOLERANCE: f64 = 1.1;

/// What was decided of a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It had none.
    New,
    /// The new one is used.
    Replaced,
    /// The old one stays: it tells the end better.
    Better,
    /// There is no new model, for this reason; what there was stays.
    Untrained(String),
}

/// `old`: the model in use, if there is one, with its score where it has one.
pub fn decide(new: Option<HoldoutScore>, old: Option<Option<HoldoutScore>>) -> Decision {
    match (new, old) {
        (_, None) => Decision::New,
        // Nothing speaks for the old one: it could not judge the end, or there is no end to judge.
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
