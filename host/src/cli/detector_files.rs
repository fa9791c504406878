//! The module and the files that a command line names.

use std::path::Path;

use anyhow::Context;

use crate::detector::{Limits, ModelFile, Module};
use crate::regular::{self, Most};

/// The detector's name of a table of holidays.
const COUNTRY_HOLIDAYS: &str = "country_holidays.csv";

/// The module in this file; without a file the built-in one.
pub(super) fn module(path: Option<&Path>, limits: &Limits) -> anyhow::Result<Module> {
    let Some(path) = path else { return Ok(Module::built_in()) };
    Ok(Module { name: path.display().to_string(), bytes: read(path, limits.of_module())?.into() })
}

/// The file, as the model that the detector knows by `name`.
pub(super) fn model(name: &str, path: &Path, limits: &Limits) -> anyhow::Result<ModelFile> {
    Ok(ModelFile { path: name.into(), bytes: read(path, limits.of_model())? })
}

/// The table of holidays, if the command line names one.
pub(super) fn country_holidays(path: Option<&Path>, limits: &Limits) -> anyhow::Result<Option<ModelFile>> {
    path.map(|path| model(COUNTRY_HOLIDAYS, path, limits)).transpose()
}

/// A file that a person writes: settings, events.
pub(super) fn small(path: &Path) -> anyhow::Result<Vec<u8>> {
    regular::read_small(path).with_context(|| unreadable(path))
}

fn read(path: &Path, most: Most) -> anyhow::Result<Vec<u8>> {
    regular::read(path, most).with_context(|| unreadable(path))
}

fn unreadable(path: &Path) -> String {
    format!("`{}` cannot be read", path.display())
}
