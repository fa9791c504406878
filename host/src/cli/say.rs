//! What commands print. The one place that writes to a terminal besides the log, so that everything from outside (names from a
//! database, a module's words, paths) is escaped on its way there as it is in the log.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to the terminal")]

use std::fmt::Arguments;

use crate::text;

/// Prints one line to standard output.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::say::line(::std::format_args!($($words)*)) };
}

/// Prints one line to standard error.
macro_rules! complain {
    ($($words:tt)*) => { $crate::cli::say::error_line(::std::format_args!($($words)*)) };
}

pub(super) use {complain, say};

pub(super) fn line(words: Arguments<'_>) {
    println!("{}", text::escaped(&words.to_string()));
}

pub(super) fn error_line(words: Arguments<'_>) {
    eprintln!("{}", text::escaped(&words.to_string()));
}

/// Several lines. What of them comes from outside was escaped when it was put in: here an end of a line is one.
pub(super) fn lines(words: &str) {
    for words in words.lines() {
        say!("{words}");
    }
}

/// An answer for programs, which is JSON to them as it was.
pub(super) fn json(object: &serde_json::Value) {
    println!("{}", text::escaped_json(&object.to_string()));
}
