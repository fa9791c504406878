//! The settings of each variable, by patterns. A more specific pattern overrides a more general
//! one.

use std::sync::Arc;
use std::time::Duration;

use wildmatch::WildMatch;

use super::weekly_window::WeeklyWindow;
use super::words::words;
use super::{Direction, Priority};

words! {
    /// On which sides of the expectation a reading counts.
    Side {
        Above = "above",
        Below = "below",
        Both = "both",
    }
}

impl Side {
    /// Whether readings on this side count.
    pub fn counts(self, direction: Direction) -> bool {
        match self {
            Self::Both => true,
            Self::Above => direction == Direction::Above,
            Self::Below => direction == Direction::Below,
        }
    }
}

/// After how long a variable counts as silent or stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDelay {
    /// As learnt from the variable's readings.
    Learnt,
    /// After this long.
    Set(Duration),
    Never,
}

/// The settings of one variable.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableSettings {
    pub direction: Side,
    /// Readings that are nearer to the expectation do not count; in the variable's unit.
    pub minimum_deviation: f64,
    /// Anomalous readings in a row that open an episode, 1 at least.
    pub on_delay: u32,
    /// Normal readings in a row that close it, 1 at least.
    pub off_delay: u32,
    /// None: it follows from its duration and from the number of episodes before.
    pub priority: Option<Priority>,
    pub unit: Option<String>,
    pub description: Option<String>,
    pub silent_after: StateDelay,
    pub stuck_after: StateDelay,
    /// Times of the week without messages.
    pub shelved: Vec<WeeklyWindow>,
}

impl Default for VariableSettings {
    fn default() -> Self {
        Self {
            direction: Side::Both,
            minimum_deviation: 0.0,
            on_delay: 1,
            off_delay: 2,
            priority: None,
            unit: None,
            description: None,
            silent_after: StateDelay::Learnt,
            stuck_after: StateDelay::Learnt,
            shelved: Vec::new(),
        }
    }
}

/// The settings of one pattern; None where it sets nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatternSettings {
    pub direction: Option<Side>,
    pub minimum_deviation: Option<f64>,
    pub on_delay: Option<u32>,
    pub off_delay: Option<u32>,
    pub priority: Option<Priority>,
    pub unit: Option<String>,
    pub description: Option<String>,
    pub silent_after: Option<StateDelay>,
    pub stuck_after: Option<StateDelay>,
    pub shelved: Option<Vec<WeeklyWindow>>,
}

impl PatternSettings {
    /// Overrides `settings` with what it sets.
    fn over(&self, settings: &mut VariableSettings) {
        fn put<T: Clone>(said: &Option<T>, to: &mut T) {
            if let Some(said) = said {
                to.clone_from(said);
            }
        }
        put(&self.direction, &mut settings.direction);
        put(&self.minimum_deviation, &mut settings.minimum_deviation);
        put(&self.on_delay, &mut settings.on_delay);
        put(&self.off_delay, &mut settings.off_delay);
        put(&self.silent_after, &mut settings.silent_after);
        put(&self.stuck_after, &mut settings.stuck_after);
        put(&self.shelved, &mut settings.shelved);
        settings.priority = self.priority.or(settings.priority);
        settings.unit = self.unit.clone().or(settings.unit.take());
        settings.description = self.description.clone().or(settings.description.take());
    }
}

/// All patterns, from the most general to the most specific. A pattern with more characters that
/// are not wildcards is more specific; a name without wildcards is the most specific.
#[derive(Clone, Debug, Default)]
pub struct VariableRules {
    rules: Vec<(String, WildMatch, PatternSettings)>,
}

impl VariableRules {
    /// From patterns in which `*` stands for any characters and `?` for one.
    pub fn new(patterns: impl IntoIterator<Item = (String, PatternSettings)>) -> Self {
        let mut rules: Vec<_> = patterns
            .into_iter()
            .map(|(pattern, settings)| (pattern.clone(), WildMatch::new(&pattern), settings))
            .collect();
        let special = |pattern: &str| {
            let wild = |c: &char| matches!(c, '*' | '?');
            (!pattern.chars().any(|c| wild(&c)), pattern.chars().filter(|c| !wild(c)).count())
        };
        rules.sort_by(|a, b| special(&a.0).cmp(&special(&b.0)).then_with(|| a.0.cmp(&b.0)));
        Self { rules }
    }

    /// The settings of a variable.
    pub fn of(&self, variable: &str) -> Arc<VariableSettings> {
        let mut settings = VariableSettings::default();
        for (_, _, said) in self.rules.iter().filter(|(_, pattern, _)| pattern.matches(variable)) {
            said.over(&mut settings);
        }
        Arc::new(settings)
    }
}

impl PartialEq for VariableRules {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&(String, WildMatch, PatternSettings), _)| {
            let (pattern, _, said): &(String, WildMatch, PatternSettings) = b;
            a.0 == *pattern && a.2 == *said
        };
        self.rules.len() == other.rules.len() && self.rules.iter().zip(&other.rules).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_special_pattern_goes_over_the_more_general_key_by_key() {
        let said = |on_delay, off_delay, unit: &str| PatternSettings {
            on_delay,
            off_delay,
            unit: (!unit.is_empty()).then(|| unit.to_owned()),
            ..PatternSettings::default()
        };
        let rules = VariableRules::new([
            ("TEMP-01".to_owned(), said(None, Some(9), "")),
            ("*".to_owned(), said(Some(2), Some(3), "")),
            ("TEMP*".to_owned(), said(Some(4), None, "°C")),
            ("TEMP-0?".to_owned(), said(Some(5), None, "")),
        ]);
        for (variable, on, off, unit) in [
            ("PRES-01", 2, 3, None),
            ("TEMP-11", 4, 3, Some("°C")),
            ("TEMP-02", 5, 3, Some("°C")),
            ("TEMP-01", 5, 9, Some("°C")),
        ] {
            let found = rules.of(variable);
            assert_eq!(
                (found.on_delay, found.off_delay, found.unit.as_deref()),
                (on, off, unit),
                "{variable}"
            );
        }
        assert_eq!(*VariableRules::default().of("T"), VariableSettings::default());
    }
}
