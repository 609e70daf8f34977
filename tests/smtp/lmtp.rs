//! LMTP: a reply for each recipient that was taken, over scripts and a Unix socket; and the client that relays.

use std::io::{Read, Write};
use std::sync::Arc;

use mailconnect::lmtp::Lmtp;
use mailconnect::smtp::{Envelope, Message, Outcome, Policy, Relay, SendOptions, Smtp};
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, Error, LmtpClient, RelayClient, Security, ports};

use super::server::{Line, Machine, Offer};

const HELLO: &str = "S: 220 keeper LMTP\nC: LHLO me.example\nS: 250-keeper\nS: 250 PIPELINING\n";

fn open(script: Script) -> LmtpClient {
    let (transport, _) = script.play();
    let lmtp = Lmtp::default().hello_name("me.example").unwrap();
    Connector::new().over(lmtp, transport, "keeper", Security::Plain).unwrap()
}

#[test]
fn each_recipient_that_was_taken_has_a_reply_of_its_own() {
    let script = format!(
        "{HELLO}C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: RCPT TO:<c@b.example>\nC: RCPT TO:<d@b.example>\n\
         C: DATA\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no such user\nS: 250 ok\nS: 354 go\nWAIT\nC: hi\nC: .\n\
         S: 250 2.1.5 kept\nS: 452 4.2.2 full\nC: NOOP\nS: 250 ok\n"
    );
    for chunking in Chunking::ALL {
        let mut client = open(Script::parse(&script).unwrap().chunking(chunking));
        let envelope = Envelope::new("ann@a.example", ["b@b.example", "c@b.example", "d@b.example"]).unwrap();
        let report = client.send(&envelope, "hi").unwrap();
        let shown = |list: &[(String, mailconnect::smtp::Reply)]| {
            list.iter().map(|(to, reply)| format!("{to} {reply}")).collect::<Vec<_>>()
        };
        assert_eq!(shown(&report.accepted), ["b@b.example 250 2.1.5 kept"]);
        assert_eq!(shown(&report.refused), ["c@b.example 550 5.1.1 no such user", "d@b.example 452 4.2.2 full"]);
        assert_eq!(report.deliveries[0].to, ["b@b.example"]);
        client.noop().unwrap();
    }
}

#[test]
fn rule_7_lost_replies_are_told_by_recipient() {
    let start = format!(
        "{HELLO}C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: RCPT TO:<c@b.example>\nC: DATA\n\
         S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: hi\nC: .\n"
    );
    let envelope = Envelope::new("ann@a.example", ["b@b.example", "c@b.example"]).unwrap();
    let mut client = open(Script::parse(&format!("{start}S: 250 kept\nEOF\n")).unwrap());
    let report = client.send(&envelope, "hi").unwrap();
    assert_eq!((report.accepted.len(), report.unknown, client.is_open()), (1, vec!["c@b.example".to_owned()], false));
    let mut client = open(Script::parse(&format!("{start}EOF\n")).unwrap());
    assert!(client.send(&envelope, "hi").unwrap_err().outcome_unknown());
    let mut client = open(Script::parse(&format!("{start}S: 550 no\nS: 452 no\nC: NOOP\nS: 250 ok\n")).unwrap());
    let error = client.send(&envelope, "hi").unwrap_err();
    assert!(error.is_permanent() && client.last_refused().len() == 2);
    client.noop().unwrap();
}

#[test]
fn the_verbs_one_by_one() {
    let script = format!(
        "{HELLO}C: MAIL FROM:<ann@a.example>\nS: 250 ok\nC: RCPT TO:<b@b.example>\nS: 250 ok\nC: RCPT TO:<c@b.example>\n\
         S: 250 ok\nC: DATA\nS: 354 go\nC: hi\nC: .\nS: 250 kept\nS: 552 full\n"
    );
    let mut client = open(Script::parse(&script).unwrap());
    client.mail("ann@a.example").unwrap();
    client.rcpt("b@b.example").unwrap();
    client.rcpt("c@b.example").unwrap();
    let replies = client.data_each("hi").unwrap();
    let codes: Vec<_> = replies.iter().map(|(to, reply)| (to.as_str(), reply.code)).collect();
    assert_eq!(codes, [("b@b.example", 250), ("c@b.example", 552)]);
}

