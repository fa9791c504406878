//! Several workers on one plant: of one name, where one is active and the others stand by; and of
//! several shares.

use std::time::Duration;

use host::counts::Counts;
use host::worker::schedule::ScheduleEnd;
use tests::fixture::{Fixture, Layout, at, echo, verdicts};
use tests::logs::Lines;
use tests::schedule;

const INTERVAL: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn a_worker_on_standby_takes_over_when_the_active_one_ends() {
    let (lines, _guard) = Lines::listen();
    let bench = Fixture::new(Layout::Keyed);
    let (first, mut second) = (bench.worker(echo().await), bench.worker(echo().await));
    bench.insert(&[("10:00", "T1", 1.0)]);
    let active = async {
        let mut first = first;
        let stop = tokio::time::sleep(Duration::from_secs(1300));
        let end = schedule::run(&mut first, INTERVAL, false, stop).await;
        assert!(matches!(end, ScheduleEnd::Stopped), "{end:?}");
        // A worker that is killed does not release it. It ends with the process.
        drop(first);
        bench.insert(&[("10:05", "T1", 2.0)]);
    };
    let standby = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Not only at the tick after the first one's end, which is at 1801 s.
        let stop = tokio::time::sleep(Duration::from_secs(1310));
        schedule::run(&mut second, INTERVAL, false, stop).await
    };
    let ((), end) = tokio::join!(active, standby);
    assert!(matches!(end, ScheduleEnd::Stopped), "{end:?}");
    assert_eq!(bench.verdicts(), verdicts(&[("10:00", "T1", 1.0), ("10:05", "T1", 2.0)]));
    let said = lines.take();
    let of_standby: Vec<_> = said.iter().filter(|line| line.contains("worker named")).collect();
    assert_eq!(
        of_standby,
        [
            "INFO another worker named `default` is active; this one stands by until that one ends",
            "INFO no other worker named `default` is active any more; this one goes on"
        ],
        "{said:#?}"
    );
}

#[tokio::test]
async fn one_cycle_beside_an_active_worker_fails_and_says_why() {
    let bench = Fixture::new(Layout::Keyed);
    let (mut first, mut second) = (bench.worker(echo().await), bench.worker(echo().await));
    first.cycle(|| false).await.unwrap();
    let end = schedule::run(&mut second, INTERVAL, true, std::future::pending()).await;
    let ScheduleEnd::Failed(error) = end else { unreachable!("{end:?}") };
    assert_eq!(
        error.to_string(),
        "another worker named `default` is active; give this one another `name` if both are to run"
    );
}

/// Each reading belongs to one share and has one verdict, whichever worker is first. Rows without a
/// variable are counted once.
#[tokio::test]
async fn shares_divide_the_readings() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        bench.settings.batch_rows = 7;
        let variables: Vec<_> = (0..20).map(|number| format!("T{number}")).collect();
        let rows: Vec<_> = ["09:30", "10:00", "10:05"]
            .iter()
            .flat_map(|at| variables.iter().map(move |variable| (*at, variable.as_str(), 1.0)))
            .collect();
        bench.insert(&rows);
        bench.execute(&format!(
            "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('{}', 'T1', 'high')",
            at("10:01")
        ));
        let mut counts = Counts::default();
        let mut judged = Vec::new();
        for number in [2, 3, 1] {
            bench.settings.name = format!("default {number}/3");
            bench.settings.shard = Some(format!("{number}/3").parse().unwrap());
            let mut worker = bench.worker(echo().await);
            let report = worker.cycle(|| false).await.unwrap();
            judged.push(report.counts.judged);
            counts += report.counts;
            assert_eq!(
                worker.cycle(|| false).await.unwrap().counts,
                Counts::default(),
                "{layout:?}: news once"
            );
        }
        assert_eq!(bench.verdicts(), verdicts(&rows), "{layout:?}");
        assert_eq!(counts, Counts { judged: 60, malformed: 1, ..Counts::default() }, "{layout:?}");
        assert!(judged.iter().all(|judged| *judged > 0), "{layout:?}: {judged:?} is no division");
    }
}

/// The output's newest verdict is another share's: a share that starts later still goes as far back
/// as a first worker would.
#[tokio::test]
async fn a_share_that_starts_late_begins_where_a_first_worker_would() {
    for layout in Layout::BOTH {
        let mut bench = Fixture::new(layout);
        let variables: Vec<_> = (0..20).map(|number| format!("T{number}")).collect();
        let rows: Vec<_> = ["14 12:00", "14 20:00", "11:59"]
            .iter()
            .flat_map(|at| variables.iter().map(move |variable| (*at, variable.as_str(), 1.0)))
            .collect();
        bench.insert(&rows);
        for number in [1, 2] {
            bench.settings.name = format!("default {number}/2");
            bench.settings.shard = Some(format!("{number}/2").parse().unwrap());
            bench.worker(echo().await).cycle(|| false).await.unwrap();
        }
        assert_eq!(bench.verdicts(), verdicts(&rows), "{layout:?}");
    }
}
