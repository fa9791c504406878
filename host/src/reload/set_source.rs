//! Where a set comes from: a module file (or the built-in module), a directory of models, and
//! settings.
//!
//! Reading is blocking and complete. A file that changes while it is read is an error; the next
//! look finds it at rest. A model file that cannot be read is passed on as such: the detector knows
//! which variables depend on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use super::at_rest::{Growing, read_at_rest};
use super::file_stamp::{FileStamp, Fingerprint};
use super::set_loader;
use super::step_counter::{Left, StepCounter};
use crate::detector::{Compactor, DetectorError, Engine, Module, Set};
use crate::regular::{Most, Unreadable};

/// Files in the models' directory that are not models: half-written copies, editors' backups, or
/// the pickles from which the JSON was made, which are large and which no sandbox should open.
const PASSED_OVER: [&str; 6] = ["~", ".tmp", ".part", ".crdownload", ".bak", ".pkl"];

/// How long a start waits for a file that is being written.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the system may take for one read.
const HANGS: Duration = Duration::from_secs(30);

/// One reading of a set on its threads.
#[derive(Clone, Debug, Default)]
pub(super) struct SetRead {
    pub(super) steps: StepCounter,
    pub(super) left: Left,
}

/// The longest time without progress: within one step a module may be called twice, or compiled.
pub(super) fn patience(engine: &Engine) -> Duration {
    HANGS + (2 * engine.limits().deadline).max(engine.compile_deadline())
}

/// Where a set comes from.
#[derive(Clone, Debug)]
pub struct SetSource {
    /// None: the detector built into this program.
    pub module: Option<PathBuf>,
    pub models: PathBuf,
    /// One JSON object.
    pub settings: String,
    /// Files that this program writes itself. They may be in the models' directory and are not
    /// models: log and databases. Files with these names and an ending (`worker.log.1`,
    /// `plant.sqlite-wal`) belong to them.
    pub own: Vec<PathBuf>,
}

