//! Commands that only look leave an SQLite file and all beside it as it is, byte for byte.

use std::collections::BTreeMap;

use crate::common::{Place, VARIABLES};

/// The database's file and what lies beside it under its name, but the lock of a worker's name.
fn files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(place.path(".")).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named
        .filter(|(name, _)| name.starts_with("plant.sqlite") && !name.ends_with(".lock"))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_look_leaves_the_file_as_it_is() {
    let place = Place::new();
    place.readings(&VARIABLES, 5);
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for mode in ["WAL", "DELETE"] {
        place.database().pragma_update_and_check(None, "journal_mode", mode, |_| Ok(())).unwrap();
        let before = files(&place);
        assert_eq!(before.len(), 1, "{mode}: {:?}", before.keys());
        for command in [
            &["status"][..],
            &["status", "--json"],
            &["check"],
            &["export", "--from", "2020-01-01", "--to", "2100-01-01"],
        ] {
            let ran = place.run(command);
            assert_eq!(ran.code, Some(0), "{mode} {command:?}: {}{}", ran.stdout, ran.stderr);
            assert!(files(&place) == before, "{mode} {command:?} leaves {:?}", files(&place).keys());
        }
    }
}

#[test]
fn a_view_is_told_why_its_id_is_no_key() {
    let place = Place::new();
    place.sql("ALTER TABLE datos_proceso RENAME TO plant; CREATE VIEW datos_proceso AS SELECT * FROM plant");
    let ran = place.run(&["check"]);
    let line = ran.stdout.lines().find(|line| line.contains("input ")).unwrap_or_default();
    assert!(
        line.contains(
            "positioned by `datetime` as its `id` gives no order of arrival (only a key does that the table itself counts up, and a \
             view has none; name the table that the view reads), rows may come up to 1h late"
        ),
        "{line}"
    );
}
