//! The number of shares changes, to and from none, while one of them lags.

use tests::fixture::{Fixture, Layout, echo, verdicts};

/// Runs cycles as this share, or as the only worker.
async fn work(bench: &mut Fixture, share: &str) {
    bench.settings.name = if share.is_empty() { "default".into() } else { format!("default {share}") };
    bench.settings.shard = (!share.is_empty()).then(|| share.parse().unwrap());
    bench.worker(echo().await).cycle(|| false).await.unwrap();
}

#[tokio::test]
async fn a_share_that_lags_loses_nothing_when_the_number_of_shares_changes() {
    for (before, ahead, after) in [
        (&["1/3", "2/3", "3/3"][..], &["1/3", "2/3"][..], &["1/2", "2/2"][..]),
        (&[""], &[], &["1/2", "2/2"]),
        (&["1/2", "2/2"], &["1/2"], &[""]),
        (&["1/2", "2/2"], &["2/2"], &["1/3", "2/3", "3/3"]),
    ] {
        let mut bench = Fixture::new(Layout::Keyed);
        let variables: Vec<_> = (0..12).map(|number| format!("T{number}")).collect();
        let rows = |short: &'static str| -> Vec<_> {
            variables.iter().map(|variable| (short, variable.as_str(), 1.0)).collect()
        };
        bench.now("10 12:00");
        bench.insert(&rows("10 11:30"));
        for share in before {
            work(&mut bench, share).await;
        }
        // One of them has stopped.
        bench.insert(&rows("11 11:30"));
        bench.insert(&rows("15 11:30"));
        bench.now("12:00");
        for share in ahead.iter().chain(after) {
            work(&mut bench, share).await;
        }
        let all: Vec<_> = [rows("10 11:30"), rows("11 11:30"), rows("15 11:30")].concat();
        assert_eq!(bench.verdicts(), verdicts(&all), "{before:?}, then {after:?}");
    }
}

/// Back to an earlier number of shares. Its rows of state are old, and readings that others have
/// judged since then are not judged again.
#[tokio::test]
async fn a_worker_that_comes_back_to_an_old_row_goes_on_from_there() {
    let mut bench = Fixture::new(Layout::Keyed);
    let rows = |short: &'static str| [(short, "T1", 1.0), (short, "T2", 2.0), (short, "T4", 3.0)];
    bench.now("10 12:00");
    bench.insert(&rows("10 11:30"));
    work(&mut bench, "").await;
    bench.now("11 12:00");
    bench.insert(&rows("11 11:30"));
    work(&mut bench, "1/2").await;
    work(&mut bench, "2/2").await;
    bench.insert(&rows("12 11:30"));
    bench.now("12 12:00");
    work(&mut bench, "1/2").await;
    bench.now("12:00");
    work(&mut bench, "").await;
    let all = [rows("10 11:30"), rows("11 11:30"), rows("12 11:30")].concat();
    assert_eq!(bench.verdicts(), verdicts(&all));
}
