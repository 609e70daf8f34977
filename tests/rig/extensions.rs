//! Every verb and extension of SMTP at the servers that offer it: one line each, counted. What was sent is compared byte
//! for byte where it arrives.
//!
//! REQUIRETLS, MT-PRIORITY, FUTURERELEASE, LIMITS and BINARYMIME are offered by none of these servers: here they must be
//! refused before MAIL, and are sent in scripts (`tests/smtp/parameters.rs`).

use mailconnect::smtp::{
    Body, BodyType, DeliverBy, Envelope, MailParameter, Message as Letter, Notify, Outcome, Policy, RcptParameter, Ret,
    SendOptions,
};
use mailconnect::{Error, Result, SmtpClient};

use crate::login::{self, USER};
use crate::messages::Message;
use crate::model::{Endpoint, Proto, Rig};
use crate::report::{Checked, During, ensure};
use crate::{mailboxes, opening, smtp};

/// The servers, by the endpoint that offers most.
const SERVERS: &[&str] =
    &["postfix.smtp", "exim.smtp", "opensmtpd.smtp", "sendmail.smtp", "aiosmtpd.smtp", "smtp-server.smtp"];

const SENDER: &str = "rig@example.test";

/// One server, and what was sent through it.
struct Visit<'r> {
    rig: &'r Rig,
    endpoint: &'r Endpoint,
    client: SmtpClient,
    sent: Vec<(&'static str, Message)>,
    passed: usize,
    failed: usize,
}

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn every_verb_and_extension_of_smtp() {
    let rig = Rig::from_environment();
    let (mut passed, mut failed) = (0, 0);
    for name in SERVERS {
        let endpoint = rig.endpoint(name);
        let mut visit = Visit::begin(&rig, endpoint).unwrap_or_else(|error| panic!("{name}: {error}"));
        visit.verbs();
        visit.messages();
        visit.extensions();
        visit.last();
        visit.arrivals();
        (passed, failed) = (passed + visit.passed, failed + visit.failed);
    }
    println!("{} servers, {passed} passed, {failed} failed", SERVERS.len());
    assert!(failed == 0 && passed >= 100, "{passed} passed, {failed} failed");
}

impl<'r> Visit<'r> {
    fn begin(rig: &'r Rig, endpoint: &'r Endpoint) -> Checked<Self> {
        let client = Self::open(rig, endpoint)?;
        Ok(Self { rig, endpoint, client, sent: Vec::new(), passed: 0, failed: 0 })
    }

    fn open(rig: &Rig, endpoint: &Endpoint) -> Checked<SmtpClient> {
        let mut client: SmtpClient = opening::open(&opening::trusting(rig), endpoint).during("opening")?;
        if login::is_possible(endpoint) {
            login::log_in(rig, endpoint, &mut client, USER)?;
        }
        Ok(client)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.client.capabilities().has(keyword)
    }

    fn tell(&mut self, what: &str, result: Checked<String>) {
        let name = &self.endpoint.name;
        match result {
            Ok(note) => {
                self.passed += 1;
                println!("ok     {name}, {what}: {note}");
            }
            Err(why) => {
                self.failed += 1;
                println!("FAILED {name}, {what}: {why}");
            }
        }
        if !self.client.is_open() {
            self.client = Self::open(self.rig, self.endpoint).unwrap();
        }
    }

