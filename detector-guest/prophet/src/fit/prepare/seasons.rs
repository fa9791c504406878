//! Which seasons a model has (`set_auto_seasonalities` and `parse_seasonality_args` in
//! `forecaster.py`).
//!
//! The user's come first, in their order. Of the three that Prophet knows by name each follows if
//! it is asked for, or if nothing was said and the rows bear it: two periods of them, and rows
//! closer than a period.

use crate::fit::report::Warning;
use crate::fit::series::SortedRows;
use crate::fit::settings::{FitSettings, Switch};
use crate::seasonality::Mode;
use crate::time::DAY;

/// A season as training has it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::fit) struct PreparedSeason {
    pub(in crate::fit) name: String,
    /// Days.
    pub(in crate::fit) period: f64,
    pub(in crate::fit) order: u32,
    pub(in crate::fit) prior_scale: f64,
    pub(in crate::fit) mode: Mode,
    pub(in crate::fit) condition: Option<String>,
}

struct BuiltIn {
    name: &'static str,
    switch: Switch,
    period: f64,
    order: u32,
    /// Rows must span as many days.
    least_days: i64,
    /// Some rows must be closer than as many days.
    spacing_days: Option<i64>,
}

pub(super) fn of(
    rows: &SortedRows<'_>,
    settings: &FitSettings,
    warnings: &mut Vec<Warning>,
) -> Vec<PreparedSeason> {
    let prophet = &settings.prophet;
    let (usual_scale, usual_mode) = (prophet.seasonality_prior_scale, prophet.seasonality_mode);
    let own = settings.seasonalities.iter().map(|season| PreparedSeason {
        name: season.name.clone(),
        period: season.period,
        order: season.fourier_order,
        prior_scale: season.prior_scale.unwrap_or(usual_scale),
        mode: season.mode.unwrap_or(usual_mode),
        condition: season.condition_name.clone(),
    });
    let mut seasons: Vec<PreparedSeason> = own.collect();
    for built_in in [
        BuiltIn {
            name: "yearly",
            switch: prophet.yearly_seasonality,
            period: 365.25,
            order: 10,
            least_days: 730,
            spacing_days: None,
        },
        BuiltIn {
            name: "weekly",
            switch: prophet.weekly_seasonality,
            period: 7.0,
            order: 3,
            least_days: 14,
            spacing_days: Some(7),
        },
        BuiltIn {
            name: "daily",
            switch: prophet.daily_seasonality,
            period: 1.0,
            order: 4,
            least_days: 2,
            spacing_days: Some(1),
        },
    ] {
        let known = seasons.iter().position(|season| season.name == built_in.name);
        let order = match built_in.switch {
            Switch::Auto(_) if known.is_some() || !borne(rows, &built_in) => 0,
            Switch::Auto(_) | Switch::Is(true) => built_in.order,
            Switch::Is(false) => 0,
            Switch::Order(order) => order,
        };
        if order == 0 {
            continue;
        }
        let season = PreparedSeason {
            name: built_in.name.to_owned(),
            period: built_in.period,
            order,
            prior_scale: usual_scale,
            mode: usual_mode,
            condition: None,
        };
        match known {
            Some(at) => seasons[at] = season,
            None => seasons.push(season),
        }
    }
    let span = rows.span() as f64 / DAY as f64;
    let short = seasons.iter().filter(|season| {
        // Prophet's own limit for a year is 730 days, half a day below two of them.
        span < if season.name == "yearly" { 730.0 } else { 2.0 * season.period }
    });
    warnings.extend(short.map(|season| Warning::ShortHistory {
        season: season.name.clone(),
        period_days: season.period,
        span_days: span,
    }));
    seasons
}

fn borne(rows: &SortedRows<'_>, built_in: &BuiltIn) -> bool {
    let spacing = rows.instants.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0).min();
    rows.span() >= built_in.least_days * DAY
        && match (built_in.spacing_days, spacing) {
            (Some(days), Some(spacing)) => spacing < days * DAY,
            _ => true,
        }
}
