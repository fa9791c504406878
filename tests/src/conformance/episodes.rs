//! Episodes, what is told of them, and what is remembered for them.

use std::time::Duration;

use host::checkpoint::{Checkpoint, Parts};
use host::episode::{
    Direction, Episode, EpisodeChange, EpisodeKind, EpisodeRange, Feedback, MessageKind, OutboxMessage,
    Priority, Shelving, StoredEpisode, Told, WorstReading,
};
use host::store::{EntryState, OutboxCounts, Tried};

use super::*;

/// An open one in which every column has a value.
fn open(variable: &str, begin: &str) -> Episode {
    Episode {
        end: at(begin).later(Duration::from_secs(600)),
        peak_score: Some(61.81),
        worst: Some(WorstReading { ds: at(begin), y: 81.5, yhat: Some(61.25) }),
        direction: Some(Direction::Above),
        readings: 12,
        flagged: 11,
        cause: Some("spike".into()),
        priority: Priority::High,
        told: Told::Opened,
        shelved: true,
        ..Episode::at(variable.into(), EpisodeKind::Anomaly, at(begin))
    }
}

fn closed(variable: &str, begin: &str, end: &str) -> Episode {
    let end = at(end);
    Episode { end, closed_at: Some(end.later(Duration::from_secs(60))), ..open(variable, begin) }
}

fn changes(episodes: &[Episode]) -> Vec<EpisodeChange> {
    episodes.iter().cloned().map(EpisodeChange::new).collect()
}

async fn commit(output: &mut dyn Output, epoch: i64, episodes: &[EpisodeChange]) -> Result<u64, StoreError> {
    let state = state(epoch);
    output.commit(WORKER, &Commit { episodes, ..Commit::of(&[], &state) }).await
}

fn found(episodes: &[StoredEpisode]) -> Vec<(i64, &str, String)> {
    let key = |found: &StoredEpisode| found.episode.begin.to_string();
    episodes.iter().map(|found| (found.id, &*found.episode.variable, key(found))).collect()
}

pub async fn episodes_and_messages_go_with_their_verdicts_or_not_at_all<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let opened = open("T1", "2025-01-15 10:00:00");
    let told = OutboxMessage::on(MessageKind::Opened, &opened, at("2025-01-15 10:00:05"));
    let now = state(epoch);
    let first = Commit {
        verdicts: &[verdict("2025-01-15 10:00:00", "T1")],
        state: &now,
        episodes: &changes(std::slice::from_ref(&opened)),
        messages: std::slice::from_ref(&told),
    };
    assert_eq!(output.commit(WORKER, &first).await?, 1);
    let stored = output.open_episodes().await?;
    let expected = StoredEpisode {
        id: 1,
        version: 1,
        episode: opened.clone(),
        worker: WORKER.into(),
        feedback: None,
        note: None,
        feedback_at: None,
        created_at: now.updated_at,
        updated_at: now.updated_at,
    };
    assert_eq!(stored, std::slice::from_ref(&expected));
    let due = output.due(0, at("2025-01-15 10:00:05"), 10).await?;
    assert_eq!(
        due.iter().map(|entry| (entry.seq, &entry.id, entry.kind, entry.episode_id)).collect::<Vec<_>>(),
        [(1, &told.id, MessageKind::Opened, Some(1))]
    );
    assert_eq!(serde_json::from_str::<Episode>(&due[0].payload)?, opened);

    // A commit of a worker that has lost its name, and one whose verdict the table refuses.
    bench.refuse_verdicts_on("T2").await?;
    let other = open("T2", "2025-01-15 11:00:00");
    let silent = OutboxMessage::on(MessageKind::Silent, &other, at("2025-01-15 11:00:05"));
    let fenced = state(epoch + 1);
    for (state, refused) in [(&fenced, "T1"), (&now, "T2")] {
        let commit = Commit {
            verdicts: &[verdict("2025-01-15 11:00:00", refused)],
            state,
            episodes: &changes(std::slice::from_ref(&other)),
            messages: std::slice::from_ref(&silent),
        };
        output.commit(WORKER, &commit).await.expect_err("it is refused");
    }
    assert_eq!((output.open_episodes().await?, output.due(0, at("2026-01-01"), 9).await?.len()), (stored, 1));

    // The same message again, and the row closed and then gone.
    let ended = closed("T1", "2025-01-15 09:59:00", "2025-01-15 10:30:00");
    let change = EpisodeChange { before: Some((opened.begin, 1)), episode: ended.clone(), gone: false };
    let later = State { updated_at: at("2025-01-15 10:31:00"), ..state(epoch) };
    let second =
        Commit { verdicts: &[], state: &later, episodes: &[change], messages: std::slice::from_ref(&told) };
    output.commit(WORKER, &second).await?;
    assert_eq!(output.open_episodes().await?, []);
    let expected =
        StoredEpisode { version: 2, episode: ended.clone(), updated_at: later.updated_at, ..expected };
    assert_eq!(output.episode(1).await?, Some(expected));
    assert_eq!(output.due(0, at("2026-01-01"), 9).await?.len(), 1);
    let gone = EpisodeChange { before: Some((ended.begin, 2)), episode: ended, gone: true };
    commit(output.as_mut(), epoch, &[gone]).await?;
    assert_eq!(output.episode(1).await?, None);
    Ok(())
}

