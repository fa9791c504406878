//! `sys`: the catalogue's views of the tables that exist.

use rusqlite::{Connection, params};

use super::collation;
use crate::wire::types::Type;

const VIEWS: &str = "
    CREATE TABLE IF NOT EXISTS sys.schemas (name NVARCHAR(128), schema_id INT);
    CREATE TABLE IF NOT EXISTS sys.objects (name NVARCHAR(128), object_id INT, schema_id INT, type VARCHAR(2), is_ms_shipped BIT);
    CREATE TABLE IF NOT EXISTS sys.tables (name NVARCHAR(128), object_id INT, schema_id INT);
    CREATE TABLE IF NOT EXISTS sys.types (name NVARCHAR(128), system_type_id TINYINT, user_type_id INT);
    CREATE TABLE IF NOT EXISTS sys.columns (object_id INT, name NVARCHAR(128), column_id INT, system_type_id TINYINT,
        user_type_id INT, max_length SMALLINT, precision TINYINT, scale TINYINT, is_nullable BIT, is_identity BIT,
        is_computed BIT, default_object_id INT, collation_name NVARCHAR(128), generated_always_type INT);
    CREATE TABLE IF NOT EXISTS sys.synonyms (name NVARCHAR(128), object_id INT, base_object_name NVARCHAR(1035));
    CREATE TABLE IF NOT EXISTS sys.indexes (object_id INT, name NVARCHAR(128), index_id INT, type TINYINT, is_unique BIT,
        is_primary_key BIT, has_filter BIT, is_disabled BIT, is_hypothetical BIT);
    CREATE TABLE IF NOT EXISTS sys.index_columns (object_id INT, index_id INT, column_id INT, key_ordinal TINYINT,
        partition_ordinal TINYINT);
    DELETE FROM sys.schemas; DELETE FROM sys.objects; DELETE FROM sys.tables; DELETE FROM sys.types; DELETE FROM sys.columns;
    DELETE FROM sys.indexes; DELETE FROM sys.index_columns; DELETE FROM sys.synonyms;";

const TYPES: [(&str, i64); 19] = [
    ("char", 175),
    ("nchar", 239),
    ("timestamp", 189),
    ("date", 40),
    ("datetime2", 42),
    ("tinyint", 48),
    ("smallint", 52),
    ("int", 56),
    ("real", 59),
    ("datetime", 61),
    ("float", 62),
    ("bit", 104),
    ("decimal", 106),
    ("bigint", 127),
    ("varbinary", 165),
    ("varchar", 167),
    ("nvarchar", 231),
    ("text", 35),
    ("xml", 241),
];

/// The text after the type of a period's columns in SQLite, and the type of a ROWVERSION.
pub(super) const ROW_START: &str = " ROW_START";
pub(super) const ROW_END: &str = " ROW_END";
pub(super) const ROW_VERSION: &str = "TIMESTAMP";

/// The names of hypothetical indexes begin with this.
pub(super) const HYPOTHETICAL: &str = "hypothetical ";

/// A column as SQLite knows it.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) nullable: bool,
    pub(super) identity: bool,
    has_default: bool,
    computed: bool,
    /// 1 and 2 for the columns of a period.
    period: i64,
    /// It is filled by itself at each change.
    row_version: bool,
    /// CHAR and NCHAR, which add blanks to their texts. Here the plant adds them.
    padded: bool,
}

/// What an index on several partitions has before its name, with the column that they go by and a
/// blank.
pub(super) const PARTITIONED: &str = "partitioned by ";

/// An object's number: the same for the same name, and never 0.
pub(super) fn object_id(schema: &str, table: &str) -> i64 {
    let name = format!("{schema}.{table}").to_lowercase();
    let hash =
        name.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash >> 1 | 1)
}

/// The columns of a table or view; none if there is no such thing.
pub(super) fn columns(connection: &Connection, schema: &str, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, hidden IN (2, 3) FROM pragma_table_xinfo(?1, ?2) ORDER BY cid",
    )?;
    let rows = statement.query_map([table, schema], |row| {
        let written: String = row.get(1)?;
        let upper = written.to_uppercase();
        let period = i64::from(upper.ends_with(ROW_START)) + 2 * i64::from(upper.ends_with(ROW_END));
        let kind = upper.trim_end_matches(ROW_START).trim_end_matches(ROW_END).trim();
        let row_version = kind == ROW_VERSION;
        Ok(Column {
            name: row.get(0)?,
            kind: if row_version {
                Type::VarBinary(Some(8))
            } else {
                Type::parse(kind).unwrap_or(Type::TEXT)
            },
            identity: kind.eq_ignore_ascii_case("INTEGER"),
            nullable: !row.get::<_, bool>(2)? && !kind.eq_ignore_ascii_case("INTEGER"),
            // A column that is filled by itself has a default here, which the catalogue does not
            // show.
            has_default: row.get::<_, bool>(3)? && period == 0 && !row_version,
            computed: row.get(4)?,
            period,
            row_version,
            padded: kind.starts_with("CHAR") || kind.starts_with("NCHAR"),
        })
    })?;
    rows.collect()
}

