//! A variable as bytes: a version, the state (postcard), and a CRC-32 of both.

use crate::settings::RuleSettings;
use crate::variable::Variable;

/// Of the form of the bytes and of what they mean: a state is not gone on from by a rule that would
/// have learnt another one.
const VERSION: u8 = 3;

const CRC: usize = 4;

/// Why a variable cannot go on from bytes: it starts anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("the state of the rule has version {0}; this one goes on from version {VERSION}")]
    Version(u8),
    #[error("the state of the rule is damaged")]
    Damaged,
    #[error("the state of the rule was learnt with a warm-up of {found} readings, not of {wanted}")]
    WarmUp { found: u32, wanted: u32 },
}

impl Variable {
    /// Everything that is known of the variable.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Nothing in the state can fail to be written; an empty state would be refused.
        let mut bytes = postcard::to_extend(self, vec![VERSION]).unwrap_or_default();
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Goes on from [`Self::to_bytes`], under these settings: see [`Self::under`].
    pub fn from_bytes(bytes: &[u8], settings: RuleSettings) -> Result<Self, CheckpointError> {
        Self::restore(bytes)?.under(settings)
    }

    /// Goes on from [`Self::to_bytes`], under the settings that it had.
    pub fn restore(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (state, crc) = bytes.split_last_chunk::<CRC>().ok_or(CheckpointError::Damaged)?;
        if crc32fast::hash(state) != u32::from_le_bytes(*crc) {
            return Err(CheckpointError::Damaged);
        }
        let (version, state) = state.split_first().ok_or(CheckpointError::Damaged)?;
        if *version != VERSION {
            return Err(CheckpointError::Version(*version));
        }
        let (variable, rest) =
            postcard::take_from_bytes::<Self>(state).map_err(|_| CheckpointError::Damaged)?;
        if !rest.is_empty() || !variable.is_sound() {
            return Err(CheckpointError::Damaged);
        }
        Ok(variable)
    }

    /// Goes on under other settings. Another budget is learnt anew from what comes; another warm-up
    /// is an error.
    pub fn under(mut self, settings: RuleSettings) -> Result<Self, CheckpointError> {
        let (found, wanted) = (self.settings().warm_up, settings.warm_up.max(RuleSettings::LEAST_WARM_UP));
        if found != wanted {
            return Err(CheckpointError::WarmUp { found, wanted });
        }
        self.go_on_under(settings);
        Ok(self)
    }
}
