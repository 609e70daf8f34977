//! Certificates made on the spot, and bytes that are none.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType, SerialNumber};

use super::*;

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(["mail.test".to_owned(), "*.mail.test".to_owned()]).unwrap();
    for address in ["192.0.2.1", "2001:db8::1"] {
        params.subject_alt_names.push(SanType::IpAddress(address.parse().unwrap()));
    }
    params.distinguished_name.push(DnType::CommonName, "a, b\n");
    params.distinguished_name.push(DnType::OrganizationName, "Acme");
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2025, 1, 2), rcgen::date_time_ymd(2026, 11, 16));
    params.serial_number = Some(SerialNumber::from_slice(&[0x84, 0xd2]));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn self_signed(params: &CertificateParams) -> (Vec<u8>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().der().to_vec(), key)
}

#[test]
fn all_that_can_be_seen_is_seen() {
    let (der, key) = self_signed(&params());
    let certificate = Certificate::new(&der);
    assert!(certificate.is_readable() && certificate.is_self_issued());
    assert_eq!((certificate.subject(), certificate.issuer()), (r"O=Acme,CN=a\, b\0A".into(), certificate.subject()));
    assert_eq!(certificate.serial(), "84:D2");
    assert_eq!(certificate.not_before().unwrap().to_string(), "2025-01-02");
    assert_eq!(format!("{:#}", certificate.not_after().unwrap()), "2026-11-16 00:00:00 UTC");
    assert_eq!(certificate.dns_names(), ["mail.test", "*.mail.test"]);
    let addresses: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    assert_eq!(certificate.ip_addresses(), addresses);
    assert_eq!((certificate.key_kind(), certificate.key_bits()), (KeyKind::EcP256, Some(256)));
    assert_eq!(certificate.public_key_der(), rcgen::PublicKeyData::subject_public_key_info(&key));
    assert_eq!(certificate.sha256(), Fingerprint::of(&der));
    assert_eq!(certificate.public_key_sha256(), Fingerprint::of(certificate.public_key_der()));
    assert!(!certificate.has_weak_key() && !facts::is_authority(&der));
    let shown = certificate.to_string();
    let start = r"O=Acme,CN=a\, b\0A, issued by O=Acme,CN=a\, b\0A, valid 2025-01-02 to 2026-11-16, for mail.test, ";
    assert!(shown.starts_with(start) && format!("{certificate:?}").contains(&shown), "{shown}");
}

#[test]
fn an_issuer_of_another_name_is_told_apart() {
    let (_, key) = self_signed(&params());
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, "Root");
    let der = params().signed_by(&key, &rcgen::Issuer::new(root, KeyPair::generate().unwrap())).unwrap();
    let certificate = Certificate::new(der.der());
    assert_eq!((certificate.issuer().contains("CN=Root"), certificate.is_self_issued()), (true, false));
}

#[test]
fn dates_are_wrong_from_the_second_after() {
    let der = self_signed(&params()).0;
    let certificate = Certificate::new(&der);
    let (first, last) = (certificate.not_before().unwrap(), certificate.not_after().unwrap());
    let at = |date: Date, more| certificate.date_errors(Date::new(date.unix_seconds() + more));
    assert_eq!((at(first, -1), at(first, 0)), (CertificateErrors::NOT_YET_VALID, CertificateErrors::NONE));
    assert_eq!((at(last, 0), at(last, 1)), (CertificateErrors::NONE, CertificateErrors::EXPIRED));
}

/// The names are the server's: however many, and whatever they hold.
#[test]
fn what_is_shown_stays_short() {
    let mut many = params();
    many.subject_alt_names = (0..10_000).map(|n| SanType::DnsName(format!("n{n}.test").try_into().unwrap())).collect();
    many.subject_alt_names[0] = SanType::DnsName(format!("{}\u{7}", "x".repeat(5000)).try_into().unwrap());
    many.distinguished_name.push(DnType::LocalityName, "y".repeat(5000));
    let der = self_signed(&many).0;
    let certificate = Certificate::new(&der);
    assert_eq!(certificate.dns_names().len(), 10_000);
    assert!(certificate.dns_names()[0].ends_with("x\\x07"));
    let shown = certificate.to_string();
    assert!(shown.len() < 1000 && shown.contains("n4.test and 9995 more"), "{shown}");
    many.subject_alt_names.clear();
    assert!(Certificate::new(&self_signed(&many).0).to_string().contains("for no name"));
}

/// Looks at everything.
fn look(der: &[u8]) {
    let certificate = Certificate::new(der);
    let shown = certificate.to_string();
    assert!(!shown.contains(char::is_control), "{shown}");
    let text = [certificate.subject(), certificate.issuer(), certificate.serial(), certificate.dns_names().concat()];
    assert!(!text.concat().contains(char::is_control), "{text:?}");
    let _ = (certificate.ip_addresses(), certificate.key_kind(), certificate.key_bits(), certificate.has_weak_key());
    let _ = (certificate.public_key_sha256(), certificate.is_self_issued(), facts::is_authority(der));
    #[cfg(feature = "native-tls")]
    let _ = (facts::is_for_servers(der), facts::has_bad_extensions(der), facts::has_weak_signature(der));
    assert!(certificate.is_readable() || (text.concat().is_empty() && certificate.public_key_der().is_empty()));
}

/// xorshift64*, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }
}

#[test]
fn rule_12_no_bytes_make_the_view_panic() {
    let mut odd = params();
    odd.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 840]), "custom");
    odd.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(3));
    let rsa = include_bytes!("tests/rsa1024.der").to_vec();
    let seed = 0x6d61_696c;
    println!("seed {seed:#x}");
    let mut dice = Dice(seed);
    for der in [self_signed(&params()).0, self_signed(&odd).0, rsa] {
        look(&der);
        for end in 0..der.len() {
            look(&der[..end]);
        }
        for _ in 0..20_000 {
            let mut mutant = der.clone();
            for _ in 0..=dice.roll(3) {
                let at = dice.roll(mutant.len());
                match dice.roll(4) {
                    0 => mutant[at] = dice.roll(256) as u8,
                    1 => mutant[at] ^= 1 << dice.roll(8),
                    2 => drop(mutant.remove(at)),
                    _ => mutant.insert(at, [0x30, 0x80, 0x84, 0xff, 0, 1][dice.roll(6)]),
                }
            }
            look(&mutant);
        }
    }
    look(b"");
}

#[test]
fn rsa_keys_are_measured() {
    let der = include_bytes!("tests/rsa1024.der");
    let certificate = Certificate::new(der);
    assert_eq!((certificate.key_kind(), certificate.key_bits()), (KeyKind::Rsa, Some(1024)));
    assert!(certificate.has_weak_key() && facts::is_authority(der));
}
