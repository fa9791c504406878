//! The program as a service of Windows, under Wine's service manager.

use crate::common::{Place, Ran, VARIABLES, models, wait};
use crate::wine::{Running, aid_in, log, ran, reg, run, wait_for, windows};

const NAME: &str = "anomaly-test";

/// Wine ends its services when the last other program ends.
fn kept_up(place: &Place) -> Running {
    let mut command = aid_in(place, &["hold", "rwd", "plant.sqlite", "ended"]);
    Running(command.stdout(std::process::Stdio::null()).spawn().unwrap())
}

fn service(place: &Place, arguments: &[&str]) -> Ran {
    run(place, &[&["service"], arguments, &["--name", NAME]].concat())
}

/// As [`service`]. Fails if the command does.
fn done(place: &Place, arguments: &[&str]) -> String {
    let ran = service(place, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_service_from_its_installation_to_its_end() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let models = windows(&models().canonicalize().unwrap());
    let toml = format!(
        "[input]\ndatabase = 'plant.sqlite'\n[detector]\nmodels = '{models}'\ncache_dir = 'caché'\n[worker]\ninterval = '1s'\n"
    );
    place.write("planta ñ.toml", &toml);
    let config = windows(&place.path("planta ñ.toml"));
    let _up = kept_up(&place);
    // Left of a test that did not reach its end.
    service(&place, &["uninstall"]);

    let absent = service(&place, &["status"]);
    assert_eq!(absent.code, Some(1));
    assert_eq!(absent.stderr, format!("error: `{NAME}`: there is no such service\n"));
    let nowhere = service(&place, &["install", "--config", "nowhere.toml"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("there is no configuration `Z:\\"), "{}", nowhere.stderr);

    let said = done(&place, &["install", "--config", "planta ñ.toml"]);
    assert!(said.contains(&format!("the service `{NAME}` is registered; it works in `")), "{said}");
    assert!(said.contains(&format!(r#"/grant "NT SERVICE\{NAME}:(OI)(CI)M""#)), "{said}");
    let key = format!(r"HKLM\SYSTEM\CurrentControlSet\Services\{NAME}");
    let registered = reg(&place, &["query", &key, "/v", "ImagePath"]);
    // `reg` prints in a code page of its own, which does not have all characters of the
    // configuration's name.
    let (directory, _) = config.split_once('ñ').unwrap();
    let command = format!(r#"host.exe service run --name {NAME} --config "{directory}"#);
    assert!(registered.contains(&command), "{registered}");
    let source = format!(r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\{NAME}");
    let registered = reg(&place, &["query", &source]);
    assert!(registered.contains(r"%SystemRoot%\System32\EventCreate.exe"), "{registered}");
    let again = service(&place, &["install", "--config", "planta ñ.toml"]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("there is a service of this name already; remove it first"));
    let stopped = service(&place, &["status"]);
    assert_eq!(stopped.code, Some(1), "{}", stopped.stdout);
    assert!(stopped.stdout.starts_with(&format!("service       {NAME}: stopped")), "{}", stopped.stdout);
    assert_eq!(service(&place, &["stop"]).stderr, format!("error: `{NAME}`: it does not run\n"));

    assert_eq!(done(&place, &["start"]), format!("`{NAME}` is running\n"));
    assert_eq!(service(&place, &["start"]).stderr, format!("error: `{NAME}`: it runs already\n"));
    assert!(done(&place, &["status"]).contains(": running, process "));
    // The working directory is that of the configuration.
    wait_for(&place, "judged ", 1);
    wait("verdicts", || place.number("SELECT count(*) FROM anomalies_detector") == Some(12));
    done(&place, &["reload"]);
    // Wine prints the same for a known code as for an unknown one.
    for code in ["128", "6"] {
        let told = ran(&mut aid_in(&place, &["tell", NAME, code]));
        assert_eq!(told.code, Some(0), "{code}: {}", told.stderr);
    }
    assert_eq!(done(&place, &["stop"]), format!("`{NAME}` is stopped\n"));
    let said = log(&place);
    assert!(said.contains(" - INFO - the service manager: stopping\n"), "{said}");
    assert!(said.lines().last().unwrap().contains(" - INFO - stopped: "), "{said}");
    assert!(!said.contains("no configuration file"), "{said}");

    // What a restart cannot mend is not started again, and `start` says where to look.
    place.write("planta ñ.toml", "[worker]\ninterval = 0\n");
    let failed = service(&place, &["start"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    assert!(failed.stderr.contains("is stopped again; the Event Log says why"), "{}", failed.stderr);
    assert!(service(&place, &["status"]).stdout.contains(": stopped, last end Win32(0)"));

    place.write("planta ñ.toml", &toml);
    done(&place, &["start"]);
    done(&place, &["uninstall"]);
    assert_eq!(service(&place, &["status"]).stderr, absent.stderr);
    let gone = reg(&place, &["query", &source]);
    assert!(gone.contains("Unable to find the specified registry key"), "{gone}");
}

/// Started by a person, it says what to do instead.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn what_the_service_manager_starts_is_nothing_for_a_person() {
    let place = Place::new();
    let ran = run(&place, &["service", "run", "--name", "nobody", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("; use `host run`\n"), "{}", ran.stderr);
}
