//! Tries to write, and rolls back.

use async_trait::async_trait;

use super::SqlServerOutput;
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::connection::{self, Value};
use crate::store::sqlserver::error::{Error, Result};
use crate::store::sqlserver::{datetime, probe, sql};
use crate::store::{ErrorKind, OutputProbe, PlantClock, Probed, StoreError};
use crate::verdict::VerdictRow;

impl SqlServerOutput {
    /// What prevents a commit, and remarks.
    async fn try_all(&mut self, session: &mut SqlSession) -> Result<(Vec<Error>, Vec<String>)> {
        let missing = probe::missing_rights(session, &self.output, &self.state, &self.beside).await?;
        if !missing.is_empty() {
            return Ok((missing, Vec::new()));
        }
        let row = connection::row(session, sql::input::now(&PlantClock::Server), Vec::new()).await?;
        let now = row.and_then(|row| row.into_iter().next()).and_then(|value| datetime::read(&value));
        let now = now.ok_or_else(|| Error::no_answer("the time"))?;
        let wait = self.target.timeouts.lock;
        let (tables, beside) = ((&self.output, &self.state), &self.beside);
        let tried = probe::try_all(session, &mut self.staged, tables, beside, now, wait).await;
        connection::run(session, sql::session::roll_back()).await?;
        match tried {
            Ok(notes) => Ok((Vec::new(), notes)),
            Err(fault) => Ok((vec![fault], Vec::new())),
        }
    }

    async fn attempt(&mut self, session: &mut SqlSession, verdicts: &[VerdictRow]) -> Result<()> {
        let known = self.known(session).await?;
        let Some([first, last]) = known.around(verdicts.iter().map(|verdict| verdict.ds)) else {
            return Ok(());
        };
        self.staged.verdicts(session, verdicts, known.grain).await?;
        // The insert reads its bounds from the parameters that a commit has there.
        let values = vec![Value::I64(None), Value::I64(None), first, last];
        connection::last(session, sql::output::attempt(&known.insert), values).await?;
        Ok(())
    }
}

#[async_trait]
impl OutputProbe for SqlServerOutput {
    async fn probe(&mut self) -> Result<Probed, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.try_all(&mut session).await;
        let (found, notes) = self.done(session, answer).await?;
        let mut problems = Vec::new();
        for fault in found {
            let error = fault.at(self.link.place());
            // Nothing was found out.
            if matches!(error.kind, ErrorKind::Connection | ErrorKind::Busy) {
                return Err(error);
            }
            problems.push(error);
        }
        Ok(Probed { problems, notes })
    }

    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError> {
        let mut session = self.link.take()?;
        let answer = self.attempt(&mut session, verdicts).await;
        self.done(session, answer).await
    }
}
