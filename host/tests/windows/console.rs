//! How a console asks the program to end.

use crate::common::{Place, VARIABLES};
use crate::wine::{Running, aid_in, log, program_word, wait_for};

/// The keys are pressed while it waits for the next tick, and while it works. NSSM presses Ctrl+C.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_key_ends_it_with_a_summary() {
    for (key, name) in [("c", "Ctrl+C"), ("b", "Ctrl+Break")] {
        for (readings, said) in [(2, "next check in "), (600, "judged ")] {
            let place = Place::new();
            place.readings(&VARIABLES, readings);
            place.write("c.toml", "[worker]\nbatch_rows = 60\ninterval = '1h'\n");
            let program = program_word();
            let command = aid_in(&place, &["press", key, "now", &program, "run", "--config", "c.toml"]);
            let running = Running::start(command);
            wait_for(&place, said, 1);
            place.write("now", "");
            assert_eq!(running.ended(), Some(0), "{key}: {}", log(&place));
            let log = log(&place);
            assert!(log.contains(&format!(" - INFO - {name}: stopping\n")), "{log}");
            let last = log.lines().last().unwrap();
            assert!(last.contains(" - INFO - stopped: "), "{log}");
            let judged = place.number("SELECT count(*) FROM anomalies_detector").unwrap();
            let counted = place.number(
                "SELECT sum(value) FROM anomaly_worker_state, json_each(counts) WHERE key = 'judged'",
            );
            assert_eq!(counted, Some(judged), "{log}");
        }
    }
}
