//! One event in words: a headline, and a sentence with the numbers. Both languages stand side by
//! side, so that neither says less.
//!
//! Pure. Texts from outside (names, units, descriptions, a detector's words) are escaped here,
//! once, so that they cannot break a line, change the direction of the text or be invisible. Each
//! channel escapes the markup of its receiver.

use super::event::{AlertEvent, Change, EventDetail, Facts, ServiceEvent, Worst};
use super::language::{Language, lasting};
use crate::episode::EpisodeKind;
use crate::text::escaped;

/// The longest name that a table holds.
const NAME: usize = 100;

/// The longest reason: an error of a server can be very long.
const REASON: usize = 500;

/// A text, escaped and cut.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        cut.push('…');
    }
    escaped(&cut)
}

/// A variable's name, escaped and cut.
pub(super) fn name(facts: &Facts) -> String {
    shown(&facts.variable, NAME)
}

/// The headline: `Anomaly: T1 at 87.4 °C, expected 73.2`.
pub(super) fn headline(event: &AlertEvent, language: Language) -> String {
    match &event.what {
        EventDetail::Variable(change, facts) => of_variable(*change, facts, language),
        EventDetail::Service(service) => of_service(service, language),
        EventDetail::Test => language.of("Test of this channel", "Prueba de este canal").to_owned(),
    }
}

fn of_variable(change: Change, facts: &Facts, language: Language) -> String {
    let name = name(facts);
    let lasted = lasting(facts.lasted());
    match (facts.nature, change) {
        (EpisodeKind::Anomaly | EpisodeKind::Shelved, Change::Opened) => {
            let head = language.of("Anomaly", "Anomalía");
            match &facts.worst {
                Some(worst) => format!("{head}: {name}{}", at_worst(worst, facts, language)),
                None => format!("{head}: {name}"),
            }
        }
        (EpisodeKind::Anomaly | EpisodeKind::Shelved, Change::StillOpen) => language.of(
            format!("Still anomalous after {lasted}: {name}"),
            format!("Sigue anómala tras {lasted}: {name}"),
        ),
        (EpisodeKind::Anomaly | EpisodeKind::Shelved, Change::Closed) => {
            language.of(format!("Over after {lasted}: {name}"), format!("Terminó tras {lasted}: {name}"))
        }
        (EpisodeKind::Silent, Change::Opened) => language.of(
            format!("Silent: {name}, no reading for {lasted}"),
            format!("En silencio: {name}, sin lecturas desde hace {lasted}"),
        ),
        (EpisodeKind::Silent, Change::StillOpen) => language.of(
            format!("Still silent after {lasted}: {name}"),
            format!("Sigue en silencio tras {lasted}: {name}"),
        ),
        (EpisodeKind::Silent, Change::Closed) => {
            language.of(format!("Back after {lasted}: {name}"), format!("De vuelta tras {lasted}: {name}"))
        }
        (EpisodeKind::Service, Change::Opened) => language.of(
            format!("No readings at all for {lasted}"),
            format!("Sin lecturas de nadie desde hace {lasted}"),
        ),
        (EpisodeKind::Service, Change::StillOpen) => language.of(
            format!("Still no readings at all after {lasted}"),
            format!("Siguen sin llegar lecturas tras {lasted}"),
        ),
        (EpisodeKind::Service, Change::Closed) => language
            .of(format!("Readings again after {lasted}"), format!("Vuelven las lecturas tras {lasted}")),
        (EpisodeKind::Stuck, Change::Opened) => language.of(
            format!("Stuck: {name}, the same value for {lasted}"),
            format!("Atascada: {name}, el mismo valor desde hace {lasted}"),
        ),
        (EpisodeKind::Stuck, Change::StillOpen) => language.of(
            format!("Still stuck after {lasted}: {name}"),
            format!("Sigue atascada tras {lasted}: {name}"),
        ),
        (EpisodeKind::Stuck, Change::Closed) => language.of(
            format!("Changes again after {lasted}: {name}"),
            format!("Vuelve a cambiar tras {lasted}: {name}"),
        ),
    }
}

/// ` at 87.4 °C, expected 73.2`.
fn at_worst(worst: &Worst, facts: &Facts, language: Language) -> String {
    let value = with_unit(worst.value, facts, language);
    match worst.expected.map(|expected| language.number(expected)) {
        Some(expected) => language
            .of(format!(" at {value}, expected {expected}"), format!(" en {value}, se esperaba {expected}")),
        None => format!(" {} {value}", language.of("at", "en")),
    }
}

