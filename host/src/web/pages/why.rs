//! Why a reading was flagged, in a few words with numbers.

use super::decimals;
use crate::chart::{Labels, number};
use crate::store::StoredVerdict;
use crate::web::words::Words;

/// `25.10, 3.20 above the band (18.00 – 21.90)`.
pub(super) fn why(verdict: &StoredVerdict, labels: &Labels) -> String {
    let words = Words::of(labels);
    let Some(y) = verdict.y else { return words.get("by_rule").to_owned() };
    let places = decimals(y);
    let said = |value: f64| number(value, places, labels);
    let (lower, upper, expected) = (verdict.yhat_lower, verdict.yhat_upper, verdict.yhat);
    let band = |lower: f64, upper: f64| format!("({} – {})", said(lower), said(upper));
    match (lower, upper, expected) {
        (Some(lower), Some(upper), _) if y > upper => {
            format!("{}, {} {} {}", said(y), said(y - upper), words.get("outside_above"), band(lower, upper))
        }
        (Some(lower), Some(upper), _) if y < lower => {
            format!("{}, {} {} {}", said(y), said(lower - y), words.get("outside_below"), band(lower, upper))
        }
        (_, _, Some(expected)) if verdict.high_residual == Some(true) && y > expected => {
            format!(
                "{}, {} {} ({})",
                said(y),
                said(y - expected),
                words.get("above_expected"),
                said(expected)
            )
        }
        (_, _, Some(expected)) if verdict.high_residual == Some(true) => {
            format!(
                "{}, {} {} ({})",
                said(y),
                said(expected - y),
                words.get("below_expected"),
                said(expected)
            )
        }
        _ => format!("{}, {}", said(y), words.get("by_rule")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{ENGLISH, SPANISH};
    use crate::datetime::Datetime;

    #[test]
    fn each_reason_is_said_with_its_numbers() {
        let verdict = |y: f64, band: Option<(f64, f64)>, high_residual| StoredVerdict {
            ds: Datetime::from_micros(0),
            variable: "T".into(),
            y: Some(y),
            yhat: Some(20.0),
            yhat_lower: band.map(|band| band.0),
            yhat_upper: band.map(|band| band.1),
            residual: None,
            outside_interval: None,
            high_residual: Some(high_residual),
            is_anomaly: Some(true),
            anomaly_score: None,
            prediction_error_pct: None,
            source_file: None,
            processed_at: None,
        };
        let band = Some((18.0, 21.9));
        for (verdict, english, spanish) in [
            (
                verdict(25.1, band, true),
                "25.10, 3.20 above the band (18.00 – 21.90)",
                "25,10, 3,20 sobre la banda (18,00 – 21,90)",
            ),
            (
                verdict(17.0, band, false),
                "17.00, 1.00 below the band (18.00 – 21.90)",
                "17,00, 1,00 bajo la banda (18,00 – 21,90)",
            ),
            (
                verdict(21.5, band, true),
                "21.50, 1.50 above the expected value (20.00)",
                "21,50, 1,50 sobre el valor esperado (20,00)",
            ),
            (verdict(20.5, None, false), "20.50, flagged by the rule", "20,50, marcada por la regla"),
        ] {
            assert_eq!(why(&verdict, &ENGLISH), english);
            assert_eq!(why(&verdict, &SPANISH), spanish);
        }
    }
}
