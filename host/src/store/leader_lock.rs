//! Leader election: of the workers of one name, one is active.

use async_trait::async_trait;

use super::StoreError;
#[cfg(doc)]
use super::VerdictWriter;

/// A candidate for the one active worker of a name. The one that holds the lock leads until this is
/// dropped or its process ends, however it ends.
///
/// It keeps workers from competing, and is no guarantee: its connection may break unnoticed.
/// Commits rely on the fence of [`VerdictWriter::claim`].
#[async_trait]
pub trait LeaderLock: Send {
    /// Tries to get the lock, or asks whether it is still held. False: another one has it, and this
    /// one may ask again. After an error this can no longer be used.
    async fn try_acquire(&mut self) -> Result<bool, StoreError>;
}
