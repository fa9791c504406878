//! The lookback of a detector with state: which detectors get it, how much of it, and that it never
//! blocks the service.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use host::detector::{Detector, Module};
use tests::fixture::{Fixture, Layout, counted, described, open_set, told, verdicts};
use tests::logs::Lines;

const HOUR: Duration = Duration::from_secs(3600);

const BEFORE: [(&str, &str, f64); 4] =
    [("10:00", "T1", 1.0), ("10:05", "T2", 2.0), ("10:30", "T1", -3.0), ("10:50", "T2", 4.0)];
const NEW: (&str, &str, f64) = ("10:55", "T1", 5.0);

/// A detector with a lookback of an hour.
fn looks_back() -> Module {
    described(7, HOUR)
}

async fn opened(module: Module, harm: &str) -> Detector {
    open_set(told(module, &format!(r#"{{"do": "{harm}"}}"#))).await
}

/// A bench where a detector without state has judged the readings before.
async fn judged_before() -> Fixture {
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&BEFORE);
    bench.worker(opened(described(0, Duration::ZERO), "").await).cycle(|| false).await.unwrap();
    bench
}

/// How many readings the detector has seen, as far as its stored state goes.
async fn seen(bench: &Fixture) -> u64 {
    counted(&bench.state().await.unwrap().checkpoint.unwrap())
}

#[tokio::test]
async fn a_detector_is_shown_what_it_asks_for_at_a_start_and_at_a_swap() {
    for hot in [false, true] {
        for (lookback, shown) in
            [(Duration::ZERO, 0), (HOUR / 3, 2), (HOUR, 4), (Duration::from_micros(u64::MAX), 4)]
        {
            let bench = judged_before().await;
            bench.insert(&[NEW]);
            let module = described(7, lookback);
            let mut worker = if hot {
                let worker = bench.worker(opened(described(0, Duration::ZERO), "").await);
                bench.shared.set_ready(opened(module, "").await);
                worker
            } else {
                bench.worker(opened(module, "").await)
            };
            assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
            assert_eq!(seen(&bench).await, shown + 1, "hot: {hot}, {lookback:?}");
            let mut all = BEFORE.to_vec();
            all.push(NEW);
            assert_eq!(bench.verdicts(), verdicts(&all), "what is shown is not judged again");
            // From then on it has a checkpoint.
            bench.insert(&[("11:00", "T1", 6.0)]);
            worker.cycle(|| false).await.unwrap();
            assert_eq!(seen(&bench).await, shown + 2, "hot: {hot}, {lookback:?}");
        }
    }
}

/// Nothing is judged yet. The readings before the beginning are the lookback, and the others are
/// judged.
#[tokio::test]
async fn the_first_start_has_a_lookback_too() {
    for (lookback, shown) in [(Duration::ZERO, 0), (HOUR, 1), (48 * HOUR, 3)] {
        let bench = Fixture::new(Layout::Keyed);
        bench.insert(&[("13 11:30", "T1", 1.0), ("14 10:30", "T1", 2.0), ("14 11:30", "T1", 3.0), NEW]);
        let mut worker = bench.worker(opened(described(7, lookback), "").await);
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
        assert_eq!(seen(&bench).await, shown + 1, "{lookback:?}");
        assert_eq!(bench.verdicts(), verdicts(&[NEW]));
    }
}

/// A failure at one variable does not affect the others. If it fails at all of them, there is no
/// lookback, and nothing else is lost.
#[tokio::test]
async fn a_detector_that_fails_at_its_lookback_judges_all_the_same() {
    for (harm, shown) in [("trap-below-zero", 2), ("spin-below-zero", 2)] {
        let bench = judged_before().await;
        bench.insert(&[NEW]);
        let (lines, _guard) = Lines::listen();
        let mut worker = bench.worker(opened(looks_back(), harm).await);
        assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "{harm}");
        assert_eq!(seen(&bench).await, shown + 1, "{harm}: {:#?}", lines.take());
    }
    let bench = Fixture::new(Layout::Keyed);
    bench.insert(&[("10:00", "T1", -1.0)]);
    bench.worker(opened(described(0, Duration::ZERO), "").await).cycle(|| false).await.unwrap();
    bench.insert(&[NEW]);
    let (lines, _guard) = Lines::listen();
    let mut worker = bench.worker(opened(looks_back(), "trap-below-zero").await);
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
    assert_eq!(seen(&bench).await, 1);
    let cold = "WARN the detector fails at the earlier readings, and starts without them: ";
    assert_eq!(lines.take().iter().filter(|line| line.starts_with(cold)).count(), 1);
}

/// If there is no time for it, a detector judges with the readings that it has seen.
#[tokio::test]
async fn a_lookback_has_a_budget_of_time() {
    let mut bench = judged_before().await;
    bench.settings.patience = Duration::ZERO;
    bench.insert(&[NEW]);
    let (lines, _guard) = Lines::listen();
    let mut worker = bench.worker(opened(looks_back(), "").await);
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1);
    assert_eq!(seen(&bench).await, 1);
    assert_eq!(
        lines.take().iter().filter(|line| line.contains("takes too long over the earlier readings")).count(),
        1
    );
}

/// A detector spins at its lookback. After the current call a stop ends it, and a set that is ready
/// replaces it.
#[tokio::test]
async fn a_stop_and_a_set_that_is_ready_end_it() {
    for stopped in [true, false] {
        let bench = judged_before().await;
        bench.insert(&[NEW]);
        let asked = AtomicUsize::new(0);
        let shared = bench.shared.clone();
        let good = std::sync::Mutex::new(Some(opened(looks_back(), "").await));
        let begun = Instant::now();
        let mut worker = bench.worker(opened(looks_back(), "spin").await);
        let report = worker
            .cycle(|| {
                // The first time is before the first call, the second after it.
                let second = asked.fetch_add(1, Ordering::Relaxed) == 1;
                if second && !stopped {
                    good.lock().unwrap().take().into_iter().for_each(|good| shared.set_ready(good));
                }
                second && stopped
            })
            .await
            .unwrap();
        assert_eq!((report.stopped, report.counts.judged), (stopped, u64::from(!stopped)));
        if !stopped {
            assert_eq!(seen(&bench).await, 5);
        }
        // One deadline is a second; a search through the variables would take several.
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
