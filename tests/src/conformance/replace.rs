//! Verdicts that replace others, and verdicts that are read back.

use host::store::StoredVerdict;

use super::*;

/// A verdict as it is read back. The store sets the time of writing.
fn stored(verdict: &VerdictRow, processed_at: Option<Datetime>) -> StoredVerdict {
    StoredVerdict {
        ds: verdict.ds,
        variable: Arc::clone(&verdict.variable),
        y: Some(verdict.y),
        yhat: Some(verdict.yhat),
        yhat_lower: Some(verdict.yhat_lower),
        yhat_upper: Some(verdict.yhat_upper),
        residual: Some(verdict.residual),
        outside_interval: Some(verdict.flags.outside_interval),
        high_residual: Some(verdict.flags.high_residual),
        is_anomaly: Some(verdict.flags.anomaly),
        anomaly_score: Some(verdict.anomaly_score),
        prediction_error_pct: Some(verdict.prediction_error_pct),
        source_file: verdict.source_file.clone(),
        processed_at,
    }
}

fn names(verdicts: &[StoredVerdict]) -> Vec<(String, String)> {
    verdicts.iter().map(|row| (row.ds.to_string(), row.variable.to_string())).collect()
}

pub async fn replacing_exchanges_the_verdicts_of_these_keys<B: TestDb>() -> Result<()> {
    let (bench, mut input, mut output) = begin::<B>(Setup::default()).await?;
    // Written long ago, by their time of writing.
    bench.insert_verdicts(&[("2025-01-15 10:00:00", "T1"), ("2025-01-15 10:00:00.500", "T1")]).await?;
    bench.insert_verdicts(&[("2025-01-15 10:00:00", "T2")]).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let new = [
        verdict("2025-01-15 10:00:00", "T1"),
        VerdictRow { yhat: 99.0, ..verdict("2025-01-15 10:00:00", "T1") },
        verdict("2025-01-15 10:05:00", "T1"),
    ];
    let later = State { watermark: Some(at("2025-01-15 10:05:00")), ..state(epoch) };
    let before = input.now().await?;
    assert_eq!(output.replace(WORKER, &Commit::of(&new, &later)).await?.removed, 1, "one key had a verdict");
    assert_eq!(output.peek(WORKER).await?, Some(later));
    let found = bench.verdicts().await?;
    let kept: Vec<&VerdictRow> = found.iter().map(|row| &row.verdict).collect();
    assert_eq!(
        written(&bench).await?,
        pairs(&[
            ("2025-01-15 10:00:00", "T1"),
            ("2025-01-15 10:00:00", "T2"),
            ("2025-01-15 10:00:00.500000", "T1"),
            ("2025-01-15 10:05:00", "T1"),
        ])
    );
    assert_eq!((kept[0], kept[3]), (&new[0], &new[2]), "of a key given twice the first");
    let second = Datetime::from_micros(before.micros() - 1_000_000);
    assert!(found[0].processed_at >= second, "the time of writing is renewed");
    assert!(found[1].processed_at < second && found[2].processed_at < second, "and of no other");
    Ok(())
}

pub async fn replacing_makes_one_of_several<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    bench.create_output(OutputKind::Python).await?;
    bench.insert_verdicts(&[("2025-01-15 10:00:00", "T1"), ("2025-01-15 10:00:00", "T1")]).await?;
    let (_, mut output) = bench.connector().open().await?;
    output.ensure_tables().await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let new = verdict("2025-01-15 10:00:00", "T1");
    assert_eq!(
        output.replace(WORKER, &Commit::of(std::slice::from_ref(&new), &state(epoch))).await?.removed,
        2
    );
    let found: Vec<VerdictRow> = bench.verdicts().await?.into_iter().map(|row| row.verdict).collect();
    assert_eq!(found, [new]);
    Ok(())
}

