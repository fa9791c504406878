//! The Python worker's file, whole and broken.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;

use crate::config::{Access, Config, InputSection, LoadedConfig, OutputSection, load};
use crate::secret::Secret;
use crate::store::PlantClock;

/// Loads a `config.yaml` with this text.
fn python(text: &str) -> Result<LoadedConfig, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let place = file.display().to_string();
    let mut loaded =
        load(Some(&file), []).map_err(|error| error.to_string().replace(&place, "config.yaml"))?;
    loaded.warnings.iter_mut().for_each(|warning| *warning = warning.replace(&place, "config.yaml"));
    Ok(loaded)
}

#[test]
fn the_python_workers_file_is_read_as_it_is() {
    let text = "\
# the plant
database:
  server: sql.plant.local
  port: 1433
  username: worker
  password: '0123: #x'
  schema: dbo
  driver: ODBC Driver 17 for SQL Server
anomaly_system:
  input_database: Planta
  input_table: datos_proceso
  output_database: Resultados
  output_table: \"[otro].anomalies\"
  models_dir: ../models
logging: {level: INFO, password: t0ken}
";
    let loaded = python(text).unwrap();
    let input = InputSection {
        database: Some("Planta".into()),
        table: "dbo.datos_proceso".to_owned(),
        clock: PlantClock::Server,
        access: Access {
            server: Some("sql.plant.local".to_owned()),
            port: Some(1433),
            user: Some("worker".to_owned()),
            password: Some(Secret::new("0123: #x")),
            ..Access::default()
        },
    };
    let output = OutputSection {
        database: Some("Resultados".into()),
        table: "[otro].anomalies".to_owned(),
        ..OutputSection::default()
    };
    let expected = Config { input, output, ..Config::default() };
    assert_eq!(loaded.config, expected);
    let said = "`config.yaml`: not used here: `database.driver`, `anomaly_system.models_dir`, `logging`";
    assert_eq!(loaded.warnings, [said]);
    assert_eq!(loaded.config.output_access(), expected.input.access);
}

#[test]
fn values_of_the_python_workers_file_are_texts() {
    let text = |rest: &str| {
        format!(
            "database: {{server: 's', username: u, {rest}}}\nanomaly_system: {{input_database: d, input_table: t}}"
        )
    };
    for (rest, password, port, table) in [
        ("password: 0123", Some("0123"), None, "t"),
        ("password: true, schema: '  '", Some("true"), None, "t"),
        ("password: 1e5, port: '1434', schema: planta 1", Some("1e5"), Some(1434), "[planta 1].t"),
        ("password: ~, port:", None, None, "t"),
        ("schema: dbo", None, None, "dbo.t"),
    ] {
        let config = python(&text(rest)).unwrap().config;
        let found = config.input.access.password.as_ref().map(Secret::reveal);
        assert_eq!(
            (found, config.input.access.port, config.input.table.as_str()),
            (password, port, table),
            "{rest}"
        );
    }
    // The port that is said with the server counts.
    let both = text("port: 1433").replace("'s'", "'s,14330'");
    assert_eq!(python(&both).unwrap().config.input.access.port, None);
}

/// Whatever is wrong with it, nothing that may be a password is shown.
#[test]
fn what_is_wrong_in_the_python_workers_file_is_said_without_its_words() {
    let lacks = "`config.yaml`: as the Python worker's configuration it lacks";
    let whole = "database: {server: s, username: u, password: s3cret}\nanomaly_system: {input_database: d}\n";
    for (text, said) in [
        ("", format!("{lacks} `database.server`, `database.username`, `anomaly_system.input_database`")),
        (
            "database: {server: s, password: s3cret}\nanomaly_system: {input_database: ''}",
            format!("{lacks} `database.username`, `anomaly_system.input_database`"),
        ),
        (
            &whole.replace("server: s,", "server: s, port: 70000,"),
            "`config.yaml`: `database.port` is `70000`; it must be a whole number from 1 to 65535; or \"\" for the default"
                .to_owned(),
        ),
        (
            &whole.replace("s3cret", "\"s3cret\\n\""),
            "`config.yaml`: `database.password` is `(not shown)`; it must be a text without control characters; or \"\" for the \
             default"
                .to_owned(),
        ),
    ] {
        assert_eq!(python(text).map(|loaded| loaded.config), Err(said), "{text}");
    }
    for broken in [
        "database:\n  password: s3cret: x\n",
        "database:\n  password: @s3cret\n",
        "database:\n  password: 's3cret\n",
        "database:\n  password: [s3cret]\n",
        "database:\n  password: {s3cret: s3cret}\n",
        "database: s3cret\n",
        "database: [s3cret]\n",
        "s3cret\n",
        "- s3cret\n",
        "database:\n  password: s3cret\n  password: s3cret\n",
        "database:\n\tpassword: s3cret\n",
        "database:\n  password: *s3cret\n",
        "database: {password: s3cret}\n---\ns3cret: {\n",
    ] {
        let error = python(broken).map(|loaded| loaded.config).unwrap_err();
        assert!(error.starts_with("`config.yaml`") && !error.contains("s3cret"), "{broken}\n{error}");
        assert!(error.contains("cannot be read as YAML") || error.contains("it lacks"), "{broken}\n{error}");
    }
    let debugged = format!("{:?}", python(whole).unwrap());
    assert!(!debugged.contains("s3cret"), "{debugged}");
}

proptest! {
    #[test]
    fn any_yaml_is_answered(text in "(database:\n  )?(server|password|[a-z]{1,3}|[&*!{}\\[\\]-]): ?[ a-z0-9'\"{}\\[\\],:#&*!|>\n-]{0,40}") {
        let _ = python(&text);
    }
}
