//! A start whose files cannot be used goes on with the set that judged last.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{Place, Ran, VARIABLES};

const VERDICTS: &str = "SELECT count(*) FROM anomalies_detector";
const CONFIG: &str = "detector_config.json";

/// A place with a module and models of its own, that has judged once.
fn judged() -> Place {
    let place = Place::new();
    place.copy_models(&[]);
    place.write("detector.wasm", host::detector::BUILT_IN);
    place.readings(&VARIABLES, 2);
    let ran = once(&place, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains(" - ERROR - "), "{}", ran.stderr);
    assert_eq!(place.number(VERDICTS), Some(12));
    place
}

fn once(place: &Place, environment: &[(&str, &str)]) -> Ran {
    let mut command = place.command(&[
        "run",
        "--once",
        "--models",
        "models",
        "--detector",
        "detector.wasm",
        "--log-file",
        "",
    ]);
    Ran::of(&command.envs(environment.iter().copied()).output().unwrap()).seen_from(place)
}

fn status(place: &Place) -> String {
    place.run(&["status"]).stdout
}

fn set(place: &Place) -> String {
    let status = status(place);
    status.lines().find(|line| line.starts_with("set ")).unwrap().to_owned()
}

/// New readings of all variables, and how many verdicts there are once they are judged.
fn more_readings(place: &Place) -> i64 {
    // Datetimes that no call had before.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let seconds = CALLS.fetch_add(1, Ordering::Relaxed);
    for variable in VARIABLES {
        place.sql(&format!(
            "INSERT INTO datos_proceso (datetime, variable_name, value) \
             VALUES (datetime('now', 'localtime', '-1 hour', '+{seconds} seconds'), '{variable}', 100)"
        ));
    }
    place.number(VERDICTS).unwrap() + 6
}

fn kept(place: &Place) -> PathBuf {
    let mut kept = fs::read_dir(place.path("state/last-good")).unwrap();
    kept.next().unwrap().unwrap().path()
}

#[test]
fn broken_files_are_refused_by_a_restart_too() {
    type Harm = fn(&Place);
    let harms: [(&str, Harm, Harm, &str); 4] = [
        (
            "a configuration that is half copied",
            |place| {
                let path = place.path("models").join(CONFIG);
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..30]).unwrap();
            },
            |place| place.copy_models(&[CONFIG]),
            "`detector_config.json`: ",
        ),
        (
            "a model in use that is half copied",
            |place| fs::write(place.path("models/prophet_model_TEMP_03.json"), "{").unwrap(),
            |place| place.copy_models(&["prophet_model_TEMP_03.json"]),
            "`prophet_model_TEMP_03.json` cannot be used and `TEMP-03` would lose its model",
        ),
        (
            "a share that is not there",
            |place| fs::rename(place.path("models"), place.path("away")).unwrap(),
            |place| fs::rename(place.path("away"), place.path("models")).unwrap(),
            "`models` cannot be read: ",
        ),
        (
            "a module that is none",
            |place| drop(place.write("detector.wasm", "MZ")),
            |place| drop(place.write("detector.wasm", host::detector::BUILT_IN)),
            "`detector.wasm` cannot be used: ",
        ),
    ];
    let place = judged();
    let good = set(&place);
    for (what, harm, mend, why) in harms {
        harm(&place);
        // At every start, and whether or not there is anything to judge.
        for news in [true, false] {
            let expected = if news { Some(more_readings(&place)) } else { place.number(VERDICTS) };
            let ran = once(&place, &[]);
            assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
            assert_eq!(place.number(VERDICTS), expected, "{what}: {}", ran.stderr);
            let said: Vec<_> = ran.stderr.lines().filter(|line| line.contains(" - ERROR - ")).collect();
            let [said] = said.as_slice() else { panic!("{what}: {}", ran.stderr) };
            assert!(said.contains("the files cannot be used: ") && said.contains(why), "{what}: {said}");
            assert!(
                said.contains("; the last set that judged goes on in their place: set "),
                "{what}: {said}"
            );
            assert_eq!(set(&place), good, "{what}");
            let status = Ran { stdout: status(&place), code: None, stderr: String::new() }.seen_from(&place);
            let files = status.stdout.lines().find(|line| line.starts_with("files "));
            let refused = "files         refused, the set goes on without them: ";
            assert!(
                files.is_some_and(|line| line.starts_with(refused) && line.contains(why)),
                "{what}: {files:?}"
            );
        }
        mend(&place);
        let ran = once(&place, &[]);
        assert!(ran.code == Some(0) && !ran.stderr.contains(" - ERROR - "), "{what}: {}", ran.stderr);
        assert!(!status(&place).contains("\nfiles "), "{what}");
        assert_eq!(set(&place), good, "{what}");
    }
}

/// What is kept is the files' part of a set: settings are the configuration's, and what is damaged
/// is nothing.
#[test]
fn settings_are_those_of_the_configuration_and_damage_is_noticed() {
    let place = judged();
    let good = set(&place);
    fs::write(place.path("models").join(CONFIG), "{").unwrap();
    let other = ("ANOMALY_DETECTOR_SETTINGS_THRESHOLD", "3");
    let ran = once(&place, &[other]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(", with the settings of the configuration as they are now"),
        "{}",
        ran.stderr
    );
    let expected = more_readings(&place);
    assert_eq!(once(&place, &[other]).code, Some(0));
    assert_eq!(place.number(VERDICTS), Some(expected));
    assert_ne!(set(&place), good, "other settings are another set");
    let ran = once(&place, &[("ANOMALY_DETECTOR_SETTINGS_THRESHOLD", "much")]);
    assert!(
        ran.code == Some(2) && ran.stderr.contains("the detector refuses its settings"),
        "{}",
        ran.stderr
    );

    let kept = kept(&place);
    let mut bytes = fs::read(&kept).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&kept, &bytes).unwrap();
    let ran = once(&place, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("` is not used: it is damaged"), "{}", ran.stderr);
    assert!(ran.stderr.lines().last().unwrap().contains("`detector_config.json`: "), "{}", ran.stderr);
    place.copy_models(&[CONFIG]);
    assert_eq!(once(&place, &[]).code, Some(0));
    more_readings(&place);
    assert_eq!(once(&place, &[]).code, Some(0));
    // Kept anew.
    fs::write(place.path("models").join(CONFIG), "{").unwrap();
    assert_eq!(once(&place, &[]).code, Some(0));
}
