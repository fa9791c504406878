//! Who opens a file, and what for.

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Reads only, creates nothing.
    Input,
    /// Reads only and leaves nothing behind, also where nothing can be written: for whoever takes a
    /// look.
    Look,
    /// Tries to write and takes it back; how the file is kept stays as it is.
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
