//! Whole cycles over a server: late rows, two databases, a restart; each reading has one verdict.

use std::time::{Duration, Instant};

use host::reading::Reading;
use host::reload::ReloadSlots;
use host::store::Connector;
use host::worker::{Worker, WorkerSettings};
use tests::conformance::{InputKind, Setup, TestDb};
use tests::conformance_sqlserver::SqlServerTestDb;
use tests::fixture::{echo, worker_settings};

use super::on_server;

async fn worker(bench: &SqlServerTestDb) -> Worker {
    worker_of(bench, 7, None).await
}

async fn worker_of(bench: &SqlServerTestDb, batch_rows: usize, share: Option<&str>) -> Worker {
    let settings = WorkerSettings {
        name: share.map_or("line 1".to_owned(), |share| format!("line 1 {share}")),
        batch_rows,
        settle: Duration::from_secs(600),
        shard: share.map(|share| share.parse().unwrap()),
        ..worker_settings()
    };
    Worker::new(settings, Box::new(bench.store()), echo().await, ReloadSlots::default())
}

/// Readings of `T1` to `T3` at each of these minutes before `now`, which is an expression.
async fn plant(bench: &SqlServerTestDb, now: &str, minutes: std::ops::Range<i32>) -> anyhow::Result<()> {
    let table = bench.store().tables.input.sql_server();
    let mut plant = bench.input().await?;
    for minute in minutes.rev() {
        plant
            .run(&format!(
                "INSERT INTO {table} ([datetime], [variable_name], [value]) \
                 SELECT DATEADD(minute, -{minute}, {now}), v, {minute} \
                 FROM (VALUES ('T1'), ('T2'), ('T3')) AS t(v)"
            ))
            .await?;
    }
    Ok(())
}

on_server! {
    async fn every_reading_has_one_verdict() {
        for (kind, two_databases) in [(InputKind::DEFAULT, false), (InputKind::ALL[2], true)] {
            let setup = Setup { two_databases, ..Setup::from(kind) };
            let bench = SqlServerTestDb::start(&setup).await?;
            let now = bench.connector().open().await?.0.now().await?;
            let now = format!("CAST('{}' AS datetime2)", now.to_string().replace(' ', "T"));
            let mut first = worker(&bench).await;
            plant(&bench, &now, 10..20).await?;
            assert_eq!(first.cycle(|| false).await?.counts.judged, 30, "{kind:?}");
            plant(&bench, &now, 0..10).await?;
            // Late, by less than is allowed.
            plant(&bench, &now, 20..25).await?;
            assert_eq!(first.cycle(|| false).await?.counts.judged, 45, "{kind:?}");
            assert_eq!(first.cycle(|| false).await?.counts.judged, 0, "{kind:?}");
            drop(first);
            let mut second = worker(&bench).await;
            assert_eq!(second.cycle(|| false).await?.counts.judged, 0, "{kind:?}");
            let keys: std::collections::HashSet<_> =
                bench.verdicts().await?.into_iter().map(|row| (row.verdict.variable, row.verdict.ds)).collect();
            assert_eq!(keys.len(), bench.verdicts().await?.len());
            assert_eq!(keys.len(), 75, "{kind:?}");
        }
    }
}

on_server! {
    /// Each share has a position of its own in the same tables, and no reading is judged by two.
    async fn shares_divide_the_variables() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let now = bench.connector().open().await?.0.now().await?;
        let now = format!("CAST('{}' AS datetime2)", now.to_string().replace(' ', "T"));
        let mut workers = Vec::new();
        for share in ["1/2", "2/2"] {
            workers.push(worker_of(&bench, 7, Some(share)).await);
        }
        let mut judged = Vec::new();
        // The last ones come late.
        for minutes in [10..20, 0..10, 20..25] {
            plant(&bench, &now, minutes).await?;
            for worker in &mut workers {
                judged.push(worker.cycle(|| false).await?.counts.judged);
            }
        }
        let of = |share: usize| judged.iter().skip(share).step_by(2).copied().collect::<Vec<_>>();
        assert_eq!((of(0), of(1)), (vec![10, 10, 5], vec![20, 20, 10]));
        let keys: std::collections::HashSet<_> =
            bench.verdicts().await?.into_iter().map(|row| (row.verdict.variable, row.verdict.ds)).collect();
        assert_eq!((keys.len(), bench.verdicts().await?.len()), (75, 75));
    }
}

on_server! {
    /// The most variables that one worker is made for, at one datetime, which is more than a batch.
    /// The time that it takes is printed. It has a minute.
    async fn ten_thousand_variables_are_judged_within_their_minute() {
        let bench = SqlServerTestDb::start(&Setup::default()).await?;
        let mut active = worker_of(&bench, 4000, None).await;
        let (mut input, mut output) = bench.connector().open().await?;
        let now = input.now().await?;
        active.cycle(|| false).await?;
        let mut importer = bench.store().open_importer(false).await?;
        for minute in 1..=2 {
            let readings: Vec<Reading> = (0..10_000)
                .map(|n| Reading {
                    id: None,
                    datetime: now.earlier(Duration::from_secs(180 - 60 * minute)),
                    variable: format!("LINE {}/T{n}", n % 40).into(),
                    value: Some(f64::from(n)),
                    source_file: None,
                })
                .collect();
            for some in readings.chunks(4000) {
                importer.insert(some).await?;
            }
            let begun = Instant::now();
            assert_eq!(active.cycle(|| false).await?.counts.judged, 10_000);
            eprintln!("a cycle of 10000 variables took {:.1} s", begun.elapsed().as_secs_f64());
        }
        let (from, to) = (now.earlier(Duration::from_secs(3600)), now.later(Duration::from_secs(3600)));
        assert_eq!(output.read_verdicts(from, to, false, 100_000).await?.verdicts.len(), 20_000);
    }
}
