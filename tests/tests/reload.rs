//! Replacing module and models under a running worker, on each situation of the disk that others were caught by: what the look says,
//! which set judges the next batch, and what the log says of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use host::detector::{BUILT_IN, Detector};
use host::reload::watch::{Pace, Watch};
use host::reload::{Look, Reloader, Shared, Source};
use host::worker::Worker;
use tests::HOSTILE;
use tests::bench::{Bench, Layout, at, engine, prophet_models, verdicts};
use tests::logs::Lines;

/// A worker that has judged one batch, with its module and models in files.
struct Disk {
    bench: Bench,
    source: Source,
    worker: Worker,
    readings: u32,
}

impl Disk {
    async fn new() -> Self {
        Self::with_models(|models| {
            fs::create_dir(models).unwrap();
            fs::write(models.join("T1"), "one").unwrap();
        })
        .await
    }

    async fn with_models(make: impl FnOnce(&Path)) -> Self {
        let bench = Bench::new(Layout::Keyed);
        let (module, models) = (bench.dir().join("detector.wasm"), bench.dir().join("models"));
        fs::write(&module, HOSTILE).unwrap();
        make(&models);
        let source = Source { module: Some(module), models, settings: "{}".into(), own: Vec::new() };
        let detector =
            Detector::open(&engine(), Arc::new(source.read(&engine()).await.unwrap()), None).await.unwrap();
        let worker = bench.worker(detector);
        let mut disk = Self { bench, source, worker, readings: 0 };
        disk.judge().await;
        disk
    }

