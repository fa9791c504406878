//! A log file that is not a regular file: `/dev/null`, `/dev/stdout` of a container, a named pipe.
//! It is never renamed, and a thread of its own writes to it (`console`), because it may block for
//! hours.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Opened with its first line, because opening may block too.
pub(super) struct Device {
    path: PathBuf,
    file: Option<File>,
    tell: Box<dyn Fn(&str) + Send>,
    told: bool,
}

impl Device {
    /// Whether a path is of this kind: it exists, and is neither a regular file nor a directory.
    pub(super) fn is_at(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
    }

    pub(super) fn new(path: &Path, tell: Box<dyn Fn(&str) + Send>) -> Self {
        Self { path: path.to_owned(), file: None, tell, told: false }
    }

    fn take(&mut self, line: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().append(true).open(&self.path)?),
        };
        file.write_all(line)
    }
}

/// Takes whole lines.
impl Write for Device {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(trouble) = self.take(line) {
            self.file = None;
            if !std::mem::replace(&mut self.told, true) {
                (self.tell)(&format!("cannot write `{}`: {trouble}; lines miss there", self.path.display()));
            }
            return Err(trouble);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

    use super::*;

    #[test]
    fn what_is_no_file_is_known_by_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("directory")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        for (link, target) in
            [("null", "/dev/null"), ("link", "file"), ("nowhere", "gone"), ("pipes", "pipe")]
        {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        let found: Vec<_> = ["file", "directory", "pipe", "null", "link", "nowhere", "pipes", "absent"]
            .into_iter()
            .filter(|name| Device::is_at(&at(name)))
            .collect();
        assert_eq!(found, ["pipe", "null", "pipes"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_it_refuses_is_told_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let mut device = Device::new(
            Path::new("/dev/full"),
            Box::new(move |trouble| tell.send(trouble.to_owned()).unwrap()),
        );
        for _ in 0..3 {
            device.write_all(b"line\n").unwrap_err();
        }
        let expected = "cannot write `/dev/full`: No space left on device (os error 28); lines miss there";
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [expected]);
    }
}
