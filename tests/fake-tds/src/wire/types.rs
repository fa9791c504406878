//! The types of columns and parameters (2.2.5.4): as SQL writes them, as the wire describes them,
//! and their values on the wire.
//!
//! A value here is what SQLite keeps: a datetime is text of one width, `2025-01-15
//! 10:00:00.5030000`, which sorts as it should and holds all the digits; a decimal is a REAL; a BIT
//! 0 or 1.

mod calendar;
mod convert;
mod description;
mod encoding;

pub(crate) use calendar::{KEPT, datetime, keep};
pub(crate) use description::{COLLATION, is_fixed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bit,
    /// Of 1, 2, 4 or 8 bytes.
    Int(u8),
    /// Of 4 or 8 bytes.
    Float(u8),
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    DateTime,
    DateTime2(u8),
    /// With their greatest length, in bytes (NVARCHAR: in UTF-16 units); None is MAX.
    VarChar(Option<u16>),
    NVarChar(Option<u16>),
    VarBinary(Option<u16>),
}

impl Type {
    pub(crate) const INT: Self = Self::Int(4);
    pub(crate) const BIGINT: Self = Self::Int(8);
    pub(crate) const TEXT: Self = Self::NVarChar(Some(4000));

    /// As T-SQL writes it: `DECIMAL(18, 6)`, `nvarchar(max)`. INTEGER is what an identity column is
    /// in SQLite.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase().replace(['[', ']', ' '], "");
        let (name, arguments) = match lower.split_once('(') {
            Some((name, rest)) => (name, rest.trim_end_matches(')').split(',').collect::<Vec<_>>()),
            None => (&*lower, Vec::new()),
        };
        let number = |at: usize, default: u16| match arguments.get(at) {
            Some(&("max" | "-1")) => None,
            Some(text) => text.parse().ok(),
            None => Some(default),
        };
        let byte = |at, default| number(at, default).and_then(|number| u8::try_from(number).ok());
        Some(match name {
            "bit" => Self::Bit,
            "tinyint" => Self::Int(1),
            "smallint" => Self::Int(2),
            "int" => Self::Int(4),
            "bigint" | "integer" => Self::Int(8),
            "real" => Self::Float(4),
            "float" if byte(0, 53)? <= 24 => Self::Float(4),
            "float" => Self::Float(8),
            "decimal" | "numeric" => Self::Decimal { precision: byte(0, 18)?, scale: byte(1, 0)? },
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "datetime2" => Self::DateTime2(byte(0, 7)?),
            "varchar" | "char" => Self::VarChar(number(0, 30)),
            "nvarchar" | "nchar" | "sysname" => {
                Self::NVarChar(number(0, if name == "sysname" { 128 } else { 30 }))
            }
            "varbinary" | "binary" => Self::VarBinary(number(0, 30)),
            _ => return None,
        })
    }

    /// Its name in sys.types.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::Int(1) => "tinyint",
            Self::Int(2) => "smallint",
            Self::Int(4) => "int",
            Self::Int(_) => "bigint",
            Self::Float(4) => "real",
            Self::Float(_) => "float",
            Self::Decimal { .. } => "decimal",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::DateTime2(_) => "datetime2",
            Self::VarChar(_) => "varchar",
            Self::NVarChar(_) => "nvarchar",
            Self::VarBinary(_) => "varbinary",
        }
    }
}
