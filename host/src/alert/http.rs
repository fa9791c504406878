//! One POST to a receiver that is not trusted: it may be slow, send without end, or redirect.
//!
//! Every phase has a timeout, and so has the whole call. Only a few kilobytes of an answer are
//! read. Redirects are not followed, so that neither the message nor its secret goes to another
//! place. The call blocks, so it runs on a blocking thread, and ends by itself when its caller has
//! given up. Errors show only scheme and host of the address, because for some receivers the rest
//! is a secret.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::http::Uri;
use ureq::http::header::{HeaderMap, RETRY_AFTER};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::retry::SendError;
use crate::regular;
use crate::secret::Secret;
use crate::text::escaped;

/// The timeouts of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    resolve: Duration,
    connect: Duration,
    send: Duration,
    answer: Duration,
    /// From resolving the name to the last byte that is read.
    whole: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            resolve: seconds(5),
            connect: seconds(10),
            send: seconds(10),
            answer: seconds(20),
            whole: seconds(30),
        }
    }
}

/// The most bytes that are read of an answer, and the most characters that are shown.
const BODY: u64 = 4096;
const SHOWN: usize = 200;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) url: Secret,
    /// Besides the content type, which is JSON.
    pub(super) headers: Vec<(&'static str, Secret)>,
    pub(super) body: String,
}

/// The client, with the certificates that are trusted in place of the system's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct HttpClient {
    ca_file: Option<PathBuf>,
    times: Times,
}

/// The scheme and the host of an address, which may be shown.
///
/// # Errors
/// It is not an HTTP address.
pub(super) fn place(url: &Secret) -> Result<String, String> {
    let wrong = || "must be an address such as `https://host/path`".to_owned();
    let uri: Uri = url.reveal().trim().parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.host(), uri.port()) {
        (Some(scheme @ ("http" | "https")), Some(host), Some(port)) => {
            Ok(format!("{scheme}://{host}:{port}"))
        }
        (Some(scheme @ ("http" | "https")), Some(host), None) => Ok(format!("{scheme}://{host}")),
        _ => Err(wrong()),
    }
}

impl HttpClient {
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, times: Times::default() }
    }

    /// Sends, and returns the receiver's answer.
    pub(super) async fn post(&self, request: Request) -> Result<String, SendError> {
        let client = self.clone();
        tokio::task::spawn_blocking(move || client.blocking(&request))
            .await
            .unwrap_or_else(|error| Err(SendError::passing(format!("the thread that sends ended: {error}"))))
    }

    fn blocking(&self, request: &Request) -> Result<String, SendError> {
        let place = place(&request.url).map_err(|why| SendError::refused(format!("`url` {why}")))?;
        let agent = self.agent(is_here(&request.url)).map_err(SendError::refused)?;
        let mut post = agent.post(request.url.reveal().trim()).header("content-type", "application/json");
        for (name, value) in &request.headers {
            post = post.header(*name, value.reveal());
        }
        match post.send(request.body.as_str()) {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let text = beginning(body.into_reader());
                judge(&place, head.status.as_u16(), retry_after(&head.headers, SystemTime::now()), &text)
            }
            Err(error) => Err(failed(&place, &error)),
        }
    }

    fn agent(&self, is_here: bool) -> Result<Agent, String> {
        let roots = match &self.ca_file {
            Some(file) => RootCerts::Specific(Arc::new(certificates(file)?)),
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build();
        let Times { resolve, connect, send, answer, whole } = self.times;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .user_agent(concat!("anomaly-worker/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .timeout_global(Some(whole))
            .timeout_resolve(Some(resolve))
            .timeout_connect(Some(connect))
            .timeout_send_request(Some(send))
            .timeout_send_body(Some(send))
            .timeout_recv_response(Some(answer))
            .timeout_recv_body(Some(answer));
        // A proxy of the environment would look for the receiver on its own machine.
        if is_here {
            config = config.proxy(None);
        }
        Ok(config.build().new_agent())
    }
}

/// Whether an address names this machine.
fn is_here(url: &Secret) -> bool {
    let Ok(uri) = url.reveal().trim().parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn certificates(file: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, String> {
    let unusable = |why: &str| format!("`{}` cannot be used as `ca_file`: {why}", file.display());
    let bytes = regular::read_small(file).map_err(|error| unusable(&error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(unusable("it is no PEM file")),
        }
    }
    if certificates.is_empty() { Err(unusable("there is no certificate in it")) } else { Ok(certificates) }
}

/// The body up to its end, the limit, or an error.
fn beginning(mut body: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = body.by_ref().take(BODY).read_to_end(&mut bytes);
    let text: String = String::from_utf8_lossy(&bytes).trim().chars().take(SHOWN).collect();
    escaped(&text)
}

/// Interprets an answer. Pure.
fn judge(place: &str, status: u16, retry_after: Option<Duration>, text: &str) -> Result<String, SendError> {
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    let what = format!("{place} answers {status}{said}");
    match status {
        200..=299 => Ok(what),
        300..=399 => Err(SendError::refused(format!(
            "{place} answers {status}, a redirect, which is not followed; set the address that it leads to"
        ))),
        408 | 425 | 429 | 500..=599 => Err(SendError { what, refused: false, retry_after }),
        _ => Err(SendError::refused(what)),
    }
}

/// In seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at: SystemTime = DateTime::parse_from_rfc2822(text).ok()?.into();
    Some(at.duration_since(now).unwrap_or_default())
}

/// There was no answer. Errors of the library that contain the address are reworded.
fn failed(place: &str, error: &ureq::Error) -> SendError {
    match error {
        ureq::Error::Timeout(phase) => {
            SendError::passing(format!("{place} does not answer in time ({phase})"))
        }
        ureq::Error::HostNotFound => SendError::passing(format!("{place}: no such host")),
        ureq::Error::Io(error) => SendError::passing(format!("{place}: {error}")),
        ureq::Error::Rustls(error) => SendError::passing(format!("{place}: {error}")),
        ureq::Error::Tls(what) => SendError::passing(format!("{place}: {what}")),
        ureq::Error::ConnectionFailed => SendError::passing(format!("{place}: no connection")),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyStalled => {
            SendError::passing(format!("{place} does not send a valid HTTP answer"))
        }
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => SendError::refused(format!(
            "{place}: the address or a token has characters that a request cannot have"
        )),
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => {
            SendError::passing(format!("{place}: the proxy of the environment does not connect"))
        }
        _ => SendError::passing(format!("{place}: it cannot be sent")),
    }
}

#[cfg(test)]
mod tests;
