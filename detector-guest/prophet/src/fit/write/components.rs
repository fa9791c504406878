//! Which component owns which column (`regressor_column_matrix` in `forecaster.py`).

use std::collections::BTreeSet;

use super::ascii::compact;
use super::{NamedValues, tables};
use crate::fit::Fitted;
use crate::seasonality::Mode;

const ADDITIVE_TERMS: &str = "additive_terms";
const MULTIPLICATIVE_TERMS: &str = "multiplicative_terms";
const HOLIDAYS: &str = "holidays";

/// Names of components and of groups of them, by mode.
#[derive(serde::Serialize)]
pub(super) struct Modes<'a> {
    additive: Vec<&'a str>,
    multiplicative: Vec<&'a str>,
}

impl<'a> Modes<'a> {
    fn of(&mut self, mode: Mode) -> &mut Vec<&'a str> {
        match mode {
            Mode::Additive => &mut self.additive,
            Mode::Multiplicative => &mut self.multiplicative,
        }
    }
}

fn terms(mode: Mode) -> &'static str {
    match mode {
        Mode::Additive => ADDITIVE_TERMS,
        Mode::Multiplicative => MULTIPLICATIVE_TERMS,
    }
}

fn extra(mode: Mode) -> &'static str {
    match mode {
        Mode::Additive => "extra_regressors_additive",
        Mode::Multiplicative => "extra_regressors_multiplicative",
    }
}

pub(super) fn modes<'a>(fitted: &'a Fitted<'_>) -> Modes<'a> {
    let prepared = &fitted.prepared;
    let mut modes = Modes { additive: Vec::new(), multiplicative: Vec::new() };
    for season in &prepared.seasons {
        modes.of(season.mode).push(&season.name);
    }
    let holidays_mode = fitted.settings.holidays_mode();
    for name in prepared.holidays.iter().flat_map(|holidays| &holidays.names) {
        modes.of(holidays_mode).push(name);
    }
    for regressor in &prepared.regressors {
        modes.of(regressor.mode).push(&regressor.name);
    }
    for mode in [Mode::Additive, Mode::Multiplicative] {
        modes.of(mode).extend([terms(mode), extra(mode)]);
    }
    modes.of(holidays_mode).push(HOLIDAYS);
    modes
}

/// The table `train_component_cols`: for each column 1 at the components and groups that it is part
/// of.
pub(super) fn columns(fitted: &Fitted<'_>) -> String {
    let prepared = &fitted.prepared;
    let mut owners: Vec<Vec<&str>> = Vec::new();
    for season in &prepared.seasons {
        for _ in 0..2 * season.order {
            owners.push(vec![&season.name, terms(season.mode)]);
        }
    }
    let holidays_mode = fitted.settings.holidays_mode();
    for (name, _) in prepared.holidays.iter().flat_map(|holidays| &holidays.features) {
        owners.push(vec![name, HOLIDAYS, terms(holidays_mode)]);
    }
    for regressor in &prepared.regressors {
        owners.push(vec![&regressor.name, terms(regressor.mode), extra(regressor.mode)]);
    }
    if owners.is_empty() {
        // The column of zeros belongs to nothing.
        owners.push(Vec::new());
    }
    let sorted: BTreeSet<&str> = owners.iter().flatten().copied().collect();
    let missing = [ADDITIVE_TERMS, MULTIPLICATIVE_TERMS].into_iter().filter(|name| !sorted.contains(name));
    let names: Vec<&str> = sorted.iter().copied().chain(missing).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (*name, "integer")).collect();
    let row = |owners: &Vec<&str>| {
        let cells: Vec<(&str, u8)> =
            names.iter().map(|name| (*name, u8::from(owners.contains(name)))).collect();
        compact(&NamedValues(&cells))
    };
    tables::table(&fields, &owners.iter().map(row).collect::<Vec<_>>().join(","))
}
