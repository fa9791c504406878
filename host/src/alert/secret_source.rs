//! A channel's secret: an address, a key, a password. If it is in a file, it is read at each
//! delivery, so that it can be changed while the worker runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::config::whole;
use crate::secret::{Secret, credential};

/// A secret, or its file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SecretSource {
    Given(Secret),
    File(PathBuf),
}

impl SecretSource {
    /// Finds the secret `key` of a channel: in its table, in the file that the table names
    /// (systemd's credentials are searched first), or in the credential `<channel>_<key>`.
    pub(super) fn find(
        channel: &str,
        key: &str,
        given: Option<&Secret>,
        file: Option<&Path>,
        credentials: Option<&OsStr>,
    ) -> Option<Self> {
        match (given, file) {
            (Some(secret), _) => Some(Self::Given(secret.clone())),
            (None, Some(file)) => {
                Some(Self::File(credential(credentials, file).unwrap_or_else(|| whole(file))))
            }
            (None, None) => credential(credentials, Path::new(&format!("{channel}_{key}"))).map(Self::File),
        }
    }

    /// The current secret.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read(&self) -> Result<Secret, String> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(file) => Secret::read_from(file)
                .map_err(|why| format!("a secret cannot be read from `{}` ({why})", file.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_secret_is_given_or_in_a_file_or_among_the_credentials() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["hook_url", "plant"] {
            std::fs::write(directory.path().join(name), format!("in {name}\n")).unwrap();
        }
        let credentials = Some(directory.path().as_os_str());
        let given = Secret::new("given");
        for (given, file, credentials, found) in [
            (Some(&given), Some("plant"), credentials, Some(Ok("given"))),
            (None, Some("plant"), credentials, Some(Ok("in plant"))),
            (None, None, credentials, Some(Ok("in hook_url"))),
            (None, Some("no/such"), credentials, Some(Err("a secret cannot be read from `"))),
            (None, None, None, None),
        ] {
            let source = SecretSource::find("hook", "url", given, file.map(Path::new), credentials);
            let read = source.map(|source| source.read());
            match (read, found) {
                (None, None) => {}
                (Some(Ok(read)), Some(Ok(found))) => assert_eq!(read.reveal(), found),
                (Some(Err(why)), Some(Err(start))) => assert!(why.starts_with(start), "{why}"),
                (read, found) => assert_eq!(format!("{read:?}"), format!("{found:?}")),
            }
        }
    }
}
