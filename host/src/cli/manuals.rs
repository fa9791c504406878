//! `host manuals`: what a package brings besides the program: its pages for `man`, and completions
//! for shells.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

use super::args::Cli;
use crate::service::NAME;

/// Writes them into a directory, by the name that packages give the program.
pub(super) fn manuals(directory: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(directory)?;
    let mut command = Cli::command().name(NAME).bin_name(NAME);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
        generate_to(shell, &mut command, NAME, directory)?;
    }
    clap_mangen::generate_to(command, directory)?;
    Ok(ExitCode::SUCCESS)
}
