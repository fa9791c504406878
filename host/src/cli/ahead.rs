//! The variables whose data is dated ahead of the database's clock: readings of a device whose
//! clock is wrong, and verdicts on them.

use std::time::Duration;

use crate::datetime::Datetime;
use crate::store::{Input, StoreError, VerdictReader};

/// How many of each are named.
const NAMED: usize = 5;

/// Clocks differ by a little.
const EDGE: Duration = Duration::from_secs(5 * 60);

/// The latest datetime that every database can hold.
const END: Datetime = Datetime::from_micros(253_402_300_799_000_000);

/// A sentence for each. Without an index on the datetime the input is not checked, because it would
/// be read completely.
pub(super) async fn ahead(
    input: &mut dyn Input,
    output: Option<&mut (dyn VerdictReader + '_)>,
    now: Datetime,
) -> Result<Vec<String>, StoreError> {
    let from = now.later(EDGE);
    let mut said = Vec::new();
    if input.layout().await?.has_datetime_index {
        let page = input.read_range(from, Some(END), NAMED).await?;
        said.extend(page.readings.iter().map(|row| sentence("a reading", &row.variable, row.datetime, now)));
        if page.full {
            said.push("and more readings".to_owned());
        }
    }
    if let Some(output) = output {
        let page = output.read_verdicts(from, END, false, NAMED).await?;
        said.extend(page.verdicts.iter().map(|row| sentence("a verdict", &row.variable, row.ds, now)));
        if page.full {
            said.push("and more verdicts".to_owned());
        }
    }
    Ok(said)
}

fn sentence(what: &str, variable: &str, at: Datetime, now: Datetime) -> String {
    format!(
        "{what} on `{}` is dated {at}, ahead of the database's clock, which says {now}; the worker does not go by it",
        variable.escape_debug()
    )
}
