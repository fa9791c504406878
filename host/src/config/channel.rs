//! `[alerts.NAME]`: a channel of alerts, under a name of the user's choice.
//!
//! The keys of these tables are a list of their own; mistakes in them are errors as in the other
//! sections. Each key is for some kinds of channel. Keys that a kind needs or does not have are
//! checked when the whole table is known.

use std::path::PathBuf;

use toml::de::DeValue;

use super::error::found;
use super::keys::nearest;
use super::value::{Allowed, Choice, Given, Literal};
use super::value::{choice, line, optional, path, secret, whole, word};
use crate::alert::event::EventKind;
use crate::alert::language::Language;
use crate::episode::Priority;
use crate::secret::Secret;

/// Each delivers on a thread of its own, of which the program has few.
pub(super) const MOST_CHANNELS: usize = 16;

/// A channel as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSection {
    /// The name of its table.
    pub name: String,
    pub kind: ChannelKind,
    /// None: as `[alerts]` has it.
    pub language: Option<Language>,
    /// The least priority of its messages. None: all.
    pub priority: Option<Priority>,
    /// Patterns with `*` and `?`. Empty: all variables.
    pub variables: Vec<String>,
    /// Empty: all.
    pub kinds: Vec<EventKind>,
    pub to: Vec<String>,
    pub from: Option<String>,
    pub server: Option<String>,
    pub port: Option<u16>,
    pub tls: Option<MailTls>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    pub url: Option<Secret>,
    pub url_file: Option<PathBuf>,
    pub secret: Option<Secret>,
    pub secret_file: Option<PathBuf>,
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
    pub template: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

/// The kind of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    Email,
    Webhook,
    Teams,
    Alertmanager,
    Slack,
    Telegram,
    Ntfy,
    Pagerduty,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte on.
    Tls,
    /// After a greeting.
    Starttls,
    /// Not at all: for a server on this machine.
    None,
}

impl Choice for ChannelKind {
    const ALL: &'static [(&'static str, Self)] = &[
        ("email", Self::Email),
        ("webhook", Self::Webhook),
        ("teams", Self::Teams),
        ("alertmanager", Self::Alertmanager),
        ("slack", Self::Slack),
        ("telegram", Self::Telegram),
        ("ntfy", Self::Ntfy),
        ("pagerduty", Self::Pagerduty),
    ];
}

impl ChannelKind {
    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map(|(name, _)| *name).unwrap_or_default()
    }
}

impl Choice for MailTls {
    const ALL: &'static [(&'static str, Self)] =
        &[("tls", Self::Tls), ("starttls", Self::Starttls), ("none", Self::None)];
}

impl Choice for Language {
    const ALL: &'static [(&'static str, Self)] = &[("en", Self::En), ("es", Self::Es)];
}

impl Choice for Priority {
    const ALL: &'static [(&'static str, Self)] =
        &[("low", Self::Low), ("medium", Self::Medium), ("high", Self::High)];
}

impl Choice for EventKind {
    const ALL: &'static [(&'static str, Self)] = &[
        (Self::Opened.word(), Self::Opened),
        (Self::StillOpen.word(), Self::StillOpen),
        (Self::Closed.word(), Self::Closed),
        (Self::Silent.word(), Self::Silent),
        (Self::Back.word(), Self::Back),
        (Self::Service.word(), Self::Service),
    ];
}

macro_rules! written_as_word {
    ($($type:ty)*) => {
        $(impl Literal for $type {
            fn literal(&self) -> String {
                word(*self)
            }
        })*
    };
}

written_as_word!(ChannelKind MailTls Language Priority EventKind);

