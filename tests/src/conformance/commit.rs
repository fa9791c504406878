//! Verdicts and state in one transaction: all or nothing, and no verdict twice.

use std::collections::HashSet;

use super::*;

pub async fn a_commit_writes_verdicts_whole<B: TestDb>() -> Result<()> {
    let (bench, mut input, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts = [
        verdict("2025-01-15 10:00:00", "T1"),
        VerdictRow {
            source_file: None,
            flags: Flags::default(),
            y: -1e-6,
            ..verdict("2025-01-15 10:00:00", "T2")
        },
        VerdictRow {
            flags: Flags { high_residual: true, anomaly: true, ..Flags::default() },
            anomaly_score: 100.0,
            prediction_error_pct: 999.99,
            ..verdict("2025-01-15 10:05:00.500", "T1")
        },
    ];
    let before = input.now().await?;
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?, 3);
    let after = input.now().await?;
    let found = bench.verdicts().await?;
    assert_eq!(found.iter().map(|row| row.verdict.clone()).collect::<Vec<_>>(), verdicts);
    for row in &found {
        // A database may keep whole seconds only.
        let second = Datetime::from_micros(before.micros() - 1_000_000);
        assert!(second <= row.processed_at && row.processed_at <= after, "{} is not now", row.processed_at);
    }
    Ok(())
}

pub async fn the_same_commit_again_writes_nothing_twice<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let first = [verdict("2025-01-15 10:00:00", "T1"), verdict("2025-01-15 10:00:00.503", "T1")];
    assert_eq!(output.commit(WORKER, &Commit::of(&first, &state(epoch))).await?, 2);
    let before = bench.verdicts().await?;
    assert_eq!(output.commit(WORKER, &Commit::of(&first, &state(epoch))).await?, 0);
    // Not even with other numbers, nor by another worker.
    let again = first.clone().map(|row| VerdictRow { yhat: 99.0, ..row });
    let other = output.claim("line 2").await?.epoch;
    assert_eq!(output.commit("line 2", &Commit::of(&again, &state(other))).await?, 0);
    assert_eq!(bench.verdicts().await?, before);

    let more = [first[1].clone(), verdict("2025-01-15 10:05:00", "T1")];
    assert_eq!(output.commit(WORKER, &Commit::of(&more, &state(epoch))).await?, 1);
    assert_eq!(bench.verdicts().await?.len(), 3);
    Ok(())
}

pub async fn of_a_key_given_twice_the_first_is_written<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let one = verdict("2025-01-15 10:00:00", "T1");
    let two = VerdictRow { y: 5.0, ..one.clone() };
    assert_eq!(output.commit(WORKER, &Commit::of(&[one.clone(), two], &state(epoch))).await?, 1);
    let found: Vec<VerdictRow> = bench.verdicts().await?.into_iter().map(|row| row.verdict).collect();
    assert_eq!(found, [one]);
    Ok(())
}

pub async fn a_commit_from_an_older_epoch_leaves_nothing<B: TestDb>() -> Result<()> {
    let (bench, _, mut old) = begin::<B>(Setup::default()).await?;
    let old_epoch = old.claim(WORKER).await?.epoch;
    let kept = verdict("2025-01-15 10:00:00", "T1");
    old.commit(WORKER, &Commit::of(std::slice::from_ref(&kept), &state(old_epoch))).await?;
    let (_, mut new) = bench.connector().open().await?;
    let new_epoch = new.claim(WORKER).await?.epoch;
    assert!(new_epoch > old_epoch);

    // A worker that was active and then paused continues.
    let late = State { watermark: Some(at("2025-01-15 11:00:00")), ..state(old_epoch) };
    let done = old.commit(WORKER, &Commit::of(&[verdict("2025-01-15 11:00:00", "T1")], &late)).await;
    expect_error(done, ErrorKind::Fenced, &[WORKER]);
    assert_eq!(written(&bench).await?, pairs(&[("2025-01-15 10:00:00", "T1")]));
    assert_eq!(new.peek(WORKER).await?, Some(state(new_epoch)));
    // An epoch that was never given out is refused too.
    let done = old.commit(WORKER, &Commit::of(&[], &state(new_epoch + 1))).await;
    expect_error(done, ErrorKind::Fenced, &[WORKER]);
    assert_eq!(
        new.commit(WORKER, &Commit::of(&[verdict("2025-01-15 11:00:00", "T1")], &state(new_epoch))).await?,
        1
    );
    Ok(())
}

