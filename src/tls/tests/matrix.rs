//! The certificates that are tried under TLS 1.2 and 1.3 on every back end, and what must come of each: one line each.
//! (Those that take the openssl command to make or to serve are in `openssl.rs`.)

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints,
};

use super::rig::*;
use super::surgery::{EXTENSIONS, KEY, MD5, SERIAL, SHA1, VERSION, of_version_1, remade, signed_with};
use crate::tls::{CertificateErrors as E, TlsBackend, TlsSettings};

/// What an event that accepts everything gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anyway {
    /// A connection.
    Works,
    /// A failed handshake, for the server has not proven that it holds the key.
    Fails,
}

pub(super) struct Case {
    pub(super) name: &'static str,
    /// The name that the client wants.
    pub(super) host: &'static str,
    pub(super) identity: Identity,
    /// What rustls finds, and so the event sees.
    pub(super) rustls: E,
    /// What the event sees on native-tls.
    pub(super) native: E,
    pub(super) anyway: Anyway,
}

impl Case {
    pub(super) fn errors(&self, backend: TlsBackend) -> E {
        if backend == TlsBackend::NativeTls { self.native } else { self.rustls }
    }

    /// What is found where no event is set: the platform says no more than that it refused. But OpenSSL takes a name
    /// from outside of `subjectAltName`, and only the check of this crate refuses that.
    pub(super) fn strict(&self, backend: TlsBackend) -> E {
        let refuses = !["common name only", "no extensions", "version 1"].contains(&self.name);
        let blind = backend == TlsBackend::NativeTls && !self.native.is_empty() && refuses;
        if blind { E::CHAIN_ERROR } else { self.errors(backend) }
    }

    /// How many connections the event takes.
    pub(super) fn connections(&self, backend: TlsBackend) -> usize {
        1 + usize::from(backend == TlsBackend::NativeTls && self.native.contains(E::CHAIN_ERROR))
    }

    /// True if a path to a root was verified.
    pub(super) fn is_chain_verified(&self, backend: TlsBackend) -> bool {
        !self.errors(backend).intersects(E::SELF_SIGNED | E::UNKNOWN_ISSUER | E::CHAIN_ERROR)
    }
}

/// The makers of certificates.
struct Makers {
    root: Authority,
    middle: Authority,
    low: Authority,
    constrained: Authority,
    short: Authority,
    below_short: Authority,
    old: Authority,
    early: Authority,
    old_root: Authority,
}

impl Makers {
    fn new() -> Self {
        let root = Authority::root("Root");
        let middle = root.below(authority_params("Middle"));
        let mut constrained = authority_params("Constrained");
        let permitted_subtrees = vec![GeneralSubtree::DnsName("other.test".into())];
        constrained.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        let mut short = authority_params("Short");
        short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let short = root.below(short);
        Self {
            low: middle.below(authority_params("Low")),
            constrained: root.below(constrained),
            below_short: short.below(authority_params("Below short")),
            short,
            old: root.below(expired(authority_params("Old"))),
            early: root.below(early(authority_params("Early"))),
            old_root: Authority::of(expired(authority_params("Old root"))),
            middle,
            root,
        }
    }