    /// One more reading comes and is judged; returns the digest of the set that did it.
    async fn judge(&mut self) -> String {
        let short = format!("10:{:02}", self.readings);
        self.readings += 1;
        self.bench.insert(&[(&short, "T1", 352.0)]);
        let report = self.worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, 1);
        self.bench.state().await.unwrap().set_digest.unwrap()
    }

    fn reloader(&self) -> Reloader {
        Reloader::new(engine(), self.source.clone(), self.bench.shared.clone(), self.worker.detector())
    }

    async fn digest(&self) -> String {
        self.source.read(&engine()).await.unwrap().digest
    }

    fn module(&self) -> &Path {
        self.source.module.as_deref().unwrap()
    }

    fn model(&self, name: &str) -> PathBuf {
        self.source.models.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.model(name), bytes).unwrap();
    }

    fn harm(&self, harm: &str) {
        self.write("harm.json", format!(r#"{{"do": "{harm}"}}"#));
    }
}

/// The hostile detector with a custom section behind it: other bytes, same behaviour.
fn rebuilt() -> Vec<u8> {
    let mut bytes = HOSTILE.to_vec();
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', b'!']);
    bytes
}

/// What a look is to say.
#[derive(Clone, Copy)]
enum Expected {
    Same,
    Ready,
    /// The reason holds this.
    Refused(&'static str),
}

use Expected::{Ready, Refused, Same};

type Step = (fn(&Disk), Expected);

async fn follow(situation: &str, mut disk: Disk, steps: &[Step]) {
    let (lines, _guard) = Lines::listen();
    let mut reloader = disk.reloader();
    let mut in_use = disk.digest().await;
    assert!(matches!(reloader.look().await, Look::Same), "{situation}: nothing has changed yet");
    for (number, (change, expected)) in steps.iter().enumerate() {
        let step = format!("{situation}, step {}", number + 1);
        change(&disk);
        let look = reloader.look().await;
        lines.take();
        let swapped = match (expected, &look) {
            (Same, Look::Same) => false,
            (Ready, Look::Ready(digest)) => {
                assert_ne!(*digest, in_use, "{step}");
                assert_eq!(*digest, disk.digest().await, "{step}");
                in_use.clone_from(digest);
                true
            }
            (Refused(part), Look::Refused(error)) if error.to_string().contains(part) => false,
            _ => panic!("{step}: {look:?}"),
        };
        assert!(matches!(reloader.look().await, Look::Same), "{step}: it is said once");
        assert_eq!(disk.judge().await, in_use, "{step}: the set that judges");
        let said = lines.take();
        let loaded = said.iter().filter(|line| line.contains(" loaded from ")).count();
        assert_eq!(loaded, usize::from(swapped), "{step}: {said:#?}");
        let unwell = said.iter().filter(|line| line.starts_with("ERROR")).count();
        assert_eq!(unwell, 0, "{step}: {said:#?}");
    }
}

#[tokio::test]
async fn each_situation_of_the_disk_is_met() {
    let unchanged_time: fn(&Disk) = |disk| {
        // What a file system with times in whole seconds shows when a file is written twice in one.
        let before = fs::metadata(disk.model("T1")).unwrap().modified().unwrap();
        disk.write("T1", "two");
        fs::File::options().write(true).open(disk.model("T1")).unwrap().set_modified(before).unwrap();
    };
    let situations: &[(&str, &[Step])] = &[
        ("rewritten in place", &[(|disk| disk.write("T1", "another"), Ready)]),
        (
            "replaced by a rename",
            &[(
                |disk| {
                    disk.write("T1.tmp", "two");
                    fs::rename(disk.model("T1.tmp"), disk.model("T1")).unwrap();
                },
                Ready,
            )],
        ),
        (
            "a module half-written, then whole",
            &[
                (
                    |disk| fs::write(disk.module(), &rebuilt()[..HOSTILE.len() / 2]).unwrap(),
                    Refused("detector.wasm` cannot be used: it does not compile: "),
                ),
                (|disk| fs::write(disk.module(), rebuilt()).unwrap(), Ready),
            ],
        ),
        (
            "a time that goes backwards, as after a rollback",
            &[(
                |disk| {
                    disk.write("T1", "two");
                    let file = fs::File::options().write(true).open(disk.model("T1")).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)).unwrap();
                },
                Ready,
            )],
        ),
        ("the same length in the same second", &[(unchanged_time, Ready)]),
        (
            "touched",
            &[(
                |disk| {
                    let file = fs::File::options().write(true).open(disk.model("T1")).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                },
                Same,
            )],
        ),
        (
            "a model more, a model fewer",
            &[
                (|disk| disk.write("T2", ""), Ready),
                (|disk| fs::remove_file(disk.model("T2")).unwrap(), Ready),
            ],
        ),
        (
            "a model in use is broken: it stays, until it is mended or removed; a new one is only not used",
            &[
                (
                    |disk| disk.write("T1", "broken"),
                    Refused(
                        "`T1` cannot be used and `T1` would lose its model, mend the file or remove it: it is broken",
                    ),
                ),
                (|disk| disk.write("T1", "mended"), Ready),
                (|disk| disk.write("T2", "broken"), Ready),
                (|disk| disk.write("T2", "mended"), Ready),
            ],
        ),
        (
            "files that are no models",
            &[(
                |disk| {
                    for name in [".hidden", "T9.part", "T9.tmp", "T9~", "T9.bak", "T9.pkl"] {
                        disk.write(name, "x");
                    }
                },
                Same,
            )],
        ),
        (
            "the directory deleted and made again",
            &[
                (
                    |disk| fs::remove_dir_all(&disk.source.models).unwrap(),
                    Refused("models` cannot be read: "),
                ),
                (
                    |disk| {
                        fs::create_dir(&disk.source.models).unwrap();
                        disk.write("T1", "one");
                    },
                    Same,
                ),
                (|disk| disk.write("T1", "two"), Ready),
            ],
        ),
        (
            "bad, as it was, and bad again",
            &[
                (
                    |disk| fs::write(disk.module(), "garbage").unwrap(),
                    Refused("detector.wasm` cannot be used: it is not a WebAssembly component"),
                ),
                (|disk| fs::write(disk.module(), HOSTILE).unwrap(), Same),
                (
                    |disk| fs::write(disk.module(), "garbage").unwrap(),
                    Refused("detector.wasm` cannot be used: it is not a WebAssembly component"),
                ),
            ],
        ),
        (
            "another detector, and back",
            &[
                (
                    |disk| {
                        fs::copy(
                            prophet_models().join("prophet_model_TEMP_03.json"),
                            disk.model("prophet_model_T1.json"),
                        )
                        .unwrap();
                        fs::write(disk.module(), BUILT_IN).unwrap();
                    },
                    Ready,
                ),
                (|disk| fs::write(disk.module(), HOSTILE).unwrap(), Ready),
            ],
        ),
        (
            "a set that cannot be opened",
            &[
                (
                    |disk| disk.harm("open-trap"),
                    Refused("detector.wasm` failed while it was opened: the detector trapped: "),
                ),
                (|disk| disk.harm("open-spin"), Refused("opened: the detector did not answer within 1s")),
                (
                    |disk| disk.harm("open-settings"),
                    Refused("the detector refuses its settings: `threshold` is -1; it must be positive"),
                ),
                (
                    |disk| disk.harm("open-models"),
                    Refused("the detector refuses its models: `A/B` and `A_B` both stand for"),
                ),
                (|disk| disk.harm(""), Ready),
            ],
        ),
        (
            "a set that cannot judge the last committed batch",
            &[
                (
                    |disk| disk.harm("trap"),
                    Refused(
                        "detector.wasm` was tried on the last committed batch and failed: the detector trapped: ",
                    ),
                ),
                (|disk| disk.harm("inverted"), Refused("instant 0 has lower 353, expected 352, upper 351")),
                (|disk| fs::remove_file(disk.model("harm.json")).unwrap(), Same),
                (|disk| disk.harm("trap"), Refused("was tried on the last committed batch and failed")),
                (|disk| disk.harm("flood"), Ready),
            ],
        ),
    ];
    for (situation, steps) in situations {
        follow(situation, Disk::new().await, steps).await;
    }
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Points a link elsewhere in one step.
    pub(super) fn point(link: &Path, to: &Path) {
        let mut new = link.as_os_str().to_owned();
        new.push(".new");
        symlink(to, &new).unwrap();
        fs::rename(&new, link).unwrap();
    }

    fn directory(path: &Path, content: &str) {
        fs::create_dir(path).unwrap();
        fs::write(path.join("T1"), content).unwrap();
    }

    /// Two releases side by side, and the link `models` to one of them.
    pub(super) fn releases(models: &Path) {
        directory(&models.with_file_name("release-1"), "one");
        directory(&models.with_file_name("release-2"), "two");
        symlink("release-1", models).unwrap();
    }

    /// A mounted ConfigMap: `T1` leads through `..data` to a directory of its own.
    pub(super) fn config_map(models: &Path) {
        fs::create_dir(models).unwrap();
        directory(&models.join("..2025_1"), "one");
        symlink("..2025_1", models.join("..data")).unwrap();
        symlink("..data/T1", models.join("T1")).unwrap();
    }

    /// What a kubelet does to it.
    pub(super) fn update(models: &Path) {
        directory(&models.join("..2025_2"), "two");
        point(&models.join("..data"), Path::new("..2025_2"));
        fs::remove_dir_all(models.join("..2025_1")).unwrap();
    }

    #[tokio::test]
    async fn swapped_links_are_met() {
        let steps: &[Step] = &[
            (|disk| point(&disk.source.models, Path::new("release-2")), Ready),
            (|disk| point(&disk.source.models, Path::new("release-1")), Ready),
            (|disk| point(&disk.source.models, Path::new("release-3")), Refused("models` cannot be read: ")),
            (|disk| point(&disk.source.models, Path::new("release-1")), Same),
        ];
        follow("a link to the directory", Disk::with_models(releases).await, steps).await;
        let steps: &[Step] = &[(|disk| update(&disk.source.models), Ready)];
        follow("a ConfigMap", Disk::with_models(config_map).await, steps).await;
    }
}

