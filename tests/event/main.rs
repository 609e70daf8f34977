//! The certificate event over real sockets, the same on every back end of the build: what it sees, how often it is asked,
//! how many connections that takes, and that nothing goes out before the verdict.
#![cfg(any(feature = "rustls", feature = "native-tls"))]

mod matrix;
mod second;
mod server;
mod verdict;

use std::sync::{Arc, Mutex};

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::tls::{CertificateErrors, CertificateEvent};
use mailconnect::{Connector, Error, Result, Security, TlsBackend, TlsInfo};

use server::{Server, Speaks};

pub(crate) const BACKENDS: &[TlsBackend] = &[
    #[cfg(feature = "rustls")]
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::NativeTls,
];

pub(crate) const PROTOCOLS: [Speaks; 3] = [Speaks::Smtp, Speaks::Imap, Speaks::Pop3];

/// One that trusts these roots alone.
pub(crate) fn trusting(backend: TlsBackend, roots: &[&[u8]]) -> Connector {
    let start = Connector::new().tls_backend(backend).system_roots(false);
    roots.iter().fold(start, |connector, root| connector.root_certificate_der(root).unwrap())
}

/// What the event saw.
pub(crate) type Seen = Arc<Mutex<Vec<CertificateEvent>>>;

pub(crate) fn watched(
    connector: Connector,
    decide: impl Fn(&mut CertificateEvent) + Send + Sync + 'static,
) -> (Connector, Seen) {
    let seen = Seen::default();
    let note = Arc::clone(&seen);
    let connector = connector.server_certificate_validate(move |event| {
        note.lock().unwrap().push(event.clone());
        decide(event);
    });
    (connector, seen)
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    ConnectSsl,
    ConnectStartTls,
    /// `connect`, a command, then `start_tls`.
    StartTls,
}

pub(crate) const VERBS: [Verb; 3] = [Verb::ConnectSsl, Verb::ConnectStartTls, Verb::StartTls];

/// Connects, logs in and quits; returns what TLS told.
pub(crate) fn visit(connector: &Connector, server: &Server, speaks: Speaks, verb: Verb) -> Result<TlsInfo> {
    let security = match verb {
        Verb::ConnectSsl => Security::Tls,
        Verb::ConnectStartTls => Security::StartTls,
        Verb::StartTls => Security::Plain,
    };
    macro_rules! visit {
        ($protocol:expr) => {{
            let mut client = connector.open($protocol, server.endpoint(), security)?;
            if verb == Verb::StartTls {
                client.noop()?;
                client.start_tls()?;
            }
            client.noop()?;
            client.login("user", "secret-word")?;
            let info = client.tls().unwrap().clone();
            client.quit()?;
            Ok(info)
        }};
    }
    match speaks {
        Speaks::Smtp => visit!(Smtp::new()),
        Speaks::Imap => visit!(Imap::new()),
        Speaks::Pop3 => visit!(Pop3::new()),
    }
}

/// The errors of a refused certificate, and whether the event decided.
pub(crate) fn refusal(error: &Error) -> (CertificateErrors, bool) {
    let refused = error.certificate().unwrap_or_else(|| panic!("{error:?}"));
    (refused.errors, refused.by_event)
}
