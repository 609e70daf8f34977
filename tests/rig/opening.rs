//! The verbs that open a connection, and what they must find: the right and the wrong mode, the certificate's verdict.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::errors::{HandshakeCause, StartTlsCause};
use mailconnect::tls::{CertificateErrors, CertificateEvent, TlsVersion};
use mailconnect::{Client, Connector, Error, Phase, Protocol, Security, Timeouts, TlsBackend};

use crate::model::{Endpoint, Mode, Rig, Verify};
use crate::report::{Checked, During, Notes, ensure, refused, whole};

/// What the good certificates are for, and what the clients of the rig want.
const SERVER_NAME: &str = "mail.example.test";

/// Ends what hangs.
const WATCHDOG: Duration = Duration::from_secs(180);

/// How long to wait for what does not come: a greeting on a port that wants TLS first.
const IMPATIENCE: Duration = Duration::from_millis(700);

/// The back end that `MAILCONNECT_TLS` names, or else the build's default.
pub(crate) fn backend() -> TlsBackend {
    match std::env::var("MAILCONNECT_TLS").as_deref() {
        Ok("rustls") => TlsBackend::Rustls,
        Ok("native-tls") => TlsBackend::NativeTls,
        Ok(other) => panic!("MAILCONNECT_TLS is {other}, and not rustls or native-tls"),
        Err(_) if cfg!(feature = "rustls") => TlsBackend::Rustls,
        Err(_) => TlsBackend::NativeTls,
    }
}

fn is_native() -> bool {
    backend() == TlsBackend::NativeTls
}

/// A connector that trusts nobody.
fn suspicious() -> Connector {
    // A log-in waits for whoever holds the mailbox, which on a busy machine takes Dovecot more than a minute.
    let mut timeouts = Timeouts::default();
    timeouts.command = WATCHDOG;
    let connector = Connector::new().tls_backend(backend()).system_roots(false).server_name(SERVER_NAME);
    connector.timeouts(timeouts).deadline(WATCHDOG)
}

/// A connector that trusts the rig's CA.
pub(crate) fn trusting(rig: &Rig) -> Connector {
    suspicious().root_certificates_pem(&rig.ca).expect("the rig's CA")
}

/// A connector that takes every certificate: for what is not about certificates.
pub(crate) fn lenient(rig: &Rig) -> Connector {
    Seen::default().accepting(trusting(rig))
}

/// What the certificate event saw, one entry a call.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<CertificateEvent>>>);

impl Seen {
    /// The connector with an event that takes every certificate and notes what was wrong with it.
    fn accepting(&self, connector: Connector) -> Connector {
        let seen = Arc::clone(&self.0);
        connector.server_certificate_validate(move |event| {
            seen.lock().unwrap().push(event.clone());
            event.is_valid = true;
        })
    }

    fn take(&self) -> Vec<CertificateEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Opens by the verb of the endpoint's mode.
pub(crate) fn open<P: Protocol + Default>(
    connector: &Connector,
    endpoint: &Endpoint,
) -> mailconnect::Result<Client<P>> {
    open_at(connector, endpoint, endpoint.address())
}

pub(crate) fn open_at<P: Protocol + Default>(
    connector: &Connector,
    endpoint: &Endpoint,
    address: (&str, u16),
) -> mailconnect::Result<Client<P>> {
    match endpoint.mode {
        Mode::Implicit => connector.connect_ssl(address),
        Mode::StartTls => connector.connect_start_tls(address),
        Mode::Plain => connector.connect(address),
    }
}

/// Every wrong way to open it fails and says what to do instead.
pub(crate) fn wrong_mode<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    if endpoint.mode == Mode::Implicit {
        return plain_on_a_tls_port::<P>(rig, endpoint, notes);
    }
    let error = refused("connect_ssl", trusting(rig).connect_ssl::<P>(endpoint.address()))?;
    match &error {
        Error::WrongMode(wrong) if wrong.security == Security::Tls && wrong.advice.contains("start_tls") => {}
        _ => return Err(format!("connect_ssl: not WrongMode that names start_tls, but {}", whole(&error))),
    }
    notes.add("connect_ssl: wrong mode");
    if endpoint.mode == Mode::Plain { no_upgrade::<P>(rig, endpoint, notes) } else { Ok(()) }
}

