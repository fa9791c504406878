//! Every word of the page, in each language, in one table.

use std::collections::BTreeMap;

use minijinja::Value;

use crate::chart::{ENGLISH, Labels};

/// Key, English, Spanish.
pub(super) const WORDS: &[(&str, &str, &str)] = &[
    ("overview", "Overview", "Resumen"),
    ("anomalies", "Anomalies", "Anomalías"),
    ("detector", "Models and detector", "Modelos y detector"),
    ("skip", "Skip to content", "Saltar al contenido"),
    ("navigation", "Pages", "Páginas"),
    ("live", "live", "en vivo"),
    ("live_off", "not live", "sin conexión en vivo"),
    ("plant_time", "plant time", "hora de planta"),
    ("plant_now", "The plant now", "La planta ahora"),
    ("lag", "Lag", "Retraso"),
    ("last_commit", "Last commit", "Última escritura"),
    ("ago", "ago", "atrás"),
    ("set_in_use", "Set in use", "Conjunto en uso"),
    ("models", "models", "modelos"),
    ("judged", "Readings judged", "Lecturas juzgadas"),
    ("of_them_anomalies", "anomalies", "anomalías"),
    ("variables", "Variables", "Variables"),
    ("variable", "Variable", "Variable"),
    ("in_trouble", "in trouble", "con problemas"),
    ("silent", "silent", "en silencio"),
    ("nothing_yet", "Nothing was judged yet.", "Todavía no se ha juzgado nada."),
    (
        "nothing_yet_more",
        "The worker writes here after its first cycle.",
        "El servicio escribe aquí después de su primer ciclo.",
    ),
    ("not_late", "none", "ninguno"),
    ("late", "late: no commit for three intervals", "atrasado: sin escritura en tres intervalos"),
    (
        "aged_models",
        "Aged models, whose errors have outgrown their training",
        "Modelos envejecidos, cuyos errores superan los de su entrenamiento",
    ),
    ("files_refused", "The files on disk are refused", "Los archivos en disco se rechazan"),
    ("files_refused_more", "the set goes on without them:", "el conjunto sigue sin ellos:"),
    ("needs_looking", "What needs looking at", "Qué hay que mirar"),
    (
        "all_quiet",
        "Nothing. No variable had an anomaly in the last 24 hours.",
        "Nada. Ninguna variable tuvo anomalías en las últimas 24 horas.",
    ),
    ("all_variables", "All variables", "Todas las variables"),
    ("other_variables", "The other variables", "Las demás variables"),
    ("state", "State", "Estado"),
    ("last_reading", "Last reading", "Última lectura"),
    ("expected", "expected", "esperado"),
    ("two_hours", "Two hours", "Dos horas"),
    ("day_count", "In 24 h", "En 24 h"),
    ("worst_score", "Worst score", "Peor puntuación"),
    ("high", "high", "alta"),
    ("medium", "medium", "media"),
    ("low", "low", "baja"),
    ("normal", "normal", "normal"),
    ("high_means", "anomalous for more than an hour", "anómala más de una hora"),
    ("medium_means", "three anomalies or more in two hours", "tres anomalías o más en dos horas"),
    ("low_means", "an anomaly in 24 hours", "una anomalía en 24 horas"),
    (
        "silent_means",
        "no reading for much longer than usual",
        "sin lecturas durante mucho más de lo habitual",
    ),
    ("severity_shares", "Anomalies of 24 hours by severity", "Anomalías de 24 horas por gravedad"),
    ("more_variables", "more variables; find one by its name:", "variables más; busque una por su nombre:"),
    ("find", "Find a variable", "Buscar una variable"),
    ("show", "Show", "Mostrar"),
    ("until", "up to", "hasta"),
    ("range", "Range", "Periodo"),
    ("from", "From", "Desde"),
    ("to", "To", "Hasta"),
    ("earlier", "Earlier", "Antes"),
    ("later", "Later", "Después"),
    ("zoom_in", "Closer", "Acercar"),
    ("zoom_out", "Farther", "Alejar"),
    ("range_2h", "2 hours", "2 horas"),
    ("range_24h", "24 hours", "24 horas"),
    ("range_7d", "7 days", "7 días"),
    ("range_30d", "30 days", "30 días"),
    ("range_90d", "90 days", "90 días"),
    ("range_1y", "1 year", "1 año"),
    ("reading", "reading", "lectura"),
    ("band", "expected band", "banda esperada"),
    ("anomaly", "anomaly", "anomalía"),
    ("chart", "Chart", "Gráfico"),
    (
        "chart_help",
        "Drag over the chart to look closer; arrow keys move the line.",
        "Arrastre sobre el gráfico para acercar; las flechas mueven la línea.",
    ),
    ("model_measures", "How its model did", "Cómo lo hizo su modelo"),
    ("measure", "Measure", "Medida"),
    ("value", "Value", "Valor"),
    ("mae", "Mean absolute error (MAE)", "Error absoluto medio (MAE)"),
    ("rmse", "Root mean square error (RMSE)", "Raíz del error cuadrático medio (RMSE)"),
    ("r2", "Explained variance (R²)", "Varianza explicada (R²)"),
    ("share_flagged", "Share flagged", "Proporción marcada"),
    ("coverage", "Readings within the band", "Lecturas dentro de la banda"),
    ("readings", "Readings", "Lecturas"),
    ("no_measures", "Nothing was expected of these readings.", "No se esperaba nada de estas lecturas."),
    (
        "sampled",
        "There are more readings than are looked through for one chart: of each part of this time the extremes of some are drawn, and the 500 worst of those that are flagged. Look closer for all.",
        "Hay más lecturas de las que se recorren para un gráfico: de cada parte de este tiempo se dibujan los extremos de algunas, y las 500 peores de las marcadas. Acérquese para verlas todas.",
    ),
    (
        "measured_on_some",
        "Measured on readings that are spread evenly over this time.",
        "Medido sobre lecturas repartidas por igual en este tiempo.",
    ),
    ("worst_here", "The worst anomalies of this time", "Las peores anomalías de este tiempo"),
    ("none_here", "No anomalies in this time.", "No hay anomalías en este tiempo."),
    ("when", "When", "Cuándo"),
    ("score", "Score", "Puntuación"),
    ("why", "Why", "Por qué"),
    ("picture", "Picture (SVG)", "Imagen (SVG)"),
    ("csv", "These as CSV", "Estas en CSV"),
    ("all_csv", "Its anomalies as CSV", "Sus anomalías en CSV"),
    ("least_score", "Least score", "Puntuación mínima"),
    ("order", "Order", "Orden"),
    ("by_score", "worst first", "las peores primero"),
    ("by_time", "newest first", "las más recientes primero"),
    ("all", "all", "todas"),
    ("shown", "shown", "mostradas"),
    (
        "cut",
        "There may be more; narrow the time or raise the least score.",
        "Puede haber más; acorte el tiempo o suba la puntuación mínima.",
    ),
    ("outside_above", "above the band", "sobre la banda"),
    ("outside_below", "below the band", "bajo la banda"),
    ("above_expected", "above the expected value", "sobre el valor esperado"),
    ("below_expected", "below the expected value", "bajo el valor esperado"),
    ("by_rule", "flagged by the rule", "marcada por la regla"),
    ("workers", "Workers", "Servicios"),
    ("worker", "Worker", "Servicio"),
    ("watermark", "Judged up to", "Juzgado hasta"),
    ("directory", "Directory of the models", "Directorio de los modelos"),
    ("fates", "What became of all readings", "Qué fue de todas las lecturas"),
    ("fate", "Fate", "Destino"),
    ("count", "Count", "Cantidad"),
    ("fate_judged", "judged", "juzgadas"),
    ("fate_judged_anomalous", "of them anomalies", "de ellas anomalías"),
    ("fate_null", "NULL", "NULL"),
    ("fate_duplicate", "duplicates", "duplicadas"),
    ("fate_already_judged", "judged before", "juzgadas antes"),
    ("fate_too_late", "too late", "demasiado tarde"),
    ("fate_no_model", "without a model", "sin modelo"),
    ("fate_set_aside", "set aside", "apartadas"),
    ("fate_withheld", "withheld by the detector", "retenidas por el detector"),
    ("fate_unfit", "that fit no column", "que no caben en las columnas"),
    ("fate_equal_name", "under a name taken for another's", "con un nombre tomado por otro"),
    ("fate_malformed", "malformed", "mal formadas"),
    ("set_aside", "Set aside", "Apartadas"),
    ("set_aside_means", "These variables await host backfill.", "Estas variables esperan host backfill."),
    ("nothing_set_aside", "No variable is set aside.", "Ninguna variable está apartada."),
    ("reason", "Reason", "Motivo"),
    (
        "nothing_refused",
        "Nothing is refused: what is on disk is what judges.",
        "Nada se rechaza: lo que hay en disco es lo que juzga.",
    ),
    ("module", "Module", "Módulo"),
    ("model_files", "Model files", "Archivos de modelo"),
    ("variables_with_model", "Variables with a model", "Variables con modelo"),
    ("more", "more", "más"),
    (
        "not_in_this_process",
        "Files are listed where the page is served by the worker itself (host run).",
        "Los archivos se listan donde la página la sirve el propio servicio (host run).",
    ),
    ("episode", "episode", "episodio"),
    ("open_episodes", "Open episodes", "Episodios abiertos"),
    ("day_episodes", "Episodes of 24 hours that are over", "Episodios de 24 horas que han terminado"),
    ("kind_anomaly", "anomalous", "anómala"),
    ("kind_silent", "silent", "en silencio"),
    ("kind_stuck", "stuck", "atascada"),
    ("kind_service", "the service", "el servicio"),
    ("kind_shelved", "shelved", "aplazada"),
    ("since", "Since", "Desde"),
    ("still_open", "still open", "sigue abierto"),
    ("up_to", "to", "hasta"),
    ("of", "of", "de"),
    ("were_flagged", "readings were flagged", "lecturas se marcaron"),
    ("worst_reading", "The worst reading", "La peor lectura"),
    ("at", "at", "a las"),
    ("cause", "Cause", "Causa"),
    (
        "was_shelved",
        "The variable was shelved: nobody was told",
        "La variable estaba aplazada: no se avisó a nadie",
    ),
    (
        "silent_says",
        "No reading came for much longer than usual",
        "No llegó ninguna lectura durante mucho más de lo habitual",
    ),
    (
        "stuck_says",
        "The value stayed the same for longer than it ever had",
        "El valor siguió igual durante más tiempo que nunca",
    ),
    (
        "service_says",
        "None of the worker's variables had readings",
        "Ninguna variable del servicio tuvo lecturas",
    ),
    (
        "shelved_says",
        "A person asked not to be told of this variable",
        "Una persona pidió que no se avise de esta variable",
    ),
    ("feedback", "What a person said of it", "Lo que dijo una persona"),
    ("feedback_expected", "it was to be expected", "era de esperar"),
    ("feedback_real", "something was wrong with the plant", "algo iba mal en la planta"),
    ("feedback_sensor", "something was wrong with the sensor", "algo iba mal en el sensor"),
    ("look_closer", "This time in the variable's own chart", "Este tiempo en el gráfico de la variable"),
    ("day_before", "The same time a day before", "El mismo tiempo un día antes"),
    ("week_before", "The same time a week before", "El mismo tiempo una semana antes"),
    ("others_then", "Others in trouble at that time", "Otras con problemas en ese tiempo"),
    (
        "no_others",
        "No other variable had an episode then.",
        "Ninguna otra variable tuvo un episodio entonces.",
    ),
    ("begin", "Begin", "Inicio"),
    ("lasts", "Lasts", "Dura"),
    ("remarks", "Remarks", "Notas"),
    ("open", "open", "abierto"),
    ("shelved", "shelved", "aplazada"),
    (
        "not_ours",
        "This form is from another page; open it anew and try again",
        "Este formulario es de otra página; ábralo de nuevo y pruebe otra vez",
    ),
    (
        "shelve",
        "Shelve: judged and stored as ever, and not told",
        "Aplazar: se juzga y se guarda como siempre, y no se avisa",
    ),
    ("shelve_now", "Shelve", "Aplazar"),
    ("for_hours", "For", "Durante"),
    ("hour", "h", "h"),
    ("unshelve", "End the shelving", "Terminar el aplazamiento"),
    ("shelved_until", "Shelved until", "Aplazada hasta"),
    ("say", "What was it?", "¿Qué fue?"),
    ("note", "Note", "Nota"),
    ("save", "Save", "Guardar"),
    ("token", "Token", "Clave"),
    ("sign_in", "Sign in", "Entrar"),
    (
        "sign_in_why",
        "This page is shown to who has its token.",
        "Esta página se muestra a quien tiene su clave.",
    ),
    ("wrong_token", "That is not the token.", "Esa no es la clave."),
    ("not_found", "There is no such page", "No existe esa página"),
    ("store_failed", "The database does not answer as it should", "La base de datos no responde como debe"),
    ("no_database", "There is no database yet", "Todavía no hay base de datos"),
    (
        "busy",
        "Too much is asked at once; try again in a moment",
        "Se pide demasiado a la vez; pruebe en un momento",
    ),
    ("broken", "This page is broken; the log says why", "Esta página está rota; el registro dice por qué"),
    ("wrong_host", "This page goes by another name", "Esta página tiene otro nombre"),
];

