//! The chart of a message, for receivers that show pictures. It is drawn as on the page.
//!
//! A message without a picture is better than a late one: after any error or timeout there is no
//! picture.

use std::sync::Arc;
use std::time::Duration;

use super::event::{AlertEvent, EventDetail};
use super::language::Language;
use super::message::{Message, Picture};
use crate::chart::{ChartSize, Dress, ENGLISH, SPANISH, chart};
use crate::datetime::Datetime;
use crate::episode::EpisodeKind;
use crate::store::Store;
use crate::web::chart_data;

/// The time limit for reading and drawing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The least time that is shown before an episode.
const BEFORE: Duration = Duration::from_secs(2 * 3600);

/// Variable, begin and end of the chart. None if the message is not about the readings of one
/// variable.
fn wanted(message: &Message) -> Option<(Arc<str>, Datetime, Datetime)> {
    let [AlertEvent { what: EventDetail::Variable(_, facts), .. }] = message.events.as_slice() else {
        return None;
    };
    if !matches!(facts.nature, EpisodeKind::Anomaly | EpisodeKind::Stuck) {
        return None;
    }
    let before = BEFORE.max(facts.lasted());
    let last = facts.closed_at.unwrap_or(facts.end);
    // The last reading is in the picture.
    Some((Arc::clone(&facts.variable), facts.begin.earlier(before), last.later(Duration::from_secs(1))))
}

/// Draws the chart.
pub(super) async fn picture(store: &dyn Store, message: &Message) -> Option<Picture> {
    let (variable, from, to) = wanted(message)?;
    let drawn = async {
        let mut reader = store.open_page().await.ok()??;
        let (data, _) = chart_data(reader.as_mut(), &variable, from, to).await.ok()?;
        let labels = if message.language == Language::Es { &SPANISH } else { &ENGLISH };
        let svg = chart(&data, labels, ChartSize::WIDE, Dress::File).ok()?;
        Some(Picture { content_type: "image/svg+xml".to_owned(), bytes: svg.into_bytes() })
    };
    tokio::time::timeout(PATIENCE, drawn).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::event::{Change, Facts};
    use crate::alert::fixture::{at, event, facts};
    use crate::alert::group::{Group, GroupKind};

    #[test]
    fn one_variable_is_drawn_with_what_was_before() {
        let of = |events: Vec<AlertEvent>| {
            let kind = if events.len() == 1 { GroupKind::One } else { GroupKind::Together };
            wanted(&Message::of(Group { kind, events }, Language::En))
        };
        let opened = |facts| event("1", Change::Opened, 20, facts);
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        let end = at(20).later(Duration::from_secs(1));
        assert_eq!(of(vec![opened(facts("T1"))]), Some(("T1".into(), at(0).earlier(hours(2)), end)));
        let long = event("1", Change::Closed, 600, facts("T1"));
        let end = at(600).later(Duration::from_secs(1));
        assert_eq!(of(vec![long]), Some(("T1".into(), at(0).earlier(hours(10)), end)));
        let silent = Facts { nature: EpisodeKind::Silent, ..facts("T1") };
        assert_eq!(of(vec![opened(silent)]), None);
        assert_eq!(of(vec![opened(facts("A")), opened(facts("B"))]), None);
    }
}
