//! A certificate as it is seen: who, from whom, for which names, until when. It reads any bytes, never panics, and never
//! decides whether to trust; what it says of text of the certificate can be shown anywhere.

mod date;
pub(crate) mod der;
mod errors;
pub(crate) mod facts;
mod fingerprint;
pub(crate) mod key;
mod name;

use std::fmt;
use std::net::IpAddr;

pub use date::Date;
pub use errors::{CertificateErrors, SslPolicyErrors};
pub use fingerprint::Fingerprint;
pub use key::KeyKind;

/// Names that `Display` shows; a certificate may have thousands.
const SHOWN_NAMES: usize = 5;
/// Characters of a name that `Display` shows.
const SHOWN_CHARACTERS: usize = 80;

/// A look at a certificate in DER: of the event, of [`TlsInfo`](crate::TlsInfo), of an error, or any other.
///
/// Any bytes can be looked at. What cannot be read is empty or `None`; all text is escaped, so that it can be shown.
///
/// ```
/// use mailconnect::Connector;
/// let connector = Connector::new().server_certificate_validate(|event| {
///     let certificate = event.certificate();
///     println!("{} until {}: {}", certificate.subject(), certificate.not_after().unwrap(), event.errors());
///     for name in certificate.dns_names() {
///         println!("for {name}");
///     }
/// });
/// ```
#[derive(Clone, Copy)]
pub struct Certificate<'a> {
    der: &'a [u8],
    fields: Option<der::Fields<'a>>,
}

impl<'a> Certificate<'a> {
    /// Looks at these bytes, which should be a certificate in DER.
    pub fn new(der: &'a [u8]) -> Self {
        Self { der, fields: der::fields(der) }
    }

    /// The certificate itself.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// True if it has the form of a certificate; of all other bytes only the SHA-256 is known.
    pub fn is_readable(&self) -> bool {
        self.fields.is_some()
    }

    /// Whose it is, as RFC 4514 writes it: `CN=mail.example.com,O=Example`. Mail servers are known by
    /// [`dns_names`](Self::dns_names), not by this.
    pub fn subject(&self) -> String {
        self.fields.map(|fields| name::text(fields.subject)).unwrap_or_default()
    }

    /// Who issued it, as RFC 4514 writes it.
    pub fn issuer(&self) -> String {
        self.fields.map(|fields| name::text(fields.issuer)).unwrap_or_default()
    }

    /// True if issuer and subject are one, as in a self-signed certificate. Nobody has checked the signature.
    pub fn is_self_issued(&self) -> bool {
        self.fields.is_some_and(|fields| fields.issuer == fields.subject)
    }

    /// The serial number, in hexadecimal: `04:D2`; a negative one as its two's complement.
    pub fn serial(&self) -> String {
        let octets = self.fields.and_then(|fields| der::content(fields.serial)).unwrap_or_default();
        let octets = octets.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(octets);
        octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Its first second.
    pub fn not_before(&self) -> Option<Date> {
        der::validity(self.der).map(|(first, _)| Date::new(first))
    }

    /// Its last second.
    pub fn not_after(&self) -> Option<Date> {
        der::validity(self.der).map(|(_, last)| Date::new(last))
    }

    /// The host names that it is for (`subjectAltName`), wildcards as they stand. The common name counts for nothing.
    pub fn dns_names(&self) -> Vec<String> {
        const DNS_NAME: u8 = 0x82;
        self.alternative_names(DNS_NAME).map(|name| name.escape_ascii().to_string()).collect()
    }

    /// The addresses that it is for (`subjectAltName`).
    pub fn ip_addresses(&self) -> Vec<IpAddr> {
        const IP_ADDRESS: u8 = 0x87;
        let address = |octets: &[u8]| {
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
        };
        self.alternative_names(IP_ADDRESS).filter_map(address).collect()
    }

    /// All names of a kind.
    fn alternative_names(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = der::alternative_names(self.der).unwrap_or_default();
        let next = move || {
            let (name, others) = der::element(rest, *rest.first()?)?;
            rest = others;
            Some(name)
        };
        std::iter::from_fn(next).filter(move |name| name.first() == Some(&kind)).filter_map(der::content)
    }

    /// SHA-256 of the whole certificate, as `openssl x509 -fingerprint -sha256` shows it; none in a build without TLS.
    pub fn sha256(&self) -> Option<Fingerprint> {
        Fingerprint::of(self.der)
    }

    /// SHA-256 of the public key (`SubjectPublicKeyInfo`, as RFC 7469 pins it). It stays when a certificate is renewed
    /// for the same key.
    pub fn public_key_sha256(&self) -> Option<Fingerprint> {
        Fingerprint::of(self.fields?.key)
    }

    /// The public key (`SubjectPublicKeyInfo`) in DER; empty if it cannot be read.
    pub fn public_key_der(&self) -> &'a [u8] {
        self.fields.map(|fields| fields.key).unwrap_or_default()
    }

    /// What kind of key it is for.
    pub fn key_kind(&self) -> KeyKind {
        self.fields.map_or(KeyKind::Other, |fields| key::kind(fields.key))
    }

    /// How many bits the key has; for RSA those of the modulus.
    pub fn key_bits(&self) -> Option<usize> {
        key::bits(self.fields?.key)
    }

    /// True for an RSA key of fewer than 2048 bits, which is `WEAK_KEY`.
    pub fn has_weak_key(&self) -> bool {
        self.fields.is_some_and(|fields| key::is_weak(fields.key))
    }

    /// What is wrong with its dates at this moment.
    pub(crate) fn date_errors(&self, now: Date) -> CertificateErrors {
        match der::validity(self.der).map(|(first, last)| (Date::new(first), Date::new(last))) {
            Some((first, _)) if now < first => CertificateErrors::NOT_YET_VALID,
            Some((_, last)) if now > last => CertificateErrors::EXPIRED,
            _ => CertificateErrors::NONE,
        }
    }

    /// The names that it is for, as few and as short as fit into a line.
    pub(crate) fn names_for_people(&self) -> String {
        let mut all = self.dns_names();
        all.extend(self.ip_addresses().iter().map(ToString::to_string));
        let more = all.len().saturating_sub(SHOWN_NAMES);
        all.truncate(SHOWN_NAMES);
        let shown = all.iter().map(|name| shortened(name)).collect::<Vec<_>>().join(", ");
        match (all.is_empty(), more) {
            (true, _) => "no name".to_owned(),
            (_, 0) => shown,
            (_, more) => format!("{shown} and {more} more"),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// In one line: subject, issuer, dates, names and fingerprint.
impl fmt::Display for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_readable() {
            write!(f, "{}, issued by {}", shortened(&self.subject()), shortened(&self.issuer()))?;
            if let (Some(first), Some(last)) = (self.not_before(), self.not_after()) {
                write!(f, ", valid {first} to {last}")?;
            }
            write!(f, ", for {}", self.names_for_people())?;
        } else {
            f.write_str("not readable as a certificate")?;
        }
        self.sha256().map_or(Ok(()), |sha256| write!(f, ", SHA-256 {sha256}"))
    }
}

impl fmt::Debug for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({self})")
    }
}

#[cfg(test)]
mod tests;
