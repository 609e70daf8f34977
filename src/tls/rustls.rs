//! The back end on rustls with ring: the handshake, its configurations and its errors. The provider is always named: no
//! process-wide default is needed or set.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::rustls::client::Resumption;
use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::pki_types::ServerName;
use ::rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion};

use super::bindings;
use super::event::Judged;
use super::explain::{closed, explain, invalid_name};
use super::readahead::ReadAhead;
use super::roots::Trust;
use super::stream::{RustlsStream, push};
use super::verifier::{Refused, Verifier};
use super::{Handler, Peer, Tls, TlsBackend, TlsInfo, TlsVersion};
use crate::error::{Error, Result};
use crate::net::Transport;

pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider()))
}

/// What connections with the same settings share: trust, and per ALPN list a configuration with its sessions.
#[derive(Debug, Default)]
pub(super) struct Cache {
    trust: OnceLock<Arc<Trust>>,
    shared: Mutex<Vec<Shared>>,
}

#[derive(Debug, Clone)]
struct Shared {
    alpn: Vec<Vec<u8>>,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Cache {
    pub(super) fn trust(&self, system_roots: bool, added: &[Vec<u8>]) -> Result<Arc<Trust>> {
        if let Some(trust) = self.trust.get() {
            return Ok(Arc::clone(trust));
        }
        let trust = Arc::new(Trust::new(system_roots, added)?);
        Ok(Arc::clone(self.trust.get_or_init(|| trust)))
    }

    fn shared(&self, trust: &Arc<Trust>, alpn: &[Vec<u8>]) -> Result<Shared> {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.iter().find(|shared| shared.alpn == alpn) {
            return Ok(found.clone());
        }
        let made = Shared::new(Verifier::new(Arc::clone(trust), None), alpn)?;
        all.push(made.clone());
        Ok(made)
    }
}

impl Shared {
    fn new(verifier: Verifier, alpn: &[Vec<u8>]) -> Result<Self> {
        let may_resume = !verifier.asks();
        let verifier = Arc::new(verifier);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::unsupported(format!("rustls: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
            .with_no_client_auth();
        config.alpn_protocols = alpn.to_vec();
        if !may_resume {
            // A resumed session brings no certificate, so the event would not be asked.
            config.resumption = Resumption::disabled();
        }
        Ok(Self { alpn: alpn.to_vec(), config: Arc::new(config), verifier })
    }
}

/// A [`Tls`] for one connection.
pub(super) fn connection(
    cache: &Cache,
    trust: Arc<Trust>,
    handler: Option<Handler>,
    peer: &Peer,
    alpn: &[&[u8]],
) -> Result<Arc<dyn Tls>> {
    let alpn: Vec<Vec<u8>> = alpn.iter().map(|name| name.to_vec()).collect();
    let policy = match handler {
        Some(handler) => Policy::Ask { trust, handler, alpn },
        None => {
            trust.demand_roots()?;
            Policy::Check(cache.shared(&trust, &alpn)?)
        }
    };
    Ok(Arc::new(Rustls { peer: peer.clone(), policy }))
}

struct Rustls {
    peer: Peer,
    policy: Policy,
}

enum Policy {
    /// The default check decides; sessions are resumed.
    Check(Shared),
    /// The event decides; each handshake has a configuration of its own, so that each is asked about.
    Ask { trust: Arc<Trust>, handler: Handler, alpn: Vec<Vec<u8>> },
}

impl Tls for Rustls {
    fn handshake(&self, host: &str, plain: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
        let name = server_name(host)?;
        let shared = match &self.policy {
            Policy::Check(shared) => shared.clone(),
            Policy::Ask { trust, handler, alpn } => {
                let question = Some((Arc::clone(handler), self.peer.clone()));
                Shared::new(Verifier::new(Arc::clone(trust), question), alpn)?
            }
        };
        let mut connection =
            ClientConnection::new(shared.config, name).map_err(|error| Error::handshake(&self.peer.name, error))?;
        let mut lower = ReadAhead::new(plain);
        match drive(&mut connection, &mut lower) {
            Ok(()) => {
                let info = describe(&connection, &shared.verifier);
                Ok(Box::new(RustlsStream::new(connection, lower, info)))
            }
            Err(failure) => Err(self.explain(host, failure, &mut lower)),
        }
    }
}

/// The name for SNI and the name check.
fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(|_| invalid_name(host))
}

enum Failure {
    Transport(io::Error),
    Tls(::rustls::Error),
}

/// Does the whole handshake. Every turn either gets bytes or ends, so a peer that has closed cannot keep it going. (A
/// close_notify counts for nothing here, since it is not authenticated yet; rustls takes only a few.)
fn drive(connection: &mut ClientConnection, lower: &mut ReadAhead) -> Result<(), Failure> {
    loop {
        push(connection, lower).and_then(|()| lower.flush()).map_err(Failure::Transport)?;
        if !connection.is_handshaking() {
            return Ok(());
        }
        match connection.read_tls(lower) {
            Ok(0) => return Err(Failure::Transport(closed())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Transport(error)),
        }
        if let Err(error) = connection.process_new_packets() {
            // The alert that says why; it goes out or not.
            if lower.stop_waiting().is_ok() {
                let _ = push(connection, lower).and_then(|()| lower.flush());
            }
            return Err(Failure::Tls(error));
        }
    }
}

impl Rustls {
    fn explain(&self, host: &str, failure: Failure, lower: &mut ReadAhead) -> Error {
        match failure {
            Failure::Transport(error) => explain(&self.peer.name, lower, Some(error.kind()), error),
            Failure::Tls(::rustls::Error::NoCertificatesPresented) => Judged::without_certificate().refused(host),
            Failure::Tls(error) => match Refused::in_error(&error) {
                Some(refused) => refused.0.refused(host),
                None => explain(&self.peer.name, lower, None, error),
            },
        }
    }
}

fn describe(connection: &ClientConnection, verifier: &Verifier) -> TlsInfo {
    TlsInfo {
        backend: Some(TlsBackend::Rustls),
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
            Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
            _ => None,
        },
        // rustls' own names are IANA's, but for the TLS13_ of the suites of 1.3.
        cipher_suite: connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)),
        chain: connection.peer_certificates().unwrap_or_default().iter().map(|der| der.to_vec()).collect(),
        certificate_errors: verifier.accepted(),
        resumed: connection.handshake_kind().map(|kind| kind == HandshakeKind::Resumed),
        channel_bindings: bindings::of(connection),
    }
}