fn plain_on_a_tls_port<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    let mut timeouts = Timeouts::default();
    timeouts.greeting = IMPATIENCE;
    let error = refused("connect", trusting(rig).timeouts(timeouts).connect::<P>(endpoint.address()))?;
    let advice = match &error {
        Error::WrongMode(wrong) => Some(&wrong.advice),
        Error::Timeout(timeout) if timeout.at.phase == Phase::Greeting => timeout.at.hint.as_ref(),
        _ => None,
    };
    ensure(advice.is_some_and(|advice| advice.contains("connect_ssl")), || {
        format!("connect: neither WrongMode nor a time-out that names connect_ssl, but {}", whole(&error))
    })?;
    notes.add("connect: wrong mode");
    Ok(())
}

/// Where there is no STARTTLS, no verb that promises it gives a usable client.
fn no_upgrade<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    let mut client: Client<P> = trusting(rig).connect(endpoint.address()).during("connect")?;
    let error = refused("start_tls", client.start_tls())?;
    not_offered("start_tls", &error)?;
    ensure(!client.is_open() && !client.is_secure(), || "start_tls failed and left the client open".into())?;
    ensure(matches!(client.login("alice", "x"), Err(Error::Closed)), || "login after a failed start_tls".into())?;
    let opened = trusting(rig).connect_start_tls::<P>(endpoint.address());
    not_offered("connect_start_tls", &refused("connect_start_tls", opened)?)?;
    notes.add("start_tls: not offered");
    Ok(())
}

fn not_offered(verb: &str, error: &Error) -> Checked {
    let cause = if let Error::StartTls(failed) = error { Some(&failed.cause) } else { None };
    let expected = matches!(cause, Some(StartTlsCause::NotOffered | StartTlsCause::Refused(_)));
    ensure(expected, || format!("{verb}: not refused as StartTls, but {}", whole(error)))
}

/// The certificate's verdict is the expected one; the connector with which the endpoint can be used, if there is one.
pub(crate) fn certificate<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    verify: Verify,
    notes: &mut Notes,
) -> Checked<Option<Connector>> {
    match verify {
        Verify::Fine => verified::<P>(rig, endpoint, notes).map(Some),
        Verify::HandshakeFails => {
            for connector in [trusting(rig), lenient(rig)] {
                let error = refused("the handshake", open::<P>(&connector, endpoint))?;
                ensure(matches!(inner(&error), Error::Handshake { .. }), || {
                    format!("not a failed handshake, but {}", whole(&error))
                })?;
                ensure(error.source().is_some(), || format!("no reason given: {}", whole(&error)))?;
            }
            notes.add("expected to be unusable: the handshake fails, whatever the event says");
            Ok(None)
        }
        bad => unverified::<P>(rig, endpoint, bad, notes).map(Some),
    }
}

/// The reason behind a failed upgrade.
pub(crate) fn inner(error: &Error) -> &Error {
    match error {
        Error::StartTls(failed) => match &failed.cause {
            StartTlsCause::Failed(cause) => cause,
            _ => error,
        },
        _ => error,
    }
}

/// A good certificate passes with the rig's CA and fails without it, and the version is the best of both sides.
fn verified<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked<Connector> {
    let client = open::<P>(&trusting(rig), endpoint).during("opening with the rig's CA")?;
    let tls = client.tls().ok_or("no TlsInfo on a secured connection")?;
    let version = endpoint.tls.map(|tls| tls.highest());
    ensure(tls.version == version, || format!("{:?} was negotiated instead of {version:?}", tls.version))?;
    ensure(client.is_secure() && tls.is_verified(), || format!("not verified: {}", tls.certificate_errors))?;
    ensure(!tls.chain.is_empty(), || "no certificate in TlsInfo".into())?;
    notes.add(format!("verified, {:?}", tls.version.unwrap()));
    let error = refused("opening without the CA", without_the_ca::<P>(rig, endpoint))?;
    let found = found_errors(&error)?;
    let expected = if is_native() { CertificateErrors::CHAIN_ERROR } else { CertificateErrors::UNKNOWN_ISSUER };
    ensure(found == expected, || format!("without the CA: {found}"))?;
    notes.add(format!("without the CA: {found}"));
    the_event_refuses::<P>(rig, endpoint)?;
    notes.add("refused by the event");
    versions::<P>(rig, endpoint, notes)?;
    Ok(trusting(rig))
}

