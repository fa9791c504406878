//! What Prophet can do and this version cannot, refused by name so that no model is ever half predicted.

use std::fmt;

use super::document::Document;
use super::error::ReadError;

/// Something that a model needs for its prediction and that is not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// `growth` is `logistic`.
    LogisticGrowth,
    /// The model has holidays of its own.
    Holidays,
    /// The model has a country's holidays, whose dates are not in the file.
    CountryHolidays { country: String },
    /// The model needs other columns.
    Regressors { names: Vec<String> },
    /// A season holds only where a column says so.
    Condition { season: String, column: String },
    /// The model was trained with MCMC and has many parameter rows.
    Mcmc { rows: usize },
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogisticGrowth => write!(f, "logistic growth"),
            Self::Holidays => write!(f, "holidays"),
            Self::CountryHolidays { country } => write!(f, "the country holidays of `{country}`"),
            Self::Regressors { names } => write!(f, "extra regressors (`{}`)", names.join("`, `")),
            Self::Condition { season, column } => {
                write!(f, "the conditional seasonality `{season}` (condition `{column}`)")
            }
            Self::Mcmc { rows } => write!(f, "MCMC parameters ({rows} rows)"),
        }
    }
}

/// The first such thing in the document, as an error.
pub(super) fn refuse(document: &Document) -> Result<(), ReadError> {
    find(document)?.map_or(Ok(()), |unsupported| Err(ReadError::Unsupported(unsupported)))
}

fn find(document: &Document) -> Result<Option<Unsupported>, ReadError> {
    if document.growth == "logistic" {
        return Ok(Some(Unsupported::LogisticGrowth));
    }
    if let Some(country) = &document.country_holidays {
        return Ok(Some(Unsupported::CountryHolidays { country: country.clone() }));
    }
    if document.holidays.is_some() || document.train_holiday_names.is_some() {
        return Ok(Some(Unsupported::Holidays));
    }
    if let names @ [_, ..] = document.extra_regressors.names() {
        return Ok(Some(Unsupported::Regressors { names: names.to_vec() }));
    }
    for (name, season) in document.seasonalities.in_order("seasonalities")? {
        if let Some(column) = &season.condition_name {
            return Ok(Some(Unsupported::Condition { season: name.to_owned(), column: column.clone() }));
        }
    }
    Ok(match document.params.k.leaves().len() {
        rows @ 2.. => Some(Unsupported::Mcmc { rows }),
        _ => None,
    })
}
