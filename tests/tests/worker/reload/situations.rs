//! Each situation of the disk, as a table of steps.

use std::fs;
use std::time::{Duration, SystemTime};

use host::detector::BUILT_IN;
use tests::HOSTILE;
use tests::fixture::prophet_models;

use super::disk::Expected::{Ready, Refused, Same};
use super::disk::{Disk, Step, follow, rebuilt};

#[tokio::test]
async fn each_situation_of_the_disk_is_met() {
    let unchanged_time: fn(&Disk) = |disk| {
        // A file that is written twice within a second looks so on a file system with times in
        // whole seconds.
        let before = fs::metadata(disk.model("T1")).unwrap().modified().unwrap();
        disk.write("T1", "two");
        fs::File::options().write(true).open(disk.model("T1")).unwrap().set_modified(before).unwrap();
    };
    let situations: &[(&str, &[Step])] = &[
        ("rewritten in place", &[(|disk| disk.write("T1", "another"), Ready)]),
        (
            "replaced by a rename",
            &[(
                |disk| {
                    disk.write("T1.tmp", "two");
                    fs::rename(disk.model("T1.tmp"), disk.model("T1")).unwrap();
                },
                Ready,
            )],
        ),
        (
            "a module half-written, then whole",
            &[
                (
                    |disk| fs::write(disk.module(), &rebuilt()[..HOSTILE.len() / 2]).unwrap(),
                    Refused("detector.wasm` cannot be used: it does not compile: "),
                ),
                (|disk| fs::write(disk.module(), rebuilt()).unwrap(), Ready),
            ],
        ),
        (
            "a time that goes backwards, as after a rollback",
            &[(
                |disk| {
                    disk.write("T1", "two");
                    let file = fs::File::options().write(true).open(disk.model("T1")).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)).unwrap();
                },
                Ready,
            )],
        ),
        ("the same length in the same second", &[(unchanged_time, Ready)]),
        (
            "touched",
            &[(
                |disk| {
                    let file = fs::File::options().write(true).open(disk.model("T1")).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
                },
                Same,
            )],
        ),
        (
            "a model more, a model fewer",
            &[
                (|disk| disk.write("T2", ""), Ready),
                (|disk| fs::remove_file(disk.model("T2")).unwrap(), Ready),
            ],
        ),
        (
            "a model in use is broken: it stays, until it is mended or removed; a new one is only not used",
            &[
                (
                    |disk| disk.write("T1", "broken"),
                    Refused(
                        "`T1` cannot be used and `T1` would lose its model, mend the file or remove it: it is broken",
                    ),
                ),
                (|disk| disk.write("T1", "mended"), Ready),
                (|disk| disk.write("T2", "broken"), Ready),
                (|disk| disk.write("T2", "mended"), Ready),
            ],
        ),
        (
            "files that are no models",
            &[(
                |disk| {
                    for name in [".hidden", "T9.part", "T9.tmp", "T9~", "T9.bak", "T9.pkl"] {
                        disk.write(name, "x");
                    }
                },
                Same,
            )],
        ),
        (
            "the directory deleted and made again",
            &[
                (
                    |disk| fs::remove_dir_all(&disk.source.models).unwrap(),
                    Refused("models` cannot be read: "),
                ),
                (
                    |disk| {
                        fs::create_dir(&disk.source.models).unwrap();
                        disk.write("T1", "one");
                    },
                    Same,
                ),
                (|disk| disk.write("T1", "two"), Ready),
            ],
        ),
        (
            "bad, as it was, and bad again",
            &[
                (
                    |disk| fs::write(disk.module(), "garbage").unwrap(),
                    Refused("detector.wasm` cannot be used: it is not a WebAssembly component"),
                ),
                (|disk| fs::write(disk.module(), HOSTILE).unwrap(), Same),
                (
                    |disk| fs::write(disk.module(), "garbage").unwrap(),
                    Refused("detector.wasm` cannot be used: it is not a WebAssembly component"),
                ),
            ],
        ),
        (
            "another detector, and back",
            &[
                (
                    |disk| {
                        fs::copy(
                            prophet_models().join("prophet_model_TEMP_03.json"),
                            disk.model("prophet_model_T1.json"),
                        )
                        .unwrap();
                        fs::write(disk.module(), BUILT_IN).unwrap();
                    },
                    Ready,
                ),
                (|disk| fs::write(disk.module(), HOSTILE).unwrap(), Ready),
            ],
        ),
        (
            "a set that cannot be opened",
            &[
                (
                    |disk| disk.harm("open-trap"),
                    Refused("detector.wasm` failed while it was opened: the detector trapped: "),
                ),
                (|disk| disk.harm("open-spin"), Refused("opened: the detector did not answer within 1s")),
                (
                    |disk| disk.harm("open-settings"),
                    Refused("the detector refuses its settings: `threshold` is -1; it must be positive"),
                ),
                (
                    |disk| disk.harm("open-models"),
                    Refused("the detector refuses its models: `A/B` and `A_B` both stand for"),
                ),
                (|disk| disk.harm(""), Ready),
            ],
        ),
        (
            "a set that cannot judge the last committed batch",
            &[
                (
                    |disk| disk.harm("trap"),
                    Refused(
                        "detector.wasm` was tried on the last committed batch and failed: the detector trapped: ",
                    ),
                ),
                (|disk| disk.harm("inverted"), Refused("instant 0 has lower 353, expected 352, upper 351")),
                (|disk| fs::remove_file(disk.model("harm.json")).unwrap(), Same),
                (|disk| disk.harm("trap"), Refused("was tried on the last committed batch and failed")),
                (|disk| disk.harm("flood"), Ready),
            ],
        ),
    ];
    for (situation, steps) in situations {
        follow(situation, Disk::new().await, steps).await;
    }
}
