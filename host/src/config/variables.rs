//! `[variables."TEMP*"]`: the settings of the variables that a pattern matches.
//!
//! Tables of one section each, in any order: for each key the most specific pattern that sets it
//! counts ([`VariableRules`]).

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use super::error::found;
use super::keys::nearest;
use super::value::{Allowed, Given, Literal, duration, whole};
use crate::episode::{PatternSettings, Priority, Side, StateDelay, VariableRules, WeeklyWindow};

/// The section.
pub(super) const SECTION: &str = "variables";

/// Patterns with their settings, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VariablesSection(pub Vec<(String, PatternSettings)>);

impl VariablesSection {
    /// The settings of each variable.
    pub fn rules(&self) -> VariableRules {
        VariableRules::new(self.0.iter().cloned())
    }
}

/// One key of a pattern.
pub(super) struct VariableKey {
    pub(super) name: &'static str,
    pub(super) set: fn(&mut PatternSettings, &Given<'_>) -> Result<(), Allowed>,
    /// As TOML; None if it is not set.
    show: fn(&PatternSettings) -> Option<String>,
}

macro_rules! keys {
    ($($name:ident = $read:expr, $show:expr;)*) => {
        pub(super) const KEYS: &[VariableKey] = &[$(VariableKey {
            name: stringify!($name),
            set: |settings, given| {
                settings.$name = Some($read(given)?);
                Ok(())
            },
            show: |settings| settings.$name.as_ref().map($show),
        }),*];
    };
}

keys! {
    direction = word(Side::ALL), quoted;
    minimum_deviation = deviation, ToString::to_string;
    on_delay = whole(1..=100_000), ToString::to_string;
    off_delay = whole(1..=100_000), ToString::to_string;
    priority = word(Priority::ALL), quoted;
    unit = line, super::value::Literal::literal;
    description = line, super::value::Literal::literal;
    silent_after = after, show_after;
    stuck_after = after, show_after;
    shelved = windows, |windows: &Vec<WeeklyWindow>| {
        let windows: Vec<String> = windows.iter().map(quoted).collect();
        format!("[{}]", windows.join(", "))
    };
}

/// The key of this name, or the most similar one.
pub(super) fn key(written: &str) -> Result<&'static VariableKey, String> {
    let names = || KEYS.iter().map(|key| key.name);
    KEYS.iter().find(|key| key.name == written).ok_or_else(|| match nearest(written, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            format!("its keys are {}", names.join(", "))
        }
    })
}

/// Which texts are patterns.
pub(super) fn pattern(written: &str) -> Result<String, String> {
    let text = written.trim();
    let is_one = !text.is_empty() && text.chars().count() <= 100 && !text.contains(char::is_control);
    if is_one {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{}` is no pattern of variables; it must be a name of 1 to 100 characters, in which `*` stands for any characters and \
         `?` for one",
        found(written)
    ))
}

fn quoted(text: &impl fmt::Display) -> String {
    text.to_string().literal()
}

fn text<'a>(given: &Given<'a>) -> Option<&'a str> {
    match given {
        Given::Toml(value) => value.as_str(),
        Given::Text(text) => Some(text),
    }
}

fn word<T: Copy>(all: &'static [(&'static str, T)]) -> impl Fn(&Given<'_>) -> Result<T, Allowed> {
    move |given| {
        let written = text(given).unwrap_or_default().trim();
        all.iter().find(|(word, _)| *word == written).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = all.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            words.join(" or ")
        })
    }
}

fn deviation(given: &Given<'_>) -> Result<f64, Allowed> {
    let number = match given {
        Given::Toml(DeValue::Float(number)) => number.as_str().replace('_', "").parse().ok(),
        Given::Toml(DeValue::Integer(number)) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(|number| i32::try_from(number).ok())
            .map(f64::from),
        Given::Toml(_) => None,
        Given::Text(text) => text.trim().parse().ok(),
    };
    number
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| "a number that is not negative, in the variable's unit".to_owned())
}

fn line(given: &Given<'_>) -> Result<String, Allowed> {
    text(given)
        .filter(|text| text.chars().count() <= 500 && !text.contains(char::is_control))
        .map(|text| text.trim().to_owned())
        .ok_or_else(|| "a text of one line".to_owned())
}

fn after(given: &Given<'_>) -> Result<StateDelay, Allowed> {
    match text(given).map(str::trim) {
        Some("learnt") => Ok(StateDelay::Learnt),
        Some("off") => Ok(StateDelay::Never),
        _ => duration("1s", "365days")(given)
            .map(StateDelay::Set)
            .map_err(|allowed| format!("{allowed}; or \"learnt\", or \"off\"")),
    }
}

fn show_after(after: &StateDelay) -> String {
    match after {
        StateDelay::Learnt => "\"learnt\"".to_owned(),
        StateDelay::Never => "\"off\"".to_owned(),
        StateDelay::Set(after) => quoted(&humantime::format_duration(Duration::from_secs(after.as_secs()))),
    }
}

fn windows(given: &Given<'_>) -> Result<Vec<WeeklyWindow>, Allowed> {
    let allowed = || format!("a list of {}", WeeklyWindow::ALLOWED);
    let Given::Toml(DeValue::Array(items)) = given else { return Err(allowed()) };
    let window = |text: Option<&str>| text.and_then(|text| text.parse().ok()).ok_or_else(allowed);
    items.iter().map(|item| window(item.get_ref().as_str())).collect()
}

/// The section as TOML.
pub(super) fn write(section: &VariablesSection, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (pattern, settings) in &section.0 {
        writeln!(f, "\n[{SECTION}.{}]", pattern.literal())?;
        for key in KEYS {
            if let Some(value) = (key.show)(settings) {
                writeln!(f, "{} = {value}", key.name)?;
            }
        }
    }
    Ok(())
}
