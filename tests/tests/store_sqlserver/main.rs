//! The store on a SQL Server keeps what every store promises, whatever happens to a server.
//!
//! Ignored, because it needs the server that `TEST_SQLSERVER` names: `just test-sqlserver` runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod backfill;
mod cycle;
mod locks;
mod lost;
mod monitoring;
mod rights;
mod shapes;

use std::collections::BTreeMap;

use host::batch::Flags;
use host::counts::Counts;
use host::position::{Position, TimePosition};
use host::state::State;
use host::store::{ErrorKind, StoreError};
use host::verdict::VerdictRow;
use tests::conformance::at;
use tests::conformance_sqlserver::SqlServerTestDb;

tests::conformance!(
    #[ignore = "needs TEST_SQLSERVER"]
    SqlServerTestDb
);

/// Makes a test that is ignored unless it is asked for.
macro_rules! on_server {
    ($(#[$about:meta])* async fn $name:ident() $body:block) => {
        $(#[$about])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs TEST_SQLSERVER"]
        async fn $name() -> anyhow::Result<()> {
            $body
            #[allow(unreachable_code, reason = "a body may return by itself")]
            Ok(())
        }
    };
}
use on_server;

const WORKER: &str = "line 1";

fn verdict(ds: &str, variable: &str) -> VerdictRow {
    VerdictRow {
        ds: at(ds),
        variable: variable.into(),
        y: 21.25,
        yhat: 20.5,
        yhat_lower: 19.125,
        yhat_upper: 21.000_001,
        residual: 0.75,
        flags: Flags { outside_interval: true, anomaly: true, ..Flags::default() },
        anomaly_score: 33.33,
        prediction_error_pct: 999.99,
        source_file: None,
    }
}

fn state(epoch: i64) -> State {
    State {
        epoch,
        position: Position::Time(TimePosition::start(at("2025-01-15"))),
        watermark: Some(at("2025-01-15 10:00:00")),
        ahead: Default::default(),
        reconciliation: Default::default(),
        checkpoint: None,
        memory: Default::default(),
        set_digest: None,
        models: None,
        set_aside: BTreeMap::new(),
        counts: Counts::default(),
        updated_at: at("2025-01-15 10:00:05"),
    }
}

fn error_of<T>(done: Result<T, StoreError>) -> (ErrorKind, String) {
    let error = done.err().expect("this call had to fail");
    (error.kind, error.message)
}
