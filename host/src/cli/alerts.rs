//! `host alerts`: shows and tests the channels of alerts, and retries failed deliveries.

use std::process::ExitCode;

use anyhow::anyhow;

use super::args::AlertsCommand;
use super::say::say;
use super::{Misconfigured, configuration, wiring};
use crate::alert::channel::Channel;
use crate::alert::message::Message;
use crate::alert::outbox::Progress;
use crate::config::{ChannelKind, Config};
use crate::datetime::Datetime;
use crate::store::{Connector, EntryState, Tried};
use crate::text::escaped;
use crate::worker::report::count;

/// The most dead letters that one command makes due again.
const MOST_RETRIED: usize = 10_000;

/// Runs one of the commands.
pub(super) async fn alerts(asked: &AlertsCommand) -> anyhow::Result<ExitCode> {
    match asked {
        AlertsCommand::List(overrides) => list(&configuration(overrides)?.config),
        AlertsCommand::Test { channel, overrides } => test(&configuration(overrides)?.config, channel).await,
        AlertsCommand::Retry(overrides) => retry(&configuration(overrides)?.config).await,
    }
}

/// A line for each channel, without secrets.
fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let channels = wiring::channels(config)?;
    if channels.is_empty() {
        say!("no alerts are sent: the configuration has no table `[alerts.NAME]`");
    }
    for (channel, section) in channels.iter().zip(&config.alerts.channels) {
        let mut told = Vec::new();
        if let Some(priority) = section.priority {
            told.push(format!("priority {} and above", priority.word()));
        }
        if !section.variables.is_empty() {
            told.push(section.variables.join(", "));
        }
        if !section.kinds.is_empty() {
            let kinds: Vec<_> = section.kinds.iter().map(|kind| kind.word()).collect();
            told.push(kinds.join(", "));
        }
        let told = if told.is_empty() { "everything".to_owned() } else { told.join("; ") };
        say!("{:<14} {:<13} {}: {told}", channel.name, channel.kind().name(), channel.place());
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends a test message, and prints the receiver's answer.
async fn test(config: &Config, name: &str) -> anyhow::Result<ExitCode> {
    let channels = wiring::channels(config)?;
    let Some(channel) = channels.iter().find(|channel| channel.name == name) else {
        return Err(Misconfigured(no_channel(name, &channels)).into());
    };
    let at = Datetime::from_micros(chrono::Local::now().naive_local().and_utc().timestamp_micros());
    let message = Message::test(format!("test-{}", at.micros()), at, channel.language);
    match channel.send(&message).await {
        Ok(answer) => {
            say!("sent: {answer}");
            if channel.kind() == ChannelKind::Teams {
                say!("a workflow answers before it has posted anything: look whether the message is there");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => Err(anyhow!("channel `{name}`: {}", failure.what)),
    }
}

fn no_channel(name: &str, channels: &[Channel]) -> String {
    let names: Vec<_> = channels.iter().map(|channel| format!("`{}`", channel.name)).collect();
    match names.as_slice() {
        [] => "there is no channel: the configuration has no table `[alerts.NAME]`".to_owned(),
        names => format!("there is no channel `{}`; there are {}", escaped(name), names.join(", ")),
    }
}

/// Makes dead letters due again, for the service to send.
async fn retry(config: &Config) -> anyhow::Result<ExitCode> {
    let store: Box<dyn Connector> = wiring::store(config)?;
    let mut output = store.open_output().await?;
    let mut tried = Vec::new();
    for entry in output.entries(EntryState::Dead, MOST_RETRIED).await? {
        let mut progress = Progress::of(&entry);
        progress.revive();
        let progress = serde_json::to_string(&progress).ok();
        let due = Tried { state: EntryState::Due, at: entry.created_at, error: entry.last_error, progress };
        tried.push((entry.seq, due));
    }
    output.tried_all(&tried).await?;
    output.close().await?;
    match tried.len() {
        0 => say!("there are no dead letters"),
        number => say!("the service sends {} again within two minutes", count(number as u64, "dead letter")),
    }
    Ok(ExitCode::SUCCESS)
}
