#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};

use super::*;
use crate::alert::event::{AlertEvent, Change, Facts, ServiceEvent};
use crate::alert::fixture::{event, facts, service};
use crate::alert::group::{Group, GroupKind};
use crate::config::MailTls;
use crate::secret::Secret;

const HOSTILE: &str = "T\r\n<script>\"}],*_`|@all &\u{202e}";

fn one(event: AlertEvent) -> Message {
    Message::of(Group { kind: GroupKind::One, events: vec![event] }, Language::En)
}

fn channel(section: &ChannelSection) -> Channel {
    Channel::of(section, Language::En, "default", None).unwrap()
}

/// The address that a message is sent to, the names of its headers, and its body.
fn request(channel: &Channel, message: &Message) -> (String, Vec<&'static str>, Value) {
    let Speaks::Http { url, says, .. } = &channel.speaks else { panic!("no HTTP") };
    let url = url.read().unwrap();
    let request = match says {
        Says::Webhook(webhook) => webhook.request(url, message).unwrap(),
        Says::Teams => teams::request(url, message),
        Says::Templated(templated) => templated.request(url, message).unwrap(),
        Says::Alerts { .. } => alertmanager::request(&url, None, &[]).unwrap(),
    };
    let headers = request.headers.iter().map(|(name, _)| *name).collect();
    (request.url.reveal().to_owned(), headers, serde_json::from_str(&request.body).unwrap())
}

fn section(kind: ChannelKind) -> ChannelSection {
    ChannelSection { url: Some(Secret::new("https://h.example/p")), ..ChannelSection::new("c", kind) }
}

#[test]
fn each_receiver_gets_what_it_understands() {
    let token = || Some(Secret::new("t0ken"));
    let opened = one(event("e1", Change::Opened, 0, facts("T<1>")));
    let closed = one(event("e2", Change::Closed, 5, facts("T<1>")));
    let text = &opened.lines[0];
    let to = || vec!["plant".to_owned()];
    for (section, message, url, headers, body) in [
        (
            section(ChannelKind::Slack),
            &opened,
            "https://h.example/p",
            vec![],
            json!({
                "text": "Anomaly: T&lt;1&gt; at 87.4 °C, expected 73.2",
                "blocks": [
                    { "type": "header", "text": { "type": "plain_text", "text": opened.subject, "emoji": false } },
                    { "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } },
                ],
            }),
        ),
        (
            ChannelSection { token: token(), to: to(), url: None, ..section(ChannelKind::Telegram) },
            &opened,
            "https://api.telegram.org/bott0ken/sendMessage",
            vec![],
            json!({
                "chat_id": "plant",
                "text": format!("{}\n\n{text}", opened.subject),
                "link_preview_options": { "is_disabled": true },
                "disable_notification": false,
            }),
        ),
        (
            ChannelSection { token: token(), to: to(), ..section(ChannelKind::Ntfy) },
            &opened,
            "https://h.example/p",
            vec!["authorization"],
            json!({
                "topic": "plant", "title": opened.subject, "message": text, "priority": 3, "tags": ["warning"],
            }),
        ),
        (
            ChannelSection { token: token(), url: None, ..section(ChannelKind::Pagerduty) },
            &closed,
            "https://events.pagerduty.com/v2/enqueue",
            vec![],
            json!({
                "routing_key": "t0ken",
                "event_action": "resolve",
                "dedup_key": "default/anomaly/T<1>/2025-01-15 10:00:00",
                "payload": {
                    "summary": closed.lines[0],
                    "source": "default",
                    "severity": "warning",
                    "custom_details": closed.data()["events"][0],
                },
            }),
        ),
        (
            section(ChannelKind::Teams),
            &closed,
            "https://h.example/p",
            vec![],
            json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": null,
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "fallbackText": closed.subject,
                        "body": [
                            { "type": "RichTextBlock", "inlines": [{
                                "type": "TextRun", "text": closed.subject, "weight": "Bolder", "size": "Large", "color": "Good",
                            }] },
                            { "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": closed.lines[0] }] },
                        ],
                    },
                }],
            }),
        ),
        (section(ChannelKind::Alertmanager), &opened, "https://h.example/p/api/v2/alerts", vec![], json!([])),
    ] {
        let found = request(&channel(&section), message);
        assert_eq!(found, (url.to_owned(), headers, body));
    }
}

