//! False alarms on stationary data, beside what was asked for: `cargo run --release -p rule
//! --example budget -- [SERIES]`. Of readings that come every second there are a tenth as many
//! series.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;

use std::error::Error;

use families::{FAMILIES, FIVE_MINUTES, RHYTHMS, of_what_was_asked_for};

fn main() -> Result<(), Box<dyn Error>> {
    let series: u64 = std::env::args().nth(1).map_or(Ok(200), |series| series.parse())?;
    let [hour, second] = RHYTHMS;
    for (rhythm, series) in [(FIVE_MINUTES, series), (hour, series), (second, (series / 10).max(2))] {
        println!("{}, {series} series", rhythm.name);
        println!("{:18}{}", "", rhythm.budgets.map(|(text, _)| format!("{text:>20}")).concat());
        for (name, family) in FAMILIES {
            let mut line = format!("{name:18}");
            for budget in rhythm.budgets {
                let found = of_what_was_asked_for(family, rhythm, budget, series)?;
                line +=
                    &format!("{:>7.2} ± {:4.2} {:4.1}%", found.alarms, found.error, 100.0 * found.flagged);
            }
            println!("{line}");
        }
    }
    Ok(())
}
