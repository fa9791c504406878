//! A workflow of Microsoft Teams: an Adaptive Card.
//!
//! A text block would interpret names as Markdown, so rich text blocks are used, whose text is
//! plain. The workflow answers 202 before it has posted anything, so its answer does not prove that
//! the message was posted.

use serde_json::{Value, json};

use super::fitted;
use crate::alert::http::Request;
use crate::alert::message::Message;
use crate::episode::Priority;
use crate::secret::Secret;

/// Teams takes at most 28 KB in all, and a letter of two bytes may become six bytes of JSON.
const MOST: usize = 8_000;

pub(super) fn request(url: Secret, message: &Message) -> Request {
    Request { url, headers: Vec::new(), body: card(message).to_string() }
}

fn card(message: &Message) -> Value {
    let colour = match message.priority {
        _ if message.is_end() => "Good",
        Priority::High => "Attention",
        Priority::Medium => "Warning",
        Priority::Low => "Default",
    };
    let plain = |run: Value| json!({ "type": "RichTextBlock", "inlines": [run] });
    let headline = json!({
        "type": "TextRun", "text": message.subject, "weight": "Bolder", "size": "Large", "color": colour,
    });
    let text = fitted(&message.lines, MOST);
    let lines = text.lines().map(|line| plain(json!({ "type": "TextRun", "text": line })));
    let body: Vec<_> = std::iter::once(plain(headline)).chain(lines).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": message.subject,
                "body": body,
            },
        }],
    })
}
