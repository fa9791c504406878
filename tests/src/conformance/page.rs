//! What the page reads: verdicts of a variable, anomalies of a range of time, and the variables.

use host::store::{AnomalyQuery, AnomalyTally, Extent, FirstOf, ReadFrom, StoredVerdict, Stretch};

use super::*;

const DAY: (&str, &str) = ("2025-01-15 00:00:00", "2025-01-16 00:00:00");

/// Names that a page must distinguish, in the order of their bytes.
const NAMES: [&str; 4] = ["<script>alert(1)</script>", "A'; DROP TABLE x --", "T1", "ñandú 2"];

fn stretch(variable: &str, (from, to): (&str, &str)) -> Stretch {
    Stretch { variable: variable.into(), from: at(from), to: at(to) }
}

/// Verdicts at minutes after ten, of which those with a score are anomalies.
async fn filled<B: TestDb>(rows: &[(&str, u32, Option<f64>)]) -> Result<B> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts: Vec<VerdictRow> = rows
        .iter()
        .map(|(variable, minute, score)| VerdictRow {
            y: f64::from(*minute),
            flags: Flags { anomaly: score.is_some(), ..Flags::default() },
            anomaly_score: score.unwrap_or_default(),
            ..verdict(&format!("2025-01-15 10:{minute:02}:00"), variable)
        })
        .collect();
    output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?;
    Ok(bench)
}

/// The variable and the minute of each.
fn minutes(verdicts: &[StoredVerdict]) -> Vec<(String, String)> {
    let minute = |verdict: &StoredVerdict| verdict.ds.to_string()[14..16].to_owned();
    verdicts.iter().map(|verdict| (verdict.variable.to_string(), minute(verdict))).collect()
}

fn named(variable: &str, minutes: &[u32]) -> Vec<(String, String)> {
    minutes.iter().map(|minute| (variable.to_owned(), format!("{minute:02}"))).collect()
}

pub async fn a_page_finds_every_variable_once<B: TestDb>() -> Result<()> {
    let rows: Vec<_> = NAMES.iter().flat_map(|name| [(*name, 1, None), (*name, 2, None)]).collect();
    let bench = filled::<B>(&rows).await?;
    let mut page = bench.open_page().await?;
    let mut names = page.variables(100).await?;
    names.sort_unstable();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), NAMES);
    assert_eq!(page.variables(2).await?.len(), 2);
    let stretches: Vec<Stretch> = NAMES.iter().map(|name| stretch(name, DAY)).collect();
    for (found, name) in page.stretches(&stretches, 9, ReadFrom::Start).await?.iter().zip(NAMES) {
        assert_eq!(minutes(found), named(name, &[1, 2]));
    }
    Ok(())
}

pub async fn a_stretch_is_read_from_either_end_up_to_its_limit<B: TestDb>() -> Result<()> {
    let rows: Vec<_> = (0..40).flat_map(|minute| [("T1", minute, None), ("T2", minute, None)]).collect();
    let bench = filled::<B>(&rows).await?;
    let mut page = bench.open_page().await?;
    let part = ("2025-01-15 10:10:00", "2025-01-15 10:14:00");
    let asked = [stretch("T1", part), stretch("T9", part), stretch("T2", DAY)];
    for (limit, end, first, second) in [
        (9, ReadFrom::Start, vec![10, 11, 12, 13], (0..9).collect::<Vec<_>>()),
        (3, ReadFrom::Start, vec![10, 11, 12], vec![0, 1, 2]),
        (3, ReadFrom::End, vec![11, 12, 13], vec![37, 38, 39]),
    ] {
        let found = page.stretches(&asked, limit, end).await?;
        let found: Vec<_> = found.iter().map(|verdicts| minutes(verdicts)).collect();
        assert_eq!(found, [named("T1", &first), vec![], named("T2", &second)], "{limit} {end:?}");
    }
    assert_eq!(page.count(&asked, 30).await?, [4, 0, 30]);
    // A range of time for each pixel: these are more than one statement can have.
    let many: Vec<Stretch> = (0..300)
        .map(|nth: i64| {
            let from = at(DAY.0).micros() + nth * 288_000_000;
            let (from, to) = (Datetime::from_micros(from), Datetime::from_micros(from + 288_000_000));
            Stretch { variable: "T1".into(), from, to }
        })
        .collect();
    let found = page.extents(&many, 100).await?;
    assert_eq!(found.iter().map(|extent| extent.verdicts).sum::<u64>(), 40);
    let found = page.stretches(&many, 100, ReadFrom::Start).await?;
    let all: Vec<_> = found.iter().flat_map(|verdicts| minutes(verdicts)).collect();
    assert_eq!(all, named("T1", &(0..40).collect::<Vec<_>>()));
    assert_eq!(page.count(&many, 100).await?.iter().sum::<u64>(), 40);
    Ok(())
}

pub async fn the_extremes_of_a_stretch_are_found_without_its_rows<B: TestDb>() -> Result<()> {
    let bench = filled::<B>(&[]).await?;
    let (_, mut output) = bench.connector().open().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let readings = [3.5, -1.25, 7.0, 7.0, -1.25, 2.0, 9.0];
    let row = |(minute, y): (usize, &f64)| VerdictRow {
        y: *y,
        ..verdict(&format!("2025-01-15 10:{minute:02}:00"), "T1")
    };
    let verdicts: Vec<_> = readings.iter().enumerate().map(row).collect();
    output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?;
    let mut page = bench.open_page().await?;
    let asked = [
        stretch("T1", ("2025-01-15 10:00:00", "2025-01-15 10:06:00")),
        stretch("T1", ("2025-01-15 10:05:00", "2025-01-15 10:06:00")),
        stretch("T1", ("2025-01-15 10:07:00", "2025-01-15 11:00:00")),
        stretch("T2", DAY),
    ];
    let extent = |verdicts, least: &str, greatest: &str| Extent {
        verdicts,
        least: Some(at(&format!("2025-01-15 10:{least}:00"))),
        greatest: Some(at(&format!("2025-01-15 10:{greatest}:00"))),
    };
    let none = Extent::default();
    // The first of equal ones, and none beyond the limit.
    let all = [extent(6, "01", "02"), extent(1, "05", "05"), none, none];
    assert_eq!(page.extents(&asked, 100).await?, all);
    let some = [extent(2, "01", "00"), extent(1, "05", "05"), none, none];
    assert_eq!(page.extents(&asked, 2).await?, some);
    assert_eq!(page.extents(&[], 2).await?, []);
    Ok(())
}

