//! Builds the detectors of the tests for wasm32-wasip2, the way the host's build script builds the
//! real one: the hostile one, and the example that a stranger starts from.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    for watched in ["hostile", "../examples/detector-threshold", "../wit"] {
        println!("cargo::rerun-if-changed={}", here.join(watched).display());
    }
    let target = PathBuf::from(env::var("OUT_DIR")?).join("hostile");
    let built = Command::new(env::var("CARGO")?)
        .current_dir(here.join(".."))
        .args(["build", "--quiet", "--release", "--package", "hostile", "--package", "detector-threshold"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_TARGET")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .status()?;
    if !built.success() {
        return Err("the detectors of the tests do not build for wasm32-wasip2".into());
    }
    let built = target.join("wasm32-wasip2/release");
    println!("cargo::rustc-env=HOSTILE_DETECTOR={}", built.join("hostile.wasm").display());
    println!("cargo::rustc-env=EXAMPLE_DETECTOR={}", built.join("detector_threshold.wasm").display());
    Ok(())
}
