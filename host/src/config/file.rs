//! The TOML file over the defaults.
//!
//! An unknown key is an error, because a mistyped one would otherwise leave the default in place
//! unnoticed. `[detector.settings]` is passed on as JSON and not interpreted.

use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{ConfigError, KeyLocation, found};
use super::keys::{self, KEYS, SETTINGS, nearest};
use super::value::{Given, integer};
use super::{Config, alerts, channel, variables};
use crate::episode::PatternSettings;
use crate::regular;

pub(super) fn apply(config: &mut Config, file: &Path) -> Result<(), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    let bytes = regular::read_small(file).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => ConfigFile { file, text: &text }.apply(config),
        Err(error) => {
            let valid =
                String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
            let document = ConfigFile { file, text: &valid };
            Err(document.wrong(valid.len(), "this is not UTF-8 text; save the file as UTF-8"))
        }
    }
}

/// A file's name and text, for the places of errors.
struct ConfigFile<'a> {
    file: &'a Path,
    text: &'a str,
}

type FileEntry<'t, 'a> = (&'t Spanned<DeString<'a>>, &'t Spanned<DeValue<'a>>);

/// The entries of a table as the file has them; the map sorts them by name.
fn entries<'t, 'a>(table: &'t DeTable<'a>) -> Vec<FileEntry<'t, 'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

