//! The Numenta Anomaly Benchmark's score of alarms at rows of one file (`nab/sweeper.py` of its
//! repository).

/// What hits, false alarms and misses weigh.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) false_positive: f64,
    pub(crate) false_negative: f64,
}

/// The benchmark's `config/profiles.json`; a hit weighs 1.
pub(crate) const PROFILES: [Profile; 3] = [
    Profile { name: "standard", false_positive: 0.11, false_negative: 1.0 },
    Profile { name: "reward_low_FP_rate", false_positive: 0.22, false_negative: 1.0 },
    Profile { name: "reward_low_FN_rate", false_positive: 0.11, false_negative: 2.0 },
];

/// What the alarms of a file came to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Score {
    pub(crate) points: f64,
    pub(crate) windows: usize,
    pub(crate) hit: usize,
}

impl Score {
    pub(crate) fn add(self, other: Self) -> Self {
        Self {
            points: self.points + other.points,
            windows: self.windows + other.windows,
            hit: self.hit + other.hit,
        }
    }

    /// 0 for no alarm at all, 100 for the first row of each window and nothing else.
    pub(crate) fn normalised(self, profile: Profile) -> f64 {
        let (windows, none) = (self.windows as f64, -profile.false_negative * self.windows as f64);
        100.0 * (self.points - none) / (windows - none)
    }
}

fn sigmoid(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + libm::exp(5.0 * position)) - 1.0 }
}

/// Scores `alarms` of a file with these windows (first and last row, inclusive, ascending). A
/// window counts where a row of it lies behind the first 15 % (of at most 5,000 rows), which are
/// not scored.
pub(crate) fn score(alarms: &[bool], windows: &[(usize, usize)], profile: Profile) -> Score {
    let rows = alarms.len();
    let scored_from = (0.15 * rows as f64).floor().min(0.15 * 5000.0);
    let scored = |row: usize| row as f64 >= scored_from;
    let mut score = Score::default();
    for &(first, last) in windows.iter().filter(|(_, last)| scored(*last)) {
        let width = (last - first + 1) as f64;
        let best = (first..=last).filter(|row| scored(*row) && alarms[*row]).map(|row| {
            let position = -((last - row + 1) as f64) / width;
            sigmoid(position) / sigmoid(-1.0)
        });
        let best = best.reduce(f64::max);
        score.windows += 1;
        score.hit += usize::from(best.is_some());
        score.points += best.unwrap_or(-profile.false_negative);
    }
    for row in (0..rows).filter(|row| scored(*row) && alarms[*row]) {
        if windows.iter().any(|(first, last)| (*first..=*last).contains(&row)) {
            continue;
        }
        let before = windows.iter().rfind(|(_, last)| *last < row);
        let position =
            before.map_or(f64::INFINITY, |(first, last)| (row - last) as f64 / (last - first) as f64);
        score.points += profile.false_positive * sigmoid(position);
    }
    score
}