/// The words of one language.
#[derive(Clone, Copy)]
pub(super) struct Words {
    spanish: bool,
}

impl Words {
    pub(super) fn of(labels: &Labels) -> Self {
        Self { spanish: labels.language != ENGLISH.language }
    }

    /// An unknown key is shown as it is; a test finds it.
    pub(super) fn get(self, key: &str) -> &str {
        let found = WORDS.iter().find(|(name, ..)| *name == key);
        found.map_or(key, |(_, english, spanish)| if self.spanish { spanish } else { english })
    }

    pub(super) fn table(self) -> Value {
        let words = WORDS.iter().map(|(key, english, spanish)| {
            (*key, Value::from(if self.spanish { *spanish } else { *english }))
        });
        Value::from_object(words.collect::<BTreeMap<&'static str, Value>>())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_languages_have_every_word_once() {
        let keys: BTreeSet<_> = WORDS.iter().map(|(key, ..)| key).collect();
        assert_eq!(keys.len(), WORDS.len(), "a key is there twice");
        for (key, english, spanish) in WORDS {
            assert!(!english.trim().is_empty() && !spanish.trim().is_empty(), "`{key}` lacks a word");
        }
    }

    /// In the templates and in the code that names a key.
    #[test]
    fn every_word_that_is_named_is_there_and_none_is_left_over() {
        let sources = [
            include_str!("templates/base.html"),
            include_str!("templates/overview.html"),
            include_str!("templates/variable.html"),
            include_str!("templates/anomalies.html"),
            include_str!("templates/detector.html"),
            include_str!("templates/episode.html"),
            include_str!("templates/episodes.html"),
            include_str!("templates/login.html"),
            include_str!("templates/failure.html"),
            include_str!("templates/ranges.html"),
        ];
        let mut named = BTreeSet::new();
        for source in sources {
            for (at, _) in source.match_indices("t.") {
                // The table `t`, and not the end of another name.
                if source[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                    continue;
                }
                let key = source[at + 2..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
                named.insert(key.collect::<String>());
            }
        }
        let known: BTreeSet<String> = WORDS.iter().map(|(key, ..)| (*key).to_owned()).collect();
        let code = [
            include_str!("pages/overview.rs"),
            include_str!("pages/variable.rs"),
            include_str!("pages/anomalies.rs"),
            include_str!("pages/detector.rs"),
            include_str!("pages/episode.rs"),
            include_str!("pages/why.rs"),
            include_str!("error.rs"),
            include_str!("routes.rs"),
            include_str!("view.rs"),
        ];
        let in_code = |key: &String| code.iter().any(|text| text.contains(&format!("\"{key}\"")));
        let unknown: Vec<_> = named.iter().filter(|key| key.len() > 1 && !known.contains(*key)).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "no such words");
        let fates =
            crate::counts::Counts::default().outcomes().map(|outcome| format!("fate_{}", outcome.label));
        let lacking: Vec<_> = fates.iter().filter(|key| !known.contains(*key)).collect();
        assert_eq!(lacking, Vec::<&String>::new(), "outcomes of rows without words");
        let of_code = |key: &String| key.starts_with("range_") || fates.contains(key);
        let unused: Vec<_> =
            known.iter().filter(|key| !named.contains(*key) && !in_code(key) && !of_code(key)).collect();
        assert_eq!(unused, Vec::<&String>::new(), "words that nobody says");
    }
}
