//! Which columns of `β` are whose: seasons in their order, then holidays, then regressors in
//! theirs.

use std::collections::BTreeSet;
use std::ops::Range;

use super::document::{ComponentRow, HolidayRow, ModelDocument, SeasonalityEntry};
use super::error::ReadError;
use super::in_words;
use crate::holidays::{self, Country, Holiday, Holidays};
use crate::regressor::Regressor;
use crate::seasonality::{Mode, Seasonality};
use crate::time;

/// A date on which a country has a holiday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryHoliday {
    /// `2024-12-25`; a time of day behind it is ignored.
    pub date: String,
    /// As the Python package `holidays` names it.
    pub name: String,
}

pub(super) struct ReadFeatures {
    pub(super) seasonalities: Vec<Seasonality>,
    pub(super) holidays: Option<Holidays>,
    pub(super) regressors: Vec<Regressor>,
}

/// Hands out columns from left to right.
struct ColumnCursor<'a> {
    components: &'a [ComponentRow],
    used: usize,
}

pub(super) fn read(
    document: &ModelDocument,
    country_holidays: Option<&[CountryHoliday]>,
) -> Result<ReadFeatures, ReadError> {
    let mut columns = ColumnCursor { components: document.train_component_cols.as_slice(), used: 0 };
    let mut seasonalities = Vec::new();
    for (name, season) in document.seasonalities.in_order("seasonalities")? {
        let key = format!("seasonalities.{name}");
        let own = columns.take(count(name, season)?, "seasonalities")?;
        seasonalities.push(Seasonality {
            period: season.period,
            mode: columns.mode(&key, season.mode.as_deref(), &own)?,
            columns: own,
            condition: season.condition_name.clone(),
        });
    }
    let holidays = read_holidays(document, country_holidays, &mut columns)?;
    let mut regressors = Vec::new();
    for (name, regressor) in document.extra_regressors.in_order("extra_regressors")? {
        let key = format!("extra_regressors.{name}");
        if !regressor.mu.is_finite() || !regressor.std.is_finite() || regressor.std == 0.0 {
            let found = format!("mu {} and std {}", in_words(regressor.mu), in_words(regressor.std));
            return Err(ReadError::invalid(&key, found, "a mean and a deviation other than 0"));
        }
        let own = columns.take(1, "extra_regressors")?;
        regressors.push(Regressor {
            name: name.to_owned(),
            mode: columns.mode(&key, regressor.mode.as_deref(), &own)?,
            mean: regressor.mu,
            deviation: regressor.std,
            column: own.start,
        });
    }
    columns.finish()?;
    Ok(ReadFeatures { seasonalities, holidays, regressors })
}

impl ColumnCursor<'_> {
    fn take(&mut self, count: usize, other: &'static str) -> Result<Range<usize>, ReadError> {
        let own = self.used..self.used.saturating_add(count);
        if own.end > self.components.len() {
            return Err(ReadError::count("train_component_cols", self.components.len(), other, own.end));
        }
        self.used = own.end;
        Ok(own)
    }

    /// What the columns' rows in `train_component_cols` say, which is what Prophet multiplies by; a
    /// mode that is declared must agree.
    fn mode(&self, key: &str, declared: Option<&str>, own: &Range<usize>) -> Result<Mode, ReadError> {
        let own = &self.components[own.clone()];
        let mode = match declared {
            None if own.iter().all(ComponentRow::is_additive) => Mode::Additive,
            None => Mode::Multiplicative,
            Some("additive") => Mode::Additive,
            Some("multiplicative") => Mode::Multiplicative,
            Some(other) => {
                let found = format!("mode `{other}`");
                return Err(ReadError::invalid(key, found, "`additive` or `multiplicative`"));
            }
        };
        let agrees = match mode {
            Mode::Additive => ComponentRow::is_additive,
            Mode::Multiplicative => ComponentRow::is_multiplicative,
        };
        if own.iter().all(agrees) {
            Ok(mode)
        } else {
            let found = "another mode in `train_component_cols`";
            Err(ReadError::invalid(key, found, "the same mode in all its columns"))
        }
    }

    /// Without any feature Prophet has one column of zeros.
    fn finish(self) -> Result<(), ReadError> {
        match (self.components.len(), self.used.max(1)) {
            (found, expected) if found == expected => Ok(()),
            (found, expected) => {
                Err(ReadError::count("train_component_cols", found, "seasonalities", expected))
            }
        }
    }
}

