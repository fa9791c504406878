//! `[alerts]`: what all channels of alerts have in common, and a table for each channel. Plain data
//! that lives as long as the program; a mistake stops the start.

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use super::channel::{self, ChannelKey, ChannelKind, ChannelSection, MOST_CHANNELS};
use super::error::found;
use super::value::{Given, choice};
use crate::alert::language::Language;

pub(super) const SECTION: &str = "alerts";

/// The one key that each channel must have.
pub(super) const KIND: &str = "kind";

/// What the channels have in common, and they themselves in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertsSection {
    pub language: Language,
    /// How long an event waits for others that belong to the same message.
    pub together: Duration,
    /// The address of the page for the readers of messages. None: messages have no links.
    pub page: Option<String>,
    pub channels: Vec<ChannelSection>,
}

impl Default for AlertsSection {
    fn default() -> Self {
        Self { language: Language::En, together: Duration::from_secs(15), page: None, channels: Vec::new() }
    }
}

/// A new channel of this name, and of the kind that its table names.
///
/// # Errors
/// What is wrong with the name or the kind.
pub(super) fn add<'c>(
    alerts: &'c mut AlertsSection,
    name: &str,
    kind: Option<&DeValue<'_>>,
) -> Result<&'c mut ChannelSection, String> {
    let shown = found(name);
    if !channel::is_name(name) {
        return Err(format!(
            "`[alerts.{shown}]` cannot be a channel's name; it must be 1 to 40 letters, digits, `-` or `_`"
        ));
    }
    let same = |other: &ChannelSection| prefix(&other.name) == prefix(name);
    if let Some(other) = alerts.channels.iter().find(|other| same(other)) {
        return Err(format!(
            "`[alerts.{shown}]` and `[alerts.{}]` have the same environment variables; rename one of them",
            other.name
        ));
    }
    if alerts.channels.len() == MOST_CHANNELS {
        return Err(format!("`[alerts.{shown}]` is one channel too many; there may be {MOST_CHANNELS}"));
    }
    let allowed = choice::<ChannelKind>(&Given::Text("")).err().unwrap_or_default();
    let kind = kind
        .ok_or_else(|| format!("`[alerts.{shown}]` has no `{KIND}`; it must be {allowed}"))
        .and_then(|kind| {
            choice(&Given::Toml(kind)).map_err(|allowed| {
                let kind =
                    kind.as_str().map_or_else(|| "no text".to_owned(), |kind| format!("`{}`", found(kind)));
                format!("`alerts.{shown}.{KIND}` is {kind}; it must be {allowed}")
            })
        })?;
    alerts.channels.push(ChannelSection::new(name, kind));
    alerts.channels.last_mut().ok_or_else(String::new)
}

fn prefix(name: &str) -> String {
    format!("ANOMALY_ALERTS_{}_", name.to_uppercase().replace('-', "_"))
}

/// The channel and the key that a variable of the environment means.
pub(super) fn variable<'c>(
    alerts: &'c mut AlertsSection,
    variable: &str,
) -> Option<(&'c mut ChannelSection, &'static ChannelKey)> {
    alerts.channels.iter_mut().find_map(|channel| {
        let key = variable.strip_prefix(&prefix(&channel.name))?.to_lowercase();
        Some((channel, channel::key(&key).ok()?))
    })
}

/// Writes the channels as tables.
pub(super) fn write(alerts: &AlertsSection, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for channel in &alerts.channels {
        writeln!(f, "\n[{SECTION}.{}]", channel.name)?;
        channel.lines().iter().try_for_each(|line| writeln!(f, "{line}"))?;
    }
    Ok(())
}
