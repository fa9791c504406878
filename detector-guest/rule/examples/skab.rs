//! The rule on a checkout of the Skoltech Anomaly Benchmark (SKAB, version 0.9): `cargo run
//! --release -p rule --example skab -- DIR`; with `each` behind it, file by file.
//!
//! 34 files of eight sensors of a water loop, a reading a second, each with one fault of minutes.
//! What the detector has where nothing is set. Scored as the benchmark's table of outlier detection
//! is: the rows of all files behind the first 400 of each, of which one is flagged if any sensor
//! is.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;
#[path = "../tests/machines/mod.rs"]
mod machines;
mod tables;

use std::error::Error;
use std::path::{Path, PathBuf};

use machines::{Judged, Machine};
use rule::{RuleSettings, Variable};
use tables::{BUDGET, microseconds, settings};

const SENSORS: usize = 8;

/// Rows of a file that are there to be learnt, and not scored.
const LEARNT: usize = 400;

const SECOND: i64 = 1_000_000;

/// In readings, of which there is one a second: half of a warm-up, which is too short there.
const THREE_MINUTES: Option<u32> = Some(187);

struct Row {
    time: i64,
    values: [f64; SENSORS],
    is_fault: bool,
}

/// What the sensors have seen before a file.
#[derive(Clone, Copy, PartialEq)]
enum Past {
    Nothing,
    /// The file without a fault.
    AnomalyFree,
    /// The files of the same folder, in their order.
    EarlierFiles,
}

/// A file's number and rows.
type File = (u32, Vec<Row>);

/// Counts over files.
#[derive(Default)]
struct Score {
    /// Rows: flagged and a fault, flagged and none, a fault and not flagged, neither.
    rows: [usize; 4],
    faults: usize,
    /// Of those found by an alarm within their time, after how many readings.
    delays: Vec<usize>,
    /// Alarms of sensors, and instants with one, where there is no fault; of so many rows.
    false_alarms: usize,
    false_instants: usize,
    normal: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir =
        PathBuf::from(arguments.next().ok_or("the directory of the benchmark is missing")?).join("data");
    let each = arguments.next().is_some_and(|argument| argument == "each");
    let past = read(&dir.join("anomaly-free/anomaly-free.csv"))?;
    let mut folders = Vec::new();
    for folder in ["valve1", "valve2", "other"] {
        folders.push((folder, files(&dir.join(folder))?));
    }
    println!("{:48}    F1    FAR    MAR  found  delay  false alarms  instants, of rows", "");
    for (name, before, in_group, normal_after) in [
        ("each file alone", Past::Nothing, false, None),
        ("the same, normal after three minutes", Past::Nothing, false, THREE_MINUTES),
        ("after the file without a fault", Past::AnomalyFree, false, None),
        ("the same, normal after three minutes", Past::AnomalyFree, false, THREE_MINUTES),
        ("the same as a group", Past::AnomalyFree, true, None),
        ("one file after the other", Past::EarlierFiles, false, None),
    ] {
        let mut score = Score::default();
        for (folder, files) in &folders {
            let mut rig = None;
            for (number, rows) in files {
                let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
                let usual = settings(&times, BUDGET)?;
                let settings =
                    RuleSettings { normal_after: normal_after.unwrap_or(usual.normal_after), ..usual };
                let of_file = match before {
                    Past::EarlierFiles => rig.get_or_insert_with(|| Rig::new(settings, in_group)),
                    _ => rig.insert(Rig::new(settings, in_group)),
                };
                if before == Past::AnomalyFree {
                    of_file.judge(&past);
                }
                let judged = of_file.judge(rows);
                if each {
                    tell(&format!("{folder}/{number}"), rows, &judged);
                }
                score.add(rows, &judged);
            }
        }
        println!("{name:48} {score}");
    }
    Ok(())
}

