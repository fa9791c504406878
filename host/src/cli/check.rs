//! `host check`.
use crate::config::Loaded;
use std::process::ExitCode;
pub(super) async fn check(_loaded: &Loaded) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not there yet")
}
