//! What must hold for any batch.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::LazyLock;

use common::{expected, files, fixtures, input, judge, open};
use detector_guest::{Column, ColumnOutcome, ColumnVerdicts};
use proptest::prelude::*;

static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| files(&fixtures().join("models")));

/// The Python worker's scale.
const BATCH: &str = r#"{"residual_scale": "batch"}"#;

const VARIABLES: [&str; 6] = ["AGUA/FLOW 1", "GAS_P-2", "TEMP-03", "NIVEL 4", "VIBRACION", "POTENCIA/MW"];

/// A fault of the Python worker: a spike alone in its batch has no deviation to be measured by and
/// scores 0.
#[test]
fn a_lone_spike_scores_with_the_models_scale() {
    let (instants, columns) = input(&fixtures(), "one_datetime");
    let spike = (VARIABLES[0].to_owned(), instants[0]);
    for (settings, expected) in [("{}", (100.0, true, true)), (BATCH, (0.0, false, true))] {
        let row = &judge(&mut open(&FILES, settings).unwrap(), &instants, &columns)[&spike];
        assert_eq!((row.score, row.high, row.anomaly), expected, "{settings}");
    }
    let worker = &expected(&fixtures(), "one_datetime")[&spike];
    assert_eq!((worker.score, worker.high, worker.anomaly), (0.0, false, true));
}

/// Another: readings with a harmless offset that they share have next to no deviation, and all are
/// flagged.
#[test]
fn a_harmless_offset_is_quiet_with_the_models_scale() {
    let instants: Vec<i64> = (0..5).map(|row| 1_736_553_900_000_000 + row * 300_000_000).collect();
    for (settings, expected) in [("{}", (6.0, 0)), (BATCH, (100.0, 0b110))] {
        let mut detector = open(&FILES, settings).unwrap();
        let nothing = [Column { variable: "VIBRACION", values: &[f64::NAN; 5] }];
        let predicted = one(detector.detect(&instants, &nothing).unwrap());
        let noise = (predicted.upper[0] - predicted.lower[0]) / 2.0 / 1.959_963_984_540_054;
        let values: Vec<f64> = predicted.expected.iter().map(|yhat| yhat + 0.3 * noise).collect();
        let verdicts =
            one(detector.detect(&instants, &[Column { variable: "VIBRACION", values: &values }]).unwrap());
        for (score, flags) in verdicts.score.iter().zip(verdicts.flags) {
            assert_eq!(((score * 1e6).round() / 1e6, flags.bits()), expected, "{settings}");
        }
    }
}

