//! `host detector inspect`: what a module says of itself, and whether this host would load it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::parts;
use crate::detector::{CONTRACT, Engine, Limits, Module, inspect as look};
use crate::regular;

/// Prints what was found; fails if this host would not load the module.
pub(super) async fn inspect(path: &Path) -> anyhow::Result<ExitCode> {
    let bytes = regular::read(path, Limits::default().of_module())
        .with_context(|| format!("`{}` cannot be read", path.display()))?;
    let module = Module { name: path.display().to_string(), bytes: bytes.into() };
    let engine = Engine::new(Limits::default(), parts::cache_dir().as_deref())?;
    let found = look(&engine, &module).await;
    let list =
        |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join("\n           ") };
    println!("file       {} ({} KB)", path.display(), found.bytes.div_ceil(1000));
    println!("sha-256    {}", found.digest);
    println!("imports    {}", list(&found.imports));
    println!("exports    {}", list(&found.exports));
    match found.description {
        Ok(said) => {
            println!("detector   {} {}", said.name, said.version);
            println!(
                "state      {}",
                match said.checkpoint_schema {
                    0 => "none".to_owned(),
                    schema => format!("checkpoints of schema {schema}"),
                }
            );
            println!("lookback   {}", humantime::format_duration(said.lookback));
            println!("loadable   yes: it is built for {CONTRACT}, which this host serves");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("loadable   no: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
