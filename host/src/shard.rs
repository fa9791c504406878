//! A worker's share of the variables, if several workers divide them.
//!
//! Pure. The share of a variable depends on its name and on the number of shares alone, so that
//! workers agree without communication, on every system and in every version of this program.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// More workers than this on one table are a mistake.
const MOST: u64 = 999;

/// One share of several, such as `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// 1 to `of`.
    number: u64,
    of: u64,
}

impl Shard {
    /// Whether this share has the variable: the first eight bytes of SHA-256 over its name, as a
    /// number, modulo the shares.
    pub fn holds(self, variable: &str) -> bool {
        let digest = Sha256::digest(variable);
        let number = digest.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        number % self.of == self.number - 1
    }

    /// How many shares there are.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Whether this share reports what belongs to no variable, so that it is reported once.
    pub fn is_first(self) -> bool {
        self.number == 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().split_once('/');
        let shard = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match shard {
            Some((number, of)) if (1..=of).contains(&number) && of <= MOST => Ok(Self { number, of }),
            Some((number, of)) if number > of => {
                Err(format!("a share `K/N` with K at most N: there is no share {number} of {of}"))
            }
            _ => Err(format!("a share such as `2/8`: the second of eight, of at most {MOST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_written_as_number_and_count() {
        for (text, expected) in [("1/1", Ok("1/1")), (" 2/8 ", Ok("2/8")), ("999/999", Ok("999/999"))] {
            let shard: Result<Shard, _> = text.parse();
            assert_eq!(shard.map(|shard| shard.to_string()), expected.map(str::to_owned));
        }
        for (text, refused) in [("9/3", "there is no share 9 of 3"), ("1/0", "there is no share 1 of 0")] {
            let refused = Err(format!("a share `K/N` with K at most N: {refused}"));
            assert_eq!(text.parse::<Shard>(), refused, "{text}");
        }
        for text in ["", "2", "0/8", "-1/8", "2/8/3", "1/1000", "a/b", "2 of 8"] {
            let refused = Err("a share such as `2/8`: the second of eight, of at most 999".to_owned());
            assert_eq!(text.parse::<Shard>(), refused, "{text}");
        }
    }

    /// Workers of two versions must agree: these values never change.
    #[test]
    fn shares_never_change() {
        let of_eight = |variable: &str| {
            (1..=8).find(|number| Shard { number: *number, of: 8 }.holds(variable)).unwrap_or_default()
        };
        for (variable, share) in [("TEMP-03", 2), ("AGUA/FLOW 1", 4), ("Ñandú", 3), ("", 5)] {
            assert_eq!(of_eight(variable), share, "{variable}");
        }
    }

    proptest! {
        #[test]
        fn each_variable_falls_to_one_share(variable in ".*", of in 1_u64..20) {
            let holders = (1..=of).filter(|number| Shard { number: *number, of }.holds(&variable)).count();
            prop_assert_eq!(holders, 1);
        }
    }
}
