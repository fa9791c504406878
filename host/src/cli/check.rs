//! `host check`: everything that `run` needs, tried one after the other.
//!
//! Each trial is a line: what was tried, what was found, and where it fails what to do. It goes on after a failure as far as the
//! rest can still be tried. Nothing is written: rights are tried in a transaction that is rolled back.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use super::parts::{self, Store};
use super::say::say;
use crate::config::{Config, Loaded};
use crate::detector::{Detector, as_said};
use crate::form::nfc;
use crate::store::Input;
use crate::worker::{self, report::count};

/// How many rows are looked through for variables without a model.
const LOOKED_THROUGH: usize = 100_000;

/// Names in one line.
const NAMED: usize = 10;

/// The lines, and whether `run` would work.
#[derive(Default)]
struct Trials {
    failed: bool,
}

impl Trials {
    fn ok(&self, what: &str, found: impl std::fmt::Display) {
        say!("ok    {what:<14} {found}");
    }

    /// Not in the way of `run`, but somebody should look at it.
    fn note(&self, what: &str, found: impl std::fmt::Display) {
        say!("note  {what:<14} {found}");
    }

    fn fail(&mut self, what: &str, found: impl std::fmt::Display) {
        self.failed = true;
        say!("FAIL  {what:<14} {found}");
    }
}

