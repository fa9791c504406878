//! TLS as TDS 7 does it (2.2.6.5, 3.2.5.2): the handshake's records are sent within PRELOGIN
//! packets, and everything after them directly. A certificate is made for each server, so that
//! there is no key in the repository.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::packet::{self, kind};

/// A server's certificate, and the one that a client must trust.
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    /// The certificate of the authority, PEM.
    pub(crate) ca: String,
}

impl Identity {
    /// An authority, and a certificate from it for `localhost` and the loopback addresses.
    pub(crate) fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "fake-tds test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // As SQL Server up to 2019: with TLS 1.3 the server would send more after the client's end
        // of the handshake.
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        Ok(Self { config: Arc::new(config), ca: authority.pem() })
    }
}

/// A connection after its prelogin.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Does the handshake.
    pub(crate) fn secure(mut tcp: TcpStream, config: &Arc<ServerConfig>) -> Result<Self> {
        let mut tls = ServerConnection::new(Arc::clone(config))?;
        while tls.is_handshaking() {
            let Some((kind::PRELOGIN, records)) = packet::read(&mut tcp)? else {
                bail!("the client left the TLS handshake")
            };
            let mut records = &*records;
            while !records.is_empty() {
                tls.read_tls(&mut records)?;
                tls.process_new_packets().context("TLS handshake")?;
            }
            let mut answer = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut answer)?;
            }
            if !answer.is_empty() {
                packet::write(&mut tcp, kind::PRELOGIN, &answer)?;
            }
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(tls, tcp))))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
