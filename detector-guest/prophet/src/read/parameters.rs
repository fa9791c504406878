//! Stan's parameters: one row after an optimisation (MAP), a row a draw after MCMC.
//!
//! In which shape the numbers stand says nothing, see `numbers`; the number of rows is the number
//! of `k`.

use super::document::ModelDocument;
use super::error::ReadError;
use super::numbers::Numbers;
use super::{in_words, positive};
use crate::model::Parameters;
use crate::trend::Trend;

/// Keeps `λ` above 0 in a model without any change (`sample_predictive_trend` in `forecaster.py`).
const LEAST_RATE_CHANGE: f64 = 1e-8;

/// The parameters that predict, and with MCMC all draws.
pub(super) fn read(document: &ModelDocument) -> Result<(Parameters, Vec<Parameters>), ReadError> {
    let params = &document.params;
    let changepoints = document.changepoints_t.as_slice();
    let features = document.train_component_cols.as_slice().len();
    let draws = params.k.leaves().len();
    // What changes the rate of growth means nothing where nothing grows.
    let grows = document.growth != "flat";
    if draws == 0 {
        return Err(ReadError::invalid("params.k", "no number", "one number, or one for each draw"));
    }
    for (key, numbers, other, each) in [
        ("params.m", &params.m, "params.k", 1),
        ("params.sigma_obs", &params.sigma_obs, "params.k", 1),
        ("params.delta", &params.delta, "changepoints_t", changepoints.len()),
        ("params.beta", &params.beta, "train_component_cols", features),
    ] {
        let (found, expected) = (numbers.leaves().len(), draws.saturating_mul(each));
        if found != expected {
            return Err(ReadError::count(key, found, other, expected));
        }
        if grows || key != "params.delta" {
            finite(key, numbers.leaves())?;
        }
    }
    if grows {
        finite("params.k", params.k.leaves())?;
        finite("changepoints_t", changepoints)?;
        if !changepoints.is_sorted() {
            return Err(ReadError::invalid("changepoints_t", "numbers out of order", "increasing numbers"));
        }
    }
    let all = (0..draws).map(|draw| {
        let of = |numbers: &Numbers| row(numbers, draw, draws).to_vec();
        parameters(
            document,
            number(&params.k, draw),
            number(&params.m, draw),
            &of(&params.delta),
            of(&params.beta),
            number(&params.sigma_obs, draw),
        )
    });
    let mut all: Vec<Parameters> = all.collect::<Result<_, _>>()?;
    if draws == 1 {
        return Ok((all.swap_remove(0), Vec::new()));
    }
    // Prophet averages the terms; averaging β is the same but for rounding.
    let [k, m, delta, beta, sigma_obs] =
        [&params.k, &params.m, &params.delta, &params.beta, &params.sigma_obs]
            .map(|numbers| mean(numbers, draws));
    Ok((parameters(document, k[0], m[0], &delta, beta, sigma_obs[0])?, all))
}

fn parameters(
    document: &ModelDocument,
    k: f64,
    m: f64,
    delta: &[f64],
    weights: Vec<f64>,
    sigma_obs: f64,
) -> Result<Parameters, ReadError> {
    let changes = document.changepoints_t.iter().copied().zip(delta.iter().copied());
    let trend = match document.growth.as_str() {
        "linear" => Trend::linear(k, m, changes),
        "logistic" => Trend::logistic(k, m, changes),
        "flat" => Trend::Flat { offset: m },
        other => {
            return Err(ReadError::invalid("growth", format!("`{other}`"), "`linear`, `logistic` or `flat`"));
        }
    };
    let sizes = delta.iter().map(|change| change.abs()).sum::<f64>() / delta.len().max(1) as f64;
    Ok(Parameters {
        trend,
        weights,
        noise: positive("params.sigma_obs", sigma_obs)?,
        rate_change: sizes + LEAST_RATE_CHANGE,
    })
}

fn finite(key: &'static str, numbers: &[f64]) -> Result<(), ReadError> {
    match numbers.iter().find(|number| !number.is_finite()) {
        None => Ok(()),
        Some(number) => Err(ReadError::invalid(key, in_words(*number), "finite numbers")),
    }
}

/// The numbers of one draw; counts were checked.
fn row(numbers: &Numbers, draw: usize, draws: usize) -> &[f64] {
    let each = numbers.leaves().len() / draws;
    &numbers.leaves()[draw * each..(draw + 1) * each]
}

fn number(numbers: &Numbers, draw: usize) -> f64 {
    numbers.leaves()[draw]
}

fn mean(numbers: &Numbers, draws: usize) -> Vec<f64> {
    let mut sums = vec![0.0; numbers.leaves().len() / draws];
    for draw in 0..draws {
        for (sum, number) in sums.iter_mut().zip(row(numbers, draw, draws)) {
            *sum += number;
        }
    }
    sums.iter().map(|sum| sum / draws as f64).collect()
}
