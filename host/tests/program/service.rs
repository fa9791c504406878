//! What may happen to a service that runs unattended: consoles that do not read, full disks, limits
//! of the system, other users' access to its files.

#![cfg(unix)]
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{Place, Ran, VARIABLES, signal, untimed, wait};
use rustix::process::Signal;

const VERDICTS: &str = "SELECT count(*) FROM anomalies_detector";

/// Killed at the end of the test, even if it fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A reader that closes the pipe is no error. Text that could not be printed is one.
#[test]
fn what_cannot_be_printed_is_no_panic() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    assert_eq!(place.run(&["run", "--once"]).code, Some(0));
    for arguments in [
        ["status"].as_slice(),
        &["status", "--json"],
        &["check"],
        &["schema"],
        &["export", "--from", "2020-01-01", "--to", "2100-01-01"],
        &["reconcile"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = place.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(0), "{arguments:?} | head: {said}");
        assert!(!said.contains("panicked") && !said.contains("error"), "{arguments:?} | head: {said}");
        if arguments == ["reconcile"] || !std::path::Path::new("/dev/full").exists() {
            continue;
        }
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = place.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{arguments:?} > /dev/full: {said}");
        assert!(!said.contains("panicked") && said.contains("No space left"), "{arguments:?}: {said}");
    }
}

/// A pipe whose reader does not read. A terminal after Ctrl+S is the same to the writer.
#[test]
fn a_console_that_takes_nothing_stops_no_cycle() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // What is more than a pipe can hold waits for a reader, in a thread that ends with the pipe.
    let mut filled = writer.try_clone().unwrap();
    let fill = std::thread::spawn(move || drop(filled.write_all(&[b'x'; 1 << 20])));
    wait("the pipe is full", || rustix::io::ioctl_fionread(&reader).is_ok_and(|held| held >= 1 << 16));
    let mut child = Killed(
        place
            .command(&["run", "--interval", "1s"])
            .stdout(Stdio::null())
            .stderr(writer.try_clone().unwrap())
            .spawn()
            .unwrap(),
    );
    wait("verdicts", || place.number(VERDICTS) == Some(12));
    place.sql(
        "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (datetime('now', 'localtime'), 'VIBRACION', 3)",
    );
    wait("the next verdict", || place.number(VERDICTS) == Some(13));
    signal(child.0.id(), Signal::TERM);
    wait("its end", || child.0.try_wait().unwrap().is_some());
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let log = std::fs::read_to_string(place.path("worker.log")).unwrap();
    assert!(log.lines().last().unwrap().contains(" - INFO - stopped: "), "{log}");
    writer.flush().unwrap();
    drop(writer);
    std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    fill.join().unwrap();
}

/// `2>&-` and the like: some supervisors start a service so.
#[test]
fn a_closed_console_and_an_empty_environment_stop_no_cycle() {
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        let place = Place::new();
        place.readings(&VARIABLES, 2);
        let models = crate::common::models();
        let program = env!("CARGO_BIN_EXE_host");
        let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let script = format!("exec \"$0\" run --once --database plant.sqlite {closed}");
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(place.path("")).args(["-c", &script, program]);
        shell.env_clear().env("LC_ALL", "es_ES.ISO-8859-1");
        shell.env("ANOMALY_DETECTOR_MODELS", models).env("ANOMALY_DETECTOR_CACHE_DIR", cache);
        shell.env("ANOMALY_DETECTOR_STATE_DIR", "state");
        // The readings are on the clock of this process.
        shell.envs(std::env::var_os("TZ").map(|zone| ("TZ", zone)));
        let ran = shell.output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{closed}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(place.number(VERDICTS), Some(12), "{closed}");
    }
}

/// If the program cannot write a cache it takes longer, and says so.
#[test]
fn a_start_without_home_or_cache_works() {
    for cache in [None, Some("/proc/nowhere"), Some("plant.sqlite")] {
        let place = Place::new();
        place.readings(&VARIABLES, 2);
        let mut command = place.command(&["run", "--once"]);
        command.env_remove("HOME").env_remove("XDG_CACHE_HOME").env_remove("ANOMALY_DETECTOR_CACHE_DIR");
        command.envs(cache.map(|cache| ("ANOMALY_DETECTOR_CACHE_DIR", cache)));
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, Some(0), "{cache:?}: {}", ran.stderr);
        assert_eq!(place.number(VERDICTS), Some(12), "{cache:?}");
        if let Some(cache) = cache {
            assert_eq!(ran.stderr.matches(" - WARNING - ").count(), 1, "{cache}: {}", ran.stderr);
            assert!(ran.stderr.contains("start takes longer"), "{cache}: {}", ran.stderr);
        }
    }
}

