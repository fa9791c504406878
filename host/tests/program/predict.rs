//! `host predict`, the real program on real models: its numbers are compared with those of Prophet,
//! and its messages for bad input.

use std::path::{Path, PathBuf};

use crate::common::{Place, Ran};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/prophet/tests/fixtures")
}

fn run(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = place.command(&["predict"]);
    // Compiled once for all tests.
    command.env("CACHE_DIRECTORY", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
    Ran::of(&command.args(arguments).output().unwrap())
}

/// The cells of a CSV file by column.
struct Cells {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Cells {
    fn of(text: &str) -> Self {
        let mut rows = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        Self { header: rows.next().unwrap(), rows: rows.collect() }
    }

    fn column(&self, name: &str) -> Vec<&str> {
        let at = self.header.iter().position(|column| column == name).unwrap();
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.column(name).into_iter().map(|cell| cell.parse().unwrap()).collect()
    }

    /// The rows in reverse order, but those of one `ds` in the same order. The output is sorted in
    /// any case.
    fn turned(&self) -> String {
        let ds = self.header.iter().position(|column| column == "ds").unwrap();
        let same: Vec<_> = self.rows.chunk_by(|a, b| a[ds] == b[ds]).collect();
        let rows = std::iter::once(&self.header).chain(same.into_iter().rev().flatten());
        rows.map(|row| row.join(",") + "\n").collect()
    }
}

/// `2024-03-03T23:59:47.654322` as the program writes it.
fn written(ds: &str) -> String {
    ds.replacen('T', " ", 1)
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |most: f64, number| most.max(number.abs()))
}

fn expected(case: &str) -> Cells {
    Cells::of(&std::fs::read_to_string(fixtures().join(case).join("expected.csv")).unwrap())
}

/// The request: the case's own, or else the `ds` of its answers, with columns that prediction
/// ignores.
fn request(case: &str) -> Cells {
    let given = std::fs::read_to_string(fixtures().join(case).join("input.csv"));
    given.map_or_else(|_| expected(case), |text| Cells::of(&text))
}

/// Compares a printed CSV with the case's answers. The names of the columns of bounds begin with
/// `bounds`.
fn compare(case: &str, printed: &str, bounds: &str) {
    let (found, expected) = (Cells::of(printed), expected(case));
    assert_eq!(found.header, ["ds", "yhat", "yhat_lower", "yhat_upper"]);
    let ds: Vec<String> = expected.column("ds").into_iter().map(written).collect();
    assert_eq!(found.column("ds"), ds, "{case}");
    let yhat = expected.numbers("yhat");
    for (row, (found, expected)) in found.numbers("yhat").iter().zip(&yhat).enumerate() {
        assert!(
            (found - expected).abs() <= 1e-12 * largest(&yhat),
            "{case}: row {row}: {found}, not {expected}"
        );
    }
    let [lower, upper] = ["lower", "upper"].map(|end| expected.numbers(&format!("{bounds}_{end}")));
    for (column, expected) in [("yhat_lower", &lower), ("yhat_upper", &upper)] {
        for (row, (found, expected)) in found.numbers(column).iter().zip(expected).enumerate() {
            let allowed = 1e-6 * (upper[row] - lower[row]);
            assert!(
                (found - expected).abs() <= allowed,
                "{case}: {bounds} of row {row}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn numbers_are_those_of_prophet() {
    let place = Place::new();
    for (case, law, bounds) in [
        ("linear_additive", "batch", "exactv"),
        ("regressor_multiplicative_unstandardised", "batch", "exactv"),
        ("conditional_seasonality", "continuous", "exact"),
        ("logistic_cap_floor", "continuous", "exact"),
        ("mcmc_small", "batch", "exactv"),
        ("odd_timestamps", "continuous", "exact"),
    ] {
        let model = fixtures().join(case).join("model.json");
        place.write("input.csv", request(case).turned());
        let ran = run(&place, &[model.to_str().unwrap(), "input.csv", "--trend-uncertainty", law]);
        assert_eq!(ran.code, Some(0), "{case}: {}", ran.stderr);
        compare(case, &ran.stdout, bounds);
    }
}

#[test]
fn country_holidays_come_from_a_file_beside_the_model() {
    let (place, case) = (Place::new(), "country_holidays_us");
    let json = std::fs::read(fixtures().join(case).join("model.json")).unwrap();
    let mut model: Value = serde_json::from_slice(&json).unwrap();
    let dates = model.as_object_mut().unwrap().remove("country_holiday_dates").unwrap();
    let mut table = String::from("ds,holiday\n");
    for date in dates.as_array().unwrap() {
        let (ds, holiday) = (date[0].as_str().unwrap(), date[1].as_str().unwrap());
        table += &format!("{ds},\"{holiday}\"\n");
    }
    place.write("model.json", model.to_string());
    place.write("dates.csv", table);
    place.write("input.csv", request(case).turned());

    let arguments = ["model.json", "input.csv", "--trend-uncertainty", "continuous"];
    let ran = run(&place, &[&arguments[..], &["--country-holidays", "dates.csv"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    compare(case, &ran.stdout, "exact");

    let ran = run(&place, &arguments);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (
            Some(1),
            "",
            "note: `input.csv`: column `law` holds no numbers and is passed over\n\
             error: `model.json`: the detector refuses its models: none of the 1 model files can be used; \
             `prophet_model_y.json`: model `y` has the country holidays of `US` but not their dates; the export tool adds them\n"
        )
    );
}

/// The width is used, rows of one `ds` keep their own columns, and only a row without the values
/// that it needs is left out.
#[test]
fn rows_of_one_ds_are_told_apart_and_a_missing_value_costs_its_row() {
    let (place, case) = (Place::new(), "regressor_additive_standardised");
    let model = fixtures().join(case).join("model.json");
    let model = model.to_str().unwrap();
    let ask = |rows: &str| {
        place.write("input.csv", format!("ds,load,note\n{rows}"));
        run(&place, &[model, "input.csv", "--interval-width", "0.5"])
    };
    let [first, second, later] = ["2024-03-05,300.5,", "2024-03-05 00:00:00,310,", "2024-03-06T01:00,305,"];
    let one = |row: &str| ask(&format!("{row}\n")).stdout.lines().nth(1).unwrap().to_owned();
    let expected = [first, second, later].map(one);
    assert_ne!(expected[0], expected[1]);

    let ran = ask(&format!("{later}\n{first}\n2024-03-07,nan,x\n{second}\n2024-03-05,,\n"));
    assert_eq!(
        ran.stdout,
        format!(
            "ds,yhat,yhat_lower,yhat_upper\n{}\n{}\n2024-03-05 00:00:00,,,\n{}\n2024-03-07 00:00:00,,,\n",
            expected[0], expected[1], expected[2]
        )
    );
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(0),
            "note: `input.csv`: column `note` holds no numbers and is passed over\n\
             note: `input.csv`: lines 4, 6 cannot be predicted: regressor `load` has no reading\n"
        )
    );
    let numbers: Vec<f64> = expected[0].split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
    let cells = self::expected(case);
    let width =
        |cells: &Cells, row: usize| cells.numbers("exact_upper")[row] - cells.numbers("exact_lower")[row];
    // Quantiles of the normal distribution at 0.75, and at 0.9, Prophet's own level.
    let ratio = 0.674_489_750_196_081_7 / 1.281_551_565_544_600_4;
    assert!(((numbers[2] - numbers[1]) / width(&cells, 0) - ratio).abs() < 1e-9);
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let place = Place::new();
    place.write("good.csv", "ds\n2025-01-01\n");
    for arguments in [
        &["predict", "/dev/zero", "good.csv"][..],
        &["predict", "good.csv", "good.csv", "--detector", "/dev/zero"],
        &["detector", "inspect", "/dev/zero"],
    ] {
        let ran = place.run(arguments);
        let said = "error: `/dev/zero` cannot be read: it is a device, and only regular files are read\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), said), "{arguments:?}");
    }
}

#[test]
fn bad_input_is_named() {
    let place = Place::new();
    let model = |case: &str| fixtures().join(case).join("model.json").to_str().unwrap().to_owned();
    let (linear, logistic) = (model("linear_additive"), model("logistic_cap"));
    place.write("good.csv", "ds\n2025-01-01\n");
    place.write("bad.csv", "ds,cap\n2025-01-01,8\n2025-01-02,much\n");
    place.write("late.csv", "ds\n2025-01-01\n01/02/2025\n");
    place.write("broken.json", "{");
    place.write("text.wasm", "no component");
    for (arguments, said) in [
        (
            &["nowhere.json", "good.csv"][..],
            "error: `nowhere.json` cannot be read: No such file or directory (os error 2)\n".to_owned(),
        ),
        (
            &[&linear, "nowhere.csv"],
            "error: `nowhere.csv` cannot be read: No such file or directory (os error 2)\n".to_owned(),
        ),
        (
            &[&linear, "bad.csv"],
            "error: `bad.csv`: line 3, column `cap`: `much` is not a finite number; write one, or leave the cell empty\n"
                .to_owned(),
        ),
        (
            &[&linear, "late.csv"],
            "error: `late.csv`: line 3, column `ds`: `01/02/2025` is not a datetime; write it as `2025-01-15 10:00:00` or \
             `2025-01-15 10:00:00.503`\n"
                .to_owned(),
        ),
        (
            &["broken.json", "good.csv"],
            "error: `broken.json`: the detector refuses its models: none of the 1 model files can be used; \
             `prophet_model_y.json`: model `y` is cut short: copy the file again, whole (EOF while parsing an object at \
             line 1 column 1)\n"
                .to_owned(),
        ),
        (
            &[&linear, "good.csv", "--interval-width", "95"],
            format!(
                "error: `{linear}`: the detector refuses its settings: `interval_width` is `95.0`; write a number above 0, \
                 at most 1, such as `0.95`\n"
            ),
        ),
        (
            &[&linear, "good.csv", "--detector", "text.wasm"],
            format!("error: `{linear}`: `text.wasm` cannot be used: it is not a WebAssembly component\n"),
        ),
        (
            &[&logistic, "good.csv"],
            "note: `good.csv`: line 2 cannot be predicted: capacity `cap` has no reading\n\
             error: `good.csv`: no row can be predicted\n"
                .to_owned(),
        ),
    ] {
        let ran = run(&place, arguments);
        assert_eq!((ran.code, ran.stderr), (Some(1), said), "{arguments:?}");
    }
}
