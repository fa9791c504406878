//! Reading of training cases: rows and settings as they go into Prophet's `fit`, and what Prophet
//! 1.5.0 made of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use prophet::fit::{FitSettings, Fitted, Series};
use prophet::{CountryHoliday, Features, Forecast, Inputs, Model};
use serde_json::Value;

use super::micros;

/// Small cases, on any machine. `TRAINING_ORACLE_DIR` names a directory of more.
pub fn training_cases() -> Vec<PathBuf> {
    let mut cases = super::cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/training"));
    match std::env::var_os("TRAINING_ORACLE_DIR") {
        Some(root) => {
            let more = super::cases(Path::new(&root));
            cases.extend(more.into_iter().filter(|case| case.is_dir()));
        }
        None => eprintln!("the small cases alone: TRAINING_ORACLE_DIR names no directory of cases"),
    }
    cases
}

/// A file or its compressed form; none if there is neither.
pub fn contents(path: &Path) -> Option<Vec<u8>> {
    if let Ok(bytes) = std::fs::read(path) {
        return Some(bytes);
    }
    let packed = std::fs::File::open(format!("{}.gz", path.display())).ok()?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// A table of rows, `ds` apart.
#[derive(Clone, Debug)]
pub struct Table {
    pub instants: Vec<i64>,
    pub columns: Vec<(String, Vec<f64>)>,
}

impl Table {
    pub fn of(bytes: &[u8]) -> Self {
        let mut reader = csv::Reader::from_reader(bytes);
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let number = |text: &str| match text {
            "" => f64::NAN,
            "True" => 1.0,
            "False" => 0.0,
            text => text.parse().unwrap(),
        };
        let mut table = Self { instants: Vec::new(), columns: Vec::new() };
        for (at, name) in header.iter().enumerate() {
            let cells = rows.iter().map(|row| &row[at]);
            if name == "ds" {
                table.instants = cells.map(micros).collect();
            } else {
                table.columns.push((name.clone(), cells.map(number).collect()));
            }
        }
        table
    }

    pub fn column(&self, name: &str) -> &[f64] {
        &self.columns.iter().find(|column| column.0 == name).unwrap().1
    }

    pub fn series(&self) -> Series<'_> {
        let others = self.columns.iter().filter(|column| column.0 != "y");
        others.fold(Series::new(&self.instants, self.column("y")), |series, (name, values)| {
            series.with(name, values)
        })
    }

    /// What a model predicts for these rows.
    pub fn yhat(&self, model: &Model) -> Vec<f64> {
        let mut inputs = Inputs::new();
        for (name, values) in self.columns.iter().filter(|column| column.0 != "y") {
            inputs.set(name, values);
        }
        let mut forecast = Forecast::default();
        model.forecast(&mut Features::new(&self.instants), &inputs, &mut forecast);
        assert_eq!(forecast.absent(), []);
        forecast.yhat().to_vec()
    }
}

pub struct Training {
    pub name: String,
    pub settings: FitSettings,
    pub rows: Table,
    pub ahead: Table,
    pub country: Option<Vec<CountryHoliday>>,
    pub expected: Value,
    /// Instants and the forecast at the optimum, rows of training among them.
    pub optimum: Option<(Vec<i64>, Vec<f64>)>,
}

impl Training {
    pub fn read(directory: &Path) -> Self {
        let file = |name: &str| contents(&directory.join(name));
        let dates = directory.join("country_holidays.csv");
        let optimum = file("yhat.csv").map(|bytes| {
            // Its columns are ds, t, prophet and optimum.
            let table = Table::of(&bytes);
            (table.instants.clone(), table.column("optimum").to_vec())
        });
        Self {
            name: directory.file_name().unwrap().to_str().unwrap().to_owned(),
            settings: FitSettings::from_json(&file("settings.json").unwrap()).unwrap(),
            rows: Table::of(&file("train.csv").unwrap()),
            ahead: Table::of(&file("ahead.csv").unwrap()),
            country: dates.exists().then(|| super::country_holidays(&dates)),
            expected: serde_json::from_slice(&file("expected.json").unwrap()).unwrap(),
            optimum,
        }
    }

    /// The rows at which the optimum's forecast is known: of training and ahead.
    pub fn at_optimum(&self) -> Option<(Table, Vec<f64>)> {
        let (instants, yhat) = self.optimum.clone()?;
        let cell = |name: &str, instant: i64| {
            let place = |table: &Table| table.instants.iter().position(|known| *known == instant);
            match place(&self.rows) {
                Some(row) => self.rows.column(name)[row],
                None => self.ahead.column(name)[place(&self.ahead).unwrap()],
            }
        };
        let others = self.rows.columns.iter().filter(|column| column.0 != "y");
        let columns = others
            .map(|(name, _)| (name.clone(), instants.iter().map(|instant| cell(name, *instant)).collect()));
        Some((Table { columns: columns.collect(), instants }, yhat))
    }

    /// The model with stored parameters in the place of those found.
    pub fn with(&self, fitted: &Fitted<'_>, parameters: &Value) -> Model {
        let mut file: Value = serde_json::from_slice(&fitted.to_short_json()).unwrap();
        for key in ["k", "m", "delta", "beta", "sigma_obs"] {
            file["params"][key] = parameters[key].clone();
        }
        Model::from_json(file.to_string().as_bytes()).unwrap()
    }
}