/// If only the database can be written, the log is only on the console and no set is kept. Each is
/// said once.
#[test]
fn a_start_where_nothing_can_be_written_works() {
    if !Path::new("/proc/self").exists() {
        eprintln!("left out: there is no `/proc` here");
        return;
    }
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let mut command = place.command(&["run", "--once"]);
    command.current_dir("/proc").env("ANOMALY_INPUT_DATABASE", place.path("plant.sqlite"));
    let ran = Ran::of(&command.env("ANOMALY_DETECTOR_STATE_DIR", "/proc/nowhere").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.number(VERDICTS), Some(12));
    let warnings: Vec<_> = ran.stderr.lines().filter(|line| line.contains(" - WARNING - ")).collect();
    assert_eq!(warnings.len(), 2, "{}", ran.stderr);
    for said in ["/proc/worker.log", "the set that judges cannot be kept in `/proc/nowhere/last-good/"] {
        assert!(warnings.iter().any(|line| line.contains(said)), "{said}: {}", ran.stderr);
    }
}

/// `--log-file /dev/stdout` sends it to a container's log; `/dev/null` switches it off.
#[test]
fn a_log_file_may_be_a_device() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    std::os::unix::fs::symlink("/proc/self/fd/1", place.path("stdout")).unwrap();
    let ran = place.run(&["run", "--once", "--log-file", "stdout"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(untimed(&ran.stdout), untimed(&ran.stderr));
    assert!(ran.stdout.lines().last().unwrap().contains(" - INFO - stopped: "), "{}", ran.stdout);
    // Nobody reads from it.
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let ran = place.run(&["run", "--once", "--log-file", "pipe"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// Prepares the program to be run as another user, who may write in the place. None if this process
/// cannot become another user.
fn another_user(place: &Place) -> Option<u32> {
    const USER: u32 = 54_321;
    place.copy_program();
    for path in ["host", ""] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(place.path(path), mode).unwrap();
    }
    let mut command = Command::new(place.path("host"));
    let ran = command.arg("--version").uid(USER).gid(USER).output();
    if ran.is_ok_and(|ran| ran.status.success()) {
        return Some(USER);
    }
    eprintln!("left out: it takes root to be another user");
    None
}

/// Without enough threads the program ends with a sentence. It neither panics nor waits.
#[test]
fn too_few_threads_end_it_with_a_sentence() {
    let place = Place::new();
    // The user has no other processes: the limit counts all processes of a user.
    let Some(user) = another_user(&place) else { return };
    for threads in [1, 2, 4, 8] {
        let mut command = Command::new("prlimit");
        command.args([&format!("--nproc={threads}"), "--"]).arg(place.path("host")).args(["status"]);
        let Ok(ran) = command.current_dir(place.path("")).uid(user).gid(user).output() else {
            eprintln!("left out: there is no `prlimit` here");
            return;
        };
        let ran = Ran::of(&ran);
        assert_eq!(ran.code, Some(1), "{threads}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: no threads to run on: ") && ran.stderr.contains("`TasksMax=`"),
            "{threads}: {}",
            ran.stderr
        );
    }
}

/// What a service logs, up to the line with this text, or to its end.
fn said_until(service: &mut Child, text: &str) -> String {
    let mut log = String::new();
    for line in BufReader::new(service.stderr.as_mut().unwrap()).lines() {
        let line = line.unwrap();
        log.push_str(&line);
        log.push('\n');
        if line.contains(text) {
            break;
        }
    }
    log
}

/// Root has left the lock's file, which the service's user cannot write. Two of its workers must
/// still not both be active.
#[test]
fn a_lock_that_root_left_is_a_lock_to_others() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let Some(user) = another_user(&place) else { return };
    assert_eq!(place.run(&["run", "--once", "--log-file", ""]).code, Some(0));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(place.path("plant.sqlite"), mode).unwrap();
    place.readings(&["VIBRACION"], 5);
    let started = |arguments: &[&str]| {
        let mut command = Command::new(place.path("host"));
        command.args(arguments).args(["--log-file", "", "--database", "plant.sqlite", "--models"]);
        command.arg(crate::common::models()).current_dir(place.path("")).uid(user).gid(user);
        command.env("ANOMALY_DETECTOR_STATE_DIR", place.path("state"));
        // The user has no compiled code of others, and this build compiles slowly.
        command.env("ANOMALY_DETECTOR_CACHE_DIR", place.path("cache"));
        command.env("ANOMALY_DETECTOR_COMPILE_DEADLINE", "5min");
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut first = Killed(started(&["run", "--interval", "1h"]));
    // Root does not look into the database meanwhile: SQLite's files beside it would be root's for a
    // moment, and closed to the user.
    let said = said_until(&mut first.0, "next check in");
    assert!(place.number(VERDICTS) > Some(12), "{said}");
    let second = Ran::of(&started(&["run", "--once"]).wait_with_output().unwrap());
    drop(first);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains("another worker named `default` is active"), "{}", second.stderr);
}

/// Only its user and root may make a service look.
#[test]
fn other_users_are_told_which_command_to_run() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let Some(user) = another_user(&place) else { return };
    let mut command = place.command(&["run", "--interval", "1h"]);
    let _service = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait("verdicts", || place.number(VERDICTS) == Some(12));
    let mut command = Command::new(place.path("host"));
    command.args(["reload", "--database", "plant.sqlite"]).current_dir(place.path("")).uid(user).gid(user);
    let ran = Ran::of(&command.output().unwrap());
    let program = place.path("host").canonicalize().unwrap();
    let expected = format!(
        "error: the service of worker `default` was not asked: it belongs to another user; as root: sudo {} reload --database plant.sqlite\n",
        program.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(1), expected));
}

