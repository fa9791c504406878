//! The commands. Each is a few documented steps over the other modules; their output goes to
//! stdout, the log to stderr.
//!
//! Exit codes: 0 success; 1 failure, with the reason in the last line on stderr; 2 an error of the
//! command line or the configuration.

mod ahead;
mod alerts;
pub mod args;
mod backfill;
mod backtest;
mod beside;
mod check;
mod command_log;
mod demo;
mod detector_files;
mod ds_table;
mod episodes;
mod export;
mod feedback;
mod fit;
mod import;
mod inspect;
mod manuals;
mod models;
mod plot;
mod predict;
mod progress;
mod reconcile;
mod reload;
mod run;
mod say;
mod schema;
mod service;
mod shelve;
mod sqlserver_target;
mod status;
mod threads;
mod train;
mod unjudged;
mod web;
mod wiring;

use std::process::ExitCode;

use args::{Cli, Command, DatetimeRange, DetectorCommand, Overrides};
use say::complain;

use crate::config::LoadedConfig;
#[cfg(windows)]
use crate::config::whole;
use crate::service::USAGE;
use crate::signal;
use crate::unit_limit::explained;

/// Threads for calls that block: a detector that computes, a statement on a file, a look at the
/// models. A few at a time; and eight may hang in a share that does not answer, before no more are
/// begun (`reload`). Without a bound it would be 512.
const BLOCKING_THREADS: usize = 32;

/// The effect of the first signal on a command that works in batches.
const STOPPING: &str = "stopping after the batch in hand; once more stops at once";

/// Runs the command.
pub fn main(cli: &Cli) -> ExitCode {
    if let Command::CompileModule(asked) = &cli.command {
        // Before any other thread is started: the limits apply to all of them.
        return crate::detector::compile::serve(asked.memory, asked.seconds, &asked.engine);
    }
    #[cfg(windows)]
    if let Command::Service(args::ServiceCommand::Run { config, of }) = &cli.command {
        // The service manager calls back, and runs it on a thread of its own.
        return service::serve(&whole(config), of);
    }
    in_runtime(dispatch(cli))
}

/// Runs something to its end.
fn in_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
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
        // Reaching a file size limit of the system is an error of the write, and does not end the
        // process.
        let _outlived = signal::outlive_file_limit();
        work.await
    });
    // A guest that still computes after the grace time must not keep the process alive: its thread
    // ends with the process.
    runtime.shutdown_background();
    code
}

async fn dispatch(cli: &Cli) -> ExitCode {
    let code = execute(&cli.command).await.unwrap_or_else(|error| {
        complain!("error: {error:#}");
        code_of(&error)
    });
    match say::trouble() {
        Some(trouble) => {
            complain!("error: the output was not written completely: {}", explained(&trouble));
            ExitCode::FAILURE
        }
        None => code,
    }
}

async fn execute(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(asked) => run::run(configuration(&asked.overrides)?, asked).await,
        Command::Serve(asked) => web::serve(configuration(&asked.overrides)?, asked).await,
        Command::Plot(asked) => plot::plot(&configuration(&asked.overrides)?.config, asked).await,
        Command::Check(asked) => check::check(&configuration(asked)?).await,
        Command::Status(asked) => status::status(&configuration(&asked.overrides)?.config, asked.json).await,
        Command::Alerts(asked) => alerts::alerts(asked).await,
        Command::Reload(asked) => reload::reload(&configuration(&asked.overrides)?.config, asked).await,
        Command::Reconcile(asked) => reconcile::reconcile(configuration(asked)?, asked).await,
        Command::Episodes(asked) => episodes::episodes(&configuration(&asked.overrides)?, asked).await,
        Command::Shelve(asked) => shelve::shelve(&configuration(&asked.overrides)?, asked).await,
        Command::Feedback(asked) => feedback::feedback(&configuration(&asked.overrides)?, asked).await,
        Command::Backfill(asked) => {
            asked.range.expect()?;
            backfill::backfill(configuration(&asked.overrides)?, asked).await
        }
        Command::Service(asked) => service::service(asked),
        Command::Manuals { directory } => manuals::manuals(directory),
        Command::Import(asked) => import::import(configuration(&asked.overrides)?, asked).await,
        Command::Export(asked) => {
            asked.range.expect()?;
            export::export(&configuration(&asked.overrides)?, asked).await
        }
        Command::Schema(asked) => schema::schema(&configuration(&asked.overrides)?.config, asked.dialect),
        Command::Demo(asked) => demo::demo(asked).await,
        Command::Predict(asked) => predict::predict(asked).await,
        Command::Fit(asked) => fit::fit(asked).await,
        Command::Train(asked) => train::train(configuration(&asked.overrides)?, asked).await,
        Command::Backtest(asked) => {
            asked.range.expect()?;
            backtest::backtest(configuration(&asked.overrides)?, asked).await
        }
        Command::Models(asked) => models::models(asked).await,
        Command::Detector(DetectorCommand::Inspect { module }) => inspect::inspect(module).await,
        Command::CompileModule(_) => {
            Err(Misconfigured("it is run before there is a runtime".to_owned()).into())
        }
    }
}

/// The command line or the configuration is wrong, or contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misconfigured(String);

/// A service manager must not restart the program after an error that no restart repairs.
fn code_of(error: &anyhow::Error) -> ExitCode {
    if error.is::<Misconfigured>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

impl DatetimeRange {
    /// Checks that a range is not empty.
    fn expect(self) -> Result<(), Misconfigured> {
        let Self { from, to } = self;
        if from < to {
            return Ok(());
        }
        Err(Misconfigured(format!("--to ({to}) must be later than --from ({from})")))
    }
}

fn configuration(overrides: &Overrides) -> Result<LoadedConfig, Misconfigured> {
    overrides.load(std::env::vars_os()).map_err(|error| Misconfigured(error.to_string()))
}