/// Begin and end of one episode are one incident, and another episode is another.
#[test]
fn an_incident_has_one_key() {
    let key = |message: &Message| {
        let section = ChannelSection { token: Some(Secret::new("t")), ..section(ChannelKind::Pagerduty) };
        request(&channel(&section), message).2["dedup_key"].clone()
    };
    let opened = key(&one(event("1", Change::Opened, 0, facts("A"))));
    assert_eq!(opened, key(&one(event("2", Change::Closed, 9, facts("A")))));
    assert_ne!(opened, key(&one(event("1", Change::Opened, 0, facts("B")))));
    let later = Facts { begin: crate::alert::fixture::at(1), ..facts("A") };
    assert_ne!(opened, key(&one(event("1", Change::Opened, 1, later))));
}

#[test]
fn a_webhook_is_signed_and_tells_it_all() {
    let with = |secret: &str| ChannelSection {
        secret: Some(Secret::new(secret)),
        token: Some(Secret::new("t0ken")),
        ..section(ChannelKind::Webhook)
    };
    let message = one(event("e1", Change::Opened, 0, facts(HOSTILE)));
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let channel = channel(&with(secret));
    let Speaks::Http { says: Says::Webhook(webhook), .. } = &channel.speaks else { panic!("no webhook") };
    let request = webhook.request(Secret::new("https://h"), &message).unwrap();
    let headers = request.headers.iter().map(|(name, value)| {
        let name: ureq::http::HeaderName = name.parse().unwrap();
        (name, value.reveal().parse::<ureq::http::HeaderValue>().unwrap())
    });
    let headers = ureq::http::HeaderMap::from_iter(headers);
    let verifier = standardwebhooks::Webhook::new(secret).unwrap();
    verifier.verify(request.body.as_bytes(), &headers).unwrap();
    assert!(verifier.verify(b"{}", &headers).is_err());
    assert_eq!(
        (&headers["webhook-id"], &headers["authorization"]),
        (&ureq::http::HeaderValue::from_static("e1"), &ureq::http::HeaderValue::from_static("Bearer t0ken"),)
    );
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["type"], "anomaly-worker.opened");
    assert_eq!(body["data"], message.data());
    assert_eq!(body["data"]["events"][0]["variable"], HOSTILE);
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));

    let error = Channel::of(&with("no base 64"), Language::En, "default", None).unwrap_err();
    assert!(error.starts_with("`[alerts.c]`: the `secret` must be Base64"), "{error}");
}

/// Whatever a variable is called, a receiver gets JSON of the same shape.
#[test]
fn names_do_nothing_to_a_receiver() {
    fn shape(value: &Value) -> Value {
        match value {
            Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
            Value::Array(items) => items.iter().map(shape).collect(),
            Value::String(_) => json!("text"),
            other => other.clone(),
        }
    }
    for kind in [
        ChannelKind::Webhook,
        ChannelKind::Slack,
        ChannelKind::Ntfy,
        ChannelKind::Telegram,
        ChannelKind::Pagerduty,
        ChannelKind::Teams,
    ] {
        let to = if matches!(kind, ChannelKind::Ntfy | ChannelKind::Telegram) {
            vec!["t".to_owned()]
        } else {
            vec![]
        };
        let token = (kind != ChannelKind::Teams && kind != ChannelKind::Slack).then(|| Secret::new("t"));
        let channel = channel(&ChannelSection { to, token, ..section(kind) });
        let of = |name: &str| request(&channel, &one(event("e1", Change::Opened, 0, facts(name)))).2;
        assert_eq!(shape(&of(HOSTILE)), shape(&of("T1")), "{kind:?}");
    }
}

#[test]
fn an_own_template_is_filled_and_its_faults_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("body.json");
    let late = one(service("s1", ServiceEvent::TooLate { worker: "w".to_owned(), readings: 2 }));
    let section = |kind| ChannelSection { template: Some(file.clone()), ..section(kind) };
    for (template, expected) in [
        (
            r#"{"what": {{ subject }}, "n": {{ events | length }}}"#,
            Ok(json!({ "what": late.subject, "n": 1 })),
        ),
        (r#"{"what": {{ subjct }}}"#, Err("the template makes no message: undefined value")),
        (r#"{"what": "#, Err("the template makes no message: it is no JSON: ")),
    ] {
        std::fs::write(&file, template).unwrap();
        let channel = channel(&section(ChannelKind::Webhook));
        let Speaks::Http { says: Says::Webhook(webhook), .. } = &channel.speaks else { panic!("no webhook") };
        match (webhook.request(Secret::new("https://h"), &late), expected) {
            (Ok(request), Ok(body)) => {
                assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), body);
            }
            (Err(failure), Err(start)) => {
                assert!(failure.refused && failure.what.starts_with(start), "{failure:?}");
            }
            (found, _) => panic!("{template}: {found:?}"),
        }
    }
    std::fs::write(&file, "{{ subject").unwrap();
    let error = Channel::of(&section(ChannelKind::Slack), Language::En, "w", None).unwrap_err();
    assert!(error.contains("body.json` cannot be used: "), "{error}");
}

