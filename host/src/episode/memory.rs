//! What is remembered of all variables, as a commit stores it: in parts, of which a commit writes
//! those whose variables had readings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::track::Track;
use crate::checkpoint::Parts;

/// The number of parts. With 10,000 variables each has about 150.
const PARTS: u32 = 64;

/// The part of a variable. A detector cannot give a part such a name.
fn part_of(variable: &str) -> String {
    // FNV-1a: the same with every compiler.
    let hash = variable
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("episodes:{:02}", (hash ^ hash >> 16) % PARTS)
}

/// The tracks that are stored. A part that cannot be read is ignored: its variables are learnt
/// anew.
pub(super) fn read(parts: &Parts) -> BTreeMap<Arc<str>, Track> {
    let mut tracks = BTreeMap::new();
    for (name, bytes) in parts.iter() {
        match serde_json::from_slice::<BTreeMap<String, Track>>(bytes) {
            Ok(part) => tracks.extend(part.into_iter().map(|(name, track)| (Arc::from(name), track))),
            Err(error) => tracing::warn!(
                "what was remembered for episodes in `{name}` cannot be read ({error}): it is learnt anew"
            ),
        }
    }
    tracks
}

/// The parts after some variables have changed; `track` gives each variable's track as it is now.
pub(super) fn write<'a>(
    before: &Parts,
    changed: &BTreeSet<Arc<str>>,
    all: impl Iterator<Item = (&'a Arc<str>, &'a Track)>,
) -> Parts {
    let touched: BTreeSet<String> = changed.iter().map(|variable| part_of(variable)).collect();
    let mut parts: BTreeMap<String, BTreeMap<&str, &Track>> = BTreeMap::new();
    for (variable, track) in all {
        let part = part_of(variable);
        if touched.contains(&part) {
            parts.entry(part).or_default().insert(variable, track);
        }
    }
    let changes = parts.into_iter().map(|(name, part)| {
        // Text keys and numbers: it always is JSON.
        let bytes = serde_json::to_vec(&part).unwrap_or_default();
        (Arc::from(name), Some(bytes.into()))
    });
    before.clone().after(changes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::Datetime;
    use crate::episode::point::Point;
    use crate::episode::settings::VariableSettings;

    #[test]
    fn what_is_remembered_comes_back_and_only_what_changed_is_written() {
        let names: Vec<Arc<str>> = (0..500).map(|n| format!("T-{n} °").into()).collect();
        let mut tracks = BTreeMap::new();
        for (n, name) in names.iter().enumerate() {
            let point = Point {
                ds: Datetime::from_micros(1_736_935_200_000_001),
                y: 0.1 * n as f64,
                yhat: 0.3,
                score: 33.33,
                anomaly: n % 3 == 0,
                cause: None,
            };
            let mut track = Track::begin(&point);
            track.step(name, &point, &VariableSettings::default(), std::time::Duration::ZERO);
            tracks.insert(Arc::clone(name), track);
        }
        let all: BTreeSet<_> = names.iter().cloned().collect();
        let parts = write(&Parts::default(), &all, tracks.iter());
        assert_eq!(read(&parts), tracks);
        assert_eq!(parts.size().parts, u64::from(PARTS));

        let one = BTreeSet::from([Arc::clone(&names[7])]);
        if let Some(track) = tracks.get_mut(&names[7]) {
            track.heard = track.heard.later(std::time::Duration::from_secs(1));
        }
        let next = write(&parts, &one, tracks.iter());
        assert_eq!((next.since(&parts).len(), read(&next)), (1, tracks));

        let broken = Parts::from_iter([(Arc::from("episodes:00"), Arc::from(b"no".as_slice()))]);
        assert_eq!(read(&broken), BTreeMap::new());
    }
}
