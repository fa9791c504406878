//! The detector that a service starts with: the one of the files on disk, else the last one that
//! judged.
//!
//! A start requires of the files what a reload requires: a broken file must not cost a variable the
//! model that it has. So files that a running worker has refused are refused by the next start as
//! well, and the kept set is used instead. If the files hold another set than the kept one, the
//! kept one is opened too, until the new one has judged a batch.

use std::sync::Arc;
use std::time::Duration;

use super::last_good::{LastGood, OpenedKept};
use super::set_source::{SetSource, patience};
use super::trial;
use crate::detector::{Detector, DetectorError, Engine, Set, short_digest};

/// What a worker starts with.
pub struct Start {
    pub detector: Detector,
    /// The set that judged last, if it is another.
    pub before: Option<Detector>,
    pub refused: Option<RefusedFiles>,
}

/// The files on disk are not used.
pub struct RefusedFiles {
    pub error: DetectorError,
    /// How a reload recognises them: the digest of what was read, or else the reason why nothing
    /// was.
    pub(super) key: String,
}

impl RefusedFiles {
    fn unread(error: DetectorError) -> Self {
        Self { key: error.to_string(), error }
    }
}

impl Start {
    /// Opens the files, or the kept set.
    ///
    /// # Errors
    /// Neither can be used; the error is that of the files.
    pub async fn open(
        engine: &Engine,
        source: &SetSource,
        last_good: Option<&LastGood>,
    ) -> Result<Self, DetectorError> {
        Self::open_within(patience(engine), engine, source, last_good).await
    }

    /// The same; reading that makes no progress for this time is abandoned, if there is a kept set.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_within(
        patience: Duration,
        engine: &Engine,
        source: &SetSource,
        last_good: Option<&LastGood>,
    ) -> Result<Self, DetectorError> {
        let has_other = last_good.is_some_and(LastGood::is_there);
        let files = match source.read_starting(engine, has_other.then_some(patience)).await {
            Err(error) => Err(RefusedFiles::unread(error)),
            Ok(set) => {
                let key = set.read.clone();
                let detector = Detector::open(engine, Arc::new(set), None).await;
                detector.map(|detector| (detector, key.clone())).map_err(|error| RefusedFiles { error, key })
            }
        };
        let kept = match last_good {
            Some(last_good) => last_good.read(engine, source).await,
            None => None,
        };
        let is_of_files = |set: &Set| files.as_ref().is_ok_and(|(files, _)| files.set().digest == set.digest);
        let kept = match kept {
            // The kept set is that of the files.
            Some(kept) if is_of_files(&kept.set) => None,
            Some(kept) => match LastGood::open(engine, kept).await {
                Ok(opened) => Some(opened),
                Err(error) => {
                    if files.is_err() {
                        tracing::warn!("the set that is kept cannot be opened either: {error}");
                    }
                    None
                }
            },
            None => None,
        };
        match (files, kept) {
            (Ok((detector, _)), None) => Ok(Self { detector, before: None, refused: None }),
            (Ok((detector, key)), Some(kept)) => {
                match trial::keeps_models(&detector, &trial::variables(&kept.detector)) {
                    Ok(()) => Ok(Self { detector, before: Some(kept.detector), refused: None }),
                    Err(error) => Ok(Self::with(kept, RefusedFiles { error, key })),
                }
            }
            (Err(refused), Some(kept)) => Ok(Self::with(kept, refused)),
            (Err(refused), None) => Err(refused.error),
        }
    }

    fn with(kept: OpenedKept, refused: RefusedFiles) -> Self {
        tracing::error!(
            "the files cannot be used: {}; the last set that judged goes on in their place: set {}, kept on {}{}. Mend them: they are \
             looked at as they change",
            refused.error,
            short_digest(&kept.detector.set().digest),
            humantime::format_rfc3339_seconds(kept.kept_at),
            if kept.other_settings { ", with the settings of the configuration as they are now" } else { "" }
        );
        Self { detector: kept.detector, before: None, refused: Some(refused) }
    }
}
