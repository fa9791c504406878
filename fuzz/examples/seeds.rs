//! Writes what the fuzzer starts from, `corpus/<target>/`: the fixtures, and the small files of each target.

use std::error::Error;
use std::fs;
use std::path::Path;

use prophet::Model;

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
    Ok(())
}
