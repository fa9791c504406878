//! Counts deliveries of alerts.

use super::Metrics;

/// How an attempt to deliver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertOutcome {
    Delivered,
    /// It is tried again.
    Failed,
    /// Given up.
    DeadLetter,
}

impl AlertOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::DeadLetter];

    /// The value of its label.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::DeadLetter => "dead_letter",
        }
    }
}

impl Metrics {
    /// Counts an attempt to deliver.
    pub fn alert(&self, outcome: AlertOutcome) {
        self.0.alerts.get_or_create(&[("outcome", outcome.word())]).inc();
    }
}
