//! Compiled code is used if the file is as it was written, and else made again. Tested on the real
//! program, with whatever may happen to the file.

use std::fs;
use std::path::PathBuf;

use host::detector::BUILT_IN;

use crate::common::{Place, Ran};
use crate::linux::ALONE;

/// A place with a cache that has been used once.
struct Used {
    place: Place,
    said: String,
    entry: PathBuf,
    whole: Vec<u8>,
}

impl Used {
    fn new() -> Self {
        let place = Place::new();
        place.write("detector.wasm", BUILT_IN);
        let first = inspect(&place);
        assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{}", first.stdout);
        let entries: Vec<_> = fs::read_dir(place.path("cache/compiled")).unwrap().collect();
        let [Ok(entry)] = &entries[..] else { unreachable!("{entries:?}") };
        let entry = entry.path();
        Self { said: first.stdout, whole: fs::read(&entry).unwrap(), entry, place }
    }

    /// The program answers as before and has made the entry again.
    fn is_mended(&self, what: &str) {
        let ran = inspect(&self.place);
        assert_eq!((ran.code, &ran.stdout), (Some(0), &self.said), "{what}: {}", ran.stderr);
        assert!(fs::read(&self.entry).unwrap() == self.whole, "{what}: not made anew");
        assert_eq!(fs::read_dir(self.place.path("cache/compiled")).unwrap().count(), 1, "{what}");
    }
}

fn inspect(place: &Place) -> Ran {
    let mut command = place.command(&["detector", "inspect", "detector.wasm"]);
    // Systemd may give several directories. The first is used.
    let directories = [place.path("cache"), place.path("other")];
    Ran::of(&command.env("CACHE_DIRECTORY", std::env::join_paths(directories).unwrap()).output().unwrap())
}

/// A sample of all bits, spread over the file, and what a power cut leaves.
#[test]
fn a_damaged_entry_is_made_anew() {
    let _alone = ALONE.blocking_lock();
    let used = Used::new();
    let length = used.whole.len();
    for sample in 0..8usize {
        let bit = sample * length + sample * 13;
        let mut damaged = used.whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&used.entry, damaged).unwrap();
        used.is_mended(&format!("bit {bit}"));
    }
    let mut zeros = used.whole.clone();
    zeros[length / 2..][..4096].fill(0);
    for (what, damaged) in [("empty", &[][..]), ("half", &used.whole[..length / 2]), ("zeros", &zeros)] {
        fs::write(&used.entry, damaged).unwrap();
        used.is_mended(what);
    }
}

/// What is left of a process that was ended at the first use of an entry.
#[test]
fn a_crash_does_not_come_back_at_each_start() {
    let _alone = ALONE.blocking_lock();
    let used = Used::new();
    fs::write(used.entry.with_extension("trial"), "tried\n").unwrap();
    used.is_mended("a mark");
    used.is_mended("nothing");
}

#[test]
fn a_service_says_once_what_it_makes_anew() {
    let _alone = ALONE.blocking_lock();
    let place = Place::new();
    let run = || {
        let mut command = place.command(&["run", "--once"]);
        let ran = Ran::of(&command.env("ANOMALY_DETECTOR_CACHE_DIR", place.path("cache")).output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr.lines().filter(|line| line.contains("made anew")).count()
    };
    assert_eq!(run(), 0);
    for entry in fs::read_dir(place.path("cache/compiled")).unwrap() {
        fs::write(entry.unwrap().path(), "nothing of the kind").unwrap();
    }
    assert_eq!((run(), run()), (1, 0));
}
