//! Writes what the fuzzer starts from, `corpus/<target>/`: the fixtures, and for each target a few of its own.

use std::error::Error;
use std::fs;
use std::path::Path;

use prophet::Model;

const FEW: [(&str, &str, &str); 6] = [
    ("settings", "all", r#"{"threshold": 3, "interval_width": 0.9, "residual_scale": "batch", "trend_uncertainty": "batch"}"#),
    ("settings", "names", r#"{"variables": {"A/B": "prophet_model_y.json"}, "columns": {"A/B": {"load": "P"}}}"#),
    ("detector_config", "all", r#"{"anomaly_threshold": 2.5, "interval_width": 0.95, "variables": ["A/B", "y", "Ñ"]}"#),
    ("detector_config", "none", "\u{feff}{\"variables\": null}"),
    ("country_holidays", "all", "\u{feff}ds,holiday\n2024-12-25,Christmas Day\n2025-07-04T00:00:00,\"Independence, \"\"Day\"\"\"\n"),
    ("country_holidays", "other", "holiday, ds ,more\r\nChristmas Day,2023-02-29,1\r\n"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let corpus = here.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        fs::write(corpus.join(name), bytes)
    };
    for case in fs::read_dir(here.join("../detector-guest/prophet/tests/fixtures"))? {
        let case = case?;
        let (name, json) = (case.file_name(), fs::read(case.path().join("model.json"))?);
        let name = name.to_string_lossy();
        write("json", &name, &json)?;
        let compact = Model::compact(&json)?;
        write("compact", &name, &compact[fuzz::HEADER..])?;
    }
    for (target, name, text) in FEW {
        write(target, name, text.as_bytes())?;
    }
    Ok(())
}