impl ConfigFile<'_> {
    fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| self.malformed(&error))?;
        for (section, value) in entries(table.get_ref()) {
            match value.get_ref().as_table() {
                Some(table) if section.get_ref() == variables::SECTION => self.variables(config, table)?,
                Some(table) if keys::sections().contains(&section.get_ref().as_ref()) => {
                    self.section(config, section.get_ref(), table)?;
                }
                _ => return Err(self.no_section(section, value.get_ref())),
            }
        }
        Ok(())
    }

    /// The error's own form prints the line at fault, which may hold a password; its message does
    /// not.
    fn malformed(&self, error: &toml::de::Error) -> ConfigError {
        let at = error.span().unwrap_or_default().start;
        let place = KeyLocation::column(self.file, self.text, at);
        let rest_of_line = self.text.get(at.saturating_sub(1)..).unwrap_or_default().lines().next();
        let backslash = rest_of_line.is_some_and(|rest| rest.contains('\\'));
        let hint = if backslash { "; a path with `\\` stands in single quotes" } else { "" };
        ConfigError::Wrong { place, what: format!("this is not TOML: {}{hint}", error.message()) }
    }

    fn section(&self, config: &mut Config, section: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in entries(table) {
            if (section, name.get_ref().as_ref()) == SETTINGS {
                config.detector.settings = self.settings(value)?;
                continue;
            }
            if let (alerts::SECTION, None, Some(channel)) =
                (section, keys::find(section, name.get_ref()), value.get_ref().as_table())
            {
                self.channel(config, name, channel)?;
                continue;
            }
            let key = keys::find(section, name.get_ref()).ok_or_else(|| self.no_key(section, name))?;
            (key.set)(config, &Given::Toml(value.get_ref())).map_err(|allowed| {
                let written = self.text.get(value.span()).unwrap_or_default();
                let (found, hint) = (key.found(written), escaped(value.get_ref(), written));
                self.wrong(
                    value.span().start,
                    &format!("`{section}.{}` is `{found}`; it must be {allowed}{hint}", key.name),
                )
            })?;
        }
        Ok(())
    }

    /// A table `[alerts.NAME]`.
    fn channel(
        &self,
        config: &mut Config,
        name: &Spanned<DeString<'_>>,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        let at_name = |what: String| self.wrong(name.span().start, &what);
        let kind =
            table.iter().find(|(key, _)| key.get_ref() == alerts::KIND).map(|(_, value)| value.get_ref());
        let channel = alerts::add(&mut config.alerts, name.get_ref(), kind).map_err(at_name)?;
        for (key, value) in entries(table) {
            let written = key.get_ref();
            let known = channel::key(written).map_err(|hint| {
                let what = format!("`[alerts.{}]` has no key `{}`; {hint}", channel.name, found(written));
                self.wrong(key.span().start, &what)
            })?;
            let text = self.text.get(value.span()).unwrap_or_default();
            let given = Given::Toml(value.get_ref());
            channel.set(known, &given, text).map_err(|what| {
                let hint = escaped(value.get_ref(), text);
                let what = format!("`alerts.{}.{}` {what}{hint}", channel.name, known.name);
                self.wrong(value.span().start, &what)
            })?;
        }
        Ok(())
    }

    /// The tables `[variables."PATTERN"]`.
    fn variables(&self, config: &mut Config, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in entries(table) {
            let at_name = |what: String| self.wrong(name.span().start, &what);
            let pattern = variables::pattern(name.get_ref()).map_err(at_name)?;
            let shown = found(&pattern);
            let Some(keys) = value.get_ref().as_table() else {
                let what = format!(
                    "`{shown}` stands in `[variables]`, where only patterns do; write `[variables.\"TEMP*\"]` above it"
                );
                return Err(at_name(what));
            };
            let mut settings = PatternSettings::default();
            for (name, value) in entries(keys) {
                let key = variables::key(name.get_ref()).map_err(|hint| {
                    let what =
                        format!("`[variables.\"{shown}\"]` has no key `{}`; {hint}", found(name.get_ref()));
                    self.wrong(name.span().start, &what)
                })?;
                (key.set)(&mut settings, &Given::Toml(value.get_ref())).map_err(|allowed| {
                    let written = found(self.text.get(value.span()).unwrap_or_default());
                    let what = format!(
                        "`{}` of `[variables.\"{shown}\"]` is `{written}`; it must be {allowed}",
                        key.name
                    );
                    self.wrong(value.span().start, &what)
                })?;
            }
            config.variables.0.push((pattern, settings));
        }
        Ok(())
    }

    fn no_key(&self, section: &str, name: &Spanned<DeString<'_>>) -> ConfigError {
        let written = name.get_ref();
        let of_section = || KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
        let elsewhere = KEYS.iter().find(|key| key.name == written.as_ref());
        let hint = match (nearest(written, of_section()), elsewhere) {
            (_, Some(key)) => format!("did you mean `{}` in `[{}]`?", key.name, key.section),
            (Some(near), None) => format!("did you mean `{near}`?"),
            (None, None) => format!("its keys are {}", list(of_section())),
        };
        self.wrong(name.span().start, &format!("`[{section}]` has no key `{}`; {hint}", found(written)))
    }

    fn no_section(&self, name: &Spanned<DeString<'_>>, value: &DeValue<'_>) -> ConfigError {
        let written = name.get_ref();
        let (at, shown) = (name.span().start, found(written));
        let near = nearest(written, keys::sections());
        if value.is_table() {
            let hint = match near {
                Some(near) => format!("did you mean `[{near}]`?"),
                None => format!("the sections are {}", list(keys::sections())),
            };
            return self.wrong(at, &format!("there is no section `[{shown}]`; {hint}"));
        }
        let key = KEYS.iter().find(|key| key.name == written.as_ref());
        let hint = match (key, near) {
            (Some(key), _) => format!("put it below `[{}]`", key.section),
            (None, Some(near)) => format!("if you mean the section, write `[{near}]`"),
            (None, None) => format!("the sections are {}", list(keys::sections())),
        };
        self.wrong(at, &format!("`{shown}` stands outside the sections; {hint}"))
    }

    fn settings(&self, value: &Spanned<DeValue<'_>>) -> Result<Map<String, Value>, ConfigError> {
        match self.json("detector.settings", value)? {
            Value::Object(settings) => Ok(settings),
            _ => {
                let found = found(self.text.get(value.span()).unwrap_or_default());
                let what =
                    format!("`detector.settings` is `{found}`; it must be a table: `[detector.settings]`");
                Err(self.wrong(value.span().start, &what))
            }
        }
    }

    /// A TOML value as JSON: datetimes become text; values that JSON does not have are refused.
    fn json(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, ConfigError> {
        let inner = |name: &str, value| self.json(&format!("{key}.{name}"), value);
        let number = match value.get_ref() {
            DeValue::String(text) => return Ok(text.as_ref().into()),
            DeValue::Boolean(truth) => return Ok((*truth).into()),
            DeValue::Datetime(at) => return Ok(at.to_string().into()),
            DeValue::Array(items) => return items.iter().map(|item| self.json(key, item)).collect(),
            DeValue::Table(table) => {
                let entries = entries(table).into_iter();
                let entries = entries
                    .map(|(name, value)| Ok((name.get_ref().to_string(), inner(name.get_ref(), value)?)));
                return Ok(Value::Object(entries.collect::<Result<_, ConfigError>>()?));
            }
            DeValue::Integer(_) => integer(value.get_ref()).map(Value::from),
            DeValue::Float(float) => {
                float.as_str().parse().ok().and_then(serde_json::Number::from_f64).map(Value::from)
            }
        };
        number.ok_or_else(|| {
            let found = found(self.text.get(value.span()).unwrap_or_default());
            self.wrong(
                value.span().start,
                &format!("`{key}` is `{found}`; it must be a finite number of 64 bits"),
            )
        })
    }

    fn wrong(&self, at: usize, what: &str) -> ConfigError {
        ConfigError::Wrong { place: KeyLocation::line(self.file, self.text, at), what: what.to_owned() }
    }
}

/// A setting from an environment variable: TOML if it is valid TOML (`2.5`, `true`, `[1, 2]`), else
/// the text itself.
pub(super) fn setting(text: &str) -> Value {
    let document = ConfigFile { file: Path::new(""), text };
    DeValue::parse(text).ok().and_then(|value| document.json("", &value).ok()).unwrap_or_else(|| text.into())
}

/// The hint for a text in double quotes whose backslash made a control character: `"SRV\test"`
/// holds a tab.
fn escaped(value: &DeValue<'_>, written: &str) -> &'static str {
    let control = value.as_str().is_some_and(|text| text.contains(char::is_control));
    if control && written.starts_with('"') && written.contains('\\') {
        r"; in double quotes `\` begins an escape such as `\t`, so write the text in single quotes"
    } else {
        ""
    }
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
