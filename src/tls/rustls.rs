//! The back end on rustls: the handshake, its configurations and its errors.

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::rustls::client::Resumption;
use ::rustls::crypto::CryptoProvider;
use ::rustls::pki_types::ServerName;
use ::rustls::sign::CertifiedKey;
use ::rustls::version::{TLS12, TLS13};
use ::rustls::{ClientConfig, ClientConnection, HandshakeKind, KeyLogFile, PeerIncompatible, ProtocolVersion};

use super::alert::{ClientCertificate, meaning, silent_failure, with_cause};
use super::bindings;
use super::client_auth::{self, Presents};
use super::event::Judged;
use super::explain::{closed, explain, invalid_name};
use super::readahead::ReadAhead;
use super::roots::Trust;
use super::sessions::Sessions;
use super::stream::{RustlsStream, last_word, push};
use super::verifier::{Refused, Verifier};
use super::{Handler, Peer, Tls, TlsBackend, TlsInfo, TlsVersion, groups};
use crate::error::{Error, HandshakeCause, Result};
use crate::net::Transport;

/// What connections with the same settings share: trust, and per ALPN list a configuration with its sessions.
#[derive(Debug, Default)]
pub(super) struct Cache {
    trust: OnceLock<Arc<Trust>>,
    shared: Mutex<Vec<Shared>>,
}

/// What a configuration is made of.
pub(super) struct Choices {
    pub(super) trust: Arc<Trust>,
    pub(super) identity: Option<Arc<CertifiedKey>>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: RangeInclusive<TlsVersion>,
    pub(super) key_log: bool,
    pub(super) alpn: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Shared {
    alpn: Vec<Vec<u8>>,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
    sessions: Arc<Sessions>,
}

impl Cache {
    pub(super) fn trust(&self, make: impl FnOnce() -> Result<Trust>) -> Result<Arc<Trust>> {
        if let Some(trust) = self.trust.get() {
            return Ok(Arc::clone(trust));
        }
        let trust = Arc::new(make()?);
        Ok(Arc::clone(self.trust.get_or_init(|| trust)))
    }

    fn shared(&self, choices: &Choices) -> Result<Shared> {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.iter().find(|shared| shared.alpn == choices.alpn) {
            return Ok(found.clone());
        }
        let made = Shared::new(choices, None)?;
        all.push(made.clone());
        Ok(made)
    }
}

impl Shared {
    fn new(choices: &Choices, question: Option<(Handler, Peer)>) -> Result<Self> {
        let verifier = Verifier::new(Arc::clone(&choices.trust), question);
        let may_resume = !verifier.asks();
        let verifier = Arc::new(verifier);
        let versions = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
        let allowed = versions.into_iter().filter(|(version, _)| choices.versions.contains(version));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&choices.provider))
            .with_protocol_versions(&allowed.map(|(_, version)| version).collect::<Vec<_>>())
            .map_err(|error| Error::unsupported(format!("rustls: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
            .with_client_cert_resolver(Arc::new(Presents(choices.identity.clone())));
        config.alpn_protocols = choices.alpn.clone();
        if choices.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        let sessions = Arc::new(Sessions::new());
        config.resumption = match may_resume {
            true => Resumption::store(Arc::<Sessions>::clone(&sessions)),
            // A resumed session brings no certificate, so the event would not be asked.
            false => Resumption::disabled(),
        };
        Ok(Self { alpn: choices.alpn.clone(), config: Arc::new(config), verifier, sessions })
    }
}

/// A [`Tls`] for one connection.
pub(super) fn connection(
    cache: &Cache,
    choices: Choices,
    handler: Option<Handler>,
    peer: &Peer,
) -> Result<Arc<dyn Tls>> {
    let policy = match handler {
        Some(handler) => Policy::Ask { choices, handler },
        None => {
            choices.trust.demand_roots()?;
            Policy::Check(cache.shared(&choices)?)
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
    Ask { choices: Choices, handler: Handler },
}

impl Tls for Rustls {
    fn handshake(&self, host: &str, plain: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
        let name = server_name(host)?;
        let shared = match &self.policy {
            Policy::Check(shared) => shared.clone(),
            Policy::Ask { choices, handler } => Shared::new(choices, Some((Arc::clone(handler), self.peer.clone())))?,
        };
        let mut connection = ClientConnection::new(shared.config, name.clone())
            .map_err(|error| Error::handshake(&self.peer.name, error))?;
        let mut lower = ReadAhead::new(plain);
        let _under_way = client_auth::begin();
        match drive(&mut connection, &mut lower) {
            Ok(()) => {
                if client_auth::outcome() != ClientCertificate::NotAsked {
                    shared.sessions.is_asking(name);
                }
                let info = describe(&connection, &shared.verifier);
                Ok(Box::new(RustlsStream::new(connection, lower, info, client_auth::outcome())))
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
        if let Err(error) = push(connection, lower).and_then(|()| lower.flush()) {
            return Err(last_word(connection, lower, &error).map_or(Failure::Transport(error), Failure::Tls));
        }
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
            Failure::Transport(error) => {
                let kind = error.kind();
                let cause = if lower.has_received() { HandshakeCause::Other } else { silent_failure(kind) };
                with_cause(explain(&self.peer.name, lower, Some(kind), error), cause)
            }
            Failure::Tls(::rustls::Error::NoCertificatesPresented) => Judged::without_certificate().refused(host),
            Failure::Tls(error) => match Refused::in_error(&error) {
                Some(refused) => refused.0.refused(host),
                None => {
                    let cause = cause(&error, client_auth::outcome());
                    with_cause(explain(&self.peer.name, lower, None, error), cause)
                }
            },
        }
    }
}

/// What a failure of rustls means.
pub(super) fn cause(error: &::rustls::Error, client: ClientCertificate) -> HandshakeCause {
    match error {
        ::rustls::Error::AlertReceived(alert) => meaning(u8::from(*alert), client),
        ::rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => HandshakeCause::TlsVersion,
        _ => HandshakeCause::Other,
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
        key_exchange: connection
            .negotiated_key_exchange_group()
            .and_then(|group| groups::name(u16::from(group.name())).map(str::to_owned)),
        chain: connection.peer_certificates().unwrap_or_default().iter().map(|der| der.to_vec()).collect(),
        certificate_errors: verifier.accepted(),
        resumed: connection.handshake_kind().map(|kind| kind == HandshakeKind::Resumed),
        channel_bindings: bindings::of(connection),
    }
}
