//! What the process that compiles and its parent have in common.

/// The name of the command; no user types it.
pub(super) const COMMAND: &str = "compile-module";

/// The most bytes of a compiled module. A whole Python interpreter has 60 MB.
pub(super) const COMPILED: usize = 96 << 20;

/// The message if the limit on memory was reached.
pub(super) fn too_little(memory: u64) -> String {
    format!(
        "it needs more than {} MiB to compile; `compile_memory_mib` of `[detector]` can be more",
        memory >> 20
    )
}
