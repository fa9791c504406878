//! The demo's directory: its files, and when it may be replaced.
//!
//! The demo writes only into a directory that is new, empty, or marked by an earlier demo, and
//! removes only files that it has named itself. So a mistyped `--dir` never destroys a database.
//! Blocking; every error names the path.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::models::{self, DemoModel};

/// Shows users and the next demo what the directory is for.
const MARKER: &str = "made-by-host-demo.txt";
const MARKER_SAYS: &str = "`host demo` made this directory. When it runs again it replaces plant.sqlite, learning.sqlite, worker.log and \
                           its own files in models.\nDelete the directory when you are done with it.\n";

/// The database of the rule that learns.
const LEARNING: &str = "learning";

/// A directory that holds a demo.
#[derive(Clone, Debug)]
pub struct DemoDirectory {
    dir: PathBuf,
    /// Whether an earlier demo was replaced.
    pub replaced: bool,
}

impl DemoDirectory {
    /// Makes the directory, or removes an earlier demo from it.
    ///
    /// # Errors
    /// The directory is not empty and is not a demo's; or the system refuses.
    pub fn prepare(dir: &Path) -> anyhow::Result<Self> {
        let marker = dir.join(MARKER);
        let replaced = marker.exists();
        if !replaced && !is_free(dir)? {
            bail!(
                "`{0}` is not empty and no demo made it, so nothing there was touched; name a new directory: \
                 --dir {0}/demo",
                dir.display()
            );
        }
        let place = Self { dir: dir.to_owned(), replaced };
        fs::create_dir_all(place.models()).with_context(|| at(&place.models()))?;
        write(&marker, MARKER_SAYS.as_bytes())?;
        if replaced {
            place.clear()?;
        }
        Ok(place)
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.dir.join("plant.sqlite")
    }

    /// The database of the other rule.
    pub fn learning(&self) -> PathBuf {
        self.dir.join(format!("{LEARNING}.sqlite"))
    }

    /// The directory of models.
    pub fn models(&self) -> PathBuf {
        self.dir.join("models")
    }

    /// The worker's log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("worker.log")
    }

    /// Puts a model into the models' directory as users should: first under a name that is ignored,
    /// then complete under its own name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn drop_in(&self, file: &DemoModel) -> anyhow::Result<()> {
        let (path, unfinished) = (self.models().join(file.name), self.models().join(unfinished(file)));
        write(&unfinished, file.bytes)?;
        fs::rename(&unfinished, &path).with_context(|| at(&path))
    }

    fn clear(&self) -> anyhow::Result<()> {
        for end in ["", "-wal", "-shm", "-journal"] {
            remove(&self.dir.join(format!("plant.sqlite{end}")))?;
            remove(&self.dir.join(format!("{LEARNING}.sqlite{end}")))?;
        }
        for file in models::FILES {
            remove(&self.models().join(file.name))?;
            remove(&self.models().join(unfinished(file)))?;
        }
        remove(&self.log())?;
        // Rotated ones are numbered without a gap.
        for number in 1.. {
            if !remove(&self.dir.join(format!("worker.log.{number}")))? {
                break;
            }
        }
        Ok(())
    }
}

fn unfinished(file: &DemoModel) -> String {
    format!("{}.part", file.name)
}

/// Whether there is nothing at all.
fn is_free(dir: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| at(dir)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| at(path))
}

/// Whether it existed.
fn remove(path: &Path) -> anyhow::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| at(path)),
    }
}

fn at(path: &Path) -> String {
    format!("the demo's `{}`", path.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    /// Every file under the directory.
    fn files(dir: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.path().is_dir() {
                true => found.extend(files(&entry.path()).iter().map(|inner| format!("{name}/{inner}"))),
                false => found.push(name),
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_former_demo_is_replaced_and_what_else_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("new/demo");
        let place = DemoDirectory::prepare(&dir).unwrap();
        assert!(!place.replaced);
        assert_eq!(files(&dir), [MARKER]);

        place.drop_in(&models::FILES[1]).unwrap();
        assert_eq!(fs::read(place.models().join(models::FILES[1].name)).unwrap(), models::FILES[1].bytes);
        for name in ["plant.sqlite", "plant.sqlite-wal", "plant.sqlite-shm", "worker.log", "worker.log.1"] {
            fs::write(dir.join(name), "old").unwrap();
        }
        for name in ["notes.txt", "plant.sqlite.bak", "worker.log.3", "models/prophet_model_MINE.json"] {
            fs::write(dir.join(name), "mine").unwrap();
        }
        assert!(DemoDirectory::prepare(&dir).unwrap().replaced);
        let mine = ["models/prophet_model_MINE.json", "notes.txt", "plant.sqlite.bak", "worker.log.3"];
        assert_eq!(files(&dir), [&[MARKER], &mine[..]].concat());
    }

    #[test]
    fn what_no_demo_made_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plant.sqlite"), "precious").unwrap();
        let said = DemoDirectory::prepare(dir.path()).unwrap_err().to_string();
        let path = dir.path().display();
        let expected = format!(
            "`{path}` is not empty and no demo made it, so nothing there was touched; name a new directory: \
             --dir {path}/demo"
        );
        assert_eq!(said, expected);
        assert_eq!(files(dir.path()), ["plant.sqlite"]);
        assert_eq!(fs::read(dir.path().join("plant.sqlite")).unwrap(), b"precious");

        let file = dir.path().join("plant.sqlite");
        let said = format!("{:#}", DemoDirectory::prepare(&file).unwrap_err());
        assert!(said.starts_with(&format!("the demo's `{}`: ", file.display())), "{said}");
    }
}
