//! E-mail: plain text with an HTML alternative, which shows the picture if there is one.
//!
//! The addresses are read at the start, and a wrong one is an error then. Headers are written by
//! the library, which encodes their values, so that a line break in a name cannot begin a header.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};
use serde_json::json;

use crate::alert::message::{Message, Picture};
use crate::alert::retry::SendError;
use crate::alert::secret_source::SecretSource;
use crate::config::{ChannelSection, MailTls, whole};
use crate::regular;
use crate::text::escaped;

/// The time limit of a delivery.
const WHOLE: Duration = Duration::from_secs(60);

/// The time limit of one answer of the server.
const ANSWER: Duration = Duration::from_secs(15);

const HTML: &str = include_str!("../templates/mail.html");

/// The name of the picture within the mail.
const PICTURE: &str = "chart";

/// Where mail goes, and how.
#[derive(Clone, Debug)]
pub(super) struct Email {
    server: String,
    port: u16,
    tls: MailTls,
    login: Option<(String, SecretSource)>,
    from: Mailbox,
    to: Vec<Mailbox>,
    ca_file: Option<std::path::PathBuf>,
}

impl Email {
    pub(super) fn of(section: &ChannelSection, password: Option<SecretSource>) -> Result<Self, String> {
        let mailbox = |key: &str, text: &str| {
            text.parse::<Mailbox>().map_err(|_| {
                format!(
                    "`{key}` is `{}`; it must be an address such as `a@plant.example` or `A <a@plant.example>`",
                    escaped(text)
                )
            })
        };
        let server = section.server.clone().ok_or("there is no `server`; set the mail server's name")?;
        let from = section.from.as_deref().ok_or("there is no `from`; set the address that mail is from")?;
        if section.to.is_empty() {
            return Err("there is no `to`; set the addresses that mail goes to".to_owned());
        }
        let tls = section.tls.unwrap_or(MailTls::Starttls);
        let login = match (&section.user, password) {
            (Some(user), Some(password)) => Some((user.clone(), password)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(format!(
                    "there is no password for `user`; set `password_file`, `password` or a systemd credential `{}_password`",
                    section.name
                ));
            }
            (None, Some(_)) => {
                return Err("there is a password but no `user`; set the login's name".to_owned());
            }
        };
        if login.is_some() && tls == MailTls::None && !is_here(&server) {
            return Err(format!(
                "with `tls = \"none\"` the password would be sent to `{server}` without encryption; set \"starttls\" or \"tls\""
            ));
        }
        let port = section.port.unwrap_or(match tls {
            MailTls::Tls => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        });
        Ok(Self {
            server,
            port,
            tls,
            login,
            from: mailbox("from", from)?,
            to: section.to.iter().map(|to| mailbox("to", to)).collect::<Result<_, _>>()?,
            ca_file: section.ca_file.as_deref().map(whole),
        })
    }

    /// `mail.plant.example:587, to a@plant.example`.
    pub(super) fn place(&self) -> String {
        let to: Vec<_> = self.to.iter().map(|to| to.email.to_string()).collect();
        format!("{}:{}, to {}", self.server, self.port, to.join(", "))
    }

    pub(super) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let mail = self.compose(message).map_err(SendError::refused)?;
        let transport = self.transport().map_err(SendError::refused)?;
        let place = format!("{}:{}", self.server, self.port);
        match tokio::time::timeout(WHOLE, transport.send(mail)).await {
            Ok(Ok(answer)) => {
                let words: Vec<_> = answer.message().take(1).collect();
                Ok(escaped(&format!("{place} answers {} {}", answer.code(), words.join(" "))))
            }
            Ok(Err(error)) => {
                let what = escaped(&format!("{place}: {}", with_causes(&error)));
                Err(SendError { what, refused: error.is_permanent(), retry_after: None })
            }
            Err(_) => Err(SendError::passing(format!("{place} does not answer in time"))),
        }
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let tls = match self.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(self.parameters()?),
            MailTls::Tls => Tls::Wrapper(self.parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.server)
            .port(self.port)
            .tls(tls)
            .timeout(Some(ANSWER));
        if let Some((user, password)) = &self.login {
            let password = password.read()?;
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        Ok(builder.build())
    }

    fn parameters(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.server.clone());
        if let Some(file) = &self.ca_file {
            let unusable = |why: &dyn std::fmt::Display| {
                format!("`{}` cannot be used as `ca_file`: {why}", file.display())
            };
            let bytes = regular::read_small(file).map_err(|error| unusable(&error))?;
            let certificate = Certificate::from_pem(&bytes).map_err(|error| unusable(&error))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build_rustls().map_err(|error| with_causes(&error))
    }

    fn compose(&self, message: &Message) -> Result<lettre::Message, String> {
        let html = html(message).map_err(|error| error.to_string())?;
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .subject(message.subject.as_str())
            .message_id(Some(format!("<{}@anomaly-worker>", message.id)));
        // The begin and the end of an episode are in one thread of the mail program.
        if let [event] = message.events.as_slice() {
            mail = mail.references(format!("<{}@anomaly-worker>", thread(&event.key())));
        }
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let plain = SinglePart::plain(message.text());
        let html = SinglePart::html(html);
        let rich = MultiPart::alternative().singlepart(plain);
        let whole = match &message.picture {
            Some(Picture { content_type, bytes }) => {
                let kind = ContentType::parse(content_type).map_err(|error| error.to_string())?;
                let picture = Attachment::new_inline(PICTURE.to_owned()).body(Body::new(bytes.clone()), kind);
                rich.multipart(MultiPart::related().singlepart(html).singlepart(picture))
            }
            None => rich.singlepart(html),
        };
        mail.multipart(whole).map_err(|error| error.to_string())
    }
}

/// An identifier of letters and digits from a key of any characters.
fn thread(key: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(key).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn html(message: &Message) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let (first, rest) = message.lines.split_at(usize::from(message.events.len() > 1));
    let values = json!({
        "language": message.language,
        "subject": message.subject,
        "first": first.first(),
        "lines": rest.iter().map(|line| line.strip_prefix("- ").unwrap_or(line)).collect::<Vec<_>>(),
        "link": message.link(),
        "picture": message.picture.as_ref().map(|_| PICTURE),
    });
    environment.render_str(HTML, Value::from(Serde(values)))
}

/// Whether a server is this machine.
fn is_here(server: &str) -> bool {
    let name = server.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error and its causes, each once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
