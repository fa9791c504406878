//! Models that Prophet fits, saves and loads, and that were refused here: an interval of width 1,
//! `Infinity` in a key, a constant capacity.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{fixtures, open};
use detector_guest::{
    Column, ColumnOutcome, ColumnVerdicts, File, OpenError, ProphetDetector, UnreadableModel,
};
use prophet::Model;
use prophet::interval::{RANGE_OF_DRAWS, z};

const INSTANTS: [i64; 3] = [1_736_503_200_000_000, 1_736_506_800_000_000, 1_736_510_400_000_000];
const FILE: &str = "prophet_model_TEMP_03.json";

fn case(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(format!("cases/{name}.json"))).unwrap()
}

fn with(name: &str, from: &str, to: &str) -> String {
    let model = case(name);
    assert!(model.contains(from), "{from}");
    model.replace(from, to)
}

/// A detector of this one model.
fn of(model: &str, config: &str, settings: &str) -> Result<ProphetDetector, OpenError> {
    let files = [("detector_config.json", config), (FILE, model)];
    open(&files.map(|(path, text)| (path.to_owned(), text.into())), settings)
}

fn judged(detector: &mut ProphetDetector, columns: &[Column<'_>]) -> ColumnVerdicts {
    match detector.detect(&INSTANTS, columns).unwrap().swap_remove(0) {
        ColumnOutcome::Judged(verdicts) => verdicts,
        ColumnOutcome::NoModel => unreachable!("the model was opened"),
    }
}

const READINGS: Column<'_> = Column { variable: "TEMP_03", values: &[20.0, 21.0, 90.0] };

fn half_width(verdicts: &ColumnVerdicts) -> f64 {
    verdicts.upper[0] - verdicts.expected[0]
}

#[test]
fn a_width_without_an_interval_costs_the_interval_where_it_is_used() {
    let noise = Model::from_json(case("interval_width_1").as_bytes()).unwrap().noise();
    let yhat = judged(
        &mut of(&with("interval_width_1", "\"interval_width\": 1.0", "\"interval_width\": 0.8"), "{}", "{}")
            .unwrap(),
        &[READINGS],
    )
    .expected;
    let refused = |found: &str| {
        let why = format!(
            "model `TEMP_03` has {found} in `interval_width`; expected a number above 0, at most 1, where it is not set elsewhere"
        );
        Err(OpenError::Models(format!("none of the 1 model files can be used; `{FILE}`: {why}")))
    };
    for (width, config, settings, expected) in [
        // What the range of Prophet's draws holds, and that is said.
        ("1", "{}", "{}", Ok((RANGE_OF_DRAWS, true))),
        ("1.0", "{}", "{}", Ok((RANGE_OF_DRAWS, true))),
        ("0.8", r#"{"interval_width": 1}"#, "{}", Ok((RANGE_OF_DRAWS, true))),
        ("0.8", "{}", r#"{"interval_width": 1}"#, Ok((RANGE_OF_DRAWS, true))),
        // Set elsewhere, whatever the file has.
        ("1", r#"{"interval_width": 0.95}"#, "{}", Ok((0.95, false))),
        ("1", "{}", r#"{"interval_width": 0.95}"#, Ok((0.95, false))),
        ("95", "{}", r#"{"interval_width": 0.95}"#, Ok((0.95, false))),
        ("NaN", r#"{"interval_width": 0.95}"#, "{}", Ok((0.95, false))),
        // Refused by name.
        ("95", "{}", "{}", refused("95")),
        ("0", "{}", "{}", refused("0")),
        ("NaN", "{}", "{}", refused("NaN")),
    ] {
        let model =
            with("interval_width_1", "\"interval_width\": 1.0", &format!("\"interval_width\": {width}"));
        let found = of(&model, config, settings).map(|mut detector| {
            let verdicts = judged(&mut detector, &[READINGS]);
            assert_eq!(verdicts.expected, yhat, "{width} {config} {settings}");
            (half_width(&verdicts), detector.whole() == ["TEMP_03"])
        });
        let expected = expected.map(|(level, said)| (z(level) * noise, said));
        match (found, expected) {
            (Ok((found, said)), Ok((half, expected))) => {
                assert!(
                    (found - half).abs() < 1e-9 * half && said == expected,
                    "{width} {config} {settings}"
                );
            }
            (found, expected) => assert_eq!(found, expected, "{width} {config} {settings}"),
        }
    }
}

#[test]
fn what_is_no_number_in_a_key_that_is_not_needed_means_nothing() {
    let plain = with("infinity", "Infinity", "10.0");
    let expected = judged(&mut of(&plain, "{}", "{}").unwrap(), &[READINGS]);
    let config = r#"{"metrics": {"mape": NaN, "worst": Infinity}}"#;
    assert_eq!(judged(&mut of(&case("infinity"), config, "{}").unwrap(), &[READINGS]), expected);
    let needed = with("infinity", "\"y_scale\": ", "\"y_scale\": Infinity, \"was\": ");
    assert_eq!(
        of(&needed, "{}", "{}").map(|_| ()).unwrap_err().to_string(),
        format!(
            "none of the 1 model files can be used; `{FILE}`: model `TEMP_03` has Infinity in `y_scale`; expected a number above 0"
        )
    );
}

#[test]
fn a_number_supplies_a_column_like_a_variable_that_has_it_always() {
    let model = case("constant_cap");
    let mut by_variable = of(&model, "{}", "{}").unwrap();
    let cap = Column { variable: "cap", values: &[30.0; 3] };
    let expected = judged(&mut by_variable, &[READINGS, cap]);
    assert!(by_variable.needs_whole_instants() && expected.expected.iter().all(|yhat| yhat.is_finite()));
    for number in ["30", "30.0", "3e1"] {
        let settings = format!(r#"{{"columns": {{"TEMP_03": {{"cap": {number}}}}}}}"#);
        let mut constant = of(&model, "{}", &settings).unwrap();
        assert_eq!(judged(&mut constant, &[READINGS]), expected, "{number}");
        assert!(!constant.needs_whole_instants(), "a late reading may come alone");
    }
    // Many rows: every slice has it.
    let instants: Vec<i64> = (0..5000).map(|minute| INSTANTS[0] + minute * 60_000_000).collect();
    let values = vec![20.0; 5000];
    let mut constant = of(&model, "{}", r#"{"columns": {"TEMP_03": {"cap": 30}}}"#).unwrap();
    let outcome = constant.detect(&instants, &[Column { variable: "TEMP_03", values: &values }]).unwrap();
    assert!(matches!(&outcome[..], [ColumnOutcome::Judged(verdicts)] if verdicts.withheld.is_empty()));
    // Not above the floor: said for the rows, as with a variable.
    let mut low = of(&model, "{}", r#"{"columns": {"TEMP_03": {"cap": -1}}}"#).unwrap();
    let reasons: Vec<_> = judged(&mut low, &[READINGS]).withheld.into_iter().map(|w| w.reason).collect();
    assert_eq!(reasons, ["the capacity `cap` is not above the floor"]);
    for (columns, expected) in [
        (
            r#"{"TEMP_03": {"floor": 1}}"#,
            "`columns`: the model of `TEMP_03` needs no column `floor`; it needs `cap`",
        ),
        (r#"{"T9": {"cap": 1}}"#, "`columns`: there is no model of `T9`"),
    ] {
        let refused = of(&model, "{}", &format!(r#"{{"columns": {columns}}}"#)).map(|_| ()).unwrap_err();
        assert_eq!(refused, OpenError::Settings(expected.to_owned()));
    }
}

#[test]
fn a_file_that_cannot_be_read_costs_what_depends_on_it() {
    let (pipe, other) = ("it is a named pipe", "prophet_model_OTHER.json");
    let model = case("infinity");
    let files = [File { path: FILE, bytes: model.as_bytes() }];
    let open = |unread: &[&str]| {
        let unread: Vec<_> = unread.iter().map(|path| UnreadableModel { path, why: pipe }).collect();
        let detector = ProphetDetector::open_without(&files, &unread, "{}", Vec::new())
            .map_err(|error| error.to_string())?;
        let states: Vec<_> =
            detector.models().iter().map(|model| (model.path.clone(), model.refused.clone())).collect();
        Ok::<_, String>((states, detector.ignored().to_vec()))
    };
    let loaded = (FILE.to_owned(), None);
    let refused = (other.to_owned(), Some("model `OTHER` cannot be read: it is a named pipe".to_owned()));
    for (unread, expected) in [
        (&["pipe", "README"][..], Ok((vec![loaded.clone()], vec!["pipe".to_owned(), "README".to_owned()]))),
        (&[other], Ok((vec![refused, loaded.clone()], vec![]))),
        (&["country_holidays.csv"], Ok((vec![loaded], vec![]))),
        // Without it, files could be for other variables.
        (
            &["detector_config.json"],
            Err("`detector_config.json` cannot be read: it is a named pipe".to_owned()),
        ),
    ] {
        assert_eq!(open(unread), expected, "{unread:?}");
    }
    let country = with("infinity", "\"country_holidays\": null", "\"country_holidays\": \"AR\"");
    let files = [File { path: FILE, bytes: country.as_bytes() }];
    let table = [UnreadableModel { path: "country_holidays.csv", why: pipe }];
    assert_eq!(
        ProphetDetector::open_without(&files, &table, "{}", Vec::new()).map(|_| ()).unwrap_err().to_string(),
        format!(
            "none of the 1 model files can be used; `{FILE}`: model `TEMP_03` needs the country holidays in \
             `country_holidays.csv`: it cannot be read: it is a named pipe"
        )
    );
}
