//! How long to wait with what took too long on a machine that was busy: it may do an hour later.
//! The pauses grow from try to try.

use std::time::Duration;

/// Before the first try, and between two at most.
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
