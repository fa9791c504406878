//! A directory of models, put together beside the one in use and swapped in whole.
//!
//! Until the one move at its end nothing of the directory in use changes, and a process that is
//! killed at any moment leaves one set or the other, and beside it a directory that the next
//! training clears away. What is not trained is in the new directory as it was in the old. The old
//! one stays beside it as `<name>.previous`.
//!
//! Where the system cannot exchange two directories (Windows; a directory that is a mount, or holds
//! more than model files; a parent that may not be written) the files are written beside their
//! places and renamed into them one after the other, each whole: a reload waits until nothing has
//! moved for half a second.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A set that is being put together.
pub struct Staging {
    /// The directory that it is for, without links.
    target: PathBuf,
    /// Where its files are now.
    beside: PathBuf,
    /// Held for as long as this lives, so that two trainings of one directory do not mix.
    _lock: File,
    /// Files that were written here and are not copies.
    written: Vec<OsString>,
}

/// How a set came into place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// In one move.
    AtOnce,
    /// File by file.
    OneByOne,
}

impl Staging {
    /// For a directory that is there, or is to be made.
    ///
    /// # Errors
    /// Another training is at work on it, or the system refuses.
    pub fn new(target: &Path) -> io::Result<Self> {
        let target = match fs::canonicalize(target) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
                let parent = parent.unwrap_or(Path::new("."));
                fs::create_dir_all(parent)?;
                let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                fs::canonicalize(parent)?.join(name)
            }
            Err(error) => return Err(error),
        };
        let (parent, name) = match (target.parent(), target.file_name()) {
            (Some(parent), Some(name)) => (parent, name.to_owned()),
            _ => return Err(io::Error::other("it is the root of a file system; name a directory in it")),
        };
        let named = |end: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(&name);
            hidden.push(end);
            hidden
        };
        // In the directory itself where its parent is not ours to write.
        let mut beside = parent.join(named(".training"));
        let mut lock = open_lock(&parent.join(named(".lock")));
        if lock.as_ref().is_err_and(refuses) && target.is_dir() {
            beside = target.join(".training");
            lock = open_lock(&target.join(".training.lock"));
        }
        let lock = lock?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another training is at work on it"),
            fs::TryLockError::Error(error) => error,
        })?;
        match fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&beside)?;
        Ok(Self { target, beside, _lock: lock, written: Vec::new() })
    }

    /// Where the new files are.
    pub fn path(&self) -> &Path {
        &self.beside
    }

    /// Writes a file of the set.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.beside.join(name);
        // A copy of the old file may be a link to it.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if !self.written.iter().any(|written| written == name) {
            self.written.push(name.into());
        }
        Ok(())
    }

    /// Puts into the set what the directory in use has and this one does not. `own`: names that are
    /// no part of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn complete(&mut self, in_use: &Path, own: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let entries = match fs::read_dir(in_use) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let place = self.beside.join(&name);
            if own(&name.to_string_lossy()) || place.exists() || !path.is_file() {
                continue;
            }
            if fs::hard_link(&path, &place).is_err() {
                fs::copy(&path, &place)?;
            }
        }
        Ok(())
    }

    /// Puts the set in the place of the directory.
    ///
    /// # Errors
    /// What the system says; then the directory is as it was, or, where files are renamed one by
    /// one, has the first of them.
    pub fn swap(self) -> io::Result<Swapped> {
        // One that is empty is in nobody's use.
        let _ = fs::remove_dir(&self.target);
        if !self.target.exists() {
            sync(&self.beside);
            fs::rename(&self.beside, &self.target)?;
            return Ok(Swapped::AtOnce);
        }
        if !self.holds_more()? {
            sync(&self.beside);
            match exchange(&self.beside, &self.target) {
                Ok(()) => {
                    self.keep_previous();
                    return Ok(Swapped::AtOnce);
                }
                Err(error) => tracing::debug!("`{}` is not exchanged whole: {error}", self.target.display()),
            }
        }
        self.one_by_one()
    }

    /// Whether the directory in use has what its copy has not: a database that lives there, a
    /// directory, a pipe.
    fn holds_more(&self) -> io::Result<bool> {
        for entry in fs::read_dir(&self.target)? {
            let entry = entry?;
            if !self.beside.join(entry.file_name()).exists() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// After the exchange the old directory stands where the new one was made.
    fn keep_previous(&self) {
        let mut name = self.target.file_name().unwrap_or_default().to_owned();
        name.push(".previous");
        let previous = self.target.with_file_name(name);
        let kept = match fs::remove_dir_all(&previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(&self.beside, &previous),
        };
        if let Err(error) = kept {
            tracing::warn!("the models before are not kept as `{}`: {error}", previous.display());
        }
    }

    fn one_by_one(&self) -> io::Result<Swapped> {
        // First all onto the file system of the directory, then all into their places.
        let waiting = |name: &OsString| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(".new");
            self.target.join(hidden)
        };
        for name in &self.written {
            fs::copy(self.beside.join(name), waiting(name))?;
            File::options().write(true).open(waiting(name))?.sync_all()?;
        }
        for name in &self.written {
            fs::rename(waiting(name), self.target.join(name))?;
        }
        sync(&self.target);
        Ok(Swapped::OneByOne)
    }
}

