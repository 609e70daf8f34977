//! Parameters and questions over scripts: what no server of the rig offers (REQUIRETLS, MT-PRIORITY, FUTURERELEASE, LIMITS,
//! BINARYMIME), what must not become a command, and what a server said before it hung up.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime};

use mailconnect::smtp::{
    Body, BodyType, DeliverBy, Envelope, MailParameter, Message, Notify, Outcome, RcptParameter, Ret, Smtp,
};
use mailconnect::testing::{Script, ScriptHandle, StandInTls};
use mailconnect::transport::{Deadline, Transport};
use mailconnect::{Connector, Error, Security, SmtpClient};

use super::{HELLO, envelope, smtp};

/// A client after EHLO was answered by these lines, over TLS.
fn secure(offer: &[&str], script: &str) -> (SmtpClient, ScriptHandle) {
    let lines: String = offer.iter().map(|line| format!("S: 250-{line}\n")).collect();
    let script = format!("TLS\n{HELLO}S: 250-mx\n{lines}S: 250 NOOP\n{script}");
    let (transport, handle) = Script::parse(&script).unwrap().play();
    let connector = Connector::new().tls(StandInTls::new()).clock(handle.clock());
    (connector.over(smtp(), transport, "mx.example", Security::Tls).unwrap(), handle)
}

const DATA: &str = "C: RCPT TO:<b@b.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: a\nC: .\nS: 250 ok\n";

#[test]
fn what_no_server_of_the_rig_offers() {
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_924_992_000);
    for (parameter, offer, sent) in [
        (MailParameter::require_tls(), "REQUIRETLS", "REQUIRETLS"),
        (MailParameter::priority(-3).unwrap(), "MT-PRIORITY MIXER", "MT-PRIORITY=-3"),
        (MailParameter::hold_for(300).unwrap(), "FUTURERELEASE 86400 2031-01-01T00:00:00Z", "HOLDFOR=300"),
        (MailParameter::hold_until(until).unwrap(), "FUTURERELEASE 86400", "HOLDUNTIL=2031-01-01T00:00:00Z"),
        (MailParameter::deliver_by(120, DeliverBy::Return, true).unwrap(), "DELIVERBY 60", "BY=120;RT"),
        (MailParameter::ret(Ret::Full), "DSN", "RET=FULL"),
        (MailParameter::auth(Some("e+mc2@a.example")).unwrap(), "AUTH PLAIN", "AUTH=e+2Bmc2@a.example"),
    ] {
        let script = format!("C: MAIL FROM:<ann@a.example> {sent}\nS: 250 ok\n{DATA}");
        let (mut client, handle) = secure(&[offer], &script);
        client.send(&envelope(&["b@b.example"]).with(parameter.clone()), "a").unwrap();
        handle.finish();
        // By itself, too.
        let (mut client, handle) = secure(&[offer], &format!("C: MAIL FROM:<ann@a.example> {sent}\nS: 250 ok\n"));
        client.mail_with("ann@a.example", std::slice::from_ref(&parameter)).unwrap();
        handle.finish();
        // Where it is not offered nothing is sent, or it is left out.
        let (mut client, handle) = secure(&[], &format!("C: MAIL FROM:<ann@a.example>\nS: 250 ok\n{DATA}"));
        let before = handle.writes();
        let error = client.send(&envelope(&["b@b.example"]).with(parameter.clone()), "a").unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)) && !error.is_fatal(), "{error}");
        assert!(client.mail_with("ann@a.example", std::slice::from_ref(&parameter)).is_err());
        assert_eq!(handle.writes(), before);
        client.send(&envelope(&["b@b.example"]).with(parameter.optional()), "a").unwrap();
        handle.finish();
    }
}

/// RFC 8689 2: not in clear, whatever is offered.
#[test]
fn require_tls_wants_tls() {
    let script = format!("{HELLO}S: 250-mx\nS: 250 REQUIRETLS\n");
    let (transport, handle) = Script::parse(&script).unwrap().play();
    let mut client: SmtpClient = Connector::new().over(smtp(), transport, "mx.example", Security::Plain).unwrap();
    let error = client.send(&envelope(&["b@b.example"]).with(MailParameter::require_tls()), "a").unwrap_err();
    assert!(error.to_string().contains("no TLS"), "{error}");
    handle.finish();
}

