//! The state that a detector gets back when it is opened again, in named parts that the host does
//! not interpret.
//!
//! A checkpoint is a value, and cheap to copy: all its copies (in the worker's state, the detector,
//! the canary) share their parts. The changes between two checkpoints are found by comparing them,
//! so that nothing has to record which parts were returned and not stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The detector's own state, and the detector that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub schema: u32,
    /// The name of the detector. None in a checkpoint of an earlier version.
    pub detector: Option<String>,
    /// The set.
    pub set_digest: String,
    /// Never empty.
    pub parts: Parts,
}

/// Parts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(Arc<BTreeMap<Arc<str>, Arc<[u8]>>>);

/// The size of a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub parts: u64,
    pub bytes: u64,
}

/// The new content of a part. None: it was deleted.
pub type PartChange = (Arc<str>, Option<Arc<[u8]>>);

impl Parts {
    /// The name of the one part of a checkpoint of an earlier version, which had no parts.
    pub const WHOLE: &str = "state";

    /// The most characters of a name.
    const LONGEST_NAME: usize = 100;

    /// Whether a part may have this name. In every database such names are the same only if they
    /// are equal.
    pub fn is_name(name: &str) -> bool {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-/".contains(&c);
        (1..=Self::LONGEST_NAME).contains(&name.len()) && name.bytes().all(allowed)
    }

    /// One part.
    pub fn whole(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::from_iter([(Arc::from(Self::WHOLE), bytes.into())])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<&Arc<[u8]>> {
        self.0.get(name)
    }

    /// By name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<[u8]>)> {
        self.0.iter()
    }

    pub fn size(&self) -> Size {
        Size { parts: self.0.len() as u64, bytes: self.0.values().map(|bytes| bytes.len() as u64).sum() }
    }

    /// The parts after these changes.
    #[must_use]
    pub fn after(mut self, changes: Vec<PartChange>) -> Self {
        if !changes.is_empty() {
            let parts = Arc::make_mut(&mut self.0);
            for (name, bytes) in changes {
                match bytes {
                    Some(bytes) => drop(parts.insert(name, bytes)),
                    None => drop(parts.remove(&name)),
                }
            }
        }
        self
    }

    /// The changes that turn the parts before into these: those with other content, and those that
    /// were deleted.
    pub fn since(&self, before: &Self) -> Vec<PartChange> {
        if Arc::ptr_eq(&self.0, &before.0) {
            return Vec::new();
        }
        let same = |now: &Arc<[u8]>, then: &Arc<[u8]>| Arc::ptr_eq(now, then) || now == then;
        let changed = self.iter().filter(|(name, now)| !before.get(name).is_some_and(|then| same(now, then)));
        let gone = before.0.keys().filter(|name| self.get(name).is_none());
        let changed = changed.map(|(name, now)| (Arc::clone(name), Some(Arc::clone(now))));
        changed.chain(gone.map(|name| (Arc::clone(name), None))).collect()
    }
}

impl FromIterator<(Arc<str>, Arc<[u8]>)> for Parts {
    fn from_iter<T: IntoIterator<Item = (Arc<str>, Arc<[u8]>)>>(parts: T) -> Self {
        Self(Arc::new(parts.into_iter().collect()))
    }
}

impl Checkpoint {
    /// Of its schema and all its parts.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.schema.to_le_bytes());
        for (name, bytes) in self.parts.iter() {
            for text in [name.as_bytes(), bytes] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: &[(&str, &str)]) -> Parts {
        parts.iter().map(|(name, bytes)| (Arc::from(*name), Arc::from(bytes.as_bytes()))).collect()
    }

    fn changes(changes: &[(&str, Option<&str>)]) -> Vec<PartChange> {
        let change = |bytes: &str| Arc::from(bytes.as_bytes());
        changes.iter().map(|(name, bytes)| (Arc::from(*name), bytes.map(change))).collect()
    }

    /// Whatever changes are returned, comparing finds them: equal bytes are no change.
    #[test]
    fn what_changed_is_found_by_comparing() {
        let before = parts(&[("a", "1"), ("b", "2"), ("c", "")]);
        for (made, after, found) in [
            (vec![], before.clone(), vec![]),
            (vec![("a", Some("1"))], before.clone(), vec![]),
            (vec![("nobody", None)], before.clone(), vec![]),
            (
                vec![("a", Some("3")), ("b", None), ("d", Some(""))],
                parts(&[("a", "3"), ("c", ""), ("d", "")]),
                vec![("a", Some("3")), ("d", Some("")), ("b", None)],
            ),
            (
                vec![("a", None), ("b", None), ("c", None)],
                Parts::default(),
                vec![("a", None), ("b", None), ("c", None)],
            ),
        ] {
            let now = before.clone().after(changes(&made));
            assert_eq!(now, after);
            let since = now.since(&before);
            assert_eq!(since, changes(&found));
            assert_eq!(before.clone().after(since), after);
        }
        assert_eq!(before.size(), Size { parts: 3, bytes: 2 });
    }

    #[test]
    fn names_are_the_same_in_every_database_only_if_they_are_equal() {
        let longest = "x".repeat(100);
        for name in ["a", "base/07", "t.1_2-3", &longest] {
            assert!(Parts::is_name(name), "{name}");
        }
        for name in ["", "A", "é", "a b", "a\0", " ", "a\n", &"x".repeat(101)] {
            assert!(!Parts::is_name(name), "{name:?}");
        }
    }
}
