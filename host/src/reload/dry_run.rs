//! What a reload would do, without doing it.

use std::collections::HashSet;
use std::sync::Arc;

use super::canary::Canary;
use super::last_good::LastGood;
use super::overview::SetOverview;
use super::set_source::SetSource;
use super::trial;
use crate::detector::{DetectorError, Engine};

/// The files on disk, and whether they would be used.
pub struct DryRun {
    /// None where they cannot be read.
    pub files: Option<SetOverview>,
    pub refused: Option<DetectorError>,
}

impl DryRun {
    /// Reads the files and tries them as a reload does, beside the set that is in use.
    pub async fn of(
        engine: &Engine,
        source: &SetSource,
        in_use: Option<&SetOverview>,
        canary: Option<Canary>,
    ) -> Self {
        let had: HashSet<Arc<str>> =
            in_use.into_iter().flat_map(|set| &set.variables).map(|name| name.as_str().into()).collect();
        let set = match source.read(engine).await {
            Ok(set) => Arc::new(set),
            Err(error) => return Self { files: None, refused: Some(error) },
        };
        match trial::open(engine, Arc::clone(&set), &had, canary).await {
            Ok(detector) => Self { files: Some(SetOverview::of(&detector)), refused: None },
            Err(error) => {
                Self { files: Some(SetOverview::of_set(&set, &HashSet::new())), refused: Some(error) }
            }
        }
    }
}

impl LastGood {
    /// The kept set; None if there is none, or if it cannot be opened.
    pub async fn overview(&self, engine: &Engine, source: &SetSource) -> Option<SetOverview> {
        let kept = self.read(engine, source).await?;
        let settings = kept.settings.clone();
        let opened = Self::open(engine, kept).await.ok()?;
        // With the settings that it judged with: those may be what has changed.
        Some(SetOverview { settings, ..SetOverview::of(&opened.detector) })
    }
}
