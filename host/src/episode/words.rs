//! Words that stand for a value. They are the same in a column, in JSON, in a setting and on the
//! command line.

/// An enum in which each case has a word. `Display` writes it, [`std::str::FromStr`] reads it.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of_case:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$of_case])* #[serde(rename = $word)] $case,)*
        }

        impl $name {
            /// All of them, each with its word.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$case)),*];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$case => $word,)*
                }
            }

            /// The case with this word.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, case)| *case)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::episode::{Direction, EpisodeKind, Feedback, MessageKind, Priority, Told};

    #[test]
    fn a_word_is_read_as_what_wrote_it() {
        macro_rules! same {
            ($($name:ident)*) => {$(
                for (word, case) in $name::ALL {
                    assert_eq!((case.word(), $name::of_word(word)), (*word, Some(*case)));
                    assert_eq!(serde_json::to_value(case).ok(), Some((*word).into()));
                }
                assert_eq!($name::of_word("else"), None);
            )*};
        }
        same!(Direction EpisodeKind Feedback MessageKind Priority Told);
    }
}
