//! The JSON object of `model_to_json`, as far as prediction needs it.
//!
//! Keys that are not named here are skipped without a copy: the training history is a string of
//! megabytes. Keys that versions before 1.1.5 did not write have Prophet's own defaults
//! (`serialize.py`). Numbers are taken as Python writes them, `NaN` and `Infinity` included
//! (`python`); the checks that follow name the key where prediction needs the number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ReadError;
use super::history::rows;
use super::numbers::Numbers;
use super::numbers::{number, numbers, whole};
use super::python;
use super::table::PandasTable;

#[derive(Deserialize)]
pub(super) struct ModelDocument {
    pub(super) growth: String,
    #[serde(deserialize_with = "number")]
    pub(super) y_scale: f64,
    #[serde(default, deserialize_with = "number")]
    pub(super) y_min: f64,
    #[serde(default = "absmax")]
    pub(super) scaling: String,
    #[serde(default)]
    pub(super) logistic_floor: bool,
    /// Seconds since 1970.
    #[serde(deserialize_with = "number")]
    pub(super) start: f64,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    pub(super) t_scale: f64,
    #[serde(deserialize_with = "number")]
    pub(super) interval_width: f64,
    #[serde(default)]
    pub(super) country_holidays: Option<String>,
    /// Written by the export tool, not by Prophet: `[date, name]` of the holidays of
    /// `country_holidays`.
    #[serde(default)]
    pub(super) country_holiday_dates: Option<Vec<(String, String)>>,
    #[serde(default)]
    pub(super) holidays: Option<PandasTable<HolidayRow>>,
    #[serde(default)]
    pub(super) train_holiday_names: Option<PandasTable<String>>,
    pub(super) train_component_cols: PandasTable<ComponentRow>,
    #[serde(deserialize_with = "numbers")]
    pub(super) changepoints_t: Vec<f64>,
    pub(super) seasonalities: OrderedMap<SeasonalityEntry>,
    #[serde(default)]
    pub(super) extra_regressors: OrderedMap<ExtraRegressor>,
    pub(super) params: Params,
    #[serde(default, deserialize_with = "rows")]
    pub(super) history: Option<u64>,
    /// Written by the export tool, which drops `history`.
    #[serde(default)]
    pub(super) history_rows: Option<u64>,
}

fn absmax() -> String {
    "absmax".to_owned()
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SeasonalityEntry {
    /// Days.
    #[serde(deserialize_with = "number")]
    pub(super) period: f64,
    #[serde(deserialize_with = "whole")]
    pub(super) fourier_order: u32,
    pub(super) mode: Option<String>,
    pub(super) condition_name: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct HolidayRow {
    pub(super) holiday: String,
    pub(super) ds: String,
    pub(super) lower_window: Option<f64>,
    pub(super) upper_window: Option<f64>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ExtraRegressor {
    #[serde(deserialize_with = "number")]
    pub(super) mu: f64,
    #[serde(deserialize_with = "number")]
    pub(super) std: f64,
    pub(super) mode: Option<String>,
}

/// A row of `train_component_cols`: what one feature column belongs to.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ComponentRow {
    additive_terms: f64,
    multiplicative_terms: f64,
}

impl ComponentRow {
    pub(super) fn is_additive(&self) -> bool {
        self.additive_terms == 1.0 && self.multiplicative_terms == 0.0
    }

    pub(super) fn is_multiplicative(&self) -> bool {
        self.additive_terms == 0.0 && self.multiplicative_terms == 1.0
    }
}

#[derive(Deserialize)]
pub(super) struct Params {
    pub(super) k: Numbers,
    pub(super) m: Numbers,
    pub(super) delta: Numbers,
    pub(super) sigma_obs: Numbers,
    pub(super) beta: Numbers,
}

/// `[[names in order], {name: value}]`.
#[derive(Deserialize)]
pub(super) struct OrderedMap<T>(Vec<String>, BTreeMap<String, T>);

impl<T> Default for OrderedMap<T> {
    fn default() -> Self {
        Self(Vec::new(), BTreeMap::new())
    }
}

impl<T> FromIterator<(String, T)> for OrderedMap<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(pairs: I) -> Self {
        let mut ordered = Self::default();
        for (name, value) in pairs {
            ordered.0.push(name.clone());
            ordered.1.insert(name, value);
        }
        ordered
    }
}

impl<T> OrderedMap<T> {
    /// Names with their values, in the order of the list, which is the order of the columns.
    pub(super) fn in_order(&self, key: &'static str) -> Result<Vec<(&str, &T)>, ReadError> {
        let value = |name: &String| {
            self.1.get(name).ok_or_else(|| {
                ReadError::invalid(key, format!("the name `{name}` without a value"), "a value for each name")
            })
        };
        self.0.iter().map(|name| Ok((name.as_str(), value(name)?))).collect()
    }
}

impl ModelDocument {
    /// Reads the object; also one that was put into a JSON string, which is what
    /// `json.dump(model_to_json(m), file)` of Prophet's older documentation leaves.
    pub(super) fn parse(json: &[u8]) -> Result<Self, ReadError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json).trim_ascii_start();
        if json.first() == Some(&b'"') {
            let inner: String = serde_json::from_slice(json)?;
            Ok(python::from_slice(inner.as_bytes())?)
        } else {
            Ok(python::from_slice(json)?)
        }
    }

    /// The number of rows of training, if the file tells.
    pub(super) fn history_rows(&self) -> Option<u64> {
        self.history_rows.or(self.history).filter(|rows| *rows > 0)
    }
}
