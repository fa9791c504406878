//! The layout of the input table, and reading it by key.

use super::*;

pub async fn the_layout_says_what_the_table_has<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (_bench, mut input, _) = begin::<B>(kind).await?;
        let layout = input.layout().await?;
        let found = (layout.has_key, layout.has_id, layout.has_source_file, layout.has_datetime_index);
        assert_eq!(found, (kind.key, kind.key, kind.source_file, kind.datetime_index));
    }
    Ok(())
}

pub async fn a_missing_input_table_is_named<B: TestDb>() -> Result<()> {
    let (_bench, mut input, _) = begin::<B>(Setup { input: None, ..Setup::default() }).await?;
    expect_error(input.layout().await, ErrorKind::Schema, &["datos_proceso", "configuration"]);
    expect_error(input.last_key().await, ErrorKind::Schema, &["datos_proceso"]);
    Ok(())
}

pub async fn keys_come_in_order_up_to_the_limit<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup::default()).await?;
    // The order of times differs from the order of keys.
    let rows = [
        row(4, "2025-01-15 09:00:00", "T1"),
        row(1, "2025-01-15 10:00:00", "T1"),
        row(3, "2025-01-15 10:00:00", "T2"),
        row(9, "2025-01-15 08:00:00", "T1"),
    ];
    bench.insert(&rows).await?;
    let page = input.read_keys(&[(1, i64::MAX)], 3).await?;
    let expected = [
        (Some(1), at("2025-01-15 10:00:00"), "T1", Some(1.5)),
        (Some(3), at("2025-01-15 10:00:00"), "T2", Some(1.5)),
        (Some(4), at("2025-01-15 09:00:00"), "T1", Some(1.5)),
    ];
    assert_eq!(seen(&page), Seen { readings: expected.to_vec(), full: true });

    let page = input.read_keys(&[(3, 9)], 3).await?;
    assert_eq!((ids(&page), page.full), (vec![3, 4, 9], false), "a limit that is just reached ends nothing");
    let page = input.read_keys(&[(5, 8)], 3).await?;
    assert_eq!(seen(&page), EMPTY);
    Ok(())
}

pub async fn several_spans_share_one_limit<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup::default()).await?;
    let rows: Vec<Row<'_>> = (1..=20).map(|id| row(id, "2025-01-15 10:00:00", "T1")).collect();
    bench.insert(&rows).await?;
    for (limit, expected, full) in [
        (100, vec![2, 3, 7, 15, 16], false),
        (5, vec![2, 3, 7, 15, 16], false),
        (4, vec![2, 3, 7, 15], true),
        (3, vec![2, 3, 7], true),
        (2, vec![2, 3], true),
        (1, vec![2], true),
    ] {
        let page = input.read_keys(&[(2, 3), (7, 7), (15, 16), (40, 50)], limit).await?;
        assert_eq!((ids(&page), page.full), (expected, full), "limit {limit}");
    }
    assert_eq!(seen(&input.read_keys(&[], 10).await?), EMPTY);
    Ok(())
}

pub async fn a_gap_is_read_once_it_is_filled<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup::default()).await?;
    bench.insert(&[row(1, "2025-01-15 10:00:00", "T1"), row(4, "2025-01-15 10:05:00", "T1")]).await?;
    assert_eq!(ids(&input.read_keys(&[(1, 100)], 10).await?), [1, 4]);
    assert_eq!(ids(&input.read_keys(&[(2, 3)], 10).await?), Vec::<i64>::new());
    // The insert that was open commits.
    bench.insert(&[row(2, "2025-01-15 10:00:00", "T2")]).await?;
    assert_eq!(ids(&input.read_keys(&[(2, 3), (5, 100)], 10).await?), [2]);
    Ok(())
}

pub async fn nulls_and_duplicates_come_as_they_are<B: TestDb>() -> Result<()> {
    let (bench, mut input, _) = begin::<B>(Setup::default()).await?;
    let one = Row { source_file: Some("a.csv"), ..row(1, "2025-01-15 10:00:00", "T1") };
    let rows = [
        one,
        Row { value: None, ..row(2, "2025-01-15 10:00:00", "T1") },
        Row { value: Some(-3.0), id: Some(3), ..one },
    ];
    bench.insert(&rows).await?;
    let page = input.read_keys(&[(1, 3)], 10).await?;
    let datetime = at("2025-01-15 10:00:00");
    let expected = [
        (Some(1), datetime, "T1", Some(1.5)),
        (Some(2), datetime, "T1", None),
        (Some(3), datetime, "T1", Some(-3.0)),
    ];
    assert_eq!(seen(&page), Seen { readings: expected.to_vec(), full: false });
    let files: Vec<Option<&str>> =
        page.readings.iter().map(|reading| reading.source_file.as_deref()).collect();
    assert_eq!(files, [Some("a.csv"), None, Some("a.csv")]);
    Ok(())
}

