//! The lines of a text, numbered from 1, whichever line ends it has.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, bail};

/// The longest line in MiB, which limits the memory. No line of a table is as long.
const LONGEST: usize = 16;

/// The lines that are still to be read.
pub(super) struct Lines<R> {
    text: BufReader<R>,
    /// The last line that was read, without its end.
    pub(super) line: Vec<u8>,
    /// Its number.
    pub(super) number: u64,
    /// Whether it has an end. The last line of a file that was cut short has none.
    pub(super) ended: bool,
    after_return: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(text: R) -> Self {
        let text = BufReader::with_capacity(64 * 1024, text);
        Self { text, line: Vec::new(), number: 0, ended: false, after_return: false }
    }

    /// Reads the next line. False at the end.
    ///
    /// # Errors
    /// The text cannot be read, or a line is too long.
    pub(super) fn next(&mut self) -> anyhow::Result<bool> {
        self.line.clear();
        self.ended = false;
        let mut begun = false;
        loop {
            let buffer = self.text.fill_buf().context("it cannot be read to its end")?;
            if buffer.is_empty() {
                return Ok(begun);
            }
            let skipped = usize::from(self.after_return && buffer[0] == b'\n');
            self.after_return = false;
            let rest = &buffer[skipped..];
            let end = memchr::memchr2(b'\n', b'\r', rest);
            self.number += u64::from(!begun && !rest.is_empty());
            begun |= !rest.is_empty();
            self.line.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            if let Some(end) = end {
                self.after_return = rest[end] == b'\r';
                self.ended = true;
            }
            let read = skipped + end.map_or(rest.len(), |end| end + 1);
            self.text.consume(read);
            if self.line.len() > LONGEST << 20 {
                bail!("line {} is longer than {LONGEST} MiB; this is no table", self.number);
            }
            if self.ended {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_any_program_ends_them() {
        for (text, expected) in [
            ("", vec![]),
            ("a", vec![(1, "a", false)]),
            ("a\n", vec![(1, "a", true)]),
            ("a\nb", vec![(1, "a", true), (2, "b", false)]),
            ("a\r\nb\r\n", vec![(1, "a", true), (2, "b", true)]),
            ("a\rb\r", vec![(1, "a", true), (2, "b", true)]),
            ("\n\r\n\ra", vec![(1, "", true), (2, "", true), (3, "", true), (4, "a", false)]),
        ] {
            // With a buffer of one byte, every end of a line of two bytes is divided.
            for step in [1, 100] {
                let mut lines = Lines::new(text.as_bytes());
                lines.text = BufReader::with_capacity(step, text.as_bytes());
                let mut found = Vec::new();
                while lines.next().is_ok_and(|more| more) {
                    let line = String::from_utf8_lossy(&lines.line).into_owned();
                    found.push((lines.number, line, lines.ended));
                }
                let found: Vec<_> =
                    found.iter().map(|(n, line, ended)| (*n, line.as_str(), *ended)).collect();
                assert_eq!(found, expected, "{text:?}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_read_for_ever() {
        let text = std::io::repeat(b'x');
        let said = Lines::new(text).next().err().map(|error| error.to_string());
        assert_eq!(said.as_deref(), Some("line 1 is longer than 16 MiB; this is no table"));
    }
}