/// A set may pass its canary and then fail at all that comes: the one before is still there and judges it, until the files change.
#[tokio::test]
async fn a_set_that_fails_after_its_canary_gives_way_to_the_one_before() {
    let (lines, _guard) = Lines::listen();
    let mut disk = Disk::new().await;
    disk.write("T2", "");
    let mut reloader = disk.reloader();
    let Look::Ready(good) = reloader.look().await else { panic!("two models") };
    assert_eq!(disk.judge().await, good);
    disk.harm("trap-below-zero");
    let Look::Ready(bad) = reloader.look().await else { panic!("it passes the canary") };
    disk.bench.insert(&[("11:00", "T1", -1.0), ("11:00", "T2", -2.0), ("11:00", "X", -3.0)]);
    lines.take();
    let report = disk.worker.cycle(|| false).await.unwrap();
    assert_eq!((report.counts.judged, report.counts.no_model, report.counts.set_aside), (2, 1, 0));
    let state = disk.bench.state().await.unwrap();
    assert_eq!((state.set_digest.as_deref(), state.set_aside.len()), (Some(good.as_str()), 0));
    assert!(disk.bench.verdicts().contains(&(at("11:00"), "T2".into(), -2.0)));
    let short = |digest: &str| digest[..12].to_owned();
    let expected = format!(
        "ERROR set {} cannot judge what came; set {} is in use again until the files change",
        short(&bad),
        short(&good)
    );
    assert_eq!(lines.take().iter().filter(|line| **line == expected).count(), 1);

    assert!(matches!(reloader.look().await, Look::Same), "the same files are not tried again");
    disk.write("T9.tmp", "");
    assert!(matches!(reloader.look().await, Look::Same), "nor when something beside them changes");
    assert_eq!(disk.judge().await, good);
    disk.harm("");
    assert!(matches!(reloader.look().await, Look::Ready(_)));
    assert_ne!(disk.judge().await, good);
}

/// Log and database may stand beside the models; what the service writes there is no new set and wakes nobody.
#[tokio::test]
async fn the_services_own_files_are_no_models() {
    let mut disk = Disk::new().await;
    disk.source.own = vec![disk.model("worker.log"), disk.model("plant.sqlite")];
    let mut reloader = disk.reloader();
    for name in ["worker.log", "worker.log.1", "plant.sqlite", "plant.sqlite-wal"] {
        disk.write(name, "x");
    }
    assert!(matches!(reloader.look().await, Look::Same));
    disk.write("worker.logic", "x");
    assert!(matches!(reloader.look().await, Look::Ready(_)), "a name that only begins like one");
}

