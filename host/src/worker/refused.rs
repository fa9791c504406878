//! Which variables a constraint of the output refuses, where it refused a batch.
//!
//! The server names the constraint and not the row. So the verdicts are tried in halves, each in a
//! transaction that is taken back, until single variables are left: those are passed over, named
//! and counted, and the rest is stored. What is refused whole is no variable's fault: then the
//! batch fails, and the next cycle tries it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::{ErrorKind, OutputProbe, StoreError};
use crate::verdict::VerdictRow;

/// The variables that are refused alone, with the server's words.
///
/// # Errors
/// Whatever else the database says.
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

/// The verdicts without those of the variables that are refused; None where that leaves none of
/// several variables, or takes none.
pub(super) fn without(
    verdicts: &[VerdictRow],
    refused: &BTreeMap<Arc<str>, String>,
) -> Option<Vec<VerdictRow>> {
    let kept: Vec<VerdictRow> =
        verdicts.iter().filter(|verdict| !refused.contains_key(&verdict.variable)).cloned().collect();
    let systemic = kept.is_empty() && refused.len() > 1;
    (!refused.is_empty() && !systemic).then_some(kept)
}
