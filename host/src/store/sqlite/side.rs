//! The purposes for which a file is opened.

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Reads only, creates nothing.
    Input,
    /// Reads only and leaves nothing behind, also if nothing can be written: for read-only
    /// commands.
    Look,
    /// Tries to write and rolls back; the journal mode of the file stays as it is.
    Trial,
    Output {
        /// Whether a missing file is created.
        create: bool,
    },
    /// Writes the input, for `host import`.
    Import {
        /// Whether a missing file is created.
        create: bool,
    },
}
