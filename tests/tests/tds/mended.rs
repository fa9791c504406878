//! Silences and stuck values that late readings and a backfill disprove, over the wire: the worker
//! reads the verdicts around them and changes their rows with the store's own statements. What
//! follows from which readings is tried on SQLite.

use std::sync::Arc;
use std::time::Duration;

use fake_tds::Server;
use host::datetime::Datetime;
use host::episode::{PatternSettings, StateDelay, TrackerSettings, VariableRules};
use host::reload::ReloadSlots;
use host::store::TableNames;
use host::store::schema::sqlserver as ddl;
use host::worker::backfill::{Backfill, BackfillPlan};
use host::worker::{Worker, WorkerSettings};
use tests::fixture::{WORKER, datetime, echo, worker_settings};
use tests::sqlserver::SideConnection;
use tests::tds::{self, PLAIN};
use tiberius::time::chrono::NaiveDateTime;

/// Silent after five minutes, stuck after four. `OK` is neither: a plant of which nothing has
/// readings is one state.
fn rules() -> Arc<TrackerSettings> {
    let minutes = |minutes: u64| Some(StateDelay::Set(Duration::from_secs(60 * minutes)));
    let said = |name: &str, silent, stuck| {
        let (silent_after, stuck_after) = (minutes(silent), minutes(stuck));
        (name.to_owned(), PatternSettings { silent_after, stuck_after, ..PatternSettings::default() })
    };
    let rules = VariableRules::new([said("T1", 5, 4), said("OK", 600, 600)]);
    Arc::new(TrackerSettings { rules, ..TrackerSettings::default() })
}

fn naive(at: Datetime) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(&at.to_string(), "%Y-%m-%d %H:%M:%S").unwrap()
}

struct Plant {
    server: Server,
    visitor: SideConnection,
}

impl Plant {
    /// Readings of T1 by the minute, and the time.
    async fn fill(&mut self, readings: &[(u32, f64)], now: &str) {
        let sql = "INSERT INTO dbo.datos_proceso (datetime, variable_name, value) VALUES (CAST(@P1 AS datetime), @P2, @P3)";
        for (minute, value) in readings {
            let at = naive(datetime(&format!("09:{minute:02}")));
            self.visitor.execute(sql, &[&at, &"T1", value]).await.unwrap();
        }
        let at = naive(datetime(now));
        self.visitor.execute(sql, &[&at, &"OK", &0.0]).await.unwrap();
        self.server.set_now(at);
    }

    /// Kind, begin and end of each state, and the number of messages.
    async fn states(&mut self) -> (Vec<String>, usize) {
        let sql = "SELECT kind, begin_at, closed_at FROM dbo.anomaly_worker_episodes ORDER BY kind, begin_at";
        let rows = self.visitor.rows(sql, &[]).await.unwrap();
        let minute = |at: NaiveDateTime| at.format("%M").to_string();
        let said = rows.iter().map(|row| {
            let closed: Option<NaiveDateTime> = row.get(2);
            let (kind, begin) = (row.get::<&str, _>(0).unwrap(), row.get(1).unwrap());
            format!("{kind} {} to {}", minute(begin), closed.map(minute).unwrap_or_default())
        });
        let said = said.collect();
        let messages = self.visitor.rows("SELECT id FROM dbo.anomaly_worker_outbox", &[]).await.unwrap();
        (said, messages.len())
    }
}

#[tokio::test]
async fn states_that_late_readings_disprove_are_mended_on_this_store_too() {
    let server = Server::start().unwrap();
    let direct = tds::connection_string(server.port(), PLAIN);
    let mut visitor = SideConnection::of(&direct, "master").await.unwrap();
    visitor.run("USE [plant]").await.unwrap();
    visitor.run(&ddl::input(&TableNames::default().input)).await.unwrap();
    let store = tds::store(tds::target(server.port(), PLAIN, "plant"));
    let settings = WorkerSettings { episodes: rules(), ..worker_settings() };
    let mut worker = Worker::new(settings, Box::new(store.clone()), echo().await, ReloadSlots::default());
    let mut plant = Plant { server, visitor };

    let same = [20, 21, 22, 24, 25, 26].map(|minute| (minute, 7.0));
    let others = [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0), (27, 5.0), (28, 6.0)];
    plant.fill(&[&others[..4], &same, &others[4..]].concat(), "09:28").await;
    worker.cycle(|| false).await.unwrap();
    let (found, told) = plant.states().await;
    assert_eq!(found, ["silent 03 to 20", "stuck 20 to 27"]);

    // One within the silence, one within what did not change.
    plant.fill(&[(10, 1.5), (23, 1.5)], "09:29").await;
    worker.cycle(|| false).await.unwrap();
    let mended = vec!["silent 03 to 10".to_owned(), "silent 10 to 20".to_owned()];
    assert_eq!(plant.states().await, (mended, told));

    // By the clock it is silent; the worker has no more readings to judge.
    plant.fill(&[], "09:35").await;
    worker.cycle(|| false).await.unwrap();
    let (found, told) = plant.states().await;
    assert_eq!(found, ["silent 03 to 10", "silent 10 to 20", "silent 28 to "]);
    plant.fill(&[(6, 1.0), (15, 2.0), (32, 3.0)], "09:36").await;
    let plan = BackfillPlan {
        worker: WORKER.into(),
        shard: None,
        from: datetime("09:00"),
        to: datetime("09:40"),
        variables: None,
        replace: true,
        rules: rules(),
        batch_rows: 4,
    };
    let mut detector = echo().await;
    let mut backfill = Backfill::begin(&plan, &store, &mut detector).await.unwrap();
    while backfill.step(&mut detector).await.unwrap() {}
    backfill.finish().await.unwrap();
    // Only that the variable is back is told.
    assert_eq!(plant.states().await, (vec![], told + 1));
    worker.cycle(|| false).await.unwrap();
    assert_eq!(plant.states().await, (vec![], told + 1));
}
