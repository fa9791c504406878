//! Verdicts that were made and not written are subtracted from the counts here, for cycle, look and
//! backfill.

use super::JudgedBatch;
use crate::state::State;
use crate::store::StoreError;
use crate::verdict::VerdictRow;
use crate::worker::batch_report::BatchReport;
use crate::worker::refused;
use crate::worker::session::Session;

/// Subtracts from the counts the verdicts that were not written: another process, such as the
/// Python worker, wrote one between our read and our commit, or there is one under a name that the
/// output takes for the same. Returns their number.
pub(in crate::worker) fn written_elsewhere(
    verdicts: &[VerdictRow],
    inserted: u64,
    report: &mut BatchReport,
    state: &mut State,
) -> u64 {
    let lost = (verdicts.len() as u64).saturating_sub(inserted).min(report.counts.judged);
    for counts in [&mut report.counts, &mut state.counts] {
        counts.judged -= lost;
        counts.already_judged += lost;
    }
    lost
}

impl JudgedBatch {
    /// The batch without the variables that a constraint of the output refuses: these are counted
    /// as unfit, logged, and left out until the session ends. `error` is the error of the whole
    /// batch.
    pub(in crate::worker) async fn without_refused(
        mut self,
        session: &mut Session,
        error: StoreError,
    ) -> Result<Self, StoreError> {
        let refused = refused::find(session.output.as_mut(), &self.verdicts).await?;
        let Some(kept) = refused::without(&self.verdicts, &refused) else { return Err(error) };
        for (variable, why) in &refused {
            tracing::warn!("the output refuses `{variable}`: {why}");
        }
        for verdict in self.verdicts.iter().filter(|verdict| refused.contains_key(&verdict.variable)) {
            let anomalies = u64::from(verdict.flags.anomaly);
            for counts in [&mut self.report.counts, &mut self.state.counts] {
                counts.judged = counts.judged.saturating_sub(1);
                counts.anomalies = counts.anomalies.saturating_sub(anomalies);
                counts.unfit += 1;
            }
        }
        self.verdicts = kept;
        session.refuse(refused);
        Ok(self)
    }
}
