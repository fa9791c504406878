//! Who may see the page.
//!
//! From the machine itself every request is allowed. From elsewhere a token is needed, or a proxy
//! that names the user. The Host header is checked against DNS rebinding: another site's page must
//! not reach this one through a name that resolves to this address.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The cookie that is set after the token was given.
pub(super) const COOKIE_NAME: &str = "anomaly_worker_page";

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Who may see the page.
#[derive(Clone, Debug, Default)]
pub struct AccessRules {
    pub token: Option<Secret>,
    /// A header in which a proxy names the user, such as `X-Forwarded-User`.
    pub trusted_header: Option<String>,
    /// The proxies from which that header is trusted.
    pub proxies: Vec<IpAddr>,
    /// Host names of the page, besides its address and `localhost`.
    pub hosts: Vec<String>,
}

/// Why this configuration of the page is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error(
        "`web.listen` is `{0}`, which other machines reach: name a token as `web.token_file`, or a header of a proxy as \
         `web.trusted_header` with the proxy's address in `web.proxies`; or listen at 127.0.0.1"
    )]
    Open(SocketAddr),
    #[error(
        "`web.trusted_header` is set and `web.proxies` is empty; add the addresses of the proxies that may set the header"
    )]
    NoProxy,
    #[error("the page's token has {0} characters; it must have at least {SHORTEST_TOKEN}")]
    ShortToken(usize),
}

/// Whether a request is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Let,
    /// Its Host header is not one of ours.
    WrongHost,
    /// It lacks a token or a user.
    Unknown,
}

impl AccessRules {
    /// # Errors
    /// The page could be reached from elsewhere without authentication.
    pub fn fits(&self, listen: SocketAddr) -> Result<(), Refusal> {
        if let Some(token) = &self.token {
            let length = token.reveal().chars().count();
            if length < SHORTEST_TOKEN {
                return Err(Refusal::ShortToken(length));
            }
        }
        if self.trusted_header.is_some() && self.proxies.is_empty() {
            return Err(Refusal::NoProxy);
        }
        if listen.ip().is_loopback() || self.token.is_some() || self.trusted_header.is_some() {
            return Ok(());
        }
        Err(Refusal::Open(listen))
    }

    /// Judges a request from `peer`.
    pub(super) fn judge(&self, headers: &HeaderMap, peer: IpAddr) -> Verdict {
        if !self.is_our_host(headers) {
            return Verdict::WrongHost;
        }
        if (self.token.is_none() && self.trusted_header.is_none())
            || self.has_token(headers)
            || self.is_vouched_for(headers, peer)
        {
            return Verdict::Let;
        }
        Verdict::Unknown
    }

    /// A literal address cannot be rebound. A name can, so it must be one of ours.
    pub(super) fn is_our_host(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
        if host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return false };
        let bearer = headers
            .get_all(AUTHORIZATION)
            .iter()
            .filter_map(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .any(|given| self.is_token(given));
        let expected = mark(token);
        bearer
            || headers
                .get_all(COOKIE)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|cookies| cookies.split(';'))
                .filter_map(|cookie| cookie.trim().split_once('='))
                .any(|(name, value)| name == COOKIE_NAME && same(value, &expected))
    }

    /// Whether this is the token.
    pub(super) fn is_token(&self, given: &str) -> bool {
        // The digests have the same length, whatever was given.
        self.token.as_ref().is_some_and(|token| same(&mark(token), &mark(&Secret::new(given))))
    }

    /// The cookie for a client that gave the token.
    pub(super) fn cookie(&self) -> Option<String> {
        let mark = mark(self.token.as_ref()?);
        Some(format!("{COOKIE_NAME}={mark}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"))
    }

    fn is_vouched_for(&self, headers: &HeaderMap, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let named = |name: &String| headers.get(name.as_str()).is_some_and(|user| !user.is_empty());
        self.proxies.contains(&peer) && self.trusted_header.as_ref().is_some_and(named)
    }
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The token's digest, which the cookie holds: the token cannot be read from it.
fn mark(token: &Secret) -> String {
    let mut digest = Sha256::new();
    digest.update(b"anomaly-worker page\0");
    digest.update(token.reveal().as_bytes());
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "correct horse battery";

    fn access() -> AccessRules {
        AccessRules {
            token: Some(Secret::new(TOKEN)),
            trusted_header: Some("X-User".to_owned()),
            proxies: vec!["10.0.0.5".parse().unwrap()],
            hosts: vec!["planta.example".to_owned()],
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn a_page_that_others_reach_has_to_know_them() {
        let listen = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (here, everywhere) = (listen("127.0.0.1:8686"), listen("0.0.0.0:8686"));
        let nobody = AccessRules::default();
        assert_eq!(nobody.fits(here), Ok(()));
        assert_eq!(nobody.fits(listen("[::1]:1")), Ok(()));
        assert_eq!(nobody.fits(everywhere), Err(Refusal::Open(everywhere)));
        assert_eq!(access().fits(everywhere), Ok(()));
        let short = AccessRules { token: Some(Secret::new("short")), ..AccessRules::default() };
        assert_eq!(short.fits(here), Err(Refusal::ShortToken(5)));
        let from_anywhere = AccessRules { proxies: Vec::new(), ..access() };
        assert_eq!(from_anywhere.fits(everywhere), Err(Refusal::NoProxy));
    }

    #[test]
    fn who_says_who_it_is_is_let_in() {
        let cookie = access().cookie().unwrap();
        let cookie = cookie.split(';').next().unwrap();
        let other = format!("{COOKIE_NAME}={}", mark(&Secret::new("another")));
        let bearer = format!("Bearer {TOKEN}");
        for (given, peer, expected) in [
            (vec![("host", "localhost:8686")], "127.0.0.1", Verdict::Unknown),
            (vec![("host", "localhost"), ("authorization", &*bearer)], "9.9.9.9", Verdict::Let),
            (vec![("host", "localhost"), ("authorization", "Bearer wrong")], "9.9.9.9", Verdict::Unknown),
            (vec![("host", "planta.example"), ("cookie", cookie)], "9.9.9.9", Verdict::Let),
            (vec![("host", "localhost"), ("cookie", &*other)], "9.9.9.9", Verdict::Unknown),
            (vec![("host", "localhost"), ("x-user", "ana")], "10.0.0.5", Verdict::Let),
            (vec![("host", "localhost"), ("x-user", "ana")], "::ffff:10.0.0.5", Verdict::Let),
            (vec![("host", "localhost"), ("x-user", "ana")], "10.0.0.6", Verdict::Unknown),
            (vec![("host", "localhost"), ("x-user", "")], "10.0.0.5", Verdict::Unknown),
            (vec![("host", "evil.example"), ("authorization", &*bearer)], "127.0.0.1", Verdict::WrongHost),
            (vec![("authorization", &*bearer)], "127.0.0.1", Verdict::WrongHost),
        ] {
            let found = access().judge(&headers(&given), peer.parse().unwrap());
            assert_eq!(found, expected, "{given:?} from {peer}");
        }
    }

    #[test]
    fn only_our_names_and_addresses_are_hosts() {
        for (host, ours) in [
            ("127.0.0.1:8686", true),
            ("[::1]:8686", true),
            ("[::1]", true),
            ("192.168.1.7", true),
            ("LOCALHOST:1", true),
            ("Planta.Example:8443", true),
            ("planta.example.evil.com", false),
            ("localhost.evil.com", false),
            ("", false),
            ("user@localhost", false),
        ] {
            assert_eq!(access().is_our_host(&headers(&[("host", host)])), ours, "{host}");
        }
    }
}
