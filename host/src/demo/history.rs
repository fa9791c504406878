//! The plant's past, for training: what `host demo --write-history FILE` writes and
//! `host import` reads.

use std::io::Write;

use super::plant::{HISTORY, Plant, steps};
use super::variables::{START, VARIABLES};

/// Writes the four weeks before the demo as a wide CSV: `DATETIME` and a column a variable, a row
/// every five minutes, 8,064 rows.
///
/// # Errors
/// Whatever `out` answers; it may then hold part of the rows.
pub fn write(plant: Plant, out: impl Write) -> Result<(), csv::Error> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_field("DATETIME")?;
    csv.write_record(VARIABLES.iter().map(|variable| variable.name))?;
    for at in steps(START.earlier(HISTORY), START) {
        csv.write_field(at.to_string())?;
        csv.write_record(VARIABLES.iter().map(|variable| plant.value(variable, at).to_string()))?;
    }
    csv.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn four_weeks_as_a_wide_csv() {
        let plant = Plant::new(3);
        let mut written = Vec::new();
        write(plant, &mut written).unwrap();

        let mut csv = csv::Reader::from_reader(written.as_slice());
        let names: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        assert_eq!(
            csv.headers().unwrap().iter().collect::<Vec<_>>(),
            [&["DATETIME"], names.as_slice()].concat()
        );

        let rows: Vec<Vec<String>> =
            csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(rows.len(), 28 * 288);
        assert_eq!(rows[0][0], "2025-02-07 00:00:00");
        assert_eq!(rows[8063][0], "2025-03-06 23:55:00");
        let last = START.earlier(super::super::plant::STEP);
        let values: Vec<f64> = rows[8063][1..].iter().map(|value| value.parse().unwrap()).collect();
        assert_eq!(values, VARIABLES.iter().map(|variable| plant.value(variable, last)).collect::<Vec<_>>());
    }
}
