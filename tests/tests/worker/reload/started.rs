//! The set with which a service starts if its files are not the set that judged last.

use std::fs;
use std::time::Duration;

use host::reload::{LastGood, ReloadOutcome, ReloadSlots, Reloader, Start};
use tests::fixture::engine;
use tests::logs::Lines;

use super::disk::Disk;

/// A worker whose set has judged and is kept.
async fn kept() -> (Disk, LastGood, String) {
    let mut disk = Disk::new().await;
    let last_good = LastGood::new(&disk.bench.dir().join("state"), "default", &disk.source);
    disk.bench.shared = ReloadSlots::keeping(last_good.clone());
    restart(&mut disk, &last_good).await;
    let good = disk.judge().await;
    last_good.finish().await;
    (disk, last_good, good)
}

/// The worker of a new process, with its reloader.
async fn restart(disk: &mut Disk, last_good: &LastGood) -> Reloader {
    disk.bench.shared = ReloadSlots::keeping(last_good.clone());
    let Start { detector, before, refused } =
        Start::open(&engine(), &disk.source, Some(last_good)).await.unwrap();
    let reloader = Reloader::new(engine(), disk.source.clone(), disk.bench.shared.clone(), &detector)
        .refused_at_start(refused);
    disk.worker = disk.bench.worker(detector).after(before);
    reloader
}

/// New files that no reload has tried are tried by their first batch.
#[tokio::test]
async fn a_set_that_judges_nothing_gives_way_to_what_is_kept() {
    let (mut disk, last_good, good) = kept().await;
    disk.harm("trap");
    let mut reloader = restart(&mut disk, &last_good).await;
    assert_ne!(disk.worker.detector().set().digest, good, "it opens");
    let (lines, _guard) = Lines::listen();
    assert_eq!(disk.judge().await, good);
    let back = |line: &String| {
        line.starts_with("ERROR set ") && line.contains("is in use again until the files change")
    };
    assert_eq!(lines.take().iter().filter(|line| back(line)).count(), 1);
    assert!(matches!(reloader.look().await, ReloadOutcome::Same), "it is known");
    let refused = disk.bench.state().await.unwrap().models.unwrap().refused;
    assert!(refused.is_some_and(|why| why.contains("could not judge the new readings")));
    disk.harm("");
    assert!(matches!(reloader.look().await, ReloadOutcome::Ready(_)));
    assert_ne!(disk.judge().await, good);
    assert_eq!(disk.bench.state().await.unwrap().models.unwrap().refused, None);
}

/// The reload loop continues with what the start found: it is logged once, and a mended set is
/// used.
#[tokio::test]
async fn what_a_start_refused_is_looked_at_as_it_changes() {
    let (mut disk, last_good, good) = kept().await;
    for broken in
        [|disk: &Disk| disk.write("T1", "broken"), |disk: &Disk| fs::remove_file(disk.module()).unwrap()]
    {
        let module = fs::read(disk.module()).unwrap();
        broken(&disk);
        let (lines, _guard) = Lines::listen();
        let mut reloader = restart(&mut disk, &last_good).await;
        let errors =
            lines.take().into_iter().filter(|line| line.starts_with("ERROR the files cannot be used: "));
        assert_eq!(errors.count(), 1);
        assert!(matches!(reloader.look().await, ReloadOutcome::Same), "it is said once");
        assert_eq!(disk.judge().await, good);
        fs::write(disk.module(), module).unwrap();
        disk.write("T1", "one");
        assert!(matches!(reloader.look().await, ReloadOutcome::Same), "they are what is in use");
        assert_eq!(disk.bench.shared.refused(), None);
    }
}

/// A share that does not answer, here a `compact` that spins, does not delay a start that has a
/// kept set.
#[tokio::test]
async fn a_start_does_not_wait_for_what_hangs() {
    let (disk, last_good, good) = kept().await;
    disk.write("T2", "compact spin");
    let patience = Duration::from_millis(100);
    let start = Start::open_within(patience, &engine(), &disk.source, Some(&last_good)).await.unwrap();
    assert_eq!(start.detector.set().digest, good);
    let why = start.refused.unwrap().error.to_string();
    assert!(why.contains("has made no step for 100ms: a share that does not answer?"), "{why}");
}

/// If a model was removed, that is intended. If a new one is broken, only it is left out.
#[tokio::test]
async fn a_start_takes_what_a_reload_would() {
    let (mut disk, last_good, good) = kept().await;
    disk.write("T2", "broken");
    restart(&mut disk, &last_good).await;
    assert_eq!(disk.bench.shared.refused(), None);
    assert_ne!(disk.judge().await, good);
    last_good.finish().await;
    fs::remove_file(disk.model("T2")).unwrap();
    disk.write("T3", "three");
    fs::remove_file(disk.model("T1")).unwrap();
    restart(&mut disk, &last_good).await;
    assert_eq!(disk.bench.shared.refused(), None);
}
