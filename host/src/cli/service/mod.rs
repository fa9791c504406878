//! `host service`: this program as a service of the machine, in the same words everywhere. On Linux
//! that is a unit of systemd, on Windows a service of its service manager.

#[cfg(not(windows))]
mod unit;
#[cfg(windows)]
mod windows;

use std::process::ExitCode;

use super::args::ServiceCommand;
#[cfg(not(windows))]
use unit as system;
#[cfg(windows)]
use windows as system;
#[cfg(windows)]
pub(super) use windows::serve;

use crate::config::whole;

/// Runs the command, and prints the next step.
pub(super) fn service(asked: &ServiceCommand) -> anyhow::Result<ExitCode> {
    match asked {
        ServiceCommand::Install { config, account, of } => {
            system::install(&whole(config), account.as_deref(), of)
        }
        ServiceCommand::Uninstall { of } => system::uninstall(of),
        ServiceCommand::Start { of } => system::start(of),
        ServiceCommand::Stop { of } => system::stop(of),
        ServiceCommand::Reload { of } => system::reload(of),
        ServiceCommand::Status { of } => system::status(of),
        ServiceCommand::Run { .. } => {
            Err(anyhow::anyhow!("only the service manager of Windows may start this command; use `host run`"))
        }
    }
}
