//! `host feedback`: stores a person's feedback on an episode.

use std::process::ExitCode;

use anyhow::anyhow;

use super::args::FeedbackArgs;
use super::say::{complain, say};
use super::wiring;
use crate::config::LoadedConfig;

/// Stores the feedback; exit code 1 if there is no such episode.
pub(super) async fn feedback(loaded: &LoadedConfig, asked: &FeedbackArgs) -> anyhow::Result<ExitCode> {
    let store = wiring::store(&loaded.config)?;
    for warning in loaded.warnings.iter().chain(&store.warnings()) {
        complain!("warning: {warning}");
    }
    let (mut input, mut output) = store.open().await.map_err(|error| anyhow!("{error}"))?;
    let now = input.now().await.map_err(|error| anyhow!("{error}"))?;
    let said = asked.said.feedback();
    let found = output.say(asked.episode, said, asked.note.as_deref(), now).await;
    let found = found.map_err(|error| anyhow!("{error}"))?;
    output.close().await.map_err(|error| anyhow!("{error}"))?;
    if !found {
        complain!("error: there is no episode {}; `host episodes` lists them", asked.episode);
        return Ok(ExitCode::FAILURE);
    }
    say!("episode {}: {said}", asked.episode);
    Ok(ExitCode::SUCCESS)
}
