#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::net::TcpListener;
use std::time::{Instant, UNIX_EPOCH};

use super::*;

#[test]
fn an_answer_is_taken_or_tried_again_or_refused() {
    let minute = Some(Duration::from_secs(60));
    for (status, after, text, expected) in [
        (200, None, "", Ok("https://h answers 200".to_owned())),
        (202, None, "Accepted", Ok("https://h answers 202: Accepted".to_owned())),
        (429, minute, "slow down", Err((false, minute, "https://h answers 429: slow down"))),
        (408, None, "", Err((false, None, "https://h answers 408"))),
        (503, minute, "", Err((false, minute, "https://h answers 503"))),
        (404, minute, "no such hook", Err((true, None, "https://h answers 404: no such hook"))),
        (
            302,
            None,
            "",
            Err((
                true,
                None,
                "https://h answers 302, a redirect, which is not followed; set the address that it leads to",
            )),
        ),
    ] {
        let expected = expected.map_err(|(refused, retry_after, what): (bool, Option<Duration>, &str)| {
            SendError { what: what.to_owned(), refused, retry_after }
        });
        assert_eq!(judge("https://h", status, after, text), expected);
    }
}

#[test]
fn what_a_receiver_asks_to_wait_is_read() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (text, seconds) in [
        ("120", Some(120)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("-1", None),
        ("soon", None),
        ("99999999999999999999", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn of_an_address_only_the_host_is_shown() {
    for (url, shown) in [
        ("https://hooks.example/T0/s3cret?sig=x", Some("https://hooks.example")),
        ("http://u:s3cret@10.0.0.1:8080/p", Some("http://10.0.0.1:8080")),
        (" https://h ", Some("https://h")),
        ("ftp://h/", None),
        ("h/s3cret", None),
        ("s3cret", None),
        ("", None),
    ] {
        let found = place(&Secret::new(url));
        match shown {
            Some(shown) => assert_eq!(found.as_deref(), Ok(shown)),
            None => assert!(!found.unwrap_err().contains("s3cret"), "{url}"),
        }
    }
}

#[test]
fn an_address_of_this_machine_is_known() {
    for (url, expected) in [
        ("http://127.0.0.1:9093/api", true),
        ("http://127.1.2.3", true),
        (" https://LocalHost/x ", true),
        ("http://[::1]:8080/", true),
        ("http://localhost.example/", false),
        ("http://10.0.0.1/", false),
        ("http://[fe80::1]/", false),
        ("", false),
    ] {
        assert_eq!(is_here(&Secret::new(url)), expected, "{url}");
    }
}

/// Slow, endless, silent, lying and sending elsewhere: each is bounded, and said.
#[tokio::test]
async fn a_hostile_receiver_costs_its_time_and_no_more() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let redirect = format!(
        "HTTP/1.1 307 X\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.local_addr().unwrap()
    );
    let endless_header = format!("HTTP/1.1 200 OK\r\n{}", "x-more: y\r\n".repeat(20_000));
    let (chunk, piece) = (format!("60\r\n{}\r\n", "abc".repeat(32)), "abc".repeat(32));
    // What comes first, what comes again and again, and what is said of it.
    for (first, again, said) in [
        ("", "", Err("does not answer in time")),
        ("HTTP/1.1 200 OK\r\n", "x-slow: y\r\n", Err("does not")),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &*chunk, Ok("answers 200")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", &*piece, Ok("answers 200: abcabc")),
        (endless_header.as_str(), "x-more: y\r\n", Err("does not")),
        (redirect.as_str(), "", Err("answers 307, a redirect")),
        ("SSH-2.0-x\r\n", "", Err("")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Secret::new(format!("http://{}/s3cret", listener.local_addr().unwrap()));
        let (first, again) = (first.to_owned(), again.to_owned());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let begun = Instant::now();
            let mut gone = stream.write_all(first.as_bytes()).is_err();
            while !gone && begun.elapsed() < Duration::from_secs(60) {
                gone = stream.write_all(again.as_bytes()).is_err();
                std::thread::sleep(Duration::from_millis(if again.is_empty() { 50 } else { 1 }));
            }
        });
        // Who answers at all has the time that a busy machine needs; what is endless is ended soon.
        let is_late = said.is_err_and(|part| !part.starts_with("answers"));
        let step = if is_late { Duration::from_millis(300) } else { Duration::from_secs(10) };
        let times = Times { resolve: step, connect: step, send: step, answer: step, whole: 3 * step };
        let client = HttpClient { ca_file: None, times };
        let begun = Instant::now();
        let found = client.post(Request { url, headers: vec![], body: "{}".to_owned() }).await;
        assert!(begun.elapsed() < Duration::from_secs(40), "{said:?}");
        match (found, said) {
            (Ok(answer), Ok(part)) => assert!(answer.contains(part), "{answer}"),
            (Err(failure), Err(part)) => {
                assert!(failure.what.contains(part) && !failure.what.contains("s3cret"), "{failure:?}");
            }
            (found, said) => panic!("{said:?}: {found:?}"),
        }
    }
    assert!(elsewhere.accept().is_err(), "nobody was sent elsewhere");
}
