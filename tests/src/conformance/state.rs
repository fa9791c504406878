//! The worker's row: it is stored whole, and has one holder at a time.

use host::checkpoint::{Checkpoint, Parts, Size};
use host::position::{Ahead, Gap, Passed, ReadMark, TimePosition};
use host::reconciliation::{Causes, Failed, Look, Reconciliation};
use host::state::SetAside;
use host::store::{Outline, SchemaChanges};

use super::*;

const ALL: [u8; 256] = {
    let mut all = [0; 256];
    let mut at = 0_u8;
    while at < 255 {
        at += 1;
        all[at as usize] = at;
    }
    all
};

/// A checkpoint of these parts.
fn parts(parts: &[(&str, &[u8])]) -> Option<Checkpoint> {
    Some(Checkpoint {
        schema: u32::MAX,
        detector: Some("ré 'x'".into()),
        set_digest: "d0".to_owned(),
        parts: parts.iter().map(|(name, bytes)| ((*name).into(), (*bytes).into())).collect(),
    })
}

/// A state in which every part has a value.
fn rich(epoch: i64) -> State {
    let gap = |first, last| Gap { first, last, seen: at("2025-01-15 10:00:00.123456") };
    let aside = SetAside {
        reason: "the detector trapped: `unreachable` executed; it's \"odd\"".to_owned(),
        quarantined: true,
        set_digest: "d1".to_owned(),
        readings: 42,
        ..SetAside::empty(at("2025-01-15 09:00:00"))
    };
    let position = KeyPosition {
        since: at("2025-01-14 10:00:00"),
        scanned: i64::MAX - 1,
        gaps: vec![gap(3, 3), gap(7, 9_000_000_000)],
        marks: vec![ReadMark {
            id: 9,
            datetime: at("2025-01-15 10:00:00"),
            variable: "Presión 1".to_owned(),
        }],
        began: Some(-5),
        given_up: vec![gap(1, 2)],
    };
    let mut ahead = Ahead::default();
    ahead.take_in([at("2099-01-01")].into_iter(), at("2025-01-15"));
    let look = Look { unjudged: 1, awaited: 2, ..Look::over(at("2025-01-14"), at("2025-01-15")) };
    let found = Causes { late: 1, below: 2, changed: 3, behind: 4 };
    State {
        position: Position::Key(position),
        watermark: Some(at("2025-01-15 10:00:00.503")),
        ahead,
        reconciliation: Reconciliation {
            last: Some(look.clone()),
            under_way: Some(look),
            found,
            failed: Some(Failed { readings: 5, at: at("2025-01-15"), why: "it 'traps'".to_owned() }),
            without_model: BTreeMap::from([("Presión 2".to_owned(), 6)]),
        },
        checkpoint: parts(&[("base/1", &ALL), ("since", b"\0\0"), ("none", b"")]),
        set_digest: Some("d1".to_owned()),
        set_aside: BTreeMap::from([("Presión 1".into(), aside.clone()), ("T'1\"".into(), aside)]),
        counts: Counts {
            judged: 1 << 40,
            anomalies: 2,
            nulls: 3,
            duplicates: 4,
            already_judged: 5,
            too_late: 6,
            no_model: 7,
            set_aside: 8,
            withheld: 9,
            unfit: 10,
            malformed: 11,
            equal_names: 12,
        },
        ..state(epoch)
    }
}

pub async fn a_state_comes_back_whole<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let passed = Passed { from: at("2025-01-14"), to: at("2025-01-15 09:00:00.5"), rows: 1 << 33 };
    let by_time = TimePosition { since: at("2025-01-14 10:00:00"), passed: Some(passed) };
    let large = parts(&[("large", &vec![7; 3_000_000])]);
    for kept in [
        rich(epoch),
        State { position: Position::Time(by_time), ..rich(epoch) },
        State { position: Position::Time(TimePosition::start(at("2025-01-14"))), ..rich(epoch) },
        State { checkpoint: large, ..rich(epoch) },
        State {
            checkpoint: Some(Checkpoint {
                schema: 0,
                detector: None,
                set_digest: String::new(),
                parts: Parts::whole([]),
            }),
            ..rich(epoch)
        },
    ] {
        output.commit(WORKER, &Commit::of(&[], &kept)).await?;
        assert!(output.peek(WORKER).await? == Some(kept), "a state came back as another");
    }
    Ok(())
}

