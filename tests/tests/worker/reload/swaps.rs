//! How a worker uses a new set: which set judges, and to which it returns.

use std::sync::Arc;

use host::detector::Detector;
use host::reload::{ReloadOutcome, ReloadSlots};
use tests::fixture::{at, engine, verdicts};
use tests::logs::Lines;

use super::disk::Disk;

/// A set may pass its canary and then fail at every batch. The set before is kept and judges them,
/// until the files change.
#[tokio::test]
async fn a_set_that_fails_after_its_canary_gives_way_to_the_one_before() {
    let (lines, _guard) = Lines::listen();
    let mut disk = Disk::new().await;
    disk.write("T2", "");
    let mut reloader = disk.reloader();
    let ReloadOutcome::Ready(good) = reloader.look().await else { panic!("two models") };
    assert_eq!(disk.judge().await, good);
    disk.harm("trap-below-zero");
    let ReloadOutcome::Ready(bad) = reloader.look().await else { panic!("it passes the canary") };
    disk.bench.insert(&[("11:00", "T1", -1.0), ("11:00", "T2", -2.0), ("11:00", "X", -3.0)]);
    lines.take();
    let report = disk.worker.cycle(|| false).await.unwrap();
    assert_eq!((report.counts.judged, report.counts.no_model, report.counts.set_aside), (2, 1, 0));
    let state = disk.bench.state().await.unwrap();
    assert_eq!((state.set_digest.as_deref(), state.set_aside.len()), (Some(good.as_str()), 0));
    assert!(disk.bench.verdicts().contains(&(at("11:00"), "T2".into(), -2.0)));
    let short = |digest: &str| digest[..12].to_owned();
    let expected = format!(
        "ERROR set {} cannot judge the new readings; set {} is in use again until the files change",
        short(&bad),
        short(&good)
    );
    assert_eq!(lines.take().iter().filter(|line| **line == expected).count(), 1);

    assert!(matches!(reloader.look().await, ReloadOutcome::Same), "the same files are not tried again");
    disk.write("T9.tmp", "");
    assert!(matches!(reloader.look().await, ReloadOutcome::Same), "nor when something beside them changes");
    assert_eq!(disk.judge().await, good);
    disk.harm("");
    assert!(matches!(reloader.look().await, ReloadOutcome::Ready(_)));
    assert_ne!(disk.judge().await, good);
}

/// Log and database may stand beside the models; files that the service writes there are no new set
/// and lead to no look.
#[tokio::test]
async fn the_services_own_files_are_no_models() {
    let mut disk = Disk::new().await;
    disk.source.own = vec![disk.model("worker.log"), disk.model("plant.sqlite")];
    let mut reloader = disk.reloader();
    for name in ["worker.log", "worker.log.1", "plant.sqlite", "plant.sqlite-wal"] {
        disk.write(name, "x");
    }
    assert!(matches!(reloader.look().await, ReloadOutcome::Same));
    disk.write("worker.logic", "x");
    assert!(matches!(reloader.look().await, ReloadOutcome::Ready(_)), "a name that only begins like one");
}

/// A worker that has just started tries a set on the last batch of the worker before it.
#[tokio::test]
async fn after_a_restart_a_new_set_is_tried_on_what_was_judged_before() {
    let mut disk = Disk::new().await;
    disk.bench.shared = ReloadSlots::default();
    let detector =
        Detector::open(&engine(), Arc::new(disk.source.read(&engine()).await.unwrap()), None).await.unwrap();
    disk.worker = disk.bench.worker(detector);
    disk.worker.cycle(|| false).await.unwrap();
    let mut reloader = disk.reloader();
    disk.harm("trap");
    let ReloadOutcome::Refused(error) = reloader.look().await else { panic!("it is tried") };
    assert!(error.to_string().contains("was tried on the last committed batch and failed"), "{error}");
}

/// Two reloads without a batch between them: the first has judged nothing, so the worker does not
/// return to it.
#[tokio::test]
async fn the_set_to_go_back_to_is_one_that_has_judged() {
    let mut disk = Disk::new().await;
    let good = disk.digest().await;
    let mut reloader = disk.reloader();
    for note in ["one", "two"] {
        disk.harm("trap-below-zero");
        disk.write("T2", note);
        assert!(matches!(reloader.look().await, ReloadOutcome::Ready(_)), "{note}");
        disk.worker.cycle(|| false).await.unwrap();
    }
    disk.bench.insert(&[("11:00", "T1", -1.0)]);
    assert_eq!(disk.worker.cycle(|| false).await.unwrap().counts.judged, 1);
    assert_eq!(disk.bench.state().await.unwrap().set_digest, Some(good));
}

/// After a swap only the new detector judges: no verdict is written twice.
#[tokio::test]
async fn a_swap_does_not_judge_again() {
    let mut disk = Disk::new().await;
    let mut reloader = disk.reloader();
    disk.write("T2", "");
    assert!(matches!(reloader.look().await, ReloadOutcome::Ready(_)));
    disk.bench.insert(&[("10:00", "T2", 1.0), ("10:00", "T1", 2.0)]);
    disk.worker.cycle(|| false).await.unwrap();
    assert_eq!(disk.bench.verdicts(), verdicts(&[("10:00", "T1", 352.0), ("10:00", "T2", 1.0)]));
}