/// Fills the views for these schemas.
pub(super) fn fill(connection: &Connection, schemas: &[String], tells_case: bool) -> rusqlite::Result<()> {
    let names = format!("NVARCHAR(128) COLLATE {}", if tells_case { "BINARY" } else { "NOCASE" });
    connection.execute_batch("DROP TABLE IF EXISTS sys.columns")?;
    connection.execute_batch(&VIEWS.replace("NVARCHAR(128), column_id", &format!("{names}, column_id")))?;
    for (name, number) in TYPES {
        connection.execute("INSERT INTO sys.types VALUES (?1, ?2, ?2)", params![name, number])?;
    }
    for (schema, number) in schemas.iter().zip(1_i64..) {
        connection.execute("INSERT INTO sys.schemas VALUES (?1, ?2)", params![schema, number])?;
        let mut statement = connection.prepare(&format!(
            "SELECT name, type FROM `{schema}`.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        ))?;
        let tables = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
        for (table, kind) in tables {
            let object = object_id(schema, &table);
            let letter = if kind == "view" { "V" } else { "U" };
            connection.execute(
                "INSERT INTO sys.objects VALUES (?1, ?2, ?3, ?4, 0)",
                params![table, object, number, letter],
            )?;
            connection
                .execute("INSERT INTO sys.tables VALUES (?1, ?2, ?3)", params![table, object, number])?;
            fill_columns(connection, schema, &table, object)?;
            fill_indexes(connection, schema, &table, object)?;
        }
    }
    Ok(())
}

/// Lists the synonyms, each by its schema, its name and what it stands for.
pub(super) fn fill_synonyms<'a>(
    connection: &Connection,
    synonyms: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM sys.synonyms", [])?;
    for (schema, name, base) in synonyms {
        connection.execute(
            "INSERT INTO sys.synonyms VALUES (?1, ?2, ?3)",
            params![name, object_id(schema, name), base],
        )?;
    }
    Ok(())
}

fn fill_columns(connection: &Connection, schema: &str, table: &str, object: i64) -> rusqlite::Result<()> {
    for (column, number) in columns(connection, schema, table)?.into_iter().zip(1_i64..) {
        let kind = match column.kind {
            _ if column.row_version => "timestamp",
            Type::VarChar(_) if column.padded => "char",
            Type::NVarChar(_) if column.padded => "nchar",
            kind => kind.name(),
        };
        let system = TYPES.iter().find(|(name, _)| *name == kind).map_or(0, |(_, number)| *number);
        let (length, precision, scale) = sizes(column.kind);
        let is_text = matches!(column.kind, Type::VarChar(_) | Type::NVarChar(_));
        let known = connection.column_metadata(Some(schema), table, &column.name).ok();
        let collation = known.and_then(|(_, collation, ..)| Some(collation?.to_string_lossy().into_owned()));
        // A view's columns have none of their own here.
        let collation = is_text.then(|| collation.filter(|name| name != "BINARY"));
        let collation = collation.map(|own| own.unwrap_or_else(|| collation::DEFAULT.to_owned()));
        connection.execute(
            "INSERT INTO sys.columns VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                object,
                column.name,
                number,
                system,
                length,
                precision,
                scale,
                column.nullable,
                column.identity,
                column.computed,
                i64::from(column.has_default),
                collation,
                column.period,
            ],
        )?;
    }
    Ok(())
}

/// In bytes (−1 is MAX), digits, digits after the point.
fn sizes(kind: Type) -> (i64, u8, u8) {
    match kind {
        Type::Bit => (1, 1, 0),
        Type::Int(bytes) => (bytes.into(), bytes * 5 / 2, 0),
        Type::Float(4) => (4, 24, 0),
        Type::Float(_) => (8, 53, 0),
        Type::Decimal { precision, scale } => (if precision < 10 { 5 } else { 9 }, precision, scale),
        Type::Date => (3, 10, 0),
        Type::DateTime => (8, 23, 3),
        Type::DateTime2(scale) => (8, 20 + scale, scale),
        Type::VarChar(length) | Type::VarBinary(length) => (length.map_or(-1, i64::from), 0, 0),
        Type::NVarChar(length) => (length.map_or(-1, |length| i64::from(length) * 2), 0, 0),
    }
}

/// The column that an index's partitions go by; empty for one of a single partition.
fn partitioned_by(index: &str) -> &str {
    index.strip_prefix(PARTITIONED).and_then(|rest| rest.split_once(' ')).map_or("", |(column, _)| column)
}

fn fill_indexes(connection: &Connection, schema: &str, table: &str, object: i64) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1, ?2)")?;
    let indexes = statement
        .query_map([table, schema], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<(String, bool, String, bool)>>>()?;
    for ((name, unique, origin, partial), number) in indexes.into_iter().zip(2_i64..) {
        connection.execute(
            "INSERT INTO sys.indexes VALUES (?1, ?2, ?3, 2, ?4, ?5, ?6, 0, ?7)",
            params![object, name, number, unique, origin == "pk", partial, name.starts_with(HYPOTHETICAL)],
        )?;
        connection.execute(
            "INSERT INTO sys.index_columns SELECT ?1, ?2, cid + 1, seqno + 1, name = ?5 FROM pragma_index_info(?3, ?4)",
            params![object, number, name, schema, partitioned_by(&name)],
        )?;
        // The column that partitions go by is in each index, if not as a key.
        connection.execute(
            "INSERT INTO sys.index_columns SELECT ?1, ?2, cid + 1, 0, 1 FROM pragma_table_info(?6, ?4) WHERE name = ?5 \
             AND name NOT IN (SELECT name FROM pragma_index_info(?3, ?4))",
            params![object, number, name, schema, partitioned_by(&name), table],
        )?;
    }
    // An identity key is the table itself in SQLite and no index.
    let key = columns(connection, schema, table)?.iter().position(|column| column.identity);
    if let Some(key) = key {
        connection.execute("INSERT INTO sys.indexes VALUES (?1, 'PK', 1, 1, 1, 1, 0, 0, 0)", [object])?;
        let column = i64::try_from(key).unwrap_or_default() + 1;
        connection.execute("INSERT INTO sys.index_columns VALUES (?1, 1, ?2, 1, 0)", [object, column])?;
    }
    Ok(())
}
