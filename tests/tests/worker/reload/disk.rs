//! A worker whose module and models are files, and the expected results of a look at them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::detector::Detector;
use host::reload::{ReloadOutcome, Reloader, SetSource};
use host::worker::Worker;
use tests::HOSTILE;
use tests::fixture::{Fixture, Layout, engine};
use tests::logs::Lines;

/// A worker that has judged one batch, with its module and models in files.
pub(super) struct Disk {
    pub(super) bench: Fixture,
    pub(super) source: SetSource,
    pub(super) worker: Worker,
    readings: u32,
}

impl Disk {
    pub(super) async fn new() -> Self {
        Self::with_models(|models| {
            fs::create_dir(models).unwrap();
            fs::write(models.join("T1"), "one").unwrap();
        })
        .await
    }

    pub(super) async fn with_models(make: impl FnOnce(&Path)) -> Self {
        let bench = Fixture::new(Layout::Keyed);
        let (module, models) = (bench.dir().join("detector.wasm"), bench.dir().join("models"));
        fs::write(&module, HOSTILE).unwrap();
        make(&models);
        let source = SetSource { module: Some(module), models, settings: "{}".into(), own: Vec::new() };
        let detector =
            Detector::open(&engine(), Arc::new(source.read(&engine()).await.unwrap()), None).await.unwrap();
        let worker = bench.worker(detector);
        let mut disk = Self { bench, source, worker, readings: 0 };
        disk.judge().await;
        disk
    }

    /// One more reading comes and is judged; returns the digest of the set that did it.
    pub(super) async fn judge(&mut self) -> String {
        let short = format!("10:{:02}", self.readings);
        self.readings += 1;
        self.bench.insert(&[(&short, "T1", 352.0)]);
        let report = self.worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, 1);
        self.bench.state().await.unwrap().set_digest.unwrap()
    }

    pub(super) fn reloader(&self) -> Reloader {
        Reloader::new(engine(), self.source.clone(), self.bench.shared.clone(), self.worker.detector())
    }

    /// The digest of the set on disk, as a detector uses it.
    pub(super) async fn digest(&self) -> String {
        let set = Arc::new(self.source.read(&engine()).await.unwrap());
        Detector::open(&engine(), set, None).await.unwrap().set().digest.clone()
    }

    pub(super) fn module(&self) -> &Path {
        self.source.module.as_deref().unwrap()
    }

    pub(super) fn model(&self, name: &str) -> PathBuf {
        self.source.models.join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.model(name), bytes).unwrap();
    }

    pub(super) fn harm(&self, harm: &str) {
        self.write("harm.json", format!(r#"{{"do": "{harm}"}}"#));
    }
}

/// The hostile detector with a custom section behind it: other bytes, same behaviour.
pub(super) fn rebuilt() -> Vec<u8> {
    let mut bytes = HOSTILE.to_vec();
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', b'!']);
    bytes
}

/// The expected result of a look.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    Same,
    Ready,
    /// The reason contains this.
    Refused(&'static str),
}

pub(super) type Step = (fn(&Disk), Expected);

pub(super) async fn follow(situation: &str, mut disk: Disk, steps: &[Step]) {
    let (lines, _guard) = Lines::listen();
    let mut reloader = disk.reloader();
    let mut in_use = disk.digest().await;
    assert!(matches!(reloader.look().await, ReloadOutcome::Same), "{situation}: nothing has changed yet");
    for (number, (change, expected)) in steps.iter().enumerate() {
        let step = format!("{situation}, step {}", number + 1);
        change(&disk);
        let look = reloader.look().await;
        lines.take();
        let swapped = match (expected, &look) {
            (Expected::Same, ReloadOutcome::Same) => false,
            (Expected::Ready, ReloadOutcome::Ready(digest)) => {
                assert_ne!(*digest, in_use, "{step}");
                assert_eq!(*digest, disk.digest().await, "{step}");
                in_use.clone_from(digest);
                true
            }
            (Expected::Refused(part), ReloadOutcome::Refused(error)) if error.to_string().contains(part) => {
                false
            }
            _ => panic!("{step}: {look:?}"),
        };
        assert!(matches!(reloader.look().await, ReloadOutcome::Same), "{step}: it is said once");
        assert_eq!(disk.judge().await, in_use, "{step}: the set that judges");
        let said = lines.take();
        let loaded = said.iter().filter(|line| line.contains(" loaded from ")).count();
        assert_eq!(loaded, usize::from(swapped), "{step}: {said:#?}");
        let unwell = said.iter().filter(|line| line.starts_with("ERROR")).count();
        assert_eq!(unwell, 0, "{step}: {said:#?}");
    }
}