/// Whatever changes in a checkpoint from commit to commit, all of the last one is stored, and only
/// for this worker. A reader of the row is told how large it is.
pub async fn parts_follow_the_last_commit<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let (_, mut second) = bench.connector().open().await?;
    let other = second.claim("line 2").await?.epoch;
    second.commit("line 2", &Commit::of(&[], &rich(other))).await?;
    let mut epoch = output.claim(WORKER).await?.epoch;
    let many: Vec<(String, Vec<u8>)> =
        (0..300_u16).map(|n| (n.to_string(), n.to_le_bytes().into())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    for (kept, size) in [
        (parts(&[("a", b"1"), ("b", b"2")]), Some(Size { parts: 2, bytes: 2 })),
        (parts(&[("a", b"1"), ("b", b"3"), ("c", b"")]), Some(Size { parts: 3, bytes: 2 })),
        (parts(&[("a", b"1"), ("b", b"3"), ("c", b"")]), Some(Size { parts: 3, bytes: 2 })),
        (parts(&[("c", b"4")]), Some(Size { parts: 1, bytes: 1 })),
        (parts(&many), Some(Size { parts: 300, bytes: 600 })),
        (None, None),
        (parts(&[("a", b"1")]), Some(Size { parts: 1, bytes: 1 })),
    ] {
        let kept = State { checkpoint: kept, ..state(epoch) };
        output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &kept)).await?;
        assert_eq!(output.peek(WORKER).await?.as_ref(), Some(&kept));
        let outline = Outline { state: State { checkpoint: None, ..kept.clone() }, checkpoint: size };
        assert_eq!(output.outline(WORKER).await?, Some(outline));
        // The next worker of the name finds the same, and continues from there.
        let (_, next) = bench.connector().open().await?;
        output = next;
        let taken = output.claim(WORKER).await?;
        epoch = taken.epoch;
        assert_eq!(taken.state, Some(State { epoch, ..kept }));
    }
    assert_eq!(output.peek("line 2").await?, Some(rich(other)));
    output.forget(WORKER, epoch).await?;
    assert_eq!(output.peek("line 2").await?, Some(rich(other)), "what was forgotten was the other's");
    Ok(())
}

/// A commit that is refused leaves the parts as they were. The next commit stores all of its parts.
pub async fn parts_go_with_their_verdicts_or_not_at_all<B: TestDb>() -> Result<()> {
    let (bench, _, mut first) = begin::<B>(Setup::default()).await?;
    let (_, mut second) = bench.connector().open().await?;
    let old = first.claim(WORKER).await?.epoch;
    let before = State { checkpoint: parts(&[("a", b"1"), ("b", b"2")]), ..state(old) };
    first.commit(WORKER, &Commit::of(&[], &before)).await?;
    let epoch = second.claim(WORKER).await?.epoch;
    // A worker that has lost its name.
    let stray = State { checkpoint: parts(&[("a", b"9"), ("z", b"9")]), ..state(old) };
    expect_error(first.commit(WORKER, &Commit::of(&[], &stray)).await, ErrorKind::Fenced, &[WORKER]);
    assert_eq!(second.peek(WORKER).await?, Some(State { epoch, ..before.clone() }));
    // A commit whose verdict the table refuses.
    bench.refuse_verdicts_on("T9").await?;
    let next = State { checkpoint: parts(&[("a", b"3"), ("c", b"4")]), ..state(epoch) };
    let refused = [verdict("2025-01-15 10:00:00", "T9")];
    expect_error(second.commit(WORKER, &Commit::of(&refused, &next)).await, ErrorKind::Refused, &[]);
    assert_eq!(second.peek(WORKER).await?, Some(State { epoch, ..before }));
    second.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &next)).await?;
    assert_eq!(second.peek(WORKER).await?, Some(next));
    Ok(())
}

