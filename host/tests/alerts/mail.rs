//! Mail to a server of the test's own, which knows as much SMTP as is needed.

use std::sync::{Arc, Mutex};

use host::alert::channel;
use host::alert::language::Language;
use host::alert::message::Message;
use host::config::{AlertsSection, ChannelKind, ChannelSection, MailTls};
use host::secret::Secret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::outbox::at;

type Lines = Arc<Mutex<Vec<String>>>;

/// Answers each line with what `answer` returns for its first word. The lines are what it was told.
async fn serve(stream: TcpStream, lines: Lines, answer: fn(&str) -> &'static str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(format!("{}\r\n", answer("")).as_bytes()).await?;
    let mut in_mail = false;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let said = line.trim_end().to_owned();
        line.clear();
        lines.lock().unwrap().push(said.clone());
        let word = said.split_whitespace().next().unwrap_or_default().to_uppercase();
        let reply = match (in_mail, said.as_str()) {
            (true, ".") => {
                in_mail = false;
                answer(".")
            }
            (true, _) => continue,
            (false, _) => answer(&word),
        };
        in_mail |= word == "DATA" && reply.starts_with("354");
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn takes(word: &str) -> &'static str {
    match word {
        "" => "220 plant",
        "EHLO" => "250-plant\r\n250 AUTH PLAIN",
        "AUTH" => "235 welcome",
        "DATA" => "354 go on",
        "." => "250 taken as 7",
        "QUIT" => "221 bye",
        _ => "250 ok",
    }
}

fn refuses(word: &str) -> &'static str {
    if word == "RCPT" { "550 no such\u{1b}[2J user" } else { takes(word) }
}

fn is_busy(word: &str) -> &'static str {
    if word.is_empty() { "421 come back" } else { takes(word) }
}

fn knows_nobody(word: &str) -> &'static str {
    if word == "AUTH" { "535 who are you" } else { takes(word) }
}

#[tokio::test]
async fn a_mail_is_sent_or_it_is_said_why_not() {
    type Case = (&'static str, fn(&str) -> &'static str, Result<&'static str, (bool, &'static str)>);
    let cases: [Case; 4] = [
        ("taken", takes, Ok(" answers 250 taken as 7")),
        ("refused", refuses, Err((true, "no such\\u{1b}[2J user"))),
        ("busy", is_busy, Err((false, "come back"))),
        ("a stranger", knows_nobody, Err((true, "who are you"))),
    ];
    for (why, answer, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines: Lines = Arc::default();
        let told = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&told), answer));
            }
        });
        let section = ChannelSection {
            server: Some("127.0.0.1".to_owned()),
            port: Some(port),
            tls: Some(MailTls::None),
            user: Some("worker".to_owned()),
            password: Some(Secret::new("s3cret")),
            from: Some("worker@plant.example".to_owned()),
            to: vec!["a@plant.example".to_owned(), "b@plant.example".to_owned()],
            ..ChannelSection::new("mail", ChannelKind::Email)
        };
        let alerts = AlertsSection { channels: vec![section], ..AlertsSection::default() };
        let channel = channel::channels(&alerts, "default", None).unwrap().remove(0);
        let sent = channel.send(&Message::test("test-1".to_owned(), at(0), Language::Es)).await;
        match (sent, expected) {
            (Ok(answer), Ok(end)) => assert!(answer.ends_with(end), "{why}: {answer}"),
            (Err(failure), Err((refused, part))) => {
                assert_eq!(failure.refused, refused, "{why}: {failure:?}");
                assert!(
                    failure.what.contains(part) && !failure.what.contains("s3cret"),
                    "{why}: {failure:?}"
                );
                continue;
            }
            (found, _) => panic!("{why}: {found:?}"),
        }
        let lines = lines.lock().unwrap().clone();
        let of = |start: &str| lines.iter().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
        assert_eq!(of("MAIL FROM:<worker@plant.example>").len(), 1, "{lines:?}");
        assert_eq!(of("RCPT TO:").len(), 2, "{lines:?}");
        assert_eq!(of("Message-ID: <test-1@anomaly-worker>").len(), 1, "{lines:?}");
        assert_eq!(of("Subject: Prueba de este canal").len(), 1, "{lines:?}");
    }
}
