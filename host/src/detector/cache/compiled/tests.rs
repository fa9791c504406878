#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::detector::cache::trial;

fn key(module: u8) -> CacheKey {
    CacheKey::new(&[module; 32], "engine")
}

/// What a directory holds.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn code(cache: &Cache, key: &CacheKey) -> Option<Vec<u8>> {
    cache.code(key).map(|found| found.code)
}

#[test]
fn what_is_kept_is_found_under_its_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("cache")).unwrap();
    assert_eq!(code(&cache, &key(1)), None);
    for bytes in [&b"code"[..], b"", b"other"] {
        cache.keep(&key(1), bytes);
        assert_eq!(code(&cache, &key(1)).as_deref(), Some(bytes));
    }
    assert_eq!(names(&cache.compiled()), [key(1).file()], "no temporary file, no mark");
    for other in [key(2), CacheKey::new(&[1; 32], "another engine")] {
        assert_eq!(code(&cache, &other), None);
        fs::copy(cache.compiled().join(key(1).file()), cache.compiled().join(other.file())).unwrap();
        assert_eq!(code(&cache, &other), None, "not even if the file is in its place");
    }
}

/// Every prefix, every changed bit, a byte more.
#[test]
fn a_damaged_entry_is_removed_and_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    cache.keep(&key(1), b"code");
    let path = cache.compiled().join(key(1).file());
    let whole = fs::read(&path).unwrap();
    let bits = (0..8 * whole.len()).map(|bit| {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
    let prefixes = (0..whole.len()).map(|length| whole[..length].to_vec());
    for damaged in bits.chain(prefixes).chain([[&whole[..], b"\0"].concat()]) {
        fs::write(&path, &damaged).unwrap();
        assert_eq!(code(&cache, &key(1)), None);
        assert_eq!(names(&cache.compiled()), [""; 0], "made anew next time");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(code(&cache, &key(1)).as_deref(), Some(&b"code"[..]));
}

#[test]
fn an_entry_whose_first_use_ended_the_process_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    cache.keep(&key(1), b"code");
    let found = cache.code(&key(1)).unwrap();
    assert!(found.trial.is_some());
    let other = cache.code(&key(1)).unwrap();
    assert!(other.trial.is_none(), "another worker takes it while the first is at it");
    drop(found);
    assert!(cache.code(&key(1)).unwrap().trial.is_some(), "it has run: nothing is left of the trial");

    let path = cache.compiled().join(key(1).file());
    // The mark of a process that ended during its trial.
    fs::write(trial::mark(&path), "tried\n").unwrap();
    assert!(cache.code(&key(1)).is_none());
    assert_eq!(names(&cache.compiled()), [""; 0]);
    cache.keep(&key(1), b"code");
    assert_eq!(code(&cache, &key(1)).as_deref(), Some(&b"code"[..]), "and that is it");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let at = |seconds| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    for module in 0..40 {
        cache.keep(&key(module), b"code");
        let path = cache.compiled().join(key(module).file());
        fs::File::options().write(true).open(path).unwrap().set_modified(at(module.into())).unwrap();
        // The first one is in use.
        assert!(code(&cache, &key(0)).is_some(), "after {module}");
    }
    assert_eq!(names(&cache.compiled()).len(), MOST_ENTRIES);
    assert_eq!(code(&cache, &key(1)), None);
}

#[cfg(unix)]
#[test]
fn what_others_can_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("cache");
    let cache = Cache::open(&directory).unwrap();
    cache.keep(&key(1), b"code");
    let path = cache.compiled().join(key(1).file());
    for made in [&directory, &cache.compiled(), &path] {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o077, 0, "{}", made.display());
    }
    for (what, wide, private) in
        [(&directory, 0o777, 0o700), (&cache.compiled(), 0o770, 0o700), (&path, 0o602, 0o600)]
    {
        mode(what, wide);
        let used = Cache::open(&directory).and_then(|cache| code(&cache, &key(1)));
        assert_eq!(used, None, "{} with mode {wide:o}", what.display());
        mode(what, private);
    }
    assert_eq!(code(&cache, &key(1)).as_deref(), Some(&b"code"[..]));
    let link = cache.compiled().join(key(2).file());
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(code(&cache, &key(2)), None, "a link");
}