pub async fn a_row_that_somebody_else_has_changed_takes_the_commit_back<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let [one, two] = ["T1", "T2"].map(|name| open(name, "2025-01-15 10:00:00"));
    commit(output.as_mut(), epoch, &changes(&[one.clone(), two.clone()])).await?;
    let before = output.open_episodes().await?;
    let change = |episode: &Episode, version, gone| EpisodeChange {
        before: Some((episode.begin, version)),
        episode: Episode { readings: 99, ..episode.clone() },
        gone,
    };
    for stale in [
        vec![change(&one, 1, false), change(&two, 2, false)],
        vec![change(&one, 1, false), change(&two, 2, true)],
        vec![change(&one, 1, false), change(&open("T3", "2025-01-15 10:00:00"), 1, false)],
    ] {
        let verdicts = [verdict("2025-01-15 10:00:00", "T1")];
        let state = state(epoch);
        let stale = Commit { episodes: &stale, ..Commit::of(&verdicts, &state) };
        let done = output.commit(WORKER, &stale).await;
        assert!(done.is_err(), "{stale:?}");
        assert_eq!(output.open_episodes().await?, before);
    }
    assert_eq!(written(&bench).await?, []);
    let both = [change(&one, 1, false), change(&two, 1, true)];
    commit(output.as_mut(), epoch, &both).await?;
    let now = output.open_episodes().await?;
    let seen = |rows: &[StoredEpisode]| {
        rows.iter().map(|row| (row.id, row.version, row.episode.readings)).collect::<Vec<_>>()
    };
    assert_eq!(seen(&now), [(1, 2, 99)]);
    // A new one replaces one with the same key, whatever that was.
    commit(output.as_mut(), epoch, &[EpisodeChange::new(one)]).await?;
    assert_eq!(seen(&output.open_episodes().await?), [(3, 1, 12)]);
    Ok(())
}

