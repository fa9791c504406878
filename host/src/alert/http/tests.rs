#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::UNIX_EPOCH;

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
                "https://h answers 302, which sends elsewhere; that is not followed: write the address that it means",
            )),
        ),
    ] {
        let expected = expected.map_err(|(refused, retry_after, what): (bool, Option<Duration>, &str)| Failure {
            what: what.to_owned(),
            refused,
            retry_after,
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
