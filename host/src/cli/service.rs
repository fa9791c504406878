//! `host service`: this program as a service of the machine. On Linux that is a unit of systemd,
//! and starting it is `systemctl`'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::anyhow;

use super::args::{ServiceCommand, ServiceName};
use super::say::say;
use crate::config::whole;
use crate::service::systemd;

/// Does it, and says what comes next.
pub(super) fn service(asked: &ServiceCommand) -> anyhow::Result<ExitCode> {
    if !cfg!(target_os = "linux") {
        return Err(anyhow!("a service of this system is not part of this version"));
    }
    match asked {
        ServiceCommand::Install { config, of } => install(&whole(config), of),
        ServiceCommand::Uninstall { of } => uninstall(of),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn install(config: &Path, of: &ServiceName) -> anyhow::Result<()> {
    let name = &of.name;
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
    Ok(())
}

fn uninstall(of: &ServiceName) -> anyhow::Result<()> {
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
    Ok(())
}

/// What an administrator puts there goes before what packages bring.
fn unit_path(of: &ServiceName) -> PathBuf {
    of.root.join("etc/systemd/system").join(format!("{}.service", of.name))
}

fn denied(error: &io::Error, again: &str) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow!("this takes the rights of root: {again}"),
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

/// Where systemd runs this machine. What it says goes to the terminal; the files are what counts.
fn systemctl(of: &ServiceName, arguments: &[&str]) {
    if of.root == Path::new("/") && Path::new("/run/systemd/system").is_dir() {
        let _ = Command::new("systemctl").args(arguments).status();
    }
}
