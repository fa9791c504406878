//! Prints a day's forecast, hour by hour: `cargo run -p prophet --example forecast -- MODEL.json
//! 19797` (the day is counted from 1970-01-01).
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use prophet::interval::{Intervals, TrendUncertainty};
use prophet::{Features, Forecast, Inputs, Model};

const HOUR: i64 = 3_600_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(day)) = (arguments.next(), arguments.next()) else {
        return Err("expected a model's file and a day".into());
    };
    let model = Model::from_bytes(&std::fs::read(path)?, None)?;
    if let [need, ..] = model.needs() {
        return Err(format!("the model needs more than timestamps: the {} `{}`", need.role, need.name).into());
    }
    let midnight = day.parse::<i64>()? * 24 * HOUR;
    let instants: Vec<i64> = (0..24).map(|hour| midnight + hour * HOUR).collect();

    let (mut features, inputs, mut forecast) = (Features::new(&instants), Inputs::new(), Forecast::default());
    model.forecast(&mut features, &inputs, &mut forecast);
    let (mut lower, mut upper) = (vec![0.0; instants.len()], vec![0.0; instants.len()]);
    let how = (model.interval_width(), TrendUncertainty::Continuous);
    Intervals::new().bound(&model, &mut features, &inputs, &forecast, how, &mut lower, &mut upper);

    println!("hour,yhat,yhat_lower,yhat_upper");
    for (hour, yhat) in forecast.yhat().iter().enumerate() {
        println!("{hour},{yhat},{},{}", lower[hour], upper[hour]);
    }
    Ok(())
}
