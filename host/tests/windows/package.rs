//! The zip and the MSI: what is in them, and that the MSI can be installed and removed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Place;
use crate::wine::{drive, other, program_file, windows};

const FILES: [&str; 11] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.es.md",
    "README.md",
    "anomaly-worker-defaults.toml",
    "anomaly-worker.exe",
    "anomaly-worker.toml",
    "service.es.md",
    "service.md",
    "task.xml",
];

fn said(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn packages(place: &Place, version: &str) -> (PathBuf, PathBuf) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/windows.sh");
    said(Command::new(script).arg(program_file()).arg(place.path("out")).arg(version));
    let package = |kind: &str| place.path(&format!("out/anomaly-worker_{version}_x64.{kind}"));
    (package("zip"), package("msi"))
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// The files below a directory, without its own name.
fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    sorted(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
}

/// The program needs only libraries that every Windows has.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn the_program_takes_nothing_but_windows() {
    let imports = said(Command::new("x86_64-w64-mingw32-objdump").arg("-p").arg(program_file()));
    let libraries = imports.lines().filter_map(|line| line.trim().strip_prefix("DLL Name: "));
    let of_mingw: Vec<_> =
        libraries.filter(|name| name.starts_with("lib") || name.contains("pthread")).collect();
    assert_eq!(of_mingw, [""; 0]);
}

#[test]
#[ignore = "needs Wine: just test-windows"]
fn what_is_in_the_packages_and_how_the_msi_goes_in_over_and_out() {
    let place = Place::new();
    let (zip, msi) = packages(&place, "1.0.0");
    let listed = said(Command::new("unzip").arg("-Z1").arg(zip));
    let names = listed.lines().filter_map(|name| name.strip_prefix("anomaly-worker-1.0.0/"));
    let in_zip: Vec<_> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    assert_eq!(sorted(in_zip), sorted(FILES.iter().copied().chain(["models/"]).map(str::to_owned).collect()));
    let table = said(Command::new("msiinfo").arg("export").arg(&msi).arg("File"));
    let in_msi = table.lines().skip(3).filter_map(|row| row.split('\t').nth(2)).map(str::to_owned);
    assert_eq!(sorted(in_msi.collect()), FILES);

    let (program, data) =
        (drive().join("Program Files/anomaly-worker"), drive().join("ProgramData/anomaly-worker"));
    let msiexec = |what: &str, msi: &Path| {
        let ran = other(&place, "msiexec", &[what, &windows(msi), "/qn"]);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
    };
    // Left of a test that did not reach its end.
    let _ = std::fs::remove_dir_all(&data);
    msiexec("/i", &msi);
    let beside: Vec<_> = FILES.iter().copied().filter(|name| *name != "anomaly-worker.toml").collect();
    assert_eq!(files(&program), beside);
    assert_eq!(files(&data), ["anomaly-worker.toml", "models"]);
    let installed = r"C:\Program Files\anomaly-worker\anomaly-worker.exe";
    let version = other(&place, installed, &["--version"]);
    assert_eq!(version.stdout, place.run(&["--version"]).stdout);
    // The configuration that it brings is one that the program reads.
    let config = ["schema", "--config", r"C:\ProgramData\anomaly-worker\anomaly-worker.toml"];
    let schema = other(&place, installed, &config);
    assert_eq!(schema.code, Some(0), "{}", schema.stderr);

    std::fs::write(data.join("anomaly-worker.toml"), "# mine\n").unwrap();
    let (_, newer) = packages(&place, "1.1.0");
    msiexec("/i", &newer);
    assert_eq!(files(&program), beside);
    msiexec("/x", &newer);
    assert_eq!(files(&program), [""; 0]);
    assert_eq!(std::fs::read_to_string(data.join("anomaly-worker.toml")).unwrap(), "# mine\n");
    assert_eq!(files(&data), ["anomaly-worker.toml", "models"]);
    std::fs::remove_dir_all(&data).unwrap();
}
