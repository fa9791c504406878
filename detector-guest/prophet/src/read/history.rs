//! The training history: megabytes of which prediction needs the number of rows.
//!
//! The history is JSON in a JSON string. Each of its rows has a key `ds`, which stands in the file
//! as `\"ds\":` and nowhere else: a text in a cell that reads the same is escaped once more. So
//! rows are counted without parsing any of them.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a row has once.
const KEY: &[u8] = br#"\"ds\":"#;

/// The rows of a history; none, if it is not a table of pandas.
pub(super) fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?.get();
    Ok(match memchr::memmem::find_iter(text.as_bytes(), KEY).count() {
        0 => None,
        rows => Some(rows as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted() {
        let table = r#"{"schema":{"fields":[{"name":"ds","type":"datetime"}]},"data":[{"ds":"2024","note":"\"ds\":"},{"y":1,"ds":"x"}]}"#;
        for (json, expected) in [
            (serde_json::to_string(table), Some(2)),
            (serde_json::to_string(""), None),
            (Ok("null".to_owned()), None),
            (Ok("[1, 2]".to_owned()), None),
        ] {
            let json = json.unwrap_or_default();
            assert_eq!(rows(&mut serde_json::Deserializer::from_str(&json)).ok(), Some(expected), "{json}");
        }
    }
}
