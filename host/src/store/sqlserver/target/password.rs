//! A password. If it is in a file, it is read at each connection, so that it can be changed under a
//! running worker.

use std::path::{Path, PathBuf};

use crate::secret::Secret;
use crate::store::ErrorKind;
use crate::store::sqlserver::error::Error;

/// A password, or the file that holds it.
#[derive(Clone, Debug)]
pub enum Password {
    Given(Secret),
    File(PathBuf),
}

impl Password {
    pub(super) fn read(&self) -> Result<Secret, Error> {
        let file = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::File(file) => file,
        };
        Secret::read_from(file).map_err(|why| {
            let why = format!("the password cannot be read from `{}` ({why})", file.display());
            Error::Found(ErrorKind::Permission, why)
        })
    }

    /// The file, if everybody on this machine can read it.
    pub(super) fn seen_by_all(&self) -> Option<&Path> {
        match self {
            Self::File(file) if is_readable_by_all(file) => Some(file),
            _ => None,
        }
    }
}

#[cfg(unix)]
fn is_readable_by_all(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).is_ok_and(|found| found.mode() & 0o004 != 0)
}

/// A file mode does not tell who can read it.
#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    /// As editors and shells write it: with a byte order mark or without, with or without a line
    /// end.
    #[test]
    fn a_password_is_read_as_it_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let utf_16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(order).collect()
        };
        let cases: [(Vec<u8>, Result<&str, &str>); 10] = [
            ("contraseña".into(), Ok("contraseña")),
            (" p \r\n".into(), Ok(" p ")),
            ("\u{feff}contraseña\n".into(), Ok("contraseña")),
            (utf_16("\u{feff}señal\r\n", u16::to_le_bytes), Ok("señal")),
            (utf_16("\u{feff}señal", u16::to_be_bytes), Ok("señal")),
            (vec![], Err("there is nothing in it")),
            ("\n".into(), Err("there is nothing in it")),
            ("\u{feff}\r\n".into(), Err("there is nothing in it")),
            (b"contrase\xf1a".to_vec(), Err("it is no text")),
            (vec![0xff, 0xfe, 0, 0xd8], Err("it is no text")),
        ];
        for (bytes, expected) in cases {
            std::fs::write(&file, &bytes).unwrap();
            let read = Password::File(file.clone()).read();
            let read = read.map(|secret| secret.reveal().to_owned()).map_err(|fault| format!("{fault:?}"));
            match expected {
                Ok(password) => assert_eq!(read.as_deref(), Ok(password), "{bytes:?}"),
                Err(why) => {
                    assert!(read.as_ref().is_err_and(|said| said.contains(why)), "{bytes:?}: {read:?}");
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_everybody_reads_is_known() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "p").unwrap();
        for (mode, seen) in [(0o600, false), (0o400, false), (0o640, false), (0o644, true), (0o604, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let password = Password::File(file.clone());
            assert_eq!(password.seen_by_all().is_some(), seen, "{mode:o}");
        }
        assert!(Password::File(dir.path().join("absent")).seen_by_all().is_none());
    }
}
