//! A channel, by which people get messages. It is made from its table in the configuration at the
//! start, and settings that contradict each other are refused then. Secrets in files are read at
//! each delivery.
//!
//! A channel lives as long as the service. Sending is one attempt with a timeout; `retry` decides
//! what follows a failure.

mod alertmanager;
mod email;
mod teams;
mod template;
mod webhook;

use std::ffi::OsStr;

use wildmatch::WildMatch;

use super::filter::Filter;
use super::http::{self, HttpClient};
use super::language::Language;
use super::message::Message;
use super::retry::SendError;
use super::secret_source::SecretSource;
use crate::config::{AlertsSection, ChannelKind, ChannelSection, whole};
use crate::regular;
use email::Email;
use template::Templated;
use webhook::Webhook;

pub use alertmanager::{Alert, Clocks, OpenAlerts, RESENT_AFTER_END};

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel {
    pub name: String,
    pub language: Language,
    pub filter: Filter,
    kind: ChannelKind,
    speaks: Speaks,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are at most sixteen, one a channel")]
enum Speaks {
    Mail(Box<Email>),
    Http { client: HttpClient, url: SecretSource, says: Says },
}

/// What is sent over HTTP.
#[derive(Clone, Debug)]
enum Says {
    Webhook(Webhook),
    Teams,
    Templated(Templated),
    Alerts { token: Option<SecretSource> },
}

/// All channels of a configuration.
///
/// # Errors
/// A sentence about settings that contradict each other.
pub fn channels(
    alerts: &AlertsSection,
    worker: &str,
    credentials: Option<&OsStr>,
) -> Result<Vec<Channel>, String> {
    alerts.channels.iter().map(|section| Channel::of(section, alerts.language, worker, credentials)).collect()
}

/// Finds the secrets of a table.
struct Secrets<'a> {
    section: &'a ChannelSection,
    credentials: Option<&'a OsStr>,
}

impl Secrets<'_> {
    fn password(&self) -> Option<SecretSource> {
        self.find("password", self.section.password.as_ref(), self.section.password_file.as_deref())
    }

    fn url(&self) -> Option<SecretSource> {
        self.find("url", self.section.url.as_ref(), self.section.url_file.as_deref())
    }

    fn secret(&self) -> Option<SecretSource> {
        self.find("secret", self.section.secret.as_ref(), self.section.secret_file.as_deref())
    }

    fn token(&self) -> Option<SecretSource> {
        self.find("token", self.section.token.as_ref(), self.section.token_file.as_deref())
    }

    fn find(
        &self,
        key: &str,
        given: Option<&crate::secret::Secret>,
        file: Option<&std::path::Path>,
    ) -> Option<SecretSource> {
        SecretSource::find(&self.section.name, key, given, file, self.credentials)
    }
}

impl Channel {
    fn of(
        section: &ChannelSection,
        language: Language,
        worker: &str,
        credentials: Option<&OsStr>,
    ) -> Result<Self, String> {
        let named = |what: String| format!("`[alerts.{}]`: {what}", section.name);
        if let Some(why) = section.misplaced() {
            return Err(named(why));
        }
        let secrets = Secrets { section, credentials };
        let speaks = match section.kind {
            ChannelKind::Email => {
                Email::of(section, secrets.password()).map(|mail| Speaks::Mail(Box::new(mail)))
            }
            kind => Self::over_http(kind, section, &secrets, worker),
        };
        Ok(Self {
            name: section.name.clone(),
            language: section.language.unwrap_or(language),
            filter: Filter {
                priority: section.priority.unwrap_or(crate::episode::Priority::Low),
                variables: section.variables.iter().map(|pattern| WildMatch::new(pattern)).collect(),
                kinds: section.kinds.clone(),
            },
            kind: section.kind,
            speaks: speaks.map_err(named)?,
        })
    }

