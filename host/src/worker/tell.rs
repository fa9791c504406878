//! What is logged of a look for unjudged readings: nothing, unless some were found.

use super::report::count;
use crate::reconciliation::Look;

/// A look that is finished.
pub(super) fn looked(look: &Look) {
    let (from, to) = (look.from, look.to);
    match look.found.total() {
        0 => tracing::debug!("readings from {from} to {to} were looked at: none is unjudged"),
        found => tracing::warn!(
            "{} from {from} to {to} had neither a verdict nor a reason, and were judged now: {}",
            count(found, "reading"),
            look.found
        ),
    }
}
