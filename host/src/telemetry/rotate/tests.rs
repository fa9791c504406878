//! Files of a few lines, and other processes that change them.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::fs::{self, File};
use std::sync::Arc;

use super::*;

struct Trial {
    file: RotatedFile,
    told: Arc<Mutex<Vec<String>>>,
}

fn trial(path: &Path, limit: u64, keep: usize) -> Trial {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let tell = Box::new(move |trouble: &str| heard.lock().unwrap().push(trouble.to_owned()));
    Trial { file: RotatedFile::new(path, limit, keep, tell), told }
}

impl Trial {
    fn write(&self, lines: impl IntoIterator<Item = u32>) {
        for line in lines {
            (&self.file).write_all(format!("line {line}\n").as_bytes()).unwrap();
        }
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

/// Every file of a directory and what it holds.
fn files(dir: &Path) -> Vec<(String, String)> {
    let named = |entry: io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        path.is_file().then(|| (name, fs::read_to_string(path).unwrap()))
    };
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().filter_map(named).collect();
    files.sort();
    files
}

fn held(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_file_is_renamed_before_it_grows_beyond_its_limit_and_the_oldest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs/worker.log");
    let trial = trial(&path, 14, 2);
    trial.write(1..=3);
    let first = [("worker.log", "line 3\n"), ("worker.log.1", "line 1\nline 2\n")];
    assert_eq!(files(path.parent().unwrap()), held(&first));
    trial.write(4..=9);
    let later = [
        ("worker.log", "line 9\n"),
        ("worker.log.1", "line 7\nline 8\n"),
        ("worker.log.2", "line 5\nline 6\n"),
    ];
    assert_eq!(files(path.parent().unwrap()), held(&later));
    assert_eq!(trial.told(), Vec::<String>::new());
}

#[test]
fn a_restart_goes_on_where_the_file_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    fs::write(&path, "line 1\nhal").unwrap();
    let trial = trial(&path, 18, 1);
    trial.write(2..=3);
    let expected = [("worker.log", "line 3\n"), ("worker.log.1", "line 1\nhal\nline 2\n")];
    assert_eq!(files(dir.path()), held(&expected));
}

#[test]
fn a_line_longer_than_the_limit_stays_whole() {
    let dir = tempfile::tempdir().unwrap();
    let trial = trial(&dir.path().join("worker.log"), 3, 1);
    trial.write(1..=2);
    assert_eq!(files(dir.path()), held(&[("worker.log", "line 2\n"), ("worker.log.1", "line 1\n")]));
}

#[test]
fn a_rename_that_fails_costs_no_line_and_no_old_log_and_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    // A directory that is not empty replaces nothing.
    fs::create_dir_all(dir.path().join("worker.log.2/x")).unwrap();
    fs::write(dir.path().join("worker.log.1"), "old\n").unwrap();
    let trial = trial(&path, 14, 2);
    trial.write(1..=9);
    let all: String = (1..=9).map(|line| format!("line {line}\n")).collect();
    assert_eq!(files(dir.path()), held(&[("worker.log", &all), ("worker.log.1", "old\n")]));
    let told = trial.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&format!("cannot rename `{}`: ", path.display())), "{told:?}");
    assert!(told[0].ends_with("; it grows on"), "{told:?}");
    fs::remove_dir_all(dir.path().join("worker.log.2")).unwrap();
    trial.write([10]);
    let later = [("worker.log", "line 10\n"), ("worker.log.1", &*all), ("worker.log.2", "old\n")];
    assert_eq!(files(dir.path()), held(&later));
}

#[test]
fn a_file_that_cannot_be_opened_is_told_once_and_taken_up_when_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    fs::create_dir(&path).unwrap();
    let trial = trial(&path, 100, 1);
    assert_eq!(trial.told().len(), 1, "at the start");
    trial.write(1..=3);
    assert_eq!(trial.told().len(), 1);
    assert!(trial.told()[0].starts_with(&format!("cannot write `{}`: ", path.display())));
    fs::remove_dir(&path).unwrap();
    trial.write(4..=5);
    assert_eq!(files(dir.path()), held(&[("worker.log", "line 4\nline 5\n")]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_once() {
    let trial = trial(Path::new("/dev/full"), 100, 1);
    trial.write(1..=3);
    let told = "cannot write `/dev/full`: No space left on device (os error 28); lines miss there";
    assert_eq!(trial.told(), [told]);
}

/// logrotate in both ways, and a removed file.
#[cfg(unix)]
#[test]
fn what_others_do_to_the_file_costs_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    let trial = trial(&path, 1000, 1);
    trial.write([1]);
    fs::rename(&path, dir.path().join("renamed")).unwrap();
    trial.write([2]);
    fs::copy(&path, dir.path().join("copied")).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    trial.write([3]);
    let expected = [("copied", "line 2\n"), ("renamed", "line 1\n"), ("worker.log", "line 3\n")];
    assert_eq!(files(dir.path()), held(&expected));
    fs::remove_file(&path).unwrap();
    trial.write([4]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "line 4\n");
    assert_eq!(trial.told(), Vec::<String>::new());
}

/// A truncated file has room again.
#[cfg(unix)]
#[test]
fn a_file_is_as_long_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    let trial = trial(&path, 21, 3);
    for line in 1..=9 {
        trial.write([line]);
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    }
    trial.write(10..=11);
    assert_eq!(files(dir.path()), held(&[("worker.log", "line 10\nline 11\n")]));
}

/// Two workers with the default name of the log in one folder: each line stays until so many
/// files of that size are full.
#[cfg(unix)]
#[test]
fn of_two_workers_one_renames() {
    const LINES: u32 = 400;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    // Room for all of it, in files that are not nearly empty.
    let (one, other) = (trial(&path, 1000, 30), trial(&path, 1000, 30));
    std::thread::scope(|scope| {
        for (worker, first) in [(&one, 1000), (&other, 1000 + LINES)] {
            scope.spawn(move || {
                let lines = first..first + LINES;
                lines.for_each(|line| {
                    (&worker.file).write_all(format!("line {line}\n").as_bytes()).unwrap();
                });
            });
        }
    });
    let files = files(dir.path());
    let mut lines: Vec<_> = files.iter().flat_map(|(_, text)| text.lines().map(str::to_owned)).collect();
    lines.sort();
    let expected: Vec<_> = (1000..1000 + 2 * LINES).map(|line| format!("line {line}")).collect();
    assert_eq!(lines, expected);
    let full = files.iter().filter(|(name, text)| name != "worker.log" && text.len() < 900).count();
    assert_eq!(full, 0, "{:?}", files.iter().map(|(name, text)| (name, text.len())).collect::<Vec<_>>());
    assert_eq!((one.told(), other.told()), (vec![], vec![]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_stays_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    let trial = trial(&path, 14, 2);
    trial.write(1..=9);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(trial.told(), Vec::<String>::new());
}
