//! What a person is told when something is wrong: the exit code and the messages of the real
//! program for each kind of bad input.

use crate::common::{Place, Ran, VARIABLES};
use rusqlite::Connection;

/// What is wrong, how it is brought about, and the exit code and the words that a person is to
/// read.
struct Wrong {
    what: &'static str,
    arrange: fn(&Place),
    arguments: &'static [&'static str],
    code: i32,
    said: &'static str,
    /// Whether `host check` finds it as well. It does not do what a cycle does.
    check: bool,
}

fn core_module(place: &Place) {
    place.write("detector.wasm", b"\0asm\x01\0\0\0");
}

const DETECTOR: &[&str] = &["--detector", "detector.wasm"];
const MODELS: &[&str] = &["--models", "models"];
const CONFIG: &[&str] = &["--config", "c.toml"];
const BOTH: &[&str] = &["--models", "models", "--config", "c.toml"];

/// The rule that needs models.
fn by_interval(place: &Place) {
    place.write("c.toml", "[detector.settings]\nrule = \"interval\"\n");
}

const WRONG: &[Wrong] = &[
    Wrong {
        what: "no models",
        arrange: |place| {
            std::fs::create_dir(place.path("models")).unwrap();
            by_interval(place);
        },
        arguments: BOTH,
        code: 1,
        said: "the detector refuses its models: no models: expected files named `prophet_model_<variable>.json`, as Prophet's \
               `model_to_json` writes them; found none",
        check: true,
    },
    Wrong {
        what: "no models for the rule that does without",
        arrange: |place| {
            std::fs::create_dir(place.path("models")).unwrap();
            place.readings(&["CALDERA_T"], 2);
        },
        arguments: MODELS,
        code: 0,
        said: "no model: every variable is judged by what is learnt of it alone",
        check: false,
    },
    Wrong {
        what: "no directory of models",
        arrange: |_| {},
        arguments: MODELS,
        code: 1,
        said: "`models` cannot be read: No such file or directory (os error 2); name the directory that holds the models with \
               --models or as `models` of `[detector]`",
        check: true,
    },
    Wrong {
        what: "nothing but pickles",
        arrange: |place| {
            place.write("models/prophet_model_T1.pkl", "");
            by_interval(place);
        },
        arguments: BOTH,
        code: 1,
        said: "no models: expected files named `prophet_model_<variable>.json`",
        check: true,
    },
    Wrong {
        what: "an unreadable model, and no other",
        arrange: |place| drop(place.write("models/prophet_model_T1.json", "{")),
        arguments: MODELS,
        code: 1,
        said: "none of the 1 model files can be used; `prophet_model_T1.json`: model `T1` ",
        check: true,
    },
    Wrong {
        what: "an unreadable model among others",
        arrange: |place| {
            place.copy_models(&[]);
            place.write("models/prophet_model_T1.json", "{");
        },
        arguments: MODELS,
        code: 0,
        said: "WARNING - `prophet_model_T1.json` is not used, so `T1` has no model: model `T1` ",
        check: false,
    },
    Wrong {
        what: "a model for no variable",
        arrange: |place| place.readings(&VARIABLES[..5], 2),
        arguments: &[],
        code: 0,
        said: "INFO - 10 rows found: 2 datetimes, 5 variables, 5 of 6 models apply",
        check: false,
    },
    Wrong {
        what: "a variable without a model",
        arrange: |place| {
            place.readings(&["CALDERA_T", "TEMP-03"], 2);
            by_interval(place);
        },
        arguments: CONFIG,
        code: 0,
        said: "WARNING - no model for `CALDERA_T`: readings pass unjudged until there is one",
        check: false,
    },
    Wrong {
        what: "two variables for one file",
        arrange: |place| {
            place.copy_models(&["prophet_model_TEMP_03.json"]);
            place.write("models/detector_config.json", r#"{"variables": ["TEMP-03", "TEMP/03"]}"#);
        },
        arguments: MODELS,
        code: 1,
        said: "the variables `TEMP-03` and `TEMP/03` have the same model file `prophet_model_TEMP_03.json`; rename one model and \
               name its file in the setting `variables`",
        check: true,
    },
    Wrong {
        what: "not a component",
        arrange: |place| drop(place.write("detector.wasm", "MZ")),
        arguments: DETECTOR,
        code: 1,
        said: "`detector.wasm` cannot be used: it is not a WebAssembly component",
        check: true,
    },
    Wrong {
        what: "a core module",
        arrange: core_module,
        arguments: DETECTOR,
        code: 1,
        said: "it is a core WebAssembly module, not a component; build it for wasm32-wasip2",
        check: true,
    },
    Wrong {
        what: "a component of another world",
        arrange: |place| {
            component(place, r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#);
        },
        arguments: DETECTOR,
        code: 1,
        said: "it is a component of another world: it exports `wasi:cli/run@0.2.0`, and a detector exports \
               `anomaly-worker:detector/judging@0.1.0`",
        check: true,
    },
    Wrong {
        what: "another contract version",
        arrange: |place| {
            let text =
                r#"(component (instance $i) (export "anomaly-worker:detector/judging@0.2.0" (instance $i)))"#;
            component(place, text);
        },
        arguments: DETECTOR,
        code: 1,
        said: "it is built for version 0.2.0 of the contract and this host serves 0.1.0; rebuild it with this host's \
               wit/detector.wit, or use the host that it was built for",
        check: true,
    },
    Wrong {
        what: "a setting that the detector does not know",
        arrange: |place| drop(place.write("c.toml", "[detector.settings]\ntreshold = 2.0\n")),
        arguments: CONFIG,
        code: 2,
        said: "the detector refuses its settings: `treshold` is no setting of this detector; did you mean `threshold`?",
        check: true,
    },
    Wrong {
        what: "a missing table",
        arrange: |place| place.sql("ALTER TABLE datos_proceso RENAME TO lecturas"),
        arguments: &[],
        code: 1,
        said: "database `plant.sqlite`: there is no table `datos_proceso` (its tables are `lecturas`",
        check: true,
    },
    Wrong {
        what: "a missing column",
        arrange: |place| place.sql("ALTER TABLE datos_proceso RENAME COLUMN value TO valor"),
        arguments: &[],
        code: 1,
        said: "table `datos_proceso` lacks `value`; add what is missing, or name another table",
        check: true,
    },
    Wrong {
        what: "no database",
        arrange: |_| {},
        arguments: &["--database", "nowhere/plant.sqlite"],
        code: 1,
        said: "database `nowhere/plant.sqlite`: there is no such file; check the path in the configuration, or make one with \
               `host demo`",
        check: true,
    },
    Wrong {
        what: "a file that is no database",
        arrange: |place| drop(place.write("plant.sqlite", "variable;value\n".repeat(1000))),
        arguments: &[],
        code: 1,
        said: "database `plant.sqlite`: this file is not a SQLite database",
        check: true,
    },
    Wrong {
        what: "a key that is none",
        arrange: |place| drop(place.write("c.toml", "[worker]\nname = \"a\"\nintervall = \"5m\"\n")),
        arguments: CONFIG,
        code: 2,
        said: "error: `c.toml` line 3: `[worker]` has no key `intervall`; did you mean `interval`?",
        check: true,
    },
    Wrong {
        what: "a configuration that is no TOML",
        arrange: |place| drop(place.write("c.toml", "[worker]\ninterval = 5m\n")),
        arguments: CONFIG,
        code: 2,
        said: "error: `c.toml` line 2, column ",
        check: true,
    },
    Wrong {
        what: "no configuration where one is named",
        arrange: |_| {},
        arguments: CONFIG,
        code: 2,
        said: "error: cannot read the configuration `c.toml`: ",
        check: true,
    },
    Wrong {
        what: "interval 0 as a flag",
        arrange: |_| {},
        arguments: &["--interval", "0"],
        code: 2,
        said: "error: invalid value '0' for '--interval <TIME>': it must be more than zero and at most 7 days: `10` (minutes), \
               `30s`, `10m`, `2h`",
        check: true,
    },
    Wrong {
        what: "interval 0 in the file",
        arrange: |place| drop(place.write("c.toml", "[worker]\ninterval = 0\n")),
        arguments: CONFIG,
        code: 2,
        said: "error: `c.toml` line 2: `worker.interval` is `0`; it must be more than zero and at most 7 days",
        check: true,
    },
    Wrong {
        what: "a clock that was set back",
        arrange: |place| {
            place.readings(&VARIABLES, 2);
            assert_eq!(place.run(&["run", "--once"]).code, Some(0));
            place
                .sql("UPDATE anomaly_worker_state SET updated_at = datetime('now', 'localtime', '+3 hours')");
        },
        arguments: &[],
        code: 0,
        said: "at the last commit: it was set back, or another database's; readings go by their own datetimes",
        check: false,
    },
];

fn component(place: &Place, text: &str) {
    place.write("detector.wasm", wat::parse_str(text).unwrap());
}

#[test]
fn bad_input_ends_in_a_message_that_a_person_can_act_on() {
    for wrong in WRONG {
        let place = Place::new();
        (wrong.arrange)(&place);
        let command = |first: &[&str]| {
            let arguments: Vec<_> = first.iter().chain(wrong.arguments).copied().collect();
            place.run(&arguments)
        };
        let Ran { code, stdout, stderr } = command(&["run", "--once"]);
        assert_eq!(code, Some(wrong.code), "{}: {stderr}", wrong.what);
        assert!(stderr.contains(wrong.said), "{}: {stderr}", wrong.what);
        assert_eq!(stdout, "", "{}", wrong.what);
        assert!(!stderr.contains("panicked"), "{}: {stderr}", wrong.what);
        if wrong.code == 1 {
            // A service can tell it nowhere else.
            let log = std::fs::read_to_string(place.path("worker.log")).unwrap();
            let log = log.replace(&place.path("").display().to_string(), "");
            assert!(log.contains(" - ERROR - ") && log.contains(wrong.said), "{}: {log}", wrong.what);
        }

        if wrong.check {
            let Ran { code, stdout, stderr } = command(&["check"]);
            // A configuration that can be read is tried, and what fails is one of its lines.
            let tried = if wrong.said.starts_with("error: ") { wrong.code } else { wrong.code.min(1) };
            assert_eq!(code, Some(tried), "{}: {stdout}{stderr}", wrong.what);
            let said = format!("{stdout}{stderr}");
            assert!(said.contains(wrong.said.trim_start_matches("error: ")), "{}: {said}", wrong.what);
        }
    }
}

#[test]
fn a_locked_database_is_said_and_left_alone() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let browser = Connection::open(place.path("plant.sqlite")).unwrap();
    browser.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said = "database `plant.sqlite`: locked for more than 5 s by another program: a database browser with changes that are \
                not saved, a backup, a second worker; it is tried again at the next cycle";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    browser.execute_batch("ROLLBACK").unwrap();
    assert_eq!(place.run(&["run", "--once"]).code, Some(0));
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(12));
}