pub async fn a_state_replaces_all_of_the_one_before<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[], &rich(epoch))).await?;
    let bare = State { watermark: None, ..state(epoch) };
    output.commit(WORKER, &Commit::of(&[], &bare)).await?;
    assert_eq!(output.peek(WORKER).await?, Some(bare));
    assert_eq!(bench.workers().await?, [(WORKER.to_owned(), epoch)]);
    Ok(())
}

pub async fn taking_a_name_fences_off_its_holder<B: TestDb>() -> Result<()> {
    let (bench, _, mut first) = begin::<B>(Setup::default()).await?;
    let (_, mut second) = bench.connector().open().await?;
    let one = first.claim(WORKER).await?.epoch;
    first.commit(WORKER, &Commit::of(&[], &rich(one))).await?;
    let taken = second.claim(WORKER).await?;
    assert!(taken.epoch > one);
    assert_eq!(taken.state, Some(rich(taken.epoch)), "all of it, with the new epoch");
    expect_error(first.commit(WORKER, &Commit::of(&[], &state(one))).await, ErrorKind::Fenced, &[WORKER]);
    second.commit(WORKER, &Commit::of(&[], &state(taken.epoch))).await?;
    // And back to the first one.
    let back = first.claim(WORKER).await?.epoch;
    first.commit(WORKER, &Commit::of(&[], &state(back))).await?;
    expect_error(
        second.commit(WORKER, &Commit::of(&[], &state(taken.epoch))).await,
        ErrorKind::Fenced,
        &[WORKER],
    );
    Ok(())
}

pub async fn the_first_two_to_take_a_name_do_not_both_hold_it<B: TestDb>() -> Result<()> {
    let (bench, _, mut first) = begin::<B>(Setup::default()).await?;
    let (_, mut second) = bench.connector().open().await?;
    let (one, two) = (first.claim(WORKER).await?, second.claim(WORKER).await?);
    assert_eq!((&one.state, &two.state), (&None, &None));
    assert!(two.epoch > one.epoch);
    let verdicts = [verdict("2025-01-15 10:00:00", "T1")];
    expect_error(
        first.commit(WORKER, &Commit::of(&verdicts, &state(one.epoch))).await,
        ErrorKind::Fenced,
        &[WORKER],
    );
    assert_eq!(second.commit(WORKER, &Commit::of(&verdicts, &state(two.epoch))).await?, 1);
    Ok(())
}

pub async fn peeking_takes_nothing<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let (_, mut other) = bench.connector().open().await?;
    assert_eq!(other.peek(WORKER).await?, None);
    assert_eq!(bench.workers().await?, vec![]);
    let epoch = output.claim(WORKER).await?.epoch;
    assert_eq!(other.peek(WORKER).await?, None, "nothing was committed yet");
    output.commit(WORKER, &Commit::of(&[], &rich(epoch))).await?;
    assert_eq!(other.peek(WORKER).await?, Some(rich(epoch)));
    output.commit(WORKER, &Commit::of(&[], &state(epoch))).await?;
    Ok(())
}

pub async fn a_deleted_row_is_fenced_and_taken_anew<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[], &state(epoch))).await?;
    bench.delete_worker(WORKER).await?;
    let verdicts = [verdict("2025-01-15 10:00:00", "T1")];
    expect_error(
        output.commit(WORKER, &Commit::of(&verdicts, &state(epoch))).await,
        ErrorKind::Fenced,
        &[WORKER, "gone"],
    );
    assert_eq!(written(&bench).await?, pairs(&[]));
    let taken = output.claim(WORKER).await?;
    assert_eq!(taken.state, None);
    assert_eq!(output.commit(WORKER, &Commit::of(&verdicts, &state(taken.epoch))).await?, 1);
    Ok(())
}