/// Prints a line for each trial; succeeds only if `run` would work.
pub(super) async fn check(loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let mut trials = Trials::default();
    match &loaded.file {
        Some(file) => trials.ok("configuration", format!("`{}`", file.display())),
        None => trials.ok("configuration", "no file: defaults, environment and flags"),
    }
    for warning in &loaded.warnings {
        trials.note("configuration", warning);
    }
    let variables = database(&mut trials, &loaded.config).await;
    if let Some(detector) = detector(&mut trials, &loaded.config).await {
        models(&mut trials, &detector, variables.as_ref());
        if let Some(variables) = &variables {
            equal_names(&mut trials, &loaded.config, &detector, variables).await;
        }
    }
    say!("");
    say!("{}", if trials.failed { "`host run` would not work yet" } else { "`host run` would work" });
    Ok(if trials.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tries both databases. Returns the variables of the last day.
async fn database(trials: &mut Trials, config: &Config) -> Option<BTreeSet<Arc<str>>> {
    let store = match parts::store(config) {
        Ok(store) => store,
        Err(error) => {
            trials.fail("database", error);
            return None;
        }
    };
    store.warnings().iter().for_each(|warning| trials.note("database", warning));
    output(trials, &store, config).await;
    match store.look_at_input().await {
        Ok(mut input) => readings(trials, input.as_mut(), &store, config).await,
        Err(error) => {
            trials.fail("input", error);
            None
        }
    }
}

async fn output(trials: &mut Trials, store: &Store, config: &Config) {
    let place = store.output_place();
    let probed = match store.try_output().await {
        Ok(Some(mut output)) => output.probe().await,
        Ok(None) => {
            // Where both are one file, it is the input that must exist, and the next line says so.
            if place != store.input_place() {
                trials.ok("output", format!("`{place}` does not exist yet; `run` creates it"));
            }
            return;
        }
        Err(error) => Err(error),
    };
    match probed {
        Ok(problems) if problems.is_empty() => {
            let (output, state) = (&config.output.table, &config.output.state_table);
            trials.ok("output", format!("`{place}`: `{output}` and `{state}` can be written"));
        }
        Ok(problems) => problems.iter().for_each(|problem| trials.fail("output", problem)),
        Err(error) => trials.fail("output", error),
    }
}

async fn readings(
    trials: &mut Trials,
    input: &mut dyn Input,
    store: &Store,
    config: &Config,
) -> Option<BTreeSet<Arc<str>>> {
    let layout = match input.layout().await {
        Ok(layout) => layout,
        Err(error) => {
            trials.fail("input", error);
            return None;
        }
    };
    let problems = input.probe().await.unwrap_or_else(|error| vec![error]);
    if !problems.is_empty() {
        problems.iter().for_each(|problem| trials.fail("input", problem));
        return None;
    }
    let position = match (layout.has_key, layout.has_id) {
        (true, _) => "its key `id`",
        (false, false) => "`datetime` as it has no key `id`",
        (false, true) => {
            "`datetime` as its `id` gives no order of arrival (only a key does that the table itself counts up, and a view has none; \
             name the table that the view reads)"
        }
    };
    let lateness = worker::lateness(config.worker.allowed_lateness, layout);
    trials.ok(
        "input",
        format!(
            "`{}` in `{}`, positioned by {position}, rows may come up to {} late",
            config.input.table,
            store.input_place(),
            humantime::format_duration(lateness)
        ),
    );
    if !layout.has_datetime_index {
        let reads = if layout.has_key {
            "cycles go by `id`, but a first start and each batch of a backfill read"
        } else {
            "each cycle reads"
        };
        trials
            .note("input", format!("no index on `datetime`: {reads} the whole table; ask for such an index"));
    }
    let recent = async {
        let now = input.now().await?;
        input.read_range(now.earlier(std::time::Duration::from_secs(24 * 3600)), None, LOOKED_THROUGH).await
    };
    match recent.await {
        Ok(page) => {
            let variables: BTreeSet<_> =
                page.readings.iter().map(|reading| Arc::clone(&reading.variable)).collect();
            trials.ok(
                "readings",
                format!(
                    "{}{} of {} in the last 24 hours",
                    if page.full { "more than " } else { "" },
                    count(page.readings.len() as u64, "row"),
                    count(variables.len() as u64, "variable"),
                ),
            );
            Some(variables)
        }
        Err(error) => {
            trials.fail("readings", error);
            None
        }
    }
}

async fn detector(trials: &mut Trials, config: &Config) -> Option<Detector> {
    let opened = async {
        let engine = parts::engine(config)?;
        let set = parts::source(config).read_at_start(&engine).await?;
        anyhow::Ok(Detector::open(&engine, Arc::new(set), None).await?)
    };
    match opened.await {
        Ok(detector) => {
            let said = detector.description();
            let module = &detector.set().module.name;
            trials.ok("detector", format!("{} {} ({module})", said.name, said.version));
            Some(detector)
        }
        Err(error) => {
            trials.fail("detector", format!("{error:#}"));
            None
        }
    }
}

/// Names that the output takes for one, of which one is judged. Where nothing can be asked yet, that was said before.
async fn equal_names(
    trials: &mut Trials,
    config: &Config,
    detector: &Detector,
    variables: &BTreeSet<Arc<str>>,
) {
    let Ok(store) = parts::store(config) else { return };
    let Ok(Some(mut output)) = store.look_at_output().await else { return };
    let models: BTreeSet<_> = detector.summary().loaded().map(|model| Arc::clone(&model.variable)).collect();
    let others = variables.difference(&models).cloned();
    let listed: Vec<_> = models.iter().cloned().chain(others).collect();
    let Ok(equal) = output.equal_names(&listed).await else { return };
    for (name, first) in equal.iter().take(NAMED) {
        trials
            .note("names", format!("the output takes `{name}` and `{first}` for one: one of them is judged"));
    }
    if equal.len() > NAMED {
        trials.note("names", format!("and {} more", equal.len() - NAMED));
    }
}

fn models(trials: &mut Trials, detector: &Detector, variables: Option<&BTreeSet<Arc<str>>>) {
    let summary = detector.summary();
    let loaded: BTreeSet<_> = summary.loaded().map(|model| Arc::clone(&model.variable)).collect();
    trials
        .ok("models", format!("{} in `{}`", count(loaded.len() as u64, "model"), detector.set().models_dir));
    for model in &summary.models {
        if let Some(why) = &model.refused {
            trials.note("models", format!("`{}` is not used: {why}", model.path));
        }
    }
    let Some(variables) = variables else { return };
    // In words as the detector's are: what does not show is escaped.
    let said = |name: &Arc<str>| nfc(&as_said(name)).into_owned();
    let (composed, judged): (BTreeSet<_>, BTreeSet<_>) =
        (variables.iter().map(said).collect(), loaded.iter().map(said).collect());
    let without: Vec<_> = variables.iter().filter(|name| !judged.contains(&said(name))).collect();
    let unused: Vec<_> = loaded.iter().filter(|name| !composed.contains(&said(name))).collect();
    if !without.is_empty() {
        trials.note("models", format!("no model for {}: their readings pass unjudged", names(&without)));
    }
    if !unused.is_empty() && !variables.is_empty() {
        trials
            .note("models", format!("no reading in the last 24 hours for the models of {}", names(&unused)));
    }
}

fn names(variables: &[&Arc<str>]) -> String {
    let shown: Vec<_> = variables.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match variables.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