/// A log that may not grow is renamed earlier than usual, and does not end the process.
#[test]
fn a_limit_on_files_ends_nothing() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let line = "x".repeat(99) + "\n";
    place.write("worker.log", line.repeat(655));
    let mut command = Command::new("prlimit");
    command.args(["--fsize=65536", "--", env!("CARGO_BIN_EXE_host"), "run", "--once"]).arg("--database");
    // The database does not grow any more, only the log does.
    command.arg("plant.sqlite").arg("--models").arg(crate::common::models()).current_dir(place.path(""));
    command.env("ANOMALY_DETECTOR_CACHE_DIR", "cache").env("ANOMALY_DETECTOR_STATE_DIR", "state");
    let Ok(ran) = command.output() else {
        eprintln!("left out: there is no `prlimit` here");
        return;
    };
    let ran = Ran::of(&ran);
    assert!(ran.code.is_some_and(|code| code < 2), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(place.path("worker.log.1")).unwrap(), line.repeat(655));
    let logged = std::fs::read_to_string(place.path("worker.log")).unwrap();
    let said: Vec<_> = ran.stderr.lines().filter(|line| !line.starts_with("error: ")).collect();
    assert_eq!(untimed(&logged), untimed(&said.join("\n")));
}

/// A unit's `LimitAS=`: the sandbox reserves addresses, and what is missing is named.
#[test]
fn too_little_address_space_is_said() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    for mib in [1024_u64, 4096] {
        let mut command = Command::new("prlimit");
        command.args([&format!("--as={}", mib << 20), "--", env!("CARGO_BIN_EXE_host"), "run", "--once"]);
        command
            .args(["--log-file", "", "--database", "plant.sqlite", "--models"])
            .arg(crate::common::models());
        command.current_dir(place.path("")).env("ANOMALY_DETECTOR_STATE_DIR", "state");
        command.env("ANOMALY_DETECTOR_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
        let Ok(ran) = command.output() else {
            eprintln!("left out: there is no `prlimit` here");
            return;
        };
        let ran = Ran::of(&ran);
        assert_eq!(ran.code, Some(1), "{mib}: {}", ran.stderr);
        let last = ran.stderr.lines().last().unwrap_or_default();
        assert!(
            last.contains("too little address space") && last.contains("`LimitAS=`"),
            "{mib}: {}",
            ran.stderr
        );
    }
}

