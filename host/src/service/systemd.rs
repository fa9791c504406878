//! The systemd unit for a program, a configuration and a name.

use std::path::Path;

use super::NAME;

/// The unit of the package.
const UNIT: &str = include_str!("../../../packaging/systemd/anomaly-worker.service");

/// The program and the configuration in it.
const PROGRAM: &str = "/usr/bin/anomaly-worker";
const CONFIG: &str = "/etc/anomaly-worker/anomaly-worker.toml";

/// The directives that contain a command of the program.
const COMMANDS: [&str; 2] = ["ExecStart=", "ExecReload="];

/// Directives whose value contains the service's name, so that two services share nothing.
const BY_NAME: [&str; 6] =
    ["Description=", "User=", "StateDirectory=", "CacheDirectory=", "WorkingDirectory=", "LoadCredential="];

/// Directories that a service does not see, or that do not survive a restart of the machine.
const NOT_SEEN: [&str; 5] = ["/home", "/root", "/run", "/tmp", "/var/tmp"];

/// The unit.
///
/// # Errors
/// A sentence: the name cannot be a system user's, or the service would not see the path.
pub fn unit(name: &str, program: &Path, config: &Path) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) || name.len() > 31 {
        return Err(format!(
            "`{name}` cannot be the name of a service; it takes 1 to 31 of a to z, 0 to 9, `-` and `_`, a letter first"
        ));
    }
    let (program, config) = (quoted(program)?, quoted(config)?);
    let line = |line: &str| match line {
        line if COMMANDS.iter().any(|directive| line.starts_with(directive)) => {
            line.replacen(PROGRAM, &program, 1).replacen(CONFIG, &config, 1)
        }
        line if BY_NAME.iter().any(|directive| line.starts_with(directive)) => line.replace(NAME, name),
        line => line.to_owned(),
    };
    Ok(UNIT.lines().map(|text| line(text) + "\n").collect())
}

/// A path as an argument of a command.
fn quoted(path: &Path) -> Result<String, String> {
    if let Some(place) = NOT_SEEN.iter().find(|place| path.starts_with(place)) {
        return Err(format!(
            "`{}` is where a service does not look (`{place}`); copy it to `/usr/local/bin` or `/etc` first",
            path.display()
        ));
    }
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| format!("`{}` is no path for a unit", path.display()))?;
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(if escaped == text && !text.contains([' ', '\'']) { escaped } else { format!("\"{escaped}\"") })
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn the_packages_own_unit_is_one_of_them() {
        let config = Path::new("/etc/anomaly-worker/anomaly-worker.toml");
        assert_eq!(unit(NAME, Path::new("/usr/bin/anomaly-worker"), config).unwrap(), UNIT);
    }

    #[test]
    fn two_services_share_nothing_but_the_program() {
        let config = Path::new("/etc/north/50 % $HOME \"x\".toml");
        let unit = unit("north", Path::new("/usr/local/bin/host"), config).unwrap();
        let changed: Vec<_> =
            unit.lines().zip(UNIT.lines()).filter(|(line, before)| line != before).collect();
        let changed: Vec<_> = changed.into_iter().map(|(line, _)| line).collect();
        assert_eq!(
            changed,
            [
                "Description=Judges a plant's readings (north)",
                r#"ExecStart=/usr/local/bin/host run --config "/etc/north/50 %% $$HOME \"x\".toml""#,
                r#"ExecReload=/usr/local/bin/host reload --config "/etc/north/50 %% $$HOME \"x\".toml""#,
                "User=north",
                "StateDirectory=north",
                "CacheDirectory=north",
                "WorkingDirectory=/var/lib/north",
                "LoadCredential=input:/etc/north/input",
                "LoadCredential=output:/etc/north/output",
            ]
        );
    }

    #[test]
    fn what_would_not_start_is_said() {
        let (program, config) = (Path::new("/usr/local/bin/host"), Path::new("/etc/c.toml"));
        for (name, program, config, said) in [
            ("", program, config, "cannot be the name"),
            ("a b", program, config, "cannot be the name"),
            ("../x", program, config, "cannot be the name"),
            ("Norte", program, config, "cannot be the name"),
            ("n", Path::new("/root/host"), config, "a service does not look (`/root`)"),
            ("n", program, Path::new("/home/ana/c.toml"), "a service does not look (`/home`)"),
            ("n", program, Path::new("/etc/a\nb.toml"), "is no path for a unit"),
        ] {
            let error = unit(name, program, config).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