#[test]
fn a_batch_that_breaks_the_contract_is_an_error() {
    let mut detector = open(&FILES, "{}").unwrap();
    for (instants, values, expected) in [
        (&[1, 1][..], &[0.0, 0.0][..], "instants are not increasing: 1 at row 0 is followed by 1"),
        (&[1, 3, 2], &[0.0, 0.0, 0.0], "instants are not increasing: 3 at row 1 is followed by 2"),
        (&[1, 2], &[0.0], "column `T` has 1 rows and the batch has 2 instants"),
    ] {
        let error = detector.detect(instants, &[Column { variable: "T", values }]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_cannot_be_judged_is_said_and_what_is_absent_is_quiet() {
    let mut detector = open(&FILES, "{}").unwrap();
    let columns = [
        Column { variable: "nobody's", values: &[1.0, 2.0] },
        Column { variable: "VIBRACION", values: &[f64::NAN, 2.0] },
        Column { variable: "vibracion", values: &[1.0, 2.0] },
    ];
    let outcomes = detector.detect(&[0, 1_000_000], &columns).unwrap();
    assert!(
        matches!(&outcomes[..], [ColumnOutcome::NoModel, ColumnOutcome::Judged(_), ColumnOutcome::NoModel]),
        "{outcomes:?}"
    );
    let ColumnOutcome::Judged(verdicts) = &outcomes[1] else { return };
    assert!(verdicts.expected[0].is_finite() && verdicts.lower[0] < verdicts.upper[0]);
    assert_eq!((verdicts.score[0], verdicts.flags[0].bits()), (0.0, 0));
    assert_eq!(
        detector.detect(&[], &[Column { variable: "VIBRACION", values: &[] }]),
        Ok(vec![ColumnOutcome::Judged(ColumnVerdicts::default())])
    );
    assert_eq!(detector.detect(&[5], &[]), Ok(vec![]));
}

#[test]
fn a_model_that_leaves_the_range_of_numbers_is_withheld_by_name() {
    let mut files = FILES.clone();
    files.retain(|file| file.0 == "prophet_model_VIBRACION.json");
    let json = String::from_utf8(files[0].1.clone()).unwrap();
    files[0].1 = json.replacen("\"y_scale\": 5.145751550377489", "\"y_scale\": 1.7e308", 1).into_bytes();
    let mut detector = open(&files, "{}").unwrap();
    let year = 31_557_600_000_000;
    let instants = [i64::MIN, 55 * year, i64::MAX];
    let outcomes = detector
        .detect(&instants, &[Column { variable: "VIBRACION", values: &[f64::NAN, 1.0, 1.0] }])
        .unwrap();
    let [ColumnOutcome::Judged(verdicts)] = &outcomes[..] else { unreachable!("{outcomes:?}") };
    assert_eq!(verdicts.withheld.len(), 1);
    assert_eq!(verdicts.withheld[0].reason, "the model of `VIBRACION` predicts no finite number");
    assert_eq!(verdicts.withheld[0].rows.last(), Some(&2));
    assert!(verdicts.score[2].is_nan() && verdicts.expected[2].is_nan() && verdicts.lower[2].is_nan());
    assert_eq!(verdicts.score[0], 0.0);
    assert!(!verdicts.withheld[0].rows.contains(&0));
}

fn one(outcomes: Vec<ColumnOutcome>) -> ColumnVerdicts {
    match outcomes.into_iter().next() {
        Some(ColumnOutcome::Judged(verdicts)) => verdicts,
        other => unreachable!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// The contract's promises, for any batch.
    #[test]
    fn verdicts_keep_the_contract(
        instants in prop::collection::btree_set(any::<i64>(), 0..40),
        value in prop_oneof![Just(f64::NAN), -1e6..1e6, any::<f64>().prop_filter("finite", |y| y.is_finite())],
        batch_scale in any::<bool>(),
    ) {
        let settings = if batch_scale { BATCH } else { "{}" };
        let mut detector = open(&FILES, settings).unwrap();
        let instants: Vec<i64> = instants.into_iter().collect();
        let values: Vec<f64> = (0..instants.len()).map(|row| if row % 3 == 1 { f64::NAN } else { value }).collect();
        let columns = VARIABLES.map(|variable| Column { variable, values: &values });
        for outcome in detector.detect(&instants, &columns).unwrap() {
            let verdicts = one(vec![outcome]);
            prop_assert!(verdicts.withheld.is_empty());
            prop_assert_eq!(verdicts.expected.len(), instants.len());
            for (row, y) in values.iter().enumerate() {
                prop_assert!(verdicts.lower[row] <= verdicts.expected[row] && verdicts.expected[row] <= verdicts.upper[row]);
                prop_assert!(verdicts.upper[row].is_finite() && verdicts.lower[row].is_finite());
                prop_assert!((0.0..=100.0).contains(&verdicts.score[row]));
                if y.is_nan() {
                    prop_assert_eq!((verdicts.score[row], verdicts.flags[row].bits()), (0.0, 0));
                }
            }
        }
    }

    /// With the model's scale a verdict depends on its reading alone: not on the rows beside it,
    /// the other columns, or slices.
    #[test]
    fn a_verdict_does_not_depend_on_its_batch(start in 1_736_000_000_000_000..1_737_000_000_000_000_i64, rows in 1..1_300_usize, cut in any::<prop::sample::Index>(), turn in 0..6_usize) {
        let mut detector = open(&FILES, "{}").unwrap();
        let instants: Vec<i64> = (0..rows).map(|row| start + row as i64 * 300_000_000).collect();
        let values: Vec<f64> = (0..rows).map(|row| if row % 7 == 3 { f64::NAN } else { row as f64 % 50.0 }).collect();
        let mut columns = VARIABLES.map(|variable| Column { variable, values: &values });
        let together = detector.detect(&instants, &columns).unwrap();
        columns.rotate_left(turn);
        let mut turned = detector.detect(&instants, &columns).unwrap();
        turned.rotate_right(turn);
        prop_assert_eq!(&together, &turned);
        let cut = cut.index(rows);
        for (column, together) in columns.iter().zip({ let mut turned = together; turned.rotate_left(turn); turned }) {
            let part = |rows: std::ops::Range<usize>, detector: &mut detector_guest::ProphetDetector| {
                one(detector.detect(&instants[rows.clone()], &[Column { variable: column.variable, values: &values[rows] }]).unwrap())
            };
            let (first, second) = (part(0..cut, &mut detector), part(cut..rows, &mut detector));
            let together = one(vec![together]);
            prop_assert_eq!(together.expected, [first.expected, second.expected].concat());
            prop_assert_eq!(together.score, [first.score, second.score].concat());
            prop_assert_eq!(together.flags, [first.flags, second.flags].concat());
        }
    }
}
