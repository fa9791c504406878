//! The figures of the README, as a table: `just bench`, or some of them: `just bench -- throughput
//! cycle`.
//!
//! Whole things are timed as their users meet them (a judged batch, a cycle, a start of the
//! program), each several times in turn, and the median is given with the range. What is compared
//! is measured alternately in one run, because machines drift. Nothing here asserts a time: a test
//! that fails on a busy machine says nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints"
)]

mod cycle;
mod importing;
mod loading;
mod place;
mod program;
mod rule;
mod sample;
mod throughput;
mod times;
mod training;

/// What can be asked for; nothing named is all.
const PARTS: [&str; 11] = [
    "throughput",
    "rule",
    "cycle",
    "reload",
    "start",
    "idle",
    "backlog",
    "import",
    "loading",
    "training",
    "footprint",
];

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it builds.
    if !asked.iter().any(|argument| argument == "--bench") {
        return;
    }
    let asked: Vec<_> = asked.iter().filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|part| !PARTS.contains(&part.as_str())) {
        println!("there is no figure `{unknown}`; there are `{}`", PARTS.join("`, `"));
        return;
    }
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|asked| *asked == part);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| what | median | range | runs |\n|---|---|---|---|");
    for part in PARTS.into_iter().filter(|part| wanted(part)) {
        match part {
            "throughput" => runtime.block_on(throughput::throughput()),
            "rule" => runtime.block_on(rule::rule()),
            "cycle" => runtime.block_on(cycle::cycle()),
            "reload" => runtime.block_on(cycle::reload()),
            "start" => program::start(),
            "idle" => program::idle(),
            "backlog" => program::backlog(),
            "import" => importing::importing(),
            "training" => runtime.block_on(training::speed()),
            "footprint" => training::footprint(),
            _ => runtime.block_on(loading::loading()),
        }
    }
}
