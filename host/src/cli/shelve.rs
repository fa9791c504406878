//! `host shelve`: stops the messages on a variable for a while. The variable is judged and stored
//! as always.

use std::process::ExitCode;

use anyhow::anyhow;

use super::args::ShelveArgs;
use super::say::{complain, say};
use super::wiring;
use crate::config::LoadedConfig;
use crate::episode::Shelving;

/// Shelves a variable, or ends the shelving. A running worker applies it from its next cycle on.
pub(super) async fn shelve(loaded: &LoadedConfig, asked: &ShelveArgs) -> anyhow::Result<ExitCode> {
    let store = wiring::store(&loaded.config)?;
    for warning in loaded.warnings.iter().chain(&store.warnings()) {
        complain!("warning: {warning}");
    }
    let (mut input, mut output) = store.open().await.map_err(|error| anyhow!("{error}"))?;
    let now = input.now().await.map_err(|error| anyhow!("{error}"))?;
    let variable = asked.variable.trim();
    let ended = match asked.time {
        Some(time) => {
            let until = now.later(time);
            let shelving = Shelving {
                variable: variable.into(),
                from: now,
                until,
                reason: asked.reason.clone(),
                by: who(),
            };
            output.shelve(&shelving).await.map_err(|error| anyhow!("{error}"))?;
            say!("`{variable}` is shelved until {until}: it is judged, and no messages are sent on it");
            true
        }
        None => {
            let was = output.unshelve(variable, now).await.map_err(|error| anyhow!("{error}"))?;
            if was {
                say!("`{variable}` is shelved no longer");
            } else {
                complain!("error: `{variable}` is not shelved");
            }
            was
        }
    };
    output.close().await.map_err(|error| anyhow!("{error}"))?;
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The name of the user, from the system.
fn who() -> String {
    let name = ["USER", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let name: String = name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect();
    if name.is_empty() { "host shelve".to_owned() } else { name }
}
