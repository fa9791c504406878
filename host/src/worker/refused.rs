//! Finds the variables whose verdicts a constraint of the output refuses, after it refused a batch.
//!
//! The server names the constraint and not the row. So the verdicts are tried in halves, each in a
//! transaction that is rolled back, until single variables are found: those are left out, logged
//! and counted, and the rest is stored. If the constraint refuses all variables, none of them is at
//! fault: the batch fails, and the next cycle tries it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::{ErrorKind, OutputProbe, StoreError};
use crate::verdict::VerdictRow;

/// The variables that are refused alone, with the server's message.
///
/// # Errors
/// Any other error of the database.
pub async fn find(
    output: &mut dyn OutputProbe,
    verdicts: &[VerdictRow],
) -> Result<BTreeMap<Arc<str>, String>, StoreError> {
    let mut by_variable: BTreeMap<Arc<str>, Vec<VerdictRow>> = BTreeMap::new();
    for verdict in verdicts {
        by_variable.entry(Arc::clone(&verdict.variable)).or_default().push(verdict.clone());
    }
    let mut refused = BTreeMap::new();
    let mut parts: Vec<Vec<(Arc<str>, Vec<VerdictRow>)>> = vec![by_variable.into_iter().collect()];
    while let Some(mut part) = parts.pop() {
        let rows: Vec<VerdictRow> = part.iter().flat_map(|(_, rows)| rows.iter().cloned()).collect();
        match output.attempt(&rows).await {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::Refused => match part.len() {
                0 => {}
                1 => refused.extend(part.into_iter().map(|(variable, _)| (variable, error.message.clone()))),
                count => {
                    parts.push(part.split_off(count / 2));
                    parts.push(part);
                }
            },
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// The verdicts without those of the refused variables. None if no variable is refused, or if
/// several are and nothing is left.
pub(super) fn without(
    verdicts: &[VerdictRow],
    refused: &BTreeMap<Arc<str>, String>,
) -> Option<Vec<VerdictRow>> {
    let kept: Vec<VerdictRow> =
        verdicts.iter().filter(|verdict| !refused.contains_key(&verdict.variable)).cloned().collect();
    let systemic = kept.is_empty() && refused.len() > 1;
    (!refused.is_empty() && !systemic).then_some(kept)
}
