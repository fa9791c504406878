//! Limits on the contents of a module, checked before anything is compiled.
//!
//! The time and memory of a compilation depend on what a module declares, not on its size: a
//! kilobyte can declare a million instances. The limits are several times what a detector with all
//! of Python or JavaScript contains. What no limit here covers is covered by the limits of the
//! process that compiles.

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CappedItem {
    Bytes,
    Depth,
    Components,
    Modules,
    Instances,
    Items,
    Types,
    TypeBytes,
    TypeDepth,
    NameBytes,
    Functions,
    FunctionBytes,
    Locals,
    Blocks,
    LocalsByBlocks,
    Targets,
    Segments,
    Elements,
    Tables,
    TableElements,
    Memories,
    MemoryBytes,
    Globals,
}

use CappedItem::*;

/// Each with its name in messages, and how much of it is allowed.
const DEFAULT: [(CappedItem, &str, u64); 23] = [
    (Bytes, "bytes", 64 << 20),
    (Depth, "levels of components in components", 32),
    (Components, "components", 1_000),
    (Modules, "core modules", 200),
    (Instances, "instances (each counted as often as it is made)", 1_000),
    (Items, "instances, functions and names of components (each counted as often as it is made)", 200_000),
    (Types, "types", 50_000),
    (TypeBytes, "bytes of types", 2 << 20),
    (TypeDepth, "levels of types in types", 256),
    (NameBytes, "bytes of imports and exports", 8 << 20),
    (Functions, "functions", 200_000),
    (FunctionBytes, "bytes of one function", 2 << 20),
    (Locals, "variables of one function", 10_000),
    (Blocks, "levels of blocks in blocks", 5_000),
    (LocalsByBlocks, "variables times blocks of one function", 20_000_000),
    (Targets, "targets of the branch tables of one function", 100_000),
    (Segments, "segments of elements and data", 50_000),
    (Elements, "elements of tables", 200_000),
    (Tables, "tables", 200),
    (TableElements, "elements of tables to begin with", 200_000),
    (Memories, "memories", 200),
    (MemoryBytes, "bytes of memory to begin with", 256 << 20),
    (Globals, "globals", 100_000),
];

/// The limit of everything that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps([u64; DEFAULT.len()]);

impl Default for Caps {
    fn default() -> Self {
        Self(DEFAULT.map(|(_, _, most)| most))
    }
}

impl Caps {
    /// With the configured limits: the length of the file, and the memory of a sandbox.
    pub(super) fn of(mut self, module_file: u64, memory: u64) -> Self {
        for (what, most) in [(Bytes, module_file), (MemoryBytes, memory)] {
            let cap = &mut self.0[what as usize];
            // A limit that is lifted stays so.
            if *cap != u64::MAX {
                *cap = most;
            }
        }
        self
    }

    /// No limits: for tests of what a module does that passes them.
    pub(super) fn lifted() -> Self {
        Self([u64::MAX; DEFAULT.len()])
    }

    /// Whether this much of it is allowed.
    pub(super) fn check(&self, what: CappedItem, found: u64) -> Result<(), String> {
        let most = self.0[what as usize];
        if found <= most {
            return Ok(());
        }
        let (_, words, _) = DEFAULT[what as usize];
        Err(format!("it has more {words} than a detector may have: {most} are allowed"))
    }
}

/// The counts so far of a whole module.
pub(super) struct ItemCounts {
    caps: Caps,
    found: [u64; DEFAULT.len()],
}

impl ItemCounts {
    pub(super) fn new(caps: Caps) -> Self {
        Self { caps, found: [0; DEFAULT.len()] }
    }

    pub(super) fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Adds this much of it.
    pub(super) fn add(&mut self, what: CappedItem, more: u64) -> Result<(), String> {
        let found = &mut self.found[what as usize];
        *found = found.saturating_add(more);
        self.caps.check(what, *found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_in_its_place() {
        for (place, (what, _, most)) in DEFAULT.iter().enumerate() {
            assert_eq!(*what as usize, place, "{what:?}");
            let caps = Caps::default();
            assert_eq!(caps.check(*what, *most), Ok(()), "{what:?}");
            assert!(caps.check(*what, most + 1).is_err(), "{what:?}");
        }
    }
}
