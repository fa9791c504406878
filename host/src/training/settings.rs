//! The settings of training: one JSON object for all variables, which may hold others for single
//! variables.
//!
//! Pure. The host passes the detector's own keys on as they are. It reads two keys itself:
//! `variables`, whose object for a variable is merged over the one for all; and `columns`, which
//! says what supplies each column, another variable or a number. Wrong settings are refused before
//! a training begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// What supplies a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Supply {
    Variable(Arc<str>),
    Number(f64),
}

/// Settings by variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    all: Map<String, Value>,
    variables: Map<String, Value>,
}

impl Settings {
    /// The settings of the usual training script, as far as there is enough data: daily seasonality
    /// from two days on, weekly seasonality from two weeks on.
    pub fn usual() -> Self {
        let all = json!({
            "prophet": {
                "interval_width": 0.95,
                "seasonality_mode": "multiplicative",
                "daily_seasonality": "auto",
                "weekly_seasonality": "auto",
                "yearly_seasonality": false,
            }
        });
        match all {
            Value::Object(all) => Self { all, variables: Map::new() },
            _ => Self::default(),
        }
    }

    /// # Errors
    /// It is not one JSON object, or `variables` is not an object of objects.
    pub fn parse(json: &[u8]) -> Result<Self, SettingsError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let mut all: Map<String, Value> = serde_json::from_slice(json)
            .map_err(|error| SettingsError(format!("it is not one JSON object: {error}")))?;
        let variables = match all.remove("variables") {
            None => Map::new(),
            Some(Value::Object(variables)) if variables.values().all(Value::is_object) => variables,
            Some(_) => {
                return Err(SettingsError(
                    r#"`variables` must hold an object for each name, as in {"T1": {"prophet": {"growth": "flat"}}}"#.into(),
                ));
            }
        };
        let settings = Self { all, variables };
        for own in
            std::iter::once(&settings.all).chain(settings.variables.values().filter_map(Value::as_object))
        {
            supplies(own)?;
        }
        Ok(settings)
    }

    /// Sets one key for all variables.
    pub fn set(&mut self, key: &str, value: Value) {
        self.all.insert(key.to_owned(), value);
    }

    /// Sets one key for all variables, unless it is set.
    pub fn set_unless_said(&mut self, key: &str, value: Value) {
        self.all.entry(key).or_insert(value);
    }

    /// Those of one variable, as its detector is given them.
    pub fn of(&self, variable: &str) -> String {
        let mut settings = self.laid(variable);
        settings.remove(COLUMNS);
        Value::Object(settings).to_string()
    }

    /// What supplies its columns, by their names.
    pub fn columns(&self, variable: &str) -> BTreeMap<String, Supply> {
        // `parse` has refused what cannot be read.
        supplies(&self.laid(variable)).unwrap_or_default()
    }

    /// All variables that supply a column.
    pub fn suppliers(&self) -> BTreeSet<Arc<str>> {
        let own = self.variables.values().filter_map(Value::as_object);
        let supplies =
            std::iter::once(&self.all).chain(own).flat_map(|own| supplies(own).unwrap_or_default());
        supplies
            .filter_map(|(_, supply)| match supply {
                Supply::Variable(name) => Some(name),
                Supply::Number(_) => None,
            })
            .collect()
    }

    fn laid(&self, variable: &str) -> Map<String, Value> {
        let mut settings = Value::Object(self.all.clone());
        if let Some(own) = self.variables.get(variable) {
            lay_over(&mut settings, own);
        }
        match settings {
            Value::Object(settings) => settings,
            _ => Map::new(),
        }
    }
}

/// The key that the host reads itself.
const COLUMNS: &str = "columns";

fn supplies(settings: &Map<String, Value>) -> Result<BTreeMap<String, Supply>, SettingsError> {
    let wrong = || {
        SettingsError(
            r#"`columns` must hold for each column the variable or the number that supplies it, as in {"load": "POWER/MW", "cap": 30}"#
                .into(),
        )
    };
    let Some(columns) = settings.get(COLUMNS) else { return Ok(BTreeMap::new()) };
    let columns = columns.as_object().ok_or_else(wrong)?;
    let supply = |(column, value): (&String, &Value)| {
        let supply = match value {
            Value::String(name) => Supply::Variable(name.as_str().into()),
            value => Supply::Number(value.as_f64().ok_or_else(wrong)?),
        };
        Ok((column.clone(), supply))
    };
    columns.iter().map(supply).collect()
}

/// Merges objects key by key; any other value replaces the one below it.
fn lay_over(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_variable_goes_over_what_is_said_of_all() {
        let json = br#"{"prophet": {"growth": "linear", "n_changepoints": 5}, "seasonalities": [1],
            "variables": {"T1": {"prophet": {"growth": "flat"}, "seasonalities": []}}}"#;
        let mut settings = Settings::parse(json).unwrap_or_default();
        settings.set("method", "optimum".into());
        let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_default();
        assert_eq!(
            parsed(settings.of("T1")),
            json!({"method": "optimum", "prophet": {"growth": "flat", "n_changepoints": 5}, "seasonalities": []})
        );
        assert_eq!(
            parsed(settings.of("T2")),
            json!({"method": "optimum", "prophet": {"growth": "linear", "n_changepoints": 5}, "seasonalities": [1]})
        );
        for bad in [
            &b"[]"[..],
            b"{",
            br#"{"variables": []}"#,
            br#"{"variables": {"T1": 1}}"#,
            br#"{"columns": 7}"#,
            br#"{"variables": {"T1": {"columns": {"cap": true}}}}"#,
        ] {
            assert!(Settings::parse(bad).is_err());
        }
    }

    #[test]
    fn columns_are_the_hosts_and_name_who_supplies_them() {
        let json = br#"{"growth": 1, "columns": {"load": "POWER", "cap": 30},
            "variables": {"T1": {"columns": {"cap": 40.5, "heat": "T2"}}}}"#;
        let settings = Settings::parse(json).unwrap_or_default();
        assert_eq!(settings.of("T1"), r#"{"growth":1}"#);
        let variable = |name: &str| Supply::Variable(name.into());
        let columns = |variable: &str| settings.columns(variable).into_iter().collect::<Vec<_>>();
        let named = |columns: &[(&str, Supply)]| {
            columns.iter().map(|(name, supply)| ((*name).to_owned(), supply.clone())).collect::<Vec<_>>()
        };
        assert_eq!(columns("T9"), named(&[("cap", Supply::Number(30.0)), ("load", variable("POWER"))]));
        assert_eq!(
            columns("T1"),
            named(&[("cap", Supply::Number(40.5)), ("heat", variable("T2")), ("load", variable("POWER"))])
        );
        assert_eq!(settings.suppliers(), ["POWER", "T2"].map(Arc::from).into());
    }
}
