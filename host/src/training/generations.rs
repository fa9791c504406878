//! The earlier sets of a directory of models. Each is a directory with a number for its name, in a
//! hidden directory beside the one in use (`.models.generations/7` for `models`), or inside it if
//! its parent cannot be written.
//!
//! Numbers increase. After each swap the latest sets are kept and the others removed. A directory
//! whose record has a higher number than its name is a new set whose training was killed during the
//! swap; it does not count as an earlier set.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::record::SetRecord;

/// A set that was in use.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    pub number: u64,
    pub directory: PathBuf,
    /// Empty for models that were trained elsewhere.
    pub record: SetRecord,
}

/// The path of a hidden file or directory beside a directory of models.
pub(super) fn beside(models: &Path, end: &str) -> PathBuf {
    let mut hidden = OsString::from(".");
    hidden.push(models.file_name().unwrap_or_default());
    hidden.push(end);
    models.with_file_name(hidden)
}

/// Where the earlier sets are, if there are any.
pub fn place(models: &Path) -> PathBuf {
    let models = fs::canonicalize(models).unwrap_or_else(|_| models.to_owned());
    let inside = models.join(".generations");
    if inside.is_dir() { inside } else { beside(&models, ".generations") }
}

/// The earlier sets of this directory, the latest first.
pub fn before(models: &Path) -> Vec<Generation> {
    list(&place(models))
}

pub(super) fn list(place: &Path) -> Vec<Generation> {
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let numbered = entries.filter_map(|entry| {
        let directory = entry.ok()?.path();
        let number = directory.file_name()?.to_str()?.parse().ok()?;
        let record = SetRecord::read(&directory).unwrap_or_default();
        let whole = directory.is_dir() && record.generation <= number;
        whole.then_some(Generation { number, directory, record })
    });
    let mut found: Vec<_> = numbered.collect();
    found.sort_by_key(|generation| std::cmp::Reverse(generation.number));
    found
}

/// The number of the set in use: that of its record, or the number after the earlier sets if it has
/// no record or an old one.
pub fn in_use(models: &Path) -> u64 {
    number(models, &place(models))
}

pub(super) fn number(models: &Path, place: &Path) -> u64 {
    let highest = list(place).first().map_or(0, |youngest| youngest.number);
    let own = SetRecord::read(models).map_or(0, |record| record.generation);
    own.max(highest + 1)
}

/// Removes all but the latest `keep` sets, and what killed trainings have left.
pub(super) fn prune(place: &Path, keep: usize) -> io::Result<()> {
    let kept: Vec<_> = list(place).into_iter().take(keep).map(|kept| kept.directory).collect();
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        if kept.contains(&path) || !path.is_dir() {
            continue;
        }
        discard(&path)?;
    }
    Ok(())
}

/// Removes a set, if it is there. It is renamed first, so that a set of which a part is removed
/// does not count as one.
pub(super) fn discard(set: &Path) -> io::Result<()> {
    let gone = set.with_file_name(".gone");
    let _ = fs::remove_dir_all(&gone);
    match fs::rename(set, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::remove_dir_all(&gone),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::super::record::RECORD;
    use super::*;

    #[test]
    fn the_youngest_are_kept_and_what_was_on_its_way_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let models = dir.path().join("models");
        fs::create_dir(&models).unwrap();
        assert_eq!((before(&models), in_use(&models)), (Vec::new(), 1));
        let put = |name: &str, generation: Option<u64>| {
            let directory = place(&models).join(name);
            fs::create_dir_all(&directory).unwrap();
            if let Some(generation) = generation {
                let record = SetRecord { generation, ..SetRecord::default() };
                fs::write(directory.join(RECORD), record.bytes()).unwrap();
            }
        };
        for (name, generation) in
            [("1", None), ("2", Some(2)), ("10", Some(10)), ("11", Some(12)), (".coming", None), ("x", None)]
        {
            put(name, generation);
        }
        let numbers = || before(&models).iter().map(|found| found.number).collect::<Vec<_>>();
        assert_eq!(numbers(), [10, 2, 1]);
        assert_eq!(in_use(&models), 11);
        let record = SetRecord { generation: 14, ..SetRecord::default() };
        fs::write(models.join(RECORD), record.bytes()).unwrap();
        assert_eq!(in_use(&models), 14);
        prune(&place(&models), 2).unwrap();
        assert_eq!(numbers(), [10, 2]);
        assert_eq!(fs::read_dir(place(&models)).unwrap().count(), 2);
    }
}
