//! Cleans a guest's text when it enters the host: one line, without invisible characters, and of a
//! length that a log and a state row can take.
//!
//! Every text of a module or a detector passes through here: reasons, paths, names of variables,
//! its own name, names of functions in a trap, names of its exports. From here on it is treated
//! like the host's own texts.

use super::limits::LOG_LINE_BYTES;
use crate::text;

/// Names and paths. A database holds names of 100 characters, a file system of 255 bytes.
const NAME_BYTES: usize = 500;

/// A module's own name, and names of functions in a trap.
const SHORT_BYTES: usize = 100;

/// A sentence, or a line for the log.
pub(super) fn line(said: &str) -> String {
    clean(said, LOG_LINE_BYTES)
}

/// A path, or the name of a variable, an import or an export. A name from the database passes
/// through it too when it is compared with one from a guest.
pub(crate) fn name(said: &str) -> String {
    clean(said, NAME_BYTES)
}

/// A text that should be a word or two.
pub(super) fn short(said: &str) -> String {
    clean(said, SHORT_BYTES)
}

/// Cut before it is cleaned, so that a text of many megabytes costs nothing, and after it, because
/// escapes are longer.
fn clean(said: &str, most: usize) -> String {
    let mut text = text::escaped(cut(said, most));
    text.truncate(cut(&text, most).len());
    text
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_cleaned() {
        for (said, heard) in [
            ("as it is", "as it is".to_owned()),
            ("one\nERROR two \u{202e}", r"one\nERROR two \u{202e}".to_owned()),
            (&*"é".repeat(5_000_000), "é".repeat(1_000)),
            (&*format!("x{}", "é".repeat(1_000)), format!("x{}", "é".repeat(999))),
            (&*"\u{1b}".repeat(5_000), r"\u{1b}".repeat(333) + r"\u"),
        ] {
            assert_eq!(line(said), heard);
        }
        let lengths = [line, name, short].map(|clean| clean(&"x".repeat(1 << 20)).len());
        assert_eq!(lengths, [2_000, 500, 100]);
    }
}
