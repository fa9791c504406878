//! JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` stand where a number may, and JSON
//! has no such words.
//!
//! Prophet's own `model_from_json` reads such a file, so it is read here: in a key that prediction
//! does not need it means nothing. Where the file is no JSON because of such words, it is read once
//! more with each as a text of the same letters, and a number is then read from either. A key that
//! prediction needs is checked later, by name.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

const TOKENS: [(&str, f64); 3] =
    [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

/// Reads one JSON value, in which Python's words for what is no finite number are texts.
///
/// # Errors
/// It is neither JSON nor what Python takes for it, or of another shape.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    match serde_json::from_slice(json) {
        Ok(read) => Ok(read),
        Err(error) => match quoted(json) {
            Cow::Borrowed(_) => Err(error),
            Cow::Owned(json) => serde_json::from_slice(&json),
        },
    }
}

/// The number that Python's word stands for.
pub(super) fn token(text: &str) -> Option<f64> {
    TOKENS.iter().find(|(token, _)| *token == text).map(|(_, number)| *number)
}

/// The number as Python writes it.
pub(crate) fn in_words(number: f64) -> String {
    match TOKENS.iter().find(|(_, token)| *token == number || (token.is_nan() && number.is_nan())) {
        Some((token, _)) => (*token).to_owned(),
        None => number.to_string(),
    }
}

/// The JSON with each word outside of its texts made a text.
fn quoted(json: &[u8]) -> Cow<'_, [u8]> {
    let mut copy = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        if byte == b'"' {
            at = after_text(json, at + 1);
            continue;
        }
        match TOKENS.iter().find(|(token, _)| json[at..].starts_with(token.as_bytes())) {
            None => at += 1,
            Some((token, _)) => {
                copy.extend_from_slice(&json[copied..at]);
                copy.push(b'"');
                copy.extend_from_slice(token.as_bytes());
                copy.push(b'"');
                at += token.len();
                copied = at;
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    copy.extend_from_slice(&json[copied..]);
    Cow::Owned(copy)
}

/// Behind the text that began before `at`.
fn after_text(json: &[u8], mut at: usize) -> usize {
    while let Some(next) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += next;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_outside_of_texts_become_texts() {
        for (json, expected) in [
            (
                r#"{"a": NaN, "b": [Infinity,-Infinity], "c": 1}"#,
                r#"{"a": "NaN", "b": ["Infinity","-Infinity"], "c": 1}"#,
            ),
            (r#"{"NaN": "say \"NaN\", \\", "x": NaN}"#, r#"{"NaN": "say \"NaN\", \\", "x": "NaN"}"#),
            ("NaN", r#""NaN""#),
            (r#"{"a": "Infinity"}"#, r#"{"a": "Infinity"}"#),
            (r#"{"a": "cut NaN"#, r#"{"a": "cut NaN"#),
            (r#"{"a": "cut \"#, r#"{"a": "cut \"#),
        ] {
            assert_eq!(String::from_utf8_lossy(&quoted(json.as_bytes())), expected, "{json}");
        }
    }

    #[test]
    fn a_number_is_said_as_python_writes_it() {
        for (number, expected) in [
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(in_words(number), expected);
        }
    }
}
