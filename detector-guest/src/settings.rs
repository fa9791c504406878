//! The settings: one JSON object, in which a mistake is an error that says how to put it right.
//!
//! Precedence: a setting, else `detector_config.json`, else the model's own. What is not set stays
//! `None` here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::OpenError;
use crate::form::nfc;
use crate::plan::{ByName, Plans, Span, WarmUp};

const KEYS: [&str; 11] = [
    "rule",
    "false_alarms",
    "warm_up",
    "normal_after",
    "groups",
    "threshold",
    "interval_width",
    "residual_scale",
    "trend_uncertainty",
    "variables",
    "columns",
];

/// What is expected of a setting of the rule.
const BUDGET: &str = "`\"1 per week\"` (hour, day, week, month or year) or `\"1 per 1000 readings\"`, or an object of variables or \
                      patterns with one each, such as `{\"*\": \"1 per week\", \"P-*\": \"1 per day\"}`";
const SPAN: &str = "a time or a number of readings, such as `\"3 days\"` or `\"600 readings\"`, or an object of variables or \
                    patterns with one each, such as `{\"*\": \"3 days\", \"P-*\": \"600 readings\"}`";

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) rule: RuleKey,
    /// What [`RuleKey::Adaptive`] is told.
    pub(crate) plans: Plans,
    /// Residuals beyond this many scales are high.
    pub(crate) threshold: Option<f64>,
    /// Width of the intervals, above 0 and at most 1.
    pub(crate) interval_width: Option<f64>,
    pub(crate) residual_scale: ResidualScale,
    /// Variables whose model file has another name than theirs would give it: variable to path.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) trend_uncertainty: TrendUncertaintyKey,
    /// Columns that a model needs, where they are not the readings of the variable of that name:
    /// the model's variable to the column's name to what supplies it.
    pub(crate) columns: BTreeMap<String, BTreeMap<String, Supply>>,
}

/// What makes an anomaly of a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RuleKey {
    /// What is rare for this variable, by what was learnt of it.
    #[default]
    Adaptive,
    /// What lies outside the interval or beyond the threshold: what the Python worker does.
    Interval,
}

/// Where the values of a column come from that a model needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Supply {
    /// The readings of this variable.
    Variable(String),
    /// Each value is this one: most logistic models are trained with one capacity.
    Constant(f64),
}

/// What the intervals allow the trend to do after training; see
/// `prophet::interval::TrendUncertainty`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TrendUncertaintyKey {
    /// To go on as it was.
    #[default]
    None,
    /// What Prophet's default call allows it within the batch.
    Batch,
    /// To change at any time.
    Continuous,
}

/// What residuals are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ResidualScale {
    /// The noise that training found.
    #[default]
    Model,
    /// The sample deviation of the variable's residuals in the batch: what the Python worker does.
    Batch,
}

impl Settings {
    /// Reads the object; `{}` is the defaults.
    pub(crate) fn parse(json: &str) -> Result<Self, OpenError> {
        let object: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| OpenError::Settings(format!("the settings are not one JSON object: {error}")))?;
        let mut settings = Self::default();
        for (key, value) in &object {
            match key.as_str() {
                "rule" => {
                    settings.rule = match value.as_str() {
                        Some("adaptive") => RuleKey::Adaptive,
                        Some("interval") => RuleKey::Interval,
                        _ => return Err(OpenError::setting(key, value, "`\"adaptive\"` or `\"interval\"`")),
                    };
                }
                "false_alarms" => {
                    let usual = settings.plans.of("").false_alarms;
                    settings.plans.false_alarms =
                        ByName::parse(key, value, usual, BUDGET, |text| text.parse().ok())?;
                }
                "warm_up" => {
                    let read = |text: &str| Span::parse(text).map(WarmUp::of);
                    settings.plans.warm_up = ByName::parse(key, value, WarmUp::USUAL, SPAN, read)?;
                }
                "normal_after" => {
                    let read = |text: &str| Span::parse(text).map(Some);
                    settings.plans.normal_after = ByName::parse(key, value, None, SPAN, read)?;
                }
                "groups" => settings.plans.group = groups(key, value)?,
                "threshold" => settings.threshold = Some(threshold(key, value)?),
                "interval_width" => settings.interval_width = Some(interval_width(key, value)?),
                "residual_scale" => {
                    settings.residual_scale = match value.as_str() {
                        Some("model") => ResidualScale::Model,
                        Some("batch") => ResidualScale::Batch,
                        _ => return Err(OpenError::setting(key, value, "`\"model\"` or `\"batch\"`")),
                    };
                }
                "trend_uncertainty" => {
                    settings.trend_uncertainty = match value.as_str() {
                        Some("none") => TrendUncertaintyKey::None,
                        Some("batch") => TrendUncertaintyKey::Batch,
                        Some("continuous") => TrendUncertaintyKey::Continuous,
                        _ => {
                            return Err(OpenError::setting(
                                key,
                                value,
                                "`\"none\"`, `\"batch\"` or `\"continuous\"`",
                            ));
                        }
                    };
                }
                "variables" => settings.variables = variables(key, value)?,
                "columns" => settings.columns = columns(key, value)?,
                unknown => return Err(OpenError::Settings(unknown_key(unknown))),
            }
        }
        Ok(settings)
    }
}

