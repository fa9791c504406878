//! Pipes, directories and other things in the place of each file that the program reads besides
//! module and models. It says so in a line and ends, or continues without the file, and never
//! waits.

#![cfg(unix)]
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{LONGEST_WAIT, Place, Ran, VARIABLES, signal, wait};
use rustix::process::Signal;

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The result of a command, which must not wait for ever.
fn ended(command: &mut Command) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > LONGEST_WAIT {
            child.kill().unwrap();
            let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr).into_owned();
            panic!("{command:?} does not end\n{said}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let place = Place::new();
    pipe(&place.path("pipe"));
    pipe(&place.path("pipe.yaml"));
    let long = place.path("long");
    fs::File::create(&long).unwrap().set_len((4 << 20) + 1).unwrap();
    let server = |key: &str, file: &str| {
        format!(
            "[input]\nserver = \"127.0.0.1,1\"\ndatabase = \"p\"\nuser = \"u\"\n{key} = \"{file}\"\n[log]\nfile = \"\"\n"
        )
    };
    place.write("password.toml", server("password_file", "pipe"));
    place.write("authority.toml", server("password = \"p\"\nca_file", "pipe"));
    place.write("long.toml", server("password_file", "long"));
    let no_pipe = "it is a named pipe, and only regular files are read";
    let too_long = "it has 4.0 MiB and at most 4 MiB are read";
    for (arguments, code, words) in [
        (&["run", "--once", "--config", "pipe"][..], 2, no_pipe),
        (&["check", "--config", "pipe.yaml"], 2, no_pipe),
        (&["run", "--once", "--config", "long"], 2, too_long),
        (&["run", "--once", "--config", "password.toml"], 1, no_pipe),
        (&["run", "--once", "--config", "authority.toml"], 1, no_pipe),
        (&["run", "--once", "--config", "long.toml"], 1, too_long),
        (&["run", "--once", "--database", "pipe"], 1, "this is a named pipe and no database"),
        (&["check", "--database", "pipe"], 1, "this is a named pipe and no database"),
    ] {
        let mut command = place.command(arguments);
        if arguments.contains(&"--config") {
            command.env_remove("ANOMALY_INPUT_DATABASE");
        }
        let ran = ended(&mut command);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

/// A pipe can be imported. While nobody writes to it, the first signal ends the command.
#[test]
fn a_stop_ends_an_import_that_waits_for_a_pipe() {
    let place = Place::new();
    pipe(&place.path("pipe"));
    for input in ["pipe", "-"] {
        let mut importing: Child = place
            .command(&["import", input])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let id = importing.id().to_string();
        // It listens to signals once it catches them.
        let catches = || {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
            u64::from_str_radix(caught.trim(), 16).unwrap_or(0) >> 14 & 1 == 1
        };
        wait("it listens", catches);
        signal(importing.id(), Signal::TERM);
        wait("its end", || importing.try_wait().unwrap().is_some());
        assert_eq!(importing.wait().unwrap().code(), Some(1), "{input}");
    }
}

/// Compacted models are kept in a file of their own. There may be anything in its place.
#[test]
fn what_stands_in_the_place_of_kept_models_is_not_used() {
    let place = Place::new();
    place.readings(&VARIABLES, 1);
    let cache = place.path("cache");
    let run = || {
        let ran = ended(place.command(&["run", "--once"]).env("ANOMALY_DETECTOR_CACHE_DIR", &cache));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("6 models loaded"), "{}", ran.stderr);
        ran.stderr.lines().filter(|line| line.contains("WARNING") && line.contains("cache")).count()
    };
    assert_eq!(run(), 0);
    let packs = cache.join("models");
    let pack = fs::read_dir(&packs).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read(&pack).unwrap();
    let anew = |what: &str, lines: usize, make: &dyn Fn()| {
        fs::remove_file(&pack).unwrap();
        make();
        assert_eq!(run(), lines, "{what}");
        assert!(fs::metadata(&pack).unwrap().is_file() && fs::read(&pack).unwrap() == kept, "{what}");
    };
    anew("a pipe", 1, &|| pipe(&pack));
    anew("more than there ever is", 1, &|| fs::File::create(&pack).unwrap().set_len(20 << 30).unwrap());
    anew("a link", 1, &|| {
        fs::write(place.path("elsewhere"), &kept).unwrap();
        std::os::unix::fs::symlink(place.path("elsewhere"), &pack).unwrap();
    });
    let all = |mode| fs::set_permissions(&packs, fs::Permissions::from_mode(mode)).unwrap();
    all(0o777);
    assert_eq!(run(), 1, "a directory that others can write");
    all(0o700);
    assert_eq!(run(), 0);
}

/// A directory may hold other things as well, say the user's own models: the program must not
/// remove them.
#[test]
fn files_of_others_stay_in_a_cache_directory() {
    let place = Place::new();
    place.readings(&VARIABLES, 1);
    place.copy_models(&[]);
    fs::create_dir(place.path("compiled")).unwrap();
    let own = |directory: &str| {
        (0..40)
            .map(|number| place.write(&format!("{directory}/mine {number}.txt"), "mine"))
            .collect::<Vec<_>>()
    };
    let mine = [own("models"), own("compiled")].concat();
    for directory in ["models", "compiled", "."] {
        fs::set_permissions(place.path(directory), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let ran =
        ended(place.command(&["run", "--once", "--models", "models"]).env("ANOMALY_DETECTOR_CACHE_DIR", "."));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let gone: Vec<_> = mine.iter().filter(|file| !file.exists()).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
