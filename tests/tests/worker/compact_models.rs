//! Model files are compacted once and the result is kept: what the detector is asked at the first
//! start, at the second, and after each change; what happens if the detector fails or the cache is
//! damaged; and that the verdicts are the same in each case.
//!
//! The hostile detector tells in its log what it was asked to compact and in which form files are
//! opened.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use host::batch::{Batch, Column};
use host::datetime::Datetime;
use host::detector::{BUILT_IN, Detector, DetectorError, Engine, Limits, ModelFile, Module, Set};
use host::reload::{ReloadOutcome, ReloadSlots, Reloader, SetSource};
use tempfile::TempDir;
use tests::HOSTILE;
use tests::fixture::prophet_models;
use tests::logs::Lines;

/// A module and models in files, and a cache.
struct Disk(TempDir);

impl Disk {
    fn new(module: &[u8], models: &[(&str, &str)]) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        fs::create_dir(disk.path("models")).unwrap();
        fs::write(disk.path("detector.wasm"), module).unwrap();
        models.iter().for_each(|(name, text)| disk.write(name, text));
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path("models").join(name), text).unwrap();
    }

    fn source(&self) -> SetSource {
        SetSource {
            module: Some(self.path("detector.wasm")),
            models: self.path("models"),
            settings: "{}".into(),
            own: Vec::new(),
        }
    }

    /// What a new process would have.
    fn engine(&self) -> Engine {
        let limits = Limits { deadline: Duration::from_secs(1), memory: 64 << 20, ..Limits::default() };
        Engine::new(limits, Some(&self.path("cache"))).unwrap()
    }

    async fn read(&self) -> Set {
        self.source().read(&self.engine()).await.unwrap()
    }

    /// The packs of compacted models.
    fn packs(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("cache/models")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The set of the files as they are.
    fn as_it_is(&self) -> Set {
        let files = fs::read_dir(self.path("models")).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            ModelFile {
                path: path.file_name().unwrap().to_string_lossy().into_owned(),
                bytes: fs::read(path).unwrap(),
            }
        });
        let bytes = fs::read(self.path("detector.wasm")).unwrap().into();
        let module = Module { name: self.path("detector.wasm").display().to_string(), bytes };
        Set::new(module, files.collect(), self.path("models").display().to_string(), "{}".into())
    }
}

/// A set's files, as text.
fn texts(set: &Set) -> Vec<(&str, &str)> {
    set.files.iter().map(|file| (file.path.as_str(), std::str::from_utf8(&file.bytes).unwrap())).collect()
}

/// What the detector was asked to compact, in the order of the names; and the host's warnings.
fn asked(lines: &Lines) -> (Vec<String>, Vec<String>) {
    let lines = lines.take();
    let mut compacted: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("INFO detector: compacts "))
        .map(Into::into)
        .collect();
    compacted.sort();
    let warnings = lines.iter().filter_map(|line| line.strip_prefix("WARN "));
    (compacted, warnings.filter(|line| !line.starts_with("detector: ")).map(Into::into).collect())
}

/// The hostile detector with a custom section behind it: other bytes, same behaviour.
fn rebuilt() -> Vec<u8> {
    [HOSTILE, &[0, 6, 4, b'n', b'o', b't', b'e', b'!']].concat()
}

