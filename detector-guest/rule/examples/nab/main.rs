//! Scores the rule on a checkout of the Numenta Anomaly Benchmark: `cargo run --release -p rule --example nab -- DIR`.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

mod score;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use rule::{Alarm, Novelty};
use score::{PROFILES, Score, score};

/// Alarms of novelty above this.
const THRESHOLD: f64 = 0.05;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("the directory of the benchmark is missing")?;
    let dir = Path::new(&dir);
    let labels = std::fs::read_to_string(dir.join("labels/combined_windows.json"))?;
    let labels: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&labels)?;
    let (mut alarms_in_all, mut rows_in_all) = (0, 0);
    let mut totals = [Score::default(); 3];
    for (file, windows) in &labels {
        let mut table = csv::Reader::from_path(dir.join("data").join(file))?;
        let rows: Vec<(String, f64)> = table.deserialize().collect::<Result<_, _>>()?;
        // The labels have microseconds.
        let row_of =
            |at: &str| rows.iter().position(|(row, _)| at.starts_with(row.as_str())).ok_or(at.to_owned());
        let windows: Vec<(usize, usize)> = windows
            .iter()
            .map(|(first, last)| Ok((row_of(first)?, row_of(last)?)))
            .collect::<Result<_, String>>()?;
        // The benchmark's own first 15 %, made even.
        let warm_up = (0.15 * rows.len().min(5000) as f64) as u32 / 2 * 2;
        let (mut novelty, mut alarm) = (Novelty::new(warm_up), Alarm::new(warm_up, THRESHOLD));
        let alarms: Vec<bool> = rows.iter().map(|(_, y)| alarm.judge(novelty.push(*y)).alarm).collect();
        alarms_in_all += alarms.iter().filter(|alarm| **alarm).count();
        rows_in_all += rows.len();
        for (total, profile) in totals.iter_mut().zip(PROFILES) {
            *total = total.add(score(&alarms, &windows, profile));
        }
    }
    for (total, profile) in totals.iter().zip(PROFILES) {
        println!("{:20} {:6.2}", profile.name, total.normalised(profile));
    }
    println!("windows hit          {} of {}", totals[0].hit, totals[0].windows);
    println!("alarms               {alarms_in_all} of {rows_in_all} rows");
    Ok(())
}
