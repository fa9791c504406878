//! How much of a connection is encrypted.

use tiberius::EncryptionLevel;

/// How much of the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Whole,
    /// From the first byte on (TDS 8.0).
    Strict,
    LoginOnly,
}

impl Encryption {
    pub(super) fn level(self) -> EncryptionLevel {
        match self {
            Self::Whole => EncryptionLevel::Required,
            Self::Strict => EncryptionLevel::Strict,
            Self::LoginOnly => EncryptionLevel::Off,
        }
    }
}
