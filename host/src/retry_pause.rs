//! The pause before something is repeated that took too long on a busy machine: it may succeed an
//! hour later. The pauses grow with each try.

use std::time::Duration;

/// The pause before the first repetition, and the longest one.
const FIRST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The pause before the next try; None: nothing was tried again yet.
pub(crate) fn retry_pause(before: Option<Duration>) -> Duration {
    before.map_or(FIRST, |before| before.saturating_mul(2)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_day() {
        let mut before = None;
        for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            let pause = retry_pause(before);
            assert_eq!(pause, Duration::from_secs(60 * minutes));
            before = Some(pause);
        }
    }
}
