//! `host check`: everything that `run` needs, tried one after the other.
//!
//! Each trial is a line: what was tried, what was found, and where it fails what to do. It goes on
//! after a failure as far as the rest can still be tried. Nothing is written: rights are tried in a
//! transaction that is rolled back.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::ahead;
use super::say::say;
use super::wiring;
use crate::batch::Flags;
use crate::column_limits::decimal_18_6;
use crate::config::{Config, LoadedConfig};
use crate::datetime::Datetime;
use crate::detector::{Detector, Trainer, as_said, short_digest};
use crate::nfc::nfc;
use crate::reading::{Page, Reading};
use crate::store::{Input, InputLayout, Output, OutputProbe, PlantClock, Store, StoreError};
use crate::verdict::VerdictRow;
use crate::worker::{self, report::count};

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

    /// `run` works with it, but it needs attention.
    fn note(&self, what: &str, found: impl std::fmt::Display) {
        say!("note  {what:<14} {found}");
    }

    fn fail(&mut self, what: &str, found: impl std::fmt::Display) {
        self.failed = true;
        say!("FAIL  {what:<14} {found}");
    }
}

/// Prints a line for each trial; succeeds only if `run` would work.
pub(super) async fn check(loaded: &LoadedConfig) -> anyhow::Result<ExitCode> {
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
        training(&mut trials, &loaded.config, &detector).await;
        if let Some(variables) = &variables {
            equal_names(&mut trials, &loaded.config, &detector, variables).await;
        }
    }
    channels(&mut trials, &loaded.config);
    services(&mut trials, loaded).await;
    say!("");
    say!("{}", if trials.failed { "`host run` would not work yet" } else { "`host run` would work" });
    Ok(if trials.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Lists the receivers of alerts. Nothing is sent: `host alerts test` does that.
fn channels(trials: &mut Trials, config: &Config) {
    match wiring::channels(config) {
        Ok(channels) => {
            for channel in channels {
                trials.ok("alerts", format!("`{}` tells {}", channel.name, channel.place()));
            }
        }
        Err(error) => trials.fail("alerts", error),
    }
}

/// Lists the services of this machine that conflict with this one.
async fn services(trials: &mut Trials, loaded: &LoadedConfig) {
    let config = &loaded.config;
    // What is wrong with it was reported before.
    let Ok(store) = wiring::store(config) else { return };
    let kept = wiring::last_good(config, &wiring::source(config)).map(|kept| kept.path().to_owned());
    let ours = wiring::identity(config, loaded.file.as_deref(), store.output_place(), kept);
    for sentence in super::beside::sentences(&ours).await {
        trials.note("services", sentence);
    }
}

/// Tries both databases. Returns the variables of the last day.
async fn database(trials: &mut Trials, config: &Config) -> Option<BTreeSet<Arc<str>>> {
    let store = match wiring::store(config) {
        Ok(store) => store,
        Err(error) => {
            trials.fail("database", error);
            return None;
        }
    };
    store.warnings().iter().for_each(|warning| trials.note("database", warning));
    let output = output(trials, store.as_ref(), config).await;
    let rows = match store.look_at_input().await {
        Ok(mut input) => readings(trials, input.as_mut(), store.as_ref(), config).await?,
        Err(error) => {
            trials.fail("input", error);
            return None;
        }
    };
    if let Some(mut output) = output {
        verdicts(trials, output.as_mut(), &rows).await;
    }
    Some(rows.into_iter().map(|row| row.variable).collect())
}

/// Tries a verdict on each variable that was read, and rolls back: a constraint may refuse some of
/// them.
async fn verdicts(trials: &mut Trials, output: &mut dyn OutputProbe, rows: &[Reading]) {
    let newest: BTreeMap<_, _> = rows.iter().map(|row| (&row.variable, row)).collect();
    let verdicts: Vec<_> = newest.into_values().filter_map(as_expected).collect();
    if verdicts.is_empty() {
        return;
    }
    match worker::refused::find(output, &verdicts).await {
        Ok(refused) if refused.is_empty() => {}
        Ok(refused) => {
            let all = refused.len() == verdicts.len();
            let why = refused.values().next().cloned().unwrap_or_default();
            let names: Vec<_> = refused.keys().collect();
            let said = format!("it refuses verdicts on {} ({why})", names_of(&names));
            if all && refused.len() > 1 {
                trials.fail("output", said);
            } else {
                trials.note("output", format!("{said}; they are left out, and the others are stored"));
            }
        }
        Err(error) => trials.fail("output", error),
    }
}

/// A verdict that finds the reading as it was expected; None without a value that the output holds.
fn as_expected(row: &Reading) -> Option<VerdictRow> {
    let y = decimal_18_6(row.value?)?;
    Some(VerdictRow {
        ds: row.datetime,
        variable: Arc::clone(&row.variable),
        y,
        yhat: y,
        yhat_lower: y,
        yhat_upper: y,
        residual: 0.0,
        flags: Flags::default(),
        anomaly_score: 0.0,
        prediction_error_pct: 0.0,
        source_file: row.source_file.clone(),
    })
}

/// Tries the output. None if no further check of it is possible.
async fn output(trials: &mut Trials, store: &dyn Store, config: &Config) -> Option<Box<dyn Output>> {
    let place = store.output_place();
    let mut output = match store.try_output().await {
        Ok(Some(output)) => output,
        Ok(None) => {
            // If both are one file, the input must exist, and the next line reports it.
            if place != store.input_place() {
                trials.ok("output", format!("`{place}` does not exist yet; `run` creates it"));
            }
            return None;
        }
        Err(error) => {
            trials.fail("output", error);
            return None;
        }
    };
    let probed = match output.probe().await {
        Ok(probed) => probed,
        Err(error) => {
            trials.fail("output", error);
            return None;
        }
    };
    if probed.problems.is_empty() {
        let (output, state) = (&config.output.table, &config.output.state_table);
        trials.ok("output", format!("`{place}`: `{output}` and `{state}` can be written"));
    }
    probed.problems.iter().for_each(|problem| trials.fail("output", problem));
    probed.notes.iter().for_each(|note| trials.note("output", note));
    // If the tables do not exist yet, nothing can refuse a verdict.
    let outline = output.outline(&config.worker.row()).await;
    let there = outline.is_ok();
    let models = outline.ok().flatten().and_then(|outline| outline.state.models);
    for (variable, aged) in models.iter().flat_map(|models| &models.aged).take(NAMED) {
        trials.note("models", crate::aged::sentence(variable, aged));
    }
    (probed.problems.is_empty() && there).then_some(output)
}

async fn readings(
    trials: &mut Trials,
    input: &mut dyn Input,
    store: &dyn Store,
    config: &Config,
) -> Option<Vec<Reading>> {
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
    match recent(input, layout, config.worker.batch_rows).await {
        Ok((now, page)) => {
            trials.ok("clock", format!("{now}, by {}", clock(&config.input.clock)));
            let variables: BTreeSet<_> = page.readings.iter().map(|reading| &reading.variable).collect();
            trials.ok(
                "readings",
                format!(
                    "{}{} of {} in the last 24 hours",
                    if page.full { "more than " } else { "" },
                    count(page.readings.len() as u64, "row"),
                    count(variables.len() as u64, "variable"),
                ),
            );
            dated_ahead(trials, input, store).await;
            Some(page.readings)
        }
        Err(error) => {
            trials.fail("readings", error);
            None
        }
    }
}

/// The time, and at most a batch of the last day's readings: no more than a cycle reads, and in the
/// same way.
async fn recent(
    input: &mut dyn Input,
    layout: InputLayout,
    rows: usize,
) -> Result<(Datetime, Page), StoreError> {
    let now = input.now().await?;
    let since = now.earlier(Duration::from_secs(24 * 3600));
    if !layout.has_key || layout.has_datetime_index {
        return Ok((now, input.read_range(since, None, rows).await?));
    }
    let Some(last) = input.last_key().await? else { return Ok((now, Page::default())) };
    let first = last.saturating_sub(i64::try_from(rows).unwrap_or(i64::MAX)).saturating_add(1);
    let mut page = input.read_keys(&[(first, last)], rows).await?;
    let read = page.readings.len();
    page.readings.retain(|reading| reading.datetime >= since);
    // If all of them are of the last day, there may be more before them.
    page.full = read > 0
        && page.readings.len() == read
        && input.read_keys(&[(i64::MIN, first - 1)], 1).await? != Page::default();
    Ok((now, page))
}

fn clock(clock: &PlantClock) -> String {
    match clock {
        PlantClock::Server => {
            "the database's own clock; where that is not the plant's, as on Azure, set `input.clock`"
                .to_owned()
        }
        clock => format!("`input.clock` = \"{clock}\""),
    }
}

/// A clock that is wrong somewhere: `run` works, but it should be known.
async fn dated_ahead(trials: &mut Trials, input: &mut dyn Input, store: &dyn Store) {
    let said = async {
        let now = input.now().await?;
        // Without the tables of a worker there are no verdicts.
        if let Some(mut output) = store.look_at_output().await?
            && let Ok(said) = ahead::ahead(input, Some(output.as_mut()), now).await
        {
            return Ok(said);
        }
        ahead::ahead(input, None, now).await
    };
    let said: Result<Vec<String>, crate::store::StoreError> = said.await;
    // It was reported before that the database cannot be read.
    for sentence in said.unwrap_or_default() {
        trials.note("clock", sentence);
    }
}

async fn detector(trials: &mut Trials, config: &Config) -> Option<Detector> {
    match wiring::detector(config).await {
        Ok(detector) => {
            let said = detector.description();
            let module = &detector.set().module.name;
            trials.ok("detector", format!("{} {} ({module})", said.name, said.version));
            Some(detector)
        }
        Err(error) => {
            trials.fail("detector", error);
            None
        }
    }
}

/// Whether the models can be trained on the schedule that is set.
async fn training(trials: &mut Trials, config: &Config, detector: &Detector) {
    let section = &config.training;
    let Some(every) = section.every.0 else { return };
    if let Err(error) = wiring::training_settings(section, config.detector.module.is_none()) {
        trials.fail("training", format!("{error:#}"));
        return;
    }
    // What is wrong with the engine was reported before.
    let Ok(engine) = wiring::engine(config) else { return };
    match Trainer::new(&engine, &detector.set().module).await {
        Ok(_) => trials.ok("training", format!("every {}", humantime::format_duration(every))),
        Err(error) => {
            trials.note("training", format!("{error}; so `every` of `[training]` trains nothing"));
        }
    }
}

/// Names that the output takes for the same, of which one is judged. If the output cannot be asked
/// yet, that was reported before.
async fn equal_names(
    trials: &mut Trials,
    config: &Config,
    detector: &Detector,
    variables: &BTreeSet<Arc<str>>,
) {
    let Ok(store) = wiring::store(config) else { return };
    let Ok(Some(mut output)) = store.look_at_output().await else { return };
    let models: BTreeSet<_> = detector.summary().loaded().map(|model| Arc::clone(&model.variable)).collect();
    let others = variables.difference(&models).cloned();
    let listed: Vec<_> = models.iter().cloned().chain(others).collect();
    let Ok(equal) = output.equal_names(&listed).await else { return };
    for (name, first) in equal.iter().take(NAMED) {
        trials.note(
            "names",
            format!("the output takes `{name}` and `{first}` for the same name: only one of them is judged"),
        );
    }
    if equal.len() > NAMED {
        trials.note("names", format!("and {} more", equal.len() - NAMED));
    }
}

fn models(trials: &mut Trials, detector: &Detector, variables: Option<&BTreeSet<Arc<str>>>) {
    let summary = detector.summary();
    let loaded: BTreeSet<_> = summary.loaded().map(|model| Arc::clone(&model.variable)).collect();
    trials.ok(
        "models",
        format!(
            "{} in `{}`, set {}",
            count(loaded.len() as u64, "model"),
            detector.set().models_dir,
            short_digest(&detector.set().digest)
        ),
    );
    for model in &summary.models {
        if let Some(why) = &model.refused {
            trials.note("models", format!("`{}` is not used: {why}", model.path));
        }
    }
    let Some(variables) = variables else { return };
    // Invisible characters are escaped, as in the detector's texts.
    let said = |name: &Arc<str>| nfc(&as_said(name)).into_owned();
    let (composed, judged): (BTreeSet<_>, BTreeSet<_>) =
        (variables.iter().map(said).collect(), loaded.iter().map(said).collect());
    let without: Vec<_> = variables.iter().filter(|name| !judged.contains(&said(name))).collect();
    let unused: Vec<_> = loaded.iter().filter(|name| !composed.contains(&said(name))).collect();
    if !without.is_empty() {
        trials.note(
            "models",
            format!("no model for {}: with a rule that needs one they are not judged", names_of(&without)),
        );
    }
    if !unused.is_empty() && !variables.is_empty() {
        trials.note(
            "models",
            format!("no reading in the last 24 hours for the models of {}", names_of(&unused)),
        );
    }
}

fn names_of(variables: &[&Arc<str>]) -> String {
    let shown: Vec<_> = variables.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match variables.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
