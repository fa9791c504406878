//! The metrics as text: over HTTP, and as a file for a node exporter.

use std::io::{self, Write};
use std::path::Path;

use prometheus_client::encoding::text::encode;

use super::Metrics;

impl Metrics {
    /// In the OpenMetrics format.
    pub fn text(&self) -> String {
        self.take_reloads();
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

/// In the older format that a node exporter reads. The file is replaced in one move, so that it is
/// never incomplete.
///
/// # Errors
/// The directory cannot be written.
pub fn write_file(metrics: &Metrics, file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut beside = tempfile::Builder::new()
        .prefix(".anomaly-worker-")
        .tempfile_in(directory.unwrap_or_else(|| Path::new(".")))?;
    beside.write_all(older(&metrics.text()).as_bytes())?;
    readable(beside.as_file())?;
    beside.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// The exporter runs as another user.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

/// In the older format a counter has the name of its sample, and there are no units and no end
/// marker.
fn older(text: &str) -> String {
    let kind_of = |line: &str| Some(line.strip_prefix("# TYPE ")?.strip_suffix(" counter")?.to_owned());
    let counters: Vec<String> = text.lines().filter_map(kind_of).collect();
    let mut older = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.starts_with("# UNIT ") && *line != "# EOF") {
        let about = ["# TYPE ", "# HELP "].iter().find_map(|about| Some((*about, line.strip_prefix(about)?)));
        match about.and_then(|(about, rest)| Some((about, rest.split_once(' ')?))) {
            Some((about, (name, rest))) if counters.iter().any(|counter| counter == name) => {
                older.push_str(&format!("{about}{name}_total {rest}\n"));
            }
            _ => {
                older.push_str(line);
                older.push('\n');
            }
        }
    }
    older
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::time::Duration;

    use super::*;
    use crate::counts::Counts;
    use crate::metrics::CycleOutcome;

    fn counted() -> Metrics {
        let metrics = Metrics::default();
        let counts = Counts { judged: 7, anomalies: 2, nulls: 1, ..Counts::default() };
        metrics.cycle(CycleOutcome::Done, Duration::from_millis(30), &counts);
        metrics.cycle(CycleOutcome::Failed, Duration::from_millis(5), &Counts::default());
        metrics
    }

    #[test]
    fn what_happened_is_counted_and_what_did_not_is_nought() {
        let text = counted().text();
        for line in [
            "anomaly_worker_cycles_total{outcome=\"done\"} 1",
            "anomaly_worker_cycles_total{outcome=\"failed\"} 1",
            "anomaly_worker_cycles_total{outcome=\"standby\"} 0",
            "anomaly_worker_readings_total{fate=\"judged\"} 7",
            "anomaly_worker_readings_total{fate=\"judged_anomalous\"} 2",
            "anomaly_worker_readings_total{fate=\"malformed\"} 0",
            "anomaly_worker_cycle_duration_seconds_count 2",
            "anomaly_worker_leader 1",
            "anomaly_worker_reloads_total{outcome=\"refused\"} 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is missing in {text}");
        }
        let success =
            text.lines().find_map(|line| line.strip_prefix("anomaly_worker_last_success_timestamp_seconds "));
        assert!(success.unwrap().parse::<f64>().unwrap() > 1.6e9);
    }

    #[test]
    fn the_file_is_in_the_form_of_a_node_exporter() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("anomaly_worker.prom");
        std::fs::write(&file, "old").unwrap();
        write_file(&counted(), &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("# TYPE anomaly_worker_cycles_total counter\n"), "{text}");
        assert!(text.contains("# HELP anomaly_worker_cycles_total Cycles that ended, by outcome"), "{text}");
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(write_file(&counted(), &directory.path().join("none/x.prom")).is_err());
    }

    #[test]
    fn a_schedule_that_is_silent_for_too_long_is_told() {
        let metrics = Metrics::default();
        assert_eq!(metrics.stalled(), None, "nobody schedules");
        metrics.expect_signs(Duration::from_secs(3600));
        assert_eq!(metrics.stalled(), None);
        metrics.expect_signs(Duration::ZERO);
        assert!(metrics.stalled().is_some());
    }
}
