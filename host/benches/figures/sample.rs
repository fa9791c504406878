//! What is judged: the demo's plant, 25 variables with daily and weekly seasons, and the models
//! that Prophet made of it.

use host::batch::{Batch, Column};
use host::demo::models::FILES;
use host::demo::plant::{Plant, SEED, STEP};
use host::demo::variables::{START, VARIABLES};
use host::detector::{ModelFile, Module, Set};

pub(crate) fn set(settings: &str) -> Set {
    let files = FILES.iter().map(|file| ModelFile { path: file.name.into(), bytes: file.bytes.to_vec() });
    Set::new(Module::built_in(), files.collect(), "demo".into(), settings.into())
}

pub(crate) fn batch(rows: u32) -> Batch {
    let plant = Plant::new(SEED);
    let datetimes: Vec<_> = (0..rows).map(|row| START.later(STEP * row)).collect();
    let columns = VARIABLES
        .iter()
        .map(|variable| Column {
            variable: variable.name.into(),
            values: datetimes.iter().map(|&at| plant.value(variable, at)).collect(),
        })
        .collect();
    Batch { datetimes, columns }
}
