//! Where workers of the same name, with another number of shares, have stopped.
//!
//! When the number of shares changes, each new worker starts without a row of its own. The output's
//! newest verdict does not show whether a share is behind, and its backlog would be lost. The rows
//! of the last division show it.

use std::time::Duration;

use super::WorkerSettings;
use crate::datetime::Datetime;
use crate::shard::Shard;
use crate::state::State;
use crate::store::{StoreError, VerdictReader};

/// The oldest datetime that a worker of the last other division had still to judge; None if there
/// was none.
pub(super) async fn left_off(
    settings: &WorkerSettings,
    lateness: Duration,
    output: &mut dyn VerdictReader,
) -> Result<Option<Datetime>, StoreError> {
    let base = base(&settings.name, settings.shard);
    let own = settings.shard.map_or(1, Shard::of);
    let mut found: Vec<(u64, State)> = Vec::new();
    for name in output.workers().await? {
        if name != settings.name
            && let Some(shares) = shares(&name, base)
            // Another share of the same division does not concern this one.
            && shares != own
            && let Some(outline) = output.outline(&name).await?
        {
            found.push((shares, outline.state));
        }
    }
    // Rows of earlier divisions stay in the table for ever.
    let last = found.iter().max_by_key(|(_, state)| state.updated_at).map(|(shares, _)| *shares);
    let of_last = found.iter().filter(|(shares, _)| Some(*shares) == last);
    Ok(of_last.map(|(_, state)| until(state, lateness)).min())
}

/// A worker in this state has nothing to judge before this datetime.
fn until(state: &State, lateness: Duration) -> Datetime {
    let since = state.position.since();
    state.watermark.map_or(since, |watermark| watermark.earlier(lateness).max(since))
}

fn base(name: &str, shard: Option<Shard>) -> &str {
    let suffix = shard.map(|shard| format!(" {shard}"));
    suffix.and_then(|suffix| name.strip_suffix(&suffix)).unwrap_or(name)
}

/// The number of shares of a worker of this base name, by its full name; None for another base
/// name.
fn shares(name: &str, base: &str) -> Option<u64> {
    match name.strip_prefix(base)? {
        "" => Some(1),
        rest => rest.strip_prefix(' ')?.parse().ok().map(Shard::of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_division_is_told_by_its_names() {
        for (name, base, found) in [
            ("default", "default", Some(1)),
            ("default 2/3", "default", Some(3)),
            ("default 2/3 1/2", "default", None),
            ("default2 2/3", "default", None),
            ("other", "default", None),
            ("default 4/3", "default", None),
        ] {
            assert_eq!(shares(name, base), found, "{name}");
        }
        assert_eq!(base("default 2/3", "2/3".parse().ok()), "default");
        assert_eq!(base("default 2/3", None), "default 2/3");
    }
}
