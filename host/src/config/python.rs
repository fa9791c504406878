//! The Python worker's `config.yaml`, read as it is: the address of the database, the login, and
//! the names of the tables.
//!
//! The file belongs to another program: its other keys are skipped and named. It holds a password,
//! so an error contains only the names of its keys, and only those values that are known not to be
//! a password.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Config;
use super::error::{ConfigError, KeyLocation, found};
use super::keys;
use super::value::Given;
use crate::store::TableName;

/// The keys of the file that are used.
#[derive(Deserialize, Default)]
#[serde(default)]
struct PythonConfig {
    database: Option<Database>,
    anomaly_system: Option<AnomalySystem>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Database {
    server: Option<String>,
    port: Option<String>,
    username: Option<String>,
    password: Option<String>,
    schema: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AnomalySystem {
    input_database: Option<String>,
    input_table: Option<String>,
    output_database: Option<String>,
    output_table: Option<String>,
}

/// The names of the keys of both sections.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Sections {
    database: Option<BTreeMap<String, IgnoredAny>>,
    anomaly_system: Option<BTreeMap<String, IgnoredAny>>,
}

const DATABASE: [&str; 5] = ["server", "port", "username", "password", "schema"];
const ANOMALY_SYSTEM: [&str; 4] = ["input_database", "input_table", "output_database", "output_table"];

/// Whether a file is one of the Python worker's, judging by its name.
pub(super) fn is_meant(file: &Path) -> bool {
    file.extension()
        .is_some_and(|ending| ["yaml", "yml"].iter().any(|yaml| ending.eq_ignore_ascii_case(yaml)))
}

/// Applies the file; returns a sentence on the keys that were skipped.
pub(super) fn apply(config: &mut Config, file: &Path) -> Result<Vec<String>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    let text = crate::regular::read_small_text(file).map_err(unreadable)?;
    let malformed = |error: serde_saphyr::Error| malformed(file, &error);
    let document: PythonConfig = serde_saphyr::from_str(&text).map_err(malformed)?;
    let database = document.database.unwrap_or_default();
    let system = document.anomaly_system.unwrap_or_default();

    let needed = [
        ("database.server", &database.server),
        ("database.username", &database.username),
        ("anomaly_system.input_database", &system.input_database),
    ];
    let missing: Vec<String> = needed
        .iter()
        .filter(|(_, value)| value.as_ref().is_none_or(|value| value.trim().is_empty()))
        .map(|(key, _)| format!("`{key}`"))
        .collect();
    if !missing.is_empty() {
        let place = KeyLocation::Whole(file.to_owned());
        let what = format!("as the Python worker's configuration it lacks {}", missing.join(", "));
        return Err(ConfigError::Wrong { place, what });
    }

    // `host,port` contains the port already.
    let port = database.port.filter(|_| !database.server.as_deref().unwrap_or_default().contains(','));
    let schema = database.schema.filter(|schema| !schema.trim().is_empty());
    let table = |name: Option<String>| name.map(|name| in_schema(name, schema.as_deref()));
    let state_table = schema.as_ref().map(|_| in_schema(STATE_TABLE.to_owned(), schema.as_deref()));
    let entries = [
        ("database.server", ("input", "server"), database.server),
        ("database.port", ("input", "port"), port),
        ("database.username", ("input", "user"), database.username),
        ("database.password", ("input", "password"), database.password),
        ("anomaly_system.input_database", ("input", "database"), system.input_database),
        ("anomaly_system.input_table", ("input", "table"), table(system.input_table)),
        ("anomaly_system.output_database", ("output", "database"), system.output_database),
        ("anomaly_system.output_table", ("output", "table"), table(system.output_table)),
        ("database.schema", ("output", "state_table"), state_table),
    ];
    for (theirs, (section, name), value) in entries {
        let Some((key, value)) = keys::find(section, name).zip(value) else { continue };
        (key.set)(config, &Given::Text(&value)).map_err(|allowed| {
            let (shown, place) = (key.found(&value), KeyLocation::Whole(file.to_owned()));
            ConfigError::Wrong { place, what: format!("`{theirs}` is `{shown}`; it must be {allowed}") }
        })?;
    }

    let all: BTreeMap<String, IgnoredAny> = serde_saphyr::from_str(&text).map_err(malformed)?;
    let sections: Sections = serde_saphyr::from_str(&text).map_err(malformed)?;
    Ok(passed_over(file, &all, &sections).into_iter().collect())
}

/// The state table is beside the verdicts; the Python worker has none.
const STATE_TABLE: &str = "anomaly_worker_state";

/// The table as it is written if that contains a schema, else in the given schema.
fn in_schema(name: String, schema: Option<&str>) -> String {
    match (schema, name.parse::<TableName>()) {
        (Some(schema), Ok(table)) if table.qualifiers().is_empty() => {
            TableName::of(schema.trim(), table.table()).to_string()
        }
        _ => name,
    }
}

/// The parser's own message quotes the file, which may contain a password.
fn malformed(file: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let place = match error.location() {
        Some(at) => KeyLocation::File {
            file: file.to_owned(),
            line: usize::try_from(at.line()).unwrap_or_default(),
            column: usize::try_from(at.column()).ok(),
        },
        None => KeyLocation::Whole(file.to_owned()),
    };
    let what =
        "this cannot be read as YAML; a text with characters such as `:`, `#` or `@` stands in single quotes";
    ConfigError::Wrong { place, what: what.to_owned() }
}

fn passed_over(file: &Path, all: &BTreeMap<String, IgnoredAny>, sections: &Sections) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for (section, keys, known) in [
        ("database", &sections.database, &DATABASE[..]),
        ("anomaly_system", &sections.anomaly_system, &ANOMALY_SYSTEM[..]),
    ] {
        let unknown = keys.iter().flat_map(BTreeMap::keys).filter(|key| !known.contains(&key.as_str()));
        names.extend(unknown.map(|key| format!("`{section}.{}`", found(key))));
    }
    let others = all.keys().filter(|key| !["database", "anomaly_system"].contains(&key.as_str()));
    names.extend(others.map(|key| format!("`{}`", found(key))));
    (!names.is_empty()).then(|| format!("`{}`: not used here: {}", file.display(), names.join(", ")))
}

#[cfg(test)]
mod tests;