pub async fn episodes_are_found_by_their_range_and_by_their_number<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let rows = [
        closed("T1", "2025-01-15 08:00:00", "2025-01-15 08:30:00"),
        closed("T2", "2025-01-15 09:00:00", "2025-01-15 13:00:00"),
        closed("T1", "2025-01-15 09:30:00.500", "2025-01-15 10:00:00"),
        open("T3", "2025-01-15 09:45:00"),
        closed("T1", "2025-01-15 10:30:00", "2025-01-15 11:30:00"),
        open("T1", "2025-01-15 11:00:00"),
    ];
    commit(output.as_mut(), epoch, &changes(&rows)).await?;
    for (variable, from, to, limit, ids) in [
        (None, "2025-01-15 10:00:00", "2025-01-15 11:00:00", 10, vec![5, 4, 3]),
        (None, "2025-01-15 10:00:00.001", "2025-01-15 11:00:00.001", 10, vec![6, 5, 4]),
        (None, "2025-01-15 12:00:00", "2025-01-15 14:00:00", 10, vec![6, 4, 2]),
        (None, "2025-01-15", "2025-01-16", 10, vec![6, 5, 4, 3, 2, 1]),
        (None, "2025-01-15", "2025-01-16", 2, vec![6, 5]),
        (None, "2025-01-16", "2025-01-17", 10, vec![6, 4]),
        (None, "2025-01-14", "2025-01-15", 10, vec![]),
        (Some("T1"), "2025-01-15 10:00:00", "2025-01-15 11:00:00", 10, vec![5, 3]),
        (Some("T1"), "2025-01-15", "2025-01-16", 3, vec![6, 5, 3]),
        (Some("T2"), "2025-01-15 10:00:00", "2025-01-15 10:01:00", 10, vec![2]),
        (Some("T3"), "2025-01-16", "2025-01-17", 10, vec![4]),
        (Some("T4"), "2025-01-15", "2025-01-16", 10, vec![]),
    ] {
        let wanted = EpisodeRange { variable: variable.map(Into::into), from: at(from), to: at(to), limit };
        let found: Vec<i64> = output.episodes(&wanted).await?.iter().map(|found| found.id).collect();
        assert_eq!(found, ids, "{wanted:?}");
    }
    let open = output.open_episodes().await?;
    assert_eq!(
        found(&open),
        [(4, "T3", "2025-01-15 09:45:00".to_owned()), (6, "T1", "2025-01-15 11:00:00".to_owned())]
    );
    assert_eq!(output.episode(3).await?.map(|found| found.episode), Some(rows[2].clone()));
    assert_eq!(output.episode(7).await?, None);
    Ok(())
}

pub async fn what_is_remembered_comes_back_beside_a_checkpoint_and_without_one<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let parts = |names: &[(&str, &str)]| -> Parts {
        names.iter().map(|&(name, bytes)| (name.into(), bytes.as_bytes().into())).collect()
    };
    let checkpoint =
        |parts| Checkpoint { schema: 1, detector: Some("prophet".into()), set_digest: "a".into(), parts };
    let (learnt, more) = (parts(&[("base", "x")]), parts(&[("base", "y"), ("week", "z")]));
    let (some, other) =
        (parts(&[("episodes:00", "1"), ("episodes:01", "2")]), parts(&[("episodes:01", "3")]));
    for (learnt, memory) in [
        (None, some.clone()),
        (None, other.clone()),
        (Some(learnt), some),
        (Some(more.clone()), other.clone()),
        (Some(more), Parts::default()),
        (None, other),
    ] {
        let kept = State { checkpoint: learnt.map(checkpoint), memory, ..state(epoch) };
        output.commit(WORKER, &Commit::of(&[], &kept)).await?;
        assert_eq!(output.peek(WORKER).await?, Some(kept.clone()));
        let (_, mut another) = bench.connector().open().await?;
        assert_eq!(another.peek(WORKER).await?, Some(kept));
    }
    // The next worker of the name continues from it.
    let (_, mut next) = bench.connector().open().await?;
    let taken = next.claim(WORKER).await?;
    let memory = parts(&[("episodes:01", "4")]);
    let kept = State { memory, ..taken.state.expect("it was committed") };
    next.commit(WORKER, &Commit::of(&[], &kept)).await?;
    assert_eq!(next.peek(WORKER).await?, Some(kept));
    Ok(())
}