    /// A verb is answered, or refused with the client still usable.
    fn verb(&mut self, what: &'static str, ask: impl FnOnce(&mut SmtpClient) -> Result<mailconnect::smtp::Reply>) {
        let result = match ask(&mut self.client) {
            Ok(reply) => Ok(reply.to_string()),
            Err(Error::Rejected(refusal)) if !refusal.closing => Ok(refusal.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.tell(what, result);
    }

    fn verbs(&mut self) {
        self.verb("NOOP", |client| client.noop());
        self.verb("RSET", |client| client.rset());
        self.verb("VRFY", |client| client.vrfy("alice"));
        self.verb("VRFY with a quoted name", |client| client.vrfy("\"no body\""));
        self.verb("EXPN", |client| client.expn("postmaster"));
        self.verb("HELP", |client| client.help(""));
        self.verb("HELP about a verb", |client| client.help("MAIL"));
        self.verb("a command that nobody knows", |client| client.command("XYZZY nothing"));
        if self.offers("ETRN") {
            self.verb("ETRN", |client| client.etrn("@example.test"));
        } else {
            let refused = matches!(self.client.etrn("example.test"), Err(Error::Unsupported(_)));
            self.tell("ETRN", ensure(refused, || "sent, and not offered".into()).map(|()| "not offered".into()));
        }
    }

    fn envelope(&self) -> Envelope {
        Envelope::new(SENDER, [smtp::recipient(self.endpoint)]).unwrap()
    }

    fn message(&self, body: &[u8]) -> Message {
        Message::new(&smtp::recipient(self.endpoint), body)
    }

    /// Sends a message in some way, to be looked for later.
    fn send(
        &mut self,
        what: &'static str,
        body: &[u8],
        send: impl FnOnce(&mut SmtpClient, &Envelope, &Message) -> Result<String>,
    ) {
        let (envelope, message) = (self.envelope(), self.message(body));
        let result = send(&mut self.client, &envelope, &message).map_err(|error| error.to_string());
        if result.is_ok() {
            self.sent.push((what, message));
        }
        self.tell(what, result);
    }

    fn messages(&mut self) {
        let dots = b".\r\n..\r\n.dot\r\n\r\nend\r\n";
        self.send("DATA by itself", dots, |client, envelope, message| {
            client.mail(envelope.from())?;
            client.rcpt(&envelope.to()[0])?;
            client.data(&message.bytes).map(|reply| reply.to_string())
        });
        self.send("send", dots, |client, envelope, message| {
            client.send(envelope, &message.bytes).map(|report| report.reply.to_string())
        });
        let large = "A line of a larger message, with a dot at its end.\r\n.\r\n".repeat(8_000);
        self.send("send from a reader", large.as_bytes(), |client, envelope, message| {
            client.send(envelope, Body::reader(&message.bytes[..])).map(|report| report.reply.to_string())
        });
        self.send(
            "send, octets above 127",
            "Gr\u{fc}\u{df}e\r\n\u{1f600}\r\n".as_bytes(),
            |client, envelope, message| client.send(envelope, &message.bytes).map(|report| report.reply.to_string()),
        );
        self.partly();
        self.bulk("send_all");
        if self.offers("CHUNKING") {
            self.chunks(&large);
        }
    }

    fn chunks(&mut self, large: &str) {
        let options = SendOptions::new().chunking(true);
        self.send("BDAT, send", b".\r\n..\r\nend\r\n", |client, envelope, message| {
            client.send_with(envelope, &message.bytes, &options).map(|report| report.reply.to_string())
        });
        self.send("BDAT, send from a reader", large.as_bytes(), |client, envelope, message| {
            let body = Body::reader(&message.bytes[..]);
            client.send_with(envelope, body, &options).map(|report| report.reply.to_string())
        });
        self.send("BDAT by itself", b".\r\nin two parts\r\n", |client, envelope, message| {
            client.mail(envelope.from())?;
            client.rcpt(&envelope.to()[0])?;
            let (first, second) = message.bytes.split_at(message.bytes.len() - 10);
            client.bdat(first, false)?;
            client.bdat(second, true).map(|reply| reply.to_string())
        });
        self.bulk("BDAT, send_all");
        let nobody = Envelope::new(SENDER, ["no-such-user@example.test"]).unwrap();
        let refused = self.client.send_with(&nobody, "text\r\n", &options).is_err() && self.client.is_open();
        let usable = ensure(refused && self.client.noop().is_ok(), || "not usable after that".into());
        self.tell("BDAT for nobody", usable.map(|()| "refused, and usable after it".into()));
    }

    /// Ten messages, one of them for nobody.
    fn bulk(&mut self, what: &'static str) {
        let chunking = what.starts_with("BDAT");
        let messages: Vec<_> = (0..10).map(|n| self.message(format!(".{n}\r\n").as_bytes())).collect();
        let nobody = Envelope::new(SENDER, ["no-such-user@example.test"]).unwrap();
        let envelope = self.envelope();
        let letters = messages.iter().enumerate().map(|(n, message)| {
            let letter = Letter::with(if n == 4 { &nobody } else { &envelope }, &message.bytes);
            letter.options(SendOptions::new().chunking(chunking))
        });
        let outcomes: Vec<_> = self.client.send_all(letters).collect();
        let right = |(n, outcome): (usize, &Outcome)| match outcome {
            Outcome::Delivered(_) => n != 4,
            Outcome::Refused(_) => n == 4,
            _ => false,
        };
        let all = outcomes.len() == 10 && outcomes.iter().enumerate().all(right);
        let refused =
            outcomes.get(4).and_then(Outcome::report).map_or(String::new(), |report| report.reply.to_string());
        self.sent.extend(messages.into_iter().enumerate().filter(|(n, _)| *n != 4).map(|(_, message)| (what, message)));
        self.tell(what, ensure(all, || format!("{outcomes:?}")).map(|()| format!("9 delivered, 1 refused: {refused}")));
    }

    /// Some recipients are refused: the others get it, or nobody does.
    fn partly(&mut self) {
        let both = Envelope::new(SENDER, [smtp::recipient(self.endpoint), "no-such-user@example.test".into()]).unwrap();
        self.send("AcceptSome", b"for one of two\r\n", |client, _, message| {
            let report = client.send(&both, &message.bytes)?;
            assert_eq!((report.accepted.len(), report.refused.len()), (1, 1));
            Ok(report.refused[0].1.to_string())
        });
        let all = SendOptions::new().policy(Policy::RequireAll);
        let error = self.client.send_with(&both, "for nobody\r\n", &all).err();
        let refused = error.as_ref().is_some_and(Error::is_permanent) && self.client.is_open();
        self.tell("RequireAll", ensure(refused, || format!("{error:?}")).map(|()| error.unwrap().to_string()));
    }

    /// Sends with a parameter where it is offered, and is refused before MAIL where it is not.
    fn parameter(&mut self, extension: &'static str, what: &'static str, envelope: Envelope) {
        if self.offers(extension) {
            self.send(what, b"with a parameter\r\n", |client, _, message| {
                client.send(&envelope, &message.bytes).map(|report| report.reply.to_string())
            });
        } else {
            let result = self.client.send(&envelope, "text\r\n");
            let refused = matches!(result, Err(Error::Unsupported(_)));
            self.tell(
                what,
                ensure(refused, || format!("{result:?}")).map(|()| "not offered, an error before MAIL".into()),
            );
        }
    }

    fn extensions(&mut self) {
        let to = self.envelope();
        let never = RcptParameter::notify([]);
        let original = RcptParameter::original_recipient("list@example.test").unwrap();
        let id = MailParameter::envelope_id("rig 1+1=2").unwrap();
        let headers = to.clone().with(MailParameter::ret(Ret::Headers)).with(id).with_each(never).with_each(original);
        self.parameter("DSN", "DSN: RET=HDRS ENVID NOTIFY=NEVER ORCPT", headers);
        let failure = RcptParameter::notify([Notify::Failure, Notify::Delay]);
        self.parameter("DSN", "DSN: RET=FULL NOTIFY=FAILURE,DELAY", {
            to.clone().with(MailParameter::ret(Ret::Full)).with_each(failure)
        });
        let by = MailParameter::deliver_by(86_400, DeliverBy::Notify, false).unwrap();
        self.parameter("DELIVERBY", "DELIVERBY", to.clone().with(by));
        self.parameter("8BITMIME", "BODY=8BITMIME", to.clone().with(MailParameter::body(BodyType::EightBitMime)));
        self.auth_parameter(to.clone().with(MailParameter::auth(None).unwrap()));
        let foreign = Envelope::new("b\u{fc}cher@example.test", to.to()).unwrap();
        self.parameter("SMTPUTF8", "SMTPUTF8", foreign);
        self.parameter("REQUIRETLS", "REQUIRETLS", to.clone().with(MailParameter::require_tls()));
        self.parameter("MT-PRIORITY", "MT-PRIORITY", to.clone().with(MailParameter::priority(1).unwrap()));
        self.parameter("FUTURERELEASE", "FUTURERELEASE", to.clone().with(MailParameter::hold_for(60).unwrap()));
        self.parameter("BINARYMIME", "BINARYMIME", to.clone().with(MailParameter::body(BodyType::BinaryMime)));
        let optional = MailParameter::require_tls().optional();
        self.send("an optional parameter", b"without it\r\n", |client, _, message| {
            client.send(&to.with(optional), &message.bytes).map(|report| report.reply.to_string())
        });
        self.size();
    }

    /// aiosmtpd offers AUTH and does not know its parameter: a refusal that leaves the client usable.
    fn auth_parameter(&mut self, envelope: Envelope) {
        if self.endpoint.name.starts_with("aiosmtpd") {
            let error = self.client.send(&envelope, "text\r\n").unwrap_err();
            let refused = error.rejection().is_some_and(|refusal| &*refusal.status == "555") && self.client.is_open();
            return self.tell("AUTH=<>", ensure(refused, || error.to_string()).map(|()| error.to_string()));
        }
        self.parameter("AUTH", "AUTH=<>", envelope);
    }

    fn size(&mut self) {
        let Some(max) = self.client.capabilities().size() else {
            return self.tell("SIZE", Ok("no limit told".into()));
        };
        let body = Body::reader(std::io::empty()).size(max + 1);
        let result = self.client.send(&self.envelope(), body);
        let refused = matches!(result, Err(Error::InvalidArgument(_)));
        let told = format!("more than {max} octets: an error before MAIL");
        self.tell("SIZE", ensure(refused, || format!("{result:?}")).map(|()| told));
    }

    fn last(&mut self) {
        let (envelope, message) = (self.envelope(), self.message(b"the last one\r\n"));
        let client = Self::open(self.rig, self.endpoint).unwrap();
        let report = client.send_and_quit(&envelope, &message.bytes, &SendOptions::new());
        let result = report.map(|report| report.reply.to_string()).map_err(|error| error.to_string());
        self.sent.push(("send_and_quit", message));
        self.tell("send_and_quit", result);
    }

    /// All of it arrives, byte for byte.
    fn arrivals(&mut self) {
        let Some(store) = self.endpoint.store.as_deref() else {
            return self.tell("arrivals", Ok("nothing is kept to look at".into()));
        };
        let reader = self.rig.reader(store, Proto::Imap).unwrap();
        let sent = std::mem::take(&mut self.sent);
        for (what, message) in &sent {
            let found = mailboxes::arrived_at(self.rig, reader, message);
            let note = format!("{} octets, the same", message.bytes.len());
            self.tell(&format!("arrival of {what}"), found.map(|()| note));
        }
        let messages: Vec<_> = sent.into_iter().map(|(_, message)| message).collect();
        let taken = mailboxes::take_all(self.rig, store, &messages);
        self.tell("clearing up", taken.map(|taken| format!("{taken} messages deleted")));
    }
}