#[test]
fn what_does_not_go_together_is_said_at_the_start() {
    let none = |kind| ChannelSection::new("c", kind);
    let mail = || ChannelSection {
        server: Some("mail.example".to_owned()),
        from: Some("w@plant.example".to_owned()),
        to: vec!["a@plant.example".to_owned()],
        ..none(ChannelKind::Email)
    };
    for (section, said) in [
        (none(ChannelKind::Webhook), "there is no `url`; set `url_file`, ANOMALY_ALERTS_C_URL or `url`"),
        (
            ChannelSection { url: Some(Secret::new("h/s3cret")), ..none(ChannelKind::Slack) },
            "`url` must be an address such as `https://host/path`",
        ),
        (
            ChannelSection { secret: Some(Secret::new("s3cret")), ..section(ChannelKind::Slack) },
            "a channel of kind \"slack\" has no `secret`, which is for \"webhook\"",
        ),
        (section(ChannelKind::Ntfy), "`to` must be one topic; it has 0"),
        (
            ChannelSection { to: vec!["1".to_owned()], ..none(ChannelKind::Telegram) },
            "there is no `token`; set `token_file` or `token`",
        ),
        (ChannelSection { server: None, ..mail() }, "there is no `server`; set the mail server's name"),
        (ChannelSection { from: None, ..mail() }, "there is no `from`; set the address that mail is from"),
        (ChannelSection { to: vec![], ..mail() }, "there is no `to`; set the addresses that mail goes to"),
        (
            ChannelSection { to: vec!["a\nb".to_owned()], ..mail() },
            "`to` is `a\\nb`; it must be an address such as `a@plant.example` or `A <a@plant.example>`",
        ),
        (
            ChannelSection { user: Some("w".to_owned()), ..mail() },
            "there is no password for `user`; set `password_file`, `password` or a systemd credential `c_password`",
        ),
        (
            ChannelSection { password: Some(Secret::new("s3cret")), ..mail() },
            "there is a password but no `user`; set the login's name",
        ),
        (
            ChannelSection {
                user: Some("w".to_owned()),
                password: Some(Secret::new("s3cret")),
                tls: Some(MailTls::None),
                ..mail()
            },
            "with `tls = \"none\"` the password would be sent to `mail.example` without encryption; set \"starttls\" or \"tls\"",
        ),
    ] {
        let error = Channel::of(&section, Language::En, "default", None).unwrap_err();
        assert_eq!(error, format!("`[alerts.c]`: {said}"));
    }
    for (section, place) in [
        (mail(), "mail.example:587, to a@plant.example"),
        (ChannelSection { tls: Some(MailTls::Tls), ..mail() }, "mail.example:465, to a@plant.example"),
        (ChannelSection { tls: Some(MailTls::None), ..mail() }, "mail.example:25, to a@plant.example"),
        (section(ChannelKind::Slack), "https://h.example"),
    ] {
        assert_eq!(channel(&section).place(), place);
    }
}

/// A channel can be printed, and shows nothing that is secret.
#[test]
fn secrets_are_not_shown() {
    let hook = ChannelSection {
        secret: Some(Secret::new("c2VjcmV0MTIz")),
        token: Some(Secret::new("s3cret")),
        url: Some(Secret::new("https://h/s3cret")),
        ..section(ChannelKind::Webhook)
    };
    let shown = format!("{:?} {hook:?} {}", channel(&hook), channel(&hook).place());
    assert!(!shown.contains("s3cret") && !shown.contains("c2VjcmV0"), "{shown}");
}

#[test]
fn a_text_is_cut_between_lines() {
    let lines: Vec<_> = ["one", "two", "señal"].map(str::to_owned).to_vec();
    for (most, text) in [
        (100, "one\ntwo\nseñal"),
        (14, "one\ntwo\nseñal"),
        (13, "one\ntwo\n…"),
        (7, "one\ntwo\n…"),
        (6, "one\n…"),
    ] {
        assert_eq!(fitted(&lines, most), text, "{most}");
    }
    assert_eq!(fitted(&["señales".to_owned()], 7), "se\n…");
}
