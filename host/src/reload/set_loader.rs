//! Reads the files of a directory into what the detector is given, on all cores.
//!
//! If the detector has compacted a file before, the result is taken from the pack: by the file's
//! stamp, without reading it, else by its digest. A new file is read, compacted and released, one
//! per core at a time, so that memory does not grow with the megabytes of training history in the
//! files. A file that the detector does not compact, or at which it fails, is used as it is; what
//! is wrong with it is reported when the set is opened.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use super::at_rest::{Growing, read_at_rest};
use super::compact_cache::{CompactEntry, Pack};
use super::file_stamp::FileStamp;
use super::step_counter::StepCounter;
use crate::detector::{
    Compacting, Compactor, DetectorError, Digest, Engine, FilesRead, JudgeError, Limits, ModelFile, Module,
    UnreadableFile,
};
use crate::regular::Unreadable;

/// The most sandboxes at a time.
const MOST_THREADS: usize = 4;

/// A module that failed at this many files will fail at the others.
const MOST_FAILURES: usize = 10;

/// Loads files of the directory `models`, in their order, each with the digest of the original
/// file. Blocks; called within a runtime. `now` is when reading begins. A file that cannot be read
/// is left out.
///
/// # Errors
/// A file is being written, or the files are too large.
pub(super) fn load(
    engine: &Engine,
    module: &Module,
    compactor: &Compactor,
    models: &Path,
    files: &[PathBuf],
    (now, growing): (SystemTime, Growing),
    steps: &StepCounter,
) -> Result<FilesRead, DetectorError> {
    let pack = engine.cache().map(|cache| (Pack::new(&cache.models(), module.digest(), models), cache));
    let kept = pack.as_ref().map_or_else(Vec::new, |(pack, cache)| {
        pack.read().unwrap_or_else(|error| {
            cache.complain(&error);
            Vec::new()
        })
    });
    let loading = SetLoader {
        models,
        limits: *engine.limits(),
        growing,
        steps,
        kept: kept.iter().map(|entry| (entry.path.as_str(), entry)).collect(),
        runtime: Handle::current(),
        now,
        held: AtomicU64::new(0),
        made: AtomicU64::new(0),
        failures: AtomicUsize::new(0),
        gave_up: AtomicBool::new(false),
    };
    let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
    let one = |compacting: &mut Compacting<'_>, file: &PathBuf| {
        let loaded = tracing::dispatcher::with_default(&log, || loading.one(file, compacting));
        loading.steps.add_one();
        loaded
    };
    // Threads of its own: if a read hangs, no later one waits for it.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(threads()).build();
    let threads = threads.map_err(|error| DetectorError::Engine(error.to_string()))?;
    let loaded: Vec<_> = threads.install(|| files.par_iter().map_init(|| compactor.start(), one).collect());
    // Of several errors always the first: an error that is logged once must not change.
    let loaded: Vec<Result<LoadedFile, UnreadableFile>> = loaded.into_iter().collect::<Result<_, _>>()?;
    let (mut unread, mut files) = (Vec::new(), Vec::new());
    loaded.into_iter().for_each(|file| match file {
        Ok(file) => files.push(file),
        Err(file) => unread.push(file),
    });
    let loaded = files;
    let count = |from: Origin| loaded.iter().filter(|file| file.from == from).count();
    let (before, now) = (count(Origin::Cache), count(Origin::Detector));
    tracing::debug!(
        "model files: {before} from the cache, {now} compacted, {} as they are",
        loaded.len() - before - now
    );
    if let Some((pack, cache)) = pack {
        let keep: Vec<_> =
            loaded.iter().filter(|file| file.from != Origin::Untried).map(|file| &file.entry).collect();
        if !keep.iter().copied().eq(&kept)
            && let Err(error) = pack.write(&keep)
        {
            cache.complain(&error);
        }
    }
    let made = loaded.iter().filter_map(|file| file.entry.compacted.as_ref()).map(Vec::len).sum();
    Ok(FilesRead { files: loaded.into_iter().map(LoadedFile::into_file).collect(), unread, made })
}

/// As many as there are cores, within the limit, as each has a sandbox of its own.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
}