/// A number above 0.
pub(crate) fn threshold(key: &str, value: &Value) -> Result<f64, OpenError> {
    match value.as_f64() {
        Some(number) if number > 0.0 => Ok(number),
        _ => Err(OpenError::setting(key, value, "a number above 0, such as `2.0`")),
    }
}

/// A number above 0, at most 1.
pub(crate) fn interval_width(key: &str, value: &Value) -> Result<f64, OpenError> {
    match value.as_f64() {
        Some(number) if prophet::interval::level(number).is_some() => Ok(number),
        _ => Err(OpenError::setting(key, value, "a number above 0, at most 1, such as `0.95`")),
    }
}

/// Which group a variable is judged with, by the patterns of the groups.
fn groups(key: &str, value: &Value) -> Result<ByName<Option<String>>, OpenError> {
    let expected = "an object of groups, each with its variables or patterns, such as `{\"pump 1\": [\"P1-*\", \"FLOW 1\"]}`";
    let wrong = || OpenError::setting(key, value, expected);
    let mut by_pattern = BTreeMap::<String, String>::new();
    for (group, patterns) in value.as_object().ok_or_else(wrong)? {
        let one = std::slice::from_ref(patterns);
        for pattern in patterns.as_array().map_or(one, Vec::as_slice) {
            let pattern = nfc(pattern.as_str().ok_or_else(wrong)?).into_owned();
            if let Some(other) =
                by_pattern.insert(pattern.clone(), group.clone()).filter(|other| other != group)
            {
                return Err(OpenError::Settings(format!(
                    "`{key}`: `{pattern}` is of `{other}` and of `{group}`; a variable is judged with one group"
                )));
            }
        }
    }
    let named = by_pattern.into_iter().map(|(pattern, group)| (pattern, Some(group))).collect();
    Ok(ByName::by_pattern(None, named))
}

fn variables(key: &str, value: &Value) -> Result<BTreeMap<String, String>, OpenError> {
    let expected =
        "an object of variables and their model files, such as `{\"TEMP 3\": \"prophet_model_T3.json\"}`";
    let pairs = value.as_object().ok_or_else(|| OpenError::setting(key, value, expected))?;
    let pair = |(variable, path): (&String, &Value)| match path.as_str() {
        Some(path) => Ok((nfc(variable).into_owned(), path.to_owned())),
        None => Err(OpenError::setting(key, value, expected)),
    };
    pairs.iter().map(pair).collect()
}

fn columns(key: &str, value: &Value) -> Result<BTreeMap<String, BTreeMap<String, Supply>>, OpenError> {
    let expected = "an object of variables, what their models call a column, and the variable or the number that supplies it, \
                    such as `{\"TEMP 3\": {\"load\": \"POWER/MW\", \"cap\": 30.0}}`";
    let wrong = || OpenError::setting(key, value, expected);
    let mut columns = BTreeMap::new();
    for (variable, names) in value.as_object().ok_or_else(wrong)? {
        let mut sources = BTreeMap::new();
        for (name, source) in names.as_object().ok_or_else(wrong)? {
            let supply = match source {
                Value::String(variable) => Supply::Variable(nfc(variable).into_owned()),
                Value::Number(number) => Supply::Constant(number.as_f64().ok_or_else(wrong)?),
                _ => return Err(wrong()),
            };
            sources.insert(nfc(name).into_owned(), supply);
        }
        columns.insert(nfc(variable).into_owned(), sources);
    }
    Ok(columns)
}

