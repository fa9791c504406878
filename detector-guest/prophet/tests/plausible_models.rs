//! What must hold for any model that training could have left, and any request within reach of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::interval;
use common::plausible::{COMMON_PERIOD, DAY, Plausible, request};
use prophet::interval::TrendUncertainty;
use prophet::{Features, Forecast, Inputs, Model, Reason};
use proptest::prelude::*;

const LAWS: usize = 3;

fn law(model: &Model, which: usize, instants: &[i64]) -> TrendUncertainty {
    [TrendUncertainty::None, TrendUncertainty::Continuous, TrendUncertainty::Batch(model.grid(instants))]
        [which]
}

fn forecast(model: &Model, instants: &[i64], inputs: &Inputs) -> Forecast {
    let mut forecast = Forecast::default();
    model.forecast(&mut Features::new(instants), inputs, &mut forecast);
    forecast
}

/// All columns, one after the other.
fn columns(forecast: &Forecast) -> Vec<f64> {
    [forecast.trend(), forecast.additive_terms(), forecast.multiplicative_terms(), forecast.yhat()].concat()
}

/// A request's forecast and its ends at 0.8.
fn answers(plausible: &Plausible, instants: &[i64], which: usize) -> (Forecast, Vec<f64>, Vec<f64>) {
    let (model, inputs) = (plausible.model(), plausible.inputs(instants));
    let (lower, upper) = interval(&model, instants, &inputs, 0.8, law(&model, which, instants));
    (forecast(&model, instants, &inputs), lower, upper)
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |most, number| most.max(number.abs()))
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        prop_assert!(
            (found - expected).abs() <= tolerance,
            "{} not {} within {}",
            found,
            expected,
            tolerance
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_a_number((plausible, instants) in request(), which in 0..LAWS) {
        let (forecast, lower, upper) = answers(&plausible, &instants, which);
        prop_assert_eq!(forecast.absent(), []);
        for numbers in [&columns(&forecast), &lower, &upper] {
            prop_assert!(numbers.iter().all(|number| number.is_finite()), "{numbers:?}");
        }
    }

    #[test]
    fn intervals_hold_what_is_expected_and_widen(
        (plausible, instants) in request(), which in 0..LAWS, level in 0.05..0.98, more in 1.01..1.5,
    ) {
        let (model, inputs) = (plausible.model(), plausible.inputs(&instants));
        let trend = law(&model, which, &instants);
        let wider = 1.0 - (1.0 - level) / more;
        let (lower, upper) = interval(&model, &instants, &inputs, level, trend);
        let (lowest, uppest) = interval(&model, &instants, &inputs, wider, trend);
        for (row, yhat) in forecast(&model, &instants, &inputs).yhat().iter().enumerate() {
            prop_assert!(lowest[row] < lower[row] && lower[row] < upper[row] && upper[row] < uppest[row]);
            // The draws of MCMC have a centre of their own, and a law that a capacity bends has its
            // median where it was.
            if plausible.is_map() {
                prop_assert!(lower[row] < *yhat && *yhat < upper[row], "{} {yhat} {}", lower[row], upper[row]);
            }
        }
    }

    /// A trend that may change is never surer than one that may not, nor surer later than sooner.
    #[test]
    fn intervals_widen_with_time((mut plausible, instants) in request()) {
        plausible.growth = "linear";
        plausible.draws.truncate(1);
        // The width of a multiplicative term follows the term.
        plausible.holidays_mode = false;
        plausible.seasons.iter_mut().for_each(|season| season.multiplies = false);
        plausible.regressors.iter_mut().for_each(|regressor| regressor.2 = false);
        let widths = |which| {
            let (_, lower, upper) = answers(&plausible, &instants, which);
            upper.iter().zip(lower).map(|(upper, lower)| upper - lower).collect::<Vec<_>>()
        };
        let known = widths(0);
        for which in [1, 2] {
            let widths = widths(which);
            for row in 0..instants.len() {
                let rounding = 1e-6 * known[row];
                prop_assert!(widths[row] >= known[row] - rounding);
                prop_assert!(row == 0 || widths[row] >= widths[row - 1] - rounding.max(1e-6 * widths[row]));
            }
        }
    }

    /// A request in two parts, whose laws are those of the whole.
    #[test]
    fn parts_have_the_rows_of_the_whole((plausible, instants) in request(), which in 0..LAWS, cut in any::<prop::sample::Index>()) {
        let (whole, lower, upper) = answers(&plausible, &instants, which);
        let model = plausible.model();
        let cut = cut.index(instants.len());
        let trend = law(&model, which, &instants);
        let mut at = 0;
        for (part, trend) in [(&instants[..cut], trend), (&instants[cut..], trend.after(cut))] {
            let rows = at..at + part.len();
            at = rows.end;
            let inputs = plausible.inputs(part);
            let found = forecast(&model, part, &inputs);
            prop_assert_eq!(found.yhat(), &whole.yhat()[rows.clone()]);
            let (low, high) = interval(&model, part, &inputs, 0.8, trend);
            let width = largest(&upper) + largest(&lower);
            close(&low, &lower[rows.clone()], 1e-7 * width)?;
            close(&high, &upper[rows], 1e-7 * width)?;
        }
    }

    /// Multiplying by a power of two rounds nothing.
    #[test]
    fn y_in_other_units_has_the_same_answers_in_those_units((plausible, instants) in request(), which in 0..LAWS, power in -30..30_i32) {
        let factor = 2.0_f64.powi(power);
        let here = answers(&plausible, &instants, which);
        let there = answers(&plausible.scaled(factor), &instants, which);
        let times = |numbers: &[f64]| numbers.iter().map(|number| number * factor).collect::<Vec<_>>();
        prop_assert_eq!(there.0.yhat(), times(here.0.yhat()));
        prop_assert_eq!(there.1, times(&here.1));
        prop_assert_eq!(there.2, times(&here.2));
    }

    /// After as many days as all periods divide, the same happens again, to the rounding of the
    /// seasons' phases.
    #[test]
    fn a_later_origin_has_the_same_answers((plausible, instants) in request(), which in 0..LAWS, periods in -1..3_i64, weeks in -30..30_i64) {
        let yearly = plausible.seasons.iter().any(|season| season.period == 365.25);
        let days = if yearly { periods * COMMON_PERIOD } else { weeks * 7 };
        let here = answers(&plausible, &instants, which);
        let later: Vec<i64> = instants.iter().map(|at| at + days * DAY).collect();
        let there = answers(&plausible.shifted(days), &later, which);
        let size = plausible.y_scale + plausible.y_min.abs() + largest(&columns(&here.0));
        close(there.0.yhat(), here.0.yhat(), 1e-8 * size)?;
        let size = largest(&here.1) + largest(&here.2) + size;
        close(&there.1, &here.1, 1e-7 * size)?;
        close(&there.2, &here.2, 1e-7 * size)?;
    }

    /// What is not given costs its rows, by name, and no other row.
    #[test]
    fn only_what_was_asked_for_is_absent((plausible, instants) in request(), holes in prop::collection::vec(any::<bool>(), 40), which in 0..LAWS) {
        let (whole, lower, upper) = answers(&plausible, &instants, which);
        let model = plausible.model();
        for need in model.needs() {
            let mut inputs = plausible.inputs(&instants);
            let value = |(at, hole): (&i64, &bool)| if *hole { f64::NAN } else { plausible.input(&need.name, need.role, *at) };
            inputs.set(&need.name, &instants.iter().zip(holes.iter().cycle()).map(value).collect::<Vec<_>>());
            let found = forecast(&model, &instants, &inputs);
            let (low, high) = interval(&model, &instants, &inputs, 0.8, law(&model, which, &instants));
            let missing: Vec<usize> = (0..instants.len()).filter(|row| holes[*row % holes.len()]).collect();
            let named: Vec<_> = found.absent().iter().map(|absence| (&absence.why, &absence.rows)).collect();
            let expected = Reason::Missing(need.clone());
            prop_assert_eq!(named, if missing.is_empty() { vec![] } else { vec![(&expected, &missing)] });
            for row in 0..instants.len() {
                if holes[row % holes.len()] {
                    prop_assert!(found.yhat()[row].is_nan() && low[row].is_nan() && high[row].is_nan());
                } else {
                    let width = upper[row] - lower[row];
                    prop_assert_eq!(found.yhat()[row], whole.yhat()[row]);
                    close(&[low[row], high[row]], &[lower[row], upper[row]], 1e-6 * width)?;
                }
            }
        }
    }

    #[test]
    fn the_compact_form_is_the_same_model((plausible, _) in request()) {
        let json = plausible.json();
        let compact = Model::compact(&json).unwrap();
        prop_assert_eq!(Model::from_bytes(&compact, None).unwrap(), plausible.model());
        prop_assert_eq!(&Model::compact(&compact).unwrap(), &compact);
    }
}
