//! What a request asks for: language, time range and filter.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;

use crate::chart::{ENGLISH, Labels, SPANISH};
use crate::datetime::Datetime;

/// A longer value of a query is ignored: names have at most 100 characters.
const LONGEST: usize = 400;

/// The language, and the query of the URL.
pub(super) struct View {
    pub(super) labels: &'static Labels,
    /// As it was requested.
    pub(super) path: String,
    asked: BTreeMap<String, String>,
}

impl<S: Sync> FromRequestParts<S> for View {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let asked = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let asked = asked.map(|Query(pairs)| pairs.into_iter().collect()).unwrap_or_default();
        let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let path = parts.uri.path().to_owned();
        Ok(Self { labels: language(accepted.unwrap_or_default()), path, asked })
    }
}

/// The first language of the browser's list that there is.
fn language(accepted: &str) -> &'static Labels {
    let mut wanted: Vec<(f32, &str)> = accepted
        .split(',')
        .filter_map(|part| {
            let (name, quality) = part.split_once(';').unwrap_or((part, ""));
            let quality = quality.trim().strip_prefix("q=").unwrap_or("1").parse().unwrap_or(0.0);
            let name = name.trim().split('-').next()?;
            (quality > 0.0).then_some((quality, name))
        })
        .collect();
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let ours = |name: &str| {
        [&ENGLISH, &SPANISH].into_iter().find(|labels| name.eq_ignore_ascii_case(labels.language))
    };
    wanted.into_iter().find_map(|(_, name)| ours(name)).unwrap_or(&ENGLISH)
}

/// The time range that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeRange {
    pub(super) from: Datetime,
    pub(super) to: Datetime,
    /// The name of the range, if it is one that ends now.
    pub(super) range: Option<&'static str>,
}

/// Ranges that end now, with their seconds.
pub(super) const RANGES: [(&str, u64); 6] = [
    ("2h", 2 * 3600),
    ("24h", 24 * 3600),
    ("7d", 7 * 86_400),
    ("30d", 30 * 86_400),
    ("90d", 90 * 86_400),
    ("1y", 365 * 86_400),
];

impl View {
    /// A value of the query, as text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.asked.get(key).map(String::as_str).filter(|text| !text.is_empty() && text.len() <= LONGEST)
    }

    pub(super) fn datetime(&self, key: &str) -> Option<Datetime> {
        Datetime::parse(self.text(key)?).ok()
    }

    /// A value of the query, as a number that is not negative.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        let number = self.text(key)?.trim().replace(',', ".").parse().ok()?;
        (number >= 0.0 && f64::is_finite(number)).then_some(number)
    }

    /// From `from` to `to` if both are given, else a range that ends at `until`.
    pub(super) fn window(&self, until: Datetime, default: &str) -> TimeRange {
        if let (Some(from), Some(to)) = (self.datetime("from"), self.datetime("to"))
            && from < to
        {
            return TimeRange { from, to, range: None };
        }
        let named = |name: &str| RANGES.iter().find(|(range, _)| *range == name);
        let range = self.text("range").and_then(named).or_else(|| named(default)).unwrap_or(&RANGES[1]);
        let from = until.earlier(Duration::from_secs(range.1));
        TimeRange { from, to: until, range: Some(range.0) }
    }
}

impl TimeRange {
    /// As the query of a link.
    pub(super) fn query(&self) -> String {
        match self.range {
            Some(range) => format!("range={range}"),
            None => between(self.from, self.to),
        }
    }

    fn length(&self) -> Duration {
        self.to.since(self.from)
    }

    /// Queries for the range before, the one after, and for zooming in and out.
    pub(super) fn around(&self) -> [(&'static str, String); 4] {
        let (half, quarter) = (self.length() / 2, self.length() / 4);
        [
            ("earlier", between(self.from.earlier(half), self.to.earlier(half))),
            ("later", between(self.from.later(half), self.to.later(half))),
            ("zoom_in", between(self.from.later(quarter), self.to.earlier(quarter))),
            ("zoom_out", between(self.from.earlier(half), self.to.later(half))),
        ]
    }
}

fn between(from: Datetime, to: Datetime) -> String {
    let text = |at: Datetime| at.to_string().replacen(' ', "T", 1);
    format!("from={}&to={}", text(from), text(to))
}

/// A duration in the notation of both languages: `2 d 3 h`, `5 min`, `40 s`.
pub(super) fn duration(of: Duration) -> String {
    let seconds = of.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A text, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(query: &[(&str, &str)]) -> View {
        let asked = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        View { labels: &ENGLISH, path: "/".to_owned(), asked }
    }

    #[test]
    fn the_language_is_the_browsers_first_that_we_speak() {
        for (accepted, expected) in [
            ("es-MX,es;q=0.9,en;q=0.8", "es"),
            ("en-GB", "en"),
            ("fr;q=0.9, en;q=0.5, es;q=0.7", "es"),
            ("es;q=0, en", "en"),
            ("de", "en"),
            ("", "en"),
            (";;q=,,ES", "es"),
        ] {
            assert_eq!(language(accepted).language, expected, "{accepted}");
        }
    }

    #[test]
    fn a_window_is_what_was_asked_for_or_the_default() {
        let at = |text: &str| Datetime::parse(text).unwrap_or(Datetime::from_micros(0));
        let until = at("2025-01-15 10:00");
        let window = |query: &[(&str, &str)]| view(query).window(until, "24h").query();
        for (query, expected) in [
            (vec![], "range=24h"),
            (vec![("range", "7d")], "range=7d"),
            (vec![("range", "<script>")], "range=24h"),
            (
                vec![("from", "2025-01-15T08:00"), ("to", "2025-01-15 09:00")],
                "from=2025-01-15T08:00:00&to=2025-01-15T09:00:00",
            ),
            (vec![("from", "2025-01-15 09:00"), ("to", "2025-01-15 08:00")], "range=24h"),
            (vec![("from", "yesterday"), ("to", "today"), ("range", "2h")], "range=2h"),
        ] {
            assert_eq!(window(&query), expected, "{query:?}");
        }
    }

    #[test]
    fn a_name_in_a_link_is_no_more_than_that() {
        assert_eq!(encoded("A&B=\"<ñ> /?#"), "A%26B%3D%22%3C%C3%B1%3E%20%2F%3F%23");
    }

    #[test]
    fn durations_are_read_in_either_language() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (7260, "2 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }
}
