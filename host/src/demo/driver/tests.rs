//! The demo from end to end, on a directory of its own.
