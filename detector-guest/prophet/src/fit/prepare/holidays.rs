//! The features of holidays: those of the user's table, then a country's
//! (`construct_holiday_dataframe` and `make_holiday_features` in `forecaster.py`).

use std::collections::{BTreeMap, BTreeSet};

use crate::fit::error::FitError;
use crate::fit::series::SortedRows;
use crate::fit::settings::FitSettings;
use crate::holidays::{self, Holiday};
use crate::read::CountryHoliday;
use crate::time::{self, DAY};

/// More columns than any table of holidays asks for.
const MOST_COLUMNS: usize = 100_000;

/// Holidays as training has them.
pub(in crate::fit) struct PreparedHolidays {
    /// In the order of their first rows (`train_holiday_names`).
    pub(in crate::fit) names: Vec<String>,
    /// The component and the prior scale of each feature, in the order of `β`.
    pub(in crate::fit) features: Vec<(String, f64)>,
    /// Days since 1970 with the features that hold on them.
    pub(super) days: BTreeMap<i64, Vec<usize>>,
}

/// None without any.
pub(super) fn of(
    rows: &SortedRows<'_>,
    settings: &FitSettings,
    dates: Option<&[CountryHoliday]>,
) -> Result<Option<PreparedHolidays>, FitError> {
    let usual = settings.prophet.holidays_prior_scale;
    let mut table = Vec::new();
    let mut scales: BTreeMap<String, f64> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str, day: i64, window: (i64, i64), scale: f64| {
        if !scales.contains_key(name) {
            scales.insert(name.to_owned(), scale);
            names.push(name.to_owned());
        }
        table.push(Holiday { name: name.to_owned(), day, window });
    };
    for row in settings.prophet.holidays.iter().flatten() {
        // As Prophet does: both ends, or the day itself.
        let window = match (row.lower_window, row.upper_window) {
            (Some(lower), Some(upper)) => (lower as i64, upper as i64),
            _ => (0, 0),
        };
        let day = day("holidays", &row.ds)?;
        add(&row.holiday, day, window, row.prior_scale.unwrap_or(usual));
    }
    if settings.country_holidays.is_some() {
        // The country's calendar is made for the years of the rows.
        let years: BTreeSet<i64> =
            rows.instants.iter().map(|micros| time::year(micros.div_euclid(DAY))).collect();
        for CountryHoliday { date, name } in dates.unwrap_or_default() {
            let day = day("country_holidays", date)?;
            if years.contains(&time::year(day)) {
                add(name, day, (0, 0), usual);
            }
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let features = holidays::features(&table, &known, MOST_COLUMNS).ok_or(FitError::TooLarge {
        rows: rows.len(),
        columns: MOST_COLUMNS,
        changepoints: 0,
    })?;
    let component = |feature: &String| {
        let name = feature.split_once("_delim_").map_or(feature.as_str(), |(name, _)| name);
        (name.to_owned(), scales.get(name).copied().unwrap_or(usual))
    };
    Ok(Some(PreparedHolidays {
        features: features.keys().map(component).collect(),
        days: holidays::by_day(&features).into_iter().collect(),
        names,
    }))
}

fn day(setting: &'static str, text: &str) -> Result<i64, FitError> {
    time::day(text).ok_or_else(|| FitError::setting(setting, format!("`{text}`"), "dates as `2024-12-25`"))
}