pub async fn a_person_shelves_a_variable_and_says_what_an_episode_was<B: TestDb>() -> Result<()> {
    let (bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let opened = open("T1", "2025-01-15 10:00:00");
    commit(output.as_mut(), epoch, &changes(std::slice::from_ref(&opened))).await?;
    let mut person = bench.connector().open_output().await?;
    let shelving = |variable: &str, from: &str, until: &str, reason: &str| Shelving {
        variable: variable.into(),
        from: at(from),
        until: at(until),
        reason: reason.into(),
        by: "maría".into(),
    };
    assert_eq!(output.shelved().await?, []);
    person.shelve(&shelving("T1", "2025-01-15 10:00:00", "2025-01-15 14:00:00", "limpieza")).await?;
    person.shelve(&shelving("T2", "2025-01-15 10:05:00", "2025-01-15 12:00:00", "")).await?;
    // Once more: the same row, with another end.
    person.shelve(&shelving("T1", "2025-01-15 11:00:00", "2025-01-15 15:00:00", "parada")).await?;
    let shelved = output.shelved().await?;
    let seen: Vec<_> = shelved
        .iter()
        .map(|row| {
            let Episode { variable, kind, begin, end, .. } = &row.episode;
            (
                row.id,
                &**variable,
                *kind,
                begin.to_string(),
                end.to_string(),
                row.note.clone().unwrap_or_default(),
                &*row.worker,
            )
        })
        .collect();
    let kind = EpisodeKind::Shelved;
    assert_eq!(
        seen,
        [
            (
                2,
                "T1",
                kind,
                "2025-01-15 10:00:00".into(),
                "2025-01-15 15:00:00".into(),
                "parada".into(),
                "maría"
            ),
            (
                3,
                "T2",
                kind,
                "2025-01-15 10:05:00".into(),
                "2025-01-15 12:00:00".into(),
                String::new(),
                "maría"
            ),
        ]
    );
    assert!(person.unshelve("T1", at("2025-01-15 11:30:00")).await?);
    assert!(!person.unshelve("T1", at("2025-01-15 11:30:00")).await?);
    let ended = person.episode(2).await?.expect("the row stays").episode;
    assert_eq!((ended.closed_at, ended.end), (Some(at("2025-01-15 11:30:00")), at("2025-01-15 11:30:00")));
    assert_eq!(output.shelved().await?.len(), 1);
    // Taken back and shelved again at the same moment.
    person.shelve(&shelving("T1", "2025-01-15 10:00:00", "2025-01-15 16:00:00", "otra")).await?;
    assert_eq!(output.shelved().await?.iter().map(|row| row.id).collect::<Vec<_>>(), [2, 3]);

    let now = at("2025-01-15 11:40:00");
    assert!(person.say(1, Feedback::Real, Some("fuga"), now).await?);
    assert!(!person.say(9, Feedback::Real, None, now).await?);
    let said = output.episode(1).await?.expect("it is there");
    assert_eq!(
        (said.feedback, said.note.as_deref(), said.feedback_at),
        (Some(Feedback::Real), Some("fuga"), Some(now))
    );
    // The worker continues the row, and a person's words stay.
    let change = EpisodeChange { before: Some((opened.begin, 1)), episode: opened.clone(), gone: false };
    commit(output.as_mut(), epoch, &[change]).await?;
    assert!(person.say(1, Feedback::Expected, None, now).await?);
    let said = output.episode(1).await?.expect("it is there");
    assert_eq!((said.version, said.feedback, said.note), (2, Some(Feedback::Expected), None));
    Ok(())
}

pub async fn entries_come_due_in_order_and_are_settled<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let now = at("2025-01-15 10:00:05");
    let episode = |n: u8| open(&format!("T{n}"), "2025-01-15 10:00:00");
    let mut messages: Vec<OutboxMessage> =
        (0..4).map(|n| OutboxMessage::on(MessageKind::Opened, &episode(n), now)).collect();
    let service = Episode { kind: EpisodeKind::Service, ..open("line 1", "2025-01-15 10:00:00") };
    messages.push(OutboxMessage::on(MessageKind::Service, &service, now));
    let state = state(epoch);
    output.commit(WORKER, &Commit { messages: &messages, ..Commit::of(&[], &state) }).await?;
    assert_eq!(output.due(0, at("2025-01-15 10:00:04.999"), 10).await?, []);
    let due = output.due(0, now, 10).await?;
    assert_eq!(due.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(
        due.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>(),
        messages.iter().map(|told| told.id.clone()).collect::<Vec<_>>()
    );
    // No such episode was stored.
    assert_eq!(
        (due[0].episode_id, due[0].variable.as_deref(), due[4].variable.as_deref()),
        (None, Some("T0"), None)
    );
    assert_eq!((due[4].kind, due[4].payload.as_str()), (MessageKind::Service, messages[4].payload.as_str()));
    assert_eq!(output.due(0, now, 2).await?.len(), 2);
    let after = due.first().map_or(0, |entry| entry.seq);
    assert_eq!(output.due(after, now, 10).await?, due[1..]);

    let later = at("2025-01-15 10:01:00");
    let failed = Tried {
        state: EntryState::Due,
        at: later,
        error: Some("no route".into()),
        progress: Some("mail".into()),
    };
    assert!(output.tried(1, &failed).await?);
    assert!(output.tried(2, &Tried { state: EntryState::Dead, ..failed.clone() }).await?);
    output.delivered(&[3, 4], later).await?;
    assert!(!output.tried(9, &failed).await?);
    assert_eq!(output.due(0, now, 10).await?.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5]);
    let due = output.due(0, later, 10).await?;
    assert_eq!(due.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 5]);
    let again = &due[0];
    assert_eq!(
        (again.attempts, again.next_try_at, again.last_error.as_deref(), again.progress.as_deref()),
        (1, later, Some("no route"), Some("mail"))
    );
    assert_eq!(output.outbox_counts().await?, OutboxCounts { due: 2, dead: 1, oldest_due: Some(now) });
    let states = |found: Vec<host::store::OutboxEntry>| {
        found.iter().map(|entry| (entry.seq, entry.state)).collect::<Vec<_>>()
    };
    assert_eq!(states(output.entries(EntryState::Dead, 9).await?), [(2, EntryState::Dead)]);
    let delivered = [(4, EntryState::Delivered), (3, EntryState::Delivered)];
    assert_eq!(states(output.entries(EntryState::Delivered, 9).await?), delivered);
    assert_eq!(output.forget_delivered(now, 9).await?, 0);
    assert_eq!(output.forget_delivered(later, 1).await?, 1);
    assert_eq!(states(output.entries(EntryState::Delivered, 9).await?), delivered[..1]);
    Ok(())
}

