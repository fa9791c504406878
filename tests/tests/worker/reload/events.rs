//! The loop, woken by the system's events. Its own timer is an hour away.

use std::fs;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use host::reload::watch::{Timing, Watch};
use tests::logs::Lines;

use super::disk::Disk;
#[cfg(unix)]
use super::links;

/// How often something is looked for, with 10 ms in between: for minutes. It only ends a test that
/// would wait for ever.
const TRIES: u32 = 18_000;

/// Waits for the watch to have a detector of the set on disk ready; the system decides when the
/// events come.
async fn ready(disk: &Disk) -> bool {
    let wanted = disk.digest().await;
    for _ in 0..TRIES {
        if disk.bench.shared.take_ready().is_some_and(|detector| detector.set().digest == wanted) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// The loop with the system's events. Its own timer is an hour away.
#[tokio::test]
async fn file_events_wake_the_loop() {
    let pace = Timing { quiet: Duration::from_millis(50), period: Duration::from_secs(3600) };
    let (lines, _guard) = Lines::listen();
    let disk = Disk::new().await;
    let _watch = Watch::start(disk.reloader(), pace);
    // What changes before the watch is set is found by its first look.
    lines.take();

    disk.write("T1.tmp", "two");
    fs::rename(disk.model("T1.tmp"), disk.model("T1")).unwrap();
    assert!(ready(&disk).await, "a rename over a file");
    let expected = format!(
        "INFO a new detector is ready and judges the next batch (set {})",
        &disk.digest().await[..12]
    );
    assert!(lines.take().contains(&expected));

    fs::remove_dir_all(&disk.source.models).unwrap();
    let mut said = Vec::new();
    for _ in 0..TRIES {
        said.extend(lines.take());
        if said.iter().any(|line| line.starts_with("ERROR")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        said.iter().any(|line| line
            .starts_with("ERROR the files changed and cannot be used, the detector in use stays: `")),
        "{said:#?}"
    );
    fs::create_dir(&disk.source.models).unwrap();
    disk.write("T1", "three");
    assert!(ready(&disk).await, "a directory made again");
    disk.write("T1", "four");
    assert!(ready(&disk).await, "and a file in it");
}

#[cfg(unix)]
#[tokio::test]
async fn swapped_links_wake_the_loop() {
    let pace = Timing { quiet: Duration::from_millis(50), period: Duration::from_secs(3600) };
    let disk = Disk::with_models(links::releases).await;
    let _watch = Watch::start(disk.reloader(), pace);
    for release in ["release-2", "release-1"] {
        links::point(&disk.source.models, Path::new(release));
        assert!(ready(&disk).await, "a link to {release}");
    }

    let disk = Disk::with_models(links::config_map).await;
    let _watch = Watch::start(disk.reloader(), pace);
    links::update(&disk.source.models);
    assert!(ready(&disk).await, "a ConfigMap");
}

/// Reading that does not return, here because `compact` spins. The detector in use is not affected,
/// and later files are read.
#[tokio::test]
async fn reading_that_hangs_is_left_behind_and_tried_again() {
    let (lines, _guard) = Lines::listen();
    let mut disk = Disk::new().await;
    disk.write("T2", "compact spin");
    let pace = Timing { quiet: Duration::from_millis(10), period: Duration::from_millis(50) };
    let _watch = Watch::start(disk.reloader().patient_for(Duration::from_millis(100)), pace);
    let mut said = Vec::new();
    said_sometime(&lines, &mut said, "ERROR reading the module and the models has made no step for 100ms")
        .await;
    let in_use = disk.judge().await;
    fs::remove_file(disk.model("T2")).unwrap();
    said_sometime(&lines, &mut said, "INFO the module and the models can be read again").await;
    disk.write("T3", "three");
    assert!(ready(&disk).await, "what comes later");
    assert_ne!(disk.digest().await, in_use);
}

async fn said_sometime(lines: &Lines, said: &mut Vec<String>, line: &str) {
    for _ in 0..TRIES {
        said.extend(lines.take());
        if said.iter().any(|said| said.starts_with(line)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never said: {line}\n{said:#?}");
}
