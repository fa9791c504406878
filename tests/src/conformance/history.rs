//! What a worker does with a database that may be wrong, on every store: ids that start again or
//! come from several ranges, rows dated ahead, names that are equal, values that come later, rows
//! that are committed late. Each reading has one verdict or one reason.

use std::time::Duration;

use host::reconciliation::{Causes, Look};
use host::reload::ReloadSlots;
use host::worker::{Slice, Worker, WorkerSettings};

use super::*;
use crate::fixture::{echo, worker_settings};

/// A plant, with the server's time.
struct Plant<B> {
    bench: B,
    now: Datetime,
}

impl<B: TestDb> Plant<B> {
    async fn new(kind: InputKind) -> Result<Self> {
        let bench = B::start(&kind.into()).await?;
        let now = bench.connector().open().await?.0.now().await?;
        Ok(Self { bench, now })
    }

    /// This number of minutes ago, in whole seconds, which every type of the server can hold.
    fn ago(&self, minutes: i64) -> String {
        let second = self.now.micros().div_euclid(1_000_000);
        Datetime::from_micros((second - 60 * minutes) * 1_000_000).to_string()
    }

    /// Readings with these ids, each from a number of minutes ago.
    async fn insert(&self, rows: &[(i64, i64, &str)]) -> Result<()> {
        let at: Vec<String> = rows.iter().map(|(_, minutes, _)| self.ago(*minutes)).collect();
        let rows: Vec<Row<'_>> =
            rows.iter().zip(&at).map(|((id, _, variable), at)| row(*id, at, variable)).collect();
        self.bench.insert(&rows).await
    }

    async fn worker(&self) -> Worker {
        let settings = WorkerSettings {
            name: WORKER.into(),
            batch_rows: 5,
            allowed_lateness: Some(Duration::from_secs(3 * 3600)),
            settle: Duration::ZERO,
            reconcile: Some(Duration::from_secs(3600)),
            ..worker_settings()
        };
        Worker::new(settings, self.bench.connector(), echo().await, ReloadSlots::default())
    }

    /// The number of verdicts. Fails if two have the same key.
    async fn judged(&self) -> Result<usize> {
        let keys = written(&self.bench).await?;
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "judged twice: {keys:?}");
        Ok(keys.len())
    }
}

/// A whole look, due or not.
async fn look(worker: &mut Worker) -> Result<Look> {
    worker.begin_look().await?;
    loop {
        match worker.look().await? {
            Slice::More => {}
            Slice::Done(look) => return Ok(look),
            Slice::NoIndex => anyhow::bail!("there is an index"),
        }
    }
}

async fn cycle(worker: &mut Worker) -> Result<Counts> {
    Ok(worker.cycle(|| false).await?.counts)
}

fn judged(judged: u64) -> Counts {
    Counts { judged, ..Counts::default() }
}

/// The kinds of table that a look can be made in: with a key and without.
const BOTH: [InputKind; 2] = [InputKind::DEFAULT, InputKind::ALL[2]];

pub async fn ids_that_start_again_are_read_again<B: TestDb>() -> Result<()> {
    for after in [6, 14] {
        let plant = Plant::<B>::new(InputKind::DEFAULT).await?;
        let first: Vec<_> = (1..=10).map(|id| (id, 60 - id, "T1")).collect();
        plant.insert(&first).await?;
        let mut worker = plant.worker().await;
        assert_eq!(cycle(&mut worker).await?, judged(10));
        plant.bench.empty_input().await?;
        assert_eq!(cycle(&mut worker).await?, judged(0), "an empty table");
        let then: Vec<_> = (1..=after).map(|id| (id, 40 - id, "T1")).collect();
        plant.insert(&then).await?;
        assert_eq!(cycle(&mut worker).await?.judged, after.unsigned_abs(), "up to id {after}");
        assert_eq!(cycle(&mut worker).await?, judged(0));
        assert_eq!(plant.judged().await?, 10 + usize::try_from(after)?);
    }
    Ok(())
}

