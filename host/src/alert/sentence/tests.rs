use std::time::Duration;

use super::*;
use crate::alert::fixture::{event, facts, service};

/// Headline and sentence in both languages.
fn words(event: &AlertEvent) -> [String; 4] {
    let of = |language| [headline(event, language), sentence(event, language)];
    let ([a, b], [c, d]) = (of(Language::En), of(Language::Es));
    [a, b, c, d]
}

#[test]
fn each_event_is_said_in_one_sentence_with_its_numbers() {
    let boiler = Facts { description: Some("outlet of boiler 2".to_owned()), ..facts("T1") };
    let bare = Facts { unit: None, cause: None, worst: None, readings: 1, flagged: 1, ..facts("T1") };
    let low = Facts {
        worst: Some(Worst { at: crate::alert::fixture::at(0), value: 1.5, expected: Some(2.0) }),
        ..facts("F/1")
    };
    let minute = Duration::from_secs(60);
    let silent = Facts { nature: EpisodeKind::Silent, ..facts("T1") };
    let stuck = Facts {
        nature: EpisodeKind::Stuck,
        worst: Some(Worst { at: crate::alert::fixture::at(0), value: 12.5, expected: None }),
        ..facts("T1")
    };
    let why = || "the database is out of reach".to_owned();
    let worker = || "default".to_owned();
    let cases = [
        (
            event("1", Change::Opened, 20, boiler),
            [
                "Anomaly: T1 at 87.4 °C, expected 73.2",
                "T1 (outlet of boiler 2) is anomalous since 2025-01-15 10:00:00 (20 min); at worst it read 87.4 °C at 2025-01-15 10:05:00, \
                 above the expected 73.2; cause: spike; score 84.25, 2 of 3 readings flagged.",
                "Anomalía: T1 en 87,4 °C, se esperaba 73,2",
                "T1 (outlet of boiler 2) es anómala desde 2025-01-15 10:00:00 (20 min); lo peor fue 87,4 °C a las 2025-01-15 10:05:00, \
                 por encima de lo esperado, 73,2; causa: pico; puntuación 84,25, 2 de 3 lecturas marcadas.",
            ],
        ),
        (
            event("1", Change::Opened, 0, bare),
            [
                "Anomaly: T1",
                "T1 is anomalous at 2025-01-15 10:00:00; score 84.25, 1 of 1 reading flagged.",
                "Anomalía: T1",
                "T1 es anómala a las 2025-01-15 10:00:00; puntuación 84,25, 1 de 1 lectura marcadas.",
            ],
        ),
        (
            event("1", Change::StillOpen, 65, low.clone()),
            [
                "Still anomalous after 1 h 5 min: F/1",
                "F/1 is still anomalous, for 1 h 5 min, since 2025-01-15 10:00:00; at worst it read 1.5 °C at 2025-01-15 10:00:00, below \
                 the expected 2; cause: spike; score 84.25, 2 of 3 readings flagged.",
                "Sigue anómala tras 1 h 5 min: F/1",
                "F/1 sigue anómala, 1 h 5 min, desde 2025-01-15 10:00:00; lo peor fue 1,5 °C a las 2025-01-15 10:00:00, por debajo de \
                 lo esperado, 2; causa: pico; puntuación 84,25, 2 de 3 lecturas marcadas.",
            ],
        ),
        (
            event("1", Change::Closed, 80, low),
            [
                "Over after 1 h 20 min: F/1",
                "F/1 is normal again: it was anomalous for 1 h 20 min, from 2025-01-15 10:00:00 to 2025-01-15 11:20:00; at worst it read \
                 1.5 °C at 2025-01-15 10:00:00, below the expected 2; cause: spike; score 84.25, 2 of 3 readings flagged.",
                "Terminó tras 1 h 20 min: F/1",
                "F/1 vuelve a ser normal: fue anómala 1 h 20 min, de 2025-01-15 10:00:00 a 2025-01-15 11:20:00; lo peor fue 1,5 °C a las \
                 2025-01-15 10:00:00, por debajo de lo esperado, 2; causa: pico; puntuación 84,25, 2 de 3 lecturas marcadas.",
            ],
        ),
        (
            event("1", Change::Opened, 25, silent.clone()),
            [
                "Silent: T1, no reading for 25 min",
                "T1 has had no reading for 25 min, since 2025-01-15 10:00:00.",
                "En silencio: T1, sin lecturas desde hace 25 min",
                "T1 no tiene lecturas desde hace 25 min, desde 2025-01-15 10:00:00.",
            ],
        ),
        (
            event("1", Change::Closed, 120, silent),
            [
                "Back after 2 h: T1",
                "T1 has readings again since 2025-01-15 12:00:00, after 2 h of silence from 2025-01-15 10:00:00.",
                "De vuelta tras 2 h: T1",
                "T1 vuelve a tener lecturas desde 2025-01-15 12:00:00, tras 2 h de silencio desde 2025-01-15 10:00:00.",
            ],
        ),
        (
            event("1", Change::Opened, 180, stuck.clone()),
            [
                "Stuck: T1, the same value for 3 h",
                "T1 has had the same value 12.5 °C for 3 h, since 2025-01-15 10:00:00.",
                "Atascada: T1, el mismo valor desde hace 3 h",
                "T1 tiene el mismo valor 12,5 °C desde hace 3 h, desde 2025-01-15 10:00:00.",
            ],
        ),
        (
            event("1", Change::Closed, 180, stuck),
            [
                "Changes again after 3 h: T1",
                "T1 changes again since 2025-01-15 13:00:00: it had the same value 12.5 °C for 3 h, from 2025-01-15 10:00:00.",
                "Vuelve a cambiar tras 3 h: T1",
                "T1 vuelve a cambiar desde 2025-01-15 13:00:00: tuvo el mismo valor 12,5 °C durante 3 h, desde 2025-01-15 10:00:00.",
            ],
        ),
        (
            event("1", Change::Opened, 25, Facts { nature: EpisodeKind::Service, ..facts("default") }),
            [
                "No readings at all for 25 min",
                "No variable of worker `default` has had a reading for 25 min, since 2025-01-15 10:00:00: what fills the table has stopped, \
                 or is late.",
                "Sin lecturas de nadie desde hace 25 min",
                "Ninguna variable del worker `default` tiene lecturas desde hace 25 min, desde 2025-01-15 10:00:00: lo que llena la tabla \
                 se ha parado, o va con retraso.",
            ],
        ),
        (
            service(
                "1",
                ServiceEvent::NoSuccess {
                    worker: worker(),
                    lasted: 30 * minute,
                    interval: 10 * minute,
                    why: why(),
                },
            ),
            [
                "The service has not judged for 30 min",
                "Worker `default` has finished no cycle for 30 min, where one is due every 10 min: the database is out of reach.",
                "El servicio no juzga desde hace 30 min",
                "El worker `default` no termina ningún ciclo desde hace 30 min, cuando toca uno cada 10 min: the database is out of reach.",
            ],
        ),
        (
            service("1", ServiceEvent::Recovered { worker: worker(), lasted: 45 * minute }),
            [
                "The service judges again after 45 min",
                "Worker `default` judges again since 2025-01-15 10:00:00, after 45 min without a cycle; what came meanwhile is judged now.",
                "El servicio vuelve a juzgar tras 45 min",
                "El worker `default` vuelve a juzgar desde 2025-01-15 10:00:00, tras 45 min sin un ciclo; lo que llegó entretanto se juzga ahora.",
            ],
        ),
        (
            service(
                "1",
                ServiceEvent::SetRefused { worker: worker(), why: "`T1.json` is no model".to_owned() },
            ),
            [
                "New models or module refused",
                "Worker `default` refuses the new files at 2025-01-15 10:00:00 and goes on with the set before: `T1.json` is no model.",
                "Modelos o módulo nuevos rechazados",
                "El worker `default` rechaza los archivos nuevos a las 2025-01-15 10:00:00 y sigue con el conjunto anterior: `T1.json` is no model.",
            ],
        ),
        (
            service("1", ServiceEvent::TooLate { worker: worker(), readings: 12 }),
            [
                "Came too late: 12 readings",
                "Worker `default` found at 2025-01-15 10:00:00 12 readings older than the allowed lateness; they have no verdict until \
                 `host backfill` judges them.",
                "Llegaron demasiado tarde: 12 lecturas",
                "El worker `default` encontró a las 2025-01-15 10:00:00 12 lecturas con más retraso del permitido; no tienen veredicto \
                 hasta que `host backfill` las juzgue.",
            ],
        ),
    ];
    for (event, expected) in cases {
        assert_eq!(words(&event), expected.map(str::to_owned), "{event:?}");
    }
}

