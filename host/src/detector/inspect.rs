//! A module's description of itself, and whether this host would load it: the text of `host
//! detector inspect`, and the reasons in every refusal.
//!
//! No code of the module runs during the inspection; only its description is asked for at the end,
//! in a sandbox.

use wasmtime::component::Component;

use super::CONTRACT;
use super::bindings::DetectorPre;
use super::description::Description;
use super::engine::Engine;
use super::error::DetectorError;
use super::guest_text;
use super::instance::Instance;
use super::sandbox::Sandbox;
use super::set::{Module, hex};

/// The most imports and exports that are named. A component from JavaScript or Python has about
/// twenty.
const MOST_NAMES: usize = 50;

/// What was found in a module.
pub struct Inspection {
    pub bytes: usize,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// Interfaces with their versions; empty if the file is no component.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Whether it makes models too.
    pub trains: bool,
    /// The module's description, or why this host would not load it.
    pub description: Result<Description, DetectorError>,
}

/// Inspects a module.
pub async fn inspect(engine: &Engine, module: &Module) -> Inspection {
    use sha2::Digest;
    let mut inspection = Inspection {
        bytes: module.bytes.len(),
        digest: hex(&sha2::Sha256::digest(&module.bytes)),
        imports: Vec::new(),
        exports: Vec::new(),
        trains: false,
        description: Err(DetectorError::Engine("not looked at".into())),
    };
    inspection.description = match component(engine, module).await {
        Err(error) => Err(error),
        Ok(component) => {
            let shape = component.component_type();
            inspection.imports = names(shape.imports(engine.wasm()).map(|(name, _)| name));
            inspection.exports = names(shape.exports(engine.wasm()).map(|(name, _)| name));
            match linked(engine, module, &component) {
                Err(error) => Err(error),
                Ok(pre) => {
                    inspection.trains = trains(engine, &pre);
                    Instance::describe(engine, &pre, module).await
                }
            }
        }
    };
    inspection
}

/// Compiles a module, or takes it from the cache, and links it. Dropping the future ends it.
pub(super) async fn compiled(
    engine: &Engine,
    module: &Module,
) -> Result<DetectorPre<Sandbox>, DetectorError> {
    is_component(module)?;
    engine.compiled(module, |component| linked(engine, module, component)).await
}

async fn component(engine: &Engine, module: &Module) -> Result<Component, DetectorError> {
    is_component(module)?;
    engine.component(module).await
}

/// Whether a module exports the contract's `training` as well.
pub(super) fn trains(engine: &Engine, pre: &DetectorPre<Sandbox>) -> bool {
    let (package, version) = CONTRACT.split_once('@').unwrap_or((CONTRACT, ""));
    let ours = format!("{package}/training@{version}");
    let shape = pre.instance_pre().component().component_type();
    shape.exports(engine.wasm()).any(|(name, _)| name == ours)
}

/// By its first bytes.
fn is_component(module: &Module) -> Result<(), DetectorError> {
    let refused = |why: String| DetectorError::Module { module: module.name.clone(), why };
    match module.bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some([b'\0', b'a', b's', b'm', 1, ..]) => Err(refused(
            "it is a core WebAssembly module, not a component; build it for wasm32-wasip2".into(),
        )),
        _ => Err(refused("it is not a WebAssembly component".into())),
    }
}

fn linked(
    engine: &Engine,
    module: &Module,
    component: &Component,
) -> Result<DetectorPre<Sandbox>, DetectorError> {
    let refused =
        |why: String| DetectorError::Module { module: module.name.clone(), why: guest_text::line(&why) };
    let shape = component.component_type();
    let exports: Vec<_> = shape.exports(engine.wasm()).map(|(name, _)| name.to_owned()).collect();
    let imports: Vec<_> = shape.imports(engine.wasm()).map(|(name, _)| name.to_owned()).collect();
    if let Some(why) = mismatch(&exports, &imports) {
        return Err(refused(why));
    }
    let pre = engine
        .linker()
        .instantiate_pre(component)
        .map_err(|error| refused(format!("it imports something that no detector gets: {error:#}")))?;
    DetectorPre::new(pre)
        .map_err(|error| refused(format!("its exports are not those of `{CONTRACT}`: {error:#}")))
}

/// Why the names alone show that this module cannot be used.
fn mismatch(exports: &[String], imports: &[String]) -> Option<String> {
    let (package, version) = CONTRACT.split_once('@').unwrap_or((CONTRACT, ""));
    let judging = format!("{package}/judging@");
    let ours = format!("{judging}{version}");
    let foreign: Vec<_> = imports
        .iter()
        .filter(|name| name.starts_with(package) && !name.ends_with(&format!("@{version}")))
        .chain(exports.iter().filter(|name| name.starts_with(&judging) && **name != ours))
        .map(|name| name.rsplit_once('@').map_or("no version", |(_, version)| version))
        .collect();
    if let Some(found) = foreign.first() {
        return Some(format!(
            "it is built for version {} of the contract and this host serves {version}; \
             rebuild it with this host's wit/detector.wit, or use the host that it was built for",
            guest_text::short(found)
        ));
    }
    if exports.contains(&ours) {
        return None;
    }
    let found = names(exports.iter().map(String::as_str)).join("`, `");
    let found = if exports.is_empty() { "nothing".to_owned() } else { format!("`{found}`") };
    Some(format!("it is a component of another world: it exports {found}, and a detector exports `{ours}`"))
}

/// Names of imports or exports, of which a file may hold any number.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all = all;
    let mut shown: Vec<_> = all.by_ref().take(MOST_NAMES).map(guest_text::name).collect();
    match all.count() {
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    shown
}
