//! The back end on native-tls, the platform's own TLS. It has no hook for the certificate event, so a certificate that
//! fails the platform's check ends the first pass, and a second one asks the event. Nothing that failed is ever cleared.

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use native_tls::{Certificate, HandshakeError, Identity, Protocol, TlsConnector, TlsStream};

use super::alert::{ClientCertificate, alert_number, meaning, silent_failure, with_cause};
use super::event::{Findings, Judged};
use super::explain::{closed, explain};
use super::names::Name;
use super::native_stream::{Below, Lent, NativeStream, returned};
use super::{Certificate as View, CertificateErrors, ChannelBinding, ChannelBindings, Date, Evidence, Handler};
use super::{Handshaken, Peer, TlsBackend, TlsInfo, TlsVersion};
use crate::certificate::facts;
use crate::error::{Error, HandshakeCause, Result};
use crate::net::Transport;

/// Bytes of the platform's text that are kept: it may quote the certificate, so the server.
const MAX_DETAIL: usize = 512;

/// Whom a connector trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Roots {
    pub(super) system: bool,
    pub(super) added: Vec<Vec<u8>>,
}

/// What a connector is made of.
pub(super) struct Choices {
    pub(super) roots: Roots,
    pub(super) identity: Option<Identity>,
    pub(super) versions: RangeInclusive<TlsVersion>,
    pub(super) alpn: Vec<String>,
}

/// What the platform checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Chain and name: where nobody else decides.
    All,
    /// The chain; the name is checked here, so that a mere mismatch of it takes no second connection.
    Chain,
    /// Nothing but the handshake's own signature: only with evidence that the chain failed.
    Signature,
}

/// What connections with the same settings share: connectors by what they check, and by the names of the protocol. One
/// takes 40 ms to build: OpenSSL reads all system roots.
#[derive(Debug, Default)]
pub(super) struct Cache {
    connectors: Mutex<Vec<(Check, Vec<String>, TlsConnector)>>,
}

impl Cache {
    fn connector(&self, check: Check, choices: &Choices) -> Result<TlsConnector> {
        let mut all = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(of, alpn, _): &&(Check, Vec<String>, TlsConnector)| *of == check && *alpn == choices.alpn;
        if let Some((_, _, found)) = all.iter().find(fits) {
            return Ok(found.clone());
        }
        let made = build(check, choices).map_err(|error| Error::unsupported(format!("native-tls: {error}")))?;
        all.push((check, choices.alpn.clone(), made.clone()));
        Ok(made)
    }
}

fn build(check: Check, choices: &Choices) -> native_tls::Result<TlsConnector> {
    let Choices { roots, identity, versions, alpn } = choices;
    let mut builder = TlsConnector::builder();
    builder
        .min_protocol_version(Some(protocol(*versions.start())))
        .max_protocol_version(Some(*versions.end()).filter(|max| *max < TlsVersion::Tls13).map(protocol))
        .disable_built_in_roots(!roots.system)
        .danger_accept_invalid_hostnames(check != Check::All)
        .danger_accept_invalid_certs(check == Check::Signature)
        .request_alpns(&alpn.iter().map(String::as_str).collect::<Vec<_>>());
    for der in &roots.added {
        builder.add_root_certificate(Certificate::from_der(der)?);
    }
    if let Some(identity) = identity {
        builder.identity(identity.clone());
    }
    builder.build()
}

fn protocol(version: TlsVersion) -> Protocol {
    match version {
        TlsVersion::Tls12 => Protocol::Tlsv12,
        TlsVersion::Tls13 => Protocol::Tlsv13,
    }
}

/// Whether a certificate can serve as a root.
pub(super) fn check_root(der: &[u8]) -> Result<(), &'static str> {
    Certificate::from_der(der).map(drop).map_err(|_| "not a certificate that native-tls can use")
}

/// The TLS of one client.
pub(crate) struct Native {
    pub(super) peer: Peer,
    pub(super) cache: Arc<Cache>,
    pub(super) choices: Choices,
    pub(super) handler: Option<Handler>,
}

/// Why a handshake failed.
enum Failure {
    /// On the certificate, as far as can be told; with the platform's text.
    Certificate(String),
    Other(Error),
}

