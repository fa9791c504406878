//! An earlier model of a variable: compared with the one in use, or put back in its place.
//!
//! A rollback makes a new set, as a training does: if it fails, the set in use stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alone::{alone, beside, judged};
use super::collect::History;
use super::directory::Staging;
use super::error::TrainingError;
use super::generations::{self, Generation};
use super::holdout::HoldoutScore;
use super::new_set::{NewModel, NewSet, Placed};
use super::record::{ModelRecord, SetRecord, file_digest};
use crate::batch::{Batch, Column};
use crate::datetime::Datetime;
use crate::detector::{Engine, Trainer};
use crate::reload::SetSource;
use crate::store::{Input, StoreError};
use crate::text::escaped;
use crate::worker::RangeScan;

/// A variable's model in one of the sets.
#[derive(Clone, Debug, PartialEq)]
pub struct OfSet {
    pub generation: u64,
    pub in_use: bool,
    pub directory: PathBuf,
    /// None: it was trained elsewhere, or changed since.
    pub record: Option<ModelRecord>,
    /// The file's name and its digest.
    pub file: (String, String),
}

/// Why a model cannot be put back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error("{0}")]
    None(String),
    #[error(transparent)]
    Training(#[from] TrainingError),
}

/// A variable's models in the set in use and in the earlier ones, the latest first. `path` is the
/// name of its file in use, if it has one.
pub fn models_of(models: &Path, variable: &str, path: Option<&str>) -> Vec<OfSet> {
    let in_use = Generation {
        number: generations::in_use(models),
        directory: models.to_owned(),
        record: SetRecord::read(models).unwrap_or_default(),
    };
    let number = in_use.number;
    let sets = std::iter::once(in_use).chain(generations::before(models));
    let of_set = |set: Generation| {
        let known = set.record.models.get(variable);
        let path = known.map(|known| known.path.as_str()).or(path)?.to_owned();
        let digest = file_digest(&set.directory.join(&path))?;
        // The record does not hold for a file that was replaced by hand.
        let record = known.filter(|known| known.digest == digest).cloned();
        Some(OfSet {
            generation: set.number,
            in_use: set.number == number,
            directory: set.directory,
            record,
            file: (path, digest),
        })
    };
    sets.filter_map(of_set).collect()
}

/// Measures each of these models on the readings of a range; None if it gives no verdicts.
///
/// # Errors
/// The store fails.
pub async fn measure(
    engine: &Engine,
    source: &SetSource,
    variable: &Arc<str>,
    sets: &[OfSet],
    input: &mut dyn Input,
    (from, to, rows): (Datetime, Datetime, usize),
) -> Result<Vec<Option<HoldoutScore>>, StoreError> {
    let history = readings(variable, input, from, to, rows).await?;
    let column = Column { variable: Arc::clone(variable), values: history.values };
    let end = Batch { datetimes: history.datetimes, columns: vec![column] };
    let mut scores = Vec::new();
    for set in sets {
        let there = SetSource { models: set.directory.clone(), ..source.clone() };
        scores.push(match alone(engine, &there).await {
            Ok(mut detector) => judged(&mut detector, &end).await,
            Err(error) => {
                tracing::warn!("generation {} cannot be opened: {error}", set.generation);
                None
            }
        });
    }
    Ok(scores)
}

async fn readings(
    variable: &Arc<str>,
    input: &mut dyn Input,
    from: Datetime,
    to: Datetime,
    rows: usize,
) -> Result<History, StoreError> {
    let mut history = History::default();
    let mut scan = RangeScan::new(from, to, rows);
    loop {
        let page = scan.next(input).await?;
        for reading in page.readings.iter().filter(|reading| reading.variable == *variable) {
            history.push(reading);
        }
        if !page.full {
            return Ok(history);
        }
    }
}

