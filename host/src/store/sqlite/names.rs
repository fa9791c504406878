//! Which names the output takes for the same. The column of a table that others made may have a
//! collation (`COLLATE NOCASE`, `RTRIM`), and so may a unique index on it; SQLite itself is asked
//! which names they take for the same.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::error::{Error, Result};
use crate::store::table_name::quote_sqlite;
use crate::store::{ErrorKind, TableName};

/// Compares texts by their bytes.
const BINARY: &str = "BINARY";

/// Those of the names that are the same as an earlier one, each with the first such.
pub(super) fn equal(
    connection: &Connection,
    output: &TableName,
    names: &[Arc<str>],
) -> Result<Vec<(Arc<str>, Arc<str>)>> {
    let collations = collations(connection, output)?;
    if collations.is_empty() {
        return Ok(Vec::new());
    }
    let list = serde_json::to_string(&names.iter().map(|name| &**name).collect::<Vec<_>>())
        .map_err(|error| Error::Found(ErrorKind::Other, format!("names cannot be compared ({error})")))?;
    // If one collation takes two names for the same, and another one of them and a third, all three
    // are the same.
    let mut first: Vec<usize> = (0..names.len()).collect();
    for collation in collations {
        let sql = format!(
            "SELECT key, min(key) OVER (PARTITION BY value COLLATE {}) FROM json_each(?1)",
            quote_sqlite(&collation)
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([&list])?;
        while let Some(row) = rows.next()? {
            let place = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
            let (one, other) = (root(&first, place(row.get(0)?)), root(&first, place(row.get(1)?)));
            if let Some(entry) = first.get_mut(one.max(other)) {
                *entry = one.min(other);
            }
        }
    }
    let pair = |(at, name): (usize, &Arc<str>)| {
        let same = root(&first, at);
        (same != at).then(|| Some((Arc::clone(name), Arc::clone(names.get(same)?)))).flatten()
    };
    Ok(names.iter().enumerate().filter_map(pair).collect())
}

fn root(first: &[usize], mut at: usize) -> usize {
    while let Some(&before) = first.get(at).filter(|&&before| before != at) {
        at = before;
    }
    at
}

/// Those of the names whose first verdict in the output has another spelling, with that spelling.
pub(super) fn other_spellings(
    connection: &Connection,
    output: &TableName,
    names: &[Arc<str>],
) -> Result<Vec<(Arc<str>, Arc<str>)>> {
    let mut found = Vec::new();
    for collation in collations(connection, output)? {
        let mut statement = connection.prepare(&format!(
            "SELECT variable FROM {} WHERE variable = ?1 COLLATE {} ORDER BY ds LIMIT 1",
            output.sqlite(),
            quote_sqlite(&collation)
        ))?;
        for name in names {
            let spelling: Option<String> = statement.query_row([&**name], |row| row.get(0)).optional()?;
            found
                .extend(spelling.filter(|held| **held != **name).map(|held| (Arc::clone(name), held.into())));
        }
    }
    Ok(found)
}

/// The collations by which the names of two verdicts at one datetime must differ, without the
/// binary one.
fn collations(connection: &Connection, output: &TableName) -> Result<Vec<String>> {
    let (_, column, ..) = connection.column_metadata(Some("main"), output.table(), "variable")?;
    let mut found: Vec<String> = column.map(|name| name.to_string_lossy().into_owned()).into_iter().collect();
    let mut statement = connection.prepare_cached(
        "SELECT info.coll FROM pragma_index_list(?1) AS list JOIN pragma_index_xinfo(list.name) AS info \
         WHERE list.\"unique\" AND info.key AND lower(info.name) = 'variable' AND NOT EXISTS \
         (SELECT 1 FROM pragma_index_xinfo(list.name) AS other \
         WHERE other.key AND lower(coalesce(other.name, '')) NOT IN ('variable', 'ds'))",
    )?;
    let indexes = statement.query_map([output.table()], |row| row.get(0))?;
    found.extend(indexes.collect::<Result<Vec<String>, _>>()?);
    found.retain(|name| !name.eq_ignore_ascii_case(BINARY));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