/// The identity is reseeded to where old rows were deleted, and the newest rows stay.
pub async fn ids_that_are_given_out_anew_below_rows_that_stay_are_found<B: TestDb>() -> Result<()> {
    let plant = Plant::<B>::new(InputKind::DEFAULT).await?;
    let first: Vec<_> = (1..=20).map(|id| (id, 100 - id, "T1")).collect();
    plant.insert(&first).await?;
    let mut worker = plant.worker().await;
    assert_eq!(cycle(&mut worker).await?, judged(20));
    plant.bench.delete_up_to(15).await?;
    plant.insert(&[(3, 10, "T1"), (4, 9, "T2")]).await?;
    cycle(&mut worker).await?;
    let found = look(&mut worker).await?;
    assert_eq!((plant.judged().await?, found.unjudged), (22, 0), "{found:?}");
    Ok(())
}

pub async fn a_writer_in_a_lower_range_of_ids_is_found_and_then_followed<B: TestDb>() -> Result<()> {
    let plant = Plant::<B>::new(InputKind::DEFAULT).await?;
    plant.insert(&[(1_000_000_000, 60, "T1")]).await?;
    let mut worker = plant.worker().await;
    assert_eq!(cycle(&mut worker).await?, judged(1));
    plant.insert(&[(7, 50, "T1"), (1_000_000_001, 50, "T2")]).await?;
    assert_eq!(cycle(&mut worker).await?, judged(1), "the one of the upper range");
    let found = look(&mut worker).await?;
    assert_eq!((found.found, found.unjudged), (Causes { below: 1, ..Causes::default() }, 0));
    plant.insert(&[(8, 40, "T1"), (1_000_000_002, 40, "T2")]).await?;
    assert_eq!(cycle(&mut worker).await?, judged(2), "both are followed");
    assert_eq!(look(&mut worker).await?.found, Causes::default());
    assert_eq!(plant.judged().await?, 5);
    Ok(())
}

pub async fn rows_dated_ahead_decide_nothing<B: TestDb>() -> Result<()> {
    for kind in BOTH {
        let plant = Plant::<B>::new(kind).await?;
        plant.bench.create_output(OutputKind::Python).await?;
        plant.bench.insert_verdicts(&[(&plant.ago(23 * 60), "T1"), ("2099-01-01 00:00:00", "T1")]).await?;
        plant.insert(&[(1, 60, "T1")]).await?;
        plant.bench.insert(&[row(2, "2098-01-01 00:00:00", "T2")]).await?;
        let mut worker = plant.worker().await;
        assert_eq!(cycle(&mut worker).await?, judged(2), "{kind:?}");
        plant.insert(&[(3, 50, "T1"), (4, 70, "T1")]).await?;
        assert_eq!(cycle(&mut worker).await?, judged(2), "{kind:?}");
        let (_, mut output) = plant.bench.connector().open().await?;
        let watermark = output.peek(WORKER).await?.and_then(|state| state.watermark);
        assert_eq!(watermark, Some(at(&plant.ago(50))), "{kind:?}");
        assert_eq!(plant.judged().await?, 6, "{kind:?}");
    }
    Ok(())
}

pub async fn of_names_that_are_equal_one_is_judged_and_the_other_counted<B: TestDb>() -> Result<()> {
    for kind in BOTH {
        let plant = Plant::<B>::new(kind).await?;
        plant.bench.create_output(OutputKind::EqualNames).await?;
        plant.insert(&[(1, 60, "TEMP-03"), (2, 50, "temp-03"), (3, 50, "TEMP-03")]).await?;
        let mut worker = plant.worker().await;
        let expected = Counts { judged: 2, equal_names: 1, ..Counts::default() };
        assert_eq!(cycle(&mut worker).await?, expected, "{kind:?}");
        let keys = written(&plant.bench).await?;
        assert!(keys.iter().all(|(_, variable)| variable == "TEMP-03"), "{kind:?}: {keys:?}");
        let seen = look(&mut worker).await?;
        assert_eq!((seen.rows, seen.unjudged), (expected, 0), "{kind:?}");
    }
    Ok(())
}

