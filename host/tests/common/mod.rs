//! The real program on real files: a directory of its own for each test, with a plant's database in
//! it.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use host::store::{TableNames, schema};
use rusqlite::Connection;
use tempfile::TempDir;

/// The variables that the models of [`models`] are for.
pub(crate) const VARIABLES: [&str; 6] =
    ["AGUA/FLOW 1", "GAS_P-2", "NIVEL 4", "POTENCIA/MW", "TEMP-03", "VIBRACION"];

/// Six Prophet models.
pub(crate) fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/tests/fixtures/models")
}

/// A directory to run in.
pub(crate) struct Place {
    dir: TempDir,
    by_interval: bool,
}

/// The result of a run.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// With an empty input table in `plant.sqlite`.
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), by_interval: false };
        place.sql(&schema::sqlite::input(&TableNames::default().input));
        place
    }

    /// The same with the Python worker's rule, which judges nothing without a model.
    pub(crate) fn by_interval() -> Self {
        Self { by_interval: true, ..Self::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A directory `models` with these files out of [`models`] (or all of them), to which a test
    /// adds what is wrong.
    pub(crate) fn copy_models(&self, names: &[&str]) {
        std::fs::create_dir_all(self.path("models")).unwrap();
        for entry in std::fs::read_dir(models()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if names.is_empty() || names.contains(&name.as_str()) {
                std::fs::copy(entry.path(), self.path("models").join(name)).unwrap();
            }
        }
    }

    pub(crate) fn database(&self) -> Connection {
        let connection = Connection::open(self.path("plant.sqlite")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    pub(crate) fn sql(&self, sql: &str) {
        self.database().execute_batch(sql).unwrap();
    }

    /// A number from the database. None as long as it cannot be read.
    pub(crate) fn number(&self, sql: &str) -> Option<i64> {
        self.database().query_row(sql, [], |row| row.get(0)).ok()
    }

    /// Inserts readings of each variable at `datetimes` datetimes, a minute apart, the last one a
    /// minute ago.
    pub(crate) fn readings(&self, variables: &[&str], datetimes: u32) {
        // One statement has one `now`.
        let names: Vec<_> = variables.iter().map(|variable| format!("('{variable}')")).collect();
        self.sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {datetimes}), \
             v(name) AS (VALUES {}) INSERT INTO datos_proceso (datetime, variable_name, value) \
             SELECT datetime('now', 'localtime', '-' || i || ' minutes'), name, 100 + i FROM n, v ORDER BY i DESC, name",
            names.join(", ")
        ));
    }

    /// The program, without this process's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
        self.prepare(command.args(arguments));
        command
    }

    /// Prepares a command as [`Self::command`] does, for a program that is started in another way.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.current_dir(self.dir.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANOMALY_") {
                command.env_remove(name);
            }
        }
        // It would put colours into what goes to a pipe.
        command.env_remove("CLICOLOR_FORCE");
        // Compiled once for all tests.
        command.env("ANOMALY_DETECTOR_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
        command.env("ANOMALY_DETECTOR_STATE_DIR", "state");
        command.env("ANOMALY_INPUT_DATABASE", "plant.sqlite");
        command.env("ANOMALY_DETECTOR_MODELS", models());
        if self.by_interval {
            command.env("ANOMALY_DETECTOR_SETTINGS_RULE", "interval");
        }
        command.stdin(Stdio::null());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap()).seen_from(self)
    }

    /// A copy of the program, as `host`. Another process writes it: a file that this process has
    /// open for writing may be inherited by a process that another test starts at this moment, and
    /// as long as it is, no one can execute it.
    #[cfg(unix)]
    pub(crate) fn copy_program(&self) -> PathBuf {
        let copy = self.path("host");
        assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_host")).arg(&copy).status().unwrap().success());
        copy
    }
}

impl Ran {
    /// What was printed, with the names of the place's files instead of their paths: messages show
    /// whole paths.
    pub(crate) fn seen_from(self, place: &Place) -> Self {
        let directory = place.path("").display().to_string();
        let seen = |text: &str| text.replace(&directory, "");
        Self { code: self.code, stdout: seen(&self.stdout), stderr: seen(&self.stderr) }
    }

    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

/// The text with `#` for each number and its decimals.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            '.' if masked.ends_with('#') && rest.peek().is_some_and(char::is_ascii_digit) => {}
            c => masked.push(c),
        }
    }
    masked
}

/// The lines of a log without their times, sorted. Console and file are written one after the
/// other, each with its own time, and lines of several threads may come in either order.
pub(crate) fn untimed(log: &str) -> Vec<&str> {
    const TIME: usize = "2025-01-15 10:00:00".len();
    let mut lines: Vec<_> = log.lines().map(|line| line.get(TIME..).unwrap_or(line)).collect();
    lines.sort_unstable();
    lines
}

/// The longest wait for anything. It only ends a test that would wait for ever: a busy machine with
/// empty caches may take minutes.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Waits until something is so.
pub(crate) fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < LONGEST_WAIT, "{what}: not within {LONGEST_WAIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process.
#[cfg(unix)]
pub(crate) fn signal(process: u32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}
