//! The variables of the simulated plant, and their values when nothing is wrong.
//!
//! A table of constants and one formula. Names are as plants have them: slashes, spaces and dashes,
//! and no two that give the same model file.

use std::f64::consts::TAU;

use crate::datetime::Datetime;

/// When the demo starts, by the plant's clock: Friday 2025-03-07 00:00. Three days show the rhythm
/// of working days and of a weekend.
pub const START: Datetime = Datetime::from_micros(1_741_305_600_000_000);

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How a variable swings around its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// By so much, in its own units, whatever the level is.
    Additive,
    /// By a fraction of the level.
    Multiplicative,
}

/// One measured quantity. Its numbers are in its own units, swings of a multiplicative rhythm in
/// parts of the level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DemoVariable {
    pub name: &'static str,
    /// Its level when the demo starts.
    pub level: f64,
    /// The standard deviation of its noise: the sigma in which faults are measured.
    pub noise: f64,
    pub rhythm: Rhythm,
    daily: f64,
    /// The hour of the day at which the daily swing is near its top.
    peak: f64,
    weekly: f64,
    /// Slow change of the level per day.
    slope: f64,
}

impl DemoVariable {
    const fn new(name: &'static str, level: f64, noise: f64) -> Self {
        Self { name, level, noise, rhythm: Rhythm::Additive, daily: 0.0, peak: 0.0, weekly: 0.0, slope: 0.0 }
    }

    const fn multiplicative(self) -> Self {
        Self { rhythm: Rhythm::Multiplicative, ..self }
    }

    const fn daily(self, swing: f64, peak: f64) -> Self {
        Self { daily: swing, peak, ..self }
    }

    const fn weekly(self, swing: f64) -> Self {
        Self { weekly: swing, ..self }
    }

    const fn slope(self, per_day: f64) -> Self {
        Self { slope: per_day, ..self }
    }

    /// The variable without noise. The swings are a few smooth harmonics of a day and of a week, as
    /// Prophet's default orders can follow them: the demo is about faults, not about a poor
    /// fit.
    pub fn expected(&self, at: Datetime) -> f64 {
        let day = TAU * ((at.micros().rem_euclid(DAY) as f64 / HOUR as f64 - self.peak) / 24.0);
        let daily = libm::cos(day) + 0.3 * libm::cos(2.0 * day + 0.6) + 0.1 * libm::cos(3.0 * day);
        // 1970-01-01 was a Thursday: the week turns at Wednesday noon and is at its lowest at the
        // weekend.
        let week = TAU * ((at.micros() + DAY / 2).rem_euclid(7 * DAY) as f64 / (7 * DAY) as f64);
        let weekly = libm::cos(week) + 0.35 * libm::cos(2.0 * week);

        let swing = self.daily * daily + self.weekly * weekly;
        let level = self.level + self.slope * ((at.micros() - START.micros()) as f64 / DAY as f64);
        match self.rhythm {
            Rhythm::Additive => level + swing,
            Rhythm::Multiplicative => level * (1.0 + swing),
        }
    }
}

/// The name of a variable's model file: characters that file systems or shells do not allow become
/// `_`, as with the Python worker.
pub fn file_stem(name: &str) -> String {
    name.replace(['/', '\\', ' ', '-'], "_")
}

