//! Variables that were set aside because the detector took too long over them, shown to it again
//! after a while.
//!
//! Each is asked about alone and before its batch, so that it costs one deadline at most and the
//! batch nothing; where it is judged, its new readings go with the others'. The pauses grow from
//! try to try ([`crate::state::Again`]). What traps, or breaks the contract, does so again: that is
//! shown to another set only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::patience::Patience;
use crate::datetime::Datetime;
use crate::detector::{Detector, JudgeError};
use crate::pivot;
use crate::reading::Reading;
use crate::state::{Again, SetAside};

/// Whether a failure may pass by itself: a machine that was busy, a search that came to no end.
pub(super) fn may_pass(error: &JudgeError) -> bool {
    matches!(error, JudgeError::Deadline(_) | JudgeError::NotLookedAt)
}

/// Asks about those of the variables whose time has come.
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
