//! Counts the contents of a module, and refuses one that exceeds the limits.
//!
//! It reads every byte once and keeps nothing but numbers, so that this costs time in proportion to
//! the module's size and hardly any memory. It does not validate: the compiler reports what is
//! wrong. Types are not read at all, because the parser recurses for a type within a type, as deep
//! as the file says.

use wasmparser::{
    BinaryReaderError, ComponentExternalKind, ElementItems, ElementSectionReader, FunctionBody, MemoryType,
    Operator, Parser, Payload, TableType, TypeRef,
};

use super::caps::{CappedItem, Caps, ItemCounts};
use super::expansion::Components;

/// Counts. The error is what exceeds a limit, or what cannot be read, as a sentence that begins
/// with "it".
pub(super) fn count(bytes: &[u8], caps: Caps) -> Result<(), String> {
    let mut counting = Counting { bytes, tally: ItemCounts::new(caps), components: Components::default() };
    counting.tally.add(CappedItem::Bytes, bytes.len() as u64)?;
    for payload in Parser::new(0).parse_all(bytes) {
        counting.payload(&payload.map_err(unreadable)?)?;
    }
    Ok(())
}

struct Counting<'a> {
    bytes: &'a [u8],
    tally: ItemCounts,
    components: Components,
}

/// In the compiler's words.
#[allow(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn unreadable(error: BinaryReaderError) -> String {
    format!("it does not compile: {error}")
}

impl Counting<'_> {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), String> {
        use Payload as P;
        let tally = &mut self.tally;
        match payload {
            P::ComponentSection { .. } => {
                tally.add(CappedItem::Components, 1)?;
                self.components.enter();
                tally.caps().check(CappedItem::Depth, self.components.depth())
            }
            P::ModuleSection { .. } => {
                tally.add(CappedItem::Modules, 1)?;
                self.components.enter_module();
                Ok(())
            }
            P::End(_) => self.components.leave(tally.caps()),
            P::ComponentTypeSection(section) => {
                tally.add(CappedItem::Types, section.count().into())?;
                tally.add(CappedItem::TypeBytes, section.range().len() as u64)?;
                let depth = type_depth(self.bytes.get(section.range()).unwrap_or_default());
                tally.caps().check(CappedItem::TypeDepth, depth)
            }
            P::CoreTypeSection(section) => {
                tally.add(CappedItem::Types, section.count().into())?;
                tally.add(CappedItem::TypeBytes, section.range().len() as u64)
            }
            P::TypeSection(section) => {
                tally.add(CappedItem::Types, section.count().into())?;
                tally.add(CappedItem::TypeBytes, section.range().len() as u64)
            }
            P::ComponentImportSection(section) => {
                tally.add(CappedItem::NameBytes, section.range().len() as u64)?;
                self.components.items(section.count(), tally.caps())?;
                for import in section.clone() {
                    if import.map_err(unreadable)?.ty.kind() == ComponentExternalKind::Component {
                        self.components.unknown();
                    }
                }
                Ok(())
            }
            P::ComponentExportSection(section) => {
                tally.add(CappedItem::NameBytes, section.range().len() as u64)?;
                self.components.items(section.count(), tally.caps())?;
                for export in section.clone() {
                    let export = export.map_err(unreadable)?;
                    if export.kind == ComponentExternalKind::Component {
                        self.components.again(0, export.index);
                    }
                }
                Ok(())
            }
            P::ComponentAliasSection(section) => {
                self.components.items(section.count(), tally.caps())?;
                for alias in section.clone() {
                    self.components.alias(&alias.map_err(unreadable)?);
                }
                Ok(())
            }
            P::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    self.components.instance(&instance.map_err(unreadable)?, tally.caps())?;
                }
                Ok(())
            }
            P::InstanceSection(section) => {
                for instance in section.clone() {
                    self.components.core_instance(&instance.map_err(unreadable)?, tally.caps())?;
                }
                Ok(())
            }
            P::ComponentCanonicalSection(section) => self.components.items(section.count(), tally.caps()),
            P::ImportSection(section) => {
                tally.add(CappedItem::NameBytes, section.range().len() as u64)?;
                for import in section.clone().into_imports() {
                    match import.map_err(unreadable)?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => tally.add(CappedItem::Functions, 1)?,
                        TypeRef::Table(_) => tally.add(CappedItem::Tables, 1)?,
                        TypeRef::Memory(_) => tally.add(CappedItem::Memories, 1)?,
                        TypeRef::Global(_) | TypeRef::Tag(_) => tally.add(CappedItem::Globals, 1)?,
                    }
                }
                Ok(())
            }
            P::ExportSection(section) => tally.add(CappedItem::NameBytes, section.range().len() as u64),
            P::FunctionSection(section) => tally.add(CappedItem::Functions, section.count().into()),
            P::GlobalSection(section) => tally.add(CappedItem::Globals, section.count().into()),
            P::TagSection(section) => tally.add(CappedItem::Globals, section.count().into()),
            P::TableSection(section) => {
                tally.add(CappedItem::Tables, section.count().into())?;
                for table in section.clone() {
                    let TableType { initial, .. } = table.map_err(unreadable)?.ty;
                    tally.add(CappedItem::TableElements, initial)?;
                }
                Ok(())
            }
            P::MemorySection(section) => {
                tally.add(CappedItem::Memories, section.count().into())?;
                for memory in section.clone() {
                    let MemoryType { initial, page_size_log2, .. } = memory.map_err(unreadable)?;
                    let page = 1u64.checked_shl(page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    tally.add(CappedItem::MemoryBytes, initial.saturating_mul(page))?;
                }
                Ok(())
            }
            P::ElementSection(section) => elements(tally, section),
            P::DataSection(section) => tally.add(CappedItem::Segments, section.count().into()),
            P::CodeSectionEntry(body) => function(tally.caps(), body),
            _ => Ok(()),
        }
    }
}

fn elements(tally: &mut ItemCounts, section: &ElementSectionReader<'_>) -> Result<(), String> {
    tally.add(CappedItem::Segments, section.count().into())?;
    for segment in section.clone() {
        let elements = match segment.map_err(unreadable)?.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        tally.add(CappedItem::Elements, elements.into())?;
    }
    Ok(())
}

fn function(caps: &Caps, body: &FunctionBody<'_>) -> Result<(), String> {
    caps.check(CappedItem::FunctionBytes, body.range().len() as u64)?;
    let mut locals = 0u64;
    for local in body.get_locals_reader().map_err(unreadable)? {
        let (count, _) = local.map_err(unreadable)?;
        locals = locals.saturating_add(count.into());
    }
    caps.check(CappedItem::Locals, locals)?;
    let (mut blocks, mut depth, mut targets) = (0u64, 0u64, 0u64);
    let mut operators = body.get_operators_reader().map_err(unreadable)?;
    while !operators.eof() {
        match operators.read().map_err(unreadable)? {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Try { .. }
            | Operator::TryTable { .. } => {
                (blocks, depth) = (blocks + 1, depth + 1);
                caps.check(CappedItem::Blocks, depth)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            Operator::BrTable { targets: table } => {
                targets += u64::from(table.len()) + 1;
                caps.check(CappedItem::Targets, targets)?;
            }
            _ => {}
        }
    }
    caps.check(CappedItem::LocalsByBlocks, locals.saturating_mul(blocks))
}

/// How deep types may be nested: each level begins with these two bytes, "a type" and "of a
/// component" or "of an instance".
fn type_depth(section: &[u8]) -> u64 {
    let levels = section.windows(2).filter(|pair| matches!(pair, [1, 0x41 | 0x42])).count();
    levels as u64
}
