//! The number of instances once every component is instantiated as often as the module says: a
//! component that instantiates another one twice, which instantiates another one twice, and so on,
//! has 2^n of them in n lines.
//!
//! Each component is counted once, when its end is read: what it instantiates itself, and what is
//! in those components, all of which come before it. Only an imported component could contain more
//! than what is counted; a component that instantiates such a one is refused.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Instance,
};

use super::caps::{CappedItem, Caps};

/// The contents of one instance of a component.
#[derive(Clone, Copy, Default)]
struct InstanceParts {
    instances: u64,
    items: u64,
}

/// A component while it is read.
#[derive(Default)]
struct ComponentFrame {
    made: InstanceParts,
    /// Its components by their index. None: one that is passed to it.
    components: Vec<Option<InstanceParts>>,
}

/// The components that are open while a module is read, and the core modules in them, which have an
/// end as well.
pub(super) struct Components(Vec<Option<ComponentFrame>>);

impl Default for Components {
    fn default() -> Self {
        Self(vec![Some(ComponentFrame::default())])
    }
}

impl Components {
    pub(super) fn enter(&mut self) {
        self.0.push(Some(ComponentFrame::default()));
    }

    pub(super) fn enter_module(&mut self) {
        self.0.push(None);
    }

    /// The end of a component or a core module.
    pub(super) fn leave(&mut self, caps: &Caps) -> Result<(), String> {
        if let Some(Some(ended)) = self.0.pop()
            && let Some(Some(outer)) = self.0.last_mut()
        {
            outer.components.push(Some(ended.made));
            return self.items(1, caps);
        }
        Ok(())
    }

    pub(super) fn depth(&self) -> u64 {
        self.0.len() as u64
    }

    /// Adds this many things that are neither instances nor components.
    pub(super) fn items(&mut self, more: u32, caps: &Caps) -> Result<(), String> {
        self.make(InstanceParts { instances: 0, items: more.into() }, caps)
    }

    /// A component that is not contained in the file.
    pub(super) fn unknown(&mut self) {
        self.add(None);
    }

    /// Adds the component of this index, this many levels outwards, once more.
    pub(super) fn again(&mut self, outwards: u32, index: u32) {
        let known = self.find(outwards, index);
        self.add(known);
    }

    pub(super) fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match *alias {
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => self.unknown(),
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                self.again(count, index);
            }
            _ => {}
        }
    }

    pub(super) fn instance(&mut self, instance: &ComponentInstance<'_>, caps: &Caps) -> Result<(), String> {
        let made = match instance {
            ComponentInstance::FromExports(exports) => {
                InstanceParts { instances: 1, items: exports.len() as u64 }
            }
            ComponentInstance::Instantiate { component_index, args } => {
                let Some(made) = self.find(0, *component_index) else {
                    return Err("it makes an instance of a component that it does not hold itself".into());
                };
                InstanceParts {
                    instances: made.instances.saturating_add(1),
                    items: made.items.saturating_add(args.len() as u64),
                }
            }
        };
        self.make(made, caps)
    }

    pub(super) fn core_instance(&mut self, instance: &Instance<'_>, caps: &Caps) -> Result<(), String> {
        let items = match instance {
            Instance::FromExports(exports) => exports.len(),
            Instance::Instantiate { args, .. } => args.len(),
        };
        self.make(InstanceParts { instances: 1, items: items as u64 }, caps)
    }

    fn make(&mut self, more: InstanceParts, caps: &Caps) -> Result<(), String> {
        let Some(Some(frame)) = self.0.last_mut() else { return Ok(()) };
        let made = &mut frame.made;
        made.instances = made.instances.saturating_add(more.instances);
        made.items = made.items.saturating_add(more.items);
        caps.check(CappedItem::Instances, made.instances)?;
        caps.check(CappedItem::Items, made.items)
    }

    fn find(&self, outwards: u32, index: u32) -> Option<InstanceParts> {
        let frame = self.0.iter().rev().flatten().nth(outwards as usize)?;
        frame.components.get(index as usize).copied().flatten()
    }

    fn add(&mut self, component: Option<InstanceParts>) {
        if let Some(Some(frame)) = self.0.last_mut() {
            frame.components.push(component);
        }
    }
}
