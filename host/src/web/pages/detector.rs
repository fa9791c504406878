//! The detector: the set in use, its models, refused files with the reason, and the counts of all
//! readings.

use axum::extract::State as Given;
use axum::response::Response;
use minijinja::{Value, context};

use super::{PageResult, WorkerStatus, grouped, second};
use crate::counts::{Counts, RowOutcome};
use crate::detector::short_digest;
use crate::reload::SetOverview;
use crate::state::{ModelsInUse, State};
use crate::store::{PageReader, StoreError};
use crate::text::escaped;
use crate::web::render::{PageContent, map};
use crate::web::view::{View, duration, encoded};
use crate::web::words::Words;
use crate::web::{App, SharedApp};

/// The most rows of a list.
const LISTED: usize = 200;

/// The most workers that are shown.
const MOST_WORKERS: usize = 64;

pub(in crate::web) async fn detector(Given(app): Given<SharedApp>, view: View) -> Response {
    let page = page(&app, &view).await;
    app.answer(&view, page)
}

struct DetectorView {
    standing: WorkerStatus,
    workers: Vec<(String, State)>,
}

async fn read(app: &App, reader: &mut dyn PageReader) -> Result<DetectorView, StoreError> {
    let standing = WorkerStatus::read(app, reader).await?;
    let mut workers = Vec::new();
    for name in reader.workers().await?.into_iter().take(MOST_WORKERS) {
        // Rows of backfills have no outline.
        if let Some(outline) = reader.outline(&name).await? {
            workers.push((name, outline.state));
        }
    }
    Ok(DetectorView { standing, workers })
}

async fn page(app: &App, view: &View) -> PageResult<PageContent> {
    let mut reader = app.readers.lend().await?;
    let found = read(app, &mut *reader).await;
    let found = reader.after(found)?;
    let words = Words::of(view.labels);
    let state = found.standing.state.as_ref();
    let models = state.and_then(|state| state.models.as_ref());
    let context = context! {
        title => words.get("detector"),
        now => second(found.standing.now),
        has_state => state.is_some(),
        set => state.and_then(|state| state.set_digest.clone()),
        models => models.map(|models| models.count),
        directory => models.map(|models| escaped(&models.directory)),
        refused => models.and_then(|models| models.refused.as_deref()).map(escaped),
        aged => models.map(aged).filter(|aged| !aged.is_empty()),
        fates => state.map(|state| fates(&state.counts, words)),
        set_aside => state.map(set_aside),
        workers => found.workers.iter().map(|(name, state)| worker(name, state, &found.standing)).collect::<Value>(),
        files => app.live.as_ref().and_then(crate::reload::ReloadSlots::in_use).map(|set| files(&set)),
    };
    Ok(PageContent { template: "detector.html", context })
}

/// Variables whose models are aged.
fn aged(models: &ModelsInUse) -> String {
    let names: Vec<_> = models.aged.keys().map(|name| escaped(name)).collect();
    names.join(", ")
}

fn fates(counts: &Counts, words: Words) -> Value {
    let row = |outcome: RowOutcome| {
        let word = words.get(&format!("fate_{}", outcome.label)).into();
        map([("word", word), ("count", grouped(outcome.rows).into())])
    };
    counts.outcomes().into_iter().map(row).collect()
}

fn set_aside(state: &State) -> Value {
    let row = |(name, aside): (&std::sync::Arc<str>, &crate::state::SetAside)| {
        map([
            ("name", escaped(name).into()),
            ("link", format!("/variable?name={}", encoded(name)).into()),
            ("readings", aside.readings.into()),
            ("from", second(aside.first).into()),
            ("to", second(aside.last).into()),
            ("reason", escaped(&aside.reason).into()),
        ])
    };
    state.set_aside.iter().take(LISTED).map(row).collect()
}

fn worker(name: &str, state: &State, standing: &WorkerStatus) -> Value {
    map([
        ("name", escaped(name).into()),
        ("watermark", state.watermark_at(standing.now).map(second).into()),
        ("updated_at", second(state.updated_at).into()),
        ("idle", duration(standing.now.since(state.updated_at)).into()),
        ("set", state.set_digest.as_deref().map(|digest| short_digest(digest).to_owned()).into()),
        ("judged", grouped(state.counts.judged).into()),
    ])
}

fn files(set: &SetOverview) -> Value {
    let file = |(path, digest): (&String, &String)| {
        let digest: String = digest.chars().take(12).collect();
        map([("path", escaped(path).into()), ("digest", digest.into())])
    };
    let (module, module_digest) = &set.module;
    map([
        ("module", escaped(module).into()),
        ("module_digest", module_digest.chars().take(12).collect::<String>().into()),
        ("files", set.files.iter().take(LISTED).map(file).collect()),
        ("more_files", set.files.len().saturating_sub(LISTED).into()),
        ("variables", set.variables.len().into()),
    ])
}
