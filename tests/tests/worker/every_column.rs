//! The whole worker over a fixture batch with the built-in Prophet detector: every column of every
//! row that it writes, against values derived without any of its code
//! (`tests/fixtures/make_expected.py`).

use std::path::{Path, PathBuf};

use host::counts::Counts;
use rusqlite::types::ValueRef;
use tests::fixture::{Fixture, Layout, open_set, prophet};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A table as in CSV: numbers with the decimals of their column.
fn shown(column: &str, value: ValueRef<'_>) -> String {
    match (column, value) {
        (_, ValueRef::Null) => String::new(),
        (_, ValueRef::Integer(number)) => number.to_string(),
        ("anomaly_score" | "prediction_error_pct", ValueRef::Real(number)) => format!("{number:.2}"),
        (_, ValueRef::Real(number)) => format!("{number:.6}"),
        (_, ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        (_, ValueRef::Blob(_)) => "a blob".into(),
    }
}

#[tokio::test]
async fn every_column_of_every_row() {
    let mut expected = csv::Reader::from_path(fixture("expected.csv")).unwrap();
    let columns: Vec<String> = expected.headers().unwrap().iter().map(ToOwned::to_owned).collect();
    let expected: Vec<Vec<String>> =
        expected.records().map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect()).collect();

    for batch_rows in [4000, 10] {
        let mut bench = Fixture::new(Layout::Keyed);
        bench.settings.batch_rows = batch_rows;
        bench.now("11 01:30");
        bench.insert_csv(&fixture("batch.csv"));
        let report = bench.worker(open_set(prophet("{}")).await).cycle(|| false).await.unwrap();
        let counts =
            Counts { judged: 48, anomalies: 5, nulls: 1, duplicates: 1, no_model: 1, ..Counts::default() };
        // In small batches the second of two rows comes after the verdict on the first.
        let counts = match batch_rows {
            4000 => counts,
            _ => Counts { duplicates: 0, already_judged: 1, ..counts },
        };
        assert_eq!((report.rows, report.counts), (51, counts));

        let output = bench.output();
        let sql = format!(
            "SELECT {}, id, processed_at FROM anomalies_detector ORDER BY ds, variable",
            columns.join(", ")
        );
        let mut statement = output.prepare(&sql).unwrap();
        let mut found = statement.query([]).unwrap();
        let (mut rows, mut ids) = (Vec::new(), Vec::new());
        while let Some(row) = found.next().unwrap() {
            let cells = columns.iter().enumerate();
            rows.push(cells.map(|(at, column)| shown(column, row.get_ref(at).unwrap())).collect::<Vec<_>>());
            ids.push(row.get::<_, i64>("id").unwrap());
            assert_eq!(row.get::<_, String>("processed_at").unwrap(), "2025-01-11 01:30:00");
        }
        for (found, expected) in rows.iter().zip(&expected) {
            assert_eq!(found, expected, "{columns:?}");
        }
        assert_eq!(rows.len(), expected.len());
        ids.sort_unstable();
        assert_eq!(ids, (1..=48).collect::<Vec<_>>());
    }
}
