use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::detector::BUILT_IN;

/// Whether the compiler accepts these bytes is not tested here; counting them ends, with or without
/// an error.
fn counted(bytes: &[u8]) {
    if let Err(why) = count::count(bytes, Caps::default()) {
        assert!(why.starts_with("it "), "{why}");
    }
}

#[test]
fn the_built_in_detector_is_within_the_numbers() {
    assert_eq!(count::count(BUILT_IN, Caps::default()), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_can_be_counted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        counted(&bytes);
        counted(&[&b"\0asm\x0d\0\x01\0"[..], &bytes].concat());
    }

    #[test]
    fn damaged_detectors_can_be_counted(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        length in any::<Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = BUILT_IN.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(length.index(BUILT_IN.len()));
        }
        counted(&bytes);
    }
}
