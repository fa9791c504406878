//! The harm, by name. An unknown name is a mistake in a test, and an error.

use std::time::Duration;

use crate::anomaly_worker::detector::logging::{Level, log};
use crate::anomaly_worker::detector::types::{Batch, DetectError, OpenError, Outcome, Verdicts, Withholding};

pub(crate) fn at_open(harm: &str) -> Result<(), OpenError> {
    match harm {
        "trap" => panic!("told to trap"),
        "spin" => {
            log(Level::Warn, "spins in open");
            spin()
        }
        "settings" => Err(OpenError::Settings("`threshold` is -1; it must be positive".into())),
        "models" => Err(OpenError::Models("`A/B` and `A_B` both stand for `prophet_model_A_B.json`".into())),
        other => Err(OpenError::Other(format!("no harm is called `open-{other}`"))),
    }
}

pub(crate) fn at_compact(harm: &str) -> Result<Option<Vec<u8>>, String> {
    match harm {
        "trap" => panic!("told to trap"),
        "spin" => {
            log(Level::Warn, "spins in compact");
            spin()
        }
        "memory" => {
            take_all_memory();
            Ok(None)
        }
        "refuse" => Err("told to refuse".into()),
        "grow" => Ok(Some(vec![1; 5000])),
        // A form must not be longer than its file.
        long if long.len() > 4096 => Ok(Some(long.into())),
        honest => Ok(Some(format!("compacted {honest}").into_bytes())),
    }
}

pub(crate) fn at_detect(
    harm: &str,
    to: &Option<String>,
    batch: &Batch,
    mut outcomes: Vec<Outcome>,
) -> Result<Vec<Outcome>, DetectError> {
    match harm {
        "" | "remember" | "whole-instants" | "resumed-trap" | "open-resumed-trap" | "open-resumed-spin" | "summary-many" => {}
        checkpoint if checkpoint.starts_with("checkpoint-") => {}
        "say" => return crate::saying::say(batch),
        "trap-named" => a_function_with_a_name_that_is_far_longer_than_any_line_of_a_log_should_have_to_carry_from_a_guest_who_says_it_to_an_operator_who_reads_it_at_night_and_wants_to_know_what_has_failed_and_nothing_else_of_it(),
        "spin-below-zero" => {
            if batch.columns.iter().flat_map(|column| &column.values).any(|value| *value < 0.0) {
                spin();
            }
        }
        "forge" => {
            for outcome in &mut outcomes {
                *outcome = Outcome::Failed("gone\r\n2025-01-15 - ERROR - forged \u{1b}[2J\u{202e}".into());
            }
        }
        "trap" => panic!("told to trap"),
        "trap-below-zero" => {
            if batch.columns.iter().flat_map(|column| &column.values).any(|value| *value < 0.0) {
                panic!("told to trap below zero");
            }
        }
        "spin" => spin(),
        "sleep" => std::thread::sleep(Duration::from_secs(1_000_000)),
        "memory" => take_all_memory(),
        "stack" => {
            std::hint::black_box(recurse(std::hint::black_box(u64::MAX)));
        }
        "refuse" => return Err(DetectError::Other("told to refuse".into())),
        "fewer" => drop(outcomes.pop()),
        "short" => every(&mut outcomes, |verdicts| verdicts.lower.truncate(1)),
        "nan" => every(&mut outcomes, |verdicts| verdicts.expected.fill(f64::NAN)),
        "inverted" => {
            every(&mut outcomes, |verdicts| std::mem::swap(&mut verdicts.lower, &mut verdicts.upper))
        }
        bit if bit.starts_with("flag-bit-") => {
            let bit: u32 = bit["flag-bit-".len()..].parse().unwrap_or_default();
            every(&mut outcomes, |verdicts| flag(verdicts, bit));
        }
        "score" => every(&mut outcomes, |verdicts| verdicts.score.fill(500.0)),
        "flags" => every(&mut outcomes, |verdicts| verdicts.flags.fill(8)),
        "huge" => every(&mut outcomes, |verdicts| verdicts.expected = vec![0.0; 4 << 20]),
        "withhold" => every(&mut outcomes, |verdicts| withhold(verdicts)),
        "fail" => {
            for (column, outcome) in batch.columns.iter().zip(&mut outcomes) {
                if to.as_ref().is_none_or(|to| *to == column.variable) {
                    *outcome = Outcome::Failed("told to fail".into());
                }
            }
        }
        "fail-at-some-length" => {
            for outcome in &mut outcomes {
                *outcome = Outcome::Failed("é".repeat(2_000));
            }
        }
        "fail-at-length" => {
            for outcome in &mut outcomes {
                *outcome = Outcome::Failed("é".repeat(5_000_000));
            }
        }
        "flood" => {
            for line in 0..100_000 {
                log(Level::Info, &format!("line {line} {}", "x".repeat(10_000)));
            }
        }
        "print" => {
            for line in 0..100_000 {
                println!("line {line}");
            }
        }
        "look-around" => look_around(),
        other => return Err(DetectError::Other(format!("no harm is called `{other}`"))),
    }
    Ok(outcomes)
}

