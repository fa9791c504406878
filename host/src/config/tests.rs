#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::alert::event::EventKind;
use crate::alert::language::Language;
use crate::episode::{PatternSettings, Priority, Side, StateDelay};
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
fn every_value_is_read_from_the_file() {
    let text = r#"
        worker.name = "line 2"
        worker.shard = "2/8"
        worker.interval = 5
        worker.batch_rows = 0x10
        worker.initial_lookback = "0s"
        worker.allowed_lateness = "90m"
        worker.settle = "1500ms"
        worker.reconcile = "off"
        [input]
        database = 'C:\plant\data.sqlite'
        table = "proceso"
        clock = "UTC+2"
        server = 'plant\sql'
        port = 14330
        user = "worker"
        password_file = "password"
        integrated = false
        encrypt = "strict"
        ca_file = "ca.pem"
        connect_timeout = "5s"
        query_timeout = "2m"
        lock_timeout = "500ms"
        [output]
        database = "out.sqlite"
        table = "o"
        state_table = "s"
        episodes_table = "e"
        outbox_table = "t"
        trust_server_certificate = true
        [detector]
        module = "detector.wasm"
        models = "models"
        memory_mib = 64
        checkpoint_mib = 2
        deadline = "200ms"
        module_mib = 8
        model_mib = 16
        models_mib = 2048
        compile_memory_mib = 600
        compile_deadline = "20s"
        cache_dir = "cache"
        state_dir = "state"
        [detector.settings]
        threshold = 2.5
        since = 2025-01-15T10:00:00
        names = ["T1", 'T 2']
        nested = { a = true, b.c = -1 }
        [training]
        every = "7days"
        history = "30days"
        holdout = "12h"
        leave_out_anomalies = true
        keep = 2
        mode = "as-prophet"
        settings = "t.json"
        memory_mib = 512
        deadline = "1m"
        [log]
        file = ""
        max_mib = 1
        keep = 2
        format = "JSON"
        level = "error"
        [alerts]
        language = "es"
        together = "1m"
        [alerts.mail]
        kind = "email"
        language = "en"
        priority = "high"
        variables = ["TEMP*", "P-1"]
        kinds = ["opened", "still-open", "closed", "silent", "back", "service"]
        to = ["a@plant.example", "b@plant.example"]
        from = "Anomaly <worker@plant.example>"
        server = "mail.plant.example"
        port = 2525
        tls = "none"
        user = "worker"
        password_file = "mail_password"
        ca_file = "ca.pem"
        [alerts.hook_2]
        kind = "webhook"
        kinds = "closed"
        url_file = "hook_url"
        secret_file = "hook_secret"
        token_file = "hook_token"
        template = "hook.json"
        [web]
        listen = "[::1]:9000"
        token_file = "token"
        trusted_header = "X-User"
        proxies = "10.0.0.5, 10.0.0.6"
        hosts = "planta.example"
        actions = true
        [variables."TEMP*"]
        direction = "above"
        minimum_deviation = 2.5
        on_delay = 3
        off_delay = 5
        priority = "high"
        unit = "°C"
        description = 'horno "A"'
        silent_after = "30m"
        stuck_after = "off"
        shelved = ["mon-fri 06:00-06:30", "sun 22:00-02:00"]
        [variables."AGUA/FLOW 1"]
        silent_after = "learnt"
    "#;
    let second = Duration::from_secs;
    let settings = json!({
        "threshold": 2.5, "since": "2025-01-15T10:00:00", "names": ["T1", "T 2"], "nested": {"a": true, "b": {"c": -1}},
    });
    let expected = Config {
        worker: WorkerSection {
            name: "line 2".to_owned(),
            shard: Some("2/8".parse().unwrap()),
            interval: second(300),
            batch_rows: 16,
            initial_lookback: Duration::ZERO,
            allowed_lateness: Some(second(5400)),
            settle: Some(Duration::from_millis(1500)),
            reconcile: Every(None),
        },
        input: InputSection {
            database: Some(r"C:\plant\data.sqlite".into()),
            table: "proceso".to_owned(),
            clock: PlantClock::Offset { minutes: 120 },
            access: Access {
                server: Some(r"plant\sql".to_owned()),
                port: Some(14_330),
                user: Some("worker".to_owned()),
                password_file: Some("password".into()),
                integrated: Some(false),
                encrypt: Some(Encrypt::Strict),
                ca_file: Some("ca.pem".into()),
                connect_timeout: Some(second(5)),
                query_timeout: Some(second(120)),
                lock_timeout: Some(Duration::from_millis(500)),
                ..Access::default()
            },
        },
        output: OutputSection {
            database: Some("out.sqlite".into()),
            table: "o".to_owned(),
            episodes_table: "e".to_owned(),
            outbox_table: "t".to_owned(),
            state_table: "s".to_owned(),
            access: Access { trust_server_certificate: Some(true), ..Access::default() },
        },
        detector: DetectorSection {
            module: Some("detector.wasm".into()),
            models: "models".into(),
            memory_mib: 64,
            checkpoint_mib: 2,
            deadline: Duration::from_millis(200),
            module_mib: 8,
            model_mib: 16,
            models_mib: 2048,
            compile_memory_mib: 600,
            compile_deadline: Duration::from_secs(20),
            cache_dir: Some("cache".into()),
            state_dir: Some("state".into()),
            settings: settings.as_object().cloned().unwrap(),
        },
        training: TrainingSection {
            every: Every(Some(second(7 * 86_400))),
            history: second(30 * 86_400),
            holdout: second(43_200),
            leave_out_anomalies: true,
            keep: 2,
            mode: Some(TrainingMode::AsProphet),
            settings: Some("t.json".into()),
            memory_mib: 512,
            deadline: second(60),
        },
        log: Log { file: None, max_mib: 1, keep: 2, format: LogFormat::Json, level: LogLevel::Error },
        alerts: AlertsSection {
            language: Language::Es,
            together: second(60),
            channels: vec![
                ChannelSection {
                    language: Some(Language::En),
                    priority: Some(Priority::High),
                    variables: vec!["TEMP*".to_owned(), "P-1".to_owned()],
                    kinds: vec![
                        EventKind::Opened,
                        EventKind::StillOpen,
                        EventKind::Closed,
                        EventKind::Silent,
                        EventKind::Back,
                        EventKind::Service,
                    ],
                    to: vec!["a@plant.example".to_owned(), "b@plant.example".to_owned()],
                    from: Some("Anomaly <worker@plant.example>".to_owned()),
                    server: Some("mail.plant.example".to_owned()),
                    port: Some(2525),
                    tls: Some(MailTls::None),
                    user: Some("worker".to_owned()),
                    password_file: Some("mail_password".into()),
                    ca_file: Some("ca.pem".into()),
                    ..ChannelSection::new("mail", ChannelKind::Email)
                },
                ChannelSection {
                    kinds: vec![EventKind::Closed],
                    url_file: Some("hook_url".into()),
                    secret_file: Some("hook_secret".into()),
                    token_file: Some("hook_token".into()),
                    template: Some("hook.json".into()),
                    ..ChannelSection::new("hook_2", ChannelKind::Webhook)
                },
            ],
        },
        web: Web {
            listen: Some("[::1]:9000".parse().unwrap()),
            token: None,
            token_file: Some("token".into()),
            trusted_header: Some("X-User".to_owned()),
            proxies: Some("10.0.0.5, 10.0.0.6".to_owned()),
            hosts: Some("planta.example".to_owned()),
            actions: true,
        },
        variables: VariablesSection(vec![
            (
                "TEMP*".to_owned(),
                PatternSettings {
                    direction: Some(Side::Above),
                    minimum_deviation: Some(2.5),
                    on_delay: Some(3),
                    off_delay: Some(5),
                    priority: Some(Priority::High),
                    unit: Some("°C".to_owned()),
                    description: Some("horno \"A\"".to_owned()),
                    silent_after: Some(StateDelay::Set(Duration::from_secs(1800))),
                    stuck_after: Some(StateDelay::Never),
                    shelved: Some(
                        ["mon-fri 06:00-06:30", "sun 22:00-02:00"].map(|w| w.parse().unwrap()).into(),
                    ),
                },
            ),
            (
                "AGUA/FLOW 1".to_owned(),
                PatternSettings { silent_after: Some(StateDelay::Learnt), ..PatternSettings::default() },
            ),
        ]),
    };
    assert_eq!(config(text, &[]), expected);
    assert_eq!(config(&expected.to_string(), &[]), expected);
    assert_eq!(expected.output_database(), Path::new("out.sqlite"));
    assert_eq!(config("\u{feff}", &[]).output_database(), Path::new("anomaly-worker.sqlite"));
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

const CHANNEL_KINDS: &str = "\"email\" or \"webhook\" or \"teams\" or \"alertmanager\" or \"slack\" or \"telegram\" or \"ntfy\" or \
                             \"pagerduty\"";

const INTERVAL: &str = "more than zero and at most 7 days: `10` (minutes), `30s`, `10m`, `2h`";

#[test]
fn an_interval_is_minutes_or_has_a_unit() {
    for (text, seconds) in [
        ("10", 600),
        (" 10 ", 600),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1h 30m", 5400),
        ("7days", 604_800),
    ] {
        assert_eq!(interval_text(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    let wrong = [
        "",
        "0",
        "0s",
        "-10",
        "-5m",
        "8days",
        "10081",
        "ten",
        "10x",
        "99999999999999999999",
        "18446744073709551615s1000ms",
    ];
    for text in wrong {
        assert_eq!(interval_text(text), Err(format!("it must be {INTERVAL}")), "{text}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_is_right() {
    let duration = "a duration with its unit, such as `30s`, `10m` or `2h`, from";
    for (text, said) in [
        // Keys and sections.
        (
            "[worker]\nname = \"a\"\n\nintervall = 1",
            "line 4: `[worker]` has no key `intervall`; did you mean `interval`?",
        ),
        ("[worker]\nbatch-row = 1", "line 2: `[worker]` has no key `batch-row`; did you mean `batch_rows`?"),
        (
            "[variables]\ndirection = \"up\"",
            "line 2: `direction` stands in `[variables]`, where only patterns do; write `[variables.\"TEMP*\"]` above it",
        ),
        (
            "[variables.\"TEMP*\"]\nondelay = 2",
            "line 2: `[variables.\"TEMP*\"]` has no key `ondelay`; did you mean `on_delay`?",
        ),
        (
            "[variables.T1]\ndirection = \"up\"",
            "line 2: `direction` of `[variables.\"T1\"]` is `\"up\"`; it must be \"above\" or \"below\" or \"both\"",
        ),
        (
            "[variables.T1]\noff_delay = 0",
            "line 2: `off_delay` of `[variables.\"T1\"]` is `0`; it must be a whole number from 1 to 100000",
        ),
        (
            "[variables.T1]\nminimum_deviation = -1.5",
            "line 2: `minimum_deviation` of `[variables.\"T1\"]` is `-1.5`; it must be a number that is not negative, in the variable's unit",
        ),
        (
            "[variables.T1]\nsilent_after = \"soon\"",
            "line 2: `silent_after` of `[variables.\"T1\"]` is `\"soon\"`; it must be a duration with its unit, such as `30s`, `10m` or \
             `2h`, from 1s to 365days; or \"learnt\", or \"off\"",
        ),
        (
            "[variables.T1]\nshelved = [\"mon 6-7\"]",
            "line 2: `shelved` of `[variables.\"T1\"]` is `[\"mon 6-7\"]`; it must be a list of days and a time, such as \
             \"mon-fri 06:00-06:30\", \"sat,sun 00:00-24:00\" or \"daily 22:00-02:00\"",
        ),
        (
            "[variables.\"\"]\non_delay = 2",
            "line 1: `` is no pattern of variables; it must be a name of 1 to 100 characters, in which `*` stands for any characters \
             and `?` for one",
        ),
        (
            "[worker]\ndeadline = 1",
            "line 2: `[worker]` has no key `deadline`; did you mean `deadline` in `[detector]`?",
        ),
        (
            "[log]\nzzz = 1",
            "line 2: `[log]` has no key `zzz`; its keys are `file`, `max_mib`, `keep`, `format`, `level`",
        ),
        (
            "[log]\n\"a\\nb\" = 1",
            "line 2: `[log]` has no key `a\\nb`; its keys are `file`, `max_mib`, `keep`, `format`, `level`",
        ),
        ("[workers]\ninterval = 1", "line 1: there is no section `[workers]`; did you mean `[worker]`?"),
        (
            "\n[email]",
            "line 2: there is no section `[email]`; the sections are `worker`, `input`, `output`, `detector`, `training`, `log`, `alerts`, `web`",
        ),
        ("interval = 10", "line 1: `interval` stands outside the sections; put it below `[worker]`"),
        (
            "worker = 10",
            "line 1: `worker` stands outside the sections; if you mean the section, write `[worker]`",
        ),
        (
            "zzz = 10",
            "line 1: `zzz` stands outside the sections; the sections are `worker`, `input`, `output`, `detector`, `training`, `log`, `alerts`, `web`",
        ),
        (
            "[[worker]]\nname = \"a\"",
            "line 1: `worker` stands outside the sections; if you mean the section, write `[worker]`",
        ),
        // The first mistake in the file's own order is told.
        (
            "[worker]\nzzz_b = 1\nzzz_a = 1",
            "line 2: `[worker]` has no key `zzz_b`; its keys are `name`, `shard`, `interval`, `batch_rows`, \
            `initial_lookback`, `allowed_lateness`, `settle`, `reconcile`",
        ),
        // Values.
        ("[worker]\ninterval = 0", &format!("line 2: `worker.interval` is `0`; it must be {INTERVAL}")),
        ("[worker]\ninterval = -1", &format!("line 2: `worker.interval` is `-1`; it must be {INTERVAL}")),
        ("[worker]\ninterval = 1.5", &format!("line 2: `worker.interval` is `1.5`; it must be {INTERVAL}")),
        (
            "[worker]\ninterval = \"8d\"",
            &format!("line 2: `worker.interval` is `\"8d\"`; it must be {INTERVAL}"),
        ),
        (
            "[worker]\nbatch_rows = 100_001",
            "line 2: `worker.batch_rows` is `100_001`; it must be a whole number from 1 to 100000",
        ),
        (
            "[worker]\nbatch_rows = \"9\"",
            "line 2: `worker.batch_rows` is `\"9\"`; it must be a whole number from 1 to 100000",
        ),
        (
            "[worker]\ninitial_lookback = 10",
            &format!("line 2: `worker.initial_lookback` is `10`; it must be {duration} 0s to 36500days"),
        ),
        (
            "[worker]\nsettle = [\n1]",
            &format!(
                "line 2: `worker.settle` is `[\\n1]`; it must be {duration} 0s to 30days; or \"\" for the default"
            ),
        ),
        (
            "[detector]\ndeadline = \"0s\"",
            &format!("line 2: `detector.deadline` is `\"0s\"`; it must be {duration} 1ms to 1h"),
        ),
        ("[worker]\nname = \"\"", "line 2: `worker.name` is `\"\"`; it must be a text of 1 to 90 characters"),
        (
            "[input]\ntable = 3",
            "line 2: `input.table` is `3`; it must be a table's name, such as `dbo.datos_proceso`",
        ),
        (
            "[input]\ndatabase = true",
            "line 2: `input.database` is `true`; it must be a path in quotes, in single ones if it has a `\\`; \
            or \"\" for the default",
        ),
        (
            "[input]\nport = 70000",
            "line 2: `input.port` is `70000`; it must be a whole number from 1 to 65535; or \"\" for the default",
        ),
        (
            "[output]\nencrypt = false",
            "line 2: `output.encrypt` is `false`; it must be \"yes\" or \"strict\" or \"no\"; or \"\" for the default",
        ),
        (
            "[output]\nintegrated = \"perhaps\"",
            "line 2: `output.integrated` is `\"perhaps\"`; it must be true or false; or \"\" for the default",
        ),
        // What may hold a password is not shown, whatever is wrong with it.
        (
            "[input]\npassword = 1234567",
            "line 2: `input.password` is `(not shown)`; it must be a text without control characters; or \"\" for the default",
        ),
        (
            "[output]\nconnection_string = [\"pwd=1234567\"]",
            "line 2: `output.connection_string` is `(not shown)`; it must be a text without control characters; \
            or \"\" for the default",
        ),
        ("[log]\nformat = \"xml\"", "line 2: `log.format` is `\"xml\"`; it must be \"text\" or \"json\""),
        (
            "[log]\nlevel = \"loud\"",
            "line 2: `log.level` is `\"loud\"`; it must be \"debug\" or \"info\" or \"warning\" or \"error\"",
        ),
        (
            "[detector]\nsettings = 1",
            "line 2: `detector.settings` is `1`; it must be a table: `[detector.settings]`",
        ),
        (
            "[detector.settings]\na.b = [1, nan]",
            "line 2: `detector.settings.a.b` is `nan`; it must be a finite number of 64 bits",
        ),
        (
            "[detector.settings]\na = 9223372036854775808",
            "line 2: `detector.settings.a` is `9223372036854775808`; it must be a finite number of 64 bits",
        ),
        // A backslash in double quotes.
        (
            "[input]\nserver = \"SRV\\test\"",
            "line 2: `input.server` is `\"SRV\\test\"`; it must be a server: `host`, `host,port` or `host\\instance`; or \"\" for the \
             default; in double quotes `\\` begins an escape such as `\\t`, so write the text in single quotes",
        ),
        (
            "[detector]\nmodels = \"D:\\new\"",
            "line 2: `detector.models` is `\"D:\\new\"`; it must be a path in quotes, in single ones if it has a `\\`; in double \
             quotes `\\` begins an escape such as `\\t`, so write the text in single quotes",
        ),
        // Channels.
        ("[alerts.mail]", &format!("line 1: `[alerts.mail]` has no `kind`; it must be {CHANNEL_KINDS}")),
        (
            "[alerts.mail]\nkind = \"mail\"",
            &format!("line 1: `alerts.mail.kind` is `mail`; it must be {CHANNEL_KINDS}"),
        ),
        (
            "[alerts.mail]\nkind = 1",
            &format!("line 1: `alerts.mail.kind` is no text; it must be {CHANNEL_KINDS}"),
        ),
        (
            "[alerts.mail]\nkind = \"email\"\nservr = \"h\"",
            "line 3: `[alerts.mail]` has no key `servr`; did you mean `server`?",
        ),
        (
            "[alerts.mail]\nkind = \"email\"\nzzz = 1",
            "line 3: `[alerts.mail]` has no key `zzz`; its keys are `kind`, `language`, `priority`, `variables`, `kinds`, `to`, `from`, \
             `server`, `port`, `tls`, `user`, `password`, `password_file`, `url`, `url_file`, `secret`, `secret_file`, `token`, \
             `token_file`, `template`, `ca_file`",
        ),
        (
            "[alerts.mail]\nkind = \"email\"\ntls = \"yes\"",
            "line 3: `alerts.mail.tls` is `\"yes\"`; it must be \"tls\" or \"starttls\" or \"none\"; or \"\" for the default",
        ),
        (
            "[alerts.mail]\nkind = \"email\"\nkinds = [\"opened\", \"begun\"]",
            "line 3: `alerts.mail.kinds` is `[\"opened\", \"begun\"]`; it must be \"opened\" or \"still-open\" or \"closed\" or \
             \"silent\" or \"back\" or \"service\", or a list of such",
        ),
        (
            "[alerts.hook]\nkind = \"webhook\"\nurl = 1234567",
            "line 3: `alerts.hook.url` is `(not shown)`; it must be a text without control characters; or \"\" for the default",
        ),
        (
            "[alerts.\"a b\"]\nkind = \"email\"",
            "line 1: `[alerts.a b]` cannot be a channel's name; it must be 1 to 40 letters, digits, `-` or `_`",
        ),
        (
            "[alerts.a-b]\nkind = \"email\"\n[alerts.a_b]\nkind = \"email\"",
            "line 3: `[alerts.a_b]` and `[alerts.a-b]` have the same variables; name one otherwise",
        ),
        (
            "[alerts.language]\nkind = \"email\"",
            "line 1: `alerts.language` is `[alerts.language]`; it must be \"en\" or \"es\"",
        ),
        ("[alerts]\nlanguag = \"es\"", "line 2: `[alerts]` has no key `languag`; did you mean `language`?"),
        // The text itself.
        ("[worker]\nname = \"a", "line 2, column 10: this is not TOML: invalid basic string, expected `\"`"),
        (
            "[worker]\nname = C:\\x",
            "line 2, column 8: this is not TOML: string values must be quoted, expected literal string; \
            a path with `\\` stands in single quotes",
        ),
        (
            "[input]\ndatabase = \"C:\\data\"",
            "line 2, column 16: this is not TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\\`, `\"`, `x`, `u`, \
                `U`; a path with `\\` stands in single quotes",
        ),
        ("[worker\n", "line 1, column 8: this is not TOML: unclosed table, expected `]`"),
        ("[log]\nkeep = 1\nkeep = 2", "line 3, column 1: this is not TOML: duplicate key"),
    ] {
        assert_eq!(loaded(text, &[]), Err(format!("`{DEFAULT_FILE}` {said}")), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = load(Some(Path::new("no/such.toml")), []).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration `no/such.toml`: "), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("latin1.toml");
    std::fs::write(&file, b"[worker]\nname = \"l\xednea\"").unwrap();
    let error = load(Some(&file), []).unwrap_err().to_string();
    assert_eq!(error, format!("`{}` line 2: this is not UTF-8 text; save the file as UTF-8", file.display()));
}

proptest! {
    /// Whatever stands in the file: an answer, never a panic.
    #[test]
    fn any_text_is_answered(text in "(\\[(worker|log|detector)\\]\n)?(interval|keep|settings|[a-z]{1,4})[ .=\"a-z0-9\\[\\]\n-]{0,40}") {
        let _ = loaded(&text, &[]);
    }

    /// The example, damaged: an answer that names the file, or a configuration that reads back as itself.
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
