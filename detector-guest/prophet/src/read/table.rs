//! Tables of pandas: JSON inside a JSON string, parsed a second time.

use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};

use super::python;

/// The rows of a DataFrame as `to_json(orient="table")` writes it: `{"schema": …, "data": [{column:
/// value}, …]}`.
#[derive(Debug)]
pub(super) struct PandasTable<R>(Vec<R>);

impl<R> From<Vec<R>> for PandasTable<R> {
    fn from(rows: Vec<R>) -> Self {
        Self(rows)
    }
}

impl<R> PandasTable<R> {
    pub(super) fn as_slice(&self) -> &[R] {
        &self.0
    }
}

#[derive(serde::Deserialize)]
struct PandasFrame<R> {
    data: Vec<R>,
}

impl<'de, R: DeserializeOwned> Deserialize<'de> for PandasTable<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        let frame: PandasFrame<R> = python::from_slice(text.as_bytes())
            .map_err(|error| D::Error::custom(format!("in a table: {error}")))?;
        Ok(Self(frame.data))
    }
}
