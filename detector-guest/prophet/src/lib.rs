//! Prophet's forecasts in Rust.
//!
//! A [`Model`] is read from the JSON that Prophet's own `model_to_json` writes, and gives the
//! `yhat` that Prophet gives, to rounding error; nothing of the training history is kept.
//! [`mod@fit`] trains a model and writes that JSON.
//!
//! ```text
//! yhat(t) = trend(t) · (1 + multiplicative terms(t)) + additive terms(t)
//! ```
//!
//! (Taylor and Letham, "Forecasting at scale", 2018; the arithmetic is that of `forecaster.py`,
//! Prophet 1.1 to 1.5.) Each component has a file of its own, with its formula and source:
//! [`trend`], [`seasonality`], [`interval`]. What they have in common is computed once for all
//! models of a batch and lives in [`Features`].
//!
//! Logistic growth, regressors and conditional seasons need more than timestamps: [`Model::needs`]
//! says which columns, and [`Inputs`] brings them. [`interval`] has the laws of the intervals, none
//! of which is simulated.
//!
//! ```
//! # fn main() -> Result<(), prophet::ReadError> {
//! # let json = include_bytes!("../tests/fixtures/flat/model.json");
//! let model = prophet::Model::from_json(json)?;
//! let noon = 1_710_504_000_000_000; // 2024-03-15T12:00 in microseconds since 1970
//! let forecast = model.predict(&[noon]);
//! let half_width = prophet::interval::z(model.interval_width()) * model.noise();
//! println!("{} ± {half_width}", forecast.yhat()[0]);
//! # Ok(())
//! # }
//! ```

mod features;
pub mod fit;
mod forecast;
mod holidays;
mod inputs;
pub mod interval;
mod lanes;
mod missing;
mod model;
mod read;
mod regressor;
pub mod seasonality;
mod sincos;
mod time;
pub mod trend;
mod withhold;

pub use features::Features;
pub use fit::fit;
pub use forecast::Forecast;
pub use inputs::{Inputs, Need, Role};
pub use missing::{Missing, Reason};
pub use model::Model;
pub use read::{CountryHoliday, ReadError, from_python_json};
