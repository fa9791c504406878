//! Derives events of the service from how its cycles end. Pure.

use std::time::Duration;

use super::event::ServiceEvent;

/// After so many intervals without a successful cycle there is an alert.
const INTERVALS: u32 = 3;

/// The state of a worker's cycles. Times are since a fixed moment.
#[derive(Debug)]
pub struct ServiceWatch {
    worker: String,
    interval: Duration,
    succeeded: Duration,
    /// Whether the alert was made.
    is_told: bool,
    /// The refusal of files that was alerted last.
    refused: Option<String>,
}

/// How a cycle ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CycleEnd {
    /// With the number of readings that came too late.
    Success {
        too_late: u64,
    },
    /// Another worker of the name is active.
    Standby,
    Failure {
        why: String,
    },
}

impl ServiceWatch {
    /// The start counts as a success.
    pub fn new(worker: String, interval: Duration, now: Duration) -> Self {
        Self { worker, interval, succeeded: now, is_told: false, refused: None }
    }

    /// The events after a cycle. `refused` says why the files on disk are not used, if they are
    /// refused.
    pub fn ended(&mut self, end: &CycleEnd, refused: Option<&str>, now: Duration) -> Vec<ServiceEvent> {
        let worker = || self.worker.clone();
        let mut told = Vec::new();
        let lasted = now.saturating_sub(self.succeeded);
        match end {
            CycleEnd::Standby => {
                self.succeeded = now;
                self.is_told = false;
                return told;
            }
            CycleEnd::Failure { why } => {
                if !self.is_told && lasted >= self.interval.saturating_mul(INTERVALS) {
                    self.is_told = true;
                    let (interval, why) = (self.interval, why.clone());
                    told.push(ServiceEvent::NoSuccess { worker: worker(), lasted, interval, why });
                }
            }
            CycleEnd::Success { too_late } => {
                if self.is_told {
                    told.push(ServiceEvent::Recovered { worker: worker(), lasted });
                }
                if *too_late > 0 {
                    told.push(ServiceEvent::TooLate { worker: worker(), readings: *too_late });
                }
                self.is_told = false;
                self.succeeded = now;
            }
        }
        if self.refused.as_deref() != refused {
            if let Some(why) = refused {
                told.push(ServiceEvent::SetRefused { worker: self.worker.clone(), why: why.to_owned() });
            }
            self.refused = refused.map(str::to_owned);
        }
        told
    }

    /// Whether cycles fail and the alert was made.
    pub fn is_in_trouble(&self) -> bool {
        self.is_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cycles_come_to_is_told_once() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let worker = || "w".to_owned();
        let failure = || CycleEnd::Failure { why: "no disk".to_owned() };
        let success = |too_late| CycleEnd::Success { too_late };
        let no_success = |lasted| ServiceEvent::NoSuccess {
            worker: worker(),
            lasted: minutes(lasted),
            interval: minutes(10),
            why: "no disk".to_owned(),
        };
        let refused = |why: &str| ServiceEvent::SetRefused { worker: worker(), why: why.to_owned() };
        let mut watch = ServiceWatch::new(worker(), minutes(10), minutes(0));
        for (at, end, files, told) in [
            (0, success(0), None, vec![]),
            (10, failure(), None, vec![]),
            (29, failure(), None, vec![]),
            (30, failure(), None, vec![no_success(30)]),
            (31, failure(), None, vec![]),
            (200, failure(), None, vec![]),
            (210, success(0), None, vec![ServiceEvent::Recovered { worker: worker(), lasted: minutes(210) }]),
            (220, success(3), None, vec![ServiceEvent::TooLate { worker: worker(), readings: 3 }]),
            (230, success(0), Some("a"), vec![refused("a")]),
            (240, success(0), Some("a"), vec![]),
            (250, success(0), Some("b"), vec![refused("b")]),
            (260, success(0), None, vec![]),
            (270, success(0), Some("b"), vec![refused("b")]),
            // Another worker was active, so the time without a success does not count.
            (500, CycleEnd::Standby, None, vec![]),
            (501, failure(), None, vec![]),
            (530, failure(), None, vec![no_success(30)]),
            (540, CycleEnd::Standby, None, vec![]),
            (550, success(0), Some("b"), vec![refused("b")]),
        ] {
            assert_eq!(watch.ended(&end, files, minutes(at)), told, "minute {at}");
        }
    }
}
