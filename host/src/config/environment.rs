//! Environment variables, which override the file: `ANOMALY_WORKER_INTERVAL` is `interval` of
//! `[worker]`.
//!
//! `ANOMALY_DETECTOR_SETTINGS_THRESHOLD` is `threshold` of `[detector.settings]`: names of settings
//! are in lower case there. `ANOMALY_ALERTS_MAIL_PASSWORD` is `password` of `[alerts.mail]`, a
//! table that must be in the file. A variable of that prefix which means nothing is a warning only,
//! because it may be another program's.

use std::ffi::OsString;

use super::error::{ConfigError, KeyLocation, found};
use super::file::setting;
use super::keys::{ConfigKey, KEYS, nearest};
use super::value::Given;
use super::{Config, alerts};

const PREFIX: &str = "ANOMALY_";
const SETTINGS: &str = "ANOMALY_DETECTOR_SETTINGS_";

fn variable(key: &ConfigKey) -> String {
    format!("{PREFIX}{}_{}", key.section, key.name).to_uppercase()
}

/// Applies the variables; returns a sentence for each variable that is unknown.
pub(super) fn apply(
    config: &mut Config,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<String>, ConfigError> {
    let mut warnings = Vec::new();
    for (variable_name, value) in environment {
        let name = variable_name.to_string_lossy();
        // Windows keeps the case of a variable's name and ignores it.
        let name = if cfg!(windows) { name.to_uppercase() } else { name.into_owned() };
        if !name.starts_with(PREFIX) {
            continue;
        }
        let key = KEYS.iter().find(|key| variable(key) == name);
        let own = name.strip_prefix(SETTINGS).filter(|rest| !rest.is_empty());
        let of_channel = alerts::variable(&mut config.alerts, &name);
        if key.is_none() && own.is_none() && of_channel.is_none() {
            warnings.push(unknown(&name));
            continue;
        }
        let wrong = |what| ConfigError::Wrong { place: KeyLocation::Variable(name.clone()), what };
        let Some(text) = value.to_str() else {
            return Err(wrong("is not UTF-8 text".to_owned()));
        };
        if let (None, Some((channel, key))) = (key, of_channel) {
            channel.set(key, &Given::Text(text), text).map_err(wrong)?;
            continue;
        }
        match (key, own) {
            (Some(key), _) => (key.set)(config, &Given::Text(text))
                .map_err(|allowed| wrong(format!("is `{}`; it must be {allowed}", key.found(text))))?,
            (None, Some(own)) => drop(config.detector.settings.insert(own.to_lowercase(), setting(text))),
            (None, None) => {}
        }
    }
    warnings.sort();
    Ok(warnings)
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = KEYS.iter().map(variable).collect();
    let lower: Vec<_> = known.iter().map(|known| known.to_lowercase()).collect();
    let hint = match nearest(name, &lower) {
        Some(near) => format!("; did you mean `{}`?", near.to_uppercase()),
        None => String::new(),
    };
    format!("environment variable `{}` means nothing here{hint}", found(name))
}
