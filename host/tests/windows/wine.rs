//! A Windows of the tests' own in Wine, and the program in it.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use crate::common::{Place, Ran, wait};

/// Where all of it is.
fn directory() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The program, as the recipe in the Justfile has built it.
fn program() -> PathBuf {
    directory().join("../x86_64-pc-windows-gnu/windows-test/host.exe")
}

/// A path as Windows has it. Wine shows the root of this system as a drive.
pub(crate) fn windows(path: &Path) -> String {
    format!("Z:{}", path.to_str().unwrap().replace('/', r"\"))
}

/// A program of Windows.
fn wine(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("wine");
    command.arg(program).env("WINEPREFIX", directory().join("wine"));
    // Wine asks for nothing, and only the program prints anything.
    command.env("WINEDEBUG", "-all").env("WINEDLLOVERRIDES", "mscoree,mshtml=").env_remove("DISPLAY");
    // Wine reads names of files that are not ASCII by this.
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// Wine with what it lacks: Rust asks a library for random bytes that Wine 8 does not have.
fn installed() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        assert!(program().exists(), "there is no `{}`: just test-windows", program().display());
        assert!(wine("wineboot").arg("--update").stderr(Stdio::null()).status().unwrap().success());
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/windows");
        let system = directory().join("wine/drive_c/windows/system32/bcryptprimitives.dll");
        for (arguments, source, built) in
            [(["-shared"], "bcryptprimitives.c", system), (["-municode"], "aid.c", aid())]
        {
            let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
            compiler.args(arguments).arg(sources.join(source)).arg("-o").arg(built).arg("-ladvapi32");
            assert!(compiler.status().unwrap().success(), "{source}");
        }
    });
}

fn aid() -> PathBuf {
    directory().join("aid.exe")
}

/// The program with arguments, in a place.
pub(crate) fn host(place: &Place, arguments: &[&str]) -> Command {
    installed();
    let mut command = wine(program());
    prepare(place, command.args(arguments));
    command
}

/// `aid.c`, in a place; it may start the program.
pub(crate) fn aid_in(place: &Place, arguments: &[&str]) -> Command {
    installed();
    let mut command = wine(aid());
    prepare(place, command.args(arguments));
    command
}

/// The program as one argument of `aid press`.
pub(crate) fn program_word() -> String {
    windows(&program_file())
}

fn prepare(place: &Place, command: &mut Command) {
    place.prepare(command);
    command.env("ANOMALY_DETECTOR_CACHE_DIR", windows(&directory().join("compiled-windows")));
    command.env("ANOMALY_DETECTOR_MODELS", windows(&crate::common::models().canonicalize().unwrap()));
}

pub(crate) fn run(place: &Place, arguments: &[&str]) -> Ran {
    ran(&mut host(place, arguments))
}

/// The result of a command. It writes to files and not to pipes: the first program in Wine starts
/// Wine's own servers, which keep its output open, so that a pipe would end only with them.
pub(crate) fn ran(command: &mut Command) -> Ran {
    Ran::of(&output(command))
}

fn output(command: &mut Command) -> Output {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let status = command.status().unwrap();
    let [stdout, stderr] = [&mut stdout, &mut stderr].map(|file| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    });
    Output { status, stdout, stderr }
}

/// A program that runs until the test does not need it any more.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn ended(mut self) -> Option<i32> {
        wait("its end", || self.0.try_wait().unwrap().is_some());
        self.0.wait().unwrap().code()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a log so far.
pub(crate) fn log(place: &Place) -> String {
    std::fs::read_to_string(place.path("worker.log")).unwrap_or_default()
}

/// Waits until the log has these words this number of times.
pub(crate) fn wait_for(place: &Place, said: &str, times: usize) {
    wait(&format!("`{said}`"), || log(place).matches(said).count() >= times);
}

/// A value of the registry, or an empty text.
pub(crate) fn reg(place: &Place, arguments: &[&str]) -> String {
    installed();
    let mut command = wine("reg");
    place.prepare(command.args(arguments));
    String::from_utf8_lossy(&output(&mut command).stdout).trim().to_owned()
}

/// A program that comes with Windows, or one that was installed there.
pub(crate) fn other(place: &Place, program: &str, arguments: &[&str]) -> Ran {
    installed();
    let mut command = wine(program);
    place.prepare(command.args(arguments));
    ran(&mut command)
}

/// The directory that is drive C of Windows.
pub(crate) fn drive() -> PathBuf {
    directory().join("wine/drive_c")
}

/// The program's file.
pub(crate) fn program_file() -> PathBuf {
    program().canonicalize().unwrap()
}