/// Each version alone: it is the one that is spoken, or else named as the reason.
fn versions<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let connector = trusting(rig).min_tls_version(version).max_tls_version(version);
        let opened = open::<P>(&connector, endpoint);
        if endpoint.tls.is_some_and(|tls| tls.speaks(version)) {
            let client = opened.during(&format!("{version:?} alone"))?;
            let spoken = client.tls().and_then(|tls| tls.version);
            ensure(spoken == Some(version), || format!("{spoken:?} instead of {version:?}"))?;
            let _ = client.quit();
        } else {
            let error = refused(&format!("{version:?} alone"), opened)?;
            let cause = error.failed_handshake().map(|failed| failed.cause);
            // GnuTLS says so in the most general way, and Dovecot hangs up.
            use HandshakeCause::{HungUp, NothingInCommon, TlsVersion as NoVersion};
            let told = matches!(cause, Some(NoVersion | NothingInCommon | HungUp));
            ensure(told, || format!("{version:?} alone: {}", whole(&error)))?;
            notes.add(format!("no {version:?}: {cause:?}"));
        }
    }
    Ok(())
}

/// With a store that is not empty, but holds only a root that vouches for no server.
fn without_the_ca<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint) -> mailconnect::Result<Client<P>> {
    open(&suspicious().root_certificates_pem(&rig.stranger[0])?, endpoint)
}

/// A bad certificate is refused for that very reason, and taken if the event says so.
fn unverified<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    verify: Verify,
    notes: &mut Notes,
) -> Checked<Connector> {
    let expected = expected_errors(endpoint, verify);
    let found = found_errors(&refused("opening", open::<P>(&trusting(rig), endpoint))?)?;
    // The platform says that it refuses, and only its words say why. A name outside of subjectAltName it would take.
    let by_platform = is_native() && verify != Verify::NoName;
    let told = if by_platform { CertificateErrors::CHAIN_ERROR } else { expected };
    ensure(found == told, || format!("refused for `{found}`, not `{told}`"))?;
    notes.add(format!("refused: {found}"));
    for by_hand in [false, true] {
        accepted::<P>(rig, endpoint, expected, by_hand)?;
    }
    notes.add("accepted by the event");
    the_event_refuses::<P>(rig, endpoint)?;
    notes.add("refused by the event");
    Ok(Seen::default().accepting(trusting(rig)))
}

/// The event is asked once, sees what is wrong, and its word counts. `by_hand` opens by `connect` and `start_tls` where
/// there is a choice.
fn accepted<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    expected: CertificateErrors,
    by_hand: bool,
) -> Checked {
    let seen = Seen::default();
    let connector = seen.accepting(trusting(rig));
    let client = if by_hand && endpoint.mode == Mode::StartTls {
        let mut client: Client<P> = connector.connect(endpoint.address()).during("connect")?;
        client.start_tls().during("start_tls with an event that accepts")?;
        client
    } else {
        open::<P>(&connector, endpoint).during("opening with an event that accepts")?
    };
    let events = seen.take();
    let [event] = &events[..] else { return Err(format!("the event saw {events:?}, not one certificate")) };
    let found = event.errors();
    ensure(found == expected, || format!("the event saw `{found}`, not `{expected}`"))?;
    well_told::<P>(event, endpoint)?;
    let noted = client.tls().map(|tls| tls.certificate_errors);
    ensure(noted == Some(found), || format!("TlsInfo has {noted:?} after the event accepted {found:?}"))
}

/// Whatever the certificate, an event that says no has the last word.
fn the_event_refuses<P: Protocol + Default>(rig: &Rig, endpoint: &Endpoint) -> Checked {
    let connector = trusting(rig).server_certificate_validate(|event| event.is_valid = false);
    let error = refused("opening with an event that refuses", open::<P>(&connector, endpoint))?;
    let by_event = error.certificate().is_some_and(|refused| refused.by_event);
    ensure(by_event, || format!("not refused by the event, but {}", whole(&error)))
}

