//! What is given to supervisors of Windows, as far as it can be tested without them: the task to
//! import is valid, and this program accepts every command of the page.

use std::path::{Path, PathBuf};

use clap::Parser;
use host::cli::args::{Cli, Command, Run, ServiceCommand};

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

const PROGRAM: &str = r"C:\Program Files\anomaly-worker\anomaly-worker.exe";
const DIRECTORY: &str = r"C:\ProgramData\anomaly-worker";
const TASK: &str = "packaging/windows/task.xml";
const PAGES: [&str; 2] = ["docs/service-windows.md", "docs/service-windows.es.md"];

fn parsed<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let words: Vec<_> = words.into_iter().collect();
    Cli::try_parse_from(&words).unwrap_or_else(|error| unreachable!("{words:?}: {error}")).command
}

#[test]
fn the_task_runs_one_cycle_in_the_directory_of_the_configuration() {
    let text = read(TASK);
    let task = roxmltree::Document::parse(&text).unwrap();
    // Each by the path of its elements from the root.
    let at = |path: &str| {
        let mut element = task.root_element();
        for name in path.split('/') {
            let below = element.children().find(|child| child.tag_name().name() == name);
            element = below.unwrap_or_else(|| unreachable!("{path}: there is no `{name}`"));
        }
        element.text().unwrap_or_default().to_owned()
    };
    assert_eq!(task.root_element().tag_name().name(), "Task");
    assert_eq!(at("Actions/Exec/Command"), format!("\"{PROGRAM}\""));
    assert_eq!(at("Actions/Exec/WorkingDirectory"), DIRECTORY);
    let arguments = at("Actions/Exec/Arguments");
    let Command::Run(Run { once, overrides, .. }) = parsed(["host"].into_iter().chain(arguments.split(' ')))
    else {
        unreachable!("{arguments}")
    };
    assert!(once, "{arguments}");
    assert_eq!(overrides.config, Some(PathBuf::from("anomaly-worker.toml")));
    assert_eq!(at("Triggers/TimeTrigger/Repetition/Interval"), "PT10M");
    assert_eq!(at("Settings/MultipleInstancesPolicy"), "IgnoreNew");
    // This is LocalService in every language of Windows.
    assert_eq!(at("Principals/Principal/UserId"), "S-1-5-19");
    // In the encoding in which it is imported: `schtasks` accepts no other, and the script that
    // packs it writes this one.
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n"));
    assert!(read("packaging/windows.sh").contains("-t UTF-16LE"));
}

/// The lines of a page that a person has to type.
fn commands(page: &str) -> Vec<String> {
    let text = read(page);
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("powershell\n"));
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_page_is_taken() {
    for page in PAGES {
        let mut services = 0;
        for line in commands(page) {
            // Also after a pipe.
            let Some((_, arguments)) = line.split_once("anomaly-worker ") else { continue };
            if !line.starts_with("anomaly-worker ") && !line.contains("| anomaly-worker ") {
                continue;
            }
            let command = parsed(["host"].into_iter().chain(arguments.split(' ')));
            services += usize::from(matches!(command, Command::Service(_)));
        }
        assert!(services >= 10, "{page}: {services}");
    }
}

#[test]
fn nssm_is_told_to_leave_it_the_time_and_a_wrong_configuration_alone() {
    for page in PAGES {
        let lines = commands(page);
        let told = |what: &str| {
            let begin = format!("nssm set anomaly-worker {what} ");
            let found: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(&begin)).collect();
            assert_eq!(found.len(), 1, "{page}: {what}");
            found[0].to_owned()
        };
        assert!(lines.contains(&format!("nssm install anomaly-worker \"{PROGRAM}\"")), "{page}");
        assert_eq!(told("AppDirectory"), DIRECTORY, "{page}");
        // A batch that is being judged has 20 s.
        assert!(told("AppStopMethodConsole").parse::<u32>().unwrap() > 20_000, "{page}");
        assert_eq!([told("AppExit 0"), told("AppExit 2")], ["Exit", "Exit"], "{page}");
        assert_eq!(told("AppExit Default"), "Restart", "{page}");
        let parameters = told("AppParameters");
        let Command::Run(Run { once, overrides, .. }) =
            parsed(["host"].into_iter().chain(parameters.split(' ')))
        else {
            unreachable!("{page}: {parameters}")
        };
        assert!(!once && overrides.config == Some(PathBuf::from("anomaly-worker.toml")), "{page}");
    }
}

/// The words are the same on every system.
#[test]
fn the_words_of_a_service() {
    for (line, name) in [
        ("install --config c.toml", "anomaly-worker"),
        ("uninstall --name north", "north"),
        ("start", "anomaly-worker"),
        ("stop --name north", "north"),
        ("reload", "anomaly-worker"),
        ("status --name north", "north"),
        ("run --name north --config c.toml", "north"),
    ] {
        let Command::Service(asked) = parsed(["host", "service"].into_iter().chain(line.split(' '))) else {
            unreachable!("{line}")
        };
        let of = match asked {
            ServiceCommand::Install { of, .. }
            | ServiceCommand::Uninstall { of }
            | ServiceCommand::Start { of }
            | ServiceCommand::Stop { of }
            | ServiceCommand::Reload { of }
            | ServiceCommand::Status { of }
            | ServiceCommand::Run { of, .. } => of,
        };
        assert_eq!(of.name, name, "{line}");
    }
}

/// Where Prometheus's own tool is installed (Debian: `apt-get install prometheus`).
#[test]
fn promtool_takes_the_alert_rules() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/prometheus/alerts.yml");
    match std::process::Command::new("promtool").args(["check", "rules"]).arg(rules).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no `promtool` on this machine");
        }
        tried => {
            let tried = tried.unwrap();
            assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
        }
    }
}