/// A database that cannot be reached for a night does not fill the log: neither with a line for
/// each try nor with statistics of no cycles.
#[test]
fn an_outage_is_no_flood_of_lines() {
    let place = Place::new();
    let mut child = Killed(
        place
            .command(&["run", "--interval", "10ms", "--database", "away.sqlite"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let log = || std::fs::read_to_string(place.path("worker.log")).unwrap_or_default();
    wait("it waits", || log().contains("the database is out of reach"));
    // At 10 ms a cycle that is tens of tries.
    std::fs::copy(place.path("plant.sqlite"), place.path("later.sqlite")).unwrap();
    let waited = std::time::Instant::now();
    wait("some tries", || waited.elapsed() >= std::time::Duration::from_secs(1));
    std::fs::rename(place.path("later.sqlite"), place.path("away.sqlite")).unwrap();
    wait("the database is back", || log().contains("the database is back after"));
    signal(child.0.id(), Signal::TERM);
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let log = log();
    let before = log.split("the database is back after").next().unwrap();
    assert_eq!(before.matches("the database is out of reach").count(), 1, "{before}");
    assert!(!before.contains("statistics"), "{before}");
}

/// A signal during the start leads to a look, and does not end the service.
#[test]
fn a_hangup_during_the_start_does_not_end_it() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    place.copy_models(&[]);
    let models = place.path("models");
    // Still being copied: the start waits for it.
    let growing = models.join("prophet_model_NEW.json");
    let mut child = Killed(
        place
            .command(&["run", "--models", "models", "--interval", "1h"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let log = || std::fs::read_to_string(place.path("worker.log")).unwrap_or_default();
    let mut writes = 0;
    wait("it starts", || {
        writes += 1;
        std::fs::write(&growing, " ".repeat(writes)).unwrap();
        log().contains("no configuration file")
    });
    signal(child.0.id(), Signal::HUP);
    wait("verdicts", || place.number(VERDICTS) == Some(12));
    signal(child.0.id(), Signal::TERM);
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{}", log());
}

/// A service's working directory is often not the one that its user expects.
#[test]
fn messages_show_whole_paths() {
    let place = Place::new();
    place.write(
        "elsewhere/c.toml",
        "[input]\ndatabase = 'p.sqlite'\n[detector]\nmodels = 'm'\nmodule = 'd.wasm'\n[log]\nfile = ''\n",
    );
    let elsewhere = place.path("elsewhere");
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command
            .current_dir(&elsewhere)
            .env_remove("ANOMALY_INPUT_DATABASE")
            .env_remove("ANOMALY_DETECTOR_MODELS");
        let ran = Ran::of(&command.output().unwrap());
        (ran.code, ran.stdout + &ran.stderr)
    };
    let whole = |name: &str| format!("`{}`", elsewhere.join(name).display());
    let (_, said) = run(&["check", "--config", "c.toml"]);
    for name in ["c.toml", "p.sqlite", "d.wasm"] {
        assert!(said.contains(&whole(name)), "{name}: {said}");
    }
    let (code, said) = run(&["run", "--once", "--database", "p.sqlite"]);
    assert_eq!(code, Some(1), "{said}");
    for name in ["anomaly-worker.toml", "models/prophet"] {
        assert!(said.contains(&whole(name)), "{name}: {said}");
    }
}

/// The exit code tells a service manager that a restart would not help.
#[test]
fn a_wrong_configuration_ends_with_a_code_of_its_own() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    for (toml, said) in [
        ("[worker]\ninterval = 0\n", "`worker.interval` is `0`"),
        ("[input]\ntable = 'a.b.c.d.e'\n", "`a.b.c.d.e` is not a table name"),
        ("[input]\nserver = 'h'\ndatabase = 'p'\n", "there is no login"),
        ("[input]\nclock = 'Pacific SA Standard Time'\n", "`input.clock` is the time zone"),
        ("[detector.settings]\nthreshold = 'much'\n", "the detector refuses its settings"),
    ] {
        place.write("c.toml", toml);
        for once in [true, false] {
            let mut command = place.command(&["run", "--config", "c.toml"]);
            command.args(once.then_some("--once"));
            if toml.contains("database") {
                command.env_remove("ANOMALY_INPUT_DATABASE");
            }
            let ran = Ran::of(&command.output().unwrap());
            assert_eq!(ran.code, Some(2), "{toml}: {}", ran.stderr);
            let last = ran.stderr.lines().last().unwrap_or_default();
            // Said on stderr before there is a log, and else by the log. In either case once.
            let is_told = |line: &str| line.starts_with("error: ") || line.contains(" - ERROR - ");
            assert_eq!(
                ran.stderr.lines().filter(|line| line.contains(said)).count(),
                1,
                "{toml}: {}",
                ran.stderr
            );
            assert!(is_told(last) && last.contains(said), "{toml}: {}", ran.stderr);
        }
    }
}