/// A file on its way into a set.
struct LoadedFile {
    entry: CompactEntry,
    from: Origin,
    /// If nothing was made of it.
    as_it_is: Vec<u8>,
}

/// Where the form of a file that is used comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Cache,
    Detector,
    /// The detector does not compact it.
    File,
    /// The detector was not asked, because it failed at other files.
    Untried,
}

impl LoadedFile {
    fn into_file(self) -> (ModelFile, Digest) {
        let bytes = self.entry.compacted.unwrap_or(self.as_it_is);
        (ModelFile { path: self.entry.path, bytes }, self.entry.digest)
    }
}

/// Why a file is not loaded: only the file is left out, or the whole set is not loaded.
enum LoadFailure {
    File(Unreadable),
    Set(DetectorError),
}

impl std::convert::From<Unreadable> for LoadFailure {
    fn from(why: Unreadable) -> Self {
        Self::File(why)
    }
}

impl std::convert::From<DetectorError> for LoadFailure {
    fn from(error: DetectorError) -> Self {
        Self::Set(error)
    }
}

/// A file name as text. Bytes that are not text are written as `\xF3`, so that two such names stay
/// different.
fn spelled(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    text
}

/// The data that the threads share.
struct SetLoader<'a> {
    models: &'a Path,
    limits: Limits,
    growing: Growing,
    steps: &'a StepCounter,
    kept: HashMap<&'a str, &'a CompactEntry>,
    runtime: Handle,
    now: SystemTime,
    /// Bytes of all files so far, in the form in which they are used.
    held: AtomicU64,
    /// Of these, the bytes of compacted forms.
    made: AtomicU64,
    failures: AtomicUsize,
    gave_up: AtomicBool,
}

