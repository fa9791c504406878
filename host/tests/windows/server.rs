//! A database on a server: TDS within TLS, to the fake one.

use fake_tds::{PASSWORD, Server, USER};

use crate::common::Place;
use crate::wine::{host, ran};

#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_plant_on_a_server() {
    let (server, place) = (Server::start().unwrap(), Place::new());
    place.write(
        "c.toml",
        format!(
            "[input]\nserver = '127.0.0.1,{}'\ndatabase = 'plant'\nuser = '{USER}'\n\
             trust_server_certificate = true\n[log]\nfile = ''\n",
            server.port()
        ),
    );
    let mut csv = String::from("DATETIME;TEMP-03;AGUA/FLOW 1\n");
    for minute in 0..60 {
        csv.push_str(&format!("2025-01-15 00:{minute:02};21,5;{minute}\n"));
    }
    place.write("enero.csv", csv);
    for (arguments, said) in [
        (&["import", "enero.csv", "--create-table"][..], "120 readings of 2 variables in 60 rows loaded"),
        (&["check"], "`host run` would work"),
        (&["run", "--once"], ""),
        (&["backfill", "--from", "2025-01-15", "--to", "2025-01-16"], ": 120 readings judged, "),
        (&["export", "--from", "2025-01-15", "--to", "2025-01-16"], ",AGUA/FLOW 1,"),
        (&["status"], "watermark"),
    ] {
        let mut command = host(&place, &[arguments, &["--config", "c.toml"]].concat());
        command.env_remove("ANOMALY_INPUT_DATABASE").env("ANOMALY_INPUT_PASSWORD", PASSWORD);
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(said), "{arguments:?}: {}", ran.stdout);
        assert!(!ran.stdout.contains(PASSWORD) && !ran.stderr.contains(PASSWORD), "{arguments:?}");
    }
}
