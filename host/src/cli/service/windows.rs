//! The service on Windows.

use std::ffi::OsString;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::cli::args::{Overrides, Run, ServiceName};
use crate::cli::say::say;
use crate::cli::{USAGE, code_of, configuration, in_runtime, run};
use crate::service::registration::Registration;
use crate::service::windows::manage::{self, ManageError};
use crate::service::windows::serve as served;
use crate::telemetry;

/// Registers it.
pub(super) fn install(config: &Path, account: Option<&str>, of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    let program = std::env::current_exe()?;
    let registration = Registration::new(name, &program, config, account).map_err(|why| anyhow!(why))?;
    if !config.is_file() {
        return Err(anyhow!("there is no configuration `{}`", config.display()));
    }
    let account = &registration.account;
    let password = if account.managed { None } else { Some(password(&account.name)?) };
    let again = format!("install --name {name} --config \"{}\"", config.display());
    let unknown = manage::install(&registration, password).map_err(|error| refused(&error, name, &again))?;
    for what in unknown {
        say!("left out, as this system does not know it: {what}");
    }
    let directory = config.parent().unwrap_or(config).display().to_string();
    say!("the service `{name}` is registered; it works in `{directory}`");
    say!("let its account write there: icacls \"{directory}\" /grant \"{}:(OI)(CI)M\"", account.name);
    say!("start it now: {} service start --name {name}", program.display());
    Ok(ExitCode::SUCCESS)
}

/// The first line of stdin, because others can read a command line.
fn password(account: &str) -> anyhow::Result<OsString> {
    say!("the password of `{account}`, from stdin:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("there is no password on stdin")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(anyhow!("`{account}` needs a password, and there is none on stdin"));
    }
    Ok(password.into())
}

pub(super) fn uninstall(of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    manage::uninstall(name).map_err(|error| refused(&error, name, &format!("uninstall --name {name}")))?;
    say!("the service `{name}` is removed; its configuration and data stay");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn start(of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    let state =
        manage::start(name).map_err(|error| refused(&error, name, &format!("start --name {name}")))?;
    if !state.runs() {
        return Err(anyhow!(
            "`{name}` is {state} again; the Event Log says why: \
             Get-WinEvent -MaxEvents 5 -FilterHashtable @{{LogName='Application'; ProviderName='{name}'}}"
        ));
    }
    say!("`{name}` is {state}");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn stop(of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    manage::stop(name).map_err(|error| refused(&error, name, &format!("stop --name {name}")))?;
    say!("`{name}` is stopped");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn reload(of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    manage::reload(name).map_err(|error| refused(&error, name, &format!("reload --name {name}")))?;
    say!("`{name}` looks at its files; its log shows the result");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn status(of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    let (state, lines) =
        manage::status(name).map_err(|error| refused(&error, name, &format!("status --name {name}")))?;
    for line in lines {
        say!("{line}");
    }
    Ok(if state.runs() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn refused(error: &ManageError, name: &str, again: &str) -> anyhow::Error {
    match error {
        ManageError::Denied => {
            let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("host"));
            anyhow!(
                "this needs the rights of an administrator: in a PowerShell that was opened with \"Run as administrator\", \
                 & \"{}\" service {again}",
                program.display()
            )
        }
        ManageError::Exists => {
            anyhow!("`{name}`: {error}; remove it first: host service uninstall --name {name}")
        }
        error => anyhow!("`{name}`: {error}"),
    }
}

/// Runs as the service, until it is stopped.
pub(in crate::cli) fn serve(config: &Path, of: &ServiceName) -> ExitCode {
    let config = config.to_owned();
    let work = move || {
        let code = in_runtime(work(config.clone()));
        // All exit codes of the program.
        [0, USAGE].into_iter().find(|known| code == ExitCode::from(*known)).unwrap_or(1)
    };
    match served::serve(&of.name, work) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            crate::cli::say::complain!(
                "error: only the service manager may start this command ({error}); use `host run`"
            );
            ExitCode::FAILURE
        }
    }
}

async fn work(config: PathBuf) -> ExitCode {
    let done = async {
        // Services start in System32. Relative paths are relative to the configuration's directory.
        if let Some(directory) = config.parent() {
            std::env::set_current_dir(directory)
                .with_context(|| format!("`{}` cannot be entered", directory.display()))?;
        }
        let overrides = Overrides { config: Some(config), ..Overrides::default() };
        let asked = Run { once: false, metrics_file: None, overrides };
        run::run(configuration(&asked.overrides)?, &asked).await
    };
    done.await.unwrap_or_else(|error| {
        telemetry::error_before_the_log(&format!("{error:#}"));
        code_of(&error)
    })
}
