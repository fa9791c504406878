//! The real program: `host alerts`, and what a service tells of itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::{Place, Ran, wait};
use crate::receiver::SECRET;

/// Answers requests with the statuses that `status` gives, and keeps the messages it accepted.
pub(crate) fn receiver(
    mut status: impl FnMut() -> &'static str + Send + 'static,
) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let came = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&came);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut stream = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap_or_default() > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            // A client that was killed has sent only a part of it.
            if length == 0 || stream.read_exact(&mut body).is_err() {
                continue;
            }
            let status = status();
            if status.starts_with('2') {
                kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    (format!("http://{address}"), came)
}

#[test]
fn channels_are_shown_and_tried() {
    let place = Place::new();
    let (takes, came) = receiver(|| "204 No Content");
    let (refuses, _) = receiver(|| "404 Not Found");
    place.write(
        "anomaly-worker.toml",
        format!(
            "[alerts.hook]\nkind = \"webhook\"\nurl = \"{takes}/s3cret\"\nsecret = \"{SECRET}\"\n\
             [alerts.gone]\nkind = \"slack\"\nurl = \"{refuses}/s3cret\"\nlanguage = \"es\"\npriority = \"high\"\n\
             variables = [\"TEMP*\"]\nkinds = [\"opened\", \"closed\"]\n"
        ),
    );
    let gone_told = "priority high and above; TEMP*; opened, closed";
    for (arguments, code, said) in [
        (
            ["alerts", "list"].as_slice(),
            0,
            format!(
                "hook           webhook       {takes}: everything\ngone           slack         {refuses}: {gone_told}\n"
            ),
        ),
        (&["alerts", "test", "hook"], 0, format!("sent: {takes} answers 204\n")),
        (&["alerts", "test", "gone"], 1, format!("error: channel `gone`: {refuses} answers 404\n")),
        (
            &["alerts", "test", "mail"],
            2,
            "error: there is no channel `mail`; there are `hook`, `gone`\n".to_owned(),
        ),
        (&["alerts", "retry"], 1, String::new()),
    ] {
        let ran = place.run(arguments);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {all}");
        assert!(said.is_empty() || all == said, "{arguments:?}: {all}");
        assert!(!all.contains("s3cret") && !all.contains("MfKQ9"), "{all}");
    }
    let came = came.lock().unwrap().clone();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0]["type"], "anomaly-worker.test");

    place.write("anomaly-worker.toml", "[alerts.mail]\nkind = \"email\"\nserver = \"h\"\n");
    for arguments in [["alerts", "list"].as_slice(), &["run", "--once"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("`[alerts.mail]`: there is no `from`"), "{}", ran.stderr);
    }
}

/// A proxy of the environment would look for the receiver on its own machine.
#[test]
fn a_receiver_on_this_machine_needs_no_proxy() {
    let place = Place::new();
    let (url, came) = receiver(|| "204 No Content");
    place.write("anomaly-worker.toml", format!("[alerts.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n"));
    let mut command = place.command(&["alerts", "test", "hook"]);
    // Nothing listens there.
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    let ran = Ran::of(&command.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap());
    assert_eq!((ran.code, ran.stdout), (Some(0), format!("sent: {url} answers 204\n")), "{}", ran.stderr);
    assert_eq!(came.lock().unwrap().len(), 1);
}

/// That the database cannot be reached is told once, without the database. That it is back is told
/// once too.
#[test]
fn a_service_tells_that_it_does_not_judge_and_that_it_does_again() {
    let place = Place::new();
    let (url, came) = receiver(|| "200 OK");
    place.write("anomaly-worker.toml", format!("[alerts.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n"));
    let mut command = place.command(&["run", "--interval", "1s"]);
    command.env("ANOMALY_INPUT_DATABASE", "later.sqlite");
    let mut service = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let told = || -> Vec<Value> {
        let came = came.lock().unwrap();
        came.iter().map(|message: &Value| message["data"]["events"][0]["service"]["state"].clone()).collect()
    };
    wait("the trouble is told", || !told().is_empty());
    // The file appears complete, because the service may look at any moment.
    std::fs::copy(place.path("plant.sqlite"), place.path("copy.sqlite")).unwrap();
    std::fs::rename(place.path("copy.sqlite"), place.path("later.sqlite")).unwrap();
    wait("the end of it is told", || told().len() > 1);
    service.kill().unwrap();
    service.wait().unwrap();
    assert_eq!(told(), ["no-success", "recovered"]);
}
