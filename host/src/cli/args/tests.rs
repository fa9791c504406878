//! Valid and invalid command lines.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use clap::CommandFactory;

use std::time::Duration;

use super::*;
use crate::config::{self, Access, Config, LogFormat};

fn parse(line: &str) -> Result<Command, String> {
    let words = line.split_whitespace().map(|word| word.trim_matches('"'));
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
}

/// The configuration of a command line over a file that sets everything that a flag can.
fn config(line: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    let text = "input.database = \"i\"\ninput.server = \"h\"\noutput.database = \"o\"\noutput.user = \"u\"\n\
                log.format = \"json\"\nworker.interval = \"1h\"";
    std::fs::write(&file, text).unwrap();
    let mut overrides = match parse(line).unwrap() {
        Command::Run(run) => run.overrides,
        Command::Status(status) => status.overrides,
        Command::Check(overrides) => overrides,
        other => panic!("{other:?}"),
    };
    overrides.config = Some(file);
    let environment = [("ANOMALY_WORKER_INTERVAL".into(), "2h".into())];
    overrides.load(environment).unwrap().config
}

/// A relative path means the working directory.
fn whole(config: &Config) -> Config {
    let here = std::env::current_dir().unwrap();
    let whole = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| here.join(path));
    let mut config = config.clone();
    if !config.is_on_server() {
        config.input.database = whole(&config.input.database);
        config.output.database = whole(&config.output.database);
    }
    config.detector.models = here.join(config.detector.models);
    config.detector.module = whole(&config.detector.module);
    config.log.file = whole(&config.log.file);
    config
}

#[test]
fn the_commands_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn flags_go_over_environment_and_file() {
    let mut expected = Config::default();
    expected.input.database = Some("i".into());
    expected.input.access.server = Some("h".to_owned());
    expected.output.database = Some("o".into());
    expected.output.access.user = Some("u".to_owned());
    expected.log.format = LogFormat::Json;
    expected.worker.interval = Duration::from_secs(7200);
    for line in ["host run", "host run --once", "host check", "host status --json"] {
        assert_eq!(config(line), whole(&expected), "{line}");
    }
    expected.worker.interval = Duration::from_secs(600);
    expected.detector.module = Some("detector.wasm".into());
    expected.detector.models = "m".into();
    expected.input.database = Some("db".into());
    expected.input.access = Access::default();
    expected.output.database = None;
    expected.output.access = Access::default();
    expected.log.file = None;
    expected.log.format = LogFormat::Text;
    expected.worker.shard = Some("2/8".parse().unwrap());
    let flags = "--interval 10 --shard 2/8 --detector detector.wasm --models m --database db --log-file \"\" --log-format text";
    for command in ["run", "check", "status"] {
        assert_eq!(config(&format!("host {command} {flags}")), whole(&expected), "{command}");
    }
    expected.log.file = Some("other.log".into());
    assert_eq!(config(&format!("host run {flags}").replace("\"\"", "other.log")), whole(&expected));
}

#[test]
fn the_other_commands_are_read() {
    for (line, read) in [
        ("host demo", r#"Demo(Demo { dir: "demo", days: 3, write_history: None })"#),
        (
            "host demo --dir d --days 30 --write-history h.csv",
            r#"Demo(Demo { dir: "d", days: 30, write_history: Some("h.csv") })"#,
        ),
        ("host detector inspect d.wasm", r#"Detector(Inspect { module: "d.wasm" })"#),
        (
            "host predict m.json i.csv",
            r#"Predict(Predict { model: "m.json", input: "i.csv", trend_uncertainty: None, interval_width: None, country_holidays: None, detector: None })"#,
        ),
        (
            "host predict m i --trend-uncertainty batch --interval-width 0.9 --country-holidays h --detector d",
            r#"Predict(Predict { model: "m", input: "i", trend_uncertainty: Some(Batch), interval_width: Some(0.9), country_holidays: Some("h"), detector: Some("d") })"#,
        ),
    ] {
        assert_eq!(parse(line).map(|command| format!("{command:?}")), Ok(read.to_owned()), "{line}");
    }
    assert!(matches!(parse("host run --once"), Ok(Command::Run(Run { once: true, .. }))));
    assert!(matches!(parse("host status --json"), Ok(Command::Status(Status { json: true, .. }))));
}

#[test]
fn what_is_wrong_is_said() {
    let interval = "more than zero and at most 7 days: `10` (minutes), `30s`, `10m`, `2h`";
    for (line, said) in [
        (
            "host run --interval 0",
            format!("invalid value '0' for '--interval <TIME>': it must be {interval}"),
        ),
        (
            "host run --interval -5m",
            format!("invalid value '-5m' for '--interval <TIME>': it must be {interval}"),
        ),
        (
            "host run --log-format xml",
            "invalid value 'xml' for '--log-format <FORMAT>'\n  [possible values: text, json]".to_owned(),
        ),
        (
            "host run --shard 9/8",
            "invalid value '9/8' for '--shard <K/N>': a share `K/N` with K at most N: there is no share 9 of 8"
                .to_owned(),
        ),
        ("host demo --days 0", "invalid value '0' for '--days <N>': 0 is not in 1..=30".to_owned()),
        (
            "host run --intervall 5",
            "unexpected argument '--intervall' found\n\n  tip: a similar argument exists: '--interval'"
                .to_owned(),
        ),
    ] {
        let error = parse(line).map(|command| format!("{command:?}")).unwrap_err();
        assert!(error.starts_with(&format!("error: {said}\n")), "{line}: {error}");
    }
}

/// The help repeats the defaults in its text; this compares them with the real ones.
#[test]
fn the_help_tells_the_defaults() {
    let help = parse("host run --help").unwrap_err();
    let said = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let printed = Config::default().to_string();
    for (key, flag) in [
        ("interval = ", "10m"),
        ("models = ", "models/prophet"),
        ("file = ", "worker.log"),
        ("format = ", "text"),
    ] {
        assert!(printed.contains(&format!("{key}\"{flag}\"")), "{key}");
        assert!(said.contains(&format!("[default: {flag}]")), "{said}");
    }
    assert!(said.contains(&format!("[default: {}]", Config::default().input_database().display())), "{said}");
    assert!(said.contains(config::DEFAULT_FILE), "{said}");
}