pub async fn a_value_that_comes_later_is_judged<B: TestDb>() -> Result<()> {
    for kind in BOTH {
        let plant = Plant::<B>::new(kind).await?;
        let null = plant.ago(60);
        plant.bench.insert(&[Row { value: None, ..row(1, &null, "T1") }]).await?;
        plant.insert(&[(2, 50, "T1")]).await?;
        let mut worker = plant.worker().await;
        assert_eq!(cycle(&mut worker).await?, Counts { nulls: 1, ..judged(1) }, "{kind:?}");
        assert_eq!(look(&mut worker).await?.found.total(), 0, "{kind:?}");
        plant.bench.fill_in(99.5).await?;
        let found = look(&mut worker).await?;
        assert_eq!((found.found.total(), found.unjudged), (1, 0), "{kind:?}");
        assert_eq!(plant.judged().await?, 2, "{kind:?}");
    }
    Ok(())
}

/// A transaction that was open for longer than is waited for.
pub async fn what_is_committed_later_than_anybody_waits_for_is_found<B: TestDb>() -> Result<()> {
    for kind in BOTH {
        let plant = Plant::<B>::new(kind).await?;
        plant.insert(&[(1, 60, "T1"), (4, 30, "T1")]).await?;
        let mut worker = plant.worker().await;
        assert_eq!(cycle(&mut worker).await?, judged(2), "{kind:?}");
        // The gap is looked at once more, and given up.
        plant.insert(&[(5, 20, "T1")]).await?;
        assert_eq!(cycle(&mut worker).await?, judged(1), "{kind:?}");
        plant.insert(&[(2, 45, "T1"), (3, 44, "T2")]).await?;
        let by_cycle = cycle(&mut worker).await?.judged;
        let found = look(&mut worker).await?;
        let late =
            if kind.key { (0, Causes { late: 2, ..Causes::default() }) } else { (2, Causes::default()) };
        assert_eq!((by_cycle, found.found, found.unjudged), (late.0, late.1, 0), "{kind:?}");
        assert_eq!(plant.judged().await?, 5, "{kind:?}");
    }
    Ok(())
}

/// The other effects and answers of a trigger are no part of a commit's answer.
pub async fn a_trigger_of_the_output_changes_no_account<B: TestDb>() -> Result<()> {
    let plant = Plant::<B>::new(InputKind::DEFAULT).await?;
    let mut worker = plant.worker().await;
    cycle(&mut worker).await?;
    plant.bench.add_triggers().await?;
    let rows: Vec<_> = (1..=7).map(|id| (id, 60 - id, "T1")).collect();
    plant.insert(&rows).await?;
    assert_eq!(cycle(&mut worker).await?, judged(7));
    assert_eq!(cycle(&mut worker).await?, judged(0));
    let seen = look(&mut worker).await?;
    assert_eq!((seen.rows, seen.found.total(), seen.unjudged), (judged(7), 0, 0));
    assert_eq!(plant.judged().await?, 7);
    Ok(())
}

pub async fn generated_columns_fill_themselves<B: TestDb>() -> Result<()> {
    let plant = Plant::<B>::new(InputKind::DEFAULT).await?;
    plant.bench.create_output(OutputKind::Generated).await?;
    plant.insert(&[(1, 60, "T1"), (2, 50, "T2")]).await?;
    let mut worker = plant.worker().await;
    assert_eq!(cycle(&mut worker).await?, judged(2));
    assert_eq!(cycle(&mut worker).await?, judged(0));
    let residuals: Vec<f64> = plant.bench.verdicts().await?.iter().map(|row| row.verdict.residual).collect();
    assert_eq!(residuals, [0.0, 0.0]);
    Ok(())
}
