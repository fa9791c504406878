//! Training beside a worker, by a clock that the test sets, over a real store and with the real
//! component: the schedule, the stated rule, first models of new variables, and models that have
//! become old.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use host::batch::{Batch, Column};
use host::datetime::Datetime;
use host::detector::{Engine, Limits};
use host::reload::{Canary, SetSource};
use host::store::SqliteStore;
use host::training::background::{Background, Orders, Signals};
use host::training::record::SetRecord;
use host::training::{LeaveOut, Settings, TrainingPlan, generations};
use tests::fixture::{Fixture, Layout};
use tests::logs::Lines;

const DAY: Duration = Duration::from_secs(86_400);

/// This number of days after 2025-01-01.
fn day(day: f64) -> Datetime {
    Datetime::parse("2025-01-01").unwrap().later(DAY.mul_f64(day))
}

/// A daily wave with noise that is the same in each run.
fn value(variable: usize, at: Datetime) -> f64 {
    let minutes = at.micros() / 60_000_000;
    let wave = (minutes as f64 * std::f64::consts::TAU / 1440.0).sin();
    let noise = ((minutes / 20 * 7919) % 101) as f64 / 101.0 - 0.5;
    50.0 + 10.0 * variable as f64 + 10.0 * wave + noise
}

struct Plant {
    fixture: Fixture,
    engine: Engine,
}

impl Plant {
    /// 30 days of readings of these variables, one every 20 minutes.
    fn new(variables: &[&str]) -> Self {
        let fixture = Fixture::new(Layout::Keyed);
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        std::fs::create_dir_all(&cache).unwrap();
        let engine = Engine::new(Limits::default(), Some(&cache)).unwrap();
        let plant = Self { fixture, engine };
        variables.iter().enumerate().for_each(|(number, name)| plant.readings(number, name, 0..30));
        plant
    }

    fn readings(&self, number: usize, variable: &str, days: std::ops::Range<i32>) {
        let input = self.fixture.input();
        let transaction = input.unchecked_transaction().unwrap();
        for row in 72 * days.start..72 * days.end {
            let at = day(f64::from(row) / 72.0);
            let sql = "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, ?2, ?3)";
            transaction.execute(sql, (at.to_string(), variable, value(number, at))).unwrap();
        }
        transaction.commit().unwrap();
    }

    fn models(&self) -> PathBuf {
        self.fixture.dir().join("models")
    }

    /// As after a restart.
    fn background(&self, settings: &str) -> Background {
        let hour = Duration::from_secs(3600);
        let plan = TrainingPlan {
            from: day(0.0),
            to: day(0.0),
            now: day(0.0),
            variables: None,
            shard: None,
            holdout: DAY,
            page_rows: 4000,
            most_readings: 1 << 20,
            limits: Some((1 << 30, hour)),
            keep: 2,
        };
        let settings = Settings::parse(settings.as_bytes()).unwrap();
        let orders = Orders {
            worker: "default".into(),
            every: Some(7 * DAY),
            history: 13 * DAY,
            leave_out_anomalies: LeaveOut::Nothing,
            plan,
            settings,
        };
        let source =
            SetSource { module: None, models: self.models(), settings: "{}".into(), own: Vec::new() };
        let store: SqliteStore = self.fixture.store.clone();
        Background::new(self.engine.clone(), Box::new(store), source, self.fixture.shared.clone(), orders)
    }

    /// The set in use, and when each variable's model was trained.
    fn trained(&self) -> (u64, Vec<(String, Datetime)>) {
        let record = SetRecord::read(&self.models()).unwrap_or_default();
        (record.generation, record.models.into_iter().map(|(name, model)| (name, model.trained)).collect())
    }

    /// A batch that a worker has judged: readings of one day before `until`.
    fn judged(&self, variables: &[(&str, f64)], until: Datetime) {
        let datetimes: Vec<_> =
            (0..72).rev().map(|row| until.earlier(Duration::from_secs(20 * 60 * row))).collect();
        let column = |(number, (name, offset)): (usize, &(&str, f64))| Column {
            variable: Arc::from(*name),
            values: datetimes.iter().map(|at| value(number, *at) + offset).collect(),
        };
        let columns = variables.iter().enumerate().map(column).collect();
        let batch = Arc::new(Batch { datetimes, columns });
        self.fixture.shared.set_canary(Canary { batch, checkpoint: None });
    }
}

