//! The JSON object of `model_to_json`, as far as prediction needs it.
//!
//! Keys that are not named here are skipped without a copy: the training history is a string of megabytes. Keys that
//! versions before 1.1.5 did not write have Prophet's own defaults (`serialize.py`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::ReadError;
use super::numbers::Numbers;
use super::table::Table;

#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) growth: String,
    pub(super) y_scale: f64,
    #[serde(default)]
    pub(super) y_min: f64,
    #[serde(default = "absmax")]
    pub(super) scaling: String,
    /// Seconds since 1970.
    pub(super) start: f64,
    /// Seconds.
    pub(super) t_scale: f64,
    pub(super) interval_width: f64,
    #[serde(default)]
    pub(super) country_holidays: Option<String>,
    #[serde(default)]
    pub(super) holidays: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) train_holiday_names: Option<IgnoredAny>,
    pub(super) train_component_cols: Table<Component>,
    pub(super) changepoints_t: Vec<f64>,
    pub(super) seasonalities: Ordered<Season>,
    #[serde(default)]
    pub(super) extra_regressors: Ordered<IgnoredAny>,
    pub(super) params: Params,
}

fn absmax() -> String {
    "absmax".to_owned()
}

#[derive(Deserialize)]
pub(super) struct Season {
    /// Days.
    pub(super) period: f64,
    pub(super) fourier_order: u32,
    pub(super) mode: Option<String>,
    pub(super) condition_name: Option<String>,
}

/// A row of `train_component_cols`: what one feature column belongs to.
#[derive(Deserialize)]
pub(super) struct Component {
    additive_terms: f64,
    multiplicative_terms: f64,
}

impl Component {
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
pub(super) struct Ordered<T>(Vec<String>, BTreeMap<String, T>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new(), BTreeMap::new())
    }
}

impl<T> Ordered<T> {
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

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

impl Document {
    /// Reads the object; also one that was put into a JSON string, which is what `json.dump(model_to_json(m), file)` of
    /// Prophet's older documentation leaves.
    pub(super) fn parse(json: &[u8]) -> Result<Self, ReadError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json).trim_ascii_start();
        if json.first() == Some(&b'"') {
            let inner: String = serde_json::from_slice(json)?;
            Ok(serde_json::from_str(&inner)?)
        } else {
            Ok(serde_json::from_slice(json)?)
        }
    }
}
