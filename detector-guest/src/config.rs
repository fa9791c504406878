//! `detector_config.json`, which the training writes beside the models: how variables are spelled,
//! and two defaults.
//!
//! It has other keys, about training, which mean nothing here and are ignored, whatever Python
//! wrote in them.

use serde::Deserialize;
use serde_json::Value;

use crate::OpenError;
use crate::settings::{interval_width, threshold};

pub(crate) const FILE_NAME: &str = "detector_config.json";

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DetectorConfig {
    pub(crate) threshold: Option<f64>,
    pub(crate) interval_width: Option<f64>,
    /// As the database spells them; file names cannot.
    pub(crate) variables: Vec<String>,
}

#[derive(Deserialize)]
struct Keys {
    anomaly_threshold: Option<Value>,
    interval_width: Option<Value>,
    variables: Option<Vec<String>>,
}

impl DetectorConfig {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, OpenError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let keys: Keys = prophet::from_python_json(json).map_err(|error| in_file(&error))?;
        let number = |key: &str, value: Option<Value>, read: fn(&str, &Value) -> Result<f64, OpenError>| {
            value.map(|value| read(key, &value)).transpose().map_err(|error| in_file(&error))
        };
        Ok(Self {
            threshold: number("anomaly_threshold", keys.anomaly_threshold, threshold)?,
            interval_width: number("interval_width", keys.interval_width, interval_width)?,
            variables: keys.variables.unwrap_or_default(),
        })
    }
}

fn in_file(error: &impl std::fmt::Display) -> OpenError {
    OpenError::Models(format!("`{FILE_NAME}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_training_wrote_is_read() {
        let json = br#"{"interval_width": 0.95, "seasonality_mode": "multiplicative", "anomaly_threshold": 2.5, "variables": ["A/B"]}"#;
        assert_eq!(
            DetectorConfig::parse(json),
            Ok(DetectorConfig {
                threshold: Some(2.5),
                interval_width: Some(0.95),
                variables: vec!["A/B".to_owned()]
            })
        );
        // Measures of the training.
        assert_eq!(
            DetectorConfig::parse(
                br#"{"interval_width": 1, "metrics": {"mape": NaN, "worst": [-Infinity]}}"#
            ),
            Ok(DetectorConfig { interval_width: Some(1.0), ..DetectorConfig::default() })
        );
        assert_eq!(DetectorConfig::parse(b"{}"), Ok(DetectorConfig::default()));
        assert_eq!(
            DetectorConfig::parse(b"\xef\xbb\xbf{\"variables\": null}"),
            Ok(DetectorConfig::default())
        );
    }

    #[test]
    fn a_mistake_names_the_file() {
        for (json, expected) in [
            (&b"{"[..], "`detector_config.json`: EOF while parsing an object at line 1 column 1"),
            (
                br#"{"anomaly_threshold": -1}"#,
                "`detector_config.json`: `anomaly_threshold` is `-1`; write a number above 0, such as `2.0`",
            ),
            (
                br#"{"interval_width": "wide"}"#,
                "`detector_config.json`: `interval_width` is `\"wide\"`; write a number above 0, at most 1, such as `0.95`",
            ),
            (
                br#"{"anomaly_threshold": NaN}"#,
                "`detector_config.json`: `anomaly_threshold` is `\"NaN\"`; write a number above 0, such as `2.0`",
            ),
        ] {
            assert_eq!(DetectorConfig::parse(json), Err(OpenError::Models(expected.to_owned())));
        }
    }
}
