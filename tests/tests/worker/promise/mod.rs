//! Promise 1 where everything in the database may be wrong: rows dated ahead, ids that start again
//! or come from several ranges, values that are filled in later, clocks that are wrong. At the end
//! each reading within the allowed lateness has one verdict or one reason.

mod histories;
mod looks;
mod plant;
mod shares;

use host::counts::Counts;
use host::reconciliation::{Causes, Look};
use host::worker::{Slice, Worker};
use tests::fixture::{Fixture, Layout, at, datetime, echo, verdicts};
use tests::logs::Lines;

fn row(bench: &Fixture, id: i64, short: &str, value: &str) {
    let ds = at(short);
    bench.execute(&format!(
        "INSERT INTO datos_proceso (id, datetime, variable_name, value) VALUES ({id}, '{ds}', 'T1', {value})"
    ));
}

/// A whole look, which is due.
async fn look(worker: &mut Worker) -> Look {
    assert!(worker.looks(), "no look is due");
    look_now(worker).await
}

fn warned(lines: &Lines, words: &str) -> usize {
    lines.take().iter().filter(|line| line.starts_with("WARN") && line.contains(words)).count()
}

#[tokio::test]
async fn a_verdict_dated_ahead_decides_nothing() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.python_output(&[("14 16:00", "T1", 1.0)]);
        bench
            .output()
            .execute(
                "INSERT INTO anomalies_detector (ds, variable, y) VALUES ('2099-01-01 00:00:00', 'T1', 1)",
                [],
            )
            .unwrap();
        bench.insert(&[("11:50", "T1", 2.0), ("11:55", "T1", 3.0)]);
        let report = bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 2, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.state().await.unwrap().watermark, Some(datetime("11:55")), "{layout:?}");
    }
}

#[tokio::test]
async fn a_reading_dated_ahead_is_judged_named_once_and_moves_no_watermark() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        bench.insert(&[("11:00", "T1", 1.0)]);
        bench.execute("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2099-01-01 00:00:00', 'T1', 2)");
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.insert(&[("11:30", "T1", 3.0), ("11:31", "T1", f64::NAN)]);
        let report = bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 1, nulls: 1, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.state().await.unwrap().watermark, Some(datetime("11:31")), "{layout:?}");
        assert_eq!(warned(&lines, "a reading of `T1` is dated ahead"), 1, "{layout:?}");
    }
}

#[tokio::test]
async fn ids_that_start_again_are_read_again() {
    for (why, after) in [("below what was read", 20), ("beyond what was read", 70)] {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(Layout::Keyed);
        (1..=50).for_each(|id| row(&bench, id, &format!("11:00:{id:02}"), "1"));
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.execute("DELETE FROM datos_proceso");
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        (1..=after).for_each(|id| row(&bench, id, &format!("11:{:02}:{:02}", 30 + id / 60, id % 60), "2"));
        let mut worker = bench.worker(echo().await);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, after as u64, "{why}");
        assert_eq!(warned(&lines, "ids of the input table have started again"), 1, "{why}");
        assert_eq!(worker.cycle(|| false).await.unwrap().rows, 0, "{why}: once");
    }
}

#[tokio::test]
async fn a_writer_in_a_lower_range_is_found_and_then_followed() {
    let bench = Fixture::new(Layout::Keyed);
    row(&bench, 1_000_000_000, "11:00", "1");
    let mut worker = bench.worker(echo().await);
    worker.cycle(|| false).await.unwrap();
    look(&mut worker).await;
    row(&bench, 7, "11:10", "2");
    worker.cycle(|| false).await.unwrap();
    assert!(!worker.looks(), "one was made just now");
    bench.now("13:00");
    row(&bench, 8, "12:10", "3");
    worker.cycle(|| false).await.unwrap();
    let found = look(&mut worker).await;
    assert_eq!((found.found, found.unjudged), (Causes { below: 2, ..Causes::default() }, 0));
    row(&bench, 9, "12:20", "4");
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "it is followed");
}

#[tokio::test]
async fn what_is_filled_in_or_committed_late_is_found() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("11:30", "T1", f64::NAN), ("11:40", "T1", 1.0), ("11:50", "T1", 2.0)]);
        let mut worker = bench.worker(echo().await);
        worker.cycle(|| false).await.unwrap();
        let first = look(&mut worker).await;
        assert_eq!((first.found.total(), first.rows.judged, first.rows.nulls), (0, 2, 1), "{layout:?}");
        bench.execute("UPDATE datos_proceso SET value = 99 WHERE value IS NULL");
        let mut other = bench.worker(echo().await);
        drop(worker);
        other.begin_look().await.unwrap();
        let again = look_now(&mut other).await;
        assert_eq!((again.found.total(), again.unjudged, again.rows.judged), (1, 0, 3), "{layout:?}");
        let expected = [("11:30", "T1", 99.0), ("11:40", "T1", 1.0), ("11:50", "T1", 2.0)];
        assert_eq!(bench.verdicts(), verdicts(&expected), "{layout:?}");
        let state = bench.state().await.unwrap();
        assert_eq!(state.counts, Counts { judged: 3, nulls: 1, ..Counts::default() }, "{layout:?}");
    }
}

async fn look_now(worker: &mut Worker) -> Look {
    loop {
        match worker.look().await.unwrap() {
            Slice::More => {}
            Slice::Done(look) => return look,
            Slice::NoIndex => unreachable!("there is an index"),
        }
    }
}

#[tokio::test]
async fn a_worker_that_began_days_ahead_judges_once_the_clock_is_right() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.now("18 12:00");
        bench.insert(&[("11:00", "T1", 1.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.now("12:00");
        bench.insert(&[("11:30", "T1", 2.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&[("11:00", "T1", 1.0), ("11:30", "T1", 2.0)]), "{layout:?}");
    }
}
