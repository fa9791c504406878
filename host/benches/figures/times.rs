//! Times of one thing, and the row of the table that they become.

use std::time::Instant;

/// Times of one thing.
pub(crate) struct Times(pub(crate) Vec<f64>);

impl Times {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    pub(crate) fn row(&self, what: &str, unit: &str, digits: usize) {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(0.0, f64::max);
        println!(
            "| {what} | {:.digits$} {unit} | {least:.digits$} – {most:.digits$} | {} |",
            self.median(),
            self.0.len()
        );
    }
}

pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}