impl Native {
    /// One pass; the second if there is evidence of the first.
    pub(super) fn handshake(
        &self,
        host: &str,
        plain: Box<dyn Transport>,
        evidence: Option<&Evidence>,
    ) -> Result<Handshaken> {
        let name = Name::new(host)?;
        let check = match (&self.handler, evidence) {
            (None, _) => Check::All,
            (Some(_), None) => Check::Chain,
            (Some(_), Some(_)) => Check::Signature,
        };
        if check == Check::All && self.choices.roots == Roots::default() {
            return Err(Error::NoRootCertificates { errors: Vec::new() });
        }
        let connector = self.cache.connector(check, &self.choices)?;
        match self.connect(&connector, &name, plain) {
            Ok(tls) => self.judge(host, &name, tls, evidence).map(Handshaken::Done),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Certificate(detail)) => match check {
                Check::All => {
                    let findings = Findings { errors: CertificateErrors::CHAIN_ERROR, chain_verified: false, detail };
                    Err(Judged::by_default(findings, Vec::new()).refused(host))
                }
                Check::Chain => Ok(Handshaken::Again(Evidence { errors: CertificateErrors::CHAIN_ERROR, detail })),
                // Nothing about the certificate was checked but that the server holds its key.
                Check::Signature => Err(Error::handshake(&self.peer.name, detail)),
            },
        }
    }

    fn connect(
        &self,
        connector: &TlsConnector,
        name: &Name,
        plain: Box<dyn Transport>,
    ) -> Result<TlsStream<Lent>, Failure> {
        let (lent, home) = Lent::new(plain);
        let error = match connector.connect(&name.for_platform(), lent) {
            Ok(tls) => return Ok(tls),
            Err(HandshakeError::Failure(error)) => Some(error),
            // All waiting is done below, and ends in an error: there is nothing to go on with.
            Err(HandshakeError::WouldBlock(unfinished)) => {
                drop(unfinished);
                None
            }
        };
        Err(match returned(&home) {
            Some(below) => self.explain(error, below),
            None => Failure::Other(match error {
                Some(error) => Error::handshake(&self.peer.name, error),
                None => Error::handshake(&self.peer.name, closed()),
            }),
        })
    }

    /// Tells a failure on the certificate from all others. The platform does not, so: a certificate has come, and then
    /// neither the network nor the peer ended the handshake, so this side did.
    fn explain(&self, error: Option<native_tls::Error>, mut below: Below) -> Failure {
        let Some(error) = error else {
            let blocked = io::Error::from(io::ErrorKind::WouldBlock);
            return Failure::Other(explain(&self.peer.name, &mut below.lower, Some(blocked.kind()), blocked));
        };
        let input_output = input_output(&error);
        let refused_here = input_output.is_none() && !below.ended && !below.records.end_in_alert();
        if refused_here && below.records.have_certificate() {
            return Failure::Certificate(shortened(error.to_string()));
        }
        if matches!(input_output, Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)) {
            // It may have said why before it went away.
            below.read_rest();
        }
        let cause = self.cause(&error, input_output, &below);
        let silent = matches!(cause, HandshakeCause::Other | HandshakeCause::HungUp);
        let explained = if below.ended && input_output.is_none() && silent {
            explain(&self.peer.name, &mut below.lower, None, closed())
        } else {
            explain(&self.peer.name, &mut below.lower, input_output, error)
        };
        Failure::Other(with_cause(explained, cause))
    }

    /// What the end of a handshake means that was not for the certificate.
    fn cause(&self, error: &native_tls::Error, input_output: Option<io::ErrorKind>, below: &Below) -> HandshakeCause {
        let client = match &self.choices.identity {
            _ if !below.records.certificate_requested() => ClientCertificate::NotAsked,
            Some(_) => ClientCertificate::Sent,
            None => ClientCertificate::Missing,
        };
        match below.records.alert().or_else(|| alert_number(&error.to_string())) {
            Some(alert) => meaning(alert, client),
            // It answered with a version that was not offered, and this side ended it.
            None if below.records.have_version_outside(&self.choices.versions) => HandshakeCause::TlsVersion,
            None if below.lower.has_received() => HandshakeCause::Other,
            None if below.ended => HandshakeCause::HungUp,
            None => input_output.map_or(HandshakeCause::Other, silent_failure),
        }
    }

    /// Looks at the certificate, asks the event, and only then hands out the connection.
    fn judge(
        &self,
        host: &str,
        name: &Name,
        tls: TlsStream<Lent>,
        evidence: Option<&Evidence>,
    ) -> Result<Box<dyn Transport>> {
        let leaf = tls.peer_certificate().ok().flatten().and_then(|leaf| leaf.to_der().ok());
        let Some(leaf) = leaf else {
            return Err(Judged::without_certificate().refused(host));
        };
        let (findings, chain) = (inspect(host, name, &leaf, evidence, &self.choices.roots), vec![leaf]);
        let judged = match &self.handler {
            None => Judged::by_default(findings, chain),
            Some(handler) => Judged::asked(handler, (host, &self.peer, TlsBackend::NativeTls), findings, chain),
        };
        if !judged.is_valid {
            return Err(judged.refused(host));
        }
        let info = TlsInfo {
            backend: Some(TlsBackend::NativeTls),
            chain: judged.chain,
            certificate_errors: judged.findings.errors,
            channel_bindings: bindings(&tls),
            ..TlsInfo::default()
        };
        Ok(Box::new(NativeStream::new(tls, info, self.choices.identity.is_some())))
    }
}

