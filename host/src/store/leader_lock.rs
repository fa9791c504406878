//! Leader election: of the workers of one name, one is active.

use async_trait::async_trait;

use super::StoreError;
#[cfg(doc)]
use super::VerdictWriter;

/// A place in the line of those who would be the one active worker of a name. The first has the
/// right to be until this is dropped or its process dies, however it dies.
///
/// It keeps workers from competing and is no proof: a connection that it depends on may break
/// unseen. What each commit relies on is the fence of [`VerdictWriter::claim`].
#[async_trait]
pub trait LeaderLock: Send {
    /// Asks for the right, or whether it is still held. False: another one has it, and this one may
    /// ask again. After an error this is of no more use.
    async fn try_acquire(&mut self) -> Result<bool, StoreError>;
}
