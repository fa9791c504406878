//! The last committed batch, which a new set judges before it is used.
//!
//! It lives as long as the worker, which replaces it with each batch that it commits.

use std::sync::Arc;

use crate::batch::Batch;
use crate::checkpoint::Checkpoint;

/// The last committed batch: what a new set is tried on before it is used.
#[derive(Clone)]
pub struct Canary {
    pub batch: Arc<Batch>,
    /// The checkpoint that was stored with the batch.
    pub checkpoint: Option<Checkpoint>,
}
