//! The name that a client gives itself in EHLO: RFC 5321 4.1.1.1 and 4.1.3. Many servers refuse a name without a dot,
//! with an underscore or outside ASCII, so such a host name is not used.

use std::net::{IpAddr, SocketAddr};

use crate::{Error, Result};

/// Octets of a domain name, RFC 5321 4.5.3.1.2.
const MAX: usize = 255;

/// The name of a client that was not given one.
pub(super) fn default_name(local: Option<SocketAddr>) -> String {
    choose(host_name().as_deref(), local)
}

fn choose(host: Option<&str>, local: Option<SocketAddr>) -> String {
    match host {
        Some(host) if is_full(host) => host.to_owned(),
        _ => literal(local),
    }
}

/// What the system calls itself; the environment's word where it has no such file.
fn host_name() -> Option<String> {
    let file = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = || std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok();
    file.or_else(named).map(|name| name.trim().to_owned())
}

/// Letters, digits and hyphens, and at least one dot.
fn is_full(name: &str) -> bool {
    let label = |label: &str| {
        let ends = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && !ends && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= MAX && name.contains('.') && name.split('.').all(label)
}

fn literal(local: Option<SocketAddr>) -> String {
    match local.map(|address| address.ip()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => format!("[{address}]"),
            None => format!("[IPv6:{address}]"),
        },
        None => "[127.0.0.1]".to_owned(),
    }
}

/// A name that the caller gave: a domain or an address literal. More is taken than a server may like.
pub(super) fn check(name: &str) -> Result<()> {
    let of = |extra: &'static [u8], text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    };
    let good = match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inner| of(b".:-", inner)),
        None => of(b".-_", name),
    };
    if good && name.len() <= MAX {
        return Ok(());
    }
    Err(Error::invalid("hello_name", "is neither a domain name in ASCII nor an address in brackets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_else_an_address() {
        let v4 = Some("192.0.2.1:5".parse().unwrap());
        let long = "a.".repeat(127) + "aa";
        for (host, local, expected) in [
            (Some("mx.example.com"), v4, "mx.example.com"),
            (Some("localhost"), v4, "[192.0.2.1]"),
            (Some("my_box.example.com"), v4, "[192.0.2.1]"),
            (Some("box.-a"), v4, "[192.0.2.1]"),
            (Some("box."), v4, "[192.0.2.1]"),
            (Some("b\u{fc}ro.example"), v4, "[192.0.2.1]"),
            (Some("a b.example"), v4, "[192.0.2.1]"),
            (None, Some("[2001:db8::1]:5".parse().unwrap()), "[IPv6:2001:db8::1]"),
            (None, Some("[::ffff:192.0.2.7]:5".parse().unwrap()), "[192.0.2.7]"),
            (Some(&long), v4, "[192.0.2.1]"),
            (Some(""), None, "[127.0.0.1]"),
        ] {
            assert_eq!(choose(host, local), expected);
        }
    }

    #[test]
    fn rule_9_no_command_in_a_name() {
        for good in ["localhost", "a.example", "my_box", "[192.0.2.1]", "[IPv6:::1]"] {
            check(good).unwrap();
        }
        let long = "a".repeat(256);
        for bad in ["", "[]", "[", "a b", "a\r\nMAIL", "a\n", "a\r", "a\0", "a>", "<a", "b\u{fc}ro", "[a b]", &long] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
