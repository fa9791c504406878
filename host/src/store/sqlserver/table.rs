//! The columns and indexes of a table, read from the server's catalogue once for a connection.
//!
//! If its users change a table under a running worker, the next statement fails and the session
//! ends: the next session reads the catalogue again. Never altered, only read.

use tiberius::Row;

use super::connect::SqlSession;
use super::connection::{self, Value};
use super::error::{Error, Result};
use super::sql;
use crate::store::TableName;
use crate::store::index::Index;

/// This many digits fit into 64 bits, whatever they are.
const WHOLE_DIGITS: i32 = 18;

pub(super) struct Table {
    columns: Vec<TableColumn>,
    indexes: Vec<Index>,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct TableColumn {
    number: i32,
    /// Our name, if the server takes it for the same; else as it is written.
    name: String,
    /// As it is written.
    written: String,
    /// The base type's name, in lower case.
    pub(super) kind: String,
    /// In bytes; −1 for `max`.
    max_length: i32,
    pub(super) precision: i32,
    pub(super) scale: i32,
    pub(super) nullable: bool,
    identity: bool,
    /// Whether it is computed, or of a period.
    generated: bool,
    has_default: bool,
    collation: Option<String>,
}

/// A text parameter.
pub(super) fn text(text: &str) -> Value {
    Value::String(Some(text.to_owned().into()))
}

impl Table {
    /// None if there is no such table or view, or none that this login may see.
    pub(super) async fn find(session: &mut SqlSession, name: &TableName) -> Result<Option<Self>> {
        if let [_, schema] = name.qualifiers() {
            return Err(Error::schema(format!(
                "table `{name}` is named with its database; name that by the key `database`, and the table as `{}`",
                TableName::of(schema, name.table())
            )));
        }
        let quoted = name.sql_server();
        let rows = connection::rows(session, sql::session::columns(), vec![text(&quoted)]).await?;
        let columns = rows.iter().map(TableColumn::of).collect::<Result<Vec<_>>>()?;
        if columns.is_empty() {
            return Ok(None);
        }
        let mut indexes: Vec<Index> = Vec::new();
        let mut current = None;
        for row in connection::rows(session, sql::session::indexes(), vec![text(&quoted)]).await? {
            let index = number(&row, 0)?;
            if current != Some(index) {
                current = Some(index);
                let (unique, split) = (number(&row, 1)? != 0, number(&row, 3)? != 0);
                indexes.push(Index { columns: Vec::new(), unique, split });
            }
            let column = number(&row, 2)?;
            let name = columns.iter().find(|found| found.number == column).map(|found| found.name.clone());
            if let Some(index) = indexes.last_mut() {
                index.columns.push(name.unwrap_or_default());
            }
        }
        Ok(Some(Self { columns, indexes }))
    }

    /// # Errors
    /// `Schema`, with the names of the existing tables and the `advice`.
    pub(super) async fn expect(session: &mut SqlSession, name: &TableName, advice: &str) -> Result<Self> {
        if let Some(table) = Self::find(session, name).await? {
            return Ok(table);
        }
        if let Some(base) = synonym(session, name).await? {
            return Err(Error::schema(format!(
                "`{name}` is a synonym for `{base}`, and what is behind it is not seen through it; name that table, and its database \
                 by the key `database`"
            )));
        }
        let rows = connection::rows(session, sql::session::some_tables(), Vec::new()).await?;
        let names: Vec<&str> = rows.iter().filter_map(|row| row.get::<&str, _>(0)).collect();
        let found = match names.as_slice() {
            [] => "this login sees no tables".to_owned(),
            names => format!("this login sees `{}`", names.join("`, `")),
        };
        Err(Error::schema(format!("there is no table `{name}` ({found}); {advice}")))
    }

    pub(super) fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.column(column).is_some()
    }

