//! One variable on its way through a batch: slice after slice its model predicts, and its readings
//! are judged.
//!
//! It lives as long as the call. Rows that the model cannot predict are withheld by name; nothing
//! else fails here.

use std::ops::Range;

use prophet::interval::{self, Intervals};
use prophet::{Features, Forecast, Inputs, Model, Need, Reason};

use crate::Column;
use crate::score::{Measure, deviation};
use crate::settings::{ResidualScale, Supply, TrendUncertaintyKey};
use crate::verdicts::ColumnVerdicts;

/// A model and what follows from it for every batch.
#[derive(Debug)]
pub(crate) struct ColumnJudge {
    pub(crate) model: Model,
    /// Of its intervals.
    pub(crate) level: f64,
    /// What the model needs besides timestamps, with what supplies it.
    pub(crate) sources: Vec<(Need, Supply)>,
}

/// What the settings say of every variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) threshold: f64,
    pub(crate) residual_scale: ResidualScale,
    pub(crate) trend_uncertainty: TrendUncertaintyKey,
}

/// Memory that is used again from slice to slice and from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Of the slice at hand, for all variables.
    pub(crate) features: Features,
    inputs: Inputs,
    forecast: Forecast,
    intervals: Intervals,
}

/// A variable of the batch, with its verdicts so far.
pub(crate) struct Judging<'a> {
    judge: &'a ColumnJudge,
    rules: Rules,
    column: Column<'a>,
    trend: interval::TrendUncertainty,
    verdicts: ColumnVerdicts,
}

impl<'a> Judging<'a> {
    /// Before the first slice of a batch of these instants.
    pub(crate) fn begin(judge: &'a ColumnJudge, rules: Rules, column: Column<'a>, instants: &[i64]) -> Self {
        let trend = match rules.trend_uncertainty {
            TrendUncertaintyKey::None => interval::TrendUncertainty::None,
            TrendUncertaintyKey::Batch => interval::TrendUncertainty::Batch(judge.model.grid(instants)),
            TrendUncertaintyKey::Continuous => interval::TrendUncertainty::Continuous,
        };
        Self { judge, rules, column, trend, verdicts: ColumnVerdicts::with_capacity(instants.len()) }
    }

    /// How long its slices are.
    pub(crate) fn rows_at_once(&self) -> usize {
        self.judge.model.rows_at_once(self.trend)
    }

    /// Judges the next rows, whose features are in `buffers`. `columns` are those of the batch,
    /// from which the model may need some.
    pub(crate) fn slice(&mut self, rows: Range<usize>, columns: &[Column<'_>], buffers: &mut Buffers) {
        let Self { judge, rules, column, trend, verdicts } = self;
        let Buffers { features, inputs, forecast, intervals } = buffers;
        for (need, source) in &judge.sources {
            match source {
                Supply::Constant(value) => inputs.set_constant(&need.name, *value, rows.len()),
                Supply::Variable(source) => {
                    let supplied = columns.iter().find(|column| column.variable == source);
                    inputs.set(&need.name, supplied.map_or(&[][..], |column| &column.values[rows.clone()]));
                }
            }
        }
        judge.model.forecast(features, inputs, forecast);
        verdicts.expected.extend_from_slice(forecast.yhat());
        verdicts.extend_to(rows.end);
        intervals.bound(
            &judge.model,
            features,
            inputs,
            forecast,
            (judge.level, trend.after(rows.start)),
            &mut verdicts.lower[rows.clone()],
            &mut verdicts.upper[rows.clone()],
        );
        if judge.model.draws() > 1 || rules.trend_uncertainty != TrendUncertaintyKey::None {
            verdicts.widen_to_what_is_expected(rows.clone());
        }
        for absence in forecast.absent() {
            let rows = absence.rows.iter().map(|row| rows.start + row);
            verdicts.withhold(judge.reason(&absence.why), column, rows);
        }
        if rules.residual_scale == ResidualScale::Model {
            self.measure(self.judge.model.noise(), rows);
        }
    }

    /// After the last slice.
    pub(crate) fn finish(mut self) -> ColumnVerdicts {
        if self.rules.residual_scale == ResidualScale::Batch {
            let scale = deviation(self.column.values, &self.verdicts.expected);
            self.measure(scale, 0..self.column.values.len());
        }
        self.verdicts
    }

    fn measure(&mut self, scale: f64, rows: Range<usize>) {
        let measure = Measure { threshold: self.rules.threshold, scale };
        self.verdicts.judge(&self.column, measure, rows.clone());
        self.verdicts.withhold_what_is_no_number(&self.column, rows);
    }
}

impl ColumnJudge {
    /// Why a row has no prediction, in the words of who looks at the plant.
    fn reason(&self, why: &Reason) -> String {
        let supplied = |need: &Need| {
            let source = self.sources.iter().find(|source| source.0 == *need).map(|source| &source.1);
            match source {
                Some(Supply::Variable(source)) if *source != need.name => {
                    format!("{} `{}` (variable `{source}`)", need.role, need.name)
                }
                Some(Supply::Constant(value)) => format!("{} `{}` ({value})", need.role, need.name),
                _ => format!("{} `{}`", need.role, need.name),
            }
        };
        match why {
            Reason::Missing(need) => format!("{} has no reading", supplied(need)),
            Reason::NoCondition(need) => format!("{} is neither 0 nor 1", supplied(need)),
            other => other.to_string(),
        }
    }
}
