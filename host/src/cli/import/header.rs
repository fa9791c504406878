//! The header of a wide file: which column has the datetime, and which variable each other column
//! has. A file whose header cannot be right is refused.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{anyhow, bail};

use super::cell::{is_none, shown};
use super::csv_dialect::DATETIME;
use super::records::CsvRecord;
use crate::column_limits::LONGEST_NAME;

/// The name that pandas gives to an index that it wrote without a name and read again.
const UNNAMED: &str = "Unnamed: 0";

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) fields: usize,
    pub(super) datetime: usize,
    /// The index that pandas writes: a first column without a name, which has no readings.
    pub(super) index: Option<usize>,
    /// The variables, each with the number of its column.
    pub(super) variables: Vec<(usize, Arc<str>)>,
}

impl Header {
    /// # Errors
    /// The record is not UTF-8, has no DATETIME or no variable, or has a name twice.
    pub(super) fn read(record: &CsvRecord) -> anyhow::Result<Self> {
        let mut names = Vec::with_capacity(record.len());
        for place in 0..record.len() {
            let name = record.field(place);
            if !record.is_utf8(place) {
                bail!(
                    "column `{}` is not UTF-8 text; save the file as \"CSV UTF-8\", or say --encoding windows-1252",
                    shown(&name)
                );
            }
            names.push(name.into_owned());
        }
        Self::of(&names)
    }

    fn of(names: &[String]) -> anyhow::Result<Self> {
        check(names)?;
        let datetime =
            names.iter().position(|name| name.eq_ignore_ascii_case(DATETIME)).ok_or_else(|| {
                let shown: Vec<String> =
                    names.iter().take(10).map(|name| format!("`{}`", shown(name))).collect();
                let more = if names.len() > shown.len() { " and more" } else { "" };
                match shown.as_slice() {
                    [] => anyhow!("it has no column {DATETIME}; it is empty"),
                    shown => {
                        anyhow!("it has no column {DATETIME}; its columns are {}{more}", shown.join(", "))
                    }
                }
            })?;
        let index = names.first().filter(|name| name.is_empty() || *name == UNNAMED).map(|_| 0);
        let variables: Vec<_> = names
            .iter()
            .enumerate()
            .filter(|(place, name)| *place != datetime && Some(*place) != index && !name.is_empty())
            .map(|(place, name)| (place, name.as_str().into()))
            .collect();
        if variables.is_empty() {
            bail!("it has no column besides {DATETIME}; each variable needs one");
        }
        Ok(Self { fields: names.len(), datetime, index, variables })
    }

    /// Whether a record has values where the header has no column. Delimiters alone are no values.
    pub(super) fn is_exceeded(&self, record: &CsvRecord) -> bool {
        (self.fields..record.len()).any(|place| !is_none(&record.field(place)))
    }

    /// The fields of a record that are not empty, without its datetime and an index.
    pub(super) fn cells<'a>(&self, record: &'a CsvRecord) -> impl Iterator<Item = Cow<'a, str>> {
        let (datetime, index) = (self.datetime, self.index);
        (0..record.len())
            .filter(move |place| *place != datetime && Some(*place) != index)
            .map(|place| record.field(place))
            .filter(|cell| !is_none(cell))
    }
}

fn check(names: &[String]) -> anyhow::Result<()> {
    let mut known = HashSet::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let characters = name.chars().count();
        if characters > LONGEST_NAME {
            bail!(
                "the name of column `{}` has {characters} characters; a variable's takes at most {LONGEST_NAME}",
                shown(name)
            );
        }
        // Only DATETIME is compared without case. Whether two names that differ in case are the
        // same variable depends on the table.
        let name = if name.eq_ignore_ascii_case(DATETIME) { DATETIME } else { name };
        if !known.insert(name) {
            bail!("it has two columns `{}`; keep one", shown(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_where_what_is() {
        let names = |text: &str| text.split(';').map(str::to_owned).collect::<Vec<_>>();
        for (text, expected) in [
            ("DATETIME;T1;T2", Ok((0, None, "1 T1,2 T2"))),
            (";datetime;T1", Ok((1, Some(0), "2 T1"))),
            ("Unnamed: 0;T1;DATETIME", Ok((2, Some(0), "1 T1"))),
            ("DATETIME;T1;;", Ok((0, None, "1 T1"))),
            ("DATETIME;T1;T1", Err("it has two columns `T1`; keep one")),
            ("DATETIME;t1;T1", Ok((0, None, "1 t1,2 T1"))),
            ("DATETIME;Datetime", Err("it has two columns `DATETIME`; keep one")),
            ("DATETIME;", Err("it has no column besides DATETIME; each variable needs one")),
            ("Fecha;T1", Err("it has no column DATETIME; its columns are `Fecha`, `T1`")),
        ] {
            let found = Header::of(&names(text)).map(|header| {
                let variables: Vec<_> =
                    header.variables.iter().map(|(place, name)| format!("{place} {name}")).collect();
                (header.datetime, header.index, variables.join(","))
            });
            let expected = expected.map(|(datetime, index, names)| (datetime, index, names.to_owned()));
            assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{text}");
        }
    }
}