async fn beat(background: &mut Background, now: Datetime) {
    background.beat(now, &Signals::default(), &|| true).await;
}

fn all(trained: f64) -> Vec<(String, Datetime)> {
    ["T1", "T2"].map(|name| (name.to_owned(), day(trained))).to_vec()
}

/// The usual settings, and those without the daily course.
const GOOD: &str = "{}";
const WORSE: &str = r#"{"prophet": {"growth": "flat", "daily_seasonality": false}}"#;

#[tokio::test]
async fn models_are_made_on_schedule_and_the_better_one_stays() {
    let plant = Plant::new(&["T1", "T2"]);
    let (lines, _listening) = Lines::listen();
    let mut background = plant.background(GOOD);
    // Another worker became the active one meanwhile: nothing is changed, and the next beat begins
    // again.
    background.beat(day(13.0), &Signals::default(), &|| false).await;
    assert_eq!(plant.trained(), (0, Vec::new()));
    beat(&mut background, day(13.0)).await;
    assert_eq!(plant.trained(), (1, all(13.0)));
    let said = lines.take();
    assert!(said.contains(&"INFO the training was ended before its last variable".to_owned()), "{said:#?}");
    let first = |name: &str, said: &[String]| {
        said.iter()
            .any(|line| line.starts_with(&format!("INFO `{name}` has a first model of 936 rows: error 0.")))
    };
    assert!(first("T1", &said) && first("T2", &said), "{said:#?}");

    beat(&mut background, day(19.9)).await;
    // A restart does not train again, and does not forget what is due.
    let mut background = plant.background(WORSE);
    beat(&mut background, day(19.99)).await;
    assert_eq!(plant.trained(), (1, all(13.0)));
    assert_eq!(lines.take(), Vec::<String>::new());
    let before = std::fs::read(plant.models().join("prophet_model_T1.json")).unwrap();
    beat(&mut background, day(20.0)).await;
    let said = lines.take();
    let kept = said.iter().filter(|line| line.contains("keeps its model: error 0.")).count();
    assert_eq!((kept, plant.trained()), (2, (1, all(13.0))), "{said:#?}");
    assert!(said.ends_with(&["INFO training is done: no model is new; 2 kept, 0 not trained".to_owned()]));
    assert_eq!(std::fs::read(plant.models().join("prophet_model_T1.json")).unwrap(), before);

    // A better one is used, and the one before is kept beside it.
    let mut background = plant.background(GOOD);
    beat(&mut background, day(26.9)).await;
    beat(&mut background, day(27.0)).await;
    assert_eq!(plant.trained(), (2, all(27.0)));
    let kept: Vec<_> = generations::before(&plant.models()).iter().map(|kept| kept.number).collect();
    assert_eq!(kept, [1]);
    assert_eq!(
        std::fs::read(plant.models().join("../.models.generations/1/prophet_model_T1.json")).unwrap(),
        before
    );
}

