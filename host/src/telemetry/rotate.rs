//! A log file that is renamed to `worker.log.1`, `.2`, … as it grows.
//!
//! Our own, because the failures are the point: of the packages for this, file-rotate falls silent
//! for good where a rename fails and panics on an unforeseen file, rolling-file drops an old log
//! with each failed rename, logroller buffers and starts threads. Here a file that cannot be
//! renamed grows on, a file that cannot be written is tried again with every line, and
//! either is told once.
//!
//! Others may be at the same file: a second worker, logrotate by renaming or by cutting
//! (`copytruncate`). So before each line it is asked what now stands under the name and how long it
//! is, and of several workers one renames.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use file_id::FileId;

use crate::unit_limit::explained;

/// Takes whole lines, each in one `write`, from any thread.
pub(super) struct RotatedFile {
    path: PathBuf,
    /// Bytes that the file may have.
    limit: u64,
    /// Renamed files that stay.
    keep: usize,
    tell: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<RotationState>,
}

#[derive(Default)]
struct RotationState {
    open: Option<OpenLog>,
    /// The error that was told last, so that it is not told with every line.
    told: String,
}

struct OpenLog {
    file: File,
    /// None where the system does not tell, and on what is no regular file.
    id: Option<FileId>,
    /// The size at which to rename; above the limit after a rename that failed, and None for what
    /// is never renamed.
    rotate_at: Option<u64>,
}

impl RotatedFile {
    /// Opens the file, so that `tell` hears at once if it cannot be written.
    pub(super) fn new(path: &Path, limit: u64, keep: usize, tell: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        let file = Self { path: path.to_owned(), limit, keep, tell, state: Mutex::default() };
        file.write_line(b"");
        file
    }

    /// Has the system write to the disk what it holds.
    pub(super) fn save(&self) {
        if let Some(open) = &self.state().open {
            let _ = open.file.sync_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, RotationState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_line(&self, line: &[u8]) {
        let mut state = self.state();
        if let Err(trouble) = self.append(&mut state, line) {
            state.open = None;
            self.tell(
                &mut state,
                &format!("cannot write `{}`: {}; lines miss there", self.path.display(), explained(&trouble)),
            );
        }
    }

    fn tell(&self, state: &mut RotationState, trouble: &str) {
        if state.told != trouble {
            trouble.clone_into(&mut state.told);
            (self.tell)(trouble);
        }
    }

    fn append(&self, state: &mut RotationState, line: &[u8]) -> io::Result<()> {
        let mut open = match state.open.take() {
            Some(open) if self.is_under_its_name(&open) => open,
            _ => self.open()?,
        };
        let mut size = open.file.metadata()?.len();
        if open.rotate_at.is_some_and(|limit| size > 0 && size + line.len() as u64 > limit) {
            (open, size) = self.renewed(state, open, line.len() as u64)?;
        }
        match write(&mut open, size, line) {
            // A limit of the system comes before ours.
            Err(error) if error.kind() == ErrorKind::FileTooLarge && size > 0 && open.rotate_at.is_some() => {
                (open, size) = self.renewed(state, open, line.len() as u64)?;
                write(&mut open, size, line)?;
            }
            written => written?,
        }
        state.open = Some(open);
        Ok(())
    }

    /// Whether the name still means this file: it may have been renamed or removed meanwhile.
    fn is_under_its_name(&self, open: &OpenLog) -> bool {
        open.id.is_none() || file_id::get_file_id(&self.path).ok() == open.id
    }

    /// The file that comes after a rename, and its size. The old one again if it cannot be renamed,
    /// or is being renamed by another worker at this moment.
    fn renewed(&self, state: &mut RotationState, open: OpenLog, length: u64) -> io::Result<(OpenLog, u64)> {
        let Some(_turn) = turn(&open) else {
            let size = open.file.metadata()?.len();
            return Ok((open, size));
        };
        // Somebody had the turn before.
        let renamed = if self.is_under_its_name(&open) {
            // Windows renames no open file.
            drop(open);
            self.rename()
        } else {
            Ok(())
        };
        let mut open = self.open()?;
        let size = open.file.metadata()?.len();
        if let Err(trouble) = renamed {
            open.rotate_at = open.rotate_at.map(|_| size + length + self.limit / 10);
            let told = format!("cannot rename `{}`: {trouble}; it grows on", self.path.display());
            self.tell(state, &told);
        }
        Ok((open, size))
    }

    fn open(&self) -> io::Result<OpenLog> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(OpenLog { file, id: None, rotate_at: None });
        }
        // A crash or a full disk may have left half a line; the next one must not continue it.
        if metadata.len() > 0 && last_byte(&self.path).is_ok_and(|last| last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(OpenLog { file, id: file_id::get_file_id(&self.path).ok(), rotate_at: Some(self.limit) })
    }

    /// Renames the file to `.1`, after `.1` to `.2` and so on, up to the first number that is free:
    /// so that a rename that fails again and again costs no old log.
    fn rename(&self) -> io::Result<()> {
        let free = (1..self.keep).find(|number| !self.numbered(*number).exists()).unwrap_or(self.keep);
        for number in (0..free).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        if number > 0 {
            path.push(format!(".{number}"));
        }
        path.into()
    }
}

fn write(open: &mut OpenLog, size: u64, line: &[u8]) -> io::Result<()> {
    let written = open.file.write_all(line);
    if written.is_err() && open.rotate_at.is_some() {
        // No half line, if the system lets us take it back; what another worker wrote meanwhile stays.
        let added = open.file.metadata().map_or(0, |now| now.len().saturating_sub(size));
        if added > 0 && added < line.len() as u64 {
            let _ = open.file.set_len(size);
        }
    }
    written
}

fn last_byte(path: &Path) -> io::Result<u8> {
    let mut file = File::open(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

/// The right to rename, as long as it is held; None while another worker has it. Where it cannot be
/// had otherwise, everybody has it: one rename too many costs a short file, and no line.
#[cfg(unix)]
fn turn(open: &OpenLog) -> Option<File> {
    use std::fs::TryLockError;

    let same = open.file.try_clone().ok()?;
    match same.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        Ok(()) | Err(TryLockError::Error(_)) => Some(same),
    }
}

/// A lock there would keep the others from writing.
#[cfg(not(unix))]
fn turn(_: &OpenLog) -> Option<()> {
    Some(())
}

/// Takes everything, always: what cannot be written is lost here and told by [`RotatedFile::new`]'s
/// `tell`.
impl Write for &RotatedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

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
        // A directory that is not empty takes nothing's place.
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

    /// logrotate, both ways, and somebody who removes the file.
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

    /// A file that was cut has room again.
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
}