fn of_service(service: &ServiceEvent, language: Language) -> String {
    match service {
        ServiceEvent::NoSuccess { lasted, .. } => {
            let lasted = lasting(*lasted);
            language.of(
                format!("The service has not judged for {lasted}"),
                format!("El servicio no juzga desde hace {lasted}"),
            )
        }
        ServiceEvent::Recovered { lasted, .. } => {
            let lasted = lasting(*lasted);
            language.of(
                format!("The service judges again after {lasted}"),
                format!("El servicio vuelve a juzgar tras {lasted}"),
            )
        }
        ServiceEvent::SetRefused { .. } => {
            language.of("New models or module refused", "Modelos o módulo nuevos rechazados").to_owned()
        }
        ServiceEvent::TooLate { readings, .. } => {
            let readings = readings_of(*readings, language);
            language.of(format!("Came too late: {readings}"), format!("Llegaron demasiado tarde: {readings}"))
        }
    }
}

/// The whole of it, in one sentence with the numbers.
pub(super) fn sentence(event: &AlertEvent, language: Language) -> String {
    match &event.what {
        EventDetail::Variable(change, facts) => match facts.nature {
            EpisodeKind::Anomaly | EpisodeKind::Shelved => anomaly(*change, facts, language),
            EpisodeKind::Silent => silent(*change, facts, language),
            EpisodeKind::Stuck => stuck(*change, facts, language),
            EpisodeKind::Service => nothing_comes(*change, facts, language),
        },
        EventDetail::Service(service) => service_sentence(service, event, language),
        EventDetail::Test => language
            .of(
                "This is a test: somebody ran `host alerts test`, and this channel works.",
                "Esto es una prueba: alguien ejecutó `host alerts test`, y este canal funciona.",
            )
            .to_owned(),
    }
}

fn anomaly(change: Change, facts: &Facts, language: Language) -> String {
    let (name, begin, lasted) = (whole_name(facts), facts.begin, lasting(facts.lasted()));
    let mut text = match change {
        Change::Opened if facts.lasted().is_zero() => {
            language.of(format!("{name} is anomalous at {begin}"), format!("{name} es anómala a las {begin}"))
        }
        Change::Opened => language.of(
            format!("{name} is anomalous since {begin} ({lasted})"),
            format!("{name} es anómala desde {begin} ({lasted})"),
        ),
        Change::StillOpen => language.of(
            format!("{name} is still anomalous, for {lasted}, since {begin}"),
            format!("{name} sigue anómala, {lasted}, desde {begin}"),
        ),
        Change::Closed => {
            let end = facts.closed_at.unwrap_or(facts.end);
            language.of(
                format!("{name} is normal again: it was anomalous for {lasted}, from {begin} to {end}"),
                format!("{name} vuelve a ser normal: fue anómala {lasted}, de {begin} a {end}"),
            )
        }
    };
    if let Some(worst) = &facts.worst {
        text.push_str("; ");
        text.push_str(&worst_reading(worst, facts, language));
    }
    if let Some(cause) = &facts.cause {
        text.push_str(&format!("; {}: {}", language.of("cause", "causa"), cause_in(cause, language)));
    }
    if let Some(peak) = facts.peak {
        text.push_str(&format!("; {} {}", language.of("score", "puntuación"), language.number(peak)));
    }
    text.push_str(&format!(", {}.", flagged(facts, language)));
    text
}

/// `at worst it read 87.4 °C at 10:00, above the expected 73.2`.
fn worst_reading(worst: &Worst, facts: &Facts, language: Language) -> String {
    let (value, at) = (with_unit(worst.value, facts, language), worst.at);
    let Some(expected) = worst.expected else {
        return language
            .of(format!("at worst it read {value} at {at}"), format!("lo peor fue {value} a las {at}"));
    };
    let side = if worst.value < expected {
        language.of("below the expected", "por debajo de lo esperado,")
    } else {
        language.of("above the expected", "por encima de lo esperado,")
    };
    let expected = language.number(expected);
    language.of(
        format!("at worst it read {value} at {at}, {side} {expected}"),
        format!("lo peor fue {value} a las {at}, {side} {expected}"),
    )
}

fn flagged(facts: &Facts, language: Language) -> String {
    let readings = readings_of(facts.readings, language);
    let flagged = facts.flagged;
    language.of(format!("{flagged} of {readings} flagged"), format!("{flagged} de {readings} marcadas"))
}

fn silent(change: Change, facts: &Facts, language: Language) -> String {
    let (name, begin, lasted) = (whole_name(facts), facts.begin, lasting(facts.lasted()));
    if change == Change::Closed {
        let end = facts.closed_at.unwrap_or(facts.end);
        return language.of(
            format!("{name} has readings again since {end}, after {lasted} of silence from {begin}."),
            format!("{name} vuelve a tener lecturas desde {end}, tras {lasted} de silencio desde {begin}."),
        );
    }
    language.of(
        format!("{name} has had no reading for {lasted}, since {begin}."),
        format!("{name} no tiene lecturas desde hace {lasted}, desde {begin}."),
    )
}

