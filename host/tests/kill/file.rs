//! A plant in an SQLite file.

use std::process::Command;

use rusqlite::params;
use serde_json::Value;

use crate::common::Place;
use crate::plant::{Ledger, Plant, Reading, begin};

pub(crate) struct InFile {
    place: Place,
    begin: chrono::NaiveDateTime,
    held: Vec<Reading>,
}

impl InFile {
    pub(crate) fn new() -> Self {
        Self { place: Place::new(), begin: begin(), held: Vec::new() }
    }

    fn text(&self, sql: &str) -> String {
        self.place.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

impl Plant for InFile {
    const DATETIMES: u64 = 400;
    const PAUSE: u64 = 300;

    fn place(&self) -> &Place {
        &self.place
    }

    fn address(&self, _: &mut Command) {}

    fn insert(&mut self, rows: &[Reading]) {
        let mut database = self.place.database();
        let transaction = database.transaction().unwrap();
        let sql = "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, ?2, 100)";
        for (seconds, variable) in rows {
            let at = self.begin + chrono::Duration::seconds(seconds.cast_signed());
            let at = at.format("%Y-%m-%d %H:%M:%S").to_string();
            transaction.execute(sql, params![at, variable]).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// A file has one writer at a time.
    fn hold(&mut self, rows: &[Reading]) {
        self.held = rows.to_vec();
    }

    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.insert(&held);
    }

    fn ledgers(&mut self) -> (Ledger, Ledger) {
        let mut database = self.place.database();
        let moment = database.transaction().unwrap();
        let sql = "SELECT count(*), count(DISTINCT ds || variable), max(ds) FROM anomalies_detector";
        let row = moment.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (verdicts, readings_with_a_verdict, newest) = row.unwrap();
        let found = Ledger { verdicts, readings_with_a_verdict, newest };

        let sql = "SELECT counts, watermark FROM anomaly_worker_state";
        let row = moment.query_row(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        let (counts, newest) = row.unwrap();
        let counts: Value = serde_json::from_str(&counts).unwrap();
        let judged = counts["judged"].as_i64().unwrap();
        (found, Ledger { verdicts: judged, readings_with_a_verdict: judged, newest })
    }

    fn readings(&mut self) -> i64 {
        self.place.number("SELECT count(DISTINCT datetime || variable_name) FROM datos_proceso").unwrap()
    }

    fn readings_without_a_verdict(&mut self) -> i64 {
        let without = "SELECT count(*) FROM datos_proceso WHERE NOT EXISTS \
                       (SELECT 1 FROM anomalies_detector WHERE ds = datetime AND variable = variable_name)";
        self.place.number(without).unwrap()
    }

    fn newest_reading(&mut self) -> String {
        self.text("SELECT max(datetime) FROM datos_proceso")
    }

    fn last_id(&mut self) -> i64 {
        self.place.number("SELECT max(id) FROM datos_proceso").unwrap()
    }

    fn position(&mut self) -> String {
        self.text("SELECT position FROM anomaly_worker_state")
    }
}