fn unknown_key(key: &str) -> String {
    let known = format!("`{}`", KEYS.join("`, `"));
    let nearest = KEYS.into_iter().max_by(|a, b| strsim::jaro(key, a).total_cmp(&strsim::jaro(key, b)));
    match nearest.filter(|nearest| strsim::jaro(key, nearest) > 0.7) {
        Some(nearest) => {
            format!("`{key}` is no setting of this detector; did you mean `{nearest}`? It knows {known}")
        }
        None => format!("`{key}` is no setting of this detector; it knows {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read() {
        assert_eq!(Settings::parse("{}"), Ok(Settings::default()));
        let json = r#"{"threshold": 3, "interval_width": 0.9, "residual_scale": "batch", "trend_uncertainty": "batch",
            "variables": {"A/B": "x.json"}, "columns": {"A/B": {"load": "P/MW", "cap": 30, "floor": -1.5}}}"#;
        assert_eq!(
            Settings::parse(json),
            Ok(Settings {
                rule: RuleKey::Adaptive,
                plans: Plans::default(),
                threshold: Some(3.0),
                interval_width: Some(0.9),
                residual_scale: ResidualScale::Batch,
                trend_uncertainty: TrendUncertaintyKey::Batch,
                variables: BTreeMap::from([("A/B".to_owned(), "x.json".to_owned())]),
                columns: BTreeMap::from([(
                    "A/B".to_owned(),
                    BTreeMap::from([
                        ("load".to_owned(), Supply::Variable("P/MW".to_owned())),
                        ("cap".to_owned(), Supply::Constant(30.0)),
                        ("floor".to_owned(), Supply::Constant(-1.5)),
                    ])
                )]),
            })
        );
    }

    #[test]
    fn a_mistake_is_named_with_what_would_be_right() {
        let known = "`rule`, `false_alarms`, `warm_up`, `normal_after`, `groups`, `threshold`, `interval_width`, \
                     `residual_scale`, `trend_uncertainty`, `variables`, `columns`";
        for (json, expected) in [
            ("", "the settings are not one JSON object: EOF while parsing a value at line 1 column 0"),
            (
                "[]",
                "the settings are not one JSON object: invalid type: sequence, expected a map at line 1 column 0",
            ),
            (
                r#"{"treshold": 2}"#,
                &format!(
                    "`treshold` is no setting of this detector; did you mean `threshold`? It knows {known}"
                ),
            ),
            (r#"{"zzz": 2}"#, &format!("`zzz` is no setting of this detector; it knows {known}")),
            (r#"{"threshold": "2"}"#, "`threshold` is `\"2\"`; write a number above 0, such as `2.0`"),
            (r#"{"threshold": 0}"#, "`threshold` is `0`; write a number above 0, such as `2.0`"),
            (
                r#"{"interval_width": 95}"#,
                "`interval_width` is `95`; write a number above 0, at most 1, such as `0.95`",
            ),
            (r#"{"rule": "both"}"#, "`rule` is `\"both\"`; write `\"adaptive\"` or `\"interval\"`"),
            (
                r#"{"false_alarms": {"P-*": "seldom"}}"#,
                "`false_alarms` is `\"seldom\"`; write `\"1 per week\"` (hour, day, week, month or year) or \
                 `\"1 per 1000 readings\"`, or an object of variables or patterns with one each, such as \
                 `{\"*\": \"1 per week\", \"P-*\": \"1 per day\"}`",
            ),
            (
                r#"{"warm_up": 3}"#,
                "`warm_up` is `3`; write a time or a number of readings, such as `\"3 days\"` or `\"600 readings\"`, or an \
                 object of variables or patterns with one each, such as `{\"*\": \"3 days\", \"P-*\": \"600 readings\"}`",
            ),
            (
                r#"{"groups": {"pump": 7}}"#,
                "`groups` is `{\"pump\":7}`; write an object of groups, each with its variables or patterns, such as \
                 `{\"pump 1\": [\"P1-*\", \"FLOW 1\"]}`",
            ),
            (
                r#"{"groups": {"A": ["P-*", "Q"], "B": "P-*"}}"#,
                "`groups`: `P-*` is of `A` and of `B`; a variable is judged with one group",
            ),
            (
                r#"{"residual_scale": "mean"}"#,
                "`residual_scale` is `\"mean\"`; write `\"model\"` or `\"batch\"`",
            ),
            (
                r#"{"trend_uncertainty": true}"#,
                "`trend_uncertainty` is `true`; write `\"none\"`, `\"batch\"` or `\"continuous\"`",
            ),
            (
                r#"{"columns": {"A": "B"}}"#,
                "`columns` is `{\"A\":\"B\"}`; write an object of variables, what their models call a column, and the \
                 variable or the number that supplies it, such as `{\"TEMP 3\": {\"load\": \"POWER/MW\", \"cap\": 30.0}}`",
            ),
            (
                r#"{"columns": {"A": {"cap": null}}}"#,
                "`columns` is `{\"A\":{\"cap\":null}}`; write an object of variables, what their models call a column, and the \
                 variable or the number that supplies it, such as `{\"TEMP 3\": {\"load\": \"POWER/MW\", \"cap\": 30.0}}`",
            ),
            (
                r#"{"variables": ["A"]}"#,
                "`variables` is `[\"A\"]`; write an object of variables and their model files, such as \
                 `{\"TEMP 3\": \"prophet_model_T3.json\"}`",
            ),
        ] {
            assert_eq!(Settings::parse(json), Err(OpenError::Settings(expected.to_owned())), "{json}");
        }
    }
}
