//! Builds the detector that is part of this program: `detector-guest`, for wasm32-wasip2, in a
//! target directory of its own and without the flags of the outer build, so that plain `cargo
//! build` and `cargo test` are all anybody types.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for watched in [
        "detector-guest/src",
        "detector-guest/prophet/src",
        "detector-guest/rule/src",
        "detector-guest/Cargo.toml",
        "wit",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(watched).display());
    }
    let target = PathBuf::from(env::var("OUT_DIR")?).join("guest");
    let built = Command::new(env::var("CARGO")?)
        .current_dir(&workspace)
        .args(["build", "--quiet", "--release", "--package", "detector-guest", "--lib"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_TARGET")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        // Names stay, so that a trap says in which function it happened.
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .status()?;
    if !built.success() {
        return Err("detector-guest does not build for wasm32-wasip2; \
                    if the target is missing, run `rustup toolchain install --no-self-update` in the project"
            .into());
    }
    let component = target.join("wasm32-wasip2/release/detector_guest.wasm");
    println!("cargo::rustc-env=BUILT_IN_DETECTOR={}", component.display());
    Ok(())
}
