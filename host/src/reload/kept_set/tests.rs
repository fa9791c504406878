#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::detector::{ModelFile, Module};

const MOST: u64 = 1 << 20;

fn source(models: &Path) -> SetSource {
    SetSource { module: None, models: models.to_owned(), settings: "{}".into(), own: Vec::new() }
}

fn set(settings: &str) -> Set {
    let module = Module { name: "m.wasm".into(), bytes: b"wasm"[..].into() };
    let file = |path: &str, bytes: &[u8]| ModelFile { path: path.into(), bytes: bytes.into() };
    Set::new(module, vec![file("a", b"1"), file("ñ", b"")], "models".into(), settings.into())
}

/// Its digest, the digest under which it was kept, and its files.
type Kept = (String, String, Vec<Vec<u8>>);

fn read(kept: &KeptFile, settings: &str) -> io::Result<Option<Kept>> {
    let kept = kept.read("models".into(), settings.into(), MOST)?;
    Ok(kept.map(|kept| {
        let files = kept.set.files.iter().map(|file| file.bytes.clone()).collect();
        (kept.set.digest, kept.digest, files)
    }))
}

#[test]
fn what_is_kept_is_read_for_its_worker_and_its_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (models, other) = (dir.path().join("models"), dir.path().join("other"));
    let kept = KeptFile::new(dir.path(), "default", &source(&models));
    assert_eq!(read(&kept, "{}").unwrap(), None, "nothing is kept yet");
    let (first, second) = (set("{}"), set(r#"{"threshold":3}"#));
    let files = vec![b"1".to_vec(), Vec::new()];
    for set in [&first, &second, &first] {
        kept.write(set).unwrap();
        assert!(kept.holds(&set.digest).unwrap());
        let expected = (set.digest.clone(), set.digest.clone(), files.clone());
        assert_eq!(read(&kept, &set.settings).unwrap(), Some(expected));
    }
    assert!(!kept.holds(&second.digest).unwrap());
    // The settings are the configuration's.
    let expected = (second.digest.clone(), first.digest.clone(), files);
    assert_eq!(read(&kept, &second.settings).unwrap(), Some(expected));
    assert_eq!(fs::read_dir(kept.directory()).unwrap().count(), 1, "no temporary file is left");

    let module = SetSource { module: Some(models.clone()), ..source(&models) };
    for other in [
        KeptFile::new(dir.path(), "default 1/2", &source(&models)),
        KeptFile::new(dir.path(), "default", &source(&other)),
        KeptFile::new(dir.path(), "default", &module),
    ] {
        assert_eq!(read(&other, "{}").unwrap(), None, "another worker, directory or module");
        fs::copy(kept.path(), other.path()).unwrap();
        assert_eq!(read(&other, "{}").unwrap_err().to_string(), "it is damaged", "in its place");
    }
}

/// Every prefix and every changed bit.
#[test]
fn no_part_of_a_kept_set_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let kept = KeptFile::new(dir.path(), "default", &source(dir.path()));
    let set = set("{}");
    kept.write(&set).unwrap();
    let bytes = fs::read(kept.path()).unwrap();
    let damaged = |bytes: &[u8], what: &str| {
        fs::write(kept.path(), bytes).unwrap();
        assert_eq!(read(&kept, "{}").unwrap_err().to_string(), "it is damaged", "{what}");
        assert!(!kept.holds(&set.digest).unwrap(), "{what}");
    };
    for length in 0..bytes.len() {
        damaged(&bytes[..length], &format!("{length} bytes"));
    }
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        damaged(&changed, &format!("bit {bit}"));
    }
    damaged(&[&bytes[..], b"\0"].concat(), "a byte more");
    // A damaged one is written anew.
    kept.write(&set).unwrap();
    assert!(kept.holds(&set.digest).unwrap());
}

#[cfg(unix)]
#[test]
fn nobody_else_can_write_a_kept_set() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let kept = KeptFile::new(dir.path(), "default", &source(dir.path()));
    kept.write(&set("{}")).unwrap();
    for path in [kept.directory(), kept.path()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    fs::set_permissions(kept.path(), PermissionsExt::from_mode(0o666)).unwrap();
    let error = read(&kept, "{}").unwrap_err();
    assert!(error.to_string().contains("others can write it"), "{error}");
}

/// Sets of workers that no longer exist do not pile up, and other files stay.
#[test]
fn so_many_sets_are_kept_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let of = |worker: usize| KeptFile::new(dir.path(), &worker.to_string(), &source(dir.path()));
    let set = set("{}");
    let old = SystemTime::now() - 2 * STALE;
    let write = |path: &Path, modified: SystemTime| {
        fs::write(path, "x").unwrap();
        File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    };
    of(0).write(&set).unwrap();
    let (stale, young) = (of(0).directory().join(".tmpStale"), of(0).directory().join(".tmpYoung"));
    let foreign = of(0).directory().join("prophet_model_T1.json");
    write(&stale, old);
    write(&foreign, old);
    write(&young, SystemTime::now());
    for worker in 1..=MOST_SETS {
        of(worker).write(&set).unwrap();
        let file = File::options().write(true).open(of(worker).path()).unwrap();
        file.set_modified(old + Duration::from_secs(worker as u64)).unwrap();
        // In use: found whole at each start.
        assert!(of(0).holds(&set.digest).unwrap());
    }
    of(MOST_SETS + 1).write(&set).unwrap();
    let there = (0..=MOST_SETS + 1).filter(|worker| of(*worker).path().exists()).collect::<Vec<_>>();
    let expected: Vec<_> = std::iter::once(0).chain(3..=MOST_SETS + 1).collect();
    assert_eq!(there, expected);
    assert!(!stale.exists() && young.exists() && foreign.exists());
}
