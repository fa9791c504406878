//! Makes text from outside safe to show.
//!
//! Log lines and the output of commands contain text that is not the program's own: a detector's
//! reasons, names of variables, paths. Control characters, line ends, characters that change the
//! writing direction and characters without width are escaped, so that only the program can begin a
//! line or move a terminal's cursor, and two different names never look the same. One function
//! decides which characters those are, for the log, for the terminal and for a guest's texts.

use std::fmt::{self, Write};

/// The text on one line, without invisible characters.
pub fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    // Writing to a String cannot fail.
    let _ = Escaped(&mut line).write_str(text);
    line
}

/// A JSON text, which stays the same for a JSON reader. Line ends that lay it out stay: within its
/// strings they are escaped already.
pub fn escaped_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Whether a character could forge a line, or hide something in one.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes what is written through it.
pub struct Escaped<'a>(pub &'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                _ if !is_hidden(c) => self.0.push(c),
                '\t' | '\r' | '\n' => self.0.extend(c.escape_default()),
                _ => self.0.extend(c.escape_unicode()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn what_does_not_show_is_escaped_and_the_rest_is_left() {
        for (text, line) in [
            (r"C:\models\new, señal µ 温度 `T 1`", r"C:\models\new, señal µ 温度 `T 1`"),
            ("a\r\nb\tc", r"a\r\nb\tc"),
            ("\u{1b}[2Kgone \u{9b}31m\u{7f}\u{0}", r"\u{1b}[2Kgone \u{9b}31m\u{7f}\u{0}"),
            ("\u{85}\u{2028}\u{2029}", r"\u{85}\u{2028}\u{2029}"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}", {
                r"\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}"
            }),
            ("T\u{200b}1\u{200d}\u{feff}\u{2060}\u{ad}", r"T\u{200b}1\u{200d}\u{feff}\u{2060}\u{ad}"),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(escaped(text), line);
            assert_eq!(escaped(line), line, "once is enough");
            let json = escaped_json(&serde_json::to_string_pretty(&[text]).unwrap());
            assert!(json.lines().all(|line| escaped(line) == line), "{json}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
        }
    }
}
