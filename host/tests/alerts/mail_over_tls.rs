//! Mail over TLS, from the first byte on or after STARTTLS: only to a server whose certificate is
//! trusted. Neither login nor mail is sent before that.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use host::alert::channel;
use host::alert::language::Language;
use host::alert::message::Message;
use host::config::{AlertsSection, ChannelKind, ChannelSection, MailTls};
use host::secret::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::outbox::at;

/// What the server was told, each line with whether it came over TLS.
type Lines = Arc<Mutex<Vec<(bool, String)>>>;

/// A server, and the certificate that a client must trust.
fn identity(name: &str) -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let certificates = vec![certificate.der().clone()];
    let config = config.unwrap().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    (Arc::new(config), authority.pem())
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

#[derive(Clone)]
struct Server {
    config: Arc<ServerConfig>,
    /// Whether it uses TLS from the first byte on, and if not, whether it offers TLS.
    is_wrapped: bool,
    offers: bool,
    lines: Lines,
}

impl Server {
    fn secured(&self, tcp: TcpStream) -> Box<dyn Stream> {
        let tls = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        Box::new(StreamOwned::new(tls, tcp))
    }

    fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            while let Ok((tcp, _)) = listener.accept() {
                let server = self.clone();
                std::thread::spawn(move || server.serve(tcp));
            }
        });
        port
    }

    /// Serves a connection until the client ends it.
    fn serve(&self, tcp: TcpStream) -> std::io::Result<()> {
        let mut is_secure = self.is_wrapped;
        let again = tcp.try_clone()?;
        let mut stream = BufReader::new(if is_secure { self.secured(tcp) } else { Box::new(tcp) });
        stream.get_mut().write_all(b"220 plant\r\n")?;
        let (mut in_mail, mut line) = (false, String::new());
        while stream.read_line(&mut line)? > 0 {
            let said = std::mem::take(&mut line).trim_end().to_owned();
            self.lines.lock().unwrap().push((is_secure, said.clone()));
            if in_mail && said != "." {
                continue;
            }
            let reply = match said.split_whitespace().next().unwrap_or_default() {
                "." => "250 taken",
                "EHLO" if !is_secure && self.offers => "250-plant\r\n250 STARTTLS",
                "EHLO" => "250-plant\r\n250 AUTH PLAIN",
                "STARTTLS" => "220 go on",
                "AUTH" => "235 welcome",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            in_mail = said == "DATA";
            stream.get_mut().write_all(format!("{reply}\r\n").as_bytes())?;
            if said == "STARTTLS" {
                is_secure = true;
                stream = BufReader::new(self.secured(again.try_clone()?));
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn mail_goes_over_tls_to_a_server_that_is_trusted_and_to_no_other() {
    use MailTls::{Starttls, Tls};
    for (why, tls, name, trusts, offers, is_sent) in [
        ("STARTTLS", Starttls, "localhost", true, true, true),
        ("TLS", Tls, "localhost", true, true, true),
        ("nobody vouches for it", Starttls, "localhost", false, true, false),
        ("nor for this one", Tls, "localhost", false, true, false),
        ("it is another one", Starttls, "other.example", true, true, false),
        ("it does not offer it", Starttls, "localhost", true, false, false),
    ] {
        let (config, ca) = identity(name);
        let lines = Lines::default();
        let server = Server { config, is_wrapped: tls == Tls, offers, lines: Arc::clone(&lines) };
        let directory = tempfile::tempdir().unwrap();
        let ca_file: PathBuf = directory.path().join("ca.pem");
        std::fs::write(&ca_file, ca).unwrap();
        let section = ChannelSection {
            server: Some("localhost".to_owned()),
            port: Some(server.start()),
            tls: Some(tls),
            ca_file: trusts.then_some(ca_file),
            user: Some("worker".to_owned()),
            password: Some(Secret::new("s3cret")),
            from: Some("worker@plant.example".to_owned()),
            to: vec!["a@plant.example".to_owned()],
            ..ChannelSection::new("mail", ChannelKind::Email)
        };
        let alerts = AlertsSection { channels: vec![section], ..AlertsSection::default() };
        let channel = channel::channels(&alerts, "default", None).unwrap().remove(0);
        let sent = channel.send(&Message::test("test-1".to_owned(), at(0), Language::En)).await;
        assert_eq!(sent.is_ok(), is_sent, "{why}: {sent:?}");
        let lines = lines.lock().unwrap().clone();
        let is_about = |line: &str| !["EHLO", "STARTTLS", "QUIT"].iter().any(|word| line.starts_with(word));
        let said: Vec<_> = lines.iter().filter(|(_, line)| is_about(line)).collect();
        assert!(said.iter().all(|(is_secure, _)| *is_secure), "{why}: {lines:?}");
        assert_eq!(said.iter().any(|(_, line)| line.starts_with("AUTH PLAIN")), is_sent, "{why}: {lines:?}");
    }
}
