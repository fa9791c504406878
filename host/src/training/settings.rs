//! Settings of training: one JSON object for all variables, and beside it what is other for some.
//!
//! Pure. The host knows the detector's own keys no better than those of judging; it takes out
//! `variables` and lays the object of a variable over the one for all.

use serde_json::{Map, Value, json};

/// What is not what settings must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// Settings by variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    all: Map<String, Value>,
    variables: Map<String, Value>,
}

impl Settings {
    /// What the script does that people train with today, as far as the data bears it: a weekly
    /// season from two weeks on, a daily one from two days on.
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
        Ok(Self { all, variables })
    }

    /// One key for all variables.
    pub fn set(&mut self, key: &str, value: Value) {
        self.all.insert(key.to_owned(), value);
    }

    /// Those of one variable.
    pub fn of(&self, variable: &str) -> String {
        let mut settings = Value::Object(self.all.clone());
        if let Some(own) = self.variables.get(variable) {
            lay_over(&mut settings, own);
        }
        settings.to_string()
    }
}

/// Objects are laid over each other key by key; anything else takes the place of what was there.
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
        for bad in [&b"[]"[..], b"{", br#"{"variables": []}"#, br#"{"variables": {"T1": 1}}"#] {
            assert!(Settings::parse(bad).is_err());
        }
    }
}
