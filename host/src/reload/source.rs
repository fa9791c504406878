//! Where a set comes from: a module file (or the built-in module), a directory of models, and settings.
//!
//! Reading is blocking and whole. A file that changes while it is read is an error; the next look finds it at rest.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::fingerprint::{Fingerprint, Look};
use super::loading;
use crate::detector::{DetectorError, Engine, Module, Set};

/// Files beside the models that are none: half-written by a copy, kept by an editor, or the pickles that the JSON was made
/// from, which are large and which no sandbox should open.
const PASSED_OVER: [&str; 6] = ["~", ".tmp", ".part", ".crdownload", ".bak", ".pkl"];

/// Where a set comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// None: the detector built into this program.
    pub module: Option<PathBuf>,
    pub models: PathBuf,
    /// One JSON object.
    pub settings: String,
    /// What this program writes itself, which may stand beside the models and is none: log and databases. Files that go by
    /// these names and an ending (`worker.log.1`, `plant.sqlite-wal`) belong to them.
    pub own: Vec<PathBuf>,
}

impl Source {
    /// What the file system says of the set's files.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut paths: Vec<_> = self.module.iter().cloned().collect();
        paths.extend(self.model_paths().unwrap_or_default());
        // Last the directory itself: a missing one is part of the picture.
        paths.push(self.models.clone());
        Fingerprint::of(paths)
    }

    /// Reads the set whole, each model file in the form that its module makes of it, where it makes one.
    ///
    /// # Errors
    /// [`DetectorError::Read`] or [`DetectorError::Unsettled`] with the file, [`DetectorError::Module`] if the module cannot be used.
    pub async fn read(&self, engine: &Engine) -> Result<Set, DetectorError> {
        let (source, engine) = (self.clone(), engine.clone());
        let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
        let reading = move || tracing::dispatcher::with_default(&log, || source.read_here(&engine));
        let read = tokio::task::spawn_blocking(reading).await;
        read.unwrap_or_else(|error| Err(DetectorError::Engine(format!("its thread ended: {error}"))))
    }

    fn read_here(self, engine: &Engine) -> Result<Set, DetectorError> {
        let module = match &self.module {
            None => Module::built_in(),
            Some(path) => {
                let look = Look::at(path).map_err(|cause| unreadable(path, cause))?;
                Module { name: path.display().to_string(), bytes: read_at_rest(path, &look)?.into() }
            }
        };
        let paths = self.model_paths().map_err(|cause| {
            DetectorError::NoModels(format!(
                "`{}` cannot be read: {cause}; name the directory that holds the models with --models or as `models` of \
                 `[detector]`",
                self.models.display()
            ))
        })?;
        let files = loading::load(engine, &module, &self.models, &paths, SystemTime::now())?;
        Ok(Set::prepared(module, files, self.models.display().to_string(), self.settings))
    }

    /// The names of this program's own files in the models' directory.
    fn own_names(&self) -> Vec<String> {
        let models = fs::canonicalize(&self.models).ok();
        let beside = |path: &&PathBuf| models.is_some() && fs::canonicalize(parent(path)).ok() == models;
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        self.own.iter().filter(beside).filter_map(name).collect()
    }

    /// Whether an event at this path is this program's own doing.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let same_place =
            |own: &&PathBuf| fs::canonicalize(parent(own)).ok() == fs::canonicalize(parent(path)).ok();
        self.own
            .iter()
            .filter(same_place)
            .any(|own| own.file_name().is_some_and(|own| is_of(&name, &own.to_string_lossy())))
    }

    /// The directories whose events are hints: a file is watched through its directory, because a watch on the file dies with
    /// the first rename over it; links are followed, and parents are watched for a directory that is itself replaced.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories = Vec::new();
        for path in self.module.iter() {
            directories.push(parent(path));
            directories.extend(fs::canonicalize(path).ok().map(|real| parent(&real)));
        }
        directories.push(self.models.clone());
        directories.push(parent(&self.models));
        if let Ok(real) = fs::canonicalize(&self.models) {
            directories.push(parent(&real));
            directories.push(real);
        }
        let mut real: Vec<_> = directories.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
        real.sort();
        real.dedup();
        real
    }

    /// The model files, by name.
    fn model_paths(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        let own = self.own_names();
        for entry in fs::read_dir(&self.models)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let passed_over = name.starts_with('.')
                || PASSED_OVER.iter().any(|end| name.ends_with(end))
                || own.iter().any(|own| is_of(&name, own));
            // Through links; one that leads nowhere stays in, so that reading it says so.
            if !passed_over && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            if !passed_over {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// `worker.log`, `worker.log.1` and `worker.log-journal` are of `worker.log`.
fn is_of(name: &str, own: &str) -> bool {
    name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

/// The bytes of a file that looks the same before and after.
pub(super) fn read_at_rest(path: &Path, before: &Look) -> Result<Vec<u8>, DetectorError> {
    let bytes = fs::read(path).map_err(|cause| unreadable(path, cause))?;
    match Look::at(path) {
        Ok(after) if after == *before => Ok(bytes),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unreadable(path, error)),
        _ => Err(DetectorError::Unsettled { path: path.display().to_string() }),
    }
}

pub(super) fn unreadable(path: &Path, cause: std::io::Error) -> DetectorError {
    DetectorError::Read { path: path.display().to_string(), cause }
}
