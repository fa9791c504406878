//! `host demo`: a simulated plant, judged in seconds, and the results.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::{args, wiring};
use crate::config::{Config, Log};
use crate::datetime::Datetime;
use crate::demo::console::DemoConsole;
use crate::demo::directory::DemoDirectory;
use crate::demo::driver::{self, DemoEvent, DemoPlan, DemoResult};
use crate::demo::faults::FaultKind;
use crate::demo::plant::{Plant, SEED};
use crate::demo::score::{FaultOutcome as Came, FaultScore};
use crate::demo::variables::{START, VARIABLES};
use crate::demo::{history, models, tables};
use crate::store::TableNames;
use crate::telemetry;
use crate::worker::report;

/// Runs the demo and shows it; fails if the worker did not work as it should.
pub(super) async fn demo(demo: &args::Demo) -> anyhow::Result<ExitCode> {
    if let Some(file) = &demo.write_history {
        return write_history(file);
    }
    let plan = DemoPlan::new(demo.days);
    let place = DemoDirectory::prepare(&demo.dir)?;
    let console = DemoConsole::new(plan.cycles());
    let log = Log { file: Some(place.log()), ..Log::default() };
    let _telemetry = telemetry::start_on(&log, console.clone()).context("the log cannot be started")?;
    let begun = std::time::Instant::now();
    introduce(&console, demo, &place);
    console.progress(0, minute(START));

    console.show_log(true);
    let engine = wiring::engine(&Config::default())?;
    let ran = driver::run(plan, &place, engine, |event| follow(&console, plan, event)).await;
    console.finish();
    let outcome = ran?;

    console.say(&summary(&outcome, plan, begun.elapsed().as_secs_f64()));
    console.say(&where_next(plan, &place));
    let broken = outcome.broken_promises();
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::bail!("the worker did not work as it should: {}", broken.join("; "))
}

fn write_history(file: &Path) -> anyhow::Result<ExitCode> {
    let out = File::create(file).with_context(|| format!("`{}` cannot be written", file.display()))?;
    history::write(Plant::new(SEED), BufWriter::new(out))
        .with_context(|| format!("`{}` cannot be written", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn introduce(console: &DemoConsole, demo: &args::Demo, place: &DemoDirectory) {
    if place.replaced {
        console.say(&format!("The former demo in {} is replaced.", demo.dir.display()));
    }
    console.say(&format!(
        "A simulated plant: {} variables every 5 minutes, {} from {}.\n\
         Every 10 minutes of its time a worker judges what arrived in {}.\n\
         These are the worker's own log lines; it keeps all of them in {}.\n",
        VARIABLES.len(),
        report::count(demo.days.into(), "day"),
        minute(START),
        place.database().display(),
        place.log().display(),
    ));
}

/// The log of the first two cycles, and of the two around the new model; the bar for all.
fn follow(console: &DemoConsole, plan: DemoPlan, event: DemoEvent<'_>) {
    match event {
        DemoEvent::DroppedIn { set } => console.say(&format!(
            "\nA model for {} is dropped into the directory. The worker runs on:\n\
             the new set {set} was opened beside its own and tried on the last batch.",
            models::WITHHELD,
        )),
        DemoEvent::Cycle(cycle) => {
            let at = minute(plan.time_of(cycle));
            let shown = |cycle| cycle <= 2 || cycle == plan.drop_before() || cycle + 1 == plan.drop_before();
            if shown(cycle) {
                console.say(&format!("\nPlant time {at}"));
            } else if shown(cycle - 1) {
                console.say("...");
            }
            console.show_log(shown(cycle));
            console.progress(cycle, at);
        }
    }
}

/// The injected faults, found and missed, and the false alarms.
fn summary(outcome: &DemoResult, plan: DemoPlan, seconds: f64) -> String {
    let DemoResult { score, counts, by_new_model: (by_new_model, first), learning } = outcome;
    let first = first.map_or_else(|| "never".to_owned(), minute);
    let came = |wanted| score.faults.iter().filter(|fault| fault.outcome == wanted).count();
    let in_values = score.faults.iter().filter(|fault| fault.fault.kind.in_values()).count();
    let stuck = |fault: &FaultScore| fault.outcome == Came::Missed && fault.fault.kind == FaultKind::Stuck;
    let why = if score.faults.iter().any(stuck) {
        "\nA value that is stuck within its own noise looks normal, reading by reading."
    } else {
        ""
    };
    format!(
        "\n{} cycles in {seconds:.1} s: {} readings arrived, {} were judged, {times}.\n\
         {} of {withheld} came before its model; the new one judged {by_new_model},\n\
         from {first} on.\n\
         \nWhat was injected, and what came of it (in brackets: readings flagged;\n\
         where only their arrival is at fault, readings judged):\n\n{}\n\n\
         Found: {} of {} in values. Harmless: {} of {} in how rows arrive.{why}\n\
         \nWhat was flagged for nothing, outside of these faults:\n\n{}\n\n\
         All this was by the interval, the rule of the Python worker. Under the rule that\n\
         learns, which every other start of `host run` has, on the same readings:\n\n{}",
        plan.cycles(),
        score.readings.arrived,
        score.readings.judged,
        counts.no_model,
        tables::faults(score),
        came(Came::Found),
        report::count(in_values as u64, "fault"),
        came(Came::Harmless),
        score.faults.len() - in_values,
        tables::false_alarms(score),
        tables::side_by_side(&[("interval", score), ("adaptive", learning)]),
        times = match score.readings.judged_twice {
            0 => "each once".to_owned(),
            twice => format!("{twice} of them MORE THAN ONCE"),
        },
        withheld = models::WITHHELD,
    )
}

/// The next commands, as they can be typed here.
fn where_next(plan: DemoPlan, place: &DemoDirectory) -> String {
    let host = invoked_as();
    let (database, models) = (place.database(), place.models());
    let (database, models) = (database.display(), models.display());
    let tables = TableNames::default();
    format!(
        "\nWhere to look next\n\
         \nHow far the worker has come:\n  \
         {host} status --database {database}\n\
         \nThe plant in a browser, at http://127.0.0.1:8686/:\n  \
         {host} serve --database {database}\n\
         \nThe readings furthest from what was expected:\n  \
         sqlite3 -header -column {database} \"\n    \
         SELECT ds, variable, y, yhat, anomaly_score FROM {output}\n    \
         WHERE is_anomaly ORDER BY abs(residual) / (yhat_upper - yhat_lower) DESC LIMIT 10\"\n\
         \nA reading of your own, judged by the same worker:\n  \
         sqlite3 {database} \"\n    \
         INSERT INTO {input} (datetime, variable_name, value)\n    \
         VALUES ('{after}', 'TEMP-03', 95)\"\n  \
         {host} run --once --database {database} --models {models} --log-file {log}\n\
         \nThe log of every cycle is {log}, the models are in {models}.",
        output = tables.output.table(),
        input = tables.input.table(),
        after = plan.end(),
        log = place.log().display(),
    )
}

/// The program as it was called, so that the commands can be copied; its bare name if it was found
/// on the path.
fn invoked_as() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains(std::path::is_separator) { called } else { "host".to_owned() }
}

fn minute(at: Datetime) -> String {
    at.to_string().chars().take("2025-03-07 09:20".len()).collect()
}
