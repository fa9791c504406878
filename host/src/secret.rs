//! A text that must not be shown: a password, or a connection string that holds one.
//!
//! It is wiped from memory when it is dropped, and neither `Debug` nor an error can show it: code
//! that needs the text calls [`Secret::reveal`].

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::regular;

/// A password, or a text that holds one.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Hides the text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(SecretString::new(text.into()))
    }

    /// The content of a file, as editors and shells write it: with a byte order mark or without,
    /// with or without a line end.
    ///
    /// # Errors
    /// Why there is none, without the file's name.
    pub fn read_from(file: &Path) -> Result<Self, String> {
        let bytes = regular::read_small(file).map(Zeroizing::new).map_err(|error| error.to_string())?;
        let (encoding, mark) = Encoding::for_bom(&bytes).unwrap_or((UTF_8, 0));
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
        let text = Zeroizing::new(text.ok_or("it is no text")?.into_owned());
        // An editor ends the last line; a secret does not end with a line end.
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err("there is nothing in it".to_owned()),
            secret => Ok(Self::new(secret)),
        }
    }

    /// The text, to be passed to the server and nowhere else.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The file of this name in systemd's directory of credentials, if there is one.
pub fn credential(directory: Option<&OsStr>, name: &Path) -> Option<PathBuf> {
    let file = Path::new(directory?).join(name);
    file.is_file().then_some(file)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(not shown) Some(\n    Secret(not shown),\n)"
        );
        assert_eq!(secret.reveal(), "hunter2");
        assert!(secret == secret.clone() && secret != Secret::new("Hunter2"));
    }
}
