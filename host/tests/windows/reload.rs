//! Other models while it runs. Windows does not replace a file that is open, unless who opened it
//! allows that.

use std::io::Write;

use crate::common::{Place, wait};
use crate::wine::{Running, aid_in, host, log, ran, run, wait_for};

/// Inserts a reading of one variable.
fn reading(place: &Place) {
    place.sql(
        "INSERT INTO datos_proceso (datetime, variable_name, value) \
         VALUES (datetime('now', 'localtime'), 'VIBRACION', 3)",
    );
}

#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_model_that_is_replaced_or_copied_slowly_is_used() {
    let place = Place::new();
    place.copy_models(&["prophet_model_TEMP_03.json", "detector_config.json"]);
    place.readings(&["TEMP-03", "VIBRACION"], 1);
    let command = host(&place, &["run", "--interval", "1s", "--models", "models"]);
    let running = Running::start(command);
    wait_for(&place, "next check in ", 1);
    assert!(log(&place).contains("1 model loaded from "), "{}", log(&place));

    // Slowly: half of it, and the rest after the program has looked at it.
    let whole = std::fs::read(crate::common::models().join("prophet_model_VIBRACION.json")).unwrap();
    let (first, second) = whole.split_at(whole.len() / 2);
    let path = place.path("models/prophet_model_VIBRACION.json");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(first).unwrap();
    file.sync_all().unwrap();
    wait_for(&place, "checking for new data", log(&place).matches("checking for new data").count() + 3);
    file.write_all(second).unwrap();
    drop(file);
    wait_for(&place, "2 models loaded from ", 1);
    reading(&place);
    wait("its verdict", || {
        let its = "SELECT count(*) FROM anomalies_detector WHERE variable = 'VIBRACION' AND y = 3";
        place.number(its) == Some(1)
    });

    // Replaced by something that is not a model: the model in use stays.
    for (text, said) in [(&b"{"[..], "cannot be used"), (&whole, "a new detector is ready")] {
        let before = log(&place).matches(said).count();
        place.write("new.json", text);
        let replaced =
            ran(&mut aid_in(&place, &["replace", "new.json", r"models\prophet_model_TEMP_03.json"]));
        assert_eq!(replaced.code, Some(0), "{}", replaced.stderr);
        wait_for(&place, said, before + 1);
    }
    running.kill();
}

/// Through the pipe by which a service is asked.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_worker_that_runs_is_asked_to_look() {
    let place = Place::new();
    place.copy_models(&["prophet_model_TEMP_03.json", "detector_config.json"]);
    place.readings(&["TEMP-03", "VIBRACION"], 1);
    let flags = ["--models", "models"];
    let nobody = run(&place, &[&["reload"][..], &flags].concat());
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr.contains("no service of this worker runs on this machine"), "{}", nobody.stderr);

    let running = Running::start(host(&place, &[&["run", "--interval", "1h"][..], &flags].concat()));
    wait_for(&place, "next check in ", 1);
    let same = run(&place, &[&["reload"][..], &flags].concat());
    assert_eq!((same.code, same.stderr.as_str()), (Some(0), ""), "{}", same.stdout);

    place.copy_models(&["prophet_model_VIBRACION.json"]);
    let tried = run(&place, &[&["reload", "--dry-run"][..], &flags].concat());
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    assert!(tried.stdout.contains("by the service that runs"), "{}", tried.stdout);
    let asked = run(&place, &[&["reload"][..], &flags].concat());
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    wait_for(&place, "a new detector is ready", 1);

    place.write("models/prophet_model_VIBRACION.json", "{");
    let refused = run(&place, &[&["reload"][..], &flags].concat());
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stdout.contains("prophet_model_VIBRACION.json"), "{}", refused.stdout);
    running.kill();
}