pub async fn a_verdict_comes_to_the_page_as_it_was_written<B: TestDb>() -> Result<()> {
    let bench = filled::<B>(&[("T1", 1, Some(33.33))]).await?;
    let mut page = bench.open_page().await?;
    let expected = StoredVerdict {
        ds: at("2025-01-15 10:01:00"),
        variable: "T1".into(),
        y: Some(1.0),
        yhat: Some(20.5),
        yhat_lower: Some(19.125),
        yhat_upper: Some(21.000_001),
        residual: Some(0.75),
        outside_interval: Some(false),
        high_residual: Some(false),
        is_anomaly: Some(true),
        anomaly_score: Some(33.33),
        prediction_error_pct: Some(3.66),
        source_file: Some("linea_1.csv".into()),
        processed_at: None,
    };
    let mut found = page.stretches(&[stretch("T1", DAY)], 1, ReadFrom::End).await?.concat();
    found.extend(page.anomalies(&query(None, 0.0, FirstOf::Newest, 9)).await?);
    for mut verdict in found {
        assert!(verdict.processed_at.take().is_some());
        assert_eq!(verdict, expected);
    }
    Ok(())
}

fn query(variable: Option<&str>, least_score: f64, first: FirstOf, limit: usize) -> AnomalyQuery {
    let variable = variable.map(Into::into);
    AnomalyQuery { variable, from: at(DAY.0), to: at(DAY.1), least_score, first, limit }
}

pub async fn anomalies_are_found_by_time_score_and_variable<B: TestDb>() -> Result<()> {
    let rows = [
        ("T1", 1, Some(50.0)),
        ("T1", 2, None),
        ("T1", 3, Some(20.0)),
        ("T2", 2, Some(80.0)),
        ("T2", 4, Some(20.0)),
        ("T2", 5, None),
    ];
    let bench = filled::<B>(&rows).await?;
    let mut page = bench.open_page().await?;
    for (asked, expected) in [
        (query(None, 0.0, FirstOf::Newest, 9), vec![("T2", 4), ("T1", 3), ("T2", 2), ("T1", 1)]),
        (query(None, 0.0, FirstOf::Newest, 2), vec![("T2", 4), ("T1", 3)]),
        (query(None, 20.5, FirstOf::Worst, 9), vec![("T2", 2), ("T1", 1)]),
        (query(None, 0.0, FirstOf::Worst, 3), vec![("T2", 2), ("T1", 1), ("T2", 4)]),
        (query(Some("T1"), 0.0, FirstOf::Worst, 9), vec![("T1", 1), ("T1", 3)]),
        (query(Some("T9"), 0.0, FirstOf::Worst, 9), vec![]),
        (
            AnomalyQuery { from: at("2025-01-15 10:02:00"), ..query(Some("T1"), 0.0, FirstOf::Newest, 9) },
            vec![("T1", 3)],
        ),
        (
            AnomalyQuery { to: at("2025-01-15 10:02:00"), ..query(None, 0.0, FirstOf::Newest, 9) },
            vec![("T1", 1)],
        ),
    ] {
        let found = page.anomalies(&asked).await?;
        let expected: Vec<_> =
            expected.into_iter().flat_map(|(name, minute)| named(name, &[minute])).collect();
        assert_eq!(minutes(&found), expected, "{asked:?}");
    }
    let tally = |variable: &str, anomalies, worst, last: &str| AnomalyTally {
        variable: variable.into(),
        anomalies,
        worst_score: Some(worst),
        last: at(last),
    };
    assert_eq!(
        page.tally(at(DAY.0), at(DAY.1)).await?,
        [tally("T1", 2, 50.0, "2025-01-15 10:03:00"), tally("T2", 2, 80.0, "2025-01-15 10:04:00")]
    );
    assert_eq!(page.tally(at("2025-01-15 10:05:00"), at(DAY.1)).await?, []);
    Ok(())
}

pub async fn a_page_reads_beside_a_worker_and_sees_its_state<B: TestDb>() -> Result<()> {
    let bench = filled::<B>(&[("T1", 1, None)]).await?;
    let mut page = bench.open_page().await?;
    let state_then = page.outline(WORKER).await?.map(|outline| outline.state.watermark);
    assert_eq!(state_then, Some(state(1).watermark));
    let (_, mut output) = bench.connector().open().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let moved = State { watermark: Some(at("2025-01-15 10:02:00")), ..state(epoch) };
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:02:00", "T1")], &moved)).await?;
    let state_now = page.outline(WORKER).await?.map(|outline| outline.state.watermark);
    assert_eq!(state_now, Some(moved.watermark));
    let found = page.stretches(&[stretch("T1", DAY)], 9, ReadFrom::Start).await?;
    assert_eq!(minutes(&found[0]), named("T1", &[1, 2]));
    assert!(page.clock().await? > at("2025-01-15 10:00:00"));
    page.leave().await?;
    Ok(())
}