/// A worker that was started anew tries a set on what the worker before it judged.
#[tokio::test]
async fn after_a_restart_a_new_set_is_tried_on_what_was_judged_before() {
    let mut disk = Disk::new().await;
    disk.bench.shared = Shared::default();
    let detector =
        Detector::open(&engine(), Arc::new(disk.source.read(&engine()).await.unwrap()), None).await.unwrap();
    disk.worker = disk.bench.worker(detector);
    disk.worker.cycle(|| false).await.unwrap();
    let mut reloader = disk.reloader();
    disk.harm("trap");
    let Look::Refused(error) = reloader.look().await else { panic!("it is tried") };
    assert!(error.to_string().contains("was tried on the last committed batch and failed"), "{error}");
}

/// Two reloads without a batch between them: the first has proved nothing, so it is not what the worker goes back to.
#[tokio::test]
async fn the_set_to_go_back_to_is_one_that_has_judged() {
    let mut disk = Disk::new().await;
    let good = disk.digest().await;
    let mut reloader = disk.reloader();
    for note in ["one", "two"] {
        disk.harm("trap-below-zero");
        disk.write("T2", note);
        assert!(matches!(reloader.look().await, Look::Ready(_)), "{note}");
        disk.worker.cycle(|| false).await.unwrap();
    }
    disk.bench.insert(&[("11:00", "T1", -1.0)]);
    assert_eq!(disk.worker.cycle(|| false).await.unwrap().counts.judged, 1);
    assert_eq!(disk.bench.state().await.unwrap().set_digest, Some(good));
}

/// Waits for the watch to have a detector of the set on disk ready; the events come when the system pleases.
async fn ready(disk: &Disk) -> bool {
    let wanted = disk.digest().await;
    for _ in 0..2000 {
        if disk.bench.shared.take_ready().is_some_and(|detector| detector.set().digest == wanted) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// The loop on the system's own events: its timer is too far away to help.
#[tokio::test]
async fn file_events_wake_the_loop() {
    let pace = Pace { quiet: Duration::from_millis(50), period: Duration::from_secs(3600) };
    let (lines, _guard) = Lines::listen();
    let disk = Disk::new().await;
    let _watch = Watch::start(disk.reloader(), pace);
    // The task runs up to its first wait: it watches from now on.
    tokio::task::yield_now().await;
    lines.take();

    disk.write("T1.tmp", "two");
    fs::rename(disk.model("T1.tmp"), disk.model("T1")).unwrap();
    assert!(ready(&disk).await, "a rename over a file");
    let expected = format!(
        "INFO a new detector is ready and judges the next batch (set {})",
        &disk.digest().await[..12]
    );
    assert!(lines.take().contains(&expected));

    fs::remove_dir_all(&disk.source.models).unwrap();
    let mut said = Vec::new();
    for _ in 0..2000 {
        said.extend(lines.take());
        if said.iter().any(|line| line.starts_with("ERROR")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        said.iter().any(|line| line
            .starts_with("ERROR the files changed and cannot be used, the detector in use stays: `")),
        "{said:#?}"
    );
    fs::create_dir(&disk.source.models).unwrap();
    disk.write("T1", "three");
    assert!(ready(&disk).await, "a directory made again");
    disk.write("T1", "four");
    assert!(ready(&disk).await, "and a file in it");
}

#[cfg(unix)]
#[tokio::test]
async fn swapped_links_wake_the_loop() {
    let pace = Pace { quiet: Duration::from_millis(50), period: Duration::from_secs(3600) };
    let disk = Disk::with_models(links::releases).await;
    let _watch = Watch::start(disk.reloader(), pace);
    tokio::task::yield_now().await;
    for release in ["release-2", "release-1"] {
        links::point(&disk.source.models, Path::new(release));
        assert!(ready(&disk).await, "a link to {release}");
    }

    let disk = Disk::with_models(links::config_map).await;
    let _watch = Watch::start(disk.reloader(), pace);
    tokio::task::yield_now().await;
    links::update(&disk.source.models);
    assert!(ready(&disk).await, "a ConfigMap");
}

/// What is judged after a swap is judged by the new detector alone: no verdict is written twice.
#[tokio::test]
async fn a_swap_does_not_judge_again() {
    let mut disk = Disk::new().await;
    let mut reloader = disk.reloader();
    disk.write("T2", "");
    assert!(matches!(reloader.look().await, Look::Ready(_)));
    disk.bench.insert(&[("10:00", "T2", 1.0), ("10:00", "T1", 2.0)]);
    disk.worker.cycle(|| false).await.unwrap();
    assert_eq!(disk.bench.verdicts(), verdicts(&[("10:00", "T1", 352.0), ("10:00", "T2", 1.0)]));
}
