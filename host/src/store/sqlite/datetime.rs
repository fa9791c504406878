//! Datetimes as SQLite has them: text, found through an index that sorts text.
//!
//! `2025-01-15`, `2025-01-15 10:00`, `2025-01-15 10:00:00`, with up to nine decimals, are
//! datetimes, and so is each with a `T` for the space. A column has one of these two forms, in
//! which text order is time order. One instant has many texts: `10:00:00.5` is `10:00:00.500000`.
//! So an index finds *candidates*, a little more than asked for; whether a row is in the range is
//! always decided by its instant.

use crate::datetime::Datetime;

/// The separator of date and time in a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DatetimeForm {
    /// The form that this program writes.
    #[default]
    Space,
    T,
}

/// The years with four digits, which make every text 10, 19 or 26 characters long.
const FIRST: Datetime = Datetime::from_micros(-62_167_219_200_000_000);
const LAST: Datetime = Datetime::from_micros(253_402_300_799_999_999);

impl DatetimeForm {
    fn separator(self) -> char {
        match self {
            Self::Space => ' ',
            Self::T => 'T',
        }
    }

    /// The form of a text that is a datetime. A date alone has either.
    pub(super) fn of(text: &str) -> Option<Self> {
        let dated = text.trim_end().len() > 10;
        [Self::Space, Self::T].into_iter().find(|form| dated && form.parse(text).is_some())
    }

    /// `2025-01-15 10:00:00`, with six decimals where there is a fraction.
    pub(super) fn text(self, at: Datetime) -> String {
        at.to_string().replacen(' ', &self.separator().to_string(), 1)
    }

    /// Every text that means an earlier instant than `at` sorts before this one.
    pub(super) fn ceiling(self, at: Datetime) -> String {
        let mut text = self.text(at.clamp(FIRST, LAST));
        if text.len() == 19 {
            text.push_str(".000000");
        }
        text
    }

    /// No text that means `at` or later sorts before this one.
    pub(super) fn floor(self, at: Datetime) -> String {
        let mut text = self.ceiling(at);
        text.truncate(if &text[11..16] == "00:00" { 10 } else { 16 });
        text
    }

    /// Every text that means `at` lies in this half-open range of texts; with it those of the same
    /// second.
    pub(super) fn around(self, at: Datetime) -> (String, String) {
        let mut from = self.ceiling(at);
        from.truncate(19);
        // After the decimals' point, and before the digits.
        let to = format!("{from}:");
        if from.ends_with("00:00:00") {
            from.truncate(10);
        } else if from.ends_with(":00") {
            from.truncate(16);
        }
        (from, to)
    }

    /// The instant of a text of this form. The parser alone accepts more: `2025-1-5` would be found
    /// by key, but never at its place in an index.
    pub(super) fn parse(self, text: &str) -> Option<Datetime> {
        const SHAPE: &[u8] = b"dddd-dd-ddtdd:dd:dd";
        let bytes = text.trim_end().as_bytes();
        let whole = matches!(bytes.len(), 10 | 16 | 19..);
        let shaped = bytes.iter().zip(SHAPE).all(|(&found, shape)| match shape {
            b'd' => found.is_ascii_digit(),
            b't' => char::from(found) == self.separator(),
            other => found == *other,
        });
        if whole && shaped { Datetime::parse(text).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    /// Every text of a form that means this instant, and some trailing blanks.
    fn texts(at: Datetime, form: DatetimeForm) -> Vec<String> {
        let full = form.ceiling(at);
        let mut texts = vec![format!("{full}0"), format!("{full}999")];
        for length in [10, 16, 19, 21, 22, 23, 24, 25, 26] {
            texts.push(full[..length].to_owned());
            texts.push(format!("{} ", &full[..length]));
        }
        texts.retain(|text| form.parse(text) == Some(at));
        texts
    }

    #[test]
    fn a_text_is_read_in_its_form_only() {
        for (text, spaced, late) in [
            ("2025-01-15", true, true),
            ("2025-01-15T10:00", false, true),
            ("2025-01-15 10:00:00.503", true, false),
            ("2025-01-15 10:00:00 ", true, false),
            (" 2025-01-15 10:00:00", false, false),
            ("2025-1-5 10:00:00", false, false),
            ("2025-01-15 10:00:0", false, false),
            ("2025-02-31 10:00:00", false, false),
            ("2025-01-15 10:00:00Z", false, false),
            ("2025-01-15t10:00:00", false, false),
            ("yesterday", false, false),
            ("", false, false),
        ] {
            let found = [DatetimeForm::Space, DatetimeForm::T].map(|form| form.parse(text).is_some());
            assert_eq!(found, [spaced, late], "{text}");
            let form = if spaced { DatetimeForm::Space } else { DatetimeForm::T };
            assert_eq!(DatetimeForm::of(text), (spaced != late).then_some(form), "{text}");
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

    fn form() -> impl Strategy<Value = DatetimeForm> {
        prop_oneof![Just(DatetimeForm::Space), Just(DatetimeForm::T)]
    }

    proptest! {
        #[test]
        fn text_bounds_never_lose_an_instant(
            form in form(),
            at in instant(),
            apart in -200_000_000_000_i64..200_000_000_000,
        ) {
            let other = Datetime::from_micros(at.micros() + apart);
            for text in texts(at, form) {
                if at >= other {
                    prop_assert!(text >= form.floor(other), "{} is lost from {}", text, other);
                } else {
                    prop_assert!(text < form.ceiling(other), "{} is lost before {}", text, other);
                }
                let (from, to) = form.around(at);
                prop_assert!(from <= text && text < to, "{} is not around {}", text, at);
            }
            prop_assert!(!texts(at, form).is_empty());
        }

        #[test]
        fn text_order_is_time_order(form in form(), one in instant(), other in instant()) {
            let (earlier, later) = (one.min(other), one.max(other));
            prop_assume!(earlier < later);
            for first in texts(earlier, form) {
                for second in texts(later, form) {
                    prop_assert!(first < second, "{} and {}", first, second);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_all_time_stay_readable_texts() {
        assert_eq!(DatetimeForm::Space.floor(Datetime::from_micros(i64::MIN)), "0000-01-01");
        assert_eq!(DatetimeForm::T.ceiling(Datetime::from_micros(i64::MAX)), "9999-12-31T23:59:59.999999");
    }
}
