//! JSON in ASCII, as Python writes it: other characters are `\u` escapes, so that a file is the
//! same in whatever encoding it is opened.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `spaced` as Python's `json` has it, or compact as pandas.
struct Ascii {
    spaced: bool,
}

impl Ascii {
    fn separator<W: ?Sized + Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        match (first, self.spaced) {
            (true, _) => Ok(()),
            (false, true) => writer.write_all(b", "),
            (false, false) => writer.write_all(b","),
        }
    }
}

impl Formatter for Ascii {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separator(writer, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separator(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.spaced { b": " } else { b":" })
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        if text.is_ascii() {
            return writer.write_all(text.as_bytes());
        }
        let mut units = [0; 2];
        for character in text.chars() {
            if character.is_ascii() {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

fn text(value: &impl Serialize, spaced: bool) -> String {
    let mut bytes = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, Ascii { spaced }));
    // Writing to memory does not fail, and all keys are texts.
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8(bytes).unwrap_or_default()
}

pub(super) fn json(value: &impl Serialize) -> String {
    text(value, true)
}

pub(super) fn compact(value: &impl Serialize) -> String {
    text(value, false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn texts_are_pythons() {
        let value = json!({"a": ["Día \"de\"\n", "🎉", 1.5, null], "b": {}});
        let expected = r#"{"a": ["D\u00eda \"de\"\n", "\ud83c\udf89", 1.5, null], "b": {}}"#;
        assert_eq!(super::json(&value), expected);
        assert_eq!(super::compact(&value), expected.replace(": ", ":").replace(", ", ","));
    }
}
