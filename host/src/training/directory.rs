//! Assembles a directory of models beside the one in use, and swaps it in as a whole.
//!
//! The directory in use does not change until the rename at the end. A process that is killed at
//! any moment leaves the old set or the new one, and perhaps a staging directory that the next
//! training removes. Models that were not trained are copied from the old directory. The same
//! rename makes the old directory one of the [`generations`], of which the last are kept.
//!
//! Some directories cannot be exchanged: on Windows, if one is a mount or holds other files than
//! models, or if the parent is read-only. Then the old files are copied to the generations first,
//! and the new ones are renamed into place one by one. A reload waits until nothing has changed for
//! half a second.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::generations::{self, beside};
use super::record::RECORD;

/// An unchanged file of at least this size is linked, not copied.
const LARGE: u64 = 1 << 20;

/// A set that is being assembled.
pub struct Staging {
    /// The directory in use, with links resolved.
    target: PathBuf,
    /// The staging directory.
    beside: PathBuf,
    /// The directory of earlier sets.
    generations: PathBuf,
    /// Held until this is dropped, so that two trainings of one directory do not mix.
    _lock: File,
    /// Files that were written here and are not copies.
    written: Vec<OsString>,
}

/// How a set was swapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// In one move.
    AtOnce,
    /// File by file.
    OneByOne,
}

impl Staging {
    /// For a directory that exists or will be made.
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
        if target.parent().is_none() || target.file_name().is_none() {
            return Err(io::Error::other("it is the root of a file system; name a directory in it"));
        }
        // Inside the directory itself if its parent cannot be written.
        let (mut staged, mut before) = (beside(&target, ".training"), beside(&target, ".generations"));
        let mut lock = open_lock(&beside(&target, ".lock"));
        if lock.as_ref().is_err_and(refuses) && target.is_dir() {
            (staged, before) = (target.join(".training"), target.join(".generations"));
            lock = open_lock(&target.join(".training.lock"));
        }
        let lock = lock?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another training is at work on it"),
            fs::TryLockError::Error(error) => error,
        })?;
        remove(&staged)?;
        fs::create_dir(&staged)?;
        Ok(Self { target, beside: staged, generations: before, _lock: lock, written: Vec::new() })
    }

    /// The number of the set in use, if there is one; the new one has the next.
    pub fn number_in_use(&self) -> u64 {
        match fs::read_dir(&self.target).is_ok_and(|mut entries| entries.next().is_some()) {
            true => generations::number(&self.target, &self.generations),
            false => 0,
        }
    }

    /// Where the new files are.
    pub fn path(&self) -> &Path {
        &self.beside
    }

    /// Writes a file of the set.
    ///
    /// # Errors
    /// The system refuses.
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

    /// Copies into the set the files of the directory in use that it does not have yet. `own` says
    /// which names do not belong to a set.
    ///
    /// # Errors
    /// The system refuses.
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
            // A program that writes into the file in use also changes a link to it, so a file is
            // linked only if copying it takes long.
            let linked = entry.metadata()?.len() >= LARGE && fs::hard_link(&path, &place).is_ok();
            if !linked {
                fs::copy(&path, &place)?;
            }
        }
        Ok(())
    }

    /// Swaps the set in. The old set becomes one of the generations, of which `keep` are kept.
    /// `own` says which names do not belong to a set.
    ///
    /// # Errors
    /// The system refuses. The directory is unchanged; or, if files are renamed one by one, some of
    /// them are new.
    pub fn swap(self, keep: usize, own: &dyn Fn(&str) -> bool) -> io::Result<Swapped> {
        // An empty directory holds no set that must be kept.
        let _ = fs::remove_dir(&self.target);
        if !self.target.exists() {
            sync(&self.beside);
            fs::rename(&self.beside, &self.target)?;
            return Ok(Swapped::AtOnce);
        }
        let before = self.generations.join(self.number_in_use().to_string());
        fs::create_dir_all(&self.generations)?;
        generations::discard(&before)?;
        let swapped = if !self.holds_more()? && self.exchange_with(&before)? {
            Swapped::AtOnce
        } else {
            self.keep_copy(&before, own)?;
            self.one_by_one()?
        };
        if let Err(error) = generations::prune(&self.generations, keep) {
            tracing::warn!("older models in `{}` cannot be removed: {error}", self.generations.display());
        }
        Ok(swapped)
    }

    /// Moves the new set to where the old one will be kept, and exchanges the two in one step, so
    /// that at each moment the directory holds the old set or the new one. False, with nothing
    /// changed, if the system cannot do that.
    fn exchange_with(&self, before: &Path) -> io::Result<bool> {
        sync(&self.beside);
        fs::rename(&self.beside, before)?;
        match exchange(before, &self.target) {
            Ok(()) => {
                sync(&self.generations);
                Ok(true)
            }
            Err(error) => {
                tracing::debug!("`{}` is not exchanged whole: {error}", self.target.display());
                fs::rename(before, &self.beside)?;
                Ok(false)
            }
        }
    }

    /// Copies the set in use to the generations.
    fn keep_copy(&self, before: &Path, own: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let coming = self.generations.join(".coming");
        remove(&coming)?;
        fs::create_dir(&coming)?;
        for entry in fs::read_dir(&self.target)? {
            let entry = entry?;
            let name = entry.file_name();
            let said = name.to_string_lossy();
            let hidden = said.starts_with('.') && said != RECORD;
            if !hidden && !own(&said) && entry.path().is_file() {
                fs::copy(entry.path(), coming.join(&name))?;
            }
        }
        sync(&coming);
        fs::rename(&coming, before)
    }

    /// Whether the directory in use holds something that the new set does not: a database, a
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

    fn one_by_one(&self) -> io::Result<Swapped> {
        // All files are on the directory's file system before the first one is renamed.
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

/// Removes a set that was not swapped in.
impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.beside);
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