    /// # Errors
    /// `Schema`, naming those of the columns that the table lacks.
    pub(super) fn expect_columns(&self, name: &TableName, columns: &[&str]) -> Result<()> {
        let missing: Vec<&str> = columns.iter().copied().filter(|column| !self.has(column)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let alike: Vec<&str> = self
            .columns
            .iter()
            .map(|column| column.written.as_str())
            .filter(|written| missing.iter().any(|missing| written.eq_ignore_ascii_case(missing)))
            .collect();
        let alike = match alike.as_slice() {
            [] => String::new(),
            alike => {
                format!(" (it has `{}`, which this database takes for another name)", alike.join("`, `"))
            }
        };
        Err(Error::schema(format!(
            "table `{name}` lacks `{}`{alike}; add what is missing, or name another table",
            missing.join("`, `")
        )))
    }

    /// # Errors
    /// `Schema`, naming columns besides `known` that would refuse every row that we write.
    pub(super) fn expect_no_more_than(&self, name: &TableName, known: &[&str], row: &str) -> Result<()> {
        let wanted: Vec<&str> = self
            .columns
            .iter()
            .filter(|column| column.must_be_given() && !known.contains(&column.name.as_str()))
            .map(|column| column.name.as_str())
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        Err(Error::schema(format!(
            "table `{name}` wants a value for `{}` in every row, which a {row} does not have; give it a default, or name \
             another table",
            wanted.join("`, `")
        )))
    }

    /// Whether `column` gives rows an order of arrival: whole numbers that the table itself counts
    /// up (an identity, or a default, which can only be a sequence's), and the first column of a
    /// unique index. The index may have other columns after it, but must not be in partitions by
    /// one of them: the greatest key would then be searched for in each, and the rows of a range of
    /// keys be sorted.
    pub(super) fn is_order_of_arrival(&self, column: &str) -> bool {
        self.column(column)
            .is_some_and(|found| found.is_whole() && !found.nullable && (found.identity || found.has_default))
            && self.indexes.iter().any(|index| index.unique && index.is_in_order_of(&[column]))
    }

    /// Whether an index begins with these columns, in this order.
    pub(super) fn has_index(&self, columns: &[&str]) -> bool {
        self.indexes.iter().any(|index| index.leads_with(columns))
    }

    /// Whether an index has the rows in the order of these columns.
    pub(super) fn has_order(&self, columns: &[&str]) -> bool {
        self.indexes.iter().any(|index| index.is_in_order_of(columns))
    }

    /// Whether a unique index is on just these columns, in any order.
    pub(super) fn has_unique(&self, columns: &[&str]) -> bool {
        self.indexes.iter().any(|index| index.is_key(columns))
    }
}

impl TableColumn {
    fn of(row: &Row) -> Result<Self> {
        let text = |at: usize| Ok::<_, Error>(row.try_get::<&str, _>(at)?.map(str::to_owned));
        let written = text(1)?.unwrap_or_default();
        Ok(Self {
            number: number(row, 0)?,
            name: text(2)?.unwrap_or_else(|| written.clone()),
            written,
            kind: text(3)?.unwrap_or_default().to_ascii_lowercase(),
            max_length: number(row, 4)?,
            precision: number(row, 5)?,
            scale: number(row, 6)?,
            nullable: number(row, 7)? != 0,
            identity: number(row, 8)? != 0,
            generated: number(row, 9)? != 0,
            has_default: number(row, 10)? != 0,
            collation: text(11)?,
        })
    }

    /// Whether no statement may give it a value: an identity, a rowversion, computed, or of a
    /// period.
    pub(super) fn fills_itself(&self) -> bool {
        self.identity || self.generated || self.kind == "timestamp"
    }

    fn must_be_given(&self) -> bool {
        !(self.nullable || self.has_default || self.fills_itself())
    }

    /// Whether its values are whole numbers of 64 bits.
    fn is_whole(&self) -> bool {
        self.is_integer() || self.is_decimal() && self.scale == 0 && self.precision <= WHOLE_DIGITS
    }

    fn is_integer(&self) -> bool {
        matches!(self.kind.as_str(), "bigint" | "int" | "smallint" | "tinyint")
    }

    /// Whether its values are numbers.
    pub(super) fn is_number(&self) -> bool {
        self.is_integer()
            || self.is_decimal()
            || matches!(self.kind.as_str(), "float" | "real" | "money" | "smallmoney")
    }

    pub(super) fn is_decimal(&self) -> bool {
        matches!(self.kind.as_str(), "decimal" | "numeric")
    }

    /// Whether its values are texts.
    pub(super) fn is_text(&self) -> bool {
        self.is_padded() || matches!(self.kind.as_str(), "varchar" | "nvarchar")
    }

    /// Whether its values are padded with blanks.
    pub(super) fn is_padded(&self) -> bool {
        matches!(self.kind.as_str(), "char" | "nchar")
    }

    /// As it is declared: `varchar(100)`, `decimal(18,6)`, `datetime2(7)`.
    pub(super) fn declared(&self) -> String {
        let kind = &self.kind;
        match kind.as_str() {
            "" => "of a type that is not the system's".to_owned(),
            "varchar" | "nvarchar" | "varbinary" if self.max_length < 0 => format!("{kind}(max)"),
            "varchar" | "char" | "varbinary" => format!("{kind}({})", self.max_length),
            "nvarchar" | "nchar" => format!("{kind}({})", self.max_length / 2),
            "decimal" | "numeric" => format!("{kind}({},{})", self.precision, self.scale),
            "datetime2" => format!("{kind}({})", self.scale),
            _ => kind.clone(),
        }
    }

    /// An expression that converts a value to this column's type, in a statement, and for a text to
    /// its collation, by which the column distinguishes texts. The collation is inside the
    /// conversion, because it names the code page of the text.
    pub(super) fn cast(&self, value: &str) -> String {
        let collate = self
            .collation
            .as_ref()
            .filter(|name| self.is_text() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        match collate {
            Some(collation) => format!("CAST({value} COLLATE {collation} AS {})", self.declared()),
            None => format!("CAST({value} AS {})", self.declared()),
        }
    }
}

/// The table that a synonym stands for. A server without synonyms has no catalogue of them.
async fn synonym(session: &mut SqlSession, name: &TableName) -> Result<Option<String>> {
    match connection::row(session, sql::session::synonym(), vec![text(&name.sql_server())]).await {
        Ok(row) => Ok(row.and_then(|row| row.get::<&str, _>(0).map(str::to_owned))),
        Err(fault) if fault.leaves_session() => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn number(row: &Row, at: usize) -> Result<i32> {
    Ok(row.try_get::<i32, _>(at)?.unwrap_or_default())
}
