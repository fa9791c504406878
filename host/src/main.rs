//! The program `host`: reads the command line and passes it to the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    host::cli::main(&host::cli::args::Cli::parse())
}
