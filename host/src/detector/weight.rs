//! What the instances of a component need of the host besides their memories and tables: for each a
//! block with an entry for every global, function and element of its module.
//!
//! An upper bound, not a measurement: the largest possible number of instances, each of the
//! heaviest module. For a detector in Rust that is a few megabytes, for one in Python some forty. A
//! module of a hundred thousand globals would need a hundred before its first instruction, and the
//! limits on memories and tables would not notice.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmparser::{BinaryReaderError, ElementItems, Parser, Payload};

use super::limits::INSTANCES;
use super::set::Module;

/// The block of an instance of an empty module.
const INSTANCE_BYTES: usize = 4096;

/// An entry, by kind: a pointer to code and two of data for a function, a value of any type for a
/// global or an element.
const FUNCTION_BYTES: usize = 32;
const VALUE_BYTES: usize = 16;

/// The results for the last modules: every fresh instance needs them.
#[derive(Default)]
pub(super) struct Weights(Mutex<Vec<(Weak<[u8]>, usize)>>);

impl Weights {
    /// The module in use, and the one that is tried beside it.
    const MOST: usize = 2;

    /// For all instances of this module together, in bytes.
    pub(super) fn of(&self, module: &Module) -> usize {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(bytes, _): &&(Weak<[u8]>, usize)| {
            std::ptr::addr_eq(Weak::as_ptr(bytes), Arc::as_ptr(&module.bytes))
        };
        if let Some((_, weight)) = known.iter().find(same) {
            return *weight;
        }
        // One that cannot be read is never instantiated.
        let weight = heaviest(&module.bytes).unwrap_or(0).saturating_mul(INSTANCES);
        known.truncate(Self::MOST - 1);
        known.insert(0, (Arc::downgrade(&module.bytes), weight));
        weight
    }
}

/// The bytes of an instance of the heaviest of the core modules in it.
fn heaviest(component: &[u8]) -> Result<usize, BinaryReaderError> {
    let (mut heaviest, mut weight) = (0, 0);
    for payload in Parser::new(0).parse_all(component) {
        let (count, bytes) = match payload? {
            Payload::ModuleSection { .. } => {
                weight = INSTANCE_BYTES;
                (0, 0)
            }
            Payload::ImportSection(section) => (section.into_imports().count(), FUNCTION_BYTES),
            Payload::FunctionSection(section) => (section.count() as usize, FUNCTION_BYTES),
            Payload::GlobalSection(section) => (section.count() as usize, VALUE_BYTES),
            Payload::TagSection(section) => (section.count() as usize, VALUE_BYTES),
            Payload::ElementSection(section) => {
                let mut elements = 0usize;
                for segment in section {
                    elements = elements.saturating_add(match segment?.items {
                        ElementItems::Functions(items) => items.count() as usize,
                        ElementItems::Expressions(_, items) => items.count() as usize,
                    });
                }
                (elements, VALUE_BYTES)
            }
            _ => continue,
        };
        weight = weight.saturating_add(count.saturating_mul(bytes));
        heaviest = heaviest.max(weight);
    }
    Ok(heaviest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::detector::BUILT_IN;

    fn weight(text: &str) -> usize {
        let bytes = wat::parse_str(text).unwrap();
        Weights::default().of(&Module { name: "x.wasm".into(), bytes: bytes.into() })
    }

    #[test]
    fn instances_are_weighed_by_what_the_heaviest_module_declares() {
        let globals = "(global i64 (i64.const 1))".repeat(100_000);
        let empty = INSTANCES * INSTANCE_BYTES;
        for (text, expected) in [
            ("(component)".to_owned(), 0),
            ("(component (core module))".to_owned(), empty),
            ("(component (core module (func) (global i32 (i32.const 0))) (core module))".to_owned(), {
                empty + INSTANCES * (FUNCTION_BYTES + VALUE_BYTES)
            }),
            ("(component (component (core module (func))))".to_owned(), empty + INSTANCES * FUNCTION_BYTES),
            (format!("(component (core module {globals}))"), empty + INSTANCES * 100_000 * VALUE_BYTES),
        ] {
            assert_eq!(weight(&text), expected);
        }
        let built_in = Weights::default().of(&Module { name: "built-in".into(), bytes: BUILT_IN.into() });
        assert!(built_in < 16 << 20, "{built_in}");
    }
}
