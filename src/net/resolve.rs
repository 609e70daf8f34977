//! Host names to addresses, with the time-out and the interrupt that the system's resolver lacks. An IP address never
//! goes to the name service. RFC 8305 section 4 (the order of addresses).

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::Interrupt;
use super::inbox::{Arrival, Inbox};

/// At most 64 addresses of a host are tried. Mail servers have a handful; whoever controls a name could list thousands.
const MAX_ADDRESSES: usize = 64;

/// Why there are no addresses.
#[derive(Debug)]
pub(super) enum Unresolved {
    Interrupted,
    TimedOut,
    Failed(io::Error),
}

/// The addresses of a host, in the order in which they shall be tried; never none.
///
/// `lookup` runs on a thread of its own, since nothing can end it. It is [`system`] outside tests.
pub(super) fn resolve(
    host: &str,
    port: u16,
    wait: Duration,
    interrupt: &Interrupt,
    lookup: impl FnOnce(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, Unresolved> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let inbox = Inbox::new(interrupt);
    let name = host.to_owned();
    inbox.spawn("mailconnect-resolve", move || lookup(&name, port)).map_err(Unresolved::Failed)?;
    match inbox.next(wait) {
        Arrival::Result(Ok(addresses)) if addresses.is_empty() => {
            Err(Unresolved::Failed(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses")))
        }
        Arrival::Result(Ok(addresses)) => Ok(interleave(addresses)),
        Arrival::Result(Err(error)) => Err(Unresolved::Failed(error)),
        Arrival::TimedOut => Err(Unresolved::TimedOut),
        Arrival::Interrupted => Err(Unresolved::Interrupted),
    }
}

/// Asks the system, which also knows its hosts file and scoped addresses (`fe80::1%eth0`).
pub(super) fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

/// Takes turns between the families, so that a family without a route costs one attempt and not all of them. The first
/// address stays first, and the order within a family stays the resolver's (RFC 6724). Duplicates are left out.
fn interleave(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    let v6_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    while first.len() + second.len() > 0 {
        ordered.extend(first.next());
        ordered.extend(second.next());
    }
    ordered.truncate(MAX_ADDRESSES);
    ordered
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn not_asked(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        panic!("the name service was asked")
    }

    #[test]
    fn families_take_turns() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&[], &[]),
            (&["1.0.0.1:1"], &["1.0.0.1:1"]),
            (
                &["[::a]:1", "[::b]:1", "[::c]:1", "1.0.0.1:1", "1.0.0.2:1"],
                &["[::a]:1", "1.0.0.1:1", "[::b]:1", "1.0.0.2:1", "[::c]:1"],
            ),
            (&["1.0.0.2:1", "1.0.0.1:1", "[::b]:1"], &["1.0.0.2:1", "[::b]:1", "1.0.0.1:1"]),
            (&["1.0.0.2:1", "1.0.0.1:1"], &["1.0.0.2:1", "1.0.0.1:1"]),
            (&["[::a]:1", "[::a]:1", "1.0.0.1:1", "[::b]:1", "1.0.0.1:1"], &["[::a]:1", "1.0.0.1:1", "[::b]:1"]),
        ];
        for (given, expected) in cases {
            assert_eq!(interleave(addresses(given)), addresses(expected));
        }
        let many = (0..1000u16).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        assert_eq!(interleave(many).len(), MAX_ADDRESSES);
    }

    #[test]
    fn an_ip_address_is_not_looked_up() {
        for (host, expected) in
            [("192.0.2.1", "192.0.2.1:25"), ("::1", "[::1]:25"), ("2001:db8::1", "[2001:db8::1]:25")]
        {
            let found = resolve(host, 25, HOUR, &Interrupt::new(), not_asked).unwrap();
            assert_eq!(found, addresses(&[expected]));
        }
    }

    #[test]
    fn a_name_and_a_scoped_address_are_looked_up() {
        for host in ["mail.test", "fe80::1%eth0"] {
            let lookup = |name: &str, port| {
                assert!(port == 25 && (name == "mail.test" || name == "fe80::1%eth0"));
                Ok(addresses(&["1.0.0.2:25", "1.0.0.1:25", "[::b]:25"]))
            };
            let found = resolve(host, 25, HOUR, &Interrupt::new(), lookup).unwrap();
            assert_eq!(found, addresses(&["1.0.0.2:25", "[::b]:25", "1.0.0.1:25"]));
        }
    }

    #[test]
    fn failing_and_finding_nothing_are_errors() {
        let failed = resolve("mail.test", 25, HOUR, &Interrupt::new(), |_, _| Err(io::Error::other("broken")));
        assert!(matches!(failed, Err(Unresolved::Failed(error)) if error.to_string() == "broken"));
        let nothing = resolve("mail.test", 25, HOUR, &Interrupt::new(), |_, _| Ok(Vec::new()));
        assert!(matches!(nothing, Err(Unresolved::Failed(error)) if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn a_resolver_that_hangs_is_left_behind() {
        let (release, released) = mpsc::channel::<()>();
        let (ending, ended) = mpsc::channel();
        let lookup = move |_: &str, _| {
            let _ = released.recv();
            ending.send(()).unwrap();
            Ok(Vec::new())
        };
        let result = resolve("mail.test", 25, Duration::from_millis(1), &Interrupt::new(), lookup);
        assert!(matches!(result, Err(Unresolved::TimedOut)));
        drop(release);
        ended.recv().unwrap();
    }

    #[test]
    fn the_interrupt_ends_resolving() {
        let (_release, released) = mpsc::channel::<()>();
        let interrupt = Interrupt::new();
        let handle = interrupt.clone();
        let lookup = move |_: &str, _| {
            handle.interrupt();
            let _ = released.recv();
            Ok(Vec::new())
        };
        let result = resolve("mail.test", 25, HOUR, &interrupt, lookup);
        assert!(matches!(result, Err(Unresolved::Interrupted)));
    }
}
