//! The service on Linux: a unit of systemd. `systemctl` starts and stops it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::anyhow;

use crate::cli::args::ServiceName;
use crate::cli::say::say;
use crate::service::systemd;

/// Writes the unit.
pub(super) fn install(config: &Path, account: Option<&str>, of: &ServiceName) -> anyhow::Result<ExitCode> {
    let name = &of.name;
    expect_systemd()?;
    if account.is_some() {
        return Err(anyhow!("`--account` is for Windows; here the service has a user of its own, `{name}`"));
    }
    let program = std::env::current_exe()?;
    let unit = systemd::unit(name, &program, config).map_err(|why| anyhow!(why))?;
    if !config.is_file() {
        return Err(anyhow!("there is no configuration `{}`", config.display()));
    }
    let again =
        format!("sudo {} service install --name {name} --config {}", program.display(), config.display());
    let rights = |error: io::Error| denied(&error, &again);
    let path = unit_path(of);
    for section in ["input", "output"] {
        // Where the unit looks for passwords; without the directory it does not start.
        create_private(&of.root.join(format!("etc/{name}/{section}"))).map_err(rights)?;
    }
    path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, unit)).map_err(rights)?;
    systemctl(of, &["daemon-reload"]);
    say!("wrote `{}`", path.display());
    say!("a password goes into `/etc/{name}/input/password`, mode 600");
    say!("start it now and with the machine: sudo systemctl enable --now {name}");
    Ok(ExitCode::SUCCESS)
}

/// Removes it.
pub(super) fn uninstall(of: &ServiceName) -> anyhow::Result<ExitCode> {
    expect_systemd()?;
    let (name, path) = (&of.name, unit_path(of));
    if !path.is_file() {
        return Err(anyhow!(
            "there is no service `{name}` that this program has installed: `{}`",
            path.display()
        ));
    }
    let again = format!("sudo {} service uninstall --name {name}", std::env::current_exe()?.display());
    systemctl(of, &["disable", "--now", name]);
    fs::remove_file(&path).map_err(|error| denied(&error, &again))?;
    systemctl(of, &["daemon-reload"]);
    say!("removed `{}`; `/etc/{name}` and `/var/lib/{name}` stay", path.display());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn start(of: &ServiceName) -> anyhow::Result<ExitCode> {
    asked("start", of)
}

pub(super) fn stop(of: &ServiceName) -> anyhow::Result<ExitCode> {
    asked("stop", of)
}

pub(super) fn reload(of: &ServiceName) -> anyhow::Result<ExitCode> {
    asked("reload", of)
}

pub(super) fn status(of: &ServiceName) -> anyhow::Result<ExitCode> {
    asked("status", of)
}

/// By systemd, which prints the result and the required rights itself.
fn asked(what: &str, of: &ServiceName) -> anyhow::Result<ExitCode> {
    expect_systemd()?;
    let ran = Command::new("systemctl").args([what, &of.name]).status();
    let ran = ran.map_err(|error| anyhow!("`systemctl {what} {}` cannot be run: {error}", of.name))?;
    Ok(if ran.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn expect_systemd() -> anyhow::Result<()> {
    if cfg!(target_os = "linux") {
        return Ok(());
    }
    Err(anyhow!("a service of this system is not part of this version"))
}

/// Units of an administrator, which take precedence over those of packages.
fn unit_path(of: &ServiceName) -> PathBuf {
    of.root.join("etc/systemd/system").join(format!("{}.service", of.name))
}

fn denied(error: &io::Error, again: &str) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow!("this needs the rights of root: {again}"),
        _ => anyhow!("the unit is not written: {error}"),
    }
}

fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    directory.parent().map_or(Ok(()), fs::create_dir_all)?;
    match builder.create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// If systemd runs this machine. Its output goes to the terminal; only the files matter.
fn systemctl(of: &ServiceName, arguments: &[&str]) {
    if of.root == Path::new("/") && Path::new("/run/systemd/system").is_dir() {
        let _ = Command::new("systemctl").args(arguments).status();
    }
}