type Step = (&'static str, fn(&Disk), &'static [&'static str]);

#[tokio::test]
async fn a_file_is_prepared_once() {
    let (lines, _guard) = Lines::listen();
    let disk = Disk::new(HOSTILE, &[("T1", "compact one"), ("T2", "compact two"), ("T3", "plain")]);
    let steps: &[Step] = &[
        ("the first start", |_| {}, &["T1", "T2"]),
        ("the second", |_| {}, &[]),
        ("a file changed", |disk| disk.write("T2", "compact 2"), &["T2"]),
        (
            "changed to the same length, and dated back",
            |disk| {
                let at = fs::metadata(disk.path("models/T2")).unwrap().modified().unwrap();
                disk.write("T2", "compact 3");
                let file = fs::File::options().write(true).open(disk.path("models/T2")).unwrap();
                file.set_modified(at).unwrap();
            },
            &["T2"],
        ),
        ("touched", |disk| disk.write("T2", "compact 3"), &[]),
        ("a file more", |disk| disk.write("T4", "compact four"), &["T4"]),
        ("a file less", |disk| fs::remove_file(disk.path("models/T4")).unwrap(), &[]),
        ("what was dropped is compacted anew", |disk| disk.write("T4", "compact four"), &["T4"]),
        (
            "the form may depend on the name",
            |disk| fs::rename(disk.path("models/T4"), disk.path("models/T5")).unwrap(),
            &["T5"],
        ),
        (
            "another module",
            |disk| fs::write(disk.path("detector.wasm"), rebuilt()).unwrap(),
            &["T1", "T2", "T5"],
        ),
        ("and back", |disk| fs::write(disk.path("detector.wasm"), HOSTILE).unwrap(), &[]),
        ("the cache is gone", |disk| fs::remove_dir_all(disk.path("cache")).unwrap(), &["T1", "T2", "T5"]),
    ];
    for (step, change, compacted) in steps {
        change(&disk);
        lines.take();
        let set = disk.read().await;
        let compacted = compacted.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(asked(&lines), (compacted, vec![]), "{step}");
        assert_eq!(set.digest, disk.as_it_is().digest, "{step}: it is the digest of the user's files");
    }
    let set = Arc::new(disk.read().await);
    let files = [("T1", "compacted one"), ("T2", "compacted 3"), ("T3", "plain"), ("T5", "compacted four")];
    assert_eq!(texts(&set), files);
    lines.take();
    Detector::open(&disk.engine(), set, None).await.unwrap();
    let opened = lines.take().into_iter().filter(|line| line.contains("is opened as")).collect::<Vec<_>>();
    let expected = [
        "T1 is opened as `compacted one`",
        "T2 is opened as `compacted 3`",
        "T5 is opened as `compacted four`",
    ];
    assert_eq!(opened, expected.map(|line| format!("INFO detector: {line}")));
}

#[tokio::test]
async fn a_reload_prepares_what_changed_and_nothing_else() {
    let (lines, _guard) = Lines::listen();
    let disk = Disk::new(HOSTILE, &[("T1", "compact one"), ("T2", "compact two")]);
    let engine = disk.engine();
    let set = Arc::new(disk.source().read(&engine).await.unwrap());
    let detector = Detector::open(&engine, set, None).await.unwrap();
    let mut reloader = Reloader::new(engine, disk.source(), ReloadSlots::default(), &detector);
    for (text, compacted) in [("compact 2", vec!["T2".to_owned()]), ("compact 2", vec![]), ("plain", vec![])]
    {
        disk.write("T2", text);
        lines.take();
        let same = compacted.is_empty() && text != "plain";
        let look = reloader.look().await;
        assert!(
            matches!((same, &look), (true, ReloadOutcome::Same) | (false, ReloadOutcome::Ready(_))),
            "{text}: {look:?}"
        );
        assert_eq!(asked(&lines), (compacted, vec![]), "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_prepared_is_used_as_it_is() {
    let (lines, _guard) = Lines::listen();
    let warning = |path: &str, why: &str| format!("`{path}` is used as it is, compacting it failed: {why}");
    let late = "the detector did not answer within 1s";
    for harm in ["trap", "memory", "refuse", "spin"] {
        let text = format!("compact {harm}");
        let disk = Disk::new(HOSTILE, &[("T1", &text), ("T2", "compact two")]);
        let set = disk.read().await;
        let (_, said) = asked(&lines);
        match harm {
            "refuse" => assert_eq!(said, [""; 0], "{harm}: it is said when it is opened"),
            "spin" => {
                let more = "no more files are compacted now, the others are used as they are".to_owned();
                assert_eq!(said, [warning("T1", late), more]);
            }
            _ => {
                let trap =
                    warning("T1", "the detector trapped: wasm trap: wasm `unreachable` instruction executed");
                assert!(matches!(&said[..], [line] if line.starts_with(&trap)), "{harm}: {said:#?}");
            }
        }
        assert_eq!(texts(&set)[0], ("T1", text.as_str()), "{harm}");
        assert_eq!(set.digest, disk.as_it_is().digest, "{harm}");
        disk.read().await;
        let set = disk.read().await;
        assert_eq!(texts(&set), [("T1", text.as_str()), ("T2", "compacted two")], "{harm}");
        let (compacted, said) = asked(&lines);
        assert!(
            said.is_empty() && !compacted.contains(&"T1".to_owned()),
            "{harm}: once and no more: {said:#?}"
        );
        Detector::open(&disk.engine(), Arc::new(set), None).await.unwrap();
        lines.take();
    }
}

/// With a module that fails at everything a start takes ten tries, or one deadline for each core,
/// and not days.
#[tokio::test]
async fn a_module_that_fails_at_every_file_is_not_asked_for_ever() {
    let (lines, _guard) = Lines::listen();
    let cores = std::thread::available_parallelism().unwrap().get();
    for (harm, most) in [("trap", 9 + cores), ("spin", cores)] {
        let names: Vec<String> = (0..200).map(|number| format!("T{number}")).collect();
        let text = format!("compact {harm}");
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), text.as_str())).collect();
        let disk = Disk::new(HOSTILE, &files);
        let set = disk.read().await;
        let (compacted, said) = asked(&lines);
        assert!((1..=most).contains(&compacted.len()), "{harm}: {} tries", compacted.len());
        assert_eq!(said.iter().filter(|line| line.starts_with("no more files are compacted")).count(), 1);
        assert_eq!(said.len(), compacted.len() + 1, "{harm}: {said:#?}");
        assert_eq!(set.digest, disk.as_it_is().digest, "{harm}");
    }
}

/// What a guest makes and the host keeps is never larger than what the user gave.
#[tokio::test]
async fn a_form_larger_than_its_file_is_not_used() {
    let (lines, _guard) = Lines::listen();
    let disk = Disk::new(HOSTILE, &[("T1", "compact grow"), ("T2", "compact two")]);
    let set = disk.read().await;
    assert_eq!(texts(&set), [("T1", "compact grow"), ("T2", "compacted two")]);
    let why = "the compacted form has 5000 bytes and the file 12; it must not be larger";
    let said = lines.take();
    let said: Vec<_> = said.iter().filter(|line| line.contains("is used as it is")).collect();
    assert!(matches!(&said[..], [line] if line.ends_with(why)), "{said:#?}");
}

#[tokio::test]
async fn a_damaged_pack_is_made_anew_and_never_misread() {
    let (lines, _guard) = Lines::listen();
    let files = [("T1", "compact one"), ("T2", "compact two")];
    let disk = Disk::new(HOSTILE, &files);
    let good = disk.read().await;
    let pack = match &disk.packs()[..] {
        [pack] => pack.clone(),
        other => panic!("{other:?}"),
    };
    let bytes = fs::read(&pack).unwrap();
    // Made of the same files, by the same module, for another directory.
    let other = Disk::new(HOSTILE, &files);
    other.read().await;
    let foreign = fs::read(&other.packs()[0]).unwrap();
    let flipped = |place: usize| {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        bytes
    };
    let longer = [&bytes[..], b"\0"].concat();
    let mut damaged = vec![Vec::new(), b"no pack".to_vec(), foreign, longer];
    damaged.extend((0..bytes.len()).step_by(bytes.len() / 7).map(|length| bytes[..length].to_vec()));
    damaged.extend((0..bytes.len()).step_by(bytes.len() / 7).map(flipped));
    for (number, damaged) in damaged.into_iter().enumerate() {
        fs::write(&pack, damaged).unwrap();
        lines.take();
        let set = disk.read().await;
        let warning = format!("`{}` is damaged and is made anew", pack.display());
        assert_eq!(asked(&lines), (vec!["T1".into(), "T2".into()], vec![warning]), "{number}");
        assert_eq!(texts(&set), texts(&good), "{number}");
        disk.read().await;
        assert_eq!(asked(&lines), (vec![], vec![]), "{number}: it is whole again");
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_said_once() {
    let (lines, _guard) = Lines::listen();
    let disk = Disk::new(HOSTILE, &[("T1", "compact one")]);
    fs::create_dir(disk.path("cache")).unwrap();
    fs::write(disk.path("cache/models"), "in its place").unwrap();
    let engine = disk.engine();
    for said in [1, 0] {
        let set = disk.source().read(&engine).await.unwrap();
        assert_eq!(texts(&set), [("T1", "compacted one")]);
        let (compacted, warnings) = asked(&lines);
        assert_eq!((compacted.len(), warnings.len()), (1, said), "{warnings:#?}");
        let start = format!("nothing new is kept in the cache directory `{}`", disk.path("cache").display());
        assert!(warnings.iter().all(|line| line.starts_with(&start)), "{warnings:#?}");
    }
    // A file where the whole directory should be: one warning for compiled modules and compacted
    // models.
    let limits = Limits { deadline: Duration::from_secs(1), ..Limits::default() };
    let engine = Engine::new(limits, Some(&disk.path("cache/models"))).unwrap();
    let set = disk.source().read(&engine).await.unwrap();
    assert_eq!(texts(&set), [("T1", "compacted one")]);
    assert_eq!(asked(&lines).1.len(), 1);
    // It is no error to have no cache.
    let engine = Engine::new(limits, None).unwrap();
    disk.source().read(&engine).await.unwrap();
    assert_eq!(asked(&lines), (vec!["T1".into()], vec![]));
}

#[tokio::test]
async fn old_packs_are_dropped() {
    let disk = Disk::new(HOSTILE, &[("T1", "compact one")]);
    disk.read().await;
    let old = std::time::SystemTime::UNIX_EPOCH;
    let name = |number: u32| format!("{number:032x}");
    for number in 0..40 {
        let path = disk.path("cache/models").join(name(number));
        fs::write(&path, "").unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    disk.write("T1", "compact 1");
    disk.read().await;
    let left = disk.packs();
    assert_eq!(left.len(), 32);
    assert_eq!(left.iter().filter(|pack| !(0..40).any(|number| pack.ends_with(name(number)))).count(), 1);
}

#[tokio::test]
async fn a_film_among_the_models_is_not_read_and_costs_itself() {
    let disk = Disk::new(HOSTILE, &[("T1", "compact one")]);
    // It uses no space of the disk.
    fs::File::create(disk.path("models/film.mp4")).unwrap().set_len(5 << 30).unwrap();
    let set = disk.source().read(&disk.engine()).await.unwrap();
    let unread: Vec<_> = set.unread.iter().map(|file| (file.path.as_str(), file.why.as_str())).collect();
    assert_eq!(
        unread,
        [("film.mp4", "it has 5120 MiB and at most 64 MiB are read (`model_mib` of `[detector]`)")]
    );
}

fn batch() -> Arc<Batch> {
    let names =
        ["AGUA/FLOW 1", "GAS_P-2", "NIVEL 4", "POTENCIA/MW", "TEMP-03", "VIBRACION", "BROKEN", "HOLIDAYS"];
    let column = |name: &&str| Column { variable: (*name).into(), values: vec![100.0; 300] };
    Arc::new(Batch {
        datetimes: (0..300)
            .map(|row| Datetime::from_micros(1_740_000_000_000_000 + row * 300_000_000))
            .collect(),
        columns: names.iter().map(column).collect(),
    })
}

/// The built-in detector: whatever its files are (good, broken, empty, waiting for a table beside
/// them), it logs and judges the same.
#[tokio::test]
async fn nothing_changes_about_what_is_judged() {
    let disk = Disk::new(BUILT_IN, &[]);
    for entry in fs::read_dir(prophet_models()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, disk.path("models").join(path.file_name().unwrap())).unwrap();
    }
    let good = fs::read_to_string(disk.path("models/prophet_model_TEMP_03.json")).unwrap();
    let holidays = good.replace(r#""country_holidays": null"#, r#""country_holidays": "US""#);
    assert_ne!(holidays, good);
    disk.write("prophet_model_HOLIDAYS.json", holidays);
    disk.write("country_holidays.csv", "ds,holiday\n2025-07-04,Independence Day\n");
    disk.write("prophet_model_BROKEN.json", &good[..good.len() / 2]);
    disk.write("prophet_model_EMPTY.json", "");
    disk.write("prophet_model_TREND.json", good.replace(r#""growth": "linear""#, r#""growth": "cubic""#));
    disk.write("notes.txt", "x");
    let mut plain = Detector::open(&disk.engine(), Arc::new(disk.as_it_is()), None).await.unwrap();
    let expected = plain.judge(batch()).await.unwrap();
    for start in ["first", "second"] {
        let set = Arc::new(disk.read().await);
        let held = |set: &Set| set.files.iter().map(|file| file.bytes.len()).sum::<usize>();
        assert!(held(&set) < held(plain.set()), "{start}: {} of {}", held(&set), held(plain.set()));
        let mut compacted = Detector::open(&disk.engine(), set, None).await.unwrap();
        assert_eq!(compacted.summary(), plain.summary(), "{start}");
        assert_eq!(compacted.set().digest, plain.set().digest, "{start}");
        assert_eq!(compacted.judge(batch()).await.unwrap(), expected, "{start}");
    }
    let refused: Vec<_> = plain.summary().models.iter().filter(|model| model.refused.is_some()).collect();
    assert_eq!(refused.len(), 3, "{refused:#?}");
}

/// Only models are compacted. A compact model that was cut or changed is refused with its name.
#[tokio::test]
async fn a_compact_file_is_a_model_file() {
    let disk = Disk::new(BUILT_IN, &[]);
    let name = "prophet_model_TEMP_03.json";
    fs::copy(prophet_models().join(name), disk.path("models").join(name)).unwrap();
    let compact = disk.read().await.files.remove(0).bytes;
    assert!(compact.starts_with(b"PROPHET"));
    disk.write(name, &compact);
    let set = Arc::new(disk.read().await);
    assert_eq!(set.files[0].bytes, compact);
    let detector = Detector::open(&disk.engine(), set, None).await.unwrap();
    assert_eq!(detector.summary().loaded().count(), 1);
    for length in (0..compact.len()).step_by(compact.len() / 5) {
        disk.write(name, &compact[..length]);
        let set = Arc::new(disk.read().await);
        let error = Detector::open(&disk.engine(), set, None).await.err().unwrap();
        assert!(matches!(error, DetectorError::Models(_)), "{length} bytes: {error}");
    }
}

/// What compacting is for: a model that was never exported holds megabytes of training history,
/// which no prediction needs. All models of a plant can be opened in a sandbox that is too small
/// for the files.
#[tokio::test]
async fn models_that_together_are_larger_than_the_sandbox_are_opened() {
    const MODELS: usize = 24;
    let disk = Disk::new(BUILT_IN, &[]);
    let exported = fs::read_to_string(prophet_models().join("prophet_model_TEMP_03.json")).unwrap();
    let history = format!("{{\"history\": \"{}\", ", "0".repeat(3 << 20));
    let whole = exported.replacen('{', &history, 1);
    for number in 0..MODELS {
        disk.write(&format!("prophet_model_T{number}.json"), &whole);
    }
    let engine = disk.engine();
    assert!(MODELS * whole.len() > 64 << 20, "the memory of this sandbox");
    let error = Detector::open(&engine, Arc::new(disk.as_it_is()), None).await.err();
    assert!(error.is_some(), "as they are they do not fit");
    let detector = Detector::open(&engine, Arc::new(disk.read().await), None).await.unwrap();
    assert_eq!(detector.summary().loaded().count(), MODELS);
}
