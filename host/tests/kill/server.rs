//! A plant on the server that `TEST_SQLSERVER` names.

use std::process::Command;

use host::store::{TableNames, schema};
use serde_json::Value;

use crate::common::Place;
use crate::common::server::OnServer;
use crate::plant::{Ledger, Plant, Reading, begin};

pub(crate) struct OnItsServer {
    place: Place,
    server: OnServer,
    begin: chrono::NaiveDateTime,
}

impl OnItsServer {
    pub(crate) fn new() -> Self {
        let mut server = OnServer::start();
        server.run(&schema::sqlserver::input(&TableNames::default().input));
        Self { place: Place::new(), server, begin: begin() }
    }

    fn insertion(&self, rows: &[Reading]) -> String {
        let rows: Vec<String> = rows
            .iter()
            .map(|(seconds, variable)| {
                let at = self.begin + chrono::Duration::seconds(seconds.cast_signed());
                format!("('{}', '{variable}', 100)", at.format("%Y-%m-%dT%H:%M:%S"))
            })
            .collect();
        format!("INSERT INTO dbo.datos_proceso (datetime, variable_name, value) VALUES {}", rows.join(", "))
    }

    fn text(&mut self, sql: &str) -> Option<String> {
        self.server.row(sql).get::<&str, _>(0).map(str::to_owned)
    }
}

/// A datetime as a text, whichever its type.
fn seconds(column: &str) -> String {
    format!("CONVERT(varchar(19), CAST({column} AS datetime2(0)), 120)")
}

impl Plant for OnItsServer {
    const DATETIMES: u64 = 160;
    const PAUSE: u64 = 2000;

    fn place(&self) -> &Place {
        &self.place
    }

    fn address(&self, command: &mut Command) {
        self.server.address(command);
    }

    fn insert(&mut self, rows: &[Reading]) {
        let sql = self.insertion(rows);
        self.server.run(&sql);
    }

    /// They have lower ids than rows that others insert meanwhile, and become visible after these.
    fn hold(&mut self, rows: &[Reading]) {
        let sql = self.insertion(rows);
        self.server.run_slowly(&format!("BEGIN TRANSACTION; {sql}"));
    }

    fn release(&mut self) {
        self.server.run_slowly("COMMIT TRANSACTION");
    }

    /// The state row is read first: as long as it is locked by this, nobody commits.
    fn ledgers(&mut self) -> (Ledger, Ledger) {
        self.server.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; BEGIN TRANSACTION");
        let row = self
            .server
            .row(&format!("SELECT counts, {} FROM dbo.anomaly_worker_state", seconds("watermark")));
        let counts: Value = serde_json::from_str(row.get(0).unwrap()).unwrap();
        let judged = counts["judged"].as_i64().unwrap();
        let newest = row.get::<&str, _>(1).map(str::to_owned);
        let claimed = Ledger { verdicts: judged, readings_with_a_verdict: judged, newest };

        let verdicts = self.server.number("SELECT COUNT_BIG(*) FROM dbo.anomalies_detector");
        let distinct =
            "SELECT COUNT_BIG(*) FROM (SELECT DISTINCT ds, variable FROM dbo.anomalies_detector) AS d";
        let readings_with_a_verdict = self.server.number(distinct);
        let newest = self.text(&format!("SELECT {} FROM dbo.anomalies_detector", seconds("MAX(ds)")));
        self.server.run("COMMIT TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
        (Ledger { verdicts, readings_with_a_verdict, newest }, claimed)
    }

    fn readings(&mut self) -> i64 {
        self.server.number(
            "SELECT COUNT_BIG(*) FROM (SELECT DISTINCT datetime, variable_name FROM dbo.datos_proceso) AS d",
        )
    }

    fn readings_without_a_verdict(&mut self) -> i64 {
        self.server.number(
            "SELECT COUNT_BIG(*) FROM dbo.datos_proceso AS r WHERE NOT EXISTS (SELECT 1 FROM dbo.anomalies_detector AS v \
             WHERE v.ds = r.datetime AND v.variable = r.variable_name)",
        )
    }

    fn newest_reading(&mut self) -> String {
        self.text(&format!("SELECT {} FROM dbo.datos_proceso", seconds("MAX(datetime)"))).unwrap()
    }

    fn last_id(&mut self) -> i64 {
        self.server.number("SELECT MAX(id) FROM dbo.datos_proceso")
    }

    fn position(&mut self) -> String {
        self.text("SELECT position FROM dbo.anomaly_worker_state").unwrap()
    }
}