impl Score {
    fn add(&mut self, rows: &[Row], judged: &[Judged<SENSORS>]) {
        for (row, judged) in rows.iter().zip(judged).skip(LEARNT) {
            let flagged = judged.verdicts.iter().any(|verdict| verdict.is_anomaly);
            self.rows[match (flagged, row.is_fault) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            }] += 1;
        }
        let fault = || rows.iter().zip(judged).filter(|(row, _)| row.is_fault);
        self.faults += usize::from(fault().next().is_some());
        self.delays.extend(fault().position(|(_, judged)| judged.alarms()));
        for (_, judged) in rows.iter().zip(judged).filter(|(row, _)| !row.is_fault) {
            self.normal += 1;
            self.false_alarms += judged.verdicts.iter().filter(|verdict| verdict.alarm).count();
            self.false_instants += usize::from(judged.alarms());
        }
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [hits, false_hits, misses, quiet] = self.rows.map(|count| count as f64);
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let delay = delays.get(delays.len() / 2).map_or("-".to_owned(), usize::to_string);
        write!(
            f,
            "{:5.2} {:5.1}% {:5.1}% {:3}/{} {delay:>6} {:>13} {:>9} of {}",
            hits / (hits + f64::midpoint(false_hits, misses)),
            100.0 * false_hits / (false_hits + quiet),
            100.0 * misses / (misses + hits),
            delays.len(),
            self.faults,
            self.false_alarms,
            self.false_instants,
            self.normal
        )
    }
}

/// The sensors, and when they were read last.
struct Rig {
    sensors: Sensors,
    last: i64,
}

/// All of them by themselves, or together.
enum Sensors {
    Alone(Box<[Variable; SENSORS]>),
    Group(Box<Machine<SENSORS>>),
}

impl Rig {
    fn new(settings: RuleSettings, in_group: bool) -> Self {
        let sensors = if in_group {
            Sensors::Group(Box::new(Machine::new(settings)))
        } else {
            Sensors::Alone(Box::new([(); SENSORS].map(|()| Variable::new(settings))))
        };
        Self { sensors, last: i64::MIN }
    }

    /// Some files begin before the one before them ends; such a one is moved, so that no reading is
    /// late.
    fn judge(&mut self, rows: &[Row]) -> Vec<Judged<SENSORS>> {
        let later = self.last.saturating_add(SECOND).saturating_sub(rows[0].time).max(0);
        let judged = rows.iter().map(|row| self.sensors.judge(row.time + later, &row.values)).collect();
        self.last = rows[rows.len() - 1].time + later;
        judged
    }
}

impl Sensors {
    fn judge(&mut self, time: i64, values: &[f64; SENSORS]) -> Judged<SENSORS> {
        match self {
            Self::Alone(variables) => Judged {
                verdicts: std::array::from_fn(|n| variables[n].judge(time, values[n], None)),
                by_group: false,
            },
            Self::Group(machine) => machine.judge(time, values),
        }
    }
}

/// Where sensors alarm, and how much of a file is flagged.
fn tell(name: &str, rows: &[Row], judged: &[Judged<SENSORS>]) {
    let fault: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].is_fault).collect();
    let (first, last) = (fault[0], fault[fault.len() - 1]);
    let flagged = |from: usize, to: usize| {
        let of = judged[from..to].iter().filter(|row| row.verdicts.iter().any(|verdict| verdict.is_anomaly));
        100.0 * of.count() as f64 / (to - from).max(1) as f64
    };
    let mut alarms = Vec::new();
    for (at, row) in judged.iter().enumerate() {
        for (sensor, verdict) in row.verdicts.iter().enumerate().filter(|(_, verdict)| verdict.alarm) {
            let held = judged[at..].iter().take_while(|row| row.verdicts[sensor].is_anomaly).count();
            let cause = verdict.cause.map_or(String::new(), |cause| format!("{cause:?}"));
            alarms.push(format!("{at} {sensor} {cause} {held}"));
        }
    }
    println!(
        "{name:10} fault {first} to {last} of {}; flagged {:.0} % before, {:.0} % of it, {:.0} % after; {}",
        rows.len(),
        flagged(LEARNT.min(first), first),
        flagged(first, last + 1),
        flagged(last + 1, rows.len()),
        alarms.join(", ")
    );
}

/// As they followed each other.
fn files(folder: &Path) -> Result<Vec<File>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let Some(number) = number {
            files.push((number, read(&path)?));
        }
    }
    files.sort_unstable_by_key(|(_, rows)| rows[0].time);
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut table = csv::ReaderBuilder::new().delimiter(b';').from_path(path)?;
    let mut rows = Vec::<Row>::new();
    for record in table.records() {
        let record = record?;
        let mut cells = record.iter();
        let at = cells.next().unwrap_or_default();
        let time = microseconds(at).ok_or_else(|| format!("`{at}` is no time"))?;
        let mut values = [f64::NAN; SENSORS];
        for (value, cell) in values.iter_mut().zip(cells.by_ref()) {
            *value = cell.parse()?;
        }
        let is_fault = cells.next().is_some_and(|cell| cell == "1.0");
        rows.push(Row { time, values, is_fault });
    }
    Ok(rows)
}
