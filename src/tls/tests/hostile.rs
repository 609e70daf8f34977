//! Servers that send too much, too slowly, or something else in the middle: an error in the end, and no connection.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::rig::*;
use crate::error::{Error, Phase, Result};
use crate::net::{Deadline, Transport};
use crate::tls::{CertificateErrors as E, TlsBackend, TlsSettings};

/// A transport that changes what is read.
struct Meddler<R> {
    inner: Pipe,
    read: R,
}

impl<R: FnMut(&mut Pipe, &mut [u8]) -> io::Result<usize>> Read for Meddler<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (self.read)(&mut self.inner, buf)
    }
}

impl<R> Write for Meddler<R> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: FnMut(&mut Pipe, &mut [u8]) -> io::Result<usize> + Send> Transport for Meddler<R> {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.inner.set_deadline(deadline)
    }
}

/// Accepts everything, so that nothing but the bytes can be the reason.
fn lenient(backend: TlsBackend) -> TlsSettings {
    with_event(on(backend, trusting(&[])), |event| event.is_valid = true).0
}

/// On every back end, under every version.
fn everywhere(identity: &Identity, check: impl Fn(TlsBackend, &Server)) {
    for backend in BACKENDS {
        for version in VERSIONS {
            check(*backend, &Server::new(identity, version));
        }
    }
}

/// One byte a read, and when the time for the handshake has passed the transport says so, as a hard deadline does.
fn dripping(settings: &TlsSettings, server: &Server, reads: usize) -> (Result<Box<dyn Transport>>, usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let result = connect_by(settings, || {
        let (inner, _session) = server.echo();
        let count = Arc::clone(&count);
        let read = move |inner: &mut Pipe, buf: &mut [u8]| {
            if count.fetch_add(1, Ordering::SeqCst) >= reads {
                return Err(io::ErrorKind::TimedOut.into());
            }
            inner.read(&mut buf[..1])
        };
        Meddler { inner, read }
    });
    (result, count.load(Ordering::SeqCst))
}

#[test]
fn rule_5_a_handshake_that_drips_ends_with_the_deadline() {
    everywhere(&Identity::self_signed(&params(HOST)), |backend, server| {
        // However slowly it comes, it is a good one.
        let (result, reads) = dripping(&lenient(backend), server, usize::MAX);
        assert!(result.is_ok() && reads > 500, "{reads}");
        for limit in [1, 20, 400] {
            let (result, reads) = dripping(&lenient(backend), server, limit);
            let Err(Error::Timeout(timeout)) = result else { panic!("{limit}: not a time-out") };
            assert_eq!((timeout.at.phase, reads), (Phase::Handshake, limit + 1));
        }
    });
}

/// Passes on so many whole records, then these bytes, and then the end.
fn interrupted(settings: &TlsSettings, server: &Server, records: usize, rest: &'static [u8]) -> Error {
    let (inner, _session) = server.echo();
    let (mut left, mut pending) = (records, io::Cursor::new(Vec::new()));
    let read = move |inner: &mut Pipe, buf: &mut [u8]| {
        if pending.position() == pending.get_ref().len() as u64 {
            let mut record = vec![0; 5];
            match left.checked_sub(1) {
                Some(fewer) => {
                    inner.read_exact(&mut record)?;
                    record.resize(5 + usize::from(record[3]) * 256 + usize::from(record[4]), 0);
                    inner.read_exact(&mut record[5..])?;
                    left = fewer;
                }
                None if pending.get_ref() == rest => record.clear(),
                None => record = rest.to_vec(),
            }
            pending = io::Cursor::new(record);
        }
        pending.read(buf)
    };
    connect(settings, Meddler { inner, read }).unwrap_err()
}

#[test]
fn an_alert_in_the_middle_of_the_handshake_ends_it() {
    let close_notify: &[u8] = b"\x15\x03\x03\0\x02\x01\0";
    let failure: &[u8] = b"\x15\x03\x03\0\x02\x02\x28";
    let data: &[u8] = b"\x17\x03\x03\0\x05hello";
    let garbage: &[u8] = b"* BYE too late\r\n";
    everywhere(&Identity::self_signed(&params(HOST)), |backend, server| {
        for records in 0..=2 {
            for rest in [close_notify, failure, data, garbage] {
                let error = interrupted(&lenient(backend), server, records, rest);
                let plain = records == 0 && rest == garbage;
                let expected = if plain { matches!(error, Error::WrongMode(_)) } else { is_failed(&error) };
                assert!(expected, "{records} records and {rest:?} on {backend:?}: {error:?}");
            }
        }
    });
}

