//! What is handed to the search beside what Prophet 1.5.0 hands to Stan, to the last bit.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::fit::series::Series;

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn columns(bytes: &[u8]) -> (Vec<i64>, Vec<(String, Vec<f64>)>) {
    let mut reader = csv::Reader::from_reader(bytes);
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let number = |text: &str| match text {
        "" => f64::NAN,
        "True" => 1.0,
        "False" => 0.0,
        text => text.parse().unwrap(),
    };
    let of = |at: usize| rows.iter().map(move |row| row[at].to_owned());
    let instants = of(0).map(|text| crate::time::instant(&text).unwrap()).collect();
    let others = header.iter().enumerate().skip(1);
    (instants, others.map(|(at, name)| (name.clone(), of(at).map(|text| number(&text)).collect())).collect())
}

#[test]
fn what_stan_is_given() {
    let mut seen = 0;
    for case in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/training")).unwrap() {
        let case = case.unwrap().path();
        let expected: Value = serde_json::from_slice(&unpacked(&case.join("expected.json.gz"))).unwrap();
        let expected = &expected["prepared"];
        let Some(scales) = expected["prior_scales"].as_array() else { continue };
        let settings = FitSettings::from_json(&std::fs::read(case.join("settings.json")).unwrap()).unwrap();
        let dates = std::fs::read_to_string(case.join("country_holidays.csv")).ok().map(|text| {
            let rows = text.lines().skip(1).filter_map(|line| line.split_once(','));
            rows.map(|(date, name)| CountryHoliday { date: date.to_owned(), name: name.to_owned() }).collect()
        });
        let (instants, columns) = columns(&unpacked(&case.join("train.csv.gz")));
        let y = &columns.iter().find(|column| column.0 == "y").unwrap().1;
        let series = columns
            .iter()
            .fold(Series::new(&instants, y), |series, (name, values)| series.with(name, values));
        let dates: Option<Vec<CountryHoliday>> = dates;
        let prepared = prepare(SortedRows::of(&series).unwrap(), &settings, dates.as_deref()).unwrap();

        let case = case.display();
        let layout = prepared.problem.layout();
        let number = |value: &Value| value.as_f64().unwrap();
        assert_eq!(layout.deviations, scales.iter().map(number).collect::<Vec<_>>(), "{case}");
        for (key, columns) in [("s_a", &layout.additive), ("s_m", &layout.multiplicative)] {
            let flags = expected[key].as_array().unwrap().iter().enumerate();
            let of_mode: Vec<usize> =
                flags.filter(|(_, flag)| number(flag) == 1.0).map(|(at, _)| at).collect();
            assert_eq!(*columns, of_mode, "{case}: {key}");
        }
        assert_eq!(prepared.start, (number(&expected["k0"]), number(&expected["m0"])), "{case}");
        seen += 1;
    }
    assert!(seen >= 19, "{seen}");
}
