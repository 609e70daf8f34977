//! Whether a certificate is for a name: by `subjectAltName` alone, as rustls does it (RFC 9525 6). A platform's own check
//! differs from system to system, and some still look at the common name.

use std::net::IpAddr;

use super::der;
use super::explain::invalid_name;
use crate::error::Result;

/// The longest name that DNS can carry, and the longest label of it.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// The name of a server, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// Without the dot at its end.
    Dns(String),
    Ip(IpAddr),
}

impl Name {
    /// # Errors
    /// [`Error::InvalidArgument`] if it is neither a DNS name nor an IP address.
    pub(super) fn new(host: &str) -> Result<Self> {
        if let Ok(address) = host.parse() {
            return Ok(Self::Ip(address));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        if host.len() <= MAX_NAME && is_dns_name(name.as_bytes()) {
            return Ok(Self::Dns(name.to_owned()));
        }
        Err(invalid_name(host))
    }

    /// What the platform is given: it knows no dot at the end.
    #[cfg(feature = "native-tls")]
    pub(super) fn for_platform(&self) -> String {
        match self {
            Self::Dns(name) => name.clone(),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// True if the certificate is for it. One whose names cannot be read is for nobody.
    pub(super) fn matches(&self, certificate: &[u8]) -> bool {
        const DNS_NAME: u8 = 0x82;
        const IP_ADDRESS: u8 = 0x87;
        /// All kinds of names: RFC 5280 4.2.1.6.
        const KINDS: [u8; 9] = [0xa0, 0x81, DNS_NAME, 0xa3, 0xa4, 0xa5, 0x86, IP_ADDRESS, 0x88];

        let Some(mut rest) = der::alternative_names(certificate) else { return false };
        let mut found = false;
        while let Some(kind) = rest.first().copied().filter(|kind| KINDS.contains(kind)) {
            let Some((element, others)) = der::element(rest, kind) else { return false };
            let value = der::content(element).unwrap_or_default();
            found |= match self {
                Self::Dns(name) => kind == DNS_NAME && covers(value, name.as_bytes()),
                Self::Ip(IpAddr::V4(address)) => kind == IP_ADDRESS && value == address.octets(),
                Self::Ip(IpAddr::V6(address)) => kind == IP_ADDRESS && value == address.octets(),
            };
            rest = others;
        }
        found && rest.is_empty()
    }
}

/// Whether a certificate's name covers this one. A wildcard stands for one whole label, the left-most, and at least two
/// more must follow it: nobody can have all of `com`.
fn covers(pattern: &[u8], name: &[u8]) -> bool {
    let Some(parent) = pattern.strip_prefix(b"*.") else {
        return is_dns_name(pattern) && pattern.eq_ignore_ascii_case(name);
    };
    let after_first_label = name.iter().position(|byte| *byte == b'.').and_then(|dot| name.get(dot + 1..));
    is_dns_name(parent)
        && parent.contains(&b'.')
        && after_first_label.is_some_and(|after| after.eq_ignore_ascii_case(parent))
}

/// Labels of letters, digits, underscores, and hyphens that stand at no end; the last not only digits, lest it be taken
/// for an address.
fn is_dns_name(name: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && label.first() != Some(&b'-')
            && label.last() != Some(&b'-')
    };
    let mut labels = name.split(|byte| *byte == b'.');
    let last = labels.clone().next_back().unwrap_or_default();
    name.len() <= MAX_NAME && labels.all(is_label) && !last.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(names: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_table_of_names() {
        let is_for = |names: &[&str], host: &str| Name::new(host).unwrap().matches(&certificate(names));
        let good = [
            ("mail.test", "mail.test"),
            ("Mail.Test", "mAIL.tEST"),
            ("mail.test", "mail.test."),
            ("*.mail.test", "a.mail.test"),
            ("*.mail.test", "A.Mail.Test."),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:DB8:0:0::1"),
        ];
        for (pattern, host) in good {
            assert!(is_for(&[pattern], host), "{pattern} {host}");
        }
        let bad = [
            ("mail.test", "test"),
            ("mail.test", "a.mail.test"),
            ("*.mail.test", "mail.test"),
            ("*.mail.test", "b.a.mail.test"),
            ("*.test", "mail.test"),
            ("*", "mail"),
            ("a*.mail.test", "ab.mail.test"),
            ("mail.test.", "mail.test"),
            ("192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("*.0.2.1", "192.0.2.1"),
        ];
        for (pattern, host) in bad {
            assert!(!is_for(&[pattern], host), "{pattern} {host}");
        }
        assert!(!is_for(&[], "mail.test"));
        assert!(!Name::new("mail.test").unwrap().matches(b"no certificate"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.test", "a".repeat(64));
        let longest = format!("{}test", "a.".repeat(125));
        for host in [
            "",
            ".",
            "a..b",
            "-a.b",
            "a-.b",
            "a b",
            "host:25",
            "[::1]",
            "b\u{fc}cher.example",
            "1.2.3.4.5",
            "12",
            "*.test",
            "x\r\ny",
            "fe80::1%eth0",
            &long,
            &longest,
        ] {
            assert!(matches!(Name::new(host), Err(Error::InvalidArgument(_))), "{host}");
        }
    }

    #[cfg(feature = "rustls")]
    mod differential {
        use super::*;

        const HOSTS: &[&str] = &[
            "mail.test",
            "MAIL.test",
            "mail.test.",
            "a.mail.test",
            "b.a.mail.test",
            "test",
            "xmail.test",
            "mail.test.x",
            "a_b.mail.test",
            "xn--bcher-kva.example",
            "1.mail.test",
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8::1",
            "2001:DB8:0::1",
            "::ffff:192.0.2.1",
        ];

        const PATTERNS: &[&[&str]] = &[
            &[],
            &["mail.test"],
            &["Mail.Test"],
            &["mail.test."],
            &["*.mail.test"],
            &["*.test"],
            &["*"],
            &["*."],
            &["a*.mail.test"],
            &["*a.mail.test"],
            &["a.*.test"],
            &["*.*.test"],
            &["*.a.mail.test"],
            &["a_b.mail.test"],
            &["-.mail.test"],
            &["*.-mail.test"],
            &[".mail.test"],
            &["*..mail.test"],
            &["mail..test"],
            &["192.0.2.1"],
            &["2001:db8::1"],
            &["::ffff:192.0.2.1"],
            &["other.test", "*.mail.test", "192.0.2.2", "mail.test"],
            &["xn--bcher-kva.example"],
            &["*.2.1"],
            &["*.0.2.1"],
            &["mail.test\u{0}"],
            &["mail test"],
            &[" mail.test"],
        ];

        /// Every host against every certificate: the same answer as that of rustls.
        #[test]
        fn rustls_says_the_same() {
            use ::rustls::client::verify_server_name;
            use ::rustls::pki_types::{CertificateDer, ServerName};
            use ::rustls::server::ParsedCertificate;

            let mut matched = 0;
            for names in PATTERNS {
                let der = CertificateDer::from(certificate(names));
                let parsed = ParsedCertificate::try_from(&der).unwrap();
                for host in HOSTS {
                    let theirs = verify_server_name(&parsed, &ServerName::try_from(*host).unwrap()).is_ok();
                    assert_eq!(Name::new(host).unwrap().matches(&der), theirs, "{host} {names:?}");
                    matched += usize::from(theirs);
                }
            }
            assert!(matched > 20);
            let odd = [
                "", ".", "..", "a", "a.", "_", "_a.b", "a-b", "-a", "a-", "1", "1a", "1.a", "a.1", "a.1b", "1.2.3.4.",
                "0x1", "a.b.c.", "::", "::1", "::1.", "1.2.3", "01.2.3.4",
            ];
            for host in odd {
                assert_eq!(Name::new(host).is_ok(), ServerName::try_from(host).is_ok(), "{host}");
            }
        }
    }
}
