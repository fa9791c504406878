//! Why a row gets no verdict, as far as that follows from the row itself and from how the output
//! takes its name. Pure.
//!
//! The one place for such reasons: a cycle counts by them the rows that it leaves out, and the look
//! for unjudged readings those that need no verdict.

use crate::column_limits::{LONGEST_NAME, decimal_18_6};
use crate::counts::Counts;
use crate::notes::{Note, UnfitReason};
use crate::reading::Reading;

/// How the output takes a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// It can hold it.
    Own,
    /// It would change it.
    Foreign,
    /// It is taken for the same as another, which is judged.
    Equal,
}

/// The reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowReason {
    /// A NULL is no reading.
    Null,
    /// The output could not hold the reading, whatever its verdict.
    Unfit(UnfitReason),
    EqualName,
}

impl RowReason {
    /// The first that holds for the row, if any.
    pub fn of(row: &Reading, name: impl FnOnce(&str) -> Name) -> Option<Self> {
        let Some(value) = row.value else { return Some(Self::Null) };
        let characters = row.variable.chars().count();
        if characters == 0 {
            return Some(Self::Unfit(UnfitReason::NoName));
        }
        if characters > LONGEST_NAME {
            return Some(Self::Unfit(UnfitReason::LongName { characters }));
        }
        if decimal_18_6(value).is_none() {
            return Some(Self::Unfit(UnfitReason::Value { column: "y", value }));
        }
        match name(&row.variable) {
            Name::Own => None,
            Name::Foreign => Some(Self::Unfit(UnfitReason::ForeignName)),
            Name::Equal => Some(Self::EqualName),
        }
    }

    /// One row under this reason.
    pub fn counted(self) -> Counts {
        let none = Counts::default();
        match self {
            Self::Null => Counts { nulls: 1, ..none },
            Self::Unfit(_) => Counts { unfit: 1, ..none },
            Self::EqualName => Counts { equal_names: 1, ..none },
        }
    }

    /// What the log says of the row, if anything.
    pub fn note(self, row: &Reading) -> Option<Note> {
        match self {
            Self::Unfit(why) => Some(Note::new(row, why)),
            Self::Null | Self::EqualName => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::Datetime;

    #[test]
    fn the_first_reason_that_holds_counts() {
        let long = "é".repeat(101);
        let unfit = |why| Some(RowReason::Unfit(why));
        let number = |value| unfit(UnfitReason::Value { column: "y", value });
        for (why, variable, value, expected) in [
            ("a reading", "T1", Some(0.0), None),
            ("100 characters of two bytes", &"é".repeat(100), Some(1.0), None),
            ("twelve digits", "T1", Some(999_999_999_999.999), None),
            ("NULL", "T1", None, Some(RowReason::Null)),
            ("NULL before all else", "", None, Some(RowReason::Null)),
            ("infinite", "T1", Some(f64::NEG_INFINITY), number(f64::NEG_INFINITY)),
            ("thirteen digits", "T1", Some(-1e12), number(-1e12)),
            ("no name", "", Some(1.0), unfit(UnfitReason::NoName)),
            ("101 characters", &long, Some(1.0), unfit(UnfitReason::LongName { characters: 101 })),
            ("another name", "温度", Some(1.0), unfit(UnfitReason::ForeignName)),
            ("a NULL of another name", "温度", None, Some(RowReason::Null)),
            ("an equal name", "t1", Some(1.0), Some(RowReason::EqualName)),
        ] {
            let row = Reading {
                id: None,
                datetime: Datetime::from_micros(0),
                variable: variable.into(),
                value,
                source_file: None,
            };
            let name = |name: &str| match name {
                "t1" => Name::Equal,
                "温度" => Name::Foreign,
                _ => Name::Own,
            };
            let reason = RowReason::of(&row, name);
            assert_eq!(reason, expected, "{why}");
            let noted = reason.and_then(|reason| reason.note(&row)).is_some();
            assert_eq!(noted, matches!(reason, Some(RowReason::Unfit(_))), "{why}");
        }
    }

    #[test]
    fn not_a_number_is_unfit() {
        let mut row = Reading {
            id: None,
            datetime: Datetime::from_micros(0),
            variable: "T1".into(),
            value: Some(f64::NAN),
            source_file: None,
        };
        let counted = |row: &Reading| RowReason::of(row, |_| Name::Own).map(RowReason::counted);
        assert_eq!(counted(&row), Some(Counts { unfit: 1, ..Counts::default() }));
        row.value = None;
        assert_eq!(counted(&row), Some(Counts { nulls: 1, ..Counts::default() }));
    }
}