pub async fn workers_do_not_disturb_each_other<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let mut other = bench.connector().open().await?.1;
    let one = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &rich(one))).await?;
    let two = other.claim("line 2").await?;
    assert_eq!(two.state, None);
    other.commit("line 2", &Commit::of(&[verdict("2025-01-15 10:00:00", "T2")], &state(two.epoch))).await?;
    assert_eq!(output.peek(WORKER).await?, Some(rich(one)));
    assert_eq!(output.peek("line 2").await?, Some(state(two.epoch)));
    output.commit(WORKER, &Commit::of(&[], &state(one))).await?;
    let both = [("2025-01-15 10:00:00", "T1"), ("2025-01-15 10:00:00", "T2")];
    assert_eq!(written(&bench).await?, pairs(&both));
    Ok(())
}

pub async fn a_new_connection_finds_what_the_last_one_left<B: TestDb>() -> Result<()> {
    let (bench, input, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    output.commit(WORKER, &Commit::of(&[verdict("2025-01-15 10:00:00", "T1")], &rich(epoch))).await?;
    drop(input);
    output.close().await?;
    let (_, mut output) = bench.connector().open().await?;
    assert_eq!(output.ensure_tables().await?, SchemaChanges::default());
    let taken = output.claim(WORKER).await?;
    assert_eq!(taken.state, Some(rich(taken.epoch)));
    let asked = key("T1", "2025-01-15 10:00:00");
    assert!(output.already_judged(std::slice::from_ref(&asked)).await?.contains(&asked));
    Ok(())
}

pub async fn forgetting_deletes_the_row_of_its_holder_only<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let old = output.claim("backfill").await?.epoch;
    let epoch = output.claim("backfill").await?.epoch;
    output.commit("backfill", &Commit::of(&[], &state(epoch))).await?;
    let other = output.claim(WORKER).await?.epoch;
    expect_error(output.forget("backfill", old).await, ErrorKind::Fenced, &["backfill"]);
    assert_eq!(output.peek("backfill").await?, Some(state(epoch)));
    output.forget("backfill", epoch).await?;
    assert_eq!(bench.workers().await?, [(WORKER.to_owned(), other)]);
    expect_error(output.forget("backfill", epoch).await, ErrorKind::Fenced, &["backfill"]);
    // A worker whose name was forgotten cannot write any more.
    expect_error(
        output.commit("backfill", &Commit::of(&[], &state(epoch))).await,
        ErrorKind::Fenced,
        &["backfill"],
    );
    Ok(())
}

pub async fn what_is_set_aside_is_exchanged_under_a_worker_at_work<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let held = rich(epoch);
    output.commit(WORKER, &Commit::of(&[], &held)).await?;
    let mut after = held.set_aside.clone();
    after.remove("T'1\"");

    let (_, mut backfill) = bench.connector().open().await?;
    let something_else = BTreeMap::from([("T9".into(), SetAside::empty(at("2025-01-15")))]);
    for before in [&something_else, &after, &BTreeMap::new()] {
        assert!(!backfill.exchange_set_aside(WORKER, before, &after).await?, "{before:?}");
    }
    assert!(!backfill.exchange_set_aside("line 2", &held.set_aside, &after).await?);
    assert_eq!(output.peek(WORKER).await?, Some(held.clone()));
    assert!(backfill.exchange_set_aside(WORKER, &held.set_aside, &after).await?);
    let cleared = State { set_aside: after.clone(), ..held.clone() };
    assert_eq!(output.peek(WORKER).await?, Some(cleared.clone()), "nothing else was touched");
    assert!(backfill.exchange_set_aside(WORKER, &after, &BTreeMap::new()).await?);
    // The worker has not lost its name.
    output.commit(WORKER, &Commit::of(&[], &cleared)).await?;
    Ok(())
}