/// Puts an earlier model back: that of the set `to`, or of the latest set with a different one. A
/// running worker picks it up like any other change.
///
/// # Errors
/// There is no such model, or the set with it cannot be opened; the set in use stays.
pub async fn roll_back(
    engine: &Engine,
    source: &SetSource,
    variable: &Arc<str>,
    to: Option<u64>,
    (now, keep): (Datetime, usize),
) -> Result<(OfSet, Placed), RollbackError> {
    let models = &source.models;
    let refused = |cause| TrainingError::Directory { path: models.display().to_string(), cause };
    // The lock is taken before anything is read, so that no training changes it meanwhile.
    let mut staging = Staging::new(models).map_err(refused)?;
    let opened = alone(engine, source).await.map_err(TrainingError::from)?;
    let in_use: BTreeMap<_, _> = opened
        .summary()
        .models
        .iter()
        .map(|model| (Arc::clone(&model.variable), model.path.clone()))
        .collect();
    let path = in_use.get(variable).map(String::as_str);
    let sets = models_of(models, variable, path);
    let chosen = choose(variable, &sets, to).map_err(RollbackError::None)?;
    // In the place of the model in use, whose name may be set in the detector's settings.
    let place = path.unwrap_or(&chosen.file.0).to_owned();
    let bytes = std::fs::read(chosen.directory.join(&chosen.file.0)).map_err(refused)?;
    staging.write(&place, &bytes).map_err(refused)?;
    let record = chosen.record.clone();
    let record = record.map(|record| ModelRecord { path: place.clone(), since: now, ..record });
    let (trainer, beside) = match path {
        Some(_) => (None, Vec::new()),
        None => {
            let trainer = Trainer::new(engine, &opened.set().module).await.map_err(TrainingError::from)?;
            (Some(trainer), beside(&opened))
        }
    };
    let kept: Vec<_> = in_use
        .iter()
        .filter(|(name, _)| *name != variable)
        .map(|(name, path)| (path.clone(), name.to_string()))
        .collect();
    drop(opened);
    let set = NewSet {
        engine,
        trainer: trainer.as_ref(),
        beside: &beside,
        staging,
        placed: [(Arc::clone(variable), NewModel { path: place, record })].into(),
    };
    let placed = set.place(&kept, source, keep).await?;
    Ok((chosen.clone(), placed))
}

fn choose<'a>(variable: &str, sets: &'a [OfSet], to: Option<u64>) -> Result<&'a OfSet, String> {
    let (variable, in_use) = (escaped(variable), sets.iter().find(|set| set.in_use));
    let others = || sets.iter().filter(|set| !set.in_use);
    let Some(to) = to else {
        let other = |set: &&OfSet| in_use.is_none_or(|in_use| in_use.file.1 != set.file.1);
        return others().find(other).ok_or_else(|| {
            format!("no earlier set has a different model of `{variable}`; `host models show` lists them")
        });
    };
    let chosen = others().find(|set| set.generation == to).ok_or_else(|| {
        let there: Vec<_> = others().map(|set| set.generation.to_string()).collect();
        let there = if there.is_empty() {
            "none has".to_owned()
        } else {
            format!("those that have: {}", there.join(", "))
        };
        format!("generation {to} has no model of `{variable}`; {there}")
    })?;
    match in_use {
        Some(in_use) if in_use.file.1 == chosen.file.1 => {
            Err(format!("the model of `{variable}` of generation {to} is the one in use"))
        }
        _ => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_youngest_that_is_another_is_chosen_or_the_one_that_is_named() {
        let set = |generation, in_use, digest: &str| OfSet {
            generation,
            in_use,
            directory: PathBuf::new(),
            record: None,
            file: ("f".into(), digest.into()),
        };
        let sets = [set(5, true, "b"), set(4, false, "b"), set(3, false, "a"), set(1, false, "c")];
        for (to, expected) in [
            (None, Ok(3)),
            (Some(1), Ok(1)),
            (Some(4), Err("the model of `T1` of generation 4 is the one in use")),
            (Some(2), Err("generation 2 has no model of `T1`; those that have: 4, 3, 1")),
        ] {
            let chosen = choose("T1", &sets, to).map(|set| set.generation);
            assert_eq!(chosen, expected.map_err(str::to_owned), "{to:?}");
        }
        assert_eq!(choose("T1", &sets[2..], None).map(|set| set.generation), Ok(3), "it has none in use");
        assert!(choose("T1", &sets[..2], None).is_err());
        assert_eq!(
            choose("T1", &sets[..1], Some(9)).map(|_| ()),
            Err("generation 9 has no model of `T1`; none has".to_owned())
        );
    }
}