    /// One of the root's, changed.
    fn remade(&self, params: &CertificateParams, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Identity {
        let mut identity = self.root.issue(params);
        identity.chain[0] = remade(&identity.chain[0], &self.root.key(), change);
        identity
    }
}

fn params_of(host: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params(host);
    change(&mut params);
    params
}

fn for_purpose(purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    params_of(HOST, |params| params.extended_key_usages = vec![purpose])
}

/// What `openssl req -x509` makes: an authority's own certificate.
fn of_authority(name: &str) -> CertificateParams {
    let mut params = authority_params(name);
    params.subject_alt_names = self::params(HOST).subject_alt_names;
    // Without it OpenSSL takes no handshake of TLS 1.2 from it, whatever the event says.
    params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    params
}

/// A name of its own, lest it be taken for the issuer of those that were not added.
fn named(name: &str, mut params: CertificateParams) -> CertificateParams {
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn demanding(mut params: CertificateParams) -> CertificateParams {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    params
}

fn no_names(params: &mut CertificateParams) {
    params.subject_alt_names.clear();
}

/// The root that the good ones come from: one of the chains has it.
#[cfg(feature = "rustls")]
pub(super) fn root_of(cases: &[Case]) -> ::rustls::pki_types::CertificateDer<'static> {
    let with_it = cases.iter().find(|case| case.name == "with the root too").unwrap();
    with_it.identity.chain[1].clone()
}

/// The certificates, and settings that trust the root, the expired root and those called "added".
#[rustfmt::skip]
pub(super) fn cases() -> (TlsSettings, Vec<Case>) {
    use Anyway::{Fails, Works};
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    const NONE: E = E::NONE;
    const NAME: E = E::NAME_MISMATCH;
    const CHAIN: E = E::CHAIN_ERROR;
    let m = Makers::new();
    let stranger = Authority::root("Stranger");
    let rsa_1024 = crate::certificate::der::fields(include_bytes!("../../certificate/tests/rsa1024.der")).unwrap().key;
    let ed25519 = || KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p384 = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let added = Identity::self_signed(&named("Added", params(HOST)));
    let added_authority = Identity::self_signed(&of_authority("Added authority"));
    let added_old = Identity::self_signed(&expired(named("Added and old", params("other.test"))));
    let settings = trusting(&[&m.root.der, &m.old_root.der, &added.chain[0], &added_authority.chain[0], &added_old.chain[0]]);

    let unknown = E::UNKNOWN_ISSUER;
    let (guess, own) = (CHAIN | unknown, E::SELF_SIGNED);
    let many = (0..1000).map(|n| format!("n{n}.test")).chain([HOST.to_owned()]).collect::<Vec<_>>();
    let many = CertificateParams::new(many).unwrap();
    let case = |name, host, identity, rustls, native, anyway| Case { name, host, identity, rustls, native, anyway };
    let cases = vec![
        //   name                             wanted         identity                                                 rustls                  native-tls             accept all
        // Nothing is wrong.
        case("good",                          HOST,          m.root.issue(&params(HOST)),                             NONE,                   NONE,                  Works),
        case("with intermediate",             HOST,          m.middle.issue(&params(HOST)).with(&m.middle),           NONE,                   NONE,                  Works),
        case("with two, in wrong order",      HOST,          m.low.issue(&params(HOST)).with(&m.middle).with(&m.low), NONE,                   NONE,                  Works),
        case("with the root too",             HOST,          m.root.issue(&params(HOST)).with(&m.root),               NONE,                   NONE,                  Works),
        case("P-384",                         HOST,          m.root.issue_for(&params(HOST), p384()),                 NONE,                   NONE,                  Works),
        case("Ed25519",                       HOST,          m.root.issue_for(&params(HOST), ed25519()),              NONE,                   NONE,                  Works),
        case("for servers",                   HOST,          m.root.issue(&for_purpose(ServerAuth)),                  NONE,                   NONE,                  Works),
        case("negative serial number",        HOST,          m.remade(&params(HOST), |p| p[SERIAL] = vec![2, 1, 0xff]), NONE,                 NONE,                  Works),
        case("1000 names",                    HOST,          m.root.issue(&many),                                     NONE,                   NONE,                  Works),
        case("within the name constraint",    "a.other.test", m.constrained.issue(&params("a.other.test")).with(&m.constrained), NONE,         NONE,                  Works),
        case("added",                         HOST,          added,                                                   NONE,                   NONE,                  Works),
        case("added, of an authority",        HOST,          added_authority,                                         NONE,                   NONE,                  Works),
        // The name.
        case("IPv4",                          "192.0.2.1",   m.root.issue(&params("192.0.2.1")),                      NONE,                   NONE,                  Works),
        case("IPv6",                          "2001:db8::1", m.root.issue(&params("2001:db8::1")),                    NONE,                   NONE,                  Works),
        case("another address",               "192.0.2.2",   m.root.issue(&params("192.0.2.1")),                      NAME,                   NAME,                  Works),
        case("a name for an address",         "192.0.2.1",   m.root.issue(&params(HOST)),                             NAME,                   NAME,                  Works),
        case("wildcard",                      "a.mail.test", m.root.issue(&params("*.mail.test")),                    NONE,                   NONE,                  Works),
        case("wildcard for two labels",       "b.a.mail.test", m.root.issue(&params("*.mail.test")),                  NAME,                   NAME,                  Works),
        case("wildcard for a whole domain",   HOST,          m.root.issue(&params("*.test")),                         NAME,                   NAME,                  Works),
        case("wrong host",                    HOST,          m.root.issue(&params("other.test")),                     NAME,                   NAME,                  Works),
        case("common name only",              HOST,          m.root.issue(&params_of(HOST, no_names)),                NAME,                   NAME,                  Works),
        // The dates.
        case("expired",                       HOST,          m.root.issue(&expired(params(HOST))),                    E::EXPIRED,             CHAIN | E::EXPIRED,    Works),
        case("early",                         HOST,          m.root.issue(&early(params(HOST))),                      E::NOT_YET_VALID,       CHAIN | E::NOT_YET_VALID, Works),
        case("expired, wrong host",           HOST,          m.root.issue(&expired(params("other.test"))),            E::EXPIRED | NAME,      CHAIN | E::EXPIRED | NAME, Works),
        case("added, expired, wrong host",    HOST,          added_old,                                               E::EXPIRED | NAME,      CHAIN | E::EXPIRED | NAME, Works),
        case("expired intermediate",          HOST,          m.old.issue(&params(HOST)).with(&m.old),                 E::EXPIRED,             guess,                 Works),
        case("early intermediate",            HOST,          m.early.issue(&params(HOST)).with(&m.early),             E::NOT_YET_VALID,       guess,                 Works),
        case("no common time",                HOST,          m.old.issue(&early(params("other.test"))).with(&m.old),  E::EXPIRED | E::NOT_YET_VALID | NAME | CHAIN, CHAIN | E::NOT_YET_VALID | NAME, Works),
        case("expired root",                  HOST,          m.old_root.issue(&params(HOST)),                         NONE,                   guess,                 Works),
        // The issuer.
        case("self-signed",                   HOST,          Identity::self_signed(&params(HOST)),                    own | unknown,          CHAIN | own,           Works),
        case("self-signed authority",         HOST,          Identity::self_signed(&of_authority(HOST)),              own | E::BAD_PURPOSE,   CHAIN | own,           Works),
        case("self-signed, expired, wrong",   HOST,          Identity::self_signed(&expired(params("other.test"))),   own | unknown | E::EXPIRED | NAME, CHAIN | own | E::EXPIRED | NAME, Works),
        case("unknown issuer",                HOST,          stranger.issue(&params(HOST)),                           unknown,                guess,                 Works),
        case("unknown, early, wrong host",    HOST,          stranger.issue(&early(params("other.test"))),            unknown | E::NOT_YET_VALID | NAME, CHAIN | E::NOT_YET_VALID | NAME, Works),
        case("missing intermediate",          HOST,          m.middle.issue(&params(HOST)),                           unknown,                guess,                 Works),
        case("spoofed issuer",                HOST,          Authority::root("Root").issue(&params(HOST)),            E::BAD_SIGNATURE | CHAIN, guess,               Works),
        case("outside the name constraint",   HOST,          m.constrained.issue(&params(HOST)).with(&m.constrained), E::NAME_CONSTRAINT | CHAIN, guess,             Works),
        case("path too long",                 HOST,          m.below_short.issue(&params(HOST)).with(&m.below_short).with(&m.short), CHAIN,   guess,                 Works),
        // The certificate.
        case("for clients",                   HOST,          m.root.issue(&for_purpose(ClientAuth)),                  E::BAD_PURPOSE | CHAIN, CHAIN | E::BAD_PURPOSE, Works),
        case("for any purpose",               HOST,          m.root.issue(&for_purpose(Any)),                         E::BAD_PURPOSE | CHAIN, CHAIN | E::BAD_PURPOSE, Works),
        case("for clients, expired, wrong",   HOST,          m.root.issue(&expired(params_of("other.test", |p| p.extended_key_usages = vec![ClientAuth]))), E::BAD_PURPOSE | CHAIN | E::EXPIRED | NAME, CHAIN | E::BAD_PURPOSE | E::EXPIRED | NAME, Works),
        case("version 1",                     HOST,          m.remade(&params(HOST), of_version_1),                   E::MALFORMED | CHAIN | NAME, NAME,             Works),
        case("version 1, expired",            HOST,          m.remade(&expired(params(HOST)), of_version_1),          E::MALFORMED | CHAIN | NAME | E::EXPIRED, CHAIN | NAME | E::EXPIRED, Works),
        case("unknown critical extension",    HOST,          m.root.issue(&demanding(params(HOST))),                  E::MALFORMED | CHAIN,   CHAIN | E::MALFORMED,  Works),
        case("the same, early, wrong host",   HOST,          m.root.issue(&demanding(early(params("other.test")))),   E::MALFORMED | CHAIN | E::NOT_YET_VALID | NAME, CHAIN | E::MALFORMED | E::NOT_YET_VALID | NAME, Works),
        case("no extensions",                 HOST,          m.remade(&params(HOST), |p| drop(p.remove(EXTENSIONS))), NAME,                   NAME,                  Works),
        case("version 2",                     HOST,          m.remade(&params(HOST), |p| p[VERSION] = vec![0xa0, 3, 2, 1, 1]), E::MALFORMED | CHAIN, NONE,          Works),
        case("SHA-1",                         HOST,          m.remade(&params(HOST), signed_with(SHA1)),              E::WEAK_ALGORITHM | CHAIN, CHAIN | E::WEAK_ALGORITHM, Works),
        case("MD5",                           HOST,          m.remade(&params(HOST), signed_with(MD5)),               E::WEAK_ALGORITHM | CHAIN, CHAIN | E::WEAK_ALGORITHM, Works),
        case("RSA-1024, not the server's key", HOST,         m.remade(&params(HOST), |p| p[KEY] = rsa_1024.to_vec()), E::WEAK_KEY,            CHAIN | E::WEAK_KEY,   Fails),
        case("not the server's key",          HOST,          Identity { key: KeyPair::generate().unwrap(), ..m.root.issue(&params(HOST)) }, NONE, NONE,             Fails),
    ];
    (settings, cases)
}