#[test]
fn rule_2_an_extension_that_was_offered_before_tls_is_not_offered() {
    let script = format!(
        "{HELLO}S: 250-mx\nS: 250-DSN\nS: 250-CHUNKING\nS: 250-PIPELINING\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\n\
         C: EHLO me.example\nS: 250 mx\nC: MAIL FROM:<ann@a.example>\nS: 250 ok\n{DATA}"
    );
    let (transport, handle) = Script::parse(&script).unwrap().play();
    let connector = Connector::new().tls(StandInTls::new()).clock(handle.clock());
    let mut client: SmtpClient =
        connector.over(smtp().chunking(true), transport, "mx.example", Security::StartTls).unwrap();
    let asked = envelope(&["b@b.example"]).with_each(RcptParameter::notify([Notify::Failure]));
    assert!(matches!(client.send(&asked, "a"), Err(Error::Unsupported(_))));
    client.send(&envelope(&["b@b.example"]), "a").unwrap();
    handle.finish();
}

#[test]
fn each_recipient_has_its_own() {
    let script = "C: MAIL FROM:<ann@a.example> ENVID=x+20y\nS: 250 ok\n\
                  C: RCPT TO:<a@b.example> NOTIFY=NEVER\nS: 250 ok\n\
                  C: RCPT TO:<b@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;list+2B1@b.example\nS: 250 ok\n\
                  C: DATA\nS: 354 go\nC: a\nC: .\nS: 250 ok\n";
    let (mut client, handle) = secure(&["dsn"], script);
    let envelope = Envelope::new("ann@a.example", ["a@b.example"]).unwrap();
    let envelope = envelope.with(MailParameter::envelope_id("x y").unwrap()).with_each(RcptParameter::notify([]));
    let original = RcptParameter::original_recipient("list+1@b.example").unwrap();
    let notify = RcptParameter::notify([Notify::Success, Notify::Delay]);
    client.send(&envelope.add("b@b.example", [notify, original]).unwrap(), "a").unwrap();
    handle.finish();
}

#[test]
fn what_octets_may_be() {
    use mailconnect::smtp::SendOptions;
    use mailconnect::wire::LineEnds;
    let strict = SendOptions::new().line_ends(LineEnds::Strict);
    let to = || envelope(&["b@b.example"]);
    // Not offered: as they are, or an error under Strict, of bytes before MAIL.
    let rcpt = "C: RCPT TO:<b@b.example>\nS: 250 ok\nC: DATA\nS: 354 go\n";
    let script = format!("C: MAIL FROM:<ann@a.example>\nS: 250 ok\n{rcpt}C: \\xc3\\xb6\nC: .\nS: 250 ok\n");
    let (mut client, handle) = secure(&[], &script);
    let before = handle.writes();
    assert!(matches!(client.send_with(&to(), "\u{f6}\r\n", &strict), Err(Error::InvalidArgument(_))));
    assert_eq!(handle.writes(), before);
    client.send(&to(), "\u{f6}\r\n").unwrap();
    handle.finish();
    // Of a reader after DATA: closed, with no dot.
    let (mut client, handle) = secure(&[], &format!("C: MAIL FROM:<ann@a.example>\nS: 250 ok\n{rcpt}"));
    assert!(client.send_with(&to(), Body::reader("\u{f6}\r\n".as_bytes()), &strict).is_err() && !client.is_open());
    assert!(!handle.sent().ends_with(b".\r\n"));
    // Offered: declared, unless the caller says 7BIT.
    for (body, sent) in [(None, "8BITMIME"), (Some(BodyType::SevenBit), "7BIT")] {
        let (mut client, handle) =
            secure(&["8BITMIME"], &format!("C: MAIL FROM:<ann@a.example> BODY={sent}\nS: 250 ok\n{DATA}"));
        let asked = body.map_or(to(), |body| to().with(MailParameter::body(body)));
        client.send_with(&asked, "a\r\n", &strict).unwrap();
        handle.finish();
    }
}

