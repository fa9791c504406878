//! How far a row lies beyond what training knows, and the law that follows from it.

use super::distribution::Distribution;
use super::stepwise::Steps;
use super::{Model, Parameters, TrendUncertainty};

/// In the unit of the law that it leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Horizon {
    No,
    /// `h`, in scaled time.
    Time(f64),
    /// `j` rows at a spacing.
    Rows {
        count: f64,
        spacing: f64,
    },
}

impl Horizon {
    pub(super) fn of(model: &Model, micros: i64, row: usize, trend: TrendUncertainty) -> Self {
        match trend {
            TrendUncertainty::None => Self::No,
            TrendUncertainty::Continuous => match model.time.scaled(micros as f64) - 1.0 {
                time if time > 0.0 => Self::Time(time),
                _ => Self::No,
            },
            TrendUncertainty::Batch(grid) => match grid.steps(row) {
                count if count > 0.0 => Self::Rows { count, spacing: grid.spacing },
                _ => Self::No,
            },
        }
    }

    /// What the law changes with from row to row. Not a number without any.
    pub(super) fn time(self) -> f64 {
        match self {
            Self::No => f64::NAN,
            Self::Time(time) => time,
            Self::Rows { count, .. } => count,
        }
    }

    /// The same at another [`Self::time`].
    pub(super) fn at(self, time: f64) -> Self {
        match self {
            Self::No => Self::No,
            Self::Time(_) => Self::Time(time),
            Self::Rows { spacing, .. } => Self::Rows { count: time, spacing },
        }
    }

    /// Prophet's default call takes the mean of its draws from logistic growth.
    pub(super) fn is_centred(self) -> bool {
        matches!(self, Self::Rows { .. })
    }

    /// Of logistic growth; there a change at a row is first felt at the next.
    pub(super) fn horizon(self) -> f64 {
        match self {
            Self::No => 0.0,
            Self::Time(time) => time,
            Self::Rows { count, spacing } => (count - 1.0) * spacing,
        }
    }

    /// Of linear growth.
    pub(super) fn law(self, changepoints: usize, pace: f64) -> Distribution {
        let changepoints = changepoints as f64;
        match self {
            Self::No => Distribution::NORMAL,
            Self::Time(time) => Distribution::continuous(changepoints * time, pace * time),
            Self::Rows { count, spacing } => Distribution::stepwise(Steps {
                count,
                chance: (changepoints * spacing).min(1.0),
                step: pace * spacing,
            }),
        }
    }
}

impl Parameters {
    /// `λ |1 + m| / σ_obs`, the mean size of a change against the noise.
    pub(super) fn pace(&self, share: f64) -> f64 {
        self.rate_change * (1.0 + share).abs() / self.noise
    }
}