/// Nothing of a name begins a line, turns the writing or is longer than a name can be.
#[test]
fn what_comes_from_outside_is_shown_and_does_nothing() {
    let long = "x".repeat(3_000);
    for (name, shown) in [
        ("T\r\nBcc: all@plant", r"T\r\nBcc: all@plant"),
        ("\u{202e}1T", r"\u{202e}1T"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        (long.as_str(), &format!("{}…", "x".repeat(100))),
        ("", ""),
    ] {
        let odd =
            Facts {
                unit: Some("°C\n".to_owned()), description: Some("\u{1b}[2J".to_owned()), ..facts(name)
            };
        for change in [Change::Opened, Change::StillOpen, Change::Closed] {
            for nature in [EpisodeKind::Anomaly, EpisodeKind::Silent, EpisodeKind::Stuck] {
                for text in words(&event("1", change, 1, Facts { nature, ..odd.clone() })) {
                    assert!(text.contains(shown), "{text}");
                    assert_eq!(escaped(&text), text);
                    assert!(text.chars().count() < 600, "{text}");
                }
            }
        }
    }
    let why = format!("a\nb{}", "y".repeat(10_000));
    for text in words(&service("1", ServiceEvent::SetRefused { worker: "w".to_owned(), why })) {
        assert!(escaped(&text) == text && text.len() < 800, "{text}");
    }
}
