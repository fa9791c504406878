//! Reading of the fixtures: models as Prophet 1.5.0 saved them (history dropped) and what Prophet
//! answered.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "test support, shared by several test binaries"
)]

pub mod plausible;
pub mod training;

use std::path::{Path, PathBuf};

use prophet::interval::{Intervals, TrendUncertainty};
use prophet::{CountryHoliday, Features, Forecast, Inputs, Model};

/// Microseconds since 1970 of `2024-03-03T23:59:47.654322`.
pub fn micros(ds: &str) -> i64 {
    let (date, time) = ds.split_once(['T', ' ']).unwrap_or((ds, "00:00:00"));
    let date: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock: Vec<i64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    let fraction: i64 = format!("{fraction:0<6}").parse().unwrap();
    ((days(date[0], date[1], date[2]) * 24 + clock[0]) * 60 + clock[1]) * 60_000_000
        + clock[2] * 1_000_000
        + fraction
}

/// Days since 1970 of a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The directories of the cases in `root`, sorted.
pub fn cases(root: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

pub fn model_json(case: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(case).join("model.json")).unwrap()
}

/// The columns of a CSV file by name; an empty cell is an empty text.
pub struct Columns {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Columns {
    pub fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        Self { header, rows: reader.records().map(Result::unwrap).collect() }
    }

    pub fn texts(&self, name: &str) -> Vec<&str> {
        let at = self
            .header
            .iter()
            .position(|column| column == name)
            .unwrap_or_else(|| panic!("no column `{name}`"));
        self.rows.iter().map(|row| &row[at]).collect()
    }

    /// An empty cell is NaN.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let number = |text: &str| if text.is_empty() { f64::NAN } else { text.parse().unwrap() };
        self.texts(name).into_iter().map(number).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.header.iter().any(|column| column == name)
    }
}

/// A case of the oracle: a model, the request, and what Prophet answered.
pub struct Case {
    pub name: String,
    pub model: Model,
    /// In Prophet's order: sorted, duplicates and all.
    pub instants: Vec<i64>,
    pub inputs: Inputs,
    pub expected: Columns,
}

impl Case {
    pub fn read(directory: &Path) -> Self {
        let json = std::fs::read(directory.join("model.json")).unwrap();
        let dates = directory.join("country_holidays.csv");
        let model = if dates.exists() {
            Model::from_bytes(&json, Some(&country_holidays(&dates))).unwrap()
        } else {
            Model::from_json(&json).unwrap()
        };
        let expected = Columns::read(&directory.join("expected.csv"));
        let mut inputs = Inputs::new();
        if !model.needs().is_empty() {
            let given = Columns::read(&directory.join("input.csv"));
            let mut order: Vec<(usize, i64)> =
                given.texts("ds").into_iter().map(micros).enumerate().collect();
            order.sort_by_key(|(_, micros)| *micros);
            for need in model.needs() {
                let values = given.numbers(&need.name);
                let sorted: Vec<f64> = order.iter().map(|(row, _)| values[*row]).collect();
                inputs.set(&need.name, &sorted);
            }
        }
        Self {
            name: directory.file_name().unwrap().to_str().unwrap().to_owned(),
            model,
            instants: expected.texts("ds").into_iter().map(micros).collect(),
            inputs,
            expected,
        }
    }

    pub fn forecast(&self) -> Forecast {
        let mut forecast = Forecast::default();
        self.model.forecast(&mut Features::new(&self.instants), &self.inputs, &mut forecast);
        forecast
    }
}

/// Lower and upper ends for a whole request.
pub fn interval(
    model: &Model,
    instants: &[i64],
    inputs: &Inputs,
    width: f64,
    trend: TrendUncertainty,
) -> (Vec<f64>, Vec<f64>) {
    let mut features = Features::new(instants);
    let mut forecast = Forecast::default();
    model.forecast(&mut features, inputs, &mut forecast);
    let (mut lower, mut upper) = (vec![0.0; instants.len()], vec![0.0; instants.len()]);
    Intervals::new().bound(model, &mut features, inputs, &forecast, (width, trend), &mut lower, &mut upper);
    (lower, upper)
}

pub fn country_holidays(path: &Path) -> Vec<CountryHoliday> {
    let table = Columns::read(path);
    let row = |(date, name): (&str, &str)| CountryHoliday { date: date.to_owned(), name: name.to_owned() };
    table.texts("ds").into_iter().zip(table.texts("holiday")).map(row).collect()
}