impl SetSource {
    /// The file system's metadata of the set's files.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut paths: Vec<_> = self.module.iter().cloned().collect();
        paths.extend(self.model_paths().unwrap_or_default());
        // Last the directory itself: a missing one must be seen too.
        paths.push(self.models.clone());
        Fingerprint::of(paths)
    }

    /// Reads the whole set, each model file in the form that its module compacts it to, if it does.
    ///
    /// # Errors
    /// [`DetectorError::Unsettled`] with the file, [`DetectorError::Read`] or
    /// [`DetectorError::Module`] if the module cannot be used.
    pub async fn read(&self, engine: &Engine) -> Result<Set, DetectorError> {
        self.read_with(engine, Growing::Waits, &SetRead::default()).await
    }

    /// The same; the steps of `reading` show its progress.
    pub(super) async fn read_watched(
        &self,
        engine: &Engine,
        reading: &SetRead,
    ) -> Result<Set, DetectorError> {
        self.read_with(engine, Growing::Waits, reading).await
    }

    /// The same for a start, which has no set in use: a model that is still being written after a
    /// while is left out like one that cannot be read, and loaded when it is at rest.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_at_start(&self, engine: &Engine) -> Result<Set, DetectorError> {
        self.read_starting(engine, None).await
    }

    /// The same; a start that can use another set waits only this long if reading hangs.
    pub(super) async fn read_starting(
        &self,
        engine: &Engine,
        gives_up: Option<Duration>,
    ) -> Result<Set, DetectorError> {
        let begun = Instant::now();
        loop {
            match self.read_aloud(engine, Growing::Waits, gives_up).await {
                Err(DetectorError::Unsettled { .. }) if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(PATIENCE / 8).await;
                }
                Err(DetectorError::Unsettled { .. }) => break,
                read => return read,
            }
        }
        match self.read_aloud(engine, Growing::IsUnread, gives_up).await {
            // The module.
            Err(DetectorError::Unsettled { path }) => {
                Err(DetectorError::Read { path, cause: Unreadable::Changed })
            }
            read => read,
        }
    }

    /// The module alone.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) async fn module_at_rest(&self, engine: &Engine) -> Result<Module, DetectorError> {
        let (source, most) = (self.clone(), engine.limits().of_module());
        on_a_thread(move || source.read_module(most)).await
    }

    /// Whether a file of this name in the models' directory is this program's own.
    pub(crate) fn is_no_model(&self, name: &str) -> bool {
        self.own_names().iter().any(|own| is_of(name, own))
    }

    /// Reads, however long it takes, and logs it if reading hangs; or gives up then.
    async fn read_aloud(
        &self,
        engine: &Engine,
        growing: Growing,
        gives_up: Option<Duration>,
    ) -> Result<Set, DetectorError> {
        let reading = SetRead::default();
        let mut read = pin!(self.read_with(engine, growing, &reading));
        let limit = gives_up.unwrap_or_else(|| patience(engine));
        loop {
            match reading.steps.patiently(limit, &mut read).await {
                Some(read) => return read,
                None => {
                    let why = format!(
                        "reading the module and the models in `{}` has made no step for {}: a share that does not answer?",
                        self.models.display(),
                        humantime::format_duration(limit)
                    );
                    if gives_up.is_some() {
                        return Err(DetectorError::NoModels(why));
                    }
                    tracing::warn!("{why}");
                }
            }
        }
    }

    async fn read_with(
        &self,
        engine: &Engine,
        growing: Growing,
        reading: &SetRead,
    ) -> Result<Set, DetectorError> {
        let SetRead { steps, left } = reading.clone();
        let (source, most, held) = (self.clone(), engine.limits().of_module(), left.clone());
        let module = on_a_thread(move || {
            let _left = held;
            source.read_module(most)
        });
        let module = module.await?;
        steps.add_one();
        // Awaited here, so that dropping the future ends it.
        let compactor = Compactor::new(engine, &module).await?;
        steps.add_one();
        let (source, engine) = (self.clone(), engine.clone());
        on_a_thread(move || {
            let _left = left;
            source.read_models(&engine, module, &compactor, growing, &steps)
        })
        .await
    }

    fn read_module(&self, most: Most) -> Result<Module, DetectorError> {
        let Some(path) = &self.module else { return Ok(Module::built_in()) };
        let name = path.display().to_string();
        let read = FileStamp::at(path).map_err(Unreadable::from);
        match read.and_then(|look| read_at_rest(path, &look, most)) {
            Ok(bytes) => Ok(Module { name, bytes: bytes.into() }),
            Err(Unreadable::Changed) => Err(DetectorError::Unsettled { path: name }),
            Err(cause) => Err(DetectorError::Read { path: name, cause }),
        }
    }

    fn read_models(
        self,
        engine: &Engine,
        module: Module,
        compactor: &Compactor,
        growing: Growing,
        steps: &StepCounter,
    ) -> Result<Set, DetectorError> {
        let paths = self.model_paths().map_err(|cause| {
            DetectorError::NoModels(format!(
                "`{}` cannot be read: {cause}; name the directory that holds the models with --models or as `models` of \
                 `[detector]`",
                self.models.display()
            ))
        })?;
        let read = set_loader::load(
            engine,
            &module,
            compactor,
            &self.models,
            &paths,
            (SystemTime::now(), growing),
            steps,
        )?;
        Ok(Set::of_files(module, read, self.models.display().to_string(), self.settings))
    }

    /// The names of this program's own files in the models' directory.
    fn own_names(&self) -> Vec<String> {
        let models = fs::canonicalize(&self.models).ok();
        let beside = |path: &&PathBuf| models.is_some() && fs::canonicalize(parent(path)).ok() == models;
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        self.own.iter().filter(beside).filter_map(name).collect()
    }

    /// Whether an event at this path is caused by this program itself.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let same_place =
            |own: &&PathBuf| fs::canonicalize(parent(own)).ok() == fs::canonicalize(parent(path)).ok();
        self.own
            .iter()
            .filter(same_place)
            .any(|own| own.file_name().is_some_and(|own| is_of(&name, &own.to_string_lossy())))
    }

    /// The directories whose events are hints. A file is watched through its directory, because a
    /// watch on the file ends with the first rename over it. Links are followed, and parents are
    /// watched for the case that a directory itself is replaced.
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
            // Whatever it is: a directory or a broken link may have the name of a model, and
            // reading it gives the error.
            if !passed_over {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DetectorError> + Send + 'static,
) -> Result<T, DetectorError> {
    let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
    let read = tokio::task::spawn_blocking(move || tracing::dispatcher::with_default(&log, work)).await;
    read.unwrap_or_else(|error| Err(DetectorError::Engine(format!("its thread ended: {error}"))))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// `worker.log`, `worker.log.1` and `worker.log-journal` belong to `worker.log`.
fn is_of(name: &str, own: &str) -> bool {
    name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}
