//! `host demo`.
use std::process::ExitCode;
pub(super) async fn demo(_demo: &super::args::Demo) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not there yet")
}
