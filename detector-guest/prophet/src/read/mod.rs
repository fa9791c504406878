//! From the bytes of a file to a checked [`Model`].
//!
//! `document` is the JSON as Prophet writes it, `compact` the same in few bytes, with `table`,
//! `numbers`, `python` and `history` for its odd shapes; `parameters` puts
//! Stan's rows in order, `features` hands each component its columns of `β`, and here the rest is
//! checked. Every size is that of something that stands in the file, so a small file cannot ask for
//! much memory.

mod compact;
mod document;
mod error;
mod features;
mod history;
mod numbers;
mod parameters;
mod python;
mod table;

use document::ModelDocument;
pub use error::ReadError;
pub use features::CountryHoliday;
pub use python::from_slice as from_python_json;
pub(crate) use python::in_words;

use crate::inputs::{Need, Role};
use crate::model::{Floor, Model};
use crate::time::TrainingTime;

/// Microseconds that an `f64` counts exactly; far beyond any calendar.
const MOST_MICROS: f64 = (1_u64 << 53) as f64;

impl Model {
    /// Reads what `prophet.serialize.model_to_json` wrote.
    ///
    /// # Errors
    /// The file is no such model or contradicts itself, or it has a country's holidays without
    /// their dates.
    pub fn from_json(json: &[u8]) -> Result<Self, ReadError> {
        Self::from_bytes(json, None)
    }

    /// Reads a model in either form: JSON or [compact](Self::compact). `country_holidays` are the
    /// dates of its country's holidays; they come before those in the file. A model without a
    /// country does not look at them, nor does any model at names that it did not see in
    /// training.
    ///
    /// # Errors
    /// As [`Self::from_json`]; a compact model that is cut, damaged or of another version.
    pub fn from_bytes(file: &[u8], country_holidays: Option<&[CountryHoliday]>) -> Result<Self, ReadError> {
        check(&parse(file)?, country_holidays)
    }

    /// A file's compact form: what prediction needs and nothing else, a few thousand bytes that are
    /// read in microseconds.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn compact(file: &[u8]) -> Result<Vec<u8>, ReadError> {
        let document = parse(file)?;
        check(&document, None)?;
        compact::write(&document)
    }
}

fn parse(file: &[u8]) -> Result<ModelDocument, ReadError> {
    if compact::is_compact(file) { compact::parse(file) } else { ModelDocument::parse(file) }
}

fn check(document: &ModelDocument, country_holidays: Option<&[CountryHoliday]>) -> Result<Model, ReadError> {
    let time = training_time(document)?;
    let (point, draws) = parameters::read(document)?;
    let features = features::read(document, country_holidays)?;
    let floor = floor(document)?;
    let mut model = Model {
        time,
        seasonalities: features.seasonalities,
        holidays: features.holidays,
        regressors: features.regressors,
        y_scale: positive("y_scale", document.y_scale)?,
        floor,
        point,
        draws,
        changepoints: document.changepoints_t.len(),
        history_rows: document.history_rows(),
        interval_width: document.interval_width,
        needs: Vec::new(),
    };
    model.needs = needs(&model, document.growth == "logistic");
    Ok(model)
}

/// Sorted, each once.
fn needs(model: &Model, logistic: bool) -> Vec<Need> {
    let need = |name: &str, role| Need { name: name.to_owned(), role };
    let mut needs: Vec<Need> =
        model.regressors.iter().map(|regressor| need(&regressor.name, Role::Regressor)).collect();
    let conditions = model.seasonalities.iter().filter_map(|season| season.condition.as_deref());
    needs.extend(conditions.map(|name| need(name, Role::Condition)));
    if logistic {
        needs.push(need(Model::CAP, Role::Cap));
    }
    if model.floor == Floor::Given {
        needs.push(need(Model::FLOOR, Role::Floor));
    }
    needs.sort();
    needs.dedup();
    needs
}

fn positive(key: &'static str, found: f64) -> Result<f64, ReadError> {
    if found.is_finite() && found > 0.0 {
        Ok(found)
    } else {
        Err(ReadError::invalid(key, in_words(found), "a number above 0"))
    }
}

/// Seconds in the file, whole microseconds here.
fn training_time(document: &ModelDocument) -> Result<TrainingTime, ReadError> {
    let start = (document.start * 1e6).round_ties_even();
    if start.is_nan() || start.abs() > MOST_MICROS {
        return Err(ReadError::invalid("start", in_words(document.start), "seconds since 1970"));
    }
    let span = (document.t_scale * 1e6).round_ties_even();
    if !(1.0..=MOST_MICROS).contains(&span) {
        return Err(ReadError::invalid(
            "t_scale",
            in_words(document.t_scale),
            "the seconds from first to last training row",
        ));
    }
    Ok(TrainingTime { start, span })
}

fn floor(document: &ModelDocument) -> Result<Floor, ReadError> {
    match document.scaling.as_str() {
        "absmax" | "minmax" if document.logistic_floor => Ok(Floor::Given),
        "absmax" => Ok(Floor::Fixed(0.0)),
        "minmax" if document.y_min.is_finite() => Ok(Floor::Fixed(document.y_min)),
        "minmax" => Err(ReadError::invalid("y_min", in_words(document.y_min), "a finite number")),
        other => Err(ReadError::invalid("scaling", format!("`{other}`"), "`absmax` or `minmax`")),
    }
}