pub async fn any_text_is_a_variable<B: TestDb>() -> Result<()> {
    const NAMES: [&str; 6] = ["Presión «caldera» 1", "温度", "a'b\"c]d;--", "A/B", "A_B", " espacio "];
    let (bench, mut input, mut output) = begin::<B>(Setup::default()).await?;
    let mut rows: Vec<Row<'_>> =
        NAMES.iter().zip(1..).map(|(name, id)| row(id, "2025-01-15 10:00:00", name)).collect();
    bench.insert(&rows).await?;
    rows.clear();
    let page = input.read_keys(&[(1, 10)], 10).await?;
    let names: Vec<&str> = page.readings.iter().map(|reading| &*reading.variable).collect();
    assert_eq!(names, NAMES);

    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts: Vec<VerdictRow> = NAMES.iter().map(|name| verdict("2025-01-15 10:00:00", name)).collect();
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?, 6);
    let keys: Vec<_> = page.readings.iter().map(host::reading::Reading::key).collect();
    assert_eq!(output.already_judged(&keys).await?, keys.iter().cloned().collect());
    Ok(())
}

pub async fn an_empty_table_has_no_keys<B: TestDb>() -> Result<()> {
    let (_bench, mut input, mut output) = begin::<B>(Setup::default()).await?;
    assert_eq!(input.last_key().await?, None);
    assert_eq!(input.first_key_from(at("2025-01-15")).await?, None);
    assert_eq!(seen(&input.read_keys(&[(1, i64::MAX)], 10).await?), EMPTY);
    assert_eq!(seen(&input.read_range(at("2025-01-15"), None, 10).await?), EMPTY);
    assert_eq!(output.newest(at("2025-01-16")).await?, None);
    Ok(())
}

pub async fn the_first_key_of_a_time_is_by_key_not_by_time<B: TestDb>() -> Result<()> {
    for datetime_index in [true, false] {
        let (bench, mut input, _) = begin::<B>(InputKind { datetime_index, ..InputKind::DEFAULT }).await?;
        let rows = [
            row(1, "2025-01-15 08:00:00", "T1"),
            row(2, "2025-01-15 10:00:00", "T1"),
            // A plant that sent its backlog after its current readings.
            row(3, "2025-01-15 09:00:00", "T1"),
            row(7, "2025-01-15 09:30:00", "T1"),
        ];
        bench.insert(&rows).await?;
        for (from, first) in [
            ("2025-01-15 07:00:00", Some(1)),
            ("2025-01-15 08:00:00", Some(1)),
            ("2025-01-15 08:00:01", Some(2)),
            ("2025-01-15 09:00:00", Some(2)),
            ("2025-01-15 10:00:00", Some(2)),
            ("2025-01-15 10:00:01", None),
        ] {
            assert_eq!(input.first_key_from(at(from)).await?, first, "from {from}");
        }
        assert_eq!(input.last_key().await?, Some(7));
    }
    Ok(())
}

pub async fn without_a_key_it_is_read_by_datetime_only<B: TestDb>() -> Result<()> {
    let kind = InputKind { key: false, source_file: false, datetime_index: true };
    let (bench, mut input, _) = begin::<B>(kind).await?;
    bench.insert(&[row(1, "2025-01-15 10:00:00", "T1")]).await?;
    expect_error(input.read_keys(&[(1, 10)], 10).await, ErrorKind::Schema, &["datos_proceso", "id"]);
    expect_error(input.last_key().await, ErrorKind::Schema, &["id"]);
    expect_error(input.first_key_from(at("2025-01-15")).await, ErrorKind::Schema, &["id"]);
    let page = input.read_range(at("2025-01-15"), None, 10).await?;
    let readings = vec![(None, at("2025-01-15 10:00:00"), "T1", Some(1.5))];
    assert_eq!(seen(&page), Seen { readings, full: false });
    Ok(())
}
