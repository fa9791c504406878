//! The state as parts, so that a batch stores what it changed.
//!
//! A *base* is all that is known of one variable. A *delta* holds what one batch took in of all
//! variables whose base was not written with it; opening replays it. A *group* is small and written
//! with each batch. Each is a version, its content (postcard), and a CRC-32 of both.

use rule::Group;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::subject::{Stored, Taken};

const VERSION: u8 = 2;
const CRC: usize = 4;

const BASE: &str = "base-";
const DELTA: &str = "delta-";
const GROUP: &str = "group-";

/// A named piece of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePart {
    pub name: String,
    /// None: it is needed no more.
    pub bytes: Option<Vec<u8>>,
}

/// All that is known of one variable, up to a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) variable: String,
    pub(super) checkpoint: u64,
    /// Readings that it has taken in.
    pub(super) taken: u64,
    pub(super) stored: Stored,
}

/// What was taken in since the checkpoint before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Delta {
    pub(super) checkpoint: u64,
    pub(super) variables: Vec<(String, Vec<Taken>)>,
}

/// All that is known of one group.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredGroup {
    pub(super) name: String,
    pub(super) group: Group,
}

/// What a part is, by its name.
pub(super) enum Kind {
    Base,
    Delta,
    Group,
}

pub(super) fn kind(name: &str) -> Option<Kind> {
    match name {
        _ if name.starts_with(BASE) => Some(Kind::Base),
        _ if name.starts_with(DELTA) => Some(Kind::Delta),
        _ if name.starts_with(GROUP) => Some(Kind::Group),
        _ => None,
    }
}

/// The name of a variable's base. Names of variables are any text; these are short, and the same
/// for one variable only.
pub(super) fn base_name(variable: &str) -> String {
    format!("{BASE}{:032x}", hash(variable))
}

pub(super) fn group_name(group: &str) -> String {
    format!("{GROUP}{:032x}", hash(group))
}

pub(super) fn delta_name(checkpoint: u64) -> String {
    format!("{DELTA}{checkpoint:016x}")
}

/// FNV-1a of 128 bits.
pub(super) fn hash(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

pub(super) fn encode(content: &impl Serialize) -> Vec<u8> {
    // Nothing in it can fail to be written; an empty part would be refused.
    let mut bytes = postcard::to_extend(content, vec![VERSION]).unwrap_or_default();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// The error is a clause that goes on from the part's name.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let damaged = || "is damaged".to_owned();
    let (content, crc) = bytes.split_last_chunk::<CRC>().ok_or_else(damaged)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
        return Err(damaged());
    }
    let (version, content) = content.split_first().ok_or_else(damaged)?;
    if *version != VERSION {
        return Err(format!("has version {version}; this detector goes on from version {VERSION}"));
    }
    match postcard::take_from_bytes(content) {
        Ok((content, [])) => Ok(content),
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_an_error() {
        let delta = Delta { checkpoint: 7, variables: vec![("T".into(), vec![])] };
        let bytes = encode(&delta);
        assert_eq!(decode::<Delta>(&bytes).map(|delta| delta.checkpoint), Ok(7));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(decode::<Delta>(&changed).err(), Some("is damaged".into()), "{at}");
            assert_eq!(decode::<Delta>(&bytes[..at]).err(), Some("is damaged".into()), "{at}");
        }
        let mut other = bytes;
        other[0] = 1;
        let end = other.len() - CRC;
        let crc = crc32fast::hash(&other[..end]);
        other[end..].copy_from_slice(&crc.to_le_bytes());
        let why = "has version 1; this detector goes on from version 2".to_owned();
        assert_eq!(decode::<Delta>(&other).err(), Some(why));
    }

    #[test]
    fn names_of_parts() {
        // The published test value of FNV-1a, 128 bits.
        assert_eq!(base_name("a"), "base-d228cb696f1a8caf78912b704e4a8964");
        assert_eq!(delta_name(255), "delta-00000000000000ff");
    }
}
