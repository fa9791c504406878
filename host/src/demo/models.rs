//! The demo's models, inside the program: the demo runs from an installed binary, without the
//! repository.
//!
//! `just train` makes the files; a name in the list without its file does not compile.

use std::time::Duration;

/// A file of the model directory.
#[derive(Clone, Copy, Debug)]
pub struct DemoModel {
    pub name: &'static str,
    pub bytes: &'static [u8],
}

macro_rules! model_files {
    ($($stem:literal),* $(,)?) => {
        &[
            DemoModel { name: "detector_config.json", bytes: include_bytes!("../../../models/demo/detector_config.json") },
            $(DemoModel {
                name: concat!("prophet_model_", $stem, ".json"),
                bytes: include_bytes!(concat!("../../../models/demo/prophet_model_", $stem, ".json")),
            }),*
        ]
    };
}

/// `detector_config.json`, then one file for each variable, in the plant's order.
pub const FILES: &[DemoModel] = model_files![
    "AGUA_FLOW_1",
    "AGUA_FLOW_2",
    "TEMP_03",
    "TEMP_04",
    "NIVEL_4",
    "NIVEL_TANQUE_7",
    "CALDERA_P_2",
    "CALDERA_T_SALIDA",
    "VAPOR_CAUDAL",
    "GAS_P_2",
    "GAS_NATURAL_CONSUMO",
    "POTENCIA_MW",
    "TURBINA_RPM",
    "VIBRACION",
    "VIBRACION_B_12",
    "PH_EFLUENTE",
    "CONDUCTIVIDAD",
    "TURBIDEZ_S",
    "O2_HORNO",
    "CO2_SALIDA",
    "AIRE_COMP_P1",
    "BOMBA_5_CORRIENTE",
    "VALVULA_FV_101",
    "CINTA_3_TON",
    "HUMEDAD_SECADOR",
];

/// The variable whose model is not there when the demo starts.
pub const WITHHELD: &str = "CALDERA_P-2";

/// How long after the start its model is added; in a demo of less than twice that, half-way.
pub const DROPPED_IN_AFTER: Duration = Duration::from_secs(36 * 3600);

/// The files that the demo starts with, and the one that is added later.
pub fn start_and_later() -> (Vec<DemoModel>, Vec<DemoModel>) {
    let withheld = file_name(WITHHELD);
    FILES.iter().copied().partition(|file| file.name != withheld)
}

fn file_name(variable: &str) -> String {
    format!("prophet_model_{}.json", super::variables::file_stem(variable))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use serde_json::Value;

    use super::super::faults::script;
    use super::super::plant::HISTORY;
    use super::super::variables::{Rhythm, START, VARIABLES};
    use super::*;
    use crate::datetime::Datetime;

    fn parsed(file: &DemoModel) -> Value {
        serde_json::from_slice(file.bytes).unwrap()
    }

    #[test]
    fn every_variable_has_its_model_and_the_config_its_name() {
        let names: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        let mut expected = vec!["detector_config.json".to_owned()];
        expected.extend(VARIABLES.iter().map(|variable| file_name(variable.name)));
        assert_eq!(names, expected);

        let config = parsed(&FILES[0]);
        assert_eq!(config["variables"], VARIABLES.iter().map(|variable| variable.name).collect::<Value>());
        assert_eq!((&config["anomaly_threshold"], &config["interval_width"]), (&4.0.into(), &0.9999.into()));
    }

    /// Trained on this plant: its weeks, its row count, the variable's own rhythm, and a noise
    /// within 5 % of the variable's.
    #[test]
    fn the_models_are_of_this_plant() {
        for (variable, file) in VARIABLES.iter().zip(&FILES[1..]) {
            let model = parsed(file);
            let mode = if variable.rhythm == Rhythm::Multiplicative { "multiplicative" } else { "additive" };
            assert_eq!(model["seasonality_mode"], mode, "{}", file.name);
            assert_eq!(model["history_rows"], 8064, "{}", file.name);
            let seconds = START.earlier(HISTORY).micros() as f64 / 1e6;
            assert_eq!(model["start"].as_f64(), Some(seconds), "{}", file.name);
            let sigma =
                model["params"]["sigma_obs"][0][0].as_f64().unwrap() * model["y_scale"].as_f64().unwrap();
            assert!((sigma / variable.noise - 1.0).abs() < 0.05, "{}: {sigma}", file.name);
            assert!(file.bytes.len() < 10_000, "{} still holds its history", file.name);
        }
    }

    #[test]
    fn one_model_comes_later_and_then_has_something_to_find() {
        let (start, later) = start_and_later();
        assert_eq!(start.len(), FILES.len() - 1);
        assert_eq!(
            later.iter().map(|file| file.name).collect::<Vec<_>>(),
            ["prophet_model_CALDERA_P_2.json"]
        );
        let dropped_in: Datetime = START.later(DROPPED_IN_AFTER);
        let faults: Vec<_> = script().into_iter().filter(|fault| fault.variable == WITHHELD).collect();
        assert!(!faults.is_empty() && faults.iter().all(|fault| fault.from > dropped_in));
    }
}
