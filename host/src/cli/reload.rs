//! `host reload`: makes the running service look at its files now, or shows what a reload would do.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::args::Reload;
use super::say::say;
use super::wiring;
use crate::config::Config;
use crate::detector::short_digest;
use crate::reload::{Canary, DryRun, Found, SetChanges, SetOverview};
use crate::service::control::{self, Question, Reply, Unanswered};
use crate::state::State;
use crate::store::{Store, StoreError, VerdictReader};
use crate::worker;

/// How long the command waits for a look.
const WAIT: Duration = Duration::from_secs(120);

/// What is in use is known without a look.
const SHORT_WAIT: Duration = Duration::from_secs(10);

/// Asks the service, or tries the files.
pub(super) async fn reload(config: &Config, asked: &Reload) -> anyhow::Result<ExitCode> {
    if asked.dry_run { dry_run(config).await } else { look(config).await }
}

async fn look(config: &Config) -> anyhow::Result<ExitCode> {
    let answer = match control::ask(&wiring::control_name(config)?, Question::Look, WAIT).await {
        Ok(Reply::Looked(answer)) => answer,
        Ok(Reply::InUse(_) | Reply::Who(_) | Reply::Denied) => {
            return Err(anyhow!("it answers something else"));
        }
        Err(error) => return Err(unanswered(config, &error)),
    };
    say!("{answer}");
    Ok(match answer.found {
        Found::Same | Found::Ready => ExitCode::SUCCESS,
        Found::Refused(_) | Found::Hangs(_) => ExitCode::FAILURE,
    })
}

fn unanswered(config: &Config, error: &Unanswered) -> anyhow::Error {
    let name = config.worker.row();
    let then = match error {
        Unanswered::NoService if cfg!(any(target_os = "linux", windows)) => {
            "`host reload --dry-run` shows what the files would change".to_owned()
        }
        Unanswered::Denied if cfg!(windows) => {
            format!("in a console of an administrator: {}", this_command())
        }
        Unanswered::Denied => format!("as root: sudo {}", this_command()),
        Unanswered::Slow(_) => "it continues to read, and its log shows the result".to_owned(),
        Unanswered::NoService | Unanswered::Broken(_) => {
            "a SIGHUP makes it look too, and its log shows the result".to_owned()
        }
    };
    anyhow!("the service of worker `{name}` was not asked: {error}; {then}")
}

/// This command line, with the program's full path.
fn this_command() -> String {
    let program = std::env::current_exe().map(|program| program.display().to_string());
    let flags = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    program.into_iter().chain(flags).collect::<Vec<_>>().join(" ")
}

async fn dry_run(config: &Config) -> anyhow::Result<ExitCode> {
    let engine = wiring::engine(config)?;
    let source = wiring::source(config);
    let in_use = match control::ask(&wiring::control_name(config)?, Question::InUse, SHORT_WAIT).await {
        Ok(Reply::InUse(set)) => Some((set, "the service that runs")),
        _ => {
            let last_good = wiring::last_good(config, &source);
            let kept = match &last_good {
                Some(last_good) => last_good.overview(&engine, &source).await,
                None => None,
            };
            kept.map(|set| (set, "what is kept of the set that judged last; no service answers"))
        }
    };
    let store = wiring::store(config)?;
    let (canary, untried) = match canary(store.as_ref(), &config.worker.row()).await {
        Ok(Some(canary)) => (Some(canary), None),
        Ok(None) => (None, Some("nothing was judged yet".to_owned())),
        Err(error) => (None, Some(error.to_string())),
    };
    match &in_use {
        Some((set, by)) => say!("in use    set {}, by {by}", short_digest(&set.digest)),
        None => say!("in use    unknown: no service answers, and no set is kept here"),
    }
    let batch = canary.as_ref().map(|canary| Arc::clone(&canary.batch));
    let in_use = in_use.map(|(set, _)| set);
    let DryRun { files, refused } = DryRun::of(&engine, &source, in_use.as_ref(), canary).await;
    if let (Some(in_use), Some(files)) = (&in_use, &files) {
        changes(in_use, files, &in_use.changes_to(files));
    }
    if let Some(error) = refused {
        say!("refused   {error}");
        return Ok(ExitCode::FAILURE);
    }
    match (batch, untried) {
        (Some(batch), _) => say!("trial     judged the last batch, {}", in_words(&batch)),
        (None, why) => say!("trial     opened, and tried on no batch: {}", why.unwrap_or_default()),
    }
    let set = files.map(|set| set.digest).unwrap_or_default();
    let same = in_use.is_some_and(|in_use| in_use.digest == set);
    if same {
        say!("nothing would change");
    } else {
        say!("set {} would judge the next batch", short_digest(&set));
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(batch: &crate::batch::Batch) -> String {
    let count = |number: usize, what| worker::report::count(number as u64, what);
    format!("{} of {}", count(batch.datetimes.len(), "datetime"), count(batch.columns.len(), "variable"))
}

fn changes(in_use: &SetOverview, files: &SetOverview, changes: &SetChanges) {
    say!(
        "on disk   set {}, {}",
        short_digest(&files.digest),
        worker::report::count(files.files.len() as u64, "file")
    );
    if *changes == SetChanges::default() && in_use.digest == files.digest {
        return;
    }
    let SetChanges { module, settings, added, removed, changed } = changes;
    if let Some((before, after)) = module {
        say!("module    `{after}` in place of `{before}`, with other bytes");
    }
    for (what, names) in [("setting", settings), ("added", added), ("removed", removed), ("changed", changed)]
    {
        for name in names {
            say!("{what:<9} `{name}`");
        }
    }
}

/// The last readings that have a verdict, on which every new set is tried.
async fn canary(store: &dyn Store, worker: &str) -> Result<Option<Canary>, StoreError> {
    let mut input = store.look_at_input().await?;
    let Some(mut output) = store.look_at_output().await? else { return Ok(None) };
    let Some(state) = output.peek(worker).await? else { return Ok(None) };
    let output = output.as_mut() as &mut dyn VerdictReader;
    let batch = worker::last_judged(input.as_mut(), output, &state).await?;
    let State { checkpoint, .. } = state;
    Ok(batch.map(|batch| Canary { batch: Arc::new(batch), checkpoint }))
}
