//! The program under a service manager: a socket of the test's own gets the messages for systemd.

#![cfg(target_os = "linux")]
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::common::{LONGEST_WAIT, Place, VARIABLES, wait};
use rustix::process::Signal;

/// Of a service that feeds it four times as often: a busy machine may be late by seconds.
const WATCHDOG: Duration = Duration::from_secs(12);

/// Of a service that feeds it no more, which is waited for.
const SHORT_WATCHDOG: Duration = Duration::from_secs(4);

/// A service, and the socket that its manager listens at.
struct Managed {
    child: Child,
    socket: UnixDatagram,
}

impl Managed {
    fn start(place: &Place, arguments: &[&str], watchdog: Option<Duration>) -> Self {
        let socket = UnixDatagram::bind(place.path("notify")).unwrap();
        let mut command = place.command(arguments);
        command.env("NOTIFY_SOCKET", place.path("notify")).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command.envs(watchdog.map(|watchdog| ("WATCHDOG_USEC", watchdog.as_micros().to_string())));
        Self { child: command.spawn().unwrap(), socket }
    }

    /// The next message; None if there is none for so long.
    fn next(&self, patience: Duration) -> Option<String> {
        let mut message = [0; 4096];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).trim_end().to_owned())
    }

    /// The messages up to one, which must come.
    fn until(&self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let next = self.next(LONGEST_WAIT);
            let Some(next) = next else { unreachable!("after {said:?} nothing came") };
            said.push(next);
            if said.last().is_some_and(|said| last(said)) {
                return said;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        crate::common::signal(self.child.id(), signal);
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_manager_is_told_that_it_is_ready_how_it_stands_and_that_it_stops() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let mut service = Managed::start(&place, &["run", "--interval", "1h"], None);
    let said = service.until(|said| said.starts_with("STATUS="));
    assert_eq!(said[0], "READY=1");
    let status = said.last().unwrap();
    assert!(status.starts_with("STATUS=cycle 1, watermark 20"), "{status}");
    assert!(status.contains(", lag ") && status.contains(", set "), "{status}");
    service.signal(Signal::TERM);
    assert_eq!(service.until(|_| true), ["STOPPING=1"]);
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

/// A reload has a beginning and an end, whatever its result.
#[test]
fn a_reload_is_told_from_its_beginning_to_its_end() {
    let place = Place::new();
    place.copy_models(&[]);
    place.readings(&VARIABLES, 2);
    let service = Managed::start(&place, &["run", "--interval", "1h", "--models", "models"], None);
    service.until(|said| said.starts_with("STATUS="));
    for bytes in [None, Some("{")] {
        if let Some(bytes) = bytes {
            let path = place.write("models/detector_config.json", bytes);
            // Its time is long ago: a file that was written just now would be waited for.
            std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(SystemTime::UNIX_EPOCH)
                .unwrap();
        }
        service.signal(Signal::HUP);
        let said = service.until(|said| said == "READY=1");
        let [reloading, _] = said.as_slice() else { unreachable!("{said:?}") };
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{said:?}");
    }
    // The log is written after the manager was told.
    for answer in ["nothing has changed; set ", "the files are refused and set "] {
        let said = format!(" - INFO - SIGHUP: {answer}");
        wait(&said, || std::fs::read_to_string(place.path("worker.log")).unwrap().contains(&said));
    }
}

/// A database that cannot be reached is waited for. A table that is not as it should be must be
/// mended by a person.
#[test]
fn a_start_is_complete_when_the_store_is_known_or_waited_for() {
    let place = Place::new();
    let service = Managed::start(&place, &["run", "--database", "later.sqlite"], None);
    let said = service.until(|said| said.starts_with("STATUS="));
    assert_eq!(said[0], "READY=1");
    assert!(said[1].contains("later.sqlite`: there is no such file"), "{said:?}");
    drop(service);

    let place = Place::new();
    place.sql("ALTER TABLE datos_proceso RENAME TO lecturas");
    let service = Managed::start(&place, &["run", "--interval", "1s"], None);
    let said = service.until(|said| said.starts_with("STATUS="));
    assert!(said.len() == 1 && said[0].contains("there is no table `datos_proceso`"), "{said:?}");
    place.sql("ALTER TABLE lecturas RENAME TO datos_proceso");
    assert_eq!(service.until(|said| !said.starts_with("STATUS=")), ["READY=1"]);
}

/// The watchdog is fed while the schedule waits for its next tick, an hour away, and not while a
/// cycle hangs.
#[test]
fn a_cycle_that_hangs_feeds_no_watchdog() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let service = Managed::start(&place, &["run", "--interval", "1h"], Some(WATCHDOG));
    let said = service.until(|said| said.starts_with("STATUS=cycle 1"));
    // A step may take longer by its configuration, and systemd is told.
    assert!(said[0].starts_with("WATCHDOG_USEC="), "{said:?}");
    for _ in 0..3 {
        assert_eq!(service.next(WATCHDOG).as_deref(), Some("WATCHDOG=1"));
    }
    drop(service);

    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    let server = format!("127.0.0.1,{}", silent.local_addr().unwrap().port());
    place.write(
        "c.toml",
        format!("[input]\nserver = '{server}'\nuser = 'w'\npassword = 'p'\nconnect_timeout = '10m'\n"),
    );
    let service = Managed::start(&place, &["run", "--config", "c.toml"], Some(SHORT_WATCHDOG));
    service.until(|said| said.starts_with("WATCHDOG_USEC="));
    let (_connection, _) = silent.accept().unwrap();
    // What it was fed before the cycle began.
    while service.next(SHORT_WATCHDOG).is_some() {}
    assert_eq!(service.next(SHORT_WATCHDOG / 2), None);
}

/// The unit as it is installed. Where systemd's tools are missing, nothing is tried.
#[test]
fn the_unit_is_sound_and_takes_what_it_does_not_need() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd/anomaly-worker.service");
    let text = std::fs::read_to_string(unit).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("MemoryDenyWriteExecute")), "detectors are compiled");
    let place = Place::new();
    let here = text.replace("/usr/bin/anomaly-worker", env!("CARGO_BIN_EXE_host"));
    let unit = place.write("anomaly-worker.service", here);
    let analyze = |arguments: &[&str]| {
        let ran = Command::new("systemd-analyze").args(arguments).arg(&unit).output().ok()?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        Some((ran.status.success(), said))
    };
    let Some((sound, said)) = analyze(&["verify", "--man=no"]) else {
        eprintln!("left out: there is no `systemd-analyze` here");
        return;
    };
    assert!(sound && !said.contains("anomaly-worker.service"), "{said}");
    // At most 1.5 of 10.
    let (sound, said) = analyze(&["security", "--offline=true", "--no-pager", "--threshold=15"]).unwrap();
    assert!(sound, "{said}");
}