#[cfg(unix)]
mod unix {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Root may write anything, so that a test as root runs the program as nobody.
    #[test]
    fn a_read_only_database_is_said_with_the_right_that_is_missing() {
        const NOBODY: u32 = 65534;
        let place = Place::new();
        place.copy_models(&[]);
        place.readings(&VARIABLES, 2);
        let program = place.copy_program();
        let file = place.path("plant.sqlite");
        let folder = file.parent().unwrap();
        let root = folder.metadata().unwrap().uid() == 0;
        mode(&file, 0o444);
        mode(folder, 0o555);
        let like = place.command(&[]);
        for arguments in [&["run", "--once", "--log-file", ""][..], &["check"]] {
            let mut command = Command::new(&program);
            command.current_dir(folder).args(arguments).args(MODELS).stdin(Stdio::null());
            for (name, value) in like.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command.env("ANOMALY_DETECTOR_CACHE_DIR", "cache");
            if root {
                command.uid(NOBODY).gid(NOBODY);
            }
            let ran = Ran::of(&command.output().unwrap()).seen_from(&place);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, Some(1), "{said}");
            assert!(said.contains("database `plant.sqlite`: it cannot be "), "{said}");
            assert!(said.contains("this user needs the right to write the file and its folder"), "{said}");
        }
        mode(folder, 0o755);
        assert_eq!(place.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'anomal%'"), Some(0));
    }
}
