//! A file that sets every key.

use serde_json::json;

use super::config;
use crate::alert::event::EventKind;
use crate::alert::language::Language;
use crate::config::*;
use crate::episode::{PatternSettings, Priority, Side, StateDelay};
use crate::training::LeaveOut;

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
        page = "https://plant.example/anomalies/"
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
            leave_out_anomalies: LeaveOut::Flagged,
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
            page: Some("https://plant.example/anomalies".to_owned()),
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
