//! What the process that compiles and its parent agree on.

/// What the command is called on the command line; nobody types it.
pub(super) const COMMAND: &str = "compile-module";

/// What a compiled module may have, in bytes. A whole Python interpreter has 60 MB.
pub(super) const COMPILED: usize = 96 << 20;

/// What is said where the limit on memory was reached.
pub(super) fn too_little(memory: u64) -> String {
    format!(
        "it needs more than {} MiB to compile; `compile_memory_mib` of `[detector]` can be more",
        memory >> 20
    )
}
