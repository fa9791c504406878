//! Retries variables that were set aside because the detector did not judge them in time.
//!
//! Each is retried alone and before its batch, so that a failure costs one deadline at most and
//! does not affect the batch. If the variable is judged, its new readings are judged with the
//! others. The pause grows with each failed retry ([`crate::state::Again`]). A variable at which
//! the detector traps or breaks the contract is not retried here: only another set is tried on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::patience::Patience;
use crate::datetime::Datetime;
use crate::detector::{Detector, JudgeError};
use crate::pivot;
use crate::reading::Reading;
use crate::state::{Again, SetAside};

/// Whether the failure may be temporary: the machine was busy, or the search ended early.
pub(super) fn may_pass(error: &JudgeError) -> bool {
    matches!(error, JudgeError::Deadline(_) | JudgeError::NotLookedAt)
}

/// Retries those of the variables whose pause is over.
pub(super) async fn ask(
    detector: &mut Detector,
    set_aside: &mut BTreeMap<Arc<str>, SetAside>,
    new: &[Reading],
    companions: &[Reading],
    now: Datetime,
    patience: &mut Patience<'_>,
) {
    let due = |reading: &&Reading| set_aside.get(&reading.variable).is_some_and(|aside| aside.is_due(now));
    let due: BTreeSet<_> = new.iter().filter(due).map(|reading| Arc::clone(&reading.variable)).collect();
    for variable in due {
        if patience.ended().is_some() {
            return;
        }
        let readings: Vec<Reading> =
            new.iter().filter(|reading| reading.variable == variable).cloned().collect();
        let batch = Arc::new(pivot::pivot(&readings, companions).batch);
        detector.discard();
        let judged = patience.spend(detector.judge(batch)).await;
        detector.discard();
        let Some(aside) = set_aside.get_mut(&variable) else { continue };
        match judged {
            Ok(_) => {
                tracing::info!("`{variable}` is judged again");
                (aside.quarantined, aside.again) = (false, None);
            }
            Err(error) => {
                aside.again = may_pass(&error).then(|| Again::after(aside.again.as_ref(), now));
                aside.reason = error.to_string();
            }
        }
    }
}
