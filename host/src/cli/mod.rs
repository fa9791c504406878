//! The commands. Each is a few documented steps over the other rooms; what they print goes to stdout, the log to stderr.
//!
//! Exit codes: 0 it worked; 1 it did not, and the last line on stderr says why; 2 the command line or the configuration is wrong.

mod ahead;
pub mod args;
mod backfill;
mod check;
mod demo;
mod export;
mod import;
mod inspect;
mod predict;
mod progress;
mod reconcile;
mod run;
mod say;
mod schema;
mod sqlserver_target;
mod status;
mod stop;
mod threads;
mod unjudged;
mod wiring;

use std::process::ExitCode;

use args::{Cli, Command, DatetimeRange, DetectorCommand, Overrides};
use say::complain;

use crate::config::LoadedConfig;
use crate::signal;
use crate::unit_limit::explained;

/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Threads for calls that block: a detector that computes, a statement on a file, a look at the models. A few at a time; and
/// eight may hang in a share that does not answer, before no more are begun (`reload`). Without a bound it would be 512.
const BLOCKING_THREADS: usize = 32;

/// Runs the command.
pub fn main(cli: &Cli) -> ExitCode {
    if let Command::CompileModule(asked) = &cli.command {
        // Before there is any other thread: its limits are those of all of them.
        return crate::detector::compile::serve(asked.memory, asked.seconds, &asked.engine);
    }
    if let Err(why) = threads::expect() {
        complain!("error: {why}");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("error: no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        // A file that reaches a limit of the system is an error to whoever writes it, and not the end of the process.
        let _outlived = signal::outlive_file_limit();
        dispatch(cli).await
    });
    // A guest that still computes after its grace must not keep the process: its thread ends with it.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: &Cli) -> ExitCode {
    let ended = match &cli.command {
        // Has ended before a runtime was there.
        Command::CompileModule(_) => return ExitCode::from(USAGE),
        Command::Demo(demo) => demo::demo(demo).await,
        Command::Predict(asked) => predict::predict(asked).await,
        Command::Detector(DetectorCommand::Inspect { module }) => inspect::inspect(module).await,
        Command::Run(run) => match configuration(&run.overrides) {
            Ok(loaded) => run::run(loaded, run.once).await,
            Err(code) => return code,
        },
        Command::Reconcile(overrides) => match configuration(overrides) {
            Ok(loaded) => reconcile::reconcile(loaded, overrides).await,
            Err(code) => return code,
        },
        Command::Backfill(asked) => {
            match expect(asked.range).and_then(|()| configuration(&asked.overrides)) {
                Ok(loaded) => backfill::backfill(loaded, asked).await,
                Err(code) => return code,
            }
        }
        Command::Import(asked) => match configuration(&asked.overrides) {
            Ok(loaded) => import::import(loaded, asked).await,
            Err(code) => return code,
        },
        Command::Export(asked) => match expect(asked.range).and_then(|()| configuration(&asked.overrides)) {
            Ok(loaded) => export::export(&loaded, asked).await,
            Err(code) => return code,
        },
        Command::Check(overrides) => match configuration(overrides) {
            Ok(loaded) => check::check(&loaded).await,
            Err(code) => return code,
        },
        Command::Schema(asked) => match configuration(&asked.overrides) {
            Ok(loaded) => schema::schema(&loaded.config, asked.dialect),
            Err(code) => return code,
        },
        Command::Status(status) => match configuration(&status.overrides) {
            Ok(loaded) => status::status(&loaded.config, status.json).await,
            Err(code) => return code,
        },
    };
    let code = ended.unwrap_or_else(|error| {
        complain!("error: {error:#}");
        // No restart mends it: whoever restarts services asks for this code.
        if error.is::<Misconfigured>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    });
    match say::trouble() {
        Some(trouble) => {
            complain!("error: what was printed did not all arrive: {}", explained(&trouble));
            ExitCode::FAILURE
        }
        None => code,
    }
}

/// The configuration can be read, and what it says does not go together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misconfigured(String);

/// A range holds something.
fn expect(DatetimeRange { from, to }: DatetimeRange) -> Result<(), ExitCode> {
    if from < to {
        return Ok(());
    }
    complain!("error: --to ({to}) must be later than --from ({from})");
    Err(ExitCode::from(USAGE))
}

fn configuration(overrides: &Overrides) -> Result<LoadedConfig, ExitCode> {
    overrides.load(std::env::vars_os()).map_err(|error| {
        complain!("error: {error}");
        ExitCode::from(USAGE)
    })
}