/// Where a certificate has come before the end, native-tls cannot tell what it was that this side refused; but it is
/// refused, and without the event.
fn is_failed(error: &Error) -> bool {
    match error {
        Error::Handshake(_) => true,
        Error::Certificate(refused) => refused.errors == E::CHAIN_ERROR && !refused.by_event,
        _ => false,
    }
}

#[test]
fn a_certificate_with_ten_thousand_names_is_too_large_for_a_handshake() {
    let mut many = CertificateParams::new((0..10_000).map(|n| format!("n{n}.mail.test")).collect::<Vec<_>>()).unwrap();
    many.distinguished_name.push(DnType::CommonName, HOST);
    everywhere(&Identity::self_signed(&many), |backend, server| {
        let (result, _sessions) = dial_echo(&lenient(backend), server);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Handshake(_)), "{error:?}");
    });
}

#[test]
fn a_chain_of_a_hundred_certificates_ends() {
    let stranger = Authority::root("Stranger");
    let mut identity = stranger.issue(&params(HOST));
    for n in 0..100 {
        identity = identity.with(&stranger.below(authority_params(&format!("Stray {n}"))));
    }
    everywhere(&identity, |backend, server| {
        let (settings, seen) = with_event(on(backend, trusting(&[&Authority::root("Root").der])), |_| {});
        let (result, _sessions) = dial_echo(&settings, server);
        let refused = result.unwrap_err();
        let certificate = refused.certificate().unwrap_or_else(|| panic!("{refused:?}"));
        assert!(certificate.errors.contains(E::UNKNOWN_ISSUER));
        assert_eq!(seen.lock().unwrap().len(), 1);
        assert!(!seen.lock().unwrap()[0].chain_verified());
        assert!(refused.to_string().len() < 1500);
    });
}

/// Authorities of one name, each of which has issued a certificate to each other: there are more ways through than any
/// check can try. All have expired, so that the clock is moved, too.
#[test]
fn rule_12_a_maze_of_authorities_ends() {
    let mut params = expired(authority_params("Maze"));
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let keys: Vec<_> = (0..7).map(|_| KeyPair::generate().unwrap()).collect();
    let leaf = KeyPair::generate().unwrap();
    let mut chain = vec![];
    for issuer in &keys {
        let issuing = Issuer::from_params(&params, issuer);
        if chain.is_empty() {
            chain.push(expired(self::params(HOST)).signed_by(&leaf, &issuing).unwrap().der().clone());
        }
        let others = keys.iter().filter(|key| key.public_key_raw() != issuer.public_key_raw());
        chain.extend(others.map(|key| params.signed_by(key, &issuing).unwrap().der().clone()));
    }
    let identity = Identity { chain, key: leaf };
    everywhere(&identity, |backend, server| {
        let (settings, seen) = with_event(on(backend, trusting(&[&Authority::root("Root").der])), |_| {});
        let (result, _sessions) = dial_echo(&settings, server);
        let error = result.unwrap_err();
        assert!(error.is_certificate(), "{error:?}");
        let [event] = &seen.lock().unwrap()[..] else { panic!("not one event") };
        assert!(event.errors().contains(E::EXPIRED) && !event.chain_verified(), "{event:?}");
    });
}

/// ServerHello of TLS 1.2, no certificate, and the rest as if there were one.
#[test]
fn a_server_without_a_certificate_is_refused() {
    let hello = [&[2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat();
    let exchange = [&[12, 0, 0, 44, 3, 0, 0x1d, 32][..], &[9; 32], &[4, 3, 0, 4, 1, 2, 3, 4]].concat();
    let flight = [&hello[..], &[11, 0, 0, 3, 0, 0, 0], &exchange, &[14, 0, 0, 0]];
    let records = flight.map(|message| [&[0x16, 3, 3, 0, message.len() as u8], message].concat()).concat();
    for backend in BACKENDS {
        let (near, mut far) = pipe();
        far.write_all(&records).unwrap();
        far.finish();
        let (settings, seen) = with_event(on(*backend, trusting(&[])), |event| event.is_valid = true);
        let error = connect(&settings, near).unwrap_err();
        match backend {
            TlsBackend::Rustls => assert_eq!(error.certificate().unwrap().errors, E::NO_CERTIFICATE, "{error:?}"),
            _ => assert!(is_failed(&error), "{error:?}"),
        }
        assert!(seen.lock().unwrap().is_empty());
    }
}