/// The platform has no exporter.
fn bindings(tls: &TlsStream<Lent>) -> ChannelBindings {
    let none = ChannelBindings::new();
    match tls.tls_server_end_point() {
        Ok(Some(hash)) => none.with(ChannelBinding::TlsServerEndPoint, hash),
        _ => none,
    }
}

/// What the platform did not check: always the name and the length of the key, and with evidence all that can be told
/// from the leaf.
fn inspect(host: &str, name: &Name, leaf: &[u8], evidence: Option<&Evidence>, roots: &Roots) -> Findings {
    let mut findings = match evidence {
        None => Findings { errors: CertificateErrors::NONE, chain_verified: true, detail: String::new() },
        Some(evidence) => {
            let explained = reasons(leaf, Date::now(), roots);
            let unexplained = if explained.is_empty() { CertificateErrors::UNKNOWN_ISSUER } else { explained };
            let (errors, detail) = (evidence.errors | unexplained, evidence.detail.clone());
            Findings { errors, chain_verified: false, detail }
        }
    };
    let mut add = |error, text: String| {
        findings.errors |= error;
        if findings.detail.is_empty() {
            findings.detail = text;
        }
    };
    if !name.matches(leaf) {
        add(CertificateErrors::NAME_MISMATCH, format!("the certificate is not for {}", host.escape_debug()));
    }
    if View::new(leaf).has_weak_key() {
        add(CertificateErrors::WEAK_KEY, "the RSA key has fewer than 2048 bits".to_owned());
    }
    findings
}

/// What about the leaf alone may have been the platform's reason.
fn reasons(leaf: &[u8], now: Date, roots: &Roots) -> CertificateErrors {
    use CertificateErrors as E;

    let view = View::new(leaf);
    let is_self_issued = view.is_self_issued() && !roots.added.iter().any(|added| added == leaf);
    let is_malformed = view.not_after().is_none() || facts::has_bad_extensions(leaf);
    let has_weak_signature = !view.is_self_issued() && facts::has_weak_signature(leaf);
    let facts = [
        (E::SELF_SIGNED, is_self_issued),
        (E::MALFORMED, is_malformed),
        (E::BAD_PURPOSE, !facts::is_for_servers(leaf)),
        (E::WEAK_ALGORITHM, has_weak_signature),
        (E::WEAK_KEY, view.has_weak_key()),
    ];
    let found = facts.into_iter().filter(|(_, is_true)| *is_true);
    found.fold(view.date_errors(now), |errors, (error, _)| errors | error)
}

/// The failure of the transport that is behind an error of the platform.
fn input_output(error: &native_tls::Error) -> Option<io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

fn shortened(mut text: String) -> String {
    let end = (0..=MAX_DETAIL).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}