impl SetLoader<'_> {
    /// One file, or why it cannot be read.
    fn one(
        &self,
        file: &Path,
        compacting: &mut Compacting<'_>,
    ) -> Result<Result<LoadedFile, UnreadableFile>, DetectorError> {
        let name = file.file_name().unwrap_or_default();
        let Some(path) = name.to_str() else {
            let why = "its name holds bytes that are no text (UTF-8); rename it".to_owned();
            return Ok(Err(UnreadableFile { path: spelled(name), why }));
        };
        match self.load(path, file, compacting) {
            Ok(loaded) => Ok(Ok(loaded)),
            Err(LoadFailure::Set(error)) => Err(error),
            Err(LoadFailure::File(Unreadable::Changed)) if self.growing == Growing::Waits => {
                Err(DetectorError::Unsettled { path: file.display().to_string() })
            }
            Err(LoadFailure::File(why)) => {
                Ok(Err(UnreadableFile { path: path.to_owned(), why: why.to_string() }))
            }
        }
    }

    fn load(
        &self,
        path: &str,
        file: &Path,
        compacting: &mut Compacting<'_>,
    ) -> Result<LoadedFile, LoadFailure> {
        let kept = self.kept.get(path).copied();
        let look = FileStamp::at(file).map_err(Unreadable::from)?;
        let same = |entry: &&CompactEntry| entry.mark.is_some() && entry.mark == look.mark();
        if let Some(entry) = kept.filter(same)
            && let Some(compacted) = &entry.compacted
        {
            self.hold_made(compacted.len() as u64)?;
            return Ok(LoadedFile { entry: entry.clone(), from: Origin::Cache, as_it_is: Vec::new() });
        }
        let bytes = read_at_rest(file, &look, self.limits.of_model())?;
        self.hold(bytes.len() as u64)?;
        let read = bytes.len() as u64;
        let mark = look.mark().filter(|mark| mark.is_at_rest(self.now));
        let digest = Sha256::digest(&bytes).into();
        let (compacted, from) = match kept.filter(|entry| entry.digest == digest) {
            Some(CompactEntry { compacted: Some(compacted), .. }) => (Some(compacted.clone()), Origin::Cache),
            Some(_) => (None, Origin::File),
            None => self.compact(path, &bytes, compacting),
        };
        let as_it_is = match &compacted {
            None => bytes,
            Some(compacted) => {
                self.held.fetch_sub(read, Ordering::Relaxed);
                self.hold_made(compacted.len() as u64)?;
                Vec::new()
            }
        };
        Ok(LoadedFile {
            entry: CompactEntry { path: path.to_owned(), digest, mark, compacted },
            from,
            as_it_is,
        })
    }

    fn compact(
        &self,
        path: &str,
        bytes: &[u8],
        compacting: &mut Compacting<'_>,
    ) -> (Option<Vec<u8>>, Origin) {
        if self.gave_up.load(Ordering::Relaxed) {
            return (None, Origin::Untried);
        }
        match self.runtime.block_on(compacting.compact(path, bytes)) {
            Ok(Some(compacted)) => return (Some(compacted), Origin::Detector),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!("`{path}` is used as it is, compacting it failed: {error}");
                let failures = 1 + self.failures.fetch_add(1, Ordering::Relaxed);
                // Ten thousand files that each exceed a deadline would take days.
                let enough = failures >= MOST_FAILURES || matches!(error, JudgeError::Deadline(_));
                if enough && !self.gave_up.swap(true, Ordering::Relaxed) {
                    tracing::warn!("no more files are compacted now, the others are used as they are");
                }
            }
        }
        (None, Origin::File)
    }

    /// Counts a compacted form: it counts with the memory of the detector, which cannot be opened
    /// with more.
    fn hold_made(&self, bytes: u64) -> Result<(), DetectorError> {
        self.hold(bytes)?;
        if self.made.fetch_add(bytes, Ordering::Relaxed) + bytes < self.limits.memory as u64 {
            return Ok(());
        }
        Err(DetectorError::NoModels(format!(
            "what the detector makes of the files in `{}` takes more than the {} MiB that it has for everything (`memory_mib` of \
             `[detector]`)",
            self.models.display(),
            self.limits.memory >> 20
        )))
    }

    /// Counts the bytes that are held.
    fn hold(&self, bytes: u64) -> Result<(), DetectorError> {
        if self.held.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.limits.model_files {
            return Ok(());
        }
        Err(DetectorError::NoModels(format!(
            "`{}` holds more than {} MiB; name the directory that holds nothing but models, or raise `models_mib` of \
             `[detector]`",
            self.models.display(),
            self.limits.model_files >> 20
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::demo::models::FILES;

    /// A pack's entry with the file's stamp is used without reading the file: only a forged pack
    /// can show this.
    #[tokio::test]
    async fn a_file_that_has_rested_is_not_even_read() {
        // Before the file is written: it is young, however slow the machine is.
        let young = SystemTime::now();
        let later = young + Duration::from_secs(3600);
        let dir = tempfile::tempdir().unwrap();
        let models = dir.path().join("models");
        fs::create_dir(&models).unwrap();
        let file = models.join(FILES[1].name);
        fs::write(&file, FILES[1].bytes).unwrap();
        let cache = dir.path().join("cache");
        let engine = Engine::new(Limits::default(), Some(&cache)).unwrap();
        let module = Module::built_in();
        let pack = Pack::new(&cache.join("models"), module.digest(), &models);
        let load = async |now: SystemTime| {
            let (engine, module, models, file) =
                (engine.clone(), module.clone(), models.clone(), file.clone());
            let compactor = Compactor::new(&engine, &module).await.unwrap();
            let load = move || {
                let now = (now, Growing::Waits);
                let loaded =
                    load(&engine, &module, &compactor, &models, &[file], now, &StepCounter::default());
                loaded.unwrap().files.remove(0).0.bytes
            };
            tokio::task::spawn_blocking(load).await.unwrap()
        };
        let forge = || {
            let mut entry = pack.read().unwrap().remove(0);
            let marked = entry.mark.is_some();
            entry.digest = [0; 32];
            entry.compacted = Some(b"forged".to_vec());
            pack.write(&[&entry]).unwrap();
            marked
        };
        let compacted = load(young).await;
        assert!(compacted.len() < FILES[1].bytes.len());
        assert!(!forge(), "it may be written again within the same tick");
        assert_eq!(load(later).await, compacted);
        assert!(forge(), "it has rested");
        assert_eq!(load(later).await, b"forged");
        fs::write(&file, FILES[1].bytes).unwrap();
        assert_eq!(load(later).await, compacted, "it was written again");
    }
}
