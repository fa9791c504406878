//! The one way to open a fresh instance: at the start, after a trap, for a reload, and when an
//! older set is used again.
//!
//! A checkpoint is optional. One of another detector or schema, or one with which the detector
//! cannot be opened for any reason, is left out with one line in the log; only a failure without it
//! counts. What the machine may have been too busy for is tried twice, because what was learnt is
//! lost without the checkpoint.

use super::bindings::DetectorPre;
use super::description::{Description, Summary};
use super::engine::Engine;
use super::error::DetectorError;
use super::instance::Instance;
use super::sandbox::Sandbox;
use super::set::Set;
use crate::checkpoint::{Checkpoint, Parts};

/// A fresh instance.
pub(super) struct OpenedInstance {
    pub(super) instance: Instance,
    pub(super) summary: Summary,
    /// Whether it resumes from the checkpoint.
    pub(super) resumed: bool,
}

/// Opens a fresh instance of a set.
///
/// # Errors
/// The set cannot be opened without a checkpoint either.
pub(super) async fn open(
    engine: &Engine,
    pre: &DetectorPre<Sandbox>,
    set: &Set,
    description: &Description,
    kept: Option<&Checkpoint>,
) -> Result<OpenedInstance, DetectorError> {
    let mut why = None;
    if let Some(kept) = kept {
        if description.checkpoint_schema == 0 {
            // It is cleared with the next batch, and logged then.
        } else if let Some(other) = foreign(kept, description) {
            why = Some(other);
        } else {
            let resume = || Instance::open(engine, pre, set, description, kept.parts.clone());
            let mut opened = resume().await;
            if let Err(error) = &opened
                && error.may_pass()
            {
                tracing::warn!("with the checkpoint that is stored, {error}; it is opened once more with it");
                opened = resume().await;
            }
            match opened {
                Ok((instance, summary)) => return Ok(OpenedInstance { instance, summary, resumed: true }),
                Err(error) => why = Some(error.to_string()),
            }
        }
    }
    let (instance, summary) = Instance::open(engine, pre, set, description, Parts::default()).await?;
    if let Some(why) = why {
        tracing::warn!("the detector starts without the checkpoint that is stored: {why}");
    }
    Ok(OpenedInstance { instance, summary, resumed: false })
}

/// Why this checkpoint does not belong to this detector.
fn foreign(kept: &Checkpoint, said: &Description) -> Option<String> {
    let Description { name, version, checkpoint_schema, .. } = said;
    if let Some(other) = kept.detector.as_ref().filter(|other| *other != name) {
        return Some(format!("detector `{other}` has written that one, and this is `{name}` {version}"));
    }
    (*checkpoint_schema != kept.schema).then(|| {
        format!(
            "that one has schema {}, and detector `{name}` {version} writes schema {checkpoint_schema}",
            kept.schema
        )
    })
}
