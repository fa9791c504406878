//! Writes what the fuzzer starts from, `corpus/<target>/`: the fixtures, and the small files of
//! each target.

use std::error::Error;
use std::fs;
use std::path::Path;

use prophet::Model;

#[path = "../../host/tests/compiling/bombs.rs"]
mod bombs;

/// A longer seed is nothing that a fuzzer gets through.
const LONG: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let corpus = here.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        fs::write(corpus.join(name), bytes)
    };
    for case in fs::read_dir(here.join("../detector-guest/prophet/tests/fixtures"))? {
        let case = case?;
        let (name, json) = (case.file_name(), fs::read(case.path().join("model.json"))?);
        let name = name.to_string_lossy();
        write("json", &name, &json)?;
        let compact = Model::compact(&json)?;
        write("compact", &name, &compact[fuzz::HEADER..])?;
    }
    for (target, _, texts) in fuzz::SMALL {
        for (number, text) in texts.iter().enumerate() {
            write(target, &number.to_string(), text.as_bytes())?;
        }
    }
    for (number, series) in fuzz::SERIES.iter().enumerate() {
        write("training", &number.to_string(), series.as_bytes())?;
    }
    for bomb in bombs::BOMBS {
        let module = (bomb.make)();
        let name = bomb.name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        if module.len() <= LONG {
            write("module", &name, &module)?;
            // What is refused by its numbers is no matter of the child's.
            if bomb.refused.is_none() {
                write("child", &name, &module)?;
            }
        }
    }
    for (name, text) in COMPONENTS {
        for target in ["module", "child"] {
            write(target, name, &wat::parse_str(text)?)?;
        }
    }
    Ok(())
}

/// Small ones of what components consist of.
const COMPONENTS: [(&str, &str); 4] = [
    ("nothing", "(component)"),
    (
        "a detector in name",
        r#"(component (instance $i) (export "anomaly-worker:detector/judging@0.1.0" (instance $i)))"#,
    ),
    (
        "code",
        "(component (core module $m (memory 1) (table 2 funcref) (global i32 (i32.const 0)) \
         (func $f (param i32) (result i32) (local i64) (loop (br_if 0 (local.get 0))) (i32.const 1)) \
         (elem (i32.const 0) func $f) (data (i32.const 0) \"data\") (export \"f\" (func $f))) \
         (core instance $n (instantiate $m)) (func (param \"x\" u32) (result u32) (canon lift (core func $n \"f\"))))",
    ),
    (
        "components in components",
        "(component (component $a (core module $m) (core instance (instantiate $m))) \
         (component $b (alias outer 1 $a (component $c)) (instance (instantiate $c)) (instance (instantiate $c))) \
         (instance (instantiate $b)))",
    ),
];
