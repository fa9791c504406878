//! Looks that are asked for. The loop's own timer is an hour away.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use host::reload::watch::{Timing, Watch};
use host::reload::{Answer, Found};
use tests::logs::Lines;

use super::disk::Disk;

const FAR: Duration = Duration::from_secs(3600);

/// Sets the times of the files to long ago.
fn rest(disk: &Disk) {
    let models = fs::read_dir(&disk.source.models).unwrap().map(|entry| entry.unwrap().path());
    for path in models.chain([disk.module().to_owned(), disk.source.models.clone()]) {
        fs::File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
}

#[tokio::test]
async fn who_asks_is_told_what_came_of_it() {
    let disk = Disk::new().await;
    let good = disk.digest().await;
    // Events lead to no look, because the loop waits an hour after a hint.
    let watch = Watch::start(disk.reloader(), Timing { quiet: FAR, period: FAR });
    let asker = watch.asker();
    let told = |set: &str, found: Found| Some(Answer { set: set.to_owned(), found });
    assert_eq!(asker.look().await, told(&good, Found::Same));
    disk.write("T2", "two");
    let next = disk.digest().await;
    assert_ne!(next, good);
    assert_eq!(asker.look().await, told(&next, Found::Ready));
    assert_eq!(asker.look().await, told(&next, Found::Same));
    disk.write("T1", "broken");
    rest(&disk);
    let why = "`T1` cannot be used and `T1` would lose its model, mend the file or remove it: it is broken";
    // Everyone who asks is told it, also after it was logged.
    for _ in 0..2 {
        assert_eq!(asker.look().await, told(&next, Found::Refused(why.to_owned())));
    }
    disk.write("T1", "one");
    assert_eq!(asker.look().await, told(&next, Found::Same));
    let several = tokio::join!(asker.look(), asker.look(), asker.look());
    assert_eq!(several.0, told(&next, Found::Same));
    assert!(several.0 == several.1 && several.1 == several.2);
}

/// A file that was written just now may be incomplete. It is not refused before it is two seconds
/// old by the reloader's clock, however old it is by this machine's.
#[tokio::test]
async fn a_look_in_the_middle_of_a_copy_waits_for_its_end() {
    let disk = Disk::new().await;
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30);
    let reloader = disk.reloader().by_file_clock(Arc::new(move || written + Duration::from_secs(1)));
    let watch = Watch::start(reloader, Timing { quiet: FAR, period: FAR });
    let (lines, _guard) = Lines::listen();
    disk.write("T1", "broken");
    fs::File::open(disk.model("T1")).unwrap().set_modified(written).unwrap();
    let first = tokio::spawn({
        let asker = watch.asker();
        async move { asker.look().await }
    });
    while !lines.take().iter().any(|line| line.starts_with("DEBUG `T1` cannot be used")) {
        assert!(!first.is_finished(), "it is answered before the copy has ended");
        tokio::task::yield_now().await;
    }
    disk.write("T1", "whole");
    let expected = Some(Answer { set: disk.digest().await, found: Found::Ready });
    assert_eq!(watch.asker().look().await, expected);
    assert_eq!(first.await.unwrap(), expected);
    assert!(!lines.take().iter().any(|line| line.starts_with("ERROR")));
}
