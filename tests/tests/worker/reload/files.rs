//! Things that are no regular files, files that cannot be read, and files that are not the
//! detector's: how a look and a start treat them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use host::detector::{Detector, Engine, Limits};
use host::reload::ReloadOutcome;
use tests::fixture::engine;

use super::disk::Disk;
use super::disk::Expected::{Ready, Refused, Same};
use super::disk::{Step, follow};

fn pipe(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[tokio::test]
async fn what_is_no_regular_file_costs_itself() {
    let situations: &[(&str, &[Step])] = &[
        (
            "a pipe comes and goes, and the next model is taken up",
            &[
                (|disk| pipe(&disk.model("T2")), Ready),
                (|disk| fs::remove_file(disk.model("T2")).unwrap(), Ready),
                (|disk| disk.write("T2", "two"), Ready),
            ],
        ),
        (
            "a pipe in place of a model in use",
            &[
                (
                    |disk| {
                        fs::remove_file(disk.model("T1")).unwrap();
                        pipe(&disk.model("T1"));
                    },
                    Refused(
                        "`T1` cannot be used and `T1` would lose its model, mend the file or remove it: it is broken",
                    ),
                ),
                (
                    |disk| {
                        fs::remove_file(disk.model("T1")).unwrap();
                        disk.write("T1", "two");
                    },
                    Ready,
                ),
            ],
        ),
        (
            "others of the kind",
            &[
                (|disk| symlink("/dev/zero", disk.model("T2")).unwrap(), Ready),
                (|disk| fs::create_dir(disk.model("T3")).unwrap(), Ready),
                (|disk| drop(UnixListener::bind(disk.model("T4")).unwrap()), Ready),
                (|disk| symlink("nowhere", disk.model("T5")).unwrap(), Ready),
            ],
        ),
        (
            "a pipe in place of the module",
            &[
                (
                    |disk| {
                        fs::rename(disk.module(), disk.module().with_extension("kept")).unwrap();
                        pipe(disk.module());
                    },
                    Refused(
                        "detector.wasm` cannot be read: it is a named pipe, and only regular files are read",
                    ),
                ),
                (
                    |disk| {
                        fs::remove_file(disk.module()).unwrap();
                        symlink("/dev/zero", disk.module()).unwrap();
                    },
                    Refused("detector.wasm` cannot be read: it is a device, and only regular files are read"),
                ),
                (
                    |disk| {
                        fs::remove_file(disk.module()).unwrap();
                        fs::rename(disk.module().with_extension("kept"), disk.module()).unwrap();
                    },
                    Same,
                ),
            ],
        ),
        (
            "files that the detector passes over are no part of its set, whatever stands in them",
            &[
                (
                    |disk| {
                        for name in ["README", "Thumbs.db", "prophet_model_T1.json.filepart"] {
                            disk.write(name, "passed over");
                        }
                    },
                    Same,
                ),
                (|disk| fs::remove_file(disk.model("README")).unwrap(), Same),
                // Until it is whole.
                (|disk| disk.write("Thumbs.db", "a model"), Ready),
            ],
        ),
    ];
    for (situation, steps) in situations {
        follow(situation, Disk::new().await, steps).await;
    }
}

/// The detector is opened from what could be read, and says what it could not.
#[tokio::test]
async fn a_start_names_the_file_and_the_others_judge() {
    let disk = Disk::new().await;
    disk.write("T2", "two");
    pipe(&disk.model("T3"));
    fs::set_permissions(disk.model("T2"), fs::Permissions::from_mode(0o000)).unwrap();
    // Root can read it.
    let readable = fs::read(disk.model("T2")).is_ok();
    let set = disk.source.read_at_start(&engine()).await.unwrap();
    let unread: Vec<_> = set.unread.iter().map(|file| (file.path.as_str(), file.why.as_str())).collect();
    let pipe = ("T3", "it is a named pipe, and only regular files are read");
    let denied = ("T2", "Permission denied (os error 13)");
    assert_eq!(unread, if readable { vec![pipe] } else { vec![denied, pipe] });
    let detector = Detector::open(&engine(), Arc::new(set), None).await.unwrap();
    let loaded: Vec<_> = detector.summary().loaded().map(|model| model.path.as_str()).collect();
    assert_eq!(loaded, if readable { vec!["T1", "T2"] } else { vec!["T1"] });
}

/// An archive from a system with another code page: names whose bytes are no text look the same,
/// and are different.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_no_text_cost_their_files_alone() {
    use std::os::unix::ffi::OsStrExt;
    let disk = Disk::new().await;
    for name in [&b"presi\xf3n"[..], b"presi\xf2n"] {
        fs::write(disk.model(".").join(std::ffi::OsStr::from_bytes(name)), "a model").unwrap();
    }
    let set = disk.source.read_at_start(&engine()).await.unwrap();
    let unread: Vec<_> = set.unread.iter().map(|file| (file.path.as_str(), file.why.as_str())).collect();
    let why = "its name holds bytes that are no text (UTF-8); rename it";
    assert_eq!(unread, [(r"presi\xF2n", why), (r"presi\xF3n", why)]);
    let detector = Detector::open(&engine(), Arc::new(set), None).await.unwrap();
    let loaded: Vec<_> = detector.summary().loaded().map(|model| model.path.as_str()).collect();
    assert_eq!(loaded, ["T1"]);
}

#[tokio::test]
async fn each_file_and_all_together_have_a_limit() {
    let disk = Disk::new().await;
    let limited = |limits: Limits| Engine::new(limits, None).unwrap();
    disk.write("T2", [0; 2000]);
    let small = limited(Limits { model_file: 1999, ..Limits::default() });
    let set = disk.source.read(&small).await.unwrap();
    assert_eq!(set.unread.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["T2"]);
    assert!(set.unread[0].why.ends_with("are read (`model_mib` of `[detector]`)"), "{}", set.unread[0].why);
    let refused =
        async |limits: Limits| disk.source.read(&limited(limits)).await.map(|_| ()).unwrap_err().to_string();
    let all = refused(Limits { model_files: 2000, ..Limits::default() }).await;
    assert!(all.contains("or raise `models_mib` of `[detector]`"), "{all}");
    let module = refused(Limits { module_file: 1000, ..Limits::default() }).await;
    assert!(module.ends_with("are read (`module_mib` of `[detector]`)"), "{module}");
}

/// A file that somebody is still writing: a reload waits for it, a start does not wait for ever. A
/// file of the kernel's is always longer than it says.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_grows_is_left_out_of_a_start_and_taken_up_later() {
    let disk = Disk::new().await;
    symlink("/proc/self/status", disk.model("T2")).unwrap();
    let set = disk.source.read_at_start(&engine()).await.unwrap();
    let unread: Vec<_> = set.unread.into_iter().map(|file| (file.path, file.why)).collect();
    assert_eq!(unread, [("T2".to_owned(), "it changed while it was read".to_owned())]);
    let mut reloader = disk.reloader();
    let look = reloader.look().await;
    assert!(matches!(look, ReloadOutcome::Unsettled(_)), "{look:?}");
    fs::remove_file(disk.model("T2")).unwrap();
    disk.write("T2", "two");
    let look = reloader.look().await;
    assert!(matches!(look, ReloadOutcome::Ready(_)), "{look:?}");
}