pub async fn a_commit_that_fails_in_the_middle_leaves_nothing<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[], &state(epoch))).await?;
    bench.refuse_verdicts_on("T2").await?;
    let verdicts = ["T1", "T2", "T3"].map(|name| verdict("2025-01-15 10:00:00", name));
    let later = State { watermark: Some(at("2025-01-15 11:00:00")), ..state(epoch) };
    let error = output
        .commit(WORKER, &Commit::of(&verdicts, &later))
        .await
        .expect_err("the table refuses one of them");
    assert_ne!(error.kind, ErrorKind::Fenced, "{error}");
    assert_eq!(written(&bench).await?, pairs(&[]));
    assert_eq!(output.peek(WORKER).await?, Some(state(epoch)));
    // The connection works as before.
    let rest = [verdicts[0].clone(), verdicts[2].clone()];
    assert_eq!(output.commit(WORKER, &Commit::of(&rest, &later)).await?, 2);
    assert_eq!(output.peek(WORKER).await?, Some(later));
    Ok(())
}

pub async fn a_commit_of_many_verdicts_is_one_commit<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let verdicts = many(4000);
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await?, 4000);
    let found: HashSet<_> =
        bench.verdicts().await?.into_iter().map(|row| (row.verdict.variable, row.verdict.ds)).collect();
    assert_eq!(found, keys(&verdicts).into_iter().collect());
    Ok(())
}

pub async fn already_judged_names_what_is_there_and_nothing_else<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    assert_eq!(output.already_judged(&[key("T1", "2025-01-15 10:00:00")]).await?, HashSet::new());
    assert_eq!(output.already_judged(&[]).await?, HashSet::new());
    let asked = many(5000);
    let there: Vec<VerdictRow> = asked.iter().step_by(3).cloned().collect();
    output.commit(WORKER, &Commit::of(&there, &state(epoch))).await?;
    assert_eq!(output.already_judged(&keys(&asked)).await?, keys(&there).into_iter().collect());
    Ok(())
}

/// A store may find in any way that a whole range has no verdict. A single verdict in it counts,
/// also at its ends.
pub async fn of_many_keys_a_single_verdict_is_found<B: TestDb>() -> Result<()> {
    let asked = many(1200);
    for there in [0, 24, 600, 1175, 1199] {
        let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
        let epoch = output.claim(WORKER).await?.epoch;
        let around = [asked[0].ds.micros() - 300_000_000, asked[1199].ds.micros() + 300_000_000];
        let around =
            around.map(|micros| VerdictRow { ds: Datetime::from_micros(micros), ..asked[0].clone() });
        output.commit(WORKER, &Commit::of(&around, &state(epoch))).await?;
        assert_eq!(output.already_judged(&keys(&asked)).await?, HashSet::new());
        output.commit(WORKER, &Commit::of(&asked[there..=there], &state(epoch))).await?;
        let expected = keys(&asked[there..=there]).into_iter().collect();
        assert_eq!(output.already_judged(&keys(&asked)).await?, expected, "{there}");
    }
    Ok(())
}

pub async fn already_judged_tells_close_instants_apart<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00.5", "T1")], &state(epoch))).await?;
    let asked = [
        key("T1", "2025-01-15 10:00:00.5"),
        key("T1", "2025-01-15 10:00:00"),
        key("T1", "2025-01-15 10:00:00.51"),
        key("T1", "2025-01-15 10:00:01.5"),
        key("T2", "2025-01-15 10:00:00.5"),
        key("T11", "2025-01-15 10:00:00.5"),
    ];
    assert_eq!(output.already_judged(&asked).await?, HashSet::from([asked[0].clone()]));
    Ok(())
}

pub async fn the_newest_verdict_is_the_latest_in_time<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    for (ds, newest) in [
        ("2025-01-15 10:00:00", "2025-01-15 10:00:00"),
        ("2025-01-15 10:00:00.5", "2025-01-15 10:00:00.5"),
        ("2025-01-14 23:00:00", "2025-01-15 10:00:00.5"),
        ("2025-01-15 10:00:01", "2025-01-15 10:00:01"),
        // Nothing may begin from a verdict that is dated ahead.
        ("2099-01-01 00:00:00", "2025-01-15 10:00:01"),
        ("2025-01-16 00:00:00", "2025-01-16 00:00:00"),
    ] {
        output.commit(WORKER, &Commit::of(&[verdict(ds, "T1")], &state(epoch))).await?;
        assert_eq!(output.newest(at("2025-01-16")).await?, Some(at(newest)));
    }
    Ok(())
}

/// Verdicts on 25 variables, every five minutes.
fn many(count: usize) -> Vec<VerdictRow> {
    let first = verdict("2025-01-15 00:00:00", "");
    let micros = first.ds.micros();
    (0..count)
        .map(|n| VerdictRow {
            ds: Datetime::from_micros(micros + i64::try_from(n / 25).unwrap_or(0) * 300_000_000),
            variable: format!("T{}", n % 25).into(),
            ..first.clone()
        })
        .collect()
}

fn keys(verdicts: &[VerdictRow]) -> Vec<(Arc<str>, Datetime)> {
    verdicts.iter().map(|row| (Arc::clone(&row.variable), row.ds)).collect()
}
