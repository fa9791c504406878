//! The compact form of a model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{cases, fixtures, model_json};
use prophet::Model;
use proptest::prelude::*;

#[test]
fn every_model_is_the_same_in_few_bytes() {
    for case in cases(&fixtures()) {
        let json = std::fs::read(case.join("model.json")).unwrap();
        let compact = Model::compact(&json).unwrap();
        assert_eq!(
            Model::from_bytes(&compact, None).unwrap(),
            Model::from_json(&json).unwrap(),
            "{}",
            case.display()
        );
        assert_eq!(Model::compact(&compact).unwrap(), compact);
        assert!(
            compact.len() * 3 < json.len() * 2,
            "{}: {} of {}",
            case.display(),
            compact.len(),
            json.len()
        );
    }
}

/// Every prefix, and every change of a byte.
#[test]
fn no_part_of_a_file_is_a_model() {
    let compact = Model::compact(&model_json("flat")).unwrap();
    for length in 0..compact.len() {
        assert!(Model::from_bytes(&compact[..length], None).is_err(), "{length} bytes");
    }
    for place in 0..compact.len() {
        let mut changed = compact.clone();
        changed[place] ^= 0x10;
        assert!(Model::from_bytes(&changed, None).is_err(), "byte {place}");
    }
    let longer = [compact.as_slice(), b"\0"].concat();
    assert!(Model::from_bytes(&longer, None).is_err());
}

#[test]
fn a_foreign_file_says_what_it_is() {
    let compact = Model::compact(&model_json("flat")).unwrap();
    let mut later = compact.clone();
    later[7] = 9;
    for (bytes, expected) in [
        (later.as_slice(), "is no compact model that can be read: it is of version 9, this library reads 1"),
        (&compact[..compact.len() - 1], "is no compact model that can be read: it is cut short or damaged"),
        (b"PROPHE", "is not what Prophet's `model_to_json` writes: expected value at line 1 column 1"),
    ] {
        assert_eq!(Model::from_bytes(bytes, None).unwrap_err().to_string(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Even with a right checksum nothing but a sound model comes out.
    #[test]
    fn a_forged_file_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut compact = Model::compact(&model_json("holidays_windows")).unwrap();
        let body = 12;
        for (at, byte) in edits {
            let at = body + at.index(compact.len() - body);
            compact[at] = byte;
        }
        let checksum = crc32fast::hash(&compact[body..]);
        compact[8..body].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(model) = Model::from_bytes(&compact, None) {
            prop_assert_eq!(model.predict(&[0, i64::MIN, i64::MAX]).yhat().len(), 3);
        }
    }
}
