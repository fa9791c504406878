//! What the contract promises of a column's verdicts; `wit/detector.wit` says it in words.

use detector_guest::{ColumnVerdicts, FlagBits};

/// Panics, with what is wrong, unless these verdicts on `values` keep the contract.
pub fn keep(verdicts: &ColumnVerdicts, values: &[f64]) {
    let ColumnVerdicts { expected, lower, upper, score, flags, withheld } = verdicts;
    for count in [expected.len(), lower.len(), upper.len(), score.len(), flags.len()] {
        assert_eq!(count, values.len());
    }
    let named = |row: &usize| {
        withheld.iter().filter(|one| one.rows.iter().any(|named| *named as usize == *row)).count()
    };
    for withholding in withheld {
        assert!(withholding.rows.is_sorted() && !withholding.rows.is_empty(), "{withholding:?}");
        assert!(!withholding.reason.is_empty() && !withholding.reason.ends_with('.'), "{withholding:?}");
    }
    for (row, y) in values.iter().enumerate() {
        let four = [expected[row], lower[row], upper[row], score[row]];
        let context = format!("row {row}, {y}: {four:?} {:?} {withheld:?}", flags[row]);
        let judged = four.iter().all(|number| number.is_finite())
            && (lower[row]..=upper[row]).contains(&expected[row])
            && (0.0..=100.0).contains(&score[row]);
        if y.is_nan() {
            assert_eq!((named(&row), score[row], flags[row]), (0, 0.0, FlagBits::default()), "{context}");
            assert!(judged || four[..3].iter().all(|number| number.is_nan()), "{context}");
        } else if judged {
            let said = |flag| flags[row].contains(flag);
            assert_eq!(named(&row), 0, "{context}");
            assert_eq!(said(FlagBits::OUTSIDE_INTERVAL), *y < lower[row] || *y > upper[row], "{context}");
            let either = said(FlagBits::OUTSIDE_INTERVAL) || said(FlagBits::HIGH_RESIDUAL);
            let (cause, learning) = (flags[row].bits() >> 3 & 7, said(FlagBits::LEARNING));
            assert!(flags[row].bits() < 128 && cause < 7, "{context}");
            assert!(said(FlagBits::ANOMALY) || cause == 0, "{context}");
            assert!(!learning || !said(FlagBits::ANOMALY), "{context}");
            // Without a cause it is the interval that decides.
            assert!(learning || cause != 0 || said(FlagBits::ANOMALY) == either, "{context}");
        } else {
            assert!(four.iter().all(|number| number.is_nan()), "{context}");
            assert_eq!((named(&row), flags[row]), (1, FlagBits::default()), "{context}");
        }
    }
}
