//! The packages, and the service that the program installs itself, each in a root of its own.

#![cfg(target_os = "linux")]
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Place;

/// The files below a directory, with their modes, and the directories that are empty.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let entries: Vec<PathBuf> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        if entries.is_empty() && directory != root {
            found.push(directory);
        }
        for path in entries {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    let named = |path: PathBuf| {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        format!("{mode:o} {}", path.strip_prefix(root).unwrap().display())
    };
    let mut named: Vec<_> = found.into_iter().map(named).collect();
    named.sort();
    named
}

#[test]
fn a_service_is_installed_and_uninstalled() {
    let place = Place::new();
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    // The program must be where a service can read it. The test's own is in a home or in a
    // temporary directory.
    let run = |arguments: &[&str]| {
        place.run(&[&["service"], arguments, &["--root", root.to_str().unwrap()]].concat())
    };
    let ran = run(&["install", "--name", "Norte", "--config", "/etc/north.toml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("cannot be the name of a service"), "{}", ran.stderr);
    let ran = run(&["uninstall"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("there is no service `anomaly-worker`"), "{}", ran.stderr);
    let ran = run(&["install", "--name", "north", "--config", "/etc/no/such.toml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(files(&root), [""; 0]);
    // Any file that exists and is not in a home.
    let ran = run(&["install", "--name", "north", "--config", "/etc/passwd"]);
    if ran.stderr.contains("is where a service does not look") {
        eprintln!("left out: the program is where a service does not look");
        return;
    }
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let unit = "etc/systemd/system/north.service";
    let mut installed: Vec<_> = files(&root).iter().map(|file| file[4..].to_owned()).collect();
    installed.sort();
    assert_eq!(installed, ["etc/north/input", "etc/north/output", unit]);
    assert!(fs::read_to_string(root.join(unit)).unwrap().contains("run --config /etc/passwd\n"));
    let ran = run(&["uninstall", "--name", "north"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!root.join(unit).exists());
}

/// Installed, upgraded over a configuration that was changed, removed, purged.
#[test]
fn a_package_goes_in_over_and_out() {
    let place = Place::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/deb.sh");
    let root = place.path("root");
    fs::create_dir_all(root.join("var/lib/dpkg")).unwrap();
    for file in ["status", "available"] {
        fs::write(root.join("var/lib/dpkg").join(file), "").unwrap();
    }
    let build = |version: &str| {
        let mut command = Command::new(&script);
        // A debug build has ninety megabytes, which would take too long to compress.
        command.env("DPKG_DEB_COMPRESSOR_TYPE", "none");
        command.arg(env!("CARGO_BIN_EXE_host")).arg(place.path("out")).arg(version);
        let built = command.output().ok()?;
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        if said.contains("not found") {
            return None;
        }
        assert!(built.status.success(), "{said}");
        let package = fs::read_dir(place.path("out")).unwrap().map(|entry| entry.unwrap().path());
        package.into_iter().find(|path| path.display().to_string().contains(version))
    };
    let Some(first) = build("1.0.0") else {
        eprintln!("left out: there is no `dpkg-deb` here");
        return;
    };
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        command.arg("--root").arg(&root).args([
            "--force-script-chrootless",
            "--force-depends",
            "--force-not-root",
        ]);
        command.args(["--force-confold", "--force-bad-path", "--log=/dev/null"]).args(arguments);
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?}: {said}");
    };
    let installed = || -> Vec<String> {
        files(&root).into_iter().filter(|file| !file.contains(" var/lib/dpkg")).collect()
    };
    dpkg(&["--install", first.to_str().unwrap()]);
    let there = installed();
    for expected in [
        "755 usr/bin/anomaly-worker",
        "644 lib/systemd/system/anomaly-worker.service",
        "644 etc/anomaly-worker/anomaly-worker.toml",
        "755 etc/anomaly-worker/models",
        "700 etc/anomaly-worker/input",
        "700 etc/anomaly-worker/output",
        "644 usr/share/doc/anomaly-worker/LICENSE-MIT",
        "644 usr/share/doc/anomaly-worker/LICENSE-APACHE",
        "644 usr/share/man/man1/anomaly-worker.1.gz",
        "644 usr/share/man/man1/anomaly-worker-run.1.gz",
        "644 usr/share/bash-completion/completions/anomaly-worker",
        "644 usr/share/zsh/vendor-completions/_anomaly-worker",
        "644 usr/share/fish/vendor_completions.d/anomaly-worker.fish",
    ] {
        assert!(there.iter().any(|file| file == expected), "{expected}: {there:#?}");
    }
    // The configuration that it brings is one that the program reads.
    let config = root.join("etc/anomaly-worker/anomaly-worker.toml");
    let mut command = place.command(&["schema", "--config", config.to_str().unwrap()]);
    assert!(command.env_remove("ANOMALY_INPUT_DATABASE").output().unwrap().status.success());

    fs::write(&config, "# mine\n").unwrap();
    let model = root.join("etc/anomaly-worker/models/prophet_model_T1.json");
    fs::write(&model, "{}").unwrap();
    let password = root.join("etc/anomaly-worker/input/password");
    fs::write(&password, "p").unwrap();
    let second = build("1.1.0").unwrap();
    dpkg(&["--install", second.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    // The older one again.
    dpkg(&["--install", first.to_str().unwrap()]);
    dpkg(&["--remove", "anomaly-worker"]);
    assert!(config.exists() && password.exists() && !root.join("usr/bin/anomaly-worker").exists());
    dpkg(&["--purge", "anomaly-worker"]);
    assert!(!config.exists() && !password.exists());
    assert!(model.exists(), "a model is its user's");
    assert!(installed().iter().all(|file| file.contains(" etc/anomaly-worker/models")), "{:#?}", installed());
}

/// The other package holds the same, and keeps a configuration that was changed.
#[test]
fn an_rpm_holds_what_the_other_package_holds() {
    let place = Place::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/rpm.sh");
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let rpm = |arguments: &[&str]| {
        let ran = Command::new("rpm").arg("--root").arg(&root).args(arguments).output().ok()?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {said}");
        Some(String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    if rpm(&["--version"]).is_none() || Command::new("rpmbuild").arg("--version").output().is_err() {
        eprintln!("left out: there is no `rpm` and `rpmbuild` here");
        return;
    }
    let build = |version: &str| {
        let mut command = Command::new(&script);
        // A debug build has ninety megabytes, which would take too long to compress.
        command.env("RPM_PAYLOAD", "w0.gzdio").arg(env!("CARGO_BIN_EXE_host"));
        let built = command.arg(place.path("out")).arg(version).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let named = format!("anomaly-worker-{version}-1.{}.rpm", std::env::consts::ARCH);
        place.path("out").join(named).display().to_string()
    };
    let first = build("1.0.0");
    let listed =
        rpm(&["-qp", "--qf", "[%{FILEMODES:octal} %{FILENAMES} %{FILEFLAGS:fflags}\n]", &first]).unwrap();
    for expected in [
        "100755 /usr/bin/anomaly-worker ",
        "100644 /usr/lib/systemd/system/anomaly-worker.service ",
        "100644 /etc/anomaly-worker/anomaly-worker.toml cn",
        "40755 /etc/anomaly-worker/models ",
        "40700 /etc/anomaly-worker/input ",
        "40700 /etc/anomaly-worker/output ",
        "100644 /usr/share/doc/anomaly-worker/LICENSE-MIT d",
        "100644 /usr/share/doc/anomaly-worker/LICENSE-APACHE d",
        "100644 /usr/share/man/man1/anomaly-worker.1.gz d",
        "100644 /usr/share/man/man1/anomaly-worker-run.1.gz d",
        "100644 /usr/share/bash-completion/completions/anomaly-worker ",
        "100644 /usr/share/zsh/site-functions/_anomaly-worker ",
        "100644 /usr/share/fish/vendor_completions.d/anomaly-worker.fish ",
    ] {
        assert!(listed.lines().any(|line| line == expected), "{expected:?}: {listed}");
    }
    // The scripts are for a running system, and could not be run here.
    let there = ["--nodeps", "--noscripts"];
    rpm(&[&["--install"], &there[..], &[&first]].concat());
    let config = root.join("etc/anomaly-worker/anomaly-worker.toml");
    fs::write(&config, "# mine\n").unwrap();
    let password = root.join("etc/anomaly-worker/input/password");
    fs::write(&password, "p").unwrap();
    rpm(&[&["--upgrade"], &there[..], &[&build("1.1.0")]].concat());
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    rpm(&[&["--upgrade", "--oldpackage"], &there[..], &[&first]].concat());
    assert!(root.join("usr/bin/anomaly-worker").exists());
    rpm(&[&["--erase"], &there[..], &["anomaly-worker"]].concat());
    assert!(!root.join("usr/bin/anomaly-worker").exists() && password.exists());
    let kept = root.join("etc/anomaly-worker/anomaly-worker.toml.rpmsave");
    assert_eq!(fs::read_to_string(kept).unwrap(), "# mine\n");
}
