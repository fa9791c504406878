//! `host schema`: what it prints makes tables that a worker accepts.

use crate::common::{Place, VARIABLES};
use host::store::{TableName, schema};

#[test]
fn tables_made_by_its_statements_are_used_as_they_are() {
    let place = Place::new();
    place.readings(&VARIABLES, 1);
    let printed = place.run(&["schema"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    place.sql(&printed.stdout);
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("created"), "{}", ran.stderr);
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(6));
}

/// The statements for a server are the same that the store runs, with the configured names.
#[test]
fn for_a_server_it_prints_tables_indexes_and_least_rights() {
    let place = Place::new();
    place.write(
        "c.toml",
        "[input]\nserver = 'plant'\nuser = 'w'\npassword = 'secret'\n[output]\ntable = 'x.[odd ]]name]'\ndatabase = 'd'\n",
    );
    let printed = place.run(&["schema", "--config", "c.toml"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let text = printed.stdout;
    let output = TableName::of("x", "odd ]name");
    let mut wanted = vec![schema::sqlserver::output(&output)];
    wanted.extend(schema::sqlserver::indexes(&output).into_iter().map(|index| format!("{index};")));
    wanted.push(schema::sqlserver::state(&TableName::of("dbo", "anomaly_worker_state")));
    wanted.push(schema::sqlserver::parts(&TableName::of("dbo", "anomaly_worker_state_checkpoint")));
    wanted.push("GRANT SELECT, INSERT, DELETE ON [dbo].[anomaly_worker_state_checkpoint] TO [w];".into());
    for (name, table, indexes) in [
        (
            "anomaly_worker_episodes",
            schema::sqlserver::episodes as fn(&_) -> _,
            schema::sqlserver::episode_indexes as fn(&_) -> Vec<String>,
        ),
        ("anomaly_worker_outbox", schema::sqlserver::outbox, schema::sqlserver::outbox_indexes),
    ] {
        let named = TableName::of("dbo", name);
        wanted.push(table(&named));
        wanted.extend(indexes(&named).into_iter().map(|index| format!("{index};")));
        wanted.push(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON [dbo].[{name}] TO [w];"));
    }
    wanted.push("GRANT SELECT ON [dbo].[datos_proceso] TO [w];".into());
    wanted.push("GRANT SELECT, INSERT ON [x].[odd ]]name] TO [w];".into());
    wanted.push("GRANT SELECT, INSERT, UPDATE ON [dbo].[anomaly_worker_state] TO [w];".into());
    for statement in wanted {
        assert_eq!(text.matches(&statement).count(), 1, "{statement}\nin\n{text}");
    }
    assert!(!text.contains("secret"), "{text}");
    let sqlite = place.run(&["schema", "--config", "c.toml", "--dialect", "sqlite"]);
    assert!(sqlite.stdout.contains("CREATE TABLE \"odd ]name\""), "{}", sqlite.stdout);
}