    fn over_http(
        kind: ChannelKind,
        section: &ChannelSection,
        secrets: &Secrets<'_>,
        worker: &str,
    ) -> Result<Speaks, String> {
        let of_service =
            template::address(kind).map(|url| SecretSource::Given(crate::secret::Secret::new(url)));
        let url = secrets.url().or(of_service).ok_or_else(|| {
            format!(
                "there is no `url`; set `url_file`, ANOMALY_ALERTS_{}_URL or `url`",
                section.name.to_uppercase().replace('-', "_")
            )
        })?;
        if let SecretSource::Given(url) = &url {
            http::place(url).map_err(|why| format!("`url` {why}"))?;
        }
        let own = match &section.template {
            Some(file) => {
                let text = regular::read_small_text(&whole(file))
                    .map_err(|error| format!("the template `{}` cannot be read: {error}", file.display()))?;
                Some((file.display().to_string(), text))
            }
            None => None,
        };
        let templated = |own| Templated::of(kind, own, section, secrets.token(), worker);
        let says = match kind {
            ChannelKind::Teams => Says::Teams,
            ChannelKind::Alertmanager => Says::Alerts { token: secrets.token() },
            ChannelKind::Webhook => {
                let body = own.map(|own| templated(Some(own))).transpose()?;
                Says::Webhook(Webhook::of(secrets.secret(), secrets.token(), body)?)
            }
            _ => Says::Templated(templated(own)?),
        };
        let client = HttpClient::new(section.ca_file.as_deref().map(whole));
        Ok(Speaks::Http { client, url, says })
    }

    /// Its kind.
    pub fn kind(&self) -> ChannelKind {
        self.kind
    }

    /// Whether it takes states, not events.
    pub fn tells_state(&self) -> bool {
        self.kind == ChannelKind::Alertmanager
    }

    /// Whether each event is a message of its own: such a receiver makes an incident of each.
    pub fn tells_each(&self) -> bool {
        self.kind == ChannelKind::Pagerduty
    }

    /// Whether its receiver shows pictures.
    pub fn shows_pictures(&self) -> bool {
        self.kind == ChannelKind::Email
    }

    /// Where it sends to, without secrets.
    pub fn place(&self) -> String {
        match &self.speaks {
            Speaks::Mail(mail) => mail.place(),
            Speaks::Http { url: SecretSource::Given(url), .. } => http::place(url).unwrap_or_default(),
            Speaks::Http { url: SecretSource::File(file), .. } => {
                format!("the address in `{}`", file.display())
            }
        }
    }

    /// Sends a message, and returns the receiver's answer.
    ///
    /// # Errors
    /// The delivery failed; the message may still have arrived.
    pub async fn send(&self, message: &Message) -> Result<String, SendError> {
        match &self.speaks {
            Speaks::Mail(mail) => mail.send(message).await,
            Speaks::Http { client, url, says } => {
                let url = url.read().map_err(SendError::refused)?;
                let request = match says {
                    Says::Webhook(webhook) => webhook.request(url, message)?,
                    Says::Teams => teams::request(url, message),
                    Says::Templated(templated) => templated.request(url, message)?,
                    Says::Alerts { token } => {
                        alertmanager::request(&url, token.as_ref(), &[Alert::test(self.language)])?
                    }
                };
                client.post(request).await
            }
        }
    }

    /// Sends the open alerts to a receiver of states.
    ///
    /// # Errors
    /// As [`Channel::send`].
    pub async fn send_alerts(&self, alerts: &[Alert]) -> Result<String, SendError> {
        match &self.speaks {
            Speaks::Http { client, url, says: Says::Alerts { token } } => {
                let url = url.read().map_err(SendError::refused)?;
                client.post(alertmanager::request(&url, token.as_ref(), alerts)?).await
            }
            Speaks::Mail(_) | Speaks::Http { .. } => {
                Err(SendError::refused("this channel takes events, and not open alerts"))
            }
        }
    }
}

/// Lines as one text of at most so many bytes, cut between lines if possible.
fn fitted(lines: &[String], most: usize) -> String {
    let mut text = String::new();
    for line in lines {
        let more = if text.is_empty() { line.clone() } else { format!("\n{line}") };
        if text.len() + more.len() > most {
            if text.is_empty() {
                let end =
                    (0..=most.saturating_sub(4)).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
                text.push_str(&line[..end]);
            }
            text.push_str("\n…");
            break;
        }
        text.push_str(&more);
    }
    text
}

#[cfg(test)]
mod tests;
