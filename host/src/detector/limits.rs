//! The limits of a detector. Each protects the service around it.

use std::time::Duration;

use crate::regular::Most;

/// The limits of one sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the whole component, in bytes: its memories, tables and instances, and what the host
    /// holds for it: its answer while a call returns, its checkpoint, its texts on its models, the
    /// compacted forms of their files.
    pub memory: usize,
    /// For one call into the detector, compilation excluded.
    pub deadline: Duration,
    /// What one call may return, in bytes. A verdict has 33 bytes: the default is enough for four
    /// million readings.
    pub returned: usize,
    /// Of all parts of a checkpoint together, in bytes.
    pub checkpoint: usize,
    /// Length of the module's file, in bytes.
    pub module_file: u64,
    /// Length of one model's file, in bytes.
    pub model_file: u64,
    /// Of all model files together, in the form that is held. More than this is a wrong directory,
    /// not a set of models.
    pub model_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            deadline: Duration::from_secs(30),
            returned: 128 << 20,
            checkpoint: 128 << 20,
            module_file: 64 << 20,
            model_file: 64 << 20,
            model_files: 1 << 30,
        }
    }
}

impl Limits {
    /// For reading a module.
    pub(crate) fn of_module(&self) -> Most {
        Most { bytes: self.module_file, key: Some("module_mib") }
    }

    /// For reading a model.
    pub(crate) fn of_model(&self) -> Most {
        Most { bytes: self.model_file, key: Some("model_mib") }
    }
}

/// Core instances, memories and tables of one component. A Rust detector needs about 4 of each, one
/// made from JavaScript or Python 20 to 40 with its adapters.
pub(super) const INSTANCES: usize = 64;

/// Elements of all tables: function pointers, of which a Python interpreter has some ten thousand.
pub(super) const TABLE_ELEMENTS: usize = 100_000;

/// The bytes of a table's entry, and of an instance beside its memories and tables.
pub(super) const TABLE_ELEMENT_BYTES: usize = 16;

/// The bytes that the host needs for a model that a detector names, beside its texts.
pub(super) const MODEL_BYTES: usize = 128;

/// The most bytes of one part of a checkpoint, which is a row of the database.
pub(super) const PART_BYTES: usize = 8 << 20;

/// The most parts of a checkpoint, and the bytes that the host needs for one beside its content.
pub(super) const PARTS: usize = 1 << 16;
pub(super) const PART_OVERHEAD: usize = 128;

/// What a call may return in any case, however little of its memory a detector has left: log lines
/// and short answers.
pub(super) const LEAST_RETURNED: usize = 1 << 20;

/// Lines that one call may log, and bytes of one line. More would flood the log, and do the host no
/// harm.
pub(super) const LOG_LINES: usize = 100;
pub(super) const LOG_LINE_BYTES: usize = 2_000;

/// The wasm stack. Deep recursion traps here, far below the stack of the thread that calls.
pub(super) const STACK: usize = 1 << 20;