pub async fn a_replacement_that_fails_leaves_the_old_verdicts<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let old = ["T1", "T2"].map(|name| verdict("2025-01-15 10:00:00", name));
    output.commit(WORKER, &Commit::of(&old, &state(epoch))).await?;
    let before = bench.verdicts().await?;
    let new = old.clone().map(|row| VerdictRow { yhat: 99.0, ..row });
    expect_error(
        output.replace(WORKER, &Commit::of(&new, &state(epoch + 1))).await,
        ErrorKind::Fenced,
        &[WORKER],
    );
    assert_eq!(bench.verdicts().await?, before);
    bench.refuse_verdicts_on("T2").await?;
    output
        .replace(WORKER, &Commit::of(&new, &state(epoch)))
        .await
        .expect_err("the table refuses one of them");
    assert_eq!(bench.verdicts().await?, before);
    Ok(())
}

pub async fn verdicts_are_read_back_as_they_stand<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts = [
        verdict("2025-01-15 10:00:00", "T1"),
        VerdictRow { source_file: None, y: -1e-6, ..verdict("2025-01-15 10:00:00.500", "Presión 1") },
    ];
    output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?;
    let page = output.read_verdicts(at("2025-01-15"), at("2025-01-16"), false, 10).await?;
    let times: Vec<_> = page.verdicts.iter().map(|row| row.processed_at).collect();
    let expected = [stored(&verdicts[0], times[0]), stored(&verdicts[1], times[1])];
    assert_eq!((page.verdicts.as_slice(), page.full), (&expected[..], false));
    for (row, read) in bench.verdicts().await?.iter().zip(times) {
        // From outside it is seen as a text, which may be cut to milliseconds: it is the same 1/300
        // s, then.
        let between = read.map(|read| (read.micros() - row.processed_at.micros()).abs());
        assert!(between.is_some_and(|between| between < 3334), "{read:?} is not {}", row.processed_at);
    }
    Ok(())
}

pub async fn verdicts_come_in_pages_by_time<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let keys: Vec<(String, &str)> = ["10:00:00", "10:00:00.500", "10:05:00", "09:00:00", "23:59:59"]
        .iter()
        .flat_map(|time| ["T2", "T1"].map(|name| (format!("2025-01-15 {time}"), name)))
        .collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(ds, name)| (ds.as_str(), *name)).collect();
    bench.insert_verdicts(&keys).await?;
    bench.insert_verdicts(&[("2025-01-16 00:00:00", "T1")]).await?;
    let day = (at("2025-01-15"), at("2025-01-16"));
    let whole = output.read_verdicts(day.0, day.1, false, 10).await?;
    assert!(!whole.full, "a limit that is just reached ends nothing");
    let mut expected: Vec<_> =
        keys.iter().map(|(ds, name)| (at(ds).to_string(), (*name).to_owned())).collect();
    expected.sort();
    assert_eq!(names(&whole.verdicts), expected);
    for limit in 3..10 {
        // As a reader continues: the page may not have all rows of the last datetime.
        let (mut found, mut from) = (Vec::new(), day.0);
        loop {
            let mut page = output.read_verdicts(from, day.1, false, limit).await?;
            assert!(page.verdicts.len() <= limit);
            if page.full {
                from = page.verdicts[page.verdicts.len() - 1].ds;
                page.verdicts.retain(|row| row.ds < from);
            }
            found.extend(names(&page.verdicts));
            if !page.full {
                break;
            }
        }
        assert_eq!(found, expected, "{limit} a page");
    }
    let one =
        output.read_verdicts(at("2025-01-15 10:00:00.500"), at("2025-01-15 10:05:00"), false, 10).await?;
    assert_eq!(one.verdicts.len(), 2, "half-open");
    Ok(())
}

pub async fn of_verdicts_the_anomalies_alone_may_be_asked_for<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts: Vec<VerdictRow> = (0..40)
        .map(|n| VerdictRow {
            flags: Flags { anomaly: n % 10 == 9, ..Flags::default() },
            ..verdict(&format!("2025-01-15 10:{n:02}:00"), "T1")
        })
        .collect();
    output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?;
    let page = output.read_verdicts(at("2025-01-15"), at("2025-01-16"), true, 3).await?;
    let minutes = ["09", "19", "29"].map(|minute| (format!("2025-01-15 10:{minute}:00"), "T1".to_owned()));
    assert_eq!((names(&page.verdicts).as_slice(), page.full), (&minutes[..], true));
    let page = output.read_verdicts(at("2025-01-15 10:29:01"), at("2025-01-16"), true, 3).await?;
    assert_eq!((page.verdicts.len(), page.full), (1, false));
    Ok(())
}
