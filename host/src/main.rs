//! The program `host`: reads the command line and hands it to the library.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// A month of verdicts is hundreds of columns of a third of a megabyte. The system's allocator gives each back to the kernel, which
/// clears the next one page by page; that took as long as judging (`tests/benches/breakdown.rs`).
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    host::cli::main(&host::cli::args::Cli::parse())
}
