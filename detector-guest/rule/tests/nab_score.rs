//! The scorer against what the Numenta Anomaly Benchmark publishes of its own detector, file by
//! file (`results/numenta/numenta_*_scores.csv` of its repository): the scores of alarms at these
//! rows.

#[path = "../examples/nab/score.rs"]
mod score;

use score::{PROFILES, Score, score};

/// Rows of the file, windows, rows of alarms, and the score by profile.
type Published = (usize, &'static [(usize, usize)], &'static [usize], [f64; 3]);

const PUBLISHED: [Published; 7] = [
    // Alarms without windows.
    (4032, &[], &[693, 3278], [-0.22, -0.44, -0.22]),
    // Windows without alarms, the second behind the first 15 %.
    (1243, &[(218, 280), (308, 370)], &[], [-2.0, -2.0, -4.0]),
    // A hit, two alarms in one window, and one before.
    (4032, &[(2787, 3189)], &[980, 2989, 3076], [0.748908670438, 0.638908670438, 0.748908670438]),
    // Misses, and an alarm soon after the window.
    (4032, &[(2787, 3189)], &[1086, 1268, 3284], [-1.27835146592, -1.55670293184, -2.27835146592]),
    (
        4032,
        &[(1794, 1928), (2239, 2373), (2964, 3098)],
        &[1861, 1862, 1892, 2094, 2294, 2306, 2637],
        [0.556842909788, 0.337302738031, -0.443157090212],
    ),
    (
        5315,
        &[(2243, 2507), (2877, 3141)],
        &[1148, 1149, 1172, 2467, 2516, 4401, 4426, 5147],
        [-1.29575982814, -1.96511219487, -2.29575982814],
    ),
    // Of more than 5,000 rows 750 are not scored.
    (
        15_902,
        &[(2872, 3402), (5800, 6330), (7768, 8298)],
        &[749, 3136, 3137, 3138, 6064, 6065],
        [0.723575559502, 0.723575559502, -0.276424440498],
    ),
];

#[test]
fn scores_are_those_that_are_published() {
    for (rows, windows, at, expected) in PUBLISHED {
        let alarms: Vec<bool> = (0..rows).map(|row| at.contains(&row)).collect();
        for (profile, expected) in PROFILES.into_iter().zip(expected) {
            let found = score(&alarms, windows, profile).points;
            assert!((found - expected).abs() < 1e-9, "{at:?}, {}: {found}, not {expected}", profile.name);
        }
    }
}

#[test]
fn nothing_is_0_and_all_at_once_is_100() {
    let windows = [(500, 599), (700, 799)];
    for (at, expected) in [(&[][..], 0.0), (&[500, 700], 100.0)] {
        let alarms: Vec<bool> = (0..1000).map(|row| at.contains(&row)).collect();
        for profile in PROFILES {
            let found = Score::default().add(score(&alarms, &windows, profile)).normalised(profile);
            assert!((found - expected).abs() < 0.1, "{}: {found}, not {expected}", profile.name);
        }
    }
}