/// The plant: a boiler, its water and gas, a turbine, and the lines that they feed.
pub const VARIABLES: [DemoVariable; 25] = [
    DemoVariable::new("AGUA/FLOW 1", 120.0, 1.5).daily(14.0, 13.0).weekly(6.0),
    DemoVariable::new("AGUA/FLOW 2", 86.0, 1.1).daily(9.0, 14.0).weekly(4.0).slope(-0.04),
    DemoVariable::new("TEMP-03", 78.5, 0.45).daily(3.2, 15.5),
    DemoVariable::new("TEMP-04", 41.0, 0.5).daily(4.6, 16.0).weekly(0.8).slope(0.03),
    DemoVariable::new("NIVEL 4", 62.0, 0.8).daily(5.0, 6.0),
    DemoVariable::new("NIVEL TANQUE/7", 47.5, 0.9).daily(6.5, 4.0).weekly(3.0),
    DemoVariable::new("CALDERA_P-2", 10.2, 0.06).daily(0.25, 11.0).weekly(0.1),
    DemoVariable::new("CALDERA T SALIDA", 184.0, 0.7).daily(2.4, 11.5).weekly(1.0),
    DemoVariable::new("VAPOR/CAUDAL", 42.0, 0.55).multiplicative().daily(0.16, 12.0).weekly(0.05),
    DemoVariable::new("GAS_P-2", 4.1, 0.03),
    DemoVariable::new("GAS NATURAL/CONSUMO", 2350.0, 28.0).multiplicative().daily(0.14, 12.0).weekly(0.06),
    DemoVariable::new("POTENCIA/MW", 18.4, 0.22).multiplicative().daily(0.12, 19.0).weekly(0.08),
    DemoVariable::new("TURBINA RPM", 3000.0, 1.8),
    DemoVariable::new("VIBRACION", 2.4, 0.09).multiplicative().daily(0.06, 18.0).slope(0.004),
    DemoVariable::new("VIBRACION B-12", 3.1, 0.12).slope(0.006),
    DemoVariable::new("PH-EFLUENTE", 7.15, 0.05).daily(0.12, 9.0),
    DemoVariable::new("CONDUCTIVIDAD", 870.0, 7.5).daily(22.0, 17.0).weekly(15.0).slope(0.9),
    DemoVariable::new("TURBIDEZ-S", 5.6, 0.25).multiplicative().daily(0.1, 10.0).weekly(0.12),
    DemoVariable::new("O2 HORNO", 3.4, 0.11).daily(0.2, 3.0),
    DemoVariable::new("CO2\\SALIDA", 11.8, 0.14).daily(0.35, 13.0).weekly(0.15),
    DemoVariable::new("AIRE COMP/P1", 6.9, 0.05),
    DemoVariable::new("BOMBA-5 CORRIENTE", 63.0, 0.7).multiplicative().daily(0.05, 13.0).weekly(0.03),
    DemoVariable::new("VALVULA FV-101", 55.0, 1.2).daily(7.0, 12.5).weekly(2.5),
    DemoVariable::new("CINTA 3/TON", 310.0, 6.0).multiplicative().daily(0.2, 14.0).weekly(0.11),
    DemoVariable::new("HUMEDAD SECADOR", 12.6, 0.2).daily(0.5, 5.0).slope(-0.01),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_variables_share_a_model_file() {
        let stems: BTreeSet<String> = VARIABLES.iter().map(|variable| file_stem(variable.name)).collect();
        assert_eq!(stems.len(), VARIABLES.len());
        assert_eq!(file_stem("CO2\\SALIDA/A B-1"), "CO2_SALIDA_A_B_1");
    }

    #[test]
    fn every_variable_fits_its_column_and_stays_away_from_zero() {
        for variable in &VARIABLES {
            assert!(variable.name.len() <= 100 && variable.name.is_ascii(), "{variable:?}");
            for hour in -28 * 24..7 * 24 {
                let expected = variable.expected(Datetime::from_micros(START.micros() + hour * HOUR));
                assert!(expected > 10.0 * variable.noise && expected < 1e6, "{variable:?}: {expected}");
            }
        }
    }

    /// Hand-computed from the formula for one variable of each rhythm, at a peak hour on a
    /// Wednesday noon where all harmonics but one are at their top.
    #[test]
    fn the_formula_is_the_documented_one() {
        let wednesday_noon = Datetime::parse("2025-03-12 12:00").unwrap();
        let daily = 1.0 + 0.3 * f64::cos(0.6) + 0.1;
        let days = 5.5;
        for (variable, expected) in [
            (
                DemoVariable::new("a", 100.0, 1.0).daily(10.0, 12.0).weekly(4.0).slope(2.0),
                100.0 + 2.0 * days + 10.0 * daily + 5.4,
            ),
            (
                DemoVariable::new("m", 100.0, 1.0).multiplicative().daily(0.1, 12.0).weekly(0.04).slope(2.0),
                (100.0 + 2.0 * days) * (1.0 + 0.1 * daily + 0.054),
            ),
            (DemoVariable::new("flat", 3000.0, 1.0), 3000.0),
        ] {
            let found = variable.expected(wednesday_noon);
            assert!((found - expected).abs() < 1e-9, "{}: {found}, expected {expected}", variable.name);
        }
    }
}
