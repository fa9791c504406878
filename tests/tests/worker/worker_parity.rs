//! The table of the Python worker is compared with ours, from the same readings: every column, as
//! it is rounded there.
//!
//! The whole worker runs here, store and sandbox included. The numbers of the columns, the rules of
//! the bounds, and the flags that depend on the Python worker's random numbers are tested in
//! `detector-guest/tests/worker_parity.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::fixture::{Fixture, Layout, open_set, oracle, prophet};

/// How many standard errors a simulated bound may differ by chance.
const CHANCE: f64 = 4.0;

/// `DECIMAL(18,6)` and `DECIMAL(5,2)`: half a step, and what is left of a float there.
const SIX: f64 = 0.5e-6 + 1e-9;
const TWO: f64 = 0.5e-2 + 1e-9;

const NUMBERS: [&str; 8] = [
    "y",
    "yhat",
    "residual",
    "high_residual",
    "prediction_error_pct",
    "yhat_lower",
    "yhat_upper",
    "anomaly_score",
];

/// Columns by name.
type Row = BTreeMap<String, f64>;

/// By datetime and variable.
type Table = BTreeMap<(String, String), Row>;

fn of_the_python_worker(batch: &str) -> Table {
    let mut reader = csv::Reader::from_path(oracle(&format!("{batch}.expected.csv"))).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        let cells = header.iter().zip(&record);
        let text = |name: &str| cells.clone().find(|cell| cell.0 == name).unwrap().1.to_owned();
        let numbers = cells.clone().filter_map(|(name, text)| Some((name.to_owned(), text.parse().ok()?)));
        ((text("ds").replace('T', " "), text("variable")), numbers.collect())
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

async fn of_this_worker(batch: &str, settings: &str) -> Table {
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.initial_lookback = Duration::from_secs(40 * 24 * 3600);
    bench.now("31 23:00");
    bench.insert_csv(&oracle(&format!("{batch}.input.csv")));
    bench.worker(open_set(prophet(settings)).await).cycle(|| false).await.unwrap();
    let output = bench.output();
    let columns = [&NUMBERS[..], &["outside_interval", "is_anomaly"]].concat();
    let sql = format!("SELECT {}, ds, variable FROM anomalies_detector", columns.join(", "));
    let mut statement = output.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| {
        let numbers = columns.iter().map(|name| Ok(((*name).to_owned(), row.get(*name)?)));
        Ok(((row.get("ds")?, row.get("variable")?), numbers.collect::<rusqlite::Result<_>>()?))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn tables_are_the_same_but_for_the_chance_in_one() {
    for trend in ["none", "batch"] {
        let settings = format!(r#"{{"residual_scale": "batch", "trend_uncertainty": "{trend}"}}"#);
        for batch in
            ["one_datetime", "two_datetimes", "five_datetimes", "offset", "gaps", "one_day", "a_month_later"]
        {
            let (found, expected) = (of_this_worker(batch, &settings).await, of_the_python_worker(batch));
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{batch}");
            for (at, expected) in &expected {
                let found = &found[at];
                let chance = CHANCE * expected["bound_se"];
                let near = |bound: &str| (expected["y"] - found[bound]).abs() <= chance;
                let undecided = near("yhat_lower") || near("yhat_upper");
                for name in NUMBERS {
                    let allowed = match name {
                        "yhat_lower" | "yhat_upper" => SIX + chance,
                        "anomaly_score" if undecided || found["outside_interval"] == 1.0 => continue,
                        "anomaly_score" | "prediction_error_pct" => TWO,
                        _ => SIX,
                    };
                    let difference = (found[name] - expected[name]).abs();
                    assert!(
                        difference <= allowed,
                        "{batch} {trend} {at:?} `{name}`: {found:?}, not {expected:?}"
                    );
                }
                for name in ["outside_interval", "is_anomaly"].into_iter().filter(|_| !undecided) {
                    assert_eq!(found[name], expected[name], "{batch} {trend} {at:?} `{name}`");
                }
            }
        }
    }
}
