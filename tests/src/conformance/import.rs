//! Readings that a person has loaded into the input table.

use host::reading::Reading;
use host::store::Inserted;

use super::*;

fn reading(datetime: &str, variable: &str, value: f64) -> Reading {
    Reading {
        id: None,
        datetime: at(datetime),
        variable: variable.into(),
        value: Some(value),
        source_file: Some("enero.csv".into()),
    }
}

/// All rows of the input, without their ids.
async fn all(input: &mut dyn Input) -> Result<Vec<(String, String, Option<f64>, Option<String>)>> {
    let page = input.read_range(at("2000-01-01"), None, 10_000).await?;
    assert_eq!(page.malformed, []);
    let row = |row: &Reading| {
        let file = row.source_file.as_deref().map(str::to_owned);
        (row.datetime.to_string(), row.variable.to_string(), row.value, file)
    };
    Ok(page.readings.iter().map(row).collect())
}

fn row_of(datetime: &str, variable: &str, value: f64) -> (String, String, Option<f64>, Option<String>) {
    (at(datetime).to_string(), variable.to_owned(), Some(value), Some("enero.csv".to_owned()))
}

pub async fn readings_are_inserted_once<B: TestDb>() -> Result<()> {
    for datetime_index in [true, false] {
        let (bench, mut input, _) = begin::<B>(InputKind { datetime_index, ..InputKind::DEFAULT }).await?;
        bench.insert(&[row(1, "2025-01-15 10:00:00", "T2")]).await?;
        let mut importer = bench.connector().open_importer(false).await?;
        let readings = [
            reading("2025-01-15 10:00:00", "T1", 1.25),
            reading("2025-01-15 10:00:00", "T2", 7.0),
            reading("2025-01-15 10:00:00.500", "T1", -3.000_001),
            reading("2025-01-15 10:00:00", "T1", 9.0),
            Reading { value: None, ..reading("2025-01-15 10:05:00", "T1", 0.0) },
        ];
        assert_eq!(importer.has_datetime_index(), datetime_index);
        assert_eq!(importer.insert(&readings).await?, Inserted { inserted: 2, repeated: 1 });
        let again = importer.insert(&readings).await?;
        assert_eq!(again, Inserted { inserted: 0, repeated: 1 }, "a second time there is nothing to do");
        assert_eq!(importer.insert(&[]).await?, Inserted::default());
        importer.close().await?;
        let mut found = all(input.as_mut()).await?;
        found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        let expected = [
            row_of("2025-01-15 10:00:00", "T1", 1.25),
            ("2025-01-15 10:00:00".to_owned(), "T2".to_owned(), Some(1.5), None),
            row_of("2025-01-15 10:00:00.500", "T1", -3.000_001),
        ];
        assert_eq!(found, expected);
    }
    Ok(())
}

/// A NULL is no reading.
pub async fn a_null_does_not_stand_in_the_way_of_a_reading<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup::default()).await?;
    bench.insert(&[Row { value: None, ..row(1, "2025-01-15 10:00:00", "T1") }]).await?;
    let mut importer = bench.connector().open_importer(false).await?;
    assert_eq!(importer.insert(&[reading("2025-01-15 10:00:00", "T1", 4.0)]).await?.inserted, 1);
    assert_eq!(all(input.as_mut()).await?.len(), 2);
    Ok(())
}

pub async fn a_missing_input_table_is_made_only_if_asked_for<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup { input: None, ..Setup::default() }).await?;
    let refused = bench.connector().open_importer(false).await.map(drop);
    expect_error(refused, ErrorKind::Schema, &["datos_proceso", "--create-table"]);
    expect_error(input.layout().await, ErrorKind::Schema, &["datos_proceso"]);
    let mut importer = bench.connector().open_importer(true).await?;
    assert_eq!(importer.insert(&[reading("2025-01-15 10:00:00", "T1", 4.0)]).await?.inserted, 1);
    let layout = input.layout().await?;
    assert!(layout.has_key && layout.has_source_file && layout.has_datetime_index, "{layout:?}");
    // A table that exists is never created again.
    drop(bench.connector().open_importer(true).await?);
    assert_eq!(all(input.as_mut()).await?, [row_of("2025-01-15 10:00:00", "T1", 4.0)]);
    Ok(())
}

pub async fn a_table_without_key_or_file_takes_readings_too<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let mut importer = bench.connector().open_importer(false).await?;
        assert_eq!(
            importer.insert(&[reading("2025-01-15 10:00:00", "T1", 4.0)]).await?.inserted,
            1,
            "{kind:?}"
        );
        let found = all(input.as_mut()).await?;
        assert_eq!(
            (found.len(), found[0].2, found[0].3.is_some()),
            (1, Some(4.0), kind.source_file),
            "{kind:?}"
        );
    }
    Ok(())
}

pub async fn odd_names_and_values_are_imported_as_they_are<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup::default()).await?;
    let mut importer = bench.connector().open_importer(false).await?;
    let readings = [
        reading("2025-01-15 10:00:00", "Presión 'A'; --", 999_999_999_999.5),
        reading("2025-01-15 10:00:00", "T\"1\"", 1e-6),
        reading("1999-12-31 23:59:59", "T1", 0.0),
        reading("2025-01-15 10:00:00", "T1", -0.1),
    ];
    let names: Vec<_> = readings.iter().map(|reading| reading.variable.clone()).collect();
    assert_eq!(importer.foreign_names(&names).await?, [], "they are held as they are");
    assert_eq!(importer.held(at("2025-01-15 10:00:00")), at("2025-01-15 10:00:00"));
    assert_eq!(importer.insert(&readings).await?.inserted, 4);
    assert_eq!(importer.insert(&readings).await?.inserted, 0);
    let found = all(input.as_mut()).await?;
    assert!(
        found.contains(&row_of("2025-01-15 10:00:00", "Presión 'A'; --", 999_999_999_999.5)),
        "{found:?}"
    );
    assert!(found.contains(&row_of("2025-01-15 10:00:00", "T\"1\"", 1e-6)), "{found:?}");
    assert!(found.contains(&row_of("2025-01-15 10:00:00", "T1", -0.1)), "{found:?}");
    // 1999 is before the range that `all` reads.
    let old = input.read_range(at("1999-01-01"), Some(at("2000-01-01")), 10).await?;
    assert_eq!(old.readings.len(), 1);
    Ok(())
}