/// Flags the readings that have this bit in their whole part.
fn flag(verdicts: &mut Verdicts, bit: u32) {
    let Verdicts { expected, score, flags, .. } = verdicts;
    for ((y, score), flags) in expected.iter().zip(score).zip(flags) {
        let value = *y as u64;
        if value >> bit & 1 == 1 {
            (*score, *flags) = (10.0 + (value % 7) as f64, 4);
        }
    }
}

/// Logs what it could reach outside the sandbox. A test asserts that it is nothing, and the same in
/// two runs.
fn look_around() {
    use std::net::{TcpStream, ToSocketAddrs};
    let mut reached = Vec::new();
    for path in ["/", ".", "/etc/passwd", "Cargo.toml"] {
        if std::fs::metadata(path).is_ok() {
            reached.push(format!("file {path}"));
        }
    }
    if std::fs::write("written-by-a-detector", "x").is_ok() {
        reached.push("writing".into());
    }
    reached.extend(std::env::vars().map(|(key, _)| format!("environment {key}")));
    reached.extend(std::env::args().map(|argument| format!("argument {argument}")));
    if "localhost:80".to_socket_addrs().is_ok() {
        reached.push("names".into());
    }
    if TcpStream::connect("127.0.0.1:1")
        .err()
        .is_none_or(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
    {
        reached.push("the network".into());
    }
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let seed = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1_u8);
    log(Level::Info, &format!("reached {reached:?}; wall {wall}; seed {seed}"));
}

fn every(outcomes: &mut [Outcome], change: impl Fn(&mut Verdicts)) {
    for outcome in outcomes {
        if let Outcome::Judged(verdicts) = outcome {
            change(verdicts);
        }
    }
}

fn withhold(verdicts: &mut Verdicts) {
    for list in [&mut verdicts.expected, &mut verdicts.lower, &mut verdicts.upper, &mut verdicts.score] {
        if let Some(first) = list.first_mut() {
            *first = f64::NAN;
        }
    }
    verdicts.withheld = vec![Withholding { reason: "regressor `T2` has no reading".into(), rows: vec![0] }];
}

#[inline(never)]
fn a_function_with_a_name_that_is_far_longer_than_any_line_of_a_log_should_have_to_carry_from_a_guest_who_says_it_to_an_operator_who_reads_it_at_night_and_wants_to_know_what_has_failed_and_nothing_else_of_it()
 {
    std::hint::black_box(());
    core::arch::wasm32::unreachable()
}

pub(crate) fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

pub(crate) fn take_all_memory() {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

#[allow(unconditional_recursion, reason = "that is the harm")]
fn recurse(depth: u64) -> u64 {
    std::hint::black_box([depth; 64]).iter().sum::<u64>() + recurse(depth - 1)
}
