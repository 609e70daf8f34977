//! How often the client waits for the server, counted by a server in memory: a round trip is each time that the client can
//! do nothing but wait.

use std::sync::{Arc, Mutex};

use mailconnect::smtp::{Envelope, Message, SendOptions, Smtp};
use mailconnect::{Connector, Security, SmtpClient};

use super::server::{Line, Machine, Offer, Record};

pub(crate) const OFFER: &[&str] = &["PIPELINING", "8BITMIME", "SIZE 1000000", "CHUNKING", "AUTH PLAIN", "STARTTLS"];

pub(crate) fn to(n: usize) -> Envelope {
    Envelope::new("ann@a.example", (0..n).map(|n| format!("user{n}@b.example"))).unwrap()
}

/// A client after EHLO, and how often it has waited so far.
fn plain(offer: &[&str], chunking: bool) -> (SmtpClient, Arc<Mutex<Record>>) {
    let line = Line::new(Machine::new(Offer::new(offer)));
    let record = Arc::clone(&line.machine.lock().unwrap().record);
    let smtp = Smtp::new().hello_name("me.example").unwrap().chunking(chunking);
    let client = Connector::new().over(smtp, line, "mx.example", Security::Plain).unwrap();
    record.lock().unwrap().flights = 0;
    (client, record)
}

#[test]
fn a_thousand_recipients_are_a_few() {
    for (chunking, expected) in [(false, 9), (true, 8)] {
        let (mut client, record) = plain(OFFER, chunking);
        client.send(&to(1000), "Subject: one\n\nIt works.\n").unwrap();
        let record = record.lock().unwrap();
        println!("1000 recipients, chunking {chunking}: {} round trips", record.flights);
        assert!(record.flights <= expected, "{}", record.flights);
        assert!(record.group <= 128, "{} commands at once", record.group);
    }
}

#[test]
fn without_pipelining_each_command_waits() {
    for chunking in [false, true] {
        let (mut client, record) = plain(&["8BITMIME", "CHUNKING"], chunking);
        client.send(&to(10), "Subject: one\n\nIt works.\n").unwrap();
        let record = record.lock().unwrap();
        assert_eq!((record.flights, record.group), (if chunking { 12 } else { 13 }, 1));
    }
}

#[test]
fn in_bulk_a_message_is_one_and_with_chunks_less() {
    for (chunking, recipients, expected) in [(false, 1, 101), (false, 10, 101), (true, 1, 5), (true, 10, 13)] {
        let (mut client, record) = plain(OFFER, chunking);
        let envelope = to(recipients);
        let messages = (0..100).map(|n| Message::with(&envelope, format!("Subject: {n}\n\nIt works.\n")));
        assert!(client.send_all(messages).all(|outcome| outcome.is_delivered()));
        let record = record.lock().unwrap();
        println!("100 messages to {recipients}, chunking {chunking}: {} round trips", record.flights);
        assert_eq!(record.kept.len(), 100);
        assert!(record.flights <= expected, "{} for {recipients}, chunking {chunking}", record.flights);
        assert!(record.group <= 128, "{} commands at once", record.group);
    }
}

#[test]
fn quit_rides_with_the_last_message() {
    for chunking in [false, true] {
        let (client, record) = plain(OFFER, chunking);
        client.send_and_quit(&to(3), "Subject: one\n\nIt works.\n", &SendOptions::new()).unwrap();
        let record = record.lock().unwrap();
        assert_eq!((record.flights, record.left), (if chunking { 1 } else { 2 }, true));
    }
    let (mut client, record) = plain(OFFER, true);
    let envelope = to(1);
    let messages = (0..5).map(|n| Message::with(&envelope, format!("Subject: {n}\n\nIt works.\n")));
    assert_eq!(client.send_all(messages).and_quit().filter(|outcome| outcome.is_delivered()).count(), 5);
    assert!(!client.is_open());
    let record = record.lock().unwrap();
    assert_eq!((record.flights, record.left, record.kept.len()), (1, true, 5));
}
