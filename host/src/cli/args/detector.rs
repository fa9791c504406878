//! `host detector`, and the process that compiles a module.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum DetectorCommand {
    /// Show a module's description, its imports, and whether this host would load it
    #[command(after_help = "Example:\n  host detector inspect detector.wasm")]
    Inspect {
        /// A WebAssembly component
        #[arg(value_name = "FILE")]
        module: PathBuf,
    },
}

#[derive(Args, Debug)]
pub struct CompileModule {
    /// The memory limit of this process, in bytes
    #[arg(long, value_name = "BYTES")]
    pub memory: u64,

    /// The time limit of all its threads together
    #[arg(long, value_name = "SECONDS")]
    pub seconds: u64,

    /// Digest of the engine that the code is for
    #[arg(long, value_name = "DIGEST")]
    pub engine: String,
}