#[test]
fn rule_9_no_question_becomes_a_command() {
    let (mut client, handle) =
        secure(&["ETRN", "SMTPUTF8"], "C: VRFY \"J\\\\\" <x>\"\nS: 250 J\nC: EXPN b\\xc3\\xb6 SMTPUTF8\nS: 250 B\n");
    let before = handle.writes();
    for bad in [
        "",
        "a\r\nRSET",
        "a\r",
        "a\n",
        "a\0",
        "a\x7f",
        "a\tb",
        "a b",
        "<a@b>",
        "a>",
        "\"a",
        "\"a\\\"",
        "\"a\"\r\nRSET",
        "a\u{85}b",
    ] {
        assert!(matches!(client.vrfy(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
        assert!(matches!(client.expn(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
        assert!(bad.is_empty() || matches!(client.help(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
        assert!(matches!(client.etrn(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
        assert!(Smtp::new().hello_name(bad).is_err(), "{bad:?}");
        assert!(Envelope::new(bad, ["b@b.example"]).is_err() && Envelope::new("a@b", [bad]).is_err(), "{bad:?}");
        assert!(envelope(&["b@b.example"]).add(bad, []).is_err(), "{bad:?}");
    }
    for bad in ["@", "#", "a@b", "a#", "\u{f6}", "-a b"] {
        assert!(client.etrn(bad).is_err(), "{bad:?}");
    }
    assert_eq!(handle.writes(), before);
    client.vrfy("\"J\\\" <x>\"").unwrap();
    client.expn("b\u{f6}").unwrap();
    handle.finish();
    let (mut client, _) = secure(&[], "");
    assert!(matches!(client.vrfy("b\u{f6}"), Err(Error::Unsupported(_))));
    assert!(matches!(client.etrn("b.example"), Err(Error::Unsupported(_))));
}

#[test]
fn helo_only_for_who_did_not_ask_for_tls() {
    for security in [Security::StartTls, Security::Tls] {
        let start = if security == Security::Tls { "TLS\n" } else { "" };
        let script = Script::parse(&format!("{start}{HELLO}S: 502 what?\n")).unwrap();
        let (transport, handle) = script.play();
        let connector = Connector::new().tls(StandInTls::new()).clock(handle.clock());
        let error = connector.over(smtp(), transport, "mx.example", security).unwrap_err();
        assert_eq!(error.rejection().map(|refusal| &*refusal.status), Some("502"), "{error}");
        handle.finish();
    }
}

/// 421 in place of each reply of two messages in bulk: what was answered stays, the rest is told, and nothing is sent.
#[test]
fn goodbye_in_the_middle_of_many() {
    let replies = ["250 ok", "250 ok", "354 go", "250 one", "250 ok", "250 ok", "354 go", "250 two"];
    for at in 0..replies.len() {
        let reply = |n: usize| match n.cmp(&at) {
            std::cmp::Ordering::Less => format!("S: {}\n", replies[n]),
            std::cmp::Ordering::Equal => "S: 421 4.3.2 closing\nEOF\n".to_owned(),
            std::cmp::Ordering::Greater => String::new(),
        };
        let head = "C: MAIL FROM:<ann@a.example>\nC: RCPT TO:<b@b.example>\nC: DATA\n";
        let replies = |range: std::ops::Range<usize>| range.map(reply).collect::<String>();
        let mut script = format!("{head}{}", replies(0..3));
        if at >= 3 {
            script += &format!("C: text\nC: .\n{head}{}", replies(3..7));
        }
        if at >= 7 {
            script += &format!("C: text\nC: .\n{}", replies(7..8));
        }
        let offer = "S: 250-mx\nS: 250 PIPELINING\n";
        let (transport, handle) = Script::parse(&format!("{HELLO}{offer}{script}")).unwrap().play();
        let connector = Connector::new().clock(handle.clock());
        let mut client: SmtpClient = connector.over(smtp(), transport, "mx.example", Security::Plain).unwrap();
        let to = envelope(&["b@b.example"]);
        let told: Vec<_> = client.send_all((0..3).map(|_| Message::with(&to, "text"))).collect();
        let names: Vec<_> = told
            .iter()
            .map(|outcome| match outcome {
                Outcome::Delivered(_) => "delivered",
                Outcome::Refused(report) if report.reply.code == 421 => "refused",
                Outcome::NotSent(_) => "not sent",
                other => panic!("{at}: {other:?}"),
            })
            .collect();
        let expected: &[&str] = match at {
            0..=2 => &["refused"],
            3 => &["refused", "not sent"],
            4..=6 => &["delivered", "refused"],
            _ => &["delivered", "refused", "not sent"],
        };
        // The third is pulled only once the second message goes.
        assert_eq!(names, expected, "421 for reply {at}");
        assert!(!client.is_open());
    }
}

/// A server that refuses in the middle of a message and hangs up at once, with much of it unread: the kernel resets.
#[test]
fn the_reason_for_hanging_up_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for _ in 0..20 {
            let (socket, _) = listener.accept().unwrap();
            refuse_in_the_middle(&socket);
        }
    });
    let mut told = 0;
    for _ in 0..20 {
        let mut client = SmtpClient::connect(address).unwrap();
        let body = Body::reader(std::io::repeat(b'x').take(64 << 20));
        let error = client.send(&envelope(&["b@b.example"]), body).unwrap_err();
        assert!(!error.outcome_unknown() && !client.is_open(), "{error}");
        told += usize::from(error.rejection().is_some_and(|refusal| &*refusal.status == "552"));
    }
    server.join().unwrap();
    println!("{told} of 20 were told why");
    // The reset may overtake it.
    assert!(told >= 10, "only {told} of 20");
}

fn refuse_in_the_middle(mut socket: &TcpStream) {
    let mut lines = BufReader::new(socket);
    socket.write_all(b"220 mx\r\n").unwrap();
    for reply in ["250-mx\r\n250 NOOP\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        socket.write_all(reply.as_bytes()).unwrap();
    }
    let mut some = [0; 100_000];
    lines.read_exact(&mut some).unwrap();
    socket.write_all(b"552 5.3.4 enough\r\n").unwrap();
}

/// A line that answers each write, and breaks in the middle of a message after it has said something.
struct Breaking {
    replies: Vec<&'static str>,
    last_words: &'static str,
    inbox: Vec<u8>,
    soft: bool,
    broken: bool,
}

impl Read for Breaking {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match (self.inbox.is_empty(), self.broken) {
            (true, true) => Err(io::ErrorKind::ConnectionReset.into()),
            (true, false) if self.soft => Err(io::ErrorKind::WouldBlock.into()),
            _ => {
                let n = buf.len().min(self.inbox.len());
                buf[..n].copy_from_slice(&self.inbox[..n]);
                self.inbox.drain(..n);
                Ok(n)
            }
        }
    }
}

impl Write for Breaking {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.replies.is_empty() {
            self.inbox.extend_from_slice(self.last_words.as_bytes());
            self.broken = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.inbox.extend_from_slice(self.replies.remove(0).as_bytes());
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Breaking {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.soft = deadline.is_soft();
        Ok(())
    }
}

#[test]
fn what_was_said_before_a_write_failed_is_told() {
    let envelope_taken = "250 ok\r\n250 ok\r\n354 go\r\n";
    for (replies, last_words, expected) in [
        // In the message: in its first block, and later.
        (vec![envelope_taken], "552 enough\r\n", "the server refused DATA: 552 enough"),
        (vec![envelope_taken, "", ""], "552 enough\r\n", "the server refused DATA: 552 enough"),
        (vec![envelope_taken, ""], "421 bye\r\n", "the server refused DATA: 421 bye"),
        // In the envelope.
        (vec![], "421 bye\r\n", "the server refused DATA: 421 bye"),
        // Nothing of use.
        (vec![envelope_taken, ""], "250 ok\r\n", "transferring a body (DATA)"),
        (vec![envelope_taken, ""], "55", "the server closed the connection"),
        (vec![envelope_taken, ""], "", "the server closed the connection"),
    ] {
        let replies = [&["250-mx\r\n250 PIPELINING\r\n"][..], &replies].concat();
        let inbox = b"220 mx\r\n".to_vec();
        let line = Breaking { replies, last_words, inbox, soft: false, broken: false };
        let mut client: SmtpClient = Connector::new().over(smtp(), line, "mx.example", Security::Plain).unwrap();
        let error = client.send(&envelope(&["b@b.example"]), "x\r\n".repeat(100_000)).unwrap_err();
        assert!(error.to_string().contains(expected), "{last_words:?}: {error}");
        assert!(error.is_fatal() && !error.outcome_unknown() && !client.is_open());
    }
}
