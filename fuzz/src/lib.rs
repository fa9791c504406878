//! What must hold for any bytes that are given to a reader: no panic, no endless work, memory in
//! proportion to the file, and of a model that is read, the contract kept at any instant and the
//! same model again from its compact form.
//!
//! Each says whether the bytes were accepted. A function here is the body of a fuzz target of the
//! same name (`just fuzz json 600`), which looks for bytes that break it. `detector-guest/tests/
//! damaged_files.rs` calls the same functions with fixtures that are damaged systematically, so
//! that every run of the tests does too.

pub mod contract;

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use detector_guest::{Column, ColumnOutcome, File, ProphetDetector};
use peak_alloc::PeakAlloc;
use prophet::{CountryHoliday, Features, Forecast, Inputs, Model, ReadError, Role};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A model in JSON.
pub fn json(bytes: &[u8]) -> bool {
    model(bytes)
}

/// Bytes of a compact model before that which `compact` takes.
pub const HEADER: usize = 12;

/// What stands behind the header of a compact model, whose checksum would otherwise keep everything
/// out.
pub fn compact(body: &[u8]) -> bool {
    let checksum = crc32fast::hash(body).to_le_bytes();
    model(&[b"PROPHET\x01", &checksum[..], body].concat())
}

/// `detector_config.json`, beside a model.
pub fn detector_config(bytes: &[u8]) -> bool {
    opens(&[File { path: "detector_config.json", bytes }, MODEL], "{}")
}

/// The settings' JSON.
pub fn settings(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| opens(&[MODEL], text))
}

/// A table of country holidays, beside a model that needs one.
pub fn country_holidays(bytes: &[u8]) -> bool {
    let model = File { path: MODEL.path, bytes: &WITHOUT_DATES };
    opens(&[File { path: "country_holidays.csv", bytes }, model], "{}")
}

/// Rows of a series that are read: what is looked for shows with few, and a fit takes its time.
const MOST_ROWS: usize = 200;

/// What a model is trained on: a line of settings, and then a line a row, `instant,value` and the
/// number of a column `x`. Ends in a model that opens, or in a sentence.
pub fn training(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (settings, table) = text.split_once('\n').unwrap_or((text, ""));
    let (mut instants, mut values, mut x) = (Vec::new(), Vec::new(), Vec::new());
    for line in table.lines().take(MOST_ROWS) {
        let mut cells = line.split(',').map(str::trim);
        let Some(Ok(instant)) = cells.next().map(str::parse) else { continue };
        let mut number = || cells.next().and_then(|cell| cell.parse().ok()).unwrap_or(f64::NAN);
        instants.push(instant);
        values.push(number());
        x.push(number());
    }
    let columns = [Column { variable: "x", values: &x }];
    match detector_guest::train("A/B", (&instants, &values), &columns, settings, &[], &[]) {
        Ok(trained) => {
            model(&trained.file.bytes);
            let companions = detector_guest::companions(&["A/B"], &[], &[]).expect("a list of names");
            let files =
                [&trained.file, &companions].map(|file| File { path: &file.path, bytes: &file.bytes });
            ProphetDetector::open(&files, "{}").expect("what was trained");
            true
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            false
        }
    }
}

/// Series that a model is made of.
pub const SERIES: [&str; 2] = [
    "{}\n0,1\n3600000000,2\n7200000000,2.5\n10800000000,1\n14400000000,\n18000000000,3\n",
    "{\"prophet\": {\"growth\": \"flat\", \"n_changepoints\": 2}, \"regressors\": [{\"name\": \"x\"}]}\n0,1,2\n60000000,1,1\n60000000,9,0\n-5,3,0\n",
];

/// A function of this file: whether it accepts the bytes.
pub type Body = fn(&[u8]) -> bool;

