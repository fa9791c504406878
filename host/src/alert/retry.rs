//! When a failed delivery is retried, and when it is given up.
//!
//! Pure: time and randomness are parameters. A receiver that cannot be reached is retried for as
//! long as messages are kept, because it may be back tomorrow. One that refuses the message is
//! retried a few times over an hour, in which a person can correct an address or a key. Then the
//! message is a dead letter.

use std::time::Duration;

/// The pause before the second attempt. Each further pause is twice the one before.
const FIRST: Duration = Duration::from_secs(15);

/// The longest pause, unless the receiver asks for a longer one.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(6 * 3600);

/// The attempts to send a message that its receiver refuses. Their pauses add up to an hour.
pub const REFUSED_TRIES: u32 = 9;

/// How long a message is kept for a receiver that cannot be reached.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A failed delivery. The message may still have arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct SendError {
    /// What the receiver said, without secrets, for the log and for `status`.
    pub what: String,
    /// The receiver answered and refused the message. A retry alone does not help.
    pub refused: bool,
    /// How long the receiver asks to wait.
    pub retry_after: Option<Duration>,
}

impl SendError {
    /// A failure that may pass.
    pub fn passing(what: impl Into<String>) -> Self {
        Self { what: what.into(), refused: false, retry_after: None }
    }

    /// A failure that lasts until a setting or the receiver is changed.
    pub fn refused(what: impl Into<String>) -> Self {
        Self { what: what.into(), refused: true, retry_after: None }
    }
}

/// What is done after a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    Retry(Duration),
    DeadLetter,
}

/// Decides after `tries` attempts at a message of this age. `chance` is from 0 to 1 and spreads the
/// retries of many workers.
pub fn next(failure: &SendError, tries: u32, age: Duration, chance: f64) -> RetryDecision {
    if (failure.refused && tries >= REFUSED_TRIES) || age > KEPT {
        return RetryDecision::DeadLetter;
    }
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST);
    let pause = doubled.mul_f64(1.0 - 0.25 * chance.clamp(0.0, 1.0));
    let asked = failure.retry_after.unwrap_or_default().min(LONGEST_ASKED);
    RetryDecision::Retry(pause.max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(seconds: u64) -> SendError {
        SendError { retry_after: Some(Duration::from_secs(seconds)), ..SendError::passing("busy") }
    }

    #[test]
    fn a_message_is_tried_again_or_given_up() {
        let (passing, refused) = (SendError::passing("no answer"), SendError::refused("404"));
        let hour = Duration::from_secs(3600);
        let retry = |seconds| RetryDecision::Retry(Duration::from_millis((seconds * 1000.0) as u64));
        for (why, failure, tries, age, chance, expected) in [
            ("the first pause", &passing, 1, hour, 0.0, retry(15.0)),
            ("by chance less, and not much", &passing, 1, hour, 1.0, retry(11.25)),
            ("chance is kept to its range", &passing, 1, hour, 7.0, retry(11.25)),
            ("they grow", &passing, 4, hour, 0.0, retry(120.0)),
            ("up to a quarter of an hour", &passing, 1000, hour, 0.0, retry(900.0)),
            ("as long as the receiver asks", &asking(100), 1, hour, 0.0, retry(100.0)),
            ("no shorter than without", &asking(1), 4, hour, 0.0, retry(120.0)),
            ("and no longer than some hours", &asking(u64::MAX), 1, hour, 0.0, retry(21_600.0)),
            ("kept for a week", &passing, 1000, KEPT, 0.0, retry(900.0)),
            ("and no longer", &passing, 1000, KEPT + hour, 0.0, RetryDecision::DeadLetter),
            ("refused, it may be corrected", &refused, REFUSED_TRIES - 1, hour, 0.0, retry(900.0)),
            ("for an hour", &refused, REFUSED_TRIES, hour, 0.0, RetryDecision::DeadLetter),
        ] {
            assert_eq!(next(failure, tries, age, chance), expected, "{why}");
        }
        let an_hour: Duration = (1..REFUSED_TRIES)
            .filter_map(|tries| match next(&refused, tries, hour, 0.0) {
                RetryDecision::Retry(pause) => Some(pause),
                RetryDecision::DeadLetter => None,
            })
            .sum();
        assert!((0.7..1.2).contains(&(an_hour.as_secs_f64() / 3600.0)), "{an_hour:?}");
    }
}