pub async fn names_that_the_output_tells_apart_have_episodes_of_their_own<B: TestDb>() -> Result<()> {
    let (_bench, _, mut output) = begin::<B>(Setup::default()).await?;
    let epoch = output.claim(WORKER).await?.epoch;
    let names = ["T1", "t1", "Presión 🌡", "presión 🌡", "' OR 1=1 --"];
    let rows = names.map(|name| open(name, "2025-01-15 10:00:00"));
    commit(output.as_mut(), epoch, &changes(&rows)).await?;
    let changed: Vec<EpisodeChange> = rows
        .iter()
        .enumerate()
        .map(|(n, row)| EpisodeChange {
            before: Some((row.begin, 1)),
            episode: Episode { readings: n as u64, ..row.clone() },
            gone: false,
        })
        .collect();
    commit(output.as_mut(), epoch, &changed).await?;
    let found = output.open_episodes().await?;
    assert_eq!(
        found.iter().map(|row| (&*row.episode.variable, row.episode.readings)).collect::<Vec<_>>(),
        names.iter().zip(0..).map(|(name, n)| (*name, n)).collect::<Vec<_>>()
    );
    // What people do concerns one of them, too.
    let (from, until) = (at("2025-01-15 11:00:00"), at("2025-01-15 12:00:00"));
    let shelving =
        Shelving { variable: "t1".into(), from, until, reason: "cleaned".into(), by: "a person".into() };
    output.shelve(&shelving).await?;
    let shelved = |rows: Vec<StoredEpisode>| -> Vec<String> {
        rows.iter().map(|row| row.episode.variable.to_string()).collect()
    };
    assert_eq!(shelved(output.shelved().await?), ["t1"]);
    assert!(!output.unshelve("T1", from).await?);
    assert_eq!(shelved(output.shelved().await?), ["t1"]);
    assert!(output.unshelve("t1", from).await?);
    let wanted = EpisodeRange { variable: Some("T1".into()), from: at("2025-01-01"), to: until, limit: 9 };
    assert_eq!(shelved(output.episodes(&wanted).await?), ["T1"]);
    Ok(())
}