/// Small files that are accepted, by target.
pub const SMALL: [(&str, Body, [&str; 2]); 3] = [
    (
        "settings",
        settings,
        [
            r#"{"threshold": 3, "interval_width": 0.9, "residual_scale": "batch", "trend_uncertainty": "batch"}"#,
            r#"{"variables": {"A/B": "prophet_model_y.json"}, "columns": {"A/B": {}}}"#,
        ],
    ),
    (
        "detector_config",
        detector_config,
        [
            r#"{"anomaly_threshold": 2.5, "interval_width": 0.95, "variables": ["A/B", "y", "Ñ"]}"#,
            "\u{feff}{\"variables\": null, \"seasonality_mode\": [1, {\"a\": \"b\"}]}",
        ],
    ),
    (
        "country_holidays",
        country_holidays,
        [
            "\u{feff}ds,holiday\n2024-12-25,Christmas Day\n2025-07-04T00:00:00,\"Independence, \"\"Day\"\"\"\n",
            "holiday, ds ,more\r\nChristmas Day,2023-02-28,1\r\n\r\nNew Year's Day,2024-01-01,\r\n",
        ],
    ),
];

const MODEL: File<'_> = File {
    path: "prophet_model_y.json",
    bytes: include_bytes!("../../detector-guest/prophet/tests/fixtures/flat/model.json"),
};

/// A model with a country's holidays, as Prophet leaves it.
static WITHOUT_DATES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let json = include_bytes!("../../detector-guest/prophet/tests/fixtures/country_holidays_us/model.json");
    let mut document: serde_json::Value = serde_json::from_slice(json).expect("a fixture");
    document["country_holiday_dates"].take();
    document.to_string().into_bytes()
});

/// The ends of what an instant can be, of years with and without holidays, and of a second.
const INSTANTS: [i64; 9] = [
    i64::MIN,
    -62_135_596_800_000_001,
    -1,
    1_704_067_199_999_999,
    1_735_084_800_000_000,
    1_735_084_800_000_001,
    1_767_225_600_000_000,
    2_000_000_000_000_000,
    i64::MAX,
];

/// The same at a few rows: what is expected, nothing, and everything else that a reading can be.
const READINGS: [f64; INSTANTS.len()] = [0.0, 1.0, f64::NAN, 120.0, -5.5, f64::MAX, 5e-324, -1e30, 1.0];

const SETTINGS: [&str; 5] = [
    "{}",
    r#"{"residual_scale": "batch", "trend_uncertainty": "batch", "interval_width": 0.95}"#,
    r#"{"trend_uncertainty": "continuous", "threshold": 1e-300}"#,
    r#"{"trend_uncertainty": "batch", "interval_width": 0.000001}"#,
    r#"{"residual_scale": "batch", "trend_uncertainty": "continuous", "interval_width": 0.9999999}"#,
];

/// Reading takes at most this much for a byte of the file, and for anything at all.
const BYTES_A_BYTE: usize = 100;
const BYTES: usize = 1 << 20;

/// Runs a reader of a file of this length, whose memory is to be in proportion.
pub fn frugally<T>(length: usize, read: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let read = read();
    let most = MEMORY.peak_usage().saturating_sub(before);
    assert!(most <= BYTES + BYTES_A_BYTE * length, "{most} bytes of memory for {length} in the file");
    read
}

