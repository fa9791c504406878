//! `host reload`: a running service is asked to reload, or the files are only tried.

#![cfg(target_os = "linux")]
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::common::{Place, VARIABLES, wait};

const NEW: &str = "models/prophet_model_NEW.json";
const CONFIG: &str = "models/detector_config.json";

/// Killed at the end of the test, even if it fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody writes in the directory of the models, again and again: the service waits half a minute
/// for the end of that before it looks by itself. So the look that a command asks for comes first,
/// however long commands take on this machine.
struct Copying {
    file: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Copying {
    fn start(place: &Place) -> Self {
        let (file, is_over) = (place.path("models/copy.part"), Arc::new(AtomicBool::new(false)));
        let (path, over) = (file.clone(), Arc::clone(&is_over));
        fs::write(&path, "x").unwrap();
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                fs::write(&path, "x").unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { file, is_over, thread: Some(thread) }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.file);
    }
}

/// The lines of a `host reload` with digests and paths masked, and its exit code.
fn reload(place: &Place, flags: &[&str]) -> (Option<i32>, Vec<String>) {
    let ran = place.run(&[&["reload", "--models", "models"], flags].concat());
    let said = ran.stdout + &ran.stderr;
    let is_digest = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let masked =
        |word: &str| if is_digest(word.trim_end_matches([',', ';'])) { "#" } else { word }.to_owned();
    let line = |line: &str| line.split(' ').map(masked).collect::<Vec<_>>().join(" ");
    (ran.code, said.lines().map(line).collect())
}

/// Sets the times of the files to long ago: a file that was written just now would be waited for.
fn rest(place: &Place) {
    for entry in fs::read_dir(place.path("models")).unwrap() {
        let file = fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    fs::File::open(place.path("models")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

#[test]
fn a_service_is_asked_and_says_what_came_of_it() {
    let place = Place::new();
    place.copy_models(&[]);
    place.readings(&VARIABLES, 2);
    let expect = |flags: &[&str], code: i32, lines: &[&str]| {
        let (ended, said) = reload(&place, flags);
        assert_eq!(ended, Some(code), "{said:#?}");
        assert_eq!(said.len(), lines.len(), "{said:#?}");
        for (said, line) in said.iter().zip(lines) {
            let begins = line.strip_suffix('*');
            assert!(begins.map_or(said == line, |begins| said.starts_with(begins)), "{said}\nis not\n{line}");
        }
    };
    let nobody = "error: the service of worker `default` was not asked: no service of this worker runs on this machine; \
                  `host reload --dry-run` shows what the files would change";
    expect(&[], 1, &[nobody]);
    expect(
        &["--dry-run"],
        0,
        &[
            "in use    unknown: no service answers, and no set is kept here",
            "trial     opened, and tried on no batch: database `plant.sqlite`: there is no table `anomaly_worker_state`*",
            "set # would judge the next batch",
        ],
    );

    let service = place.command(&["run", "--interval", "1h", "--models", "models"]);
    let mut command = service;
    let mut service = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait("verdicts", || place.number("SELECT count(*) FROM anomalies_detector") == Some(12));
    let trial = "trial     judged the last batch, 2 datetimes of 6 variables";
    expect(
        &["--dry-run"],
        0,
        &[
            "in use    set # by the service that runs",
            "on disk   set # 7 files",
            trial,
            "nothing would change",
        ],
    );
    expect(&[], 0, &["nothing has changed; set # goes on"]);

    let copying = Copying::start(&place);
    fs::copy(place.path("models/prophet_model_TEMP_03.json"), place.path(NEW)).unwrap();
    fs::write(place.path("models/prophet_model_VIBRACION.json"), fs::read(place.path(NEW)).unwrap()).unwrap();
    fs::remove_file(place.path("models/prophet_model_NIVEL_4.json")).unwrap();
    expect(
        &["--dry-run"],
        0,
        &[
            "in use    set # by the service that runs",
            "on disk   set # 7 files",
            "added     `prophet_model_NEW.json`",
            "removed   `prophet_model_NIVEL_4.json`",
            "changed   `prophet_model_VIBRACION.json`",
            trial,
            "set # would judge the next batch",
        ],
    );
    expect(&[], 0, &["set # passed its trial and judges the next batch"]);
    drop(copying);
    expect(&[], 0, &["nothing has changed; set # goes on"]);

    place.write("models/prophet_model_TEMP_03.json", "{");
    rest(&place);
    expect(
        &[],
        1,
        &["the files are refused and set # goes on: `prophet_model_TEMP_03.json` cannot be used and *"],
    );
    expect(
        &[],
        1,
        &["the files are refused and set # goes on: `prophet_model_TEMP_03.json` cannot be used and *"],
    );
    expect(
        &["--dry-run"],
        1,
        &[
            "in use    set # by the service that runs",
            "on disk   set # 7 files",
            "changed   `prophet_model_TEMP_03.json`",
            "refused   `prophet_model_TEMP_03.json` cannot be used and `TEMP-03` would lose its model, *",
        ],
    );
    place.write(CONFIG, "{");
    expect(
        &["--dry-run"],
        1,
        &[
            "in use    set # by the service that runs",
            "on disk   set # 7 files",
            "changed   `detector_config.json`",
            "changed   `prophet_model_TEMP_03.json`",
            "refused   *",
        ],
    );
    // The service of another plant, without a name, a log and models of its own.
    let ran = place.run(&["check", "--models", "models", "--database", "south.sqlite"]);
    let notes: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("note  services ")).collect();
    let [log, kept] = notes.as_slice() else { unreachable!("{}", ran.stdout) };
    assert!(log.contains(" writes the same log `worker.log`; give each a `file` of `[log]`"), "{log}");
    assert!(kept.contains(" keeps its last good set in the same file, as both are `default`"), "{kept}");
    // Without a service the kept set is shown as in use: the set that judged.
    service.0.kill().unwrap();
    service.0.wait().unwrap();
    place.copy_models(&["detector_config.json", "prophet_model_TEMP_03.json"]);
    expect(
        &["--dry-run"],
        0,
        &[
            "in use    set # by what is kept of the set that judged last; no service answers",
            "on disk   set # 7 files",
            "added     `prophet_model_NEW.json`",
            "removed   `prophet_model_NIVEL_4.json`",
            "changed   `prophet_model_VIBRACION.json`",
            trial,
            "set # would judge the next batch",
        ],
    );
    expect(&[], 1, &[nobody]);
}
