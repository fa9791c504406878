//! Reading the input table by datetime, with an index and without, with a key and without.

use super::*;

pub async fn a_range_is_half_open<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let rows = [
            row(1, "2025-01-15 09:59:59", "T1"),
            row(2, "2025-01-15 10:00:00", "T1"),
            row(3, "2025-01-15 10:00:30", "T1"),
            row(4, "2025-01-15 10:01:00", "T1"),
            row(5, "2025-01-16 00:00:00", "T1"),
        ];
        bench.insert(&rows).await?;
        for (from, to, expected) in [
            ("2025-01-15 10:00:00", Some("2025-01-15 10:01:00"), &rows[1..3]),
            ("2025-01-15 10:00:01", Some("2025-01-15 10:01:01"), &rows[2..4]),
            ("2025-01-15 10:01:00", Some("2025-01-15 10:01:00"), &[]),
            ("2025-01-15 10:01:00", Some("2025-01-15 10:00:00"), &[]),
            ("2025-01-15 10:00:30", None, &rows[2..]),
            ("2025-01-15", Some("2025-01-16"), &rows[..4]),
            ("2025-01-16 00:00:01", None, &[]),
        ] {
            let page = input.read_range(at(from), to.map(at), 100).await?;
            assert_eq!(
                datetimes(&page),
                expected.iter().map(|row| at(row.datetime)).collect::<Vec<_>>(),
                "{kind:?} {from}"
            );
            assert!(!page.full, "{kind:?}");
        }
    }
    Ok(())
}

pub async fn a_range_is_in_time_order_whatever_came_first<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let rows = [
            row(1, "2025-01-17 00:00:00", "T1"),
            row(2, "2025-01-15 23:59:59", "T1"),
            row(3, "2025-01-15 08:00:00", "T1"),
            row(4, "2024-12-31 23:00:00", "T1"),
            row(5, "2025-01-15 08:00:00", "T2"),
        ];
        bench.insert(&rows).await?;
        let page = input.read_range(at("2024-01-01"), None, 100).await?;
        let expected = [
            "2024-12-31 23:00:00",
            "2025-01-15 08:00:00",
            "2025-01-15 08:00:00",
            "2025-01-15 23:59:59",
            "2025-01-17",
        ];
        assert_eq!(datetimes(&page), expected.map(at), "{kind:?}");
        if kind.key {
            assert_eq!(ids(&page), [4, 3, 5, 2, 1]);
        }
    }
    Ok(())
}

pub async fn a_full_page_says_so_and_the_next_goes_on<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let times: Vec<String> =
            (0..40).map(|n| format!("2025-01-{:02} {:02}:00:00", 1 + n / 10, 23 - n % 10 * 2)).collect();
        let rows: Vec<Row<'_>> = times.iter().zip(1..).map(|(time, id)| row(id, time, "T1")).collect();
        bench.insert(&rows).await?;
        let mut expected: Vec<Datetime> = times.iter().map(|time| at(time)).collect();
        expected.sort_unstable();

        let mut found = Vec::new();
        let mut from = at("2025-01-01");
        loop {
            let page = input.read_range(from, None, 7).await?;
            assert!(
                page.readings.len() <= 7 && page.full == (page.readings.len() == 7 && found.len() + 7 < 40)
            );
            found.extend(datetimes(&page));
            if !page.full {
                break;
            }
            // Each datetime has one row here, so that all rows of the last one are in the page.
            from = Datetime::from_micros(found.last().map_or(0, |last| last.micros()) + 1_000_000);
        }
        assert_eq!(found, expected, "{kind:?}");
    }
    Ok(())
}

pub async fn a_limit_within_one_datetime_keeps_the_lowest_keys<B: TestDb>() -> Result<()> {
    for datetime_index in [true, false] {
        let (bench, mut input, _) = begin::<B>(InputKind { datetime_index, ..InputKind::DEFAULT }).await?;
        let mut rows: Vec<Row<'_>> = (1..=30).rev().map(|id| row(id, "2025-01-15 10:00:00", "T1")).collect();
        rows.push(row(31, "2025-01-15 09:00:00", "T1"));
        bench.insert(&rows).await?;
        let page = input.read_range(at("2025-01-15"), None, 5).await?;
        assert_eq!((ids(&page), page.full), (vec![31, 1, 2, 3, 4], true));
        let page = input.read_range(at("2025-01-15"), None, 31).await?;
        assert_eq!((page.readings.len(), page.full), (31, false));
    }
    Ok(())
}