fn model(file: &[u8]) -> bool {
    let holidays = [("2024-12-25", "Christmas Day"), ("2025-07-04", "Independence Day")]
        .map(|(date, name)| CountryHoliday { date: date.to_owned(), name: name.to_owned() });
    let model = match frugally(file.len(), || Model::from_bytes(file, None)) {
        Ok(model) => {
            let compact = Model::compact(file).expect("it was read");
            let again = Model::from_bytes(&compact, None).expect("it was written");
            // Texts, because a number that is none differs from itself.
            assert_eq!(format!("{again:?}"), format!("{model:?}"));
            assert_eq!(Model::compact(&compact).expect("it was read"), compact);
            model
        }
        Err(ReadError::NoCountryHolidays { .. }) => match Model::from_bytes(file, Some(&holidays)) {
            Ok(model) => model,
            Err(_) => return false,
        },
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    predicts(&model);
    let table = File { path: "country_holidays.csv", bytes: b"ds,holiday\n2024-12-25,Christmas Day\n" };
    // An uncertain trend takes a hundred times as long where every draw has one.
    let chance = if model.draws() > 1 { 8 } else { 1 } * SETTINGS.len();
    let settings = SETTINGS.get(crc32fast::hash(file) as usize % chance).unwrap_or(&SETTINGS[0]);
    judges(&[File { path: MODEL.path, bytes: file }, table], settings, &model);
    true
}

/// Where nothing that a model is made of is extreme, nothing that it predicts is infinite.
fn predicts(model: &Model) {
    let mut inputs = Inputs::new();
    for need in model.needs() {
        inputs.set(&need.name, &[supplied(need.role); INSTANTS.len()]);
    }
    let mut forecast = Forecast::default();
    model.forecast(&mut Features::new(&INSTANTS), &inputs, &mut forecast);
    if is_moderate(model) {
        let absent = |row| forecast.absent().iter().any(|absence| absence.rows.contains(&row));
        for (row, yhat) in forecast.yhat().iter().enumerate() {
            assert_eq!(yhat.is_nan(), absent(row), "row {row}: {yhat} of {model:?}");
            assert!(!yhat.is_infinite(), "row {row} of {model:?}");
        }
    }
}

fn supplied(role: Role) -> f64 {
    match role {
        Role::Cap => 1e6,
        Role::Floor => -1e3,
        Role::Regressor => 7.25,
        Role::Condition => 1.0,
    }
}

/// What training finds in any plant, with room to spare.
const MODERATE: RangeInclusive<f64> = 1e-12..=1e12;

/// Whether all numbers in a model are of sizes that training finds; the words in it may make more
/// of them.
fn is_moderate(model: &Model) -> bool {
    let text = format!("{model:?}");
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !".+-".contains(letter));
    // Whole numbers are counts and days.
    let mut numbers = words.filter(|word| word.contains(['.', 'e']) || ["inf", "-inf", "NaN"].contains(word));
    numbers.all(|word| {
        word.parse().map_or(true, |number: f64| number == 0.0 || MODERATE.contains(&number.abs()))
    })
}

fn judges(files: &[File<'_>], settings: &str, model: &Model) {
    let mut detector = match ProphetDetector::open(files, settings) {
        Ok(detector) => detector,
        // The table has fewer dates than `model` was given.
        Err(_) if files.iter().any(|file| Model::from_bytes(file.bytes, None).is_err()) => return,
        Err(error) => unreachable!("{error}"),
    };
    let mut columns = vec![Column { variable: "y", values: &READINGS }];
    let others = model.needs().iter().filter(|need| need.name != "y");
    let supplies: Vec<_> =
        others.map(|need| (need.name.as_str(), [supplied(need.role); INSTANTS.len()])).collect();
    columns.extend(supplies.iter().map(|(variable, values)| Column { variable, values }));
    // One column may have two roles.
    columns.dedup_by_key(|column| column.variable);
    judge(&mut detector, &columns);
}

fn judge(detector: &mut ProphetDetector, columns: &[Column<'_>]) {
    let outcomes = detector.detect(&INSTANTS, columns).expect("the batch is one");
    for (column, outcome) in columns.iter().zip(outcomes) {
        if let ColumnOutcome::Judged(verdicts) = outcome {
            contract::keep(&verdicts, column.values);
        }
    }
}

/// Opens a detector, which may refuse; if it does not, it judges.
fn opens(files: &[File<'_>], settings: &str) -> bool {
    let length = settings.len() + files.iter().map(|file| file.bytes.len()).sum::<usize>();
    match frugally(length, || ProphetDetector::open(files, settings)) {
        Ok(mut detector) => {
            judge(&mut detector, &[Column { variable: "y", values: &READINGS }]);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}