/// No variable has readings: what fills the table has stopped.
fn nothing_comes(change: Change, facts: &Facts, language: Language) -> String {
    let (worker, begin, lasted) = (name(facts), facts.begin, lasting(facts.lasted()));
    if change == Change::Closed {
        let end = facts.closed_at.unwrap_or(facts.end);
        return language.of(
            format!("Readings come again for worker `{worker}` since {end}, after {lasted} without any from {begin}."),
            format!("Vuelven a llegar lecturas para el worker `{worker}` desde {end}, tras {lasted} sin ninguna desde {begin}."),
        );
    }
    language.of(
        format!("No variable of worker `{worker}` has had a reading for {lasted}, since {begin}: what fills the table has stopped, or is late."),
        format!("Ninguna variable del worker `{worker}` tiene lecturas desde hace {lasted}, desde {begin}: lo que llena la tabla se ha parado, o va con retraso."),
    )
}

fn stuck(change: Change, facts: &Facts, language: Language) -> String {
    let (name, begin, lasted) = (whole_name(facts), facts.begin, lasting(facts.lasted()));
    let value =
        facts.worst.map_or_else(String::new, |worst| format!(" {}", with_unit(worst.value, facts, language)));
    if change == Change::Closed {
        let end = facts.closed_at.unwrap_or(facts.end);
        return language.of(
            format!("{name} changes again since {end}: it had the same value{value} for {lasted}, from {begin}."),
            format!("{name} vuelve a cambiar desde {end}: tuvo el mismo valor{value} durante {lasted}, desde {begin}."),
        );
    }
    language.of(
        format!("{name} has had the same value{value} for {lasted}, since {begin}."),
        format!("{name} tiene el mismo valor{value} desde hace {lasted}, desde {begin}."),
    )
}

fn service_sentence(service: &ServiceEvent, event: &AlertEvent, language: Language) -> String {
    let at = event.at;
    match service {
        ServiceEvent::NoSuccess { worker, lasted, interval, why } => {
            let (worker, why) = (shown(worker, NAME), shown(why, REASON));
            let (lasted, interval) = (lasting(*lasted), lasting(*interval));
            language.of(
                format!("Worker `{worker}` has finished no cycle for {lasted}, where one is due every {interval}: {why}."),
                format!("El worker `{worker}` no termina ningún ciclo desde hace {lasted}, cuando toca uno cada {interval}: {why}."),
            )
        }
        ServiceEvent::Recovered { worker, lasted } => {
            let (worker, lasted) = (shown(worker, NAME), lasting(*lasted));
            language.of(
                format!("Worker `{worker}` judges again since {at}, after {lasted} without a cycle; what came meanwhile is judged now."),
                format!("El worker `{worker}` vuelve a juzgar desde {at}, tras {lasted} sin un ciclo; lo que llegó entretanto se juzga ahora."),
            )
        }
        ServiceEvent::SetRefused { worker, why } => {
            let (worker, why) = (shown(worker, NAME), shown(why, REASON));
            language.of(
                format!("Worker `{worker}` refuses the new files at {at} and goes on with the set before: {why}."),
                format!("El worker `{worker}` rechaza los archivos nuevos a las {at} y sigue con el conjunto anterior: {why}."),
            )
        }
        ServiceEvent::TooLate { worker, readings } => {
            let (worker, readings) = (shown(worker, NAME), readings_of(*readings, language));
            language.of(
                format!("Worker `{worker}` found at {at} {readings} older than the allowed lateness; they have no verdict until `host backfill` judges them."),
                format!("El worker `{worker}` encontró a las {at} {readings} con más retraso del permitido; no tienen veredicto hasta que `host backfill` las juzgue."),
            )
        }
    }
}

fn readings_of(number: u64, language: Language) -> String {
    language.count(number, ["reading", "lectura"], ["readings", "lecturas"])
}

/// With the description, where there is one: `T1 (outlet of boiler 2)`.
fn whole_name(facts: &Facts) -> String {
    let name = name(facts);
    match facts.description.as_deref().map(|description| shown(description, NAME)) {
        Some(description) if !description.is_empty() => format!("{name} ({description})"),
        _ => name,
    }
}

fn with_unit(value: f64, facts: &Facts, language: Language) -> String {
    let value = language.number(value);
    match facts.unit.as_deref().map(|unit| shown(unit, NAME)) {
        Some(unit) if !unit.is_empty() => format!("{value} {unit}"),
        _ => value,
    }
}

/// A cause in words, from the contract's word for it; a word of a later contract as it is.
pub(crate) fn cause_in(cause: &str, language: Language) -> String {
    match cause {
        "spike" => language.of("spike", "pico"),
        "shift" => language.of("shift of level", "cambio de nivel"),
        "drift" => language.of("slow drift", "deriva lenta"),
        "variance" => language.of("change of variance", "cambio de varianza"),
        "pattern" => language.of("unusual pattern", "patrón inusual"),
        "stuck" => language.of("stuck value", "valor atascado"),
        other => return shown(other, NAME),
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
