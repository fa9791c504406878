//! One training on 14,400 rows: ten days of minutes with a daily and a weekly season, both
//! multiplicative.
//!
//! `cargo bench -p prophet`; items are rows.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use divan::counter::ItemsCount;
use prophet::fit::{FitSettings, Series, fit};

const ROWS: usize = 14_400;

fn main() {
    divan::main();
}

/// A plant's variable: a day, some noise that remembers, a step.
fn rows() -> (Vec<i64>, Vec<f64>) {
    let (mut noise, mut state) = (0.0, 88_172_645_463_325_252_u64);
    let value = |row: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise = 0.9 * noise + (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        let day = row as f64 / 1_440.0;
        let step = if day > 6.3 { 4.0 } else { 0.0 };
        57.0 + step + 0.2 * day + (5.0 + 0.1 * day) * libm::sin(std::f64::consts::TAU * day) + noise
    };
    let instants = (0..ROWS as i64).map(|row| 1_709_251_200_000_000 + row * 60_000_000);
    (instants.collect(), (0..ROWS).map(value).collect())
}

fn train(bencher: divan::Bencher<'_, '_>, settings: &str) {
    let (instants, y) = rows();
    let settings = FitSettings::from_json(settings.as_bytes()).unwrap();
    let series = Series::new(&instants, &y);
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| fit(divan::black_box(&series), &settings, None).unwrap().report().steps);
}

#[divan::bench]
fn multiplicative(bencher: divan::Bencher<'_, '_>) {
    train(bencher, r#"{"prophet": {"weekly_seasonality": true, "seasonality_mode": "multiplicative"}}"#);
}

#[divan::bench]
fn additive(bencher: divan::Bencher<'_, '_>) {
    train(bencher, r#"{"prophet": {"weekly_seasonality": false}}"#);
}

#[divan::bench]
fn as_prophet(bencher: divan::Bencher<'_, '_>) {
    train(
        bencher,
        r#"{"prophet": {"weekly_seasonality": true, "seasonality_mode": "multiplicative"}, "method": "as-prophet"}"#,
    );
}

#[divan::bench]
fn file(bencher: divan::Bencher<'_, '_>) {
    let (instants, y) = rows();
    let settings = FitSettings::from_json(b"{}").unwrap();
    let series = Series::new(&instants, &y);
    let fitted = fit(&series, &settings, None).unwrap();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| fitted.to_json());
}
