#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::sync::Mutex;

use tracing::{debug, error, info, trace, warn};

use super::*;

/// 2025-01-15 10:00:00 in a zone one hour east.
fn ten_o_clock() -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339("2025-01-15T10:00:00.250+01:00").unwrap()
}

fn log(format: LogFormat, level: LogLevel) -> Log {
    Log { format, level, ..Log::default() }
}

/// What the console shows of the lines that are logged meanwhile.
fn console(log: &Log, act: impl FnOnce()) -> String {
    let console = Arc::new(Captured::default());
    tracing::dispatcher::with_default(
        &dispatch(log, layer(log.format, ten_o_clock, console.clone()), None),
        act,
    );
    String::from_utf8(console.0.lock().unwrap().clone()).unwrap()
}

#[derive(Default)]
struct Captured(Mutex<Vec<u8>>);

impl Write for &Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn events() {
    trace!("t");
    debug!("d");
    info!("25 models loaded from {}", "models/prophet");
    warn!(variable = "T 1", rows = 5, share = 0.5, late = true, error = %"gone", "left out");
    let source: &(dyn std::error::Error + 'static) = &io::Error::other("lost");
    error!(source, "no connection");
    info!(target: "wasmtime::engine", "compiled");
    warn!(target: "cranelift_codegen", "odd");
}

#[test]
fn a_line_is_the_python_workers() {
    let expected = "\
2025-01-15 10:00:00 - DEBUG - d
2025-01-15 10:00:00 - INFO - 25 models loaded from models/prophet
2025-01-15 10:00:00 - WARNING - left out variable=T 1 rows=5 share=0.5 late=true error=gone
2025-01-15 10:00:00 - ERROR - no connection source=lost
2025-01-15 10:00:00 - WARNING - odd
";
    assert_eq!(console(&log(LogFormat::Text, LogLevel::Debug), events), expected);
}

/// A detector's output is shown like the service's.
#[test]
fn a_detectors_own_lines_are_heard_at_the_level_that_was_chosen() {
    let says = || {
        debug!(target: "detector", "detector: d");
        info!(target: "detector", "detector: i");
        warn!(target: "detector", "detector: w");
        error!(target: "detector", "detector: e");
    };
    for (level, heard) in [
        (LogLevel::Debug, ["DEBUG", "INFO", "WARNING", "ERROR"].as_slice()),
        (LogLevel::Info, &["INFO", "WARNING", "ERROR"]),
        (LogLevel::Warning, &["WARNING", "ERROR"]),
        (LogLevel::Error, &["ERROR"]),
    ] {
        let lines = console(&log(LogFormat::Text, level), says);
        let levels: Vec<_> = lines.lines().filter_map(|line| line.split(" - ").nth(1)).collect();
        assert_eq!(levels, heard, "{level:?}");
    }
}

#[test]
fn the_level_decides_what_is_heard() {
    for (level, heard) in [
        (LogLevel::Debug, ["DEBUG", "INFO", "WARNING", "ERROR", "WARNING"].as_slice()),
        (LogLevel::Info, &["INFO", "WARNING", "ERROR", "WARNING"]),
        (LogLevel::Warning, &["WARNING", "ERROR", "WARNING"]),
        (LogLevel::Error, &["ERROR"]),
    ] {
        let lines = console(&log(LogFormat::Text, level), events);
        let levels: Vec<_> = lines.lines().filter_map(|line| line.split(" - ").nth(1)).collect();
        assert_eq!(levels, heard, "{level:?}");
    }
}

#[test]
fn json_is_an_object_a_line() {
    let lines = console(&log(LogFormat::Json, LogLevel::Warning), events);
    let objects: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = "2025-01-15T10:00:00.250+01:00";
    let expected = [
        json!({"timestamp": at, "level": "WARN", "target": "host::telemetry::tests", "message": "left out",
            "variable": "T 1", "rows": 5, "share": 0.5, "late": true, "error": "gone"}),
        json!({"timestamp": at, "level": "ERROR", "target": "host::telemetry::tests", "message": "no connection",
            "source": "lost"}),
        json!({"timestamp": at, "level": "WARN", "target": "cranelift_codegen", "message": "odd"}),
    ];
    assert_eq!(objects, expected);
}

#[test]
fn text_from_outside_cannot_forge_a_line() {
    for (said, shown) in [
        ("a\n2025-01-15 10:00:00 - ERROR - forged", r"a\n2025-01-15 10:00:00 - ERROR - forged"),
        ("a\r\0\u{7}b\tc", r"a\r\u{0}\u{7}b\tc"),
        ("\u{1b}[2Kcleared \u{9b}31mred", r"\u{1b}[2Kcleared \u{9b}31mred"),
        ("\u{85}\u{2028}\u{2029}next", r"\u{85}\u{2028}\u{2029}next"),
        ("turned \u{202e}round\u{2066}", r"turned \u{202e}round\u{2066}"),
        (r"C:\models\new, señal µ 温度", r"C:\models\new, señal µ 温度"),
    ] {
        let text = console(&log(LogFormat::Text, LogLevel::Info), || info!(said, plain = %said, "{said}"));
        assert_eq!(text, format!("2025-01-15 10:00:00 - INFO - {shown} said={shown} plain={shown}\n"));
        let json = console(&log(LogFormat::Json, LogLevel::Info), || info!(said, "{said}"));
        assert_eq!(json.lines().count(), 1, "{json}");
        assert_eq!(crate::text::escaped(json.trim_end()), json.trim_end());
        let object: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&object["message"], &object["said"]), (&json!(said), &json!(said)));
        let warned = warning(LogFormat::Text, ten_o_clock, said);
        assert_eq!(warned, format!("2025-01-15 10:00:00 - WARNING - {shown}\n"));
    }
}

