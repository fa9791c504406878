//! The last steps of a new set: the other files that it needs, its record, a trial, and the swap.
//! An error before the swap leaves the set in use unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::directory::{Staging, Swapped};
use super::error::TrainingError;
use super::record::{ModelRecord, RECORD, SetRecord};
use crate::detector::{Detector, Engine, ModelFile, Trainer};
use crate::reload::SetSource;

/// A set that was swapped in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The number of its new models.
    pub models: usize,
    pub swapped: Swapped,
    /// The number of the set.
    pub generation: u64,
}

/// A set that is ready to be swapped in.
pub(super) struct NewSet<'a> {
    pub(super) engine: &'a Engine,
    /// None if the models need no other files to be made.
    pub(super) trainer: Option<&'a Trainer>,
    /// Files beside the models in use that are not models.
    pub(super) beside: &'a [ModelFile],
    pub(super) staging: Staging,
    /// Its new models, which are in `staging`.
    pub(super) placed: BTreeMap<Arc<str>, NewModel>,
}

/// A model that was put into a set.
pub(super) struct NewModel {
    pub(super) path: String,
    /// None if it was trained elsewhere.
    pub(super) record: Option<ModelRecord>,
}

impl NewModel {
    pub(super) fn of(record: ModelRecord) -> Self {
        Self { path: record.path.clone(), record: Some(record) }
    }
}

impl NewSet<'_> {
    /// Completes it from the set in use, of which the models in `kept` (path and variable) stay,
    /// and swaps it in.
    pub(super) async fn place(
        mut self,
        kept: &[(String, String)],
        source: &SetSource,
        keep: usize,
    ) -> Result<Placed, TrainingError> {
        let path = self.staging.path().to_owned();
        let refused = |cause| TrainingError::Directory { path: path.display().to_string(), cause };
        let new = self.placed.iter().map(|(variable, model)| (model.path.clone(), variable.to_string()));
        let models: Vec<_> = kept.iter().cloned().chain(new).collect();
        if let Some(trainer) = self.trainer {
            let companions = trainer.companions(&models, self.beside, &[]).await;
            let companions = companions.map_err(|why| TrainingError::Together(why.to_string()))?;
            for file in companions {
                self.staging.write(&file.path, &file.bytes).map_err(refused)?;
            }
        }
        let record = self.record(kept, &source.models);
        self.staging.write(RECORD, &record.bytes()).map_err(refused)?;
        let own = |name: &str| source.is_no_model(name);
        self.staging.complete(&source.models, &own).map_err(refused)?;
        // Opened as a worker will open it, with the models that were not trained.
        let together = SetSource { models: path.clone(), ..source.clone() };
        let set = together.read_at_start(self.engine).await?;
        let opened = Detector::open(self.engine, Arc::new(set), None).await?;
        let loaded: BTreeSet<_> =
            opened.summary().loaded().map(|model| Arc::clone(&model.variable)).collect();
        if let Some(lost) = self.placed.keys().find(|variable| !loaded.contains(*variable)) {
            return Err(TrainingError::Together(format!("`{lost}` would have no model")));
        }
        drop(opened);
        let models = self.placed.len();
        let swapped = self.staging.swap(keep, &own).map_err(refused)?;
        Ok(Placed { models, swapped, generation: record.generation })
    }

    /// The new record, with the old entries of models that stay.
    fn record(&self, kept: &[(String, String)], in_use: &Path) -> SetRecord {
        let before = SetRecord::read(in_use).unwrap_or_default();
        let kept: BTreeSet<_> = kept.iter().map(|(_, variable)| variable).collect();
        let stay = before.models.into_iter().filter(|(variable, _)| kept.contains(variable));
        let known =
            |(variable, model): (&Arc<str>, &NewModel)| Some((variable.to_string(), model.record.clone()?));
        let new = self.placed.iter().filter_map(known);
        SetRecord { generation: self.staging.number_in_use() + 1, models: stay.chain(new).collect() }
    }
}
