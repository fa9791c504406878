//! What a set consists of, and how two sets differ.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::trial;
use crate::detector::{Detector, Set};

/// A set without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetOverview {
    pub digest: String,
    /// The module's name with its digest.
    pub module: (String, String),
    /// One JSON object.
    pub settings: String,
    /// Each file with its digest.
    pub files: BTreeMap<String, String>,
    /// Those with a model.
    pub variables: BTreeSet<String>,
}

/// The differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetChanges {
    /// Names of the module before and after, if its bytes differ.
    pub module: Option<(String, String)>,
    /// The keys of the settings that differ.
    pub settings: Vec<String>,
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
}

impl SetOverview {
    /// The overview of an opened set.
    pub fn of(detector: &Detector) -> Self {
        Self::of_set(detector.set(), &trial::variables(detector))
    }

    pub(super) fn of_set(set: &Set, variables: &HashSet<Arc<str>>) -> Self {
        let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self {
            digest: set.digest.clone(),
            module: (set.module.name.clone(), hex(&set.module.digest())),
            settings: set.settings.clone(),
            files: set.files_by_path().map(|(path, digest)| (path.to_owned(), hex(digest))).collect(),
            variables: variables.iter().map(ToString::to_string).collect(),
        }
    }

    /// What another has that this one has not, and the other way round.
    pub fn changes_to(&self, other: &Self) -> SetChanges {
        let ((before, before_digest), (after, after_digest)) = (&self.module, &other.module);
        let absent = |files: &BTreeMap<String, String>, from: &Self| {
            files.keys().filter(|path| !from.files.contains_key(*path)).cloned().collect()
        };
        let is_changed = |(path, digest): &(&String, &String)| {
            other.files.get(*path).is_some_and(|other| other != *digest)
        };
        SetChanges {
            module: (before_digest != after_digest).then(|| (before.clone(), after.clone())),
            settings: keys_that_differ(&self.settings, &other.settings),
            added: absent(&other.files, self),
            removed: absent(&self.files, other),
            changed: self.files.iter().filter(is_changed).map(|(path, _)| path.clone()).collect(),
        }
    }
}

/// Of two JSON objects.
fn keys_that_differ(one: &str, other: &str) -> Vec<String> {
    let object = |text| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (one, other) = (object(one), object(other));
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    keys.into_iter().filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(module: &str, settings: &str, files: &[(&str, &str)]) -> SetOverview {
        SetOverview {
            digest: String::new(),
            module: (format!("{module}.wasm"), module.into()),
            settings: settings.into(),
            files: files.iter().map(|(path, digest)| ((*path).into(), (*digest).into())).collect(),
            variables: BTreeSet::new(),
        }
    }

    #[test]
    fn each_difference_is_named() {
        let before =
            overview("a", r#"{"threshold": 2, "x": {"y": 1}}"#, &[("A", "1"), ("B", "1"), ("C", "1")]);
        assert_eq!(before.changes_to(&before), SetChanges::default());
        let after = overview("b", r#"{"x": {"y": 2}}"#, &[("A", "1"), ("C", "2"), ("D", "1")]);
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = SetChanges {
            module: Some(("a.wasm".into(), "b.wasm".into())),
            settings: names(&["threshold", "x"]),
            added: names(&["D"]),
            removed: names(&["B"]),
            changed: names(&["C"]),
        };
        assert_eq!(before.changes_to(&after), expected);
        // Another name for the same bytes is no other module.
        let renamed = SetOverview { module: ("c.wasm".into(), "a".into()), ..before.clone() };
        assert_eq!(before.changes_to(&renamed), SetChanges::default());
    }
}
