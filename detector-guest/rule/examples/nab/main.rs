//! Scores the rule on a checkout of the Numenta Anomaly Benchmark: `cargo run --release -p rule
//! --example nab -- DIR`.
//!
//! One setting for all 58 files: what the detector has where nothing is set, or another budget (the
//! second argument).

#![allow(clippy::print_stdout, reason = "that is what it is for")]

mod score;
#[path = "../tables/mod.rs"]
mod tables;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use rule::Variable;
use score::{PROFILES, Score, score};
use sha2::{Digest, Sha256};
use tables::{BUDGET, microseconds, settings};

/// Alarms of the rule on one file, and what the benchmark makes of them.
struct Judged {
    scores: [Score; 3],
    rows: usize,
    alarms: usize,
    flagged: usize,
    /// Of those within a window.
    expected: usize,
    half: u8,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("the directory of the benchmark is missing")?;
    let budget = arguments.next().unwrap_or_else(|| BUDGET.to_owned());
    let dir = Path::new(&dir);
    let labels = std::fs::read_to_string(dir.join("labels/combined_windows.json"))?;
    let labels: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&labels)?;
    let mut files = Vec::new();
    for (file, windows) in &labels {
        files.push(judge(dir, file, windows, &budget)?);
    }
    for (n, profile) in PROFILES.iter().enumerate() {
        let score = |half: Option<u8>| {
            let of = files.iter().filter(|file| half.is_none_or(|half| file.half == half));
            of.fold(Score::default(), |sum, file| sum.add(file.scores[n])).normalised(*profile)
        };
        let (all, halves) = (score(None), [0, 1].map(|half| score(Some(half))));
        println!("{:20} {all:6.2}   halves {:6.2} {:6.2}", profile.name, halves[0], halves[1]);
    }
    let hit: usize = files.iter().map(|file| file.scores[0].hit).sum();
    let windows: usize = files.iter().map(|file| file.scores[0].windows).sum();
    let sum = |of: fn(&Judged) -> usize| files.iter().map(of).sum::<usize>();
    let (rows, alarms, flagged) = (sum(|file| file.rows), sum(|file| file.alarms), sum(|file| file.flagged));
    println!("windows hit          {hit} of {windows}");
    println!("alarms               {alarms} of {rows} rows");
    let share = |count: usize| 100.0 * count as f64 / rows as f64;
    let expected = sum(|file| file.expected);
    println!(
        "readings flagged     {:.2} %: {:.2} % within windows, {:.2} % outside",
        share(flagged),
        share(expected),
        share(flagged - expected)
    );
    Ok(())
}

fn judge(
    dir: &Path,
    file: &str,
    windows: &[(String, String)],
    budget: &str,
) -> Result<Judged, Box<dyn Error>> {
    let mut table = csv::Reader::from_path(dir.join("data").join(file))?;
    let rows: Vec<(String, f64)> = table.deserialize().collect::<Result<_, _>>()?;
    // The labels have microseconds.
    let row_of =
        |at: &str| rows.iter().position(|(row, _)| at.starts_with(row.as_str())).ok_or(at.to_owned());
    let windows: Vec<(usize, usize)> = windows
        .iter()
        .map(|(first, last)| Ok((row_of(first)?, row_of(last)?)))
        .collect::<Result<_, String>>()?;
    let mut last = i64::MIN;
    let mut readings = Vec::new();
    for (at, y) in &rows {
        // An hour of autumn comes twice in some files; here every row is a reading of its own.
        last = microseconds(at).ok_or_else(|| format!("`{at}` is no time"))?.max(last.saturating_add(1));
        readings.push((last, *y));
    }
    let times: Vec<i64> = readings.iter().map(|(at, _)| *at).collect();
    let mut variable = Variable::new(settings(&times, budget)?);
    let verdicts: Vec<_> = readings.iter().map(|(at, y)| variable.judge(*at, *y, None)).collect();
    let alarms: Vec<bool> = verdicts.iter().map(|verdict| verdict.alarm).collect();
    Ok(Judged {
        scores: PROFILES.map(|profile| score(&alarms, &windows, profile)),
        rows: rows.len(),
        alarms: alarms.iter().filter(|alarm| **alarm).count(),
        flagged: verdicts.iter().filter(|verdict| verdict.is_anomaly).count(),
        expected: windows
            .iter()
            .flat_map(|(first, last)| &verdicts[*first..=*last])
            .filter(|verdict| verdict.is_anomaly)
            .count(),
        half: Sha256::digest(file).last().map_or(0, |byte| byte % 2),
    })
}
