//! From the bytes of a file to a checked [`Model`].
//!
//! Three steps, each in a file: `document` is the JSON as Prophet writes it, with `table` and `numbers` for its odd shapes;
//! `unsupported` says by name what this version does not read; here the rest is checked and put in order. Every size is
//! that of something that stands in the file, so a small file cannot ask for much memory.

mod document;
mod error;
mod numbers;
mod table;
mod unsupported;

use document::{Component, Document, Season};
pub use error::ReadError;
pub use unsupported::Unsupported;

use crate::model::Model;
use crate::seasonality::{Mode, Seasonality};
use crate::time::TrainingTime;
use crate::trend::{Linear, Trend};

/// Microseconds that an `f64` counts exactly; far beyond any calendar.
const MOST_MICROS: f64 = (1_u64 << 53) as f64;

pub(crate) fn model(json: &[u8]) -> Result<Model, ReadError> {
    let document = Document::parse(json)?;
    unsupported::refuse(&document)?;
    let seasonalities = seasonalities(&document)?;
    Ok(Model {
        time: training_time(&document)?,
        trend: trend(&document)?,
        seasonalities,
        y_scale: positive("y_scale", document.y_scale)?,
        floor: floor(&document)?,
        sigma_obs: positive("params.sigma_obs", document.params.sigma_obs.single("params.sigma_obs")?)?,
        interval_width: match document.interval_width {
            width if width > 0.0 && width < 1.0 => width,
            width => return Err(ReadError::invalid("interval_width", width, "a number between 0 and 1")),
        },
    })
}

fn positive(key: &'static str, found: f64) -> Result<f64, ReadError> {
    if found.is_finite() && found > 0.0 {
        Ok(found)
    } else {
        Err(ReadError::invalid(key, found, "a number above 0"))
    }
}

/// Seconds in the file, whole microseconds here.
fn training_time(document: &Document) -> Result<TrainingTime, ReadError> {
    let start = (document.start * 1e6).round_ties_even();
    if start.is_nan() || start.abs() > MOST_MICROS {
        return Err(ReadError::invalid("start", document.start, "seconds since 1970"));
    }
    let span = (document.t_scale * 1e6).round_ties_even();
    if !(1.0..=MOST_MICROS).contains(&span) {
        return Err(ReadError::invalid(
            "t_scale",
            document.t_scale,
            "the seconds from first to last training row",
        ));
    }
    Ok(TrainingTime { start, span })
}

fn floor(document: &Document) -> Result<f64, ReadError> {
    match document.scaling.as_str() {
        "absmax" => Ok(0.0),
        // With a floor column, which only logistic growth has, the floor would come with the request.
        "minmax" => Ok(document.y_min),
        other => Err(ReadError::invalid("scaling", format!("`{other}`"), "`absmax` or `minmax`")),
    }
}

fn trend(document: &Document) -> Result<Trend, ReadError> {
    let params = &document.params;
    let offset = params.m.single("params.m")?;
    let changepoints = &document.changepoints_t;
    let changes = params.delta.leaves();
    if changes.len() != changepoints.len() {
        return Err(ReadError::count("params.delta", changes.len(), "changepoints_t", changepoints.len()));
    }
    match document.growth.as_str() {
        "linear" if !changepoints.is_sorted() => {
            Err(ReadError::invalid("changepoints_t", "numbers out of order", "increasing numbers"))
        }
        "linear" => {
            let changes = changepoints.iter().copied().zip(changes.iter().copied());
            Ok(Trend::Linear(Linear::new(params.k.single("params.k")?, offset, changes)))
        }
        "flat" => Ok(Trend::Flat { offset }),
        other => Err(ReadError::invalid("growth", format!("`{other}`"), "`linear`, `logistic` or `flat`")),
    }
}

/// Hands each season its columns of `beta`, in the order of the list.
fn seasonalities(document: &Document) -> Result<Vec<Seasonality>, ReadError> {
    let components = document.train_component_cols.as_slice();
    let weights = document.params.beta.leaves();
    if weights.len() != components.len() {
        return Err(ReadError::count("params.beta", weights.len(), "train_component_cols", components.len()));
    }
    let mut seasons = Vec::new();
    let mut used = 0_usize;
    for (name, season) in document.seasonalities.in_order("seasonalities")? {
        let columns = columns_of(name, season)?;
        let own = used..used.saturating_add(columns);
        let (Some(components), Some(weights)) = (components.get(own.clone()), weights.get(own)) else {
            return Err(ReadError::count(
                "train_component_cols",
                components.len(),
                "seasonalities",
                used.saturating_add(columns),
            ));
        };
        used += columns;
        let mode = mode_of(name, season, components)?;
        seasons.push(Seasonality { period: season.period, mode, weights: weights.to_vec() });
    }
    // Without any feature Prophet has one column of zeros.
    let expected = used.max(1);
    if components.len() != expected {
        return Err(ReadError::count("train_component_cols", components.len(), "seasonalities", expected));
    }
    Ok(seasons)
}

/// Two columns a harmonic.
fn columns_of(name: &str, season: &Season) -> Result<usize, ReadError> {
    if !(season.period.is_finite() && season.period > 0.0) {
        return Err(ReadError::season(name, format!("period {}", season.period), "days, above 0"));
    }
    // `n / period` would overflow.
    if !(f64::from(season.fourier_order) / season.period).is_finite() {
        return Err(ReadError::season(name, format!("period {}", season.period), "days, not this short"));
    }
    match usize::try_from(season.fourier_order) {
        Ok(order) if order > 0 => Ok(order.saturating_mul(2)),
        _ => Err(ReadError::season(name, format!("order {}", season.fourier_order), "at least 1")),
    }
}

/// What the columns' rows in `train_component_cols` say, which is what Prophet multiplies by; the season's own `mode` must
/// agree.
fn mode_of(name: &str, season: &Season, components: &[Component]) -> Result<Mode, ReadError> {
    let mode = match season.mode.as_deref() {
        None if components.iter().all(Component::is_additive) => Mode::Additive,
        None => Mode::Multiplicative,
        Some("additive") => Mode::Additive,
        Some("multiplicative") => Mode::Multiplicative,
        Some(other) => {
            return Err(ReadError::season(name, format!("mode `{other}`"), "`additive` or `multiplicative`"));
        }
    };
    let agrees = match mode {
        Mode::Additive => Component::is_additive,
        Mode::Multiplicative => Component::is_multiplicative,
    };
    if components.iter().all(agrees) {
        Ok(mode)
    } else {
        Err(ReadError::season(
            name,
            "another mode in `train_component_cols`",
            "the same mode in all its columns",
        ))
    }
}