/// All that the event must see, and no more.
fn expected_errors(endpoint: &Endpoint, verify: Verify) -> CertificateErrors {
    use CertificateErrors as E;

    let chain = if is_native() { E::CHAIN_ERROR } else { E::NONE };
    match verify {
        Verify::UnknownIssuer if endpoint.cert.as_deref() == Some("selfsigned") => {
            E::SELF_SIGNED | if is_native() { E::CHAIN_ERROR } else { E::UNKNOWN_ISSUER }
        }
        Verify::UnknownIssuer => E::UNKNOWN_ISSUER | chain,
        // They are older than their issuer: there is no moment at which the chain could be verified.
        Verify::Expired => E::EXPIRED | E::CHAIN_ERROR,
        Verify::NotYetValid => E::NOT_YET_VALID | chain,
        Verify::WrongHost | Verify::NoName => E::NAME_MISMATCH,
        Verify::Fine | Verify::HandshakeFails => E::NONE,
    }
}

/// Whatever is wrong, the event knows to whom it belongs, and what was sent.
fn well_told<P: Protocol>(event: &CertificateEvent, endpoint: &Endpoint) -> Checked {
    let untrusted = CertificateErrors::SELF_SIGNED | CertificateErrors::UNKNOWN_ISSUER | CertificateErrors::CHAIN_ERROR;
    let to = (event.host(), event.port(), event.protocol(), event.backend());
    ensure(to == (SERVER_NAME, endpoint.port, P::NAME, backend()), || format!("the event is about {to:?}"))?;
    let verified = event.chain_verified();
    ensure(verified != event.errors().intersects(untrusted), || format!("chain_verified {verified} in {event:?}"))?;
    let leaf = event.certificate();
    let whole =
        leaf.is_readable() && leaf.not_after().is_some() && leaf.sha256().is_some() && !leaf.subject().is_empty();
    ensure(whole, || format!("the certificate cannot be read: {leaf}"))?;
    let named = leaf.dns_names().iter().any(|name| name == SERVER_NAME);
    let mismatch = event.errors().contains(CertificateErrors::NAME_MISMATCH);
    ensure(named != mismatch, || format!("{leaf} is for {SERVER_NAME}: {named}"))?;
    ensure(!event.ssl_policy_errors().is_empty() && !event.detail().is_empty(), || format!("nothing said: {event:?}"))
}

fn found_errors(error: &Error) -> Checked<CertificateErrors> {
    let refused = error.certificate().ok_or_else(|| format!("no refused certificate, but {}", whole(error)))?;
    Ok(refused.errors)
}

/// A server that demands a client certificate says so to a client that has none, or one of somebody else: the handshake
/// fails, or (TLS 1.3 servers look after it) what comes next. Returns the connector with the right one.
pub(crate) fn client_certificate<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    notes: &mut Notes,
    first_use: impl Fn(Client<P>) -> mailconnect::Result<()>,
) -> Checked<Connector> {
    let with = |[certificate, key]: &[Vec<u8>; 2]| trusting(rig).client_identity_pem(certificate, key);
    let stranger = with(&rig.stranger).during("the stranger's certificate")?;
    for (connector, expected) in [
        (trusting(rig), HandshakeCause::ClientCertificateMissing),
        (stranger, HandshakeCause::ClientCertificateRefused),
    ] {
        let seen = Seen::default();
        let opened = open(&seen.accepting(connector), endpoint);
        let error = refused("without a good client certificate", opened.and_then(&first_use))?;
        let events = seen.take();
        // On native-tls it is asked after the handshake, which may have failed.
        let asked = matches!(&events[..], [event] if event.errors().is_empty()) || (is_native() && events.is_empty());
        ensure(asked, || format!("the server's own certificate: {events:?}"))?;
        let cause = error.failed_handshake().map(|failed| failed.cause);
        // Many a server takes any handshake and says in its own protocol what it wants; smtp-server hangs up on strangers.
        let in_words = cause.is_none() && (error.rejection().is_some() || matches!(error, Error::ConnectionLost(_)));
        ensure(in_words || cause == Some(expected), || format!("{expected:?} is not the cause: {}", whole(&error)))?;
        notes.add(format!("{expected:?}: {}", whole(&error)));
    }
    with(&rig.client).during("the client certificate")
}