/// The Python worker cuts its watermark to seconds, and reads a row at 10:00:00.503 for ever. A
/// DATETIME counts in 1/300 s, and has digits that its text does not show.
pub async fn windows_that_meet_give_each_reading_once<B: TestDb>() -> Result<()> {
    const TIMES: [&str; 9] = [
        "2025-01-15 10:00:00",
        "2025-01-15 10:00:00.003",
        "2025-01-15 10:00:00.007",
        "2025-01-15 10:00:00.5",
        "2025-01-15 10:00:00.503",
        "2025-01-15 10:00:00.507",
        "2025-01-15 10:00:00.997",
        "2025-01-15 10:00:01",
        "2025-01-15 23:59:59.997",
    ];
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let rows: Vec<Row<'_>> = TIMES.iter().zip(1..).map(|(time, id)| row(id, time, "T1")).collect();
        bench.insert(&rows).await?;
        let all = datetimes(&input.read_range(at("2025-01-15"), None, 100).await?);
        assert_eq!(all.len(), TIMES.len());
        assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
        for window in all.windows(2) {
            let page = input.read_range(window[0], Some(window[1]), 100).await?;
            assert_eq!(datetimes(&page), [window[0]], "{kind:?}");
            assert_eq!(input.count_range(window[0], window[1]).await?, 1, "{kind:?}");
        }
        // A reader that continues from the last datetime reads that once more, and nothing before
        // it.
        for (at, left) in all.iter().zip((1..=all.len()).rev()) {
            assert_eq!(input.read_range(*at, None, 100).await?.readings.len(), left, "{kind:?}");
            assert_eq!(datetimes(&input.read_at(&[*at]).await?), [*at], "{kind:?}");
        }
    }
    Ok(())
}

pub async fn a_count_agrees_with_what_is_read<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let times: Vec<String> =
            (0..96).map(|n| format!("2025-01-15 {:02}:{:02}:00", n / 4, n % 4 * 15)).collect();
        let mut rows: Vec<Row<'_>> = times.iter().zip(1..).map(|(time, id)| row(id, time, "T1")).collect();
        // A NULL is a row too, and so is a duplicate.
        rows.push(Row { value: None, ..row(97, "2025-01-15 10:00:00", "T1") });
        bench.insert(&rows).await?;
        for (from, to, count) in [
            ("2025-01-15", "2025-01-16", 97),
            ("2025-01-15 10:00:00", "2025-01-15 10:15:00", 2),
            ("2025-01-15 10:00:01", "2025-01-15 11:00:01", 4),
            ("2025-01-15 11:00:00", "2025-01-15 10:00:00", 0),
            ("2025-01-16", "2026-01-01", 0),
        ] {
            assert_eq!(input.count_range(at(from), at(to)).await?, count, "{kind:?} {from}");
            assert_eq!(
                input.read_range(at(from), Some(at(to)), 1000).await?.readings.len() as u64,
                count,
                "{kind:?}"
            );
        }
    }
    Ok(())
}

pub async fn given_datetimes_bring_all_their_rows<B: TestDb>() -> Result<()> {
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        let rows = [
            row(1, "2025-01-15 10:05:00", "T1"),
            row(2, "2025-01-15 10:00:00", "T2"),
            row(3, "2025-01-15 10:00:00.500", "T1"),
            row(4, "2025-01-15 10:00:00", "T1"),
            row(5, "2025-01-16 00:00:00", "T1"),
        ];
        bench.insert(&rows).await?;
        let asked =
            ["2025-01-16 00:00:00", "2025-01-15 10:00:00", "2025-01-15 11:00:00", "2025-01-15 10:00:00"];
        let page = input.read_at(&asked.map(at)).await?;
        let expected = ["2025-01-15 10:00:00", "2025-01-15 10:00:00", "2025-01-16 00:00:00"];
        assert_eq!((datetimes(&page), page.full), (expected.map(at).to_vec(), false), "{kind:?}");
        if kind.key {
            assert_eq!(ids(&page), [2, 4, 5]);
        }
        assert_eq!(seen(&input.read_at(&[]).await?), EMPTY);
    }
    Ok(())
}

pub async fn the_end_of_all_time_is_a_range_too<B: TestDb>() -> Result<()> {
    let (earliest, latest) = (Datetime::from_micros(i64::MIN), Datetime::from_micros(i64::MAX));
    for kind in InputKind::ALL {
        let (bench, mut input, _) = begin::<B>(kind).await?;
        bench.insert(&[row(1, "1969-12-31 23:59:59.997", "T1"), row(2, "2025-01-15 10:00:00", "T1")]).await?;
        assert_eq!(input.read_range(earliest, Some(latest), 10).await?.readings.len(), 2);
        assert_eq!(input.read_range(latest, None, 10).await?.readings.len(), 0);
        assert_eq!(input.count_range(earliest, latest).await?, 2);
        if kind.key {
            assert_eq!(input.first_key_from(earliest).await?, Some(1));
        }
    }
    Ok(())
}

fn datetimes(page: &Page) -> Vec<Datetime> {
    assert_eq!(page.malformed, []);
    page.readings.iter().map(|reading| reading.datetime).collect()
}
