//! A JSON webhook, signed by the rules of [Standard Webhooks](https://www.standardwebhooks.com).

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Signer,
};

use super::template::Templated;
use crate::alert::event::EventKind;
use crate::alert::http::Request;
use crate::alert::message::Message;
use crate::alert::retry::SendError;
use crate::alert::secret_source::SecretSource;
use crate::secret::Secret;

/// The settings of a webhook besides its address.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    /// The key of the signature. None: messages are not signed.
    secret: Option<SecretSource>,
    token: Option<SecretSource>,
    /// A template, in place of the built-in body.
    body: Option<Templated>,
}

fn signer(secret: &Secret) -> Result<Signer, String> {
    let signer = Signer::new(secret.reveal().trim()).ok();
    signer.ok_or_else(|| {
        "the `secret` must be Base64, with or without `whsec_` before it, as `openssl rand -base64 32` prints it".to_owned()
    })
}

/// The header for a token.
pub(super) fn bearer(token: Option<&SecretSource>) -> Result<Option<(&'static str, Secret)>, SendError> {
    let Some(token) = token else { return Ok(None) };
    let token = token.read().map_err(SendError::refused)?;
    Ok(Some(("authorization", Secret::new(format!("Bearer {}", token.reveal().trim())))))
}

impl Webhook {
    pub(super) fn of(
        secret: Option<SecretSource>,
        token: Option<SecretSource>,
        body: Option<Templated>,
    ) -> Result<Self, String> {
        if let Some(SecretSource::Given(secret)) = &secret {
            signer(secret)?;
        }
        Ok(Self { secret, token, body })
    }

    pub(super) fn request(&self, url: Secret, message: &Message) -> Result<Request, SendError> {
        let now = SystemTime::now();
        let body = match &self.body {
            Some(body) => body.body(message)?,
            None => body(message, now),
        };
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut headers = vec![
            (HEADER_WEBHOOK_ID, Secret::new(message.id.as_str())),
            (HEADER_WEBHOOK_TIMESTAMP, Secret::new(seconds.to_string())),
        ];
        if let Some(secret) = &self.secret {
            let secret = secret.read().map_err(SendError::refused)?;
            let signed = signer(&secret).and_then(|signer| {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                signer.sign(&message.id, seconds, body.as_bytes()).map_err(|error| error.to_string())
            });
            headers.push((HEADER_WEBHOOK_SIGNATURE, Secret::new(signed.map_err(SendError::refused)?)));
        }
        headers.extend(bearer(self.token.as_ref())?);
        Ok(Request { url, headers, body })
    }
}

/// `timestamp` is real time; the times in `data` are by the plant's clock.
fn body(message: &Message, now: SystemTime) -> String {
    let kind = message.kind().map_or("summary", EventKind::word);
    json!({
        "type": format!("anomaly-worker.{kind}"),
        "timestamp": DateTime::<Utc>::from(now).to_rfc3339_opts(SecondsFormat::Secs, true),
        "data": message.data(),
    })
    .to_string()
}
