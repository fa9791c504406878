#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;
use crate::alert::event::Change;
use crate::alert::fixture::{event, facts};
use crate::alert::group::{Group, GroupKind};
use crate::alert::language::Language;
use crate::config::ChannelKind;

fn mail() -> Email {
    let section = ChannelSection {
        server: Some("mail.example".to_owned()),
        from: Some("Worker <w@plant.example>".to_owned()),
        to: vec!["a@plant.example".to_owned(), "b@plant.example".to_owned()],
        ..ChannelSection::new("mail", ChannelKind::Email)
    };
    Email::of(&section, None).unwrap()
}

fn message(name: &str, number: usize) -> Message {
    let kind = if number == 1 { GroupKind::One } else { GroupKind::Together };
    let events = (0..number).map(|at| event(&format!("e{at}"), Change::Opened, 0, facts(name))).collect();
    Message::of(Group { kind, events }, Language::En)
}

/// Headers by name, unfolded.
fn headers(mail: &str) -> Vec<(String, String)> {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    head.lines()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

#[test]
fn a_mail_has_plain_text_html_and_a_picture() {
    let picture = Picture { content_type: "image/svg+xml".to_owned(), bytes: b"<svg/>".to_vec() };
    let with = Message { picture: Some(picture), ..message("T1", 1) };
    let mail = String::from_utf8(self::mail().compose(&with).unwrap().formatted()).unwrap();
    let named: Vec<_> = headers(&mail).into_iter().map(|(name, _)| name).collect();
    for name in ["From", "To", "Subject", "Message-ID", "References", "Date", "MIME-Version", "Content-Type"]
    {
        assert!(named.iter().any(|found| found == name), "{name}: {named:?}");
    }
    let types: Vec<_> = mail
        .lines()
        .filter_map(|line| line.strip_prefix("Content-Type: "))
        .map(|kind| kind.split(';').next().unwrap())
        .collect();
    assert_eq!(
        types,
        ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/svg+xml"]
    );
    let without = String::from_utf8(self::mail().compose(&message("T1", 1)).unwrap().formatted()).unwrap();
    assert!(!without.contains("cid:") && mail.contains("cid:chart"), "{mail}");
}

#[test]
fn a_name_is_no_header_and_no_markup() {
    let odd = "T\r\nBcc: all@plant.example\r\n\r\n<script>alert(1)</script>";
    for number in [1, 3] {
        let message = message(odd, number);
        let mail = String::from_utf8(mail().compose(&message).unwrap().formatted()).unwrap();
        assert!(headers(&mail).iter().all(|(name, _)| !name.eq_ignore_ascii_case("bcc")), "{mail}");
        let html = html(&message).unwrap();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
    }
}

#[test]
fn html_is_whole() {
    let expected = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>2 anomalies: T1, T1</title></head>
<body style=\"font-family: sans-serif; max-width: 45em\">
<h1 style=\"font-size: 1.2em\">2 anomalies: T1, T1</h1>
<p>At 2025-01-15 10:00:00:</p>
<ul>
<li>LINE</li>
<li>LINE</li>
</ul>
</body>
</html>";
    let two = message("T1", 2);
    let line = two.lines[1].trim_start_matches("- ");
    assert_eq!(html(&two).unwrap(), expected.replace("LINE", line));
}
