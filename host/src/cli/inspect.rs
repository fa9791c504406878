//! `host detector inspect`: what a module says of itself, and whether this host would load it.

use std::path::Path;
use std::process::ExitCode;

use super::say::say;
use super::{detector_files, wiring};
use crate::detector::{CONTRACT, Limits, inspect as look};

/// Prints what was found; fails if this host would not load the module.
pub(super) async fn inspect(path: &Path) -> anyhow::Result<ExitCode> {
    let module = detector_files::module(Some(path), &Limits::default())?;
    let engine = wiring::plain_engine(Limits::default())?;
    let found = look(&engine, &module).await;
    let list = |what: &str, names: &[String]| {
        say!("{what:<10} {}", names.first().map_or("nothing", String::as_str));
        names.iter().skip(1).for_each(|name| say!("{:<10} {name}", ""));
    };
    say!("file       {} ({} KB)", path.display(), found.bytes.div_ceil(1000));
    say!("sha-256    {}", found.digest);
    list("imports", &found.imports);
    list("exports", &found.exports);
    match found.description {
        Ok(said) => {
            say!("detector   {} {}", said.name, said.version);
            say!(
                "state      {}",
                match said.checkpoint_schema {
                    0 => "none".to_owned(),
                    schema => format!("checkpoints of schema {schema}"),
                }
            );
            say!("trains     {}", if found.trains { "yes: it makes models" } else { "no" });
            say!("loadable   yes: it is built for {CONTRACT}, which this host serves");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say!("loadable   no: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
