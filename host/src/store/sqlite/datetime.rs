//! Datetimes as SQLite has them: text, in more than one form, found through an index that sorts
//! text.
//!
//! `2025-01-15`, `2025-01-15 10:00`, `2025-01-15 10:00:00`, with up to nine decimals, and each with
//! a `T` for the space, all are datetimes. Among the forms with a space, text order is time order.
//! So it is among those with a `T`, but within a day all of these come after all of those. And one
//! instant has many texts: `10:00:00.5` is `10:00:00.500000`. So an index finds *candidates*, a
//! little more than asked for, form by form; whether a row is in the range is always decided by its
//! instant.

use crate::datetime::Datetime;

/// What stands between day and time; the two forms in the order in which they sort.
pub(super) const FORMS: [char; 2] = [' ', 'T'];

/// The years that four digits can tell, which keeps every text 10, 19 or 26 characters long.
const FIRST: Datetime = Datetime::from_micros(-62_167_219_200_000_000);
const LAST: Datetime = Datetime::from_micros(253_402_300_799_999_999);

/// `2025-01-15 10:00:00.503000`, always with six decimals.
fn text(at: Datetime, form: char) -> String {
    let mut text = at.clamp(FIRST, LAST).to_string();
    if text.len() == 19 {
        text.push_str(".000000");
    }
    text.replacen(' ', &form.to_string(), 1)
}

/// No text of this form that means `at` or later sorts before this one.
pub(super) fn floor(at: Datetime, form: char) -> String {
    let mut text = text(at, form);
    text.truncate(if &text[11..16] == "00:00" { 10 } else { 16 });
    text
}

/// Every text of this form that means an earlier instant than `at` sorts before this one.
pub(super) fn ceiling(at: Datetime, form: char) -> String {
    text(at, form)
}

/// Every text of this form that means `at` lies in this half-open range of texts; with it those of
/// the same second.
pub(super) fn around(at: Datetime, form: char) -> (String, String) {
    let mut from = text(at, form);
    from.truncate(19);
    // After the decimals' point, and before the digits.
    let to = format!("{from}:");
    if from.ends_with("00:00:00") && form == ' ' {
        from.truncate(10);
    } else if from.ends_with(":00") {
        from.truncate(16);
    }
    (from, to)
}

/// The instant of a text in one of the forms above. The parser alone is more generous: `2025-1-5`
/// would be found by key, but never at its place in an index.
pub(super) fn parse(text: &str) -> Option<Datetime> {
    const SHAPE: &[u8] = b"dddd-dd-ddtdd:dd:dd";
    let bytes = text.trim_end().as_bytes();
    let whole = matches!(bytes.len(), 10 | 16 | 19..);
    let shaped = bytes.iter().zip(SHAPE).all(|(&found, shape)| match shape {
        b'd' => found.is_ascii_digit(),
        b't' => found == b' ' || found == b'T',
        other => found == *other,
    });
    if whole && shaped { Datetime::parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    /// Every text that means this instant, and some trailing blanks.
    fn texts(at: Datetime) -> Vec<String> {
        let mut texts = Vec::new();
        for form in FORMS {
            let full = text(at, form);
            for length in [10, 16, 19, 21, 22, 23, 24, 25, 26] {
                texts.push(full[..length].to_owned());
                texts.push(format!("{} ", &full[..length]));
            }
            texts.push(format!("{full}0"));
            texts.push(format!("{full}999"));
        }
        texts.retain(|text| parse(text) == Some(at));
        texts
    }

    #[test]
    fn a_text_is_read_in_its_forms_only() {
        for (text, is) in [
            ("2025-01-15", true),
            ("2025-01-15T10:00", true),
            ("2025-01-15 10:00:00.503", true),
            ("2025-01-15 10:00:00 ", true),
            (" 2025-01-15 10:00:00", false),
            ("2025-1-5 10:00:00", false),
            ("2025-01-15 10:00:0", false),
            ("2025-02-31 10:00:00", false),
            ("2025-01-15 10:00:00Z", false),
            ("2025-01-15t10:00:00", false),
            ("yesterday", false),
            ("", false),
        ] {
            assert_eq!(parse(text).is_some(), is, "{text}");
        }
    }

    /// Instants that have many texts: midnight, whole minutes, whole seconds, few decimals, and
    /// any.
    fn instant() -> impl Strategy<Value = Datetime> {
        let micros = prop_oneof![
            Just(86_400_000_000_i64),
            Just(60_000_000),
            Just(1_000_000),
            Just(100_000),
            Just(3333),
            Just(1)
        ];
        (micros, -200_000_000_000_000_i64..2_000_000_000_000_000)
            .prop_map(|(unit, at)| Datetime::from_micros(at / unit * unit))
    }

    proptest! {
        #[test]
        fn text_bounds_never_lose_an_instant(at in instant(), apart in -200_000_000_000_i64..200_000_000_000) {
            let other = Datetime::from_micros(at.micros() + apart);
            for text in texts(at) {
                let form = if text.contains('T') { 'T' } else { ' ' };
                if at >= other {
                    prop_assert!(text >= floor(other, form), "{} is lost from {}", text, other);
                } else {
                    prop_assert!(text < ceiling(other, form), "{} is lost before {}", text, other);
                }
                let (from, to) = around(at, form);
                prop_assert!(from <= text && text < to, "{} is not around {}", text, at);
            }
            prop_assert!(!texts(at).is_empty());
        }

        #[test]
        fn within_a_form_text_order_is_time_order(one in instant(), other in instant()) {
            let (earlier, later) = (one.min(other), one.max(other));
            prop_assume!(earlier < later);
            for first in texts(earlier) {
                for second in texts(later).iter().filter(|text| text.contains('T') == first.contains('T')) {
                    prop_assert!(first < *second, "{} and {}", first, second);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_all_time_stay_readable_texts() {
        assert_eq!(floor(Datetime::from_micros(i64::MIN), ' '), "0000-01-01");
        assert_eq!(ceiling(Datetime::from_micros(i64::MAX), 'T'), "9999-12-31T23:59:59.999999");
    }
}
