//! The round trips of whole sessions: real TLS 1.3, real commands. A connection by TCP would be one more, and is counted so.

use std::sync::Arc;

use mailconnect::smtp::Smtp;
use mailconnect::{Connector, Security, SmtpClient};

use super::server::{Machine, Offer};
use super::tls_line::{TlsLine, identity};
use super::trips::{OFFER, to};

/// The round trips of a first and of a second message.
fn trips(recipients: usize, security: Security, chunking: bool) -> (usize, usize) {
    let (config, pem) = identity();
    let line = TlsLine::new(Machine::new(Offer::new(OFFER)), config, security == Security::Tls);
    let record = Arc::clone(&line.record);
    let flights = || record.lock().unwrap().flights;
    let connector = Connector::new().root_certificates_pem(pem.as_bytes()).unwrap();
    let smtp = Smtp::new().hello_name("me.example").unwrap().chunking(chunking);
    let mut client: SmtpClient = connector.over(smtp, line, "localhost:587", security).unwrap();
    client.login("user", "password").unwrap();
    let report = client.send(&to(recipients), "Subject: one\n\nIt works.\n").unwrap();
    assert_eq!((report.accepted.len(), report.deliveries.len()), (recipients, 1));
    let first = flights();
    client.send(&to(recipients), "Subject: two\n\nIt works.\n").unwrap();
    assert_eq!(record.lock().unwrap().kept.len(), 2);
    (1 + first, flights() - first)
}

#[test]
fn the_least_that_the_rfc_allows() {
    println!("recipients, security, verb: round trips to the first `250 queued`, and to the next");
    for recipients in [1, 10, 100] {
        for (security, chunking, expected) in [
            (Security::StartTls, false, (9, 2)),
            (Security::StartTls, true, (8, 1)),
            (Security::Tls, false, (7, 2)),
            (Security::Tls, true, (6, 1)),
        ] {
            let found = trips(recipients, security, chunking);
            println!("{recipients:4} {security:?} {}: {found:?}", if chunking { "BDAT" } else { "DATA" });
            assert_eq!(found, expected, "{recipients} recipients, {security:?}, chunking {chunking}");
        }
    }
}