#[test]
fn file_and_console_get_the_same_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.log");
    let (console, log) = (Arc::new(Captured::default()), log(LogFormat::Text, LogLevel::Info));
    let file = Arc::new(RotatedFile::new(&path, 1 << 20, 1, Box::new(|_| {})));
    let shown = layer(log.format, ten_o_clock, console.clone());
    let dispatch = dispatch(&log, shown, Some(layer(log.format, ten_o_clock, file)));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let dispatch = &dispatch;
            let many = move || (0..250).for_each(|line| info!(thread, line, "{}", "whole ".repeat(40)));
            scope.spawn(move || tracing::dispatcher::with_default(dispatch, many));
        }
    });
    let sorted = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let written = sorted(&std::fs::read(&path).unwrap());
    assert_eq!(written, sorted(&console.0.lock().unwrap()));
    let mut expected: Vec<_> = (0..4)
        .flat_map(|thread| (0..250).map(move |line| (thread, line)))
        .map(|(thread, line)| {
            format!("2025-01-15 10:00:00 - INFO - {} thread={thread} line={line}", "whole ".repeat(40))
        })
        .collect();
    expected.sort();
    assert_eq!(written, expected);
}

/// In the journal's format: the time is its own, and no value begins a field.
#[test]
fn an_entry_of_the_journal_has_priority_and_fields() {
    let entries = Arc::new(Captured::default());
    let layer =
        fmt::layer().with_ansi(false).with_writer(entries.clone()).event_format(journal::JournalEntry);
    let dispatch = dispatch(&log(LogFormat::Text, LogLevel::Info), layer.boxed(), None);
    tracing::dispatcher::with_default(&dispatch, || {
        info!("25 models loaded from {}", "models/prophet");
        warn!(variable = "T 1\nPRIORITY=0", rows = 5, "left\nout");
        error!(error = %"gone", "no connection");
    });
    let own = "SYSLOG_IDENTIFIER=anomaly-worker\nTARGET=host::telemetry::tests\n";
    let expected = format!(
        "PRIORITY=6\n{own}MESSAGE=25 models loaded from models/prophet\n\
         PRIORITY=4\n{own}MESSAGE=left\\nout\nF_VARIABLE=T 1\\nPRIORITY=0\nF_ROWS=5\n\
         PRIORITY=3\n{own}MESSAGE=no connection\nF_ERROR=gone\n"
    );
    assert_eq!(String::from_utf8(entries.0.lock().unwrap().clone()).unwrap(), expected);
}
