//! Receivers with a JSON format of their own: Slack, Telegram, ntfy, PagerDuty, and any other for
//! which a user writes a template.
//!
//! In a template every value is written as JSON, so that a name can neither end a text nor begin a
//! key. A template that cannot be parsed is an error at the start; one that fails with a message is
//! an error of that delivery.

use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Value, json};

use super::fitted;
use super::webhook::bearer;
use crate::alert::http::Request;
use crate::alert::message::Message;
use crate::alert::retry::SendError;
use crate::alert::secret_source::SecretSource;
use crate::config::{ChannelKind, ChannelSection};
use crate::secret::Secret;

const SLACK: &str = include_str!("../templates/slack.json");
const TELEGRAM: &str = include_str!("../templates/telegram.json");
const NTFY: &str = include_str!("../templates/ntfy.json");
const PAGERDUTY: &str = include_str!("../templates/pagerduty.json");

/// The template of such a receiver, and its values.
#[derive(Clone, Debug)]
pub(super) struct Templated {
    kind: ChannelKind,
    environment: Arc<Environment<'static>>,
    /// A chat or a topic.
    to: Option<String>,
    token: Option<SecretSource>,
    worker: String,
}

/// The address of a service that has the same one for all its users.
pub(super) fn address(kind: ChannelKind) -> Option<&'static str> {
    match kind {
        ChannelKind::Telegram => Some("https://api.telegram.org"),
        ChannelKind::Pagerduty => Some("https://events.pagerduty.com/v2/enqueue"),
        _ => None,
    }
}

/// The longest text that a receiver takes, in bytes.
fn most(kind: ChannelKind) -> usize {
    match kind {
        ChannelKind::Slack => 2_900,
        ChannelKind::Telegram => 3_500,
        ChannelKind::Ntfy => 3_000,
        ChannelKind::Pagerduty => 900,
        _ => 50_000,
    }
}

impl Templated {
    pub(super) fn of(
        kind: ChannelKind,
        own: Option<(String, String)>,
        section: &ChannelSection,
        token: Option<SecretSource>,
        worker: &str,
    ) -> Result<Self, String> {
        let needs_one = matches!(kind, ChannelKind::Telegram | ChannelKind::Ntfy);
        if needs_one && section.to.len() != 1 {
            let what = if kind == ChannelKind::Ntfy { "topic" } else { "chat" };
            return Err(format!("`to` must be one {what}; it has {}", section.to.len()));
        }
        if matches!(kind, ChannelKind::Telegram | ChannelKind::Pagerduty) && token.is_none() {
            return Err("there is no `token`; set `token_file` or `token`".to_owned());
        }
        let (name, text) = own.unwrap_or_else(|| {
            let text = match kind {
                ChannelKind::Slack => SLACK,
                ChannelKind::Telegram => TELEGRAM,
                ChannelKind::Ntfy => NTFY,
                _ => PAGERDUTY,
            };
            (kind.name().to_owned(), text.to_owned())
        });
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("slack", for_slack);
        environment
            .add_template_owned("body", text)
            .map_err(|error| format!("the template `{name}` cannot be used: {error}"))?;
        Ok(Self {
            kind,
            environment: Arc::new(environment),
            to: section.to.first().cloned(),
            token,
            worker: worker.to_owned(),
        })
    }

    pub(super) fn request(&self, url: Secret, message: &Message) -> Result<Request, SendError> {
        let body = self.body(message)?;
        let token = self.token.as_ref();
        let (url, headers) = match self.kind {
            ChannelKind::Telegram => {
                let token = token.map(SecretSource::read).transpose().map_err(SendError::refused)?;
                let token = token.as_ref().map(Secret::reveal).unwrap_or_default();
                let base = url.reveal().trim().trim_end_matches('/');
                (Secret::new(format!("{base}/bot{}/sendMessage", token.trim())), None)
            }
            ChannelKind::Pagerduty => (url, None),
            _ => (url, bearer(token)?),
        };
        Ok(Request { url, headers: headers.into_iter().collect(), body })
    }

    /// The body as JSON, or why there is none.
    pub(super) fn body(&self, message: &Message) -> Result<String, SendError> {
        // Only PagerDuty takes the key in the body; the other templates have no access to it.
        let token = match (&self.token, self.kind) {
            (Some(token), ChannelKind::Pagerduty) => Some(token.read().map_err(SendError::refused)?),
            _ => None,
        };
        let wrong = |why: String| SendError::refused(format!("the template makes no message: {why}"));
        let template = self.environment.get_template("body").map_err(|error| wrong(error.to_string()))?;
        let key = message.events.first().map(|event| format!("{}/{}", self.worker, event.key()));
        let data = message.data();
        let values = json!({
            "id": message.id,
            "kind": data["kind"],
            "priority": message.priority,
            "language": message.language,
            "subject": message.subject,
            "text": fitted(&message.lines, most(self.kind)),
            "lines": message.lines,
            "ended": message.is_end(),
            "events": data["events"],
            "key": key,
            "worker": self.worker,
            "to": self.to,
            "token": token.as_ref().map(Secret::reveal),
        });
        let text = template
            .render(minijinja::Value::from(Serde(values)))
            // The longer forms of this error show values, which may be secret.
            .map_err(|error| wrong(error.kind().to_string()))?;
        let body: Value =
            serde_json::from_str(&text).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
        Ok(body.to_string())
    }
}

/// Escapes the markup of Slack.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
