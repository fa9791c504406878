//! Unicode has several forms of one name: `ó` is one character (NFC), or an `o` followed by an
//! accent (NFD, as some file systems and the archives made on them have it). A model is for a
//! variable whichever form either name has.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The name as NFC.
pub(crate) fn nfc(name: &str) -> Cow<'_, str> {
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}
