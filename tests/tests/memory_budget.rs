//! `memory_mib` is one budget: what the host holds of a detector is no longer there for the
//! detector itself. Each test finds the least memory with which something still works, with and
//! without what the host holds. What the detector needs besides is in both.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::batch::{Batch, Column};
use host::checkpoint::{Checkpoint, Parts};
use host::datetime::Datetime;
use host::detector::{Detector, Engine, Limits, Set};
use host::reload::SetSource;
use tests::HOSTILE;
use tests::fixture::{counting, hostile};
use tests::logs::Lines;

const MIB: usize = 1 << 20;

/// What is compiled once for all engines.
fn engine(cache: &Path, mebibytes: usize) -> Engine {
    let limits = Limits {
        memory: mebibytes * MIB,
        checkpoint: 32 * MIB,
        deadline: Duration::from_secs(60),
        ..Limits::default()
    };
    Engine::new(limits, Some(cache)).unwrap()
}

/// The least memory with which it works, in MiB.
async fn least(works: impl AsyncFn(usize) -> bool) -> usize {
    let (mut too_little, mut enough) = (1, 256);
    assert!(works(enough).await);
    while enough - too_little > 1 {
        let middle = (too_little + enough) / 2;
        *(if works(middle).await { &mut enough } else { &mut too_little }) = middle;
    }
    enough
}

/// The hostile detector, and models that it compacts. It returns a long one without its first word.
fn source(dir: &Path, models: usize, length: usize) -> SetSource {
    fs::create_dir(dir.join("models")).unwrap();
    fs::write(dir.join("detector.wasm"), HOSTILE).unwrap();
    for model in 0..models {
        fs::write(dir.join(format!("models/T{model}")), format!("compact {}", "x".repeat(length))).unwrap();
    }
    SetSource {
        module: Some(dir.join("detector.wasm")),
        models: dir.join("models"),
        settings: "{}".into(),
        own: Vec::new(),
    }
}

#[tokio::test]
async fn forms_that_a_detector_made_of_its_files_count() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let made = source(dir.path(), 2, 8 * MIB).read(&engine(&cache, 256)).await.unwrap();
    assert_eq!(made.files.iter().map(|file| file.bytes.len()).collect::<Vec<_>>(), [8 * MIB; 2]);
    // The same bytes, given by the user.
    let own = Set::new(made.module.clone(), made.files.clone(), "models".into(), "{}".into());
    let opens = |set: &Set| {
        let (set, cache) = (Arc::new(set.clone()), cache.clone());
        async move |memory| Detector::open(&engine(&cache, memory), Arc::clone(&set), None).await.is_ok()
    };
    let (own, made) = (least(opens(&own)).await, least(opens(&made)).await);
    assert!((15..=17).contains(&(made - own)), "{own} MiB, and {made} with 16 that the host holds");
}

#[tokio::test]
async fn no_more_is_made_of_files_than_a_detector_could_be_opened_with() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let source = source(dir.path(), 9, 4 * MIB);
    let refused = source.read(&engine(&cache, 32)).await.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        refused,
        format!(
            "what the detector makes of the files in `{}` takes more than the 32 MiB that it has for everything \
             (`memory_mib` of `[detector]`)",
            source.models.display()
        )
    );
    assert!(source.read(&engine(&cache, 64)).await.is_ok());
}

/// A checkpoint that is kept from the call before reduces what the next call may have.
#[tokio::test]
async fn a_checkpoint_that_is_kept_counts() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let column = Column { variable: "T1".into(), values: vec![1.0] };
    let batch = Arc::new(Batch { datetimes: vec![Datetime::from_micros(0)], columns: vec![column] });
    let kept = |times: usize| {
        let (cache, batch) = (cache.clone(), Arc::clone(&batch));
        async move |memory| {
            let set = hostile(r#"{"do": "checkpoint-three"}"#, &["*"]);
            let Ok(mut detector) = Detector::open(&engine(&cache, memory), set, None).await else {
                return false;
            };
            for _ in 0..times {
                let judged = detector.judge(Arc::clone(&batch)).await;
                if !judged.is_ok_and(|judged| judged.checkpoint.is_some()) {
                    return false;
                }
            }
            true
        }
    };
    // The second time the detector's own memory has grown by the 21 MiB of its checkpoint, and the
    // host holds them as well.
    let (once, twice) = (least(kept(1)).await, least(kept(2)).await);
    assert!(twice - once > 35, "{once} MiB for one, {twice} for the next");
}

#[tokio::test]
async fn a_checkpoint_without_room_for_it_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, _guard) = Lines::listen();
    let parts: Parts =
        ["a", "b"].map(|name| (name.into(), vec![0; 65 * MIB / 2].into())).into_iter().collect();
    let stored = Checkpoint { parts, ..counting(7, &[]) };
    let engine = engine(&dir.path().join("cache"), 64);
    let detector = Detector::open(&engine, hostile("{}", &["*"]), Some(stored)).await.unwrap();
    assert!(!detector.has_checkpoint());
    let warnings: Vec<_> = lines.take().into_iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(
        warnings,
        [
            "WARN the detector starts without the checkpoint that is stored: the detector cannot read its checkpoint: it has \
          68157698 bytes, and `memory_mib` of `[detector]` leaves no room for it"
        ]
    );
}

/// For a model that is named the host keeps more than its name.
#[tokio::test]
async fn what_a_detector_says_of_its_models_counts() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let open = async |memory| {
        let set = hostile(r#"{"do": "summary-many"}"#, &["*"]);
        Detector::open(&engine(&cache, memory), set, None)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(open(256).await, Ok(()));
    let mut refused = Vec::new();
    for memory in (44..100).step_by(4) {
        refused.extend(open(memory).await.err());
    }
    let for_that = |why: &String| why.contains("what it says of its models takes 19200000 bytes");
    assert!(refused.iter().any(for_that), "{refused:#?}");
}
