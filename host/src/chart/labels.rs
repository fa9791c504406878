//! The texts of a chart, by language.

/// The texts and number formats of one language.
#[derive(Debug)]
pub struct Labels {
    /// As the attribute `lang` has it.
    pub language: &'static str,
    pub reading: &'static str,
    pub expected: &'static str,
    pub band: &'static str,
    pub anomaly: &'static str,
    pub episode: &'static str,
    pub empty: &'static str,
    /// The decimal separator.
    pub decimal: char,
    months: [&'static str; 12],
    /// Of the title: variable, from, to.
    title: [&'static str; 3],
    /// Of the description: readings, anomalies, least, greatest.
    summary: [&'static str; 5],
}

pub static ENGLISH: Labels = Labels {
    language: "en",
    reading: "reading",
    expected: "expected",
    band: "expected band",
    anomaly: "anomaly",
    episode: "episode",
    empty: "no readings in this time",
    decimal: '.',
    months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    title: ["", " from ", " to "],
    summary: ["Points drawn: ", "; anomalies: ", "; readings from ", " to ", "."],
};

pub static SPANISH: Labels = Labels {
    language: "es",
    reading: "lectura",
    expected: "esperado",
    band: "banda esperada",
    anomaly: "anomalía",
    episode: "episodio",
    empty: "sin lecturas en este tiempo",
    decimal: ',',
    months: ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
    title: ["", " de ", " a "],
    summary: ["Puntos dibujados: ", "; anomalías: ", "; lecturas de ", " a ", "."],
};

impl Labels {
    /// `month` is 1 to 12.
    pub(super) fn month(&self, month: u32) -> &'static str {
        let at = usize::try_from(month).unwrap_or_default().wrapping_sub(1);
        self.months.get(at).copied().unwrap_or_default()
    }

    pub(super) fn day(&self, day: u32, month: u32) -> String {
        format!("{day} {}", self.month(month))
    }

    pub(super) fn title(&self, variable: &str, from: &str, to: &str) -> String {
        let [before, after, between] = self.title;
        format!("{before}{variable}{after}{from}{between}{to}")
    }

    pub(super) fn summary(&self, points: usize, anomalies: usize, least: &str, greatest: &str) -> String {
        let [one, two, three, four, end] = self.summary;
        format!("{one}{points}{two}{anomalies}{three}{least}{four}{greatest}{end}")
    }
}

/// A number in the language's format, with at most so many decimals.
pub fn number(value: f64, decimals: usize, labels: &Labels) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value != 0.0 && (value.abs() >= 1e12 || value.abs() < 1e-6) {
        return format!("{value:.2e}").replace('.', &labels.decimal.to_string());
    }
    let text = format!("{value:.decimals$}");
    // Zero has no sign, also if it was rounded to.
    let zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    let text = if zero { text.trim_start_matches('-').to_owned() } else { text };
    text.replace('.', &labels.decimal.to_string()).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_language_does() {
        for (value, decimals, english, spanish) in [
            (1.5, 2, "1.50", "1,50"),
            (-0.001, 2, "0.00", "0,00"),
            (-12.25, 1, "−12.2", "−12,2"),
            (1e13, 2, "1.00e13", "1,00e13"),
            (f64::NAN, 2, "–", "–"),
            (0.0, 0, "0", "0"),
        ] {
            assert_eq!(number(value, decimals, &ENGLISH), english, "{value}");
            assert_eq!(number(value, decimals, &SPANISH), spanish, "{value}");
        }
    }
}
