//! A text that nobody may see: a password, or a connection string that holds one.
//!
//! It is wiped from memory when it goes, and neither `Debug` nor an error can show it: who needs
//! the text asks for it by [`Secret::reveal`].

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A password, or what holds one.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Hides the text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(SecretString::new(text.into()))
    }

    /// The text, to be handed to the server and nowhere else.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
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
