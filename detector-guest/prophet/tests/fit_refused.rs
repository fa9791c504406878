//! Series and settings that no model can be fitted with: each ends in a sentence that says why.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use prophet::CountryHoliday;
use prophet::Model;
use prophet::fit::{FitError, FitSettings, Series, Warning, fit};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;
const START: i64 = 1_709_251_200_000_000;

fn hours(count: i64) -> Vec<i64> {
    (0..count).map(|hour| START + hour * HOUR).collect()
}

fn wave(count: i64) -> Vec<f64> {
    (0..count).map(|hour| 10.0 + f64::from((hour % 24) as i32) + f64::from((hour % 5) as i32) * 0.3).collect()
}

fn refusal(series: &Series<'_>, settings: &str) -> String {
    match FitSettings::from_json(settings.as_bytes()) {
        Ok(settings) => match fit(series, &settings, None) {
            Ok(_) => "fitted".to_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    }
}

#[test]
fn rows_that_make_no_model_are_named() {
    let (hours, wave) = (hours(50), wave(50));
    let with = |row: usize, value: f64| {
        let mut values = wave.clone();
        values[row] = value;
        values
    };
    let (nan, infinite) = (with(3, f64::NAN), with(3, f64::NEG_INFINITY));
    let (half, high) = (with(3, 0.5), vec![40.0; 50]);
    let zeros = vec![0.0; 50];
    let huge: Vec<f64> = (0..50).map(|row| if row % 2 == 0 { f64::MAX } else { f64::MIN }).collect();
    let no_value = vec![f64::NAN; 50];
    let still = vec![START; 50];
    let far: Vec<i64> = (0..50).map(|row| i64::MAX - 50 + row).collect();
    let logistic = r#"{"prophet": {"growth": "logistic"}}"#;
    let minmax = r#"{"prophet": {"scaling": "minmax"}}"#;
    let regressor = r#"{"regressors": [{"name": "load"}]}"#;
    let condition =
        r#"{"seasonalities": [{"name": "on", "period": 1, "fourier_order": 2, "condition_name": "shift"}]}"#;
    let series = Series::new(&hours, &wave);
    for (series, settings, expected) in [
        (series.clone(), "{}", "fitted"),
        (Series::new(&[], &[]), "{}", "has 0 rows with a value in `y`; a model needs at least 2"),
        (Series::new(&hours, &no_value), "{}", "has 0 rows with a value in `y`; a model needs at least 2"),
        (
            Series::new(&hours[..1], &wave[..1]),
            "{}",
            "has 1 rows with a value in `y`; a model needs at least 2",
        ),
        (
            Series::new(&still, &wave),
            "{}",
            "has all its rows at one instant, 2024-03-01T00:00:00; a trend needs two",
        ),
        (Series::new(&hours, &wave[..49]), "{}", "has 49 values in `y` for 50 rows"),
        (
            Series::new(&hours, &infinite),
            "{}",
            "has -inf in `y` at 2024-03-01T03:00:00; expected a finite number",
        ),
        (
            Series::new(&far, &wave),
            "{}",
            "has an instant of 9223372036854775757 microseconds since 1970; expected one of the years 1685 to 2254",
        ),
        (
            Series::new(&hours, &huge),
            minmax,
            "has numbers too large or too far apart to compute with, so no model was found",
        ),
        (series.clone(), logistic, "lacks the column `cap`, which the settings use as a capacity"),
        (
            series.clone().with("cap", &nan),
            logistic,
            "has NaN in `cap` at 2024-03-01T03:00:00; expected a finite number",
        ),
        (
            series.clone().with("cap", &zeros),
            logistic,
            "has a capacity of 0 at 2024-03-01T00:00:00, which is not above its floor of 0",
        ),
        (
            series.clone().with("cap", &high).with("floor", &high),
            logistic,
            "has a capacity of 40 at 2024-03-01T00:00:00, which is not above its floor of 40",
        ),
        (series.clone().with("cap", &high), logistic, "fitted"),
        (series.clone(), regressor, "lacks the column `load`, which the settings use as a regressor"),
        (
            series.clone().with("load", &nan),
            regressor,
            "has NaN in `load` at 2024-03-01T03:00:00; expected a finite number",
        ),
        (series.clone().with("load", &wave[1..]), regressor, "has 49 values in `load` for 50 rows"),
        (
            series.clone().with("load", &huge),
            regressor,
            "has numbers too large or too far apart to compute with, so no model was found",
        ),
        (series.clone(), condition, "lacks the column `shift`, which the settings use as a condition"),
        (
            series.clone().with("shift", &half),
            condition,
            "has 10 in the condition `shift` at 2024-03-01T00:00:00; expected 0 or 1",
        ),
        // A regressor that is missing only where y is missing too is not missed.
        (Series::new(&hours, &nan).with("load", &nan), regressor, "fitted"),
    ] {
        assert_eq!(refusal(&series, settings), expected, "{settings}");
    }
}

#[test]
fn settings_that_make_no_model_are_named() {
    let (hours, wave) = (hours(50), wave(50));
    let series = Series::new(&hours, &wave);
    for (settings, expected) in [
        (r#"{"prophet": {"growht": "flat"}}"#, "has settings that cannot be read: unknown field `growht`, "),
        (
            r#"{"prophet": {"growth": "cubic"}}"#,
            "has settings that cannot be read: unknown variant `cubic`, ",
        ),
        ("[", "has settings that cannot be read: EOF while parsing a list"),
        (r#"{"prophet": {"weekly_seasonality": "no"}}"#, "has settings that cannot be read: "),
        (
            r#"{"prophet": {"changepoint_prior_scale": 0}}"#,
            "has 0 in the setting `changepoint_prior_scale`; expected a number above 0",
        ),
        (
            r#"{"prophet": {"seasonality_prior_scale": -1}}"#,
            "has -1 in the setting `seasonality_prior_scale`; expected a number above 0",
        ),
        (
            r#"{"prophet": {"changepoint_range": 1.5}}"#,
            "has 1.5 in the setting `changepoint_range`; expected a number from 0 to 1",
        ),
        (
            r#"{"prophet": {"interval_width": 1}}"#,
            "has 1 in the setting `interval_width`; expected a number between 0 and 1",
        ),
        (
            r#"{"prophet": {"mcmc_samples": 300}}"#,
            "has 300 in the setting `mcmc_samples`; expected 0: sampling is left to Prophet",
        ),
        (
            r#"{"prophet": {"changepoints": ["2024-02-29"]}}"#,
            "has a changepoint at 2024-02-29T00:00:00, outside its rows from 2024-03-01T00:00:00 to 2024-03-03T01:00:00",
        ),
        (
            r#"{"prophet": {"changepoints": ["soon"]}}"#,
            "has `soon` in the setting `changepoints`; expected timestamps as `2024-12-25T10:30`",
        ),
        (
            r#"{"prophet": {"holidays": [{"holiday": "h", "ds": "2024-13-01"}]}}"#,
            "has `2024-13-01` in the setting `holidays.h.ds`; expected a date as `2024-12-25`",
        ),
        (
            r#"{"prophet": {"holidays": [{"holiday": "h", "ds": "2024-03-01", "lower_window": 1}]}}"#,
            "has 1 in the setting `holidays.h.lower_window`; expected whole days, 0 or below",
        ),
        (
            r#"{"prophet": {"holidays": [{"holiday": "h", "ds": "2024-03-01", "prior_scale": 1}, {"holiday": "h", "ds": "2024-03-02"}]}}"#,
            "has 10 in the setting `holidays.h.prior_scale`; expected one scale for all its rows",
        ),
        (
            r#"{"seasonalities": [{"name": "s", "period": 0, "fourier_order": 1}]}"#,
            "has 0 in the setting `seasonalities.s.period`; expected a number above 0",
        ),
        (
            r#"{"seasonalities": [{"name": "s", "period": 1, "fourier_order": 0}]}"#,
            "has 0 in the setting `seasonalities.s.fourier_order`; expected at least 1",
        ),
        (
            r#"{"seasonalities": [{"name": "trend", "period": 1, "fourier_order": 1}]}"#,
            "uses the name `trend` for a seasonality, which Prophet keeps for itself",
        ),
        (
            r#"{"seasonalities": [{"name": "a", "period": 1, "fourier_order": 1}], "regressors": [{"name": "a"}]}"#,
            "uses the name `a` for a regressor, which another component has",
        ),
        (
            r#"{"regressors": [{"name": "a_delim_b"}]}"#,
            "uses the name `a_delim_b` for a regressor, which has `_delim_` in it",
        ),
        (
            r#"{"country_holidays": "US"}"#,
            "has the country holidays of `US` in its settings, but their dates were not given",
        ),
        (
            r#"{"seasonalities": [{"name": "s", "period": 1, "fourier_order": 4000000}]}"#,
            "needs too much memory with 50 rows, 8000008 columns and 25 changepoints; make the rows sparser or ask for less",
        ),
    ] {
        let found = refusal(&series, settings);
        assert!(found.starts_with(expected), "{settings}: {found}");
    }
}

#[test]
fn a_country_holiday_without_a_date_is_refused() {
    let (hours, wave) = (hours(50), wave(50));
    let settings = FitSettings::from_json(br#"{"country_holidays": "US"}"#).unwrap();
    let dates = [CountryHoliday { date: "soon".to_owned(), name: "Easter".to_owned() }];
    let error = fit(&Series::new(&hours, &wave), &settings, Some(&dates)).err().unwrap();
    assert_eq!(
        error,
        FitError::Setting {
            setting: "country_holidays".to_owned(),
            found: "`soon`".to_owned(),
            expected: "dates as `2024-12-25`"
        }
    );
}

/// Rows that a model fits exactly: the density has no bound, and the noise is Prophet's for a
/// constant series.
#[test]
fn what_fits_exactly_says_so() {
    let hours = hours(300);
    let line: Vec<f64> = (0..300).map(|hour| 3.0 + 0.25 * f64::from(hour)).collect();
    let same = vec![7.25; 300];
    let zeros = vec![0.0; 300];
    let nearly: Vec<f64> = (0..300).map(|hour| 7.25 + 1e-12 * f64::from(hour % 7)).collect();
    let cap = vec![14.5; 300];
    let linear = r#"{"prophet": {"daily_seasonality": false}}"#;
    let minmax = r#"{"prophet": {"scaling": "minmax"}}"#;
    let flat = r#"{"prophet": {"growth": "flat"}}"#;
    let logistic = r#"{"prophet": {"growth": "logistic", "daily_seasonality": false}}"#;
    for (series, settings) in [
        (Series::new(&hours, &line), linear),
        (Series::new(&hours[..2], &line[..2]), linear),
        (Series::new(&hours, &same), linear),
        (Series::new(&hours, &nearly), linear),
        (Series::new(&hours, &same), minmax),
        (Series::new(&hours, &same), flat),
        (Series::new(&hours, &zeros), linear),
        // Half of the capacity is where the trend is without any growth.
        (Series::new(&hours, &same).with("cap", &cap), logistic),
    ] {
        // Prophet's own search of logistic growth stops anywhere on the way down.
        let methods = if settings == logistic { &["optimum"][..] } else { &["optimum", "as-prophet"] };
        for method in methods {
            let mut settings = FitSettings::from_json(settings.as_bytes()).unwrap();
            settings.method = serde_json::from_value((*method).into()).unwrap();
            let fitted = fit(&series, &settings, None).unwrap();
            assert!(
                fitted.report().warnings.contains(&Warning::Exact),
                "{settings:?}: {:?}",
                fitted.report()
            );
            Model::from_json(&fitted.to_json()).unwrap();
        }
    }
}

/// A level that logistic growth cannot be at without growing: there is an optimum, far along a
/// valley.
#[test]
fn a_constant_below_its_capacity_is_fitted_well() {
    let hours = hours(300);
    let (same, cap) = (vec![7.25; 300], vec![10.0; 300]);
    let settings = FitSettings::from_json(br#"{"prophet": {"growth": "logistic"}}"#).unwrap();
    let series = Series::new(&hours, &same).with("cap", &cap);
    let fitted = fit(&series, &settings, None).unwrap();
    assert!(fitted.report().noise < 1e-3, "{:?}", fitted.report());
}

/// A million rows of a million values at a thousand instants: no special case, and no more memory
/// than they need.
#[test]
fn many_rows_of_few_instants() {
    let instants: Vec<i64> = (0..1_000_000).map(|row| START + row % 1_000 * HOUR).collect();
    let y: Vec<f64> = (0..1_000_000).map(|row| 5.0 + f64::from(row) * 1e-6).collect();
    let settings =
        FitSettings::from_json(br#"{"prophet": {"weekly_seasonality": false, "daily_seasonality": 1}}"#)
            .unwrap();
    let series = Series::new(&instants, &y);
    let fitted = fit(&series, &settings, None).unwrap();
    assert_eq!(fitted.report().rows, 1_000_000);
    assert!(fitted.report().violation <= 1e-6, "{:?}", fitted.report());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the numbers are, there is a model that can be read and predicts numbers, or an
    /// error that says why.
    #[test]
    fn any_numbers_end_in_a_model_or_a_sentence(
        rows in prop::collection::vec((any_instant(), any_number()), 0..40),
        settings in prop_oneof![
            Just("{}"),
            Just(r#"{"prophet": {"growth": "flat", "scaling": "minmax", "daily_seasonality": true}}"#),
            Just(r#"{"prophet": {"growth": "logistic", "n_changepoints": 3}}"#),
            Just(r#"{"regressors": [{"name": "load", "mode": "multiplicative"}], "method": "as-prophet"}"#),
        ],
        others in prop::collection::vec(any_number(), 40),
    ) {
        let (instants, y): (Vec<i64>, Vec<f64>) = rows.into_iter().unzip();
        let others = &others[..y.len()];
        let settings = FitSettings::from_json(settings.as_bytes()).unwrap();
        let series = Series::new(&instants, &y).with("cap", others).with("load", others);
        match fit(&series, &settings, None) {
            Ok(fitted) => {
                let model = fitted.model();
                prop_assert!(model.is_ok(), "{:?} {:?}", model, fitted.report());
            }
            Err(error) => prop_assert!(error.to_string().len() > 20),
        }
    }
}

fn any_instant() -> impl Strategy<Value = i64> {
    prop_oneof![20 => (0..2_000_i64).prop_map(|hour| START + hour * HOUR), 1 => any::<i64>(), 1 => Just(START)]
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => -100.0..100.0,
        3 => Just(f64::NAN),
        1 => any::<f64>(),
        1 => prop_oneof![Just(0.0), Just(1e-300), Just(1e300), Just(f64::MAX), Just(f64::MIN_POSITIVE)],
    ]
}