/// One key of a channel.
pub(super) struct ChannelKey {
    pub(super) name: &'static str,
    set: fn(&mut ChannelSection, &Given<'_>) -> Result<(), Allowed>,
    show: fn(&ChannelSection) -> String,
    /// Whether its value is never shown.
    pub(super) secret: bool,
    /// For which kinds of channel.
    of: &'static [ChannelKind],
}

macro_rules! channel_keys {
    ($($name:ident: $of:expr, $read:expr;)*) => {
        const CHANNEL_KEYS: &[ChannelKey] = &[$(ChannelKey {
            name: stringify!($name),
            set: |channel, given| {
                channel.$name = $read(given)?;
                Ok(())
            },
            show: |channel| channel.$name.literal(),
            secret: matches!(stringify!($name).as_bytes(), b"password" | b"url" | b"secret" | b"token"),
            of: $of,
        }),*];
    };
}

use ChannelKind::{Alertmanager, Email, Ntfy, Pagerduty, Slack, Teams, Telegram, Webhook};

const ALL: &[ChannelKind] = &[Email, Webhook, Teams, Alertmanager, Slack, Telegram, Ntfy, Pagerduty];
const HTTP: &[ChannelKind] = &[Webhook, Teams, Alertmanager, Slack, Telegram, Ntfy, Pagerduty];
const TEMPLATED: &[ChannelKind] = &[Webhook, Slack, Telegram, Ntfy, Pagerduty];
const WITH_TOKEN: &[ChannelKind] = &[Webhook, Alertmanager, Telegram, Ntfy, Pagerduty];

channel_keys! {
    kind: ALL, choice;
    language: ALL, optional(choice);
    priority: ALL, optional(choice);
    variables: ALL, list(line("a variable or a pattern such as `TEMP*`"));
    kinds: ALL, list(choice);
    to: &[Email, Telegram, Ntfy], list(line("an address, a chat or a topic"));
    from: &[Email], optional(line("an address"));
    server: &[Email], optional(line("a mail server's name"));
    port: &[Email], optional(whole(1..=65_535));
    tls: &[Email], optional(choice);
    user: &[Email], optional(line("a login's name"));
    password: &[Email], optional(secret);
    password_file: &[Email], optional(path);
    url: HTTP, optional(secret);
    url_file: HTTP, optional(path);
    secret: &[Webhook], optional(secret);
    secret_file: &[Webhook], optional(path);
    token: WITH_TOKEN, optional(secret);
    token_file: WITH_TOKEN, optional(path);
    template: TEMPLATED, optional(path);
    ca_file: ALL, optional(path);
}

/// A list, or one value alone; in an environment variable, values divided by commas.
fn list<T>(
    read: impl Fn(&Given<'_>) -> Result<T, Allowed>,
) -> impl Fn(&Given<'_>) -> Result<Vec<T>, Allowed> {
    move |given| {
        let several = |allowed| format!("{allowed}, or a list of such");
        match given {
            Given::Toml(DeValue::Array(items)) => items
                .iter()
                .map(|item| read(&Given::Toml(item.get_ref())))
                .collect::<Result<_, _>>()
                .map_err(several),
            Given::Toml(_) => match given.text() {
                Some("") => Ok(Vec::new()),
                _ => read(given).map(|one| vec![one]).map_err(several),
            },
            Given::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| read(&Given::Text(part)))
                .collect::<Result<_, _>>()
                .map_err(several),
        }
    }
}

impl<T: Literal> Literal for Vec<T> {
    fn literal(&self) -> String {
        format!("[{}]", self.iter().map(Literal::literal).collect::<Vec<_>>().join(", "))
    }
}

impl ChannelSection {
    /// A channel of which nothing but its name and kind is known.
    pub fn new(name: &str, kind: ChannelKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            language: None,
            priority: None,
            variables: Vec::new(),
            kinds: Vec::new(),
            to: Vec::new(),
            from: None,
            server: None,
            port: None,
            tls: None,
            user: None,
            password: None,
            password_file: None,
            url: None,
            url_file: None,
            secret: None,
            secret_file: None,
            token: None,
            token_file: None,
            template: None,
            ca_file: None,
        }
    }

    /// Sets one key, or says what is wrong with it.
    pub(super) fn set(&mut self, key: &ChannelKey, given: &Given<'_>, written: &str) -> Result<(), String> {
        (key.set)(self, given).map_err(|allowed| {
            let shown = if key.secret { "(not shown)".to_owned() } else { found(written) };
            format!("is `{shown}`; it must be {allowed}")
        })
    }

    /// The keys that were written, as TOML; secrets left out.
    pub(super) fn lines(&self) -> Vec<String> {
        let none = Self::new("", self.kind);
        let written =
            CHANNEL_KEYS.iter().filter(|key| key.name == "kind" || (key.show)(self) != (key.show)(&none));
        written
            .map(|key| match key.secret {
                true => format!("# {} is set and not shown", key.name),
                false => format!("{} = {}", key.name, (key.show)(self)),
            })
            .collect()
    }

    /// What is wrong with a key that is set and that channels of this kind do not have.
    pub(crate) fn misplaced(&self) -> Option<String> {
        let none = Self::new("", self.kind);
        let key = CHANNEL_KEYS
            .iter()
            .find(|key| !key.of.contains(&self.kind) && (key.show)(self) != (key.show)(&none))?;
        let others: Vec<_> = key.of.iter().map(|kind| format!("\"{}\"", kind.name())).collect();
        Some(format!(
            "a channel of kind \"{}\" has no `{}`, which is for {}",
            self.kind.name(),
            key.name,
            others.join(", ")
        ))
    }
}

/// The key of this name, or which one was probably meant.
pub(super) fn key(name: &str) -> Result<&'static ChannelKey, String> {
    if let Some(key) = CHANNEL_KEYS.iter().find(|key| key.name == name) {
        return Ok(key);
    }
    let names = || CHANNEL_KEYS.iter().map(|key| key.name);
    Err(match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("its keys are {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
    })
}

/// Whether a channel can have this name: it is part of the names of environment variables.
pub(super) fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