/// What was put together and not used.
impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.beside);
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

fn refuses(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// So that the names outlive a power failure. Not all systems can.
fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::collections::BTreeMap;

    use super::*;

    fn contents(directory: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.path().is_file());
        let told = |entry: fs::DirEntry| {
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        };
        files.map(told).collect()
    }

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn put(directory: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(directory).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), text).unwrap();
        }
    }

    #[test]
    fn a_set_is_there_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let models = place.path().join("models");
        put(&models, &[("a", "old"), ("b", "old")]);
        // One that was killed has left something.
        put(&place.path().join(".models.training"), &[("b", "half")]);
        let mut staging = Staging::new(&models).unwrap();
        let busy = Staging::new(&models).map(|_| ()).unwrap_err();
        assert_eq!(busy.to_string(), "another training is at work on it");
        staging.write("a", b"new").unwrap();
        staging.complete(&models, &|_| false).unwrap();
        assert_eq!(contents(staging.path()), files(&[("a", "new"), ("b", "old")]));
        assert_eq!(contents(&models), files(&[("a", "old"), ("b", "old")]));
        let swapped = staging.swap().unwrap();
        assert_eq!(contents(&models), files(&[("a", "new"), ("b", "old")]));
        if swapped == Swapped::AtOnce {
            assert_eq!(contents(&place.path().join("models.previous")), files(&[("a", "old"), ("b", "old")]));
        }
        assert!(!place.path().join(".models.training").exists());

        // Written over a link to the old file, which keeps its text.
        let mut staging = Staging::new(&models).unwrap();
        staging.complete(&models, &|_| false).unwrap();
        staging.write("b", b"newer").unwrap();
        assert_eq!(contents(&models)["b"], "old");
        drop(staging);
        assert_eq!(contents(&models), files(&[("a", "new"), ("b", "old")]));
    }

    #[test]
    fn a_directory_that_holds_more_keeps_it() {
        let place = tempfile::tempdir().unwrap();
        let models = place.path().join("models");
        put(&models, &[("a", "old"), ("plant.sqlite", "rows")]);
        fs::create_dir(models.join("more")).unwrap();
        let mut staging = Staging::new(&models).unwrap();
        staging.write("a", b"new").unwrap();
        staging.complete(&models, &|name| name == "plant.sqlite").unwrap();
        assert_eq!(staging.swap().unwrap(), Swapped::OneByOne);
        assert_eq!(contents(&models), files(&[("a", "new"), ("plant.sqlite", "rows")]));
        assert!(models.join("more").is_dir());
    }

    #[test]
    fn a_new_directory_is_made() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("some/where");
        let mut staging = Staging::new(&out).unwrap();
        staging.write("a", b"new").unwrap();
        assert_eq!(staging.swap().unwrap(), Swapped::AtOnce);
        assert_eq!(contents(&out), files(&[("a", "new")]));
    }
}