#[tokio::test]
async fn what_cannot_be_trained_is_named_and_tried_later() {
    let plant = Plant::new(&["T1"]);
    plant.fixture.execute(
        "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2025-01-05 00:00:00', 'lonely', 1)",
    );
    let (lines, _listening) = Lines::listen();
    let mut background = plant.background(r#"{"prophet": {"growht": "flat"}}"#);
    beat(&mut background, day(13.0)).await;
    let said = lines.take();
    let why = "WARN no models were trained, those in use stay: the settings of the training cannot be used: `T1` has settings that \
               cannot be read: unknown field `growht`";
    assert!(said.iter().any(|line| line.starts_with(why)), "{said:#?}");
    assert!(said.iter().any(|line| line.ends_with("tried again from 2025-01-14 00:15:00 on")), "{said:#?}");
    let mut background = plant.background(GOOD);
    beat(&mut background, day(13.0).later(Duration::from_secs(14 * 60))).await;
    assert_eq!(lines.take(), Vec::<String>::new());
    beat(&mut background, day(13.0).later(Duration::from_secs(15 * 60))).await;
    let said = lines.take();
    let lacks = "WARN `lonely` has 1 rows with a value in `y`; a model needs at least 2; the model in use, if there is one, stays";
    assert!(said.contains(&lacks.to_owned()), "{said:#?}");
    assert_eq!(plant.trained().1.len(), 1);
}

#[tokio::test]
async fn a_variable_that_came_since_gets_its_first_model_alone() {
    let plant = Plant::new(&["T1", "T2"]);
    plant.readings(2, "NEW", 14..30);
    let mut background = plant.background(GOOD);
    beat(&mut background, day(13.0)).await;
    assert_eq!(plant.trained(), (1, all(13.0)));
    plant.judged(&[("NEW", 0.0)], day(14.0));
    beat(&mut background, day(14.0)).await;
    let hour = 1.0 / 24.0;
    for now in [14.0 + 2.0 * hour, 15.9] {
        beat(&mut background, day(now)).await;
        assert_eq!(plant.trained().0, 1, "{now}");
    }
    // It is remembered over a restart, which looks an hour later.
    let mut background = plant.background(GOOD);
    beat(&mut background, day(16.0)).await;
    beat(&mut background, day(16.0 + hour)).await;
    let mut expected = all(13.0);
    expected.insert(0, ("NEW".to_owned(), day(16.0 + hour)));
    assert_eq!(plant.trained(), (2, expected));
}

#[tokio::test]
async fn a_model_whose_errors_have_outgrown_its_training_is_named_once() {
    let plant = Plant::new(&["T1", "T2"]);
    let mut background = plant.background(GOOD);
    beat(&mut background, day(13.0)).await;
    let (lines, _listening) = Lines::listen();
    let (hour, mut now) = (1.0 / 24.0, 13.5);
    for (drift, expected) in
        [(0.0, vec![]), (4.0, vec!["T2"]), (4.0, vec!["T2"]), (0.0, vec![]), (0.0, vec![])]
    {
        // As many readings as are remembered.
        for _ in 0..2 {
            plant.judged(&[("T1", 0.0), ("T2", drift)], day(now));
            beat(&mut background, day(now)).await;
            now += hour;
        }
        let aged: Vec<_> = plant.fixture.shared.aged().unwrap_or_default().into_keys().collect();
        assert_eq!(aged, expected, "{now}");
    }
    let mut said = lines.take();
    said.retain(|line| line.starts_with("WARN"));
    assert_eq!(said.len(), 1, "{said:#?}");
    // Their median is 3.6 or so.
    assert!(said[0].starts_with("WARN the model of `T2` is aged: its error is 5."), "{said:#?}");
}

/// The findings on the models are in the worker's row, where `status` and others read them.
#[tokio::test]
async fn the_row_names_aged_models_and_a_start_remembers_them() {
    use host::store::Commit;
    use tests::fixture::echo;

    let fixture = Fixture::new(Layout::Keyed);
    fixture.insert(&[("11:55", "A", 1.0)]);
    let mut worker = fixture.worker(echo().await);
    let beats = worker.beats();
    assert_eq!(*beats.borrow(), None);
    worker.cycle(|| false).await.unwrap();
    assert_eq!(*beats.borrow(), Some(tests::fixture::datetime("12:00")));
    let aged = || async { fixture.state().await.unwrap().models.unwrap().aged };
    assert!(aged().await.is_empty());
    let mut state = fixture.state().await.unwrap();
    let one = host::aged::Aged { error: 2.0, usual: 1.0, model: "m".into() };
    state.models.as_mut().unwrap().aged.insert("A".into(), one.clone());
    let (_, mut output) = host::store::Connector::open(&fixture.store).await.unwrap();
    output.commit(tests::fixture::WORKER, &Commit::of(&[], &state)).await.unwrap();
    drop(worker);
    let mut worker = fixture.worker(echo().await);
    fixture.insert(&[("11:56", "A", 1.0)]);
    worker.cycle(|| false).await.unwrap();
    assert_eq!(aged().await, [("A".to_owned(), one.clone())].into(), "what was said stays");
    assert_eq!(fixture.shared.aged(), Some([("A".to_owned(), one)].into()));
}