/// Two columns a harmonic.
fn count(name: &str, season: &SeasonalityEntry) -> Result<usize, ReadError> {
    if !(season.period.is_finite() && season.period > 0.0) {
        return Err(ReadError::season(name, format!("period {}", in_words(season.period)), "days, above 0"));
    }
    // The phase of some timestamp would overflow.
    if !(f64::from(season.fourier_order) / season.period * time::MOST_PHASE).is_finite() {
        return Err(ReadError::season(
            name,
            format!("period {}", in_words(season.period)),
            "days, not this short",
        ));
    }
    match usize::try_from(season.fourier_order) {
        Ok(order) if order > 0 => Ok(order.saturating_mul(2)),
        _ => Err(ReadError::season(name, format!("order {}", season.fourier_order), "at least 1")),
    }
}

fn read_holidays(
    document: &ModelDocument,
    country_holidays: Option<&[CountryHoliday]>,
    columns: &mut ColumnCursor<'_>,
) -> Result<Option<Holidays>, ReadError> {
    let own = document.holidays.as_ref().map_or(&[][..], |table| table.as_slice());
    let mut rows = own.iter().map(own_holiday).collect::<Result<Vec<_>, _>>()?;
    let country = match &document.country_holidays {
        None => None,
        Some(code) => Some(country(code, document, country_holidays, &mut rows)?),
    };
    // What training did not see has no column; without any name there are no holidays at all.
    let Some(names) = &document.train_holiday_names else { return Ok(None) };
    let names: BTreeSet<&str> = names.as_slice().iter().map(String::as_str).collect();
    let most = columns.components.len();
    let features = holidays::features(&rows, &names, most).ok_or_else(|| {
        ReadError::invalid(
            "holidays",
            "more days in its windows",
            "as many columns as `train_component_cols` has rows, and a million days at most",
        )
    })?;
    let taken = columns.take(features.len(), "holidays")?;
    let first = taken.start;
    // Their mode is `holidays_mode`, which older versions do not write; the columns know it.
    Ok(Some(Holidays {
        mode: columns.mode("holidays", None, &taken)?,
        first,
        days: holidays::by_day(&features),
        country,
    }))
}

fn own_holiday(row: &HolidayRow) -> Result<Holiday, ReadError> {
    let window = match (row.lower_window, row.upper_window) {
        // As Prophet does: what is no number of days makes a window of the day itself.
        (Some(lower), Some(upper)) if lower.is_finite() && upper.is_finite() => (lower as i64, upper as i64),
        _ => (0, 0),
    };
    Ok(Holiday { name: row.holiday.clone(), day: day("holidays", &row.ds)?, window })
}

/// Adds the country's holidays to `rows`.
fn country(
    code: &str,
    document: &ModelDocument,
    supplied: Option<&[CountryHoliday]>,
    rows: &mut Vec<Holiday>,
) -> Result<Country, ReadError> {
    let before = rows.len();
    let mut add = |key: &'static str, date: &str, name: &str| {
        rows.push(Holiday { name: name.to_owned(), day: day(key, date)?, window: (0, 0) });
        Ok::<(), ReadError>(())
    };
    match (supplied, &document.country_holiday_dates) {
        (Some(supplied), _) => {
            for CountryHoliday { date, name } in supplied {
                add("country_holidays", date, name)?;
            }
        }
        (None, Some(dates)) => {
            for (date, name) in dates {
                add("country_holiday_dates", date, name)?;
            }
        }
        (None, None) => {}
    }
    let years = rows[before..].iter().map(|holiday| time::year(holiday.day));
    match (years.clone().min(), years.max()) {
        (Some(first), Some(last)) => Ok(Country { code: code.to_owned(), years: first..last + 1 }),
        _ => Err(ReadError::NoCountryHolidays { country: code.to_owned() }),
    }
}

fn day(key: &'static str, text: &str) -> Result<i64, ReadError> {
    time::day(text)
        .ok_or_else(|| ReadError::invalid(key, format!("the date `{text}`"), "dates as `2024-12-25`"))
}
