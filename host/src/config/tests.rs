//! What a configuration says, and what is said of one that is wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod every_value;
mod mistakes;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::secret::Secret;

/// Loads a file with this text, in an environment of these variables.
fn loaded(text: &str, variables: &[(&str, &str)]) -> Result<LoadedConfig, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(DEFAULT_FILE);
    std::fs::write(&file, text).unwrap();
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let place = file.display().to_string();
    load(Some(&file), environment).map_err(|error| error.to_string().replace(&place, DEFAULT_FILE))
}

fn config(text: &str, variables: &[(&str, &str)]) -> Config {
    loaded(text, variables).unwrap_or_else(|error| panic!("{text:?} {variables:?}: {error}")).config
}

const EXAMPLE: &str = include_str!("../../../anomaly-worker.toml");

#[test]
fn the_example_file_holds_every_key_at_its_default() {
    assert_eq!(config(EXAMPLE, &[]), Config::default());
    let in_example: BTreeSet<_> =
        EXAMPLE.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    let missing: Vec<_> =
        keys::KEYS.iter().map(|key| key.name).filter(|name| !in_example.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn readings_are_left_out_by_a_truth_or_a_word() {
    for (said, expected) in [
        ("true", Ok(LeaveOut::Flagged)),
        ("Flagged", Ok(LeaveOut::Flagged)),
        (" real ", Ok(LeaveOut::Real)),
        ("false", Ok(LeaveOut::Nothing)),
        (
            "all",
            Err(r#"it must be true or "flagged" for what was flagged, "real" for the episodes that people called so, or false"#
                .to_owned()),
        ),
    ] {
        assert_eq!(leave_out_text(said), expected, "{said}");
    }
    let real = "[training]\nleave_out_anomalies = \"real\"";
    assert_eq!(config(real, &[]).training.leave_out_anomalies, LeaveOut::Real);
    assert_eq!(config(&config(real, &[]).to_string(), &[]).training.leave_out_anomalies, LeaveOut::Real);
}

#[test]
fn the_environment_goes_over_the_file() {
    let text = "[worker]\ninterval = \"2h\"\n[output]\ndatabase = \"o\"\n[detector.settings]\nthreshold = 3\nkept = true\n\
                [alerts.my-hook]\nkind = \"webhook\"\nurl_file = \"f\"";
    let variables = [
        ("ANOMALY_WORKER_INTERVAL", "30s"),
        ("ANOMALY_WORKER_BATCH_ROWS", "7"),
        ("ANOMALY_OUTPUT_DATABASE", ""),
        ("ANOMALY_LOG_FORMAT", "json"),
        ("ANOMALY_DETECTOR_SETTINGS_THRESHOLD", "2.5"),
        ("ANOMALY_DETECTOR_SETTINGS_RESIDUAL_SCALE", "batch"),
        ("ANOMALY_WORKER_INTERVALL", "1"),
        ("ANOMALY_X", "1"),
        ("ANOMALY_ALERTS_MY_HOOK_URL", "https://plant.example/t0ken"),
        ("ANOMALY_ALERTS_MY_HOOK_VARIABLES", "A*, B"),
        ("ANOMALY_ALERTS_MY_HOOK_URRL", "1"),
        ("PATH", "/bin"),
    ];
    let loaded = loaded(text, &variables).unwrap();
    let mut expected = Config::default();
    expected.worker.interval = Duration::from_secs(30);
    expected.worker.batch_rows = 7;
    expected.log.format = LogFormat::Json;
    let settings = json!({"threshold": 2.5, "kept": true, "residual_scale": "batch"});
    expected.detector.settings = settings.as_object().cloned().unwrap();
    expected.alerts.channels = vec![ChannelSection {
        url: Some(Secret::new("https://plant.example/t0ken")),
        url_file: Some("f".into()),
        variables: vec!["A*".to_owned(), "B".to_owned()],
        ..ChannelSection::new("my-hook", ChannelKind::Webhook)
    }];
    assert_eq!(loaded.config, expected);
    let warnings = [
        "environment variable `ANOMALY_ALERTS_MY_HOOK_URRL` means nothing here; did you mean `ANOMALY_ALERTS_TOGETHER`?",
        "environment variable `ANOMALY_WORKER_INTERVALL` means nothing here; did you mean `ANOMALY_WORKER_INTERVAL`?",
        "environment variable `ANOMALY_X` means nothing here",
    ];
    assert_eq!(loaded.warnings, warnings);
}

/// A variable for every key: what the file says of a key, its variable says as well.
#[test]
fn every_key_has_its_variable() {
    for key in keys::KEYS {
        let name = format!("ANOMALY_{}_{}", key.section, key.name).to_uppercase();
        let error = loaded("", &[(&name, "\u{7}")]).unwrap_err();
        let shown = if key.secret { "(not shown)" } else { "\\u{7}" };
        let start = format!("environment variable `{name}` is `{shown}`; it must be ");
        assert!(error.starts_with(&start), "{error}");
    }
}

/// A secret is read as it is, blanks included, and goes nowhere: not into the printed form, which
/// reads back without it, and not into a line of debugging.
#[test]
fn a_secret_is_kept_and_not_shown() {
    let text = "[input]\nserver = \"h\"\nuser = \"u\"\npassword = \" s3cret;'x \"\n\
                [output]\nconnection_string = 'server=o;pwd=t0ken'\n\
                [alerts.a]\nkind = \"webhook\"\nurl = \"https://h/s3cret\"\nsecret = \"t0ken\"\ntoken = \"w0rd\"\npassword = \"s3cret\"";
    let variables = [("ANOMALY_OUTPUT_PASSWORD", "w0rd")];
    let found = config(text, &variables);
    let revealed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
    assert_eq!(revealed(&found.input.access.password), Some(" s3cret;'x ".to_owned()));
    assert_eq!(revealed(&found.output.access.connection_string), Some("server=o;pwd=t0ken".to_owned()));
    assert_eq!(revealed(&found.output.access.password), Some("w0rd".to_owned()));

    let (printed, debugged) = (found.to_string(), format!("{found:?} {:?}", loaded(text, &variables)));
    for secret in ["s3cret", "t0ken", "w0rd"] {
        assert!(!printed.contains(secret) && !debugged.contains(secret), "{printed}\n{debugged}");
    }
    assert_eq!(printed.matches("# password is set and not shown").count(), 3);
    let mut without = found;
    (without.input.access.password, without.output.access.password) = (None, None);
    without.output.access.connection_string = None;
    assert_eq!(printed.matches("is set and not shown").count(), 7);
    without.alerts.channels = vec![ChannelSection::new("a", ChannelKind::Webhook)];
    assert_eq!(config(&printed, &[]), without);
}

#[test]
fn the_output_goes_on_from_the_input() {
    let input = "[input]\nserver = \"h\"\nport = 1\nuser = \"u\"\npassword = \"p\"\nencrypt = \"no\"\n\
                 connect_timeout = \"1s\"\nlock_timeout = \"1s\"\n[output]\n";
    let all = || Access {
        server: Some("h".to_owned()),
        port: Some(1),
        user: Some("u".to_owned()),
        password: Some(Secret::new("p")),
        encrypt: Some(Encrypt::No),
        connect_timeout: Some(Duration::from_secs(1)),
        lock_timeout: Some(Duration::from_secs(1)),
        ..Access::default()
    };
    for (why, output, expected) in [
        ("nothing of its own", "", all()),
        (
            "another login has no part of the input's",
            "user = \"w\"\npassword_file = \"f\"\nlock_timeout = \"2s\"",
            Access {
                user: Some("w".to_owned()),
                password: None,
                password_file: Some("f".into()),
                lock_timeout: Some(Duration::from_secs(2)),
                ..all()
            },
        ),
        (
            "another server has only the timeouts",
            "server = \"o\"\ntrust_server_certificate = true",
            Access {
                server: Some("o".to_owned()),
                trust_server_certificate: Some(true),
                connect_timeout: all().connect_timeout,
                lock_timeout: all().lock_timeout,
                ..Access::default()
            },
        ),
    ] {
        assert_eq!(config(&format!("{input}{output}"), &[]).output_access(), expected, "{why}");
    }
}

proptest! {
    /// Whatever stands in the file: an answer, never a panic.
    #[test]
    fn any_text_is_answered(text in "(\\[(worker|log|detector)\\]\n)?(interval|keep|settings|[a-z]{1,4})[ .=\"a-z0-9\\[\\]\n-]{0,40}") {
        let _ = loaded(&text, &[]);
    }

    /// The example, damaged: an answer that names the file, or a configuration that reads back as
    /// itself.
    #[test]
    fn any_damage_is_answered(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), length in any::<prop::sample::Index>(), cut: bool,
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(length.index(bytes.len()));
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(DEFAULT_FILE);
        std::fs::write(&file, bytes).unwrap();
        match load(Some(&file), []) {
            Ok(LoadedConfig { config: found, .. }) => prop_assert_eq!(config(&found.to_string(), &[]), found),
            Err(error) => prop_assert!(error.to_string().contains(DEFAULT_FILE), "{error}"),
        }
    }

    /// What is printed reads back as itself.
    #[test]
    fn what_is_printed_is_read(name in "[^\\p{C}\\s]{1,50}", millis in 1..604_800_000u64, late in proptest::option::of(0..31_536_000u64), keep in 1..1000usize, key in "\\PC{0,9}", number: f64) {
        prop_assume!(number.is_finite());
        let mut written = Config::default();
        written.worker.name = name;
        written.worker.interval = Duration::from_millis(millis);
        written.worker.allowed_lateness = late.map(Duration::from_secs);
        written.log.keep = keep;
        written.detector.settings.insert(key, number.into());
        prop_assert_eq!(config(&written.to_string(), &[]), written);
    }
}
