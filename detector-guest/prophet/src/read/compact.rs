//! What prediction needs of a model, in the fewest bytes and the quickest to read: 2.3 MB of JSON
//! become 2 KB.
//!
//! ```text
//! "PROPHET" · version (1 byte) · CRC-32 of the rest (4 bytes, little endian) · postcard
//! ```
//!
//! It is the same document as in the JSON and goes through the same checks. No JSON begins like
//! that, and a file that was cut or changed does not have its checksum: none is taken for another.
//! A version is never edited; what another version of this library wrote is refused, and its JSON
//! prepared again.

use serde::{Deserialize, Serialize};

use super::document::{ComponentRow, ExtraRegressor, HolidayRow, ModelDocument, Params, SeasonalityEntry};
use super::error::ReadError;

const MAGIC: &[u8] = b"PROPHET";
const VERSION: u8 = 1;
const HEADER: usize = MAGIC.len() + 1 + 4;

#[derive(Serialize, Deserialize)]
struct Compact {
    growth: String,
    y_scale: f64,
    y_min: f64,
    scaling: String,
    logistic_floor: bool,
    start: f64,
    t_scale: f64,
    interval_width: f64,
    country_holidays: Option<String>,
    country_holiday_dates: Option<Vec<(String, String)>>,
    holidays: Option<Vec<HolidayRow>>,
    train_holiday_names: Option<Vec<String>>,
    train_component_cols: Vec<ComponentRow>,
    changepoints_t: Vec<f64>,
    seasonalities: Vec<(String, SeasonalityEntry)>,
    extra_regressors: Vec<(String, ExtraRegressor)>,
    k: Vec<f64>,
    m: Vec<f64>,
    delta: Vec<f64>,
    sigma_obs: Vec<f64>,
    beta: Vec<f64>,
    history_rows: Option<u64>,
}

/// Whether the bytes are meant to be a compact model, of whatever version.
pub(super) fn is_compact(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub(super) fn write(document: &ModelDocument) -> Result<Vec<u8>, ReadError> {
    let owned = |pairs: Vec<(&str, &SeasonalityEntry)>| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    };
    let regressors = |pairs: Vec<(&str, &ExtraRegressor)>| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    };
    let params = &document.params;
    let compact = Compact {
        growth: document.growth.clone(),
        y_scale: document.y_scale,
        y_min: document.y_min,
        scaling: document.scaling.clone(),
        logistic_floor: document.logistic_floor,
        start: document.start,
        t_scale: document.t_scale,
        interval_width: document.interval_width,
        country_holidays: document.country_holidays.clone(),
        country_holiday_dates: document.country_holiday_dates.clone(),
        holidays: document.holidays.as_ref().map(|table| table.as_slice().to_vec()),
        train_holiday_names: document.train_holiday_names.as_ref().map(|names| names.as_slice().to_vec()),
        train_component_cols: document.train_component_cols.as_slice().to_vec(),
        changepoints_t: document.changepoints_t.clone(),
        seasonalities: owned(document.seasonalities.in_order("seasonalities")?),
        extra_regressors: regressors(document.extra_regressors.in_order("extra_regressors")?),
        k: params.k.leaves().to_vec(),
        m: params.m.leaves().to_vec(),
        delta: params.delta.leaves().to_vec(),
        sigma_obs: params.sigma_obs.leaves().to_vec(),
        beta: params.beta.leaves().to_vec(),
        history_rows: document.history_rows(),
    };
    let body = postcard::to_allocvec(&compact).map_err(|error| ReadError::Compact(error.to_string()))?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

pub(super) fn parse(bytes: &[u8]) -> Result<ModelDocument, ReadError> {
    let damaged = || ReadError::Compact("it is cut short or damaged".to_owned());
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let (version, rest) = rest.split_first().ok_or_else(damaged)?;
    if *version != VERSION {
        return Err(ReadError::Compact(format!("it is of version {version}, this library reads {VERSION}")));
    }
    let (checksum, body) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    if crc32fast::hash(body).to_le_bytes() != *checksum {
        return Err(damaged());
    }
    let (compact, rest) =
        postcard::take_from_bytes::<Compact>(body).map_err(|error| ReadError::Compact(error.to_string()))?;
    if !rest.is_empty() {
        return Err(damaged());
    }
    Ok(ModelDocument {
        growth: compact.growth,
        y_scale: compact.y_scale,
        y_min: compact.y_min,
        scaling: compact.scaling,
        logistic_floor: compact.logistic_floor,
        start: compact.start,
        t_scale: compact.t_scale,
        interval_width: compact.interval_width,
        country_holidays: compact.country_holidays,
        country_holiday_dates: compact.country_holiday_dates,
        holidays: compact.holidays.map(Into::into),
        train_holiday_names: compact.train_holiday_names.map(Into::into),
        train_component_cols: compact.train_component_cols.into(),
        changepoints_t: compact.changepoints_t,
        seasonalities: compact.seasonalities.into_iter().collect(),
        extra_regressors: compact.extra_regressors.into_iter().collect(),
        params: Params {
            k: compact.k.into(),
            m: compact.m.into(),
            delta: compact.delta.into(),
            sigma_obs: compact.sigma_obs.into(),
            beta: compact.beta.into(),
        },
        history: None,
        history_rows: compact.history_rows,
    })
}