#[test]
fn no_helo_and_no_ehlo() {
    let script = Script::parse("S: 220 keeper\nC: LHLO me.example\nS: 502 no\n").unwrap();
    let (transport, handle) = script.play();
    let lmtp = Lmtp::default().hello_name("me.example").unwrap();
    assert!(Connector::new().over(lmtp, transport, "keeper", Security::Plain).is_err());
    handle.finish();
}

#[test]
fn many_messages_and_all_or_none() {
    let offer = Offer { lmtp: true, ..Offer::new(&["PIPELINING", "8BITMIME"]) };
    let line = Line::new(Machine::new(offer));
    let record = Arc::clone(&line.machine.lock().unwrap().record);
    let mut client: LmtpClient = Connector::new().over(Lmtp::default(), line, "keeper", Security::Plain).unwrap();
    let to = |names: &[&str]| Envelope::new("ann@a.example", names).unwrap();
    let all = SendOptions::new().policy(Policy::RequireAll);
    let messages = [
        Message::new(to(&["b@b.example", "full@b.example", "c@b.example"]), "one"),
        Message::new(to(&["full@b.example"]), "two"),
        Message::new(to(&["b@b.example", "refused@b.example"]), "three").options(all),
        Message::new(to(&["refused@b.example"]), "four"),
        Message::new(to(&["c@b.example"]), "five"),
    ];
    let outcomes: Vec<_> = client.send_all(messages).collect();
    let told: Vec<_> = outcomes.iter().map(Outcome::is_delivered).collect();
    assert_eq!(told, [true, false, false, false, true]);
    assert_eq!(outcomes[2].report().unwrap().not_attempted, ["b@b.example"]);
    let kept: Vec<_> = record.lock().unwrap().kept.iter().map(|kept| kept.to.clone()).collect();
    assert_eq!(kept, [vec!["b@b.example", "c@b.example"], vec!["c@b.example"]]);
    client.quit().unwrap();
}

#[cfg(unix)]
#[test]
fn over_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("mailconnect-lmtp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut machine = Machine::new(Offer { lmtp: true, ..Offer::new(&["PIPELINING"]) });
        let mut buf = [0; 4096];
        loop {
            machine.run();
            let said: Vec<u8> = machine.outbox.drain(..).collect();
            socket.write_all(&said).unwrap();
            match socket.read(&mut buf).unwrap() {
                0 => break,
                n => machine.receive(&buf[..n]),
            }
        }
        machine.record.lock().unwrap().kept.len()
    });
    let mut client = LmtpClient::connect(format!("unix:{}", path.display())).unwrap();
    let envelope = Envelope::new("ann@a.example", ["b@b.example", "full@b.example"]).unwrap();
    let report = client.send(&envelope, ".\nhi").unwrap();
    assert_eq!((report.accepted.len(), report.refused.len()), (1, 1));
    client.quit().unwrap();
    assert_eq!(server.join().unwrap(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_relay_goes_to_port_25_and_logs_in_nowhere() {
    use mailconnect::Protocol;
    assert_eq!((<Smtp<Relay>>::PORT, <Smtp<Relay>>::TLS_PORT), (Some(ports::SMTP_RELAY), None));
    assert_eq!((Lmtp::PORT, Lmtp::TLS_PORT), (Some(ports::LMTP), None));
    let script = "S: 220 mx\nC: EHLO me.example\nS: 250-mx\nS: 250 AUTH PLAIN\nC: MAIL FROM:<a@b>\nS: 250 ok\n\
                  C: RCPT TO:<c@d>\nS: 250 ok\nC: DATA\nS: 354 go\nC: hi\nC: .\nS: 250 ok\n";
    let (transport, handle) = Script::parse(script).unwrap().play();
    let relay = Smtp::<Relay>::default().hello_name("me.example").unwrap();
    let connector = Connector::new().danger_plaintext_auth(true);
    let mut client: RelayClient = connector.over(relay, transport, "mx", Security::Plain).unwrap();
    assert!(matches!(client.login("user", "password"), Err(Error::Unsupported(_))));
    client.send(&Envelope::new("a@b", ["c@d"]).unwrap(), "hi").unwrap();
    handle.finish();
}