fn refuses(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Makes names and copies survive a power failure, if the system can.
#[cfg(target_os = "linux")]
fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| Ok(rustix::fs::syncfs(directory)?));
}

#[cfg(not(target_os = "linux"))]
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
        // A training that was killed has left a file.
        put(&place.path().join(".models.training"), &[("b", "half")]);
        let mut staging = Staging::new(&models).unwrap();
        let busy = Staging::new(&models).map(|_| ()).unwrap_err();
        assert_eq!(busy.to_string(), "another training is at work on it");
        staging.write("a", b"new").unwrap();
        staging.complete(&models, &|_| false).unwrap();
        assert_eq!(contents(staging.path()), files(&[("a", "new"), ("b", "old")]));
        assert_eq!(contents(&models), files(&[("a", "old"), ("b", "old")]));
        let swapped = staging.swap(2, &|_| false).unwrap();
        let at_once = cfg!(any(target_os = "linux", target_os = "macos"));
        assert_eq!(swapped, if at_once { Swapped::AtOnce } else { Swapped::OneByOne });
        assert_eq!(contents(&models), files(&[("a", "new"), ("b", "old")]));
        let before = |number: &str| contents(&place.path().join(".models.generations").join(number));
        assert_eq!(before("1"), files(&[("a", "old"), ("b", "old")]));
        assert!(!place.path().join(".models.training").exists());

        // A write into a file in use does not change the earlier set.
        fs::write(models.join("b"), "by hand").unwrap();
        assert_eq!(before("1")["b"], "old");
        let mut staging = Staging::new(&models).unwrap();
        staging.complete(&models, &|_| false).unwrap();
        staging.write("b", b"newer").unwrap();
        assert_eq!(contents(&models)["b"], "by hand");
        drop(staging);
        assert_eq!(contents(&models), files(&[("a", "new"), ("b", "by hand")]));

        for text in ["2", "3"] {
            let mut staging = Staging::new(&models).unwrap();
            staging.write("a", text.as_bytes()).unwrap();
            staging.complete(&models, &|_| false).unwrap();
            staging.swap(2, &|_| false).unwrap();
        }
        let numbers: Vec<_> = generations::before(&models).iter().map(|found| found.number).collect();
        assert_eq!(numbers, [3, 2]);
        assert_eq!((before("3")["a"].as_str(), before("2")["a"].as_str()), ("2", "new"));
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
        assert_eq!(staging.swap(1, &|name| name == "plant.sqlite").unwrap(), Swapped::OneByOne);
        assert_eq!(contents(&models), files(&[("a", "new"), ("plant.sqlite", "rows")]));
        assert!(models.join("more").is_dir());
        assert_eq!(contents(&place.path().join(".models.generations/1")), files(&[("a", "old")]));
    }

    #[test]
    fn a_new_directory_is_made() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("some/where");
        let mut staging = Staging::new(&out).unwrap();
        staging.write("a", b"new").unwrap();
        assert_eq!(staging.number_in_use(), 0);
        assert_eq!(staging.swap(1, &|_| false).unwrap(), Swapped::AtOnce);
        assert_eq!(contents(&out), files(&[("a", "new")]));
    }

    /// Not a test: what the one below starts, and kills.
    #[test]
    #[ignore = "runs for ever, for `whoever_is_killed_in_a_swap`"]
    fn swaps_for_ever() {
        let Some(models) = std::env::var_os("SWAPPED_MODELS") else { return };
        loop {
            let Ok(mut staging) = Staging::new(Path::new(&models)) else { continue };
            let text = if contents(Path::new(&models))["a"] == "one" { "other" } else { "one" };
            for name in ["a", "b", "c"] {
                staging.write(name, text.as_bytes()).unwrap();
            }
            staging.complete(Path::new(&models), &|_| false).unwrap();
            staging.swap(2, &|_| false).unwrap();
        }
    }

    #[cfg(any(target_os = "linux", target_os = "macos"))]
    #[test]
    fn whoever_is_killed_in_a_swap_leaves_one_set_or_the_other() {
        use std::process::{Command, Stdio};

        let place = tempfile::tempdir().unwrap();
        let models = place.path().join("models");
        put(&models, &[("a", "one"), ("b", "one"), ("c", "one")]);
        let set = |text: &'static str| files(&[("a", text), ("b", text), ("c", text)]);
        let mut met = std::collections::BTreeSet::new();
        for round in 0..50 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "training::directory::tests::swaps_for_ever", "--include-ignored"])
                .env("SWAPPED_MODELS", &models)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            // After its first swap, and at another moment each time.
            let newest = || generations::before(&models).first().map_or(0, |newest| newest.number);
            let (before, begun) = (newest(), std::time::Instant::now());
            while newest() == before {
                assert!(begun.elapsed().as_secs() < 300, "it never came to a swap");
            }
            for _ in 0..round * 37 % 200 {
                std::hint::black_box(models.exists());
            }
            child.kill().unwrap();
            child.wait().unwrap();
            let found = contents(&models);
            assert!(found == set("one") || found == set("other"), "{round}: {found:?}");
            for before in generations::before(&models) {
                let found = contents(&before.directory);
                assert!(found == set("one") || found == set("other"), "{round}: {} {found:?}", before.number);
            }
            met.insert(found["a"].clone());
        }
        assert_eq!(met.len(), 2, "both sets were met");
    }
}
