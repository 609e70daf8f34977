//! Every mechanism that an endpoint's fields promise, right and wrong: one case and one line for each mechanism, on each
//! kind of link. Also what `login` chooses of itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::sasl::{
    Apop, BindingPolicy, ChannelBinding, CramMd5, External, Login, Mechanism, OAuthBearer, Plain, Scram, XOAuth2,
};
use mailconnect::smtp::Smtp;
use mailconnect::wire::TranscriptEvent;
use mailconnect::{Client, Connector, Error, Protocol, Security};

use crate::login::{USER, WRONG_PASSWORD};
use crate::mailboxes;
use crate::model::{Endpoint, Mode, Proto, Rig, Verify};
use crate::opening::lenient;
use crate::report::{Checked, During, ensure, refused, whole};

/// Cases at a time. They mostly wait, since servers let those wait who were wrong.
const THREADS: usize = 32;

/// What `login` takes of itself, the best first; the last one only since the rig is on this machine.
const ORDER: [&str; 6] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5"];

/// What servers of the rig know and this crate does not: one is historic (RFC 6331), the others are Courier's own.
const NOT_HERE: [&str; 3] = ["DIGEST-MD5", "CRAM-SHA1", "CRAM-SHA256"];

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    /// The right password or a valid token.
    Right,
    /// A wrong password or an expired token.
    Wrong,
    /// `-PLUS`, which these servers offer, and refuse with any binding that can be made.
    Bound,
    /// The client's own choice.
    Choice,
}

/// One line of the report.
#[derive(Debug, Clone)]
pub(crate) struct Case<'r> {
    endpoint: &'r Endpoint,
    /// Before STARTTLS, or where there is no TLS.
    in_clear: bool,
    mechanism: String,
    tried: Try,
}

/// How the cases ended.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Mechanisms that are not of this crate.
    pub(crate) not_here: usize,
}

/// All cases of the rig.
pub(crate) fn cases(rig: &Rig) -> Vec<Case<'_>> {
    let usable = |endpoint: &&Endpoint| {
        let fails = endpoint.fails.is_some() || endpoint.verify == Some(Verify::HandshakeFails);
        !fails && endpoint.proto != Proto::Lmtp && endpoint.users.iter().any(|user| user == USER)
    };
    rig.endpoints.iter().filter(usable).flat_map(of).collect()
}

fn of(endpoint: &Endpoint) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    let links: &[bool] = match endpoint.mode {
        Mode::Implicit => &[false],
        // A certificate is wanted there, and nobody can show one in clear.
        Mode::StartTls if endpoint.client_cert => &[false],
        Mode::StartTls => &[false, true],
        Mode::Plain => &[true],
    };
    for &in_clear in links {
        // `auth` is for a link without TLS where there is none at all.
        let before = in_clear && endpoint.mode == Mode::StartTls;
        let mechanisms = if before { &endpoint.auth_plain } else { &endpoint.auth };
        let mut add = |mechanism: &str, tried| {
            cases.push(Case { endpoint, in_clear, mechanism: mechanism.to_owned(), tried });
        };
        for mechanism in mechanisms {
            if mechanism.ends_with("-PLUS") {
                if !in_clear {
                    add(mechanism, Try::Bound);
                }
            } else {
                add(mechanism, Try::Right);
                add(mechanism, Try::Wrong);
            }
        }
        if !mechanisms.is_empty() {
            add("login", Try::Choice);
        }
    }
    cases
}

/// Runs all cases and prints a line for each.
pub(crate) fn run(rig: &Rig, cases: &[Case<'_>]) -> Count {
    let queue: Mutex<VecDeque<&Case<'_>>> = Mutex::new(cases.iter().collect());
    let count = Mutex::new(Count::default());
    let next = || queue.lock().unwrap().pop_front();
    let work = || {
        while let Some(case) = next() {
            let result = case.run(rig);
            let mut count = count.lock().unwrap();
            let Case { endpoint, in_clear, mechanism, tried } = case;
            let link = if *in_clear { "in clear" } else { "TLS" };
            let case = format!("{} ({}, {link}): {mechanism}, {tried:?}", endpoint.name, endpoint.proto);
            match result {
                Ok(None) => {
                    count.not_here += 1;
                    println!("--     {case}: not of this crate");
                }
                Ok(Some(note)) => {
                    count.passed += 1;
                    println!("ok     {case}: {note}");
                }
                Err(why) => {
                    count.failed += 1;
                    println!("FAILED {case}: {why}");
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    count.into_inner().unwrap()
}

impl Case<'_> {
    /// What was seen; none if the mechanism is not of this crate.
    fn run(&self, rig: &Rig) -> Checked<Option<String>> {
        if NOT_HERE.contains(&self.mechanism.as_str()) {
            return Ok(None);
        }
        match self.endpoint.proto {
            Proto::Smtp => self.by::<Smtp>(rig),
            Proto::Imap => self.by::<Imap>(rig),
            Proto::Pop3 => self.by::<Pop3>(rig),
            Proto::Lmtp => Err("LMTP has no log-in".into()),
        }
        .map(Some)
    }

    fn by<P: Forced>(&self, rig: &Rig) -> Checked<String> {
        // Only who is let in locks a mailbox.
        let locks = self.endpoint.proto == Proto::Pop3 && matches!(self.tried, Try::Right | Try::Choice);
        let _guard = locks.then(|| mailboxes::alone(self.endpoint));
        match self.tried {
            Try::Right => self.right::<P>(rig),
            Try::Wrong => self.wrong::<P>(rig),
            Try::Bound => self.bound::<P>(rig),
            Try::Choice => self.choice::<P>(rig),
        }
    }

    fn open<P: Forced>(&self, connector: &Connector) -> Checked<Client<P>> {
        let security = match self.endpoint.mode {
            Mode::Implicit => Security::Tls,
            Mode::StartTls if !self.in_clear => Security::StartTls,
            Mode::StartTls | Mode::Plain => Security::Plain,
        };
        connector.open(P::forced(), self.endpoint.address(), security).during("opening")
    }

    fn connector(&self, rig: &Rig) -> Connector {
        let mut connector = lenient(rig);
        if self.endpoint.client_cert {
            let [certificate, key] = &rig.client;
            connector = connector.client_identity_pem(certificate, key).expect("the rig's client certificate");
        }
        if self.mechanism == "USER" { connector.mechanisms(["USER"]) } else { connector }
    }

    fn right<P: Forced>(&self, rig: &Rig) -> Checked<String> {
        let (_, password) = rig.credentials(self.endpoint, USER);
        for attempt in 0.. {
            let mut client: Client<P> = self.open(&self.connector(rig))?;
            match self.log_in(rig, &mut client, password, &rig.token) {
                Ok(()) => {
                    ensure(client.is_authenticated(), || "logged in, and the client does not know".into())?;
                    // Whatever QUIT answers, the log-in is what counts here.
                    let _ = client.quit();
                    return Ok("logged in".into());
                }
                // Some POP3 servers let go of a mailbox only after they have answered QUIT.
                Err(error) if attempt < 50 && error.is_transient() => std::thread::sleep(Duration::from_millis(100)),
                Err(error) => return Err(whole(&error)),
            }
        }
        Err("never".into())
    }

    fn wrong<P: Forced>(&self, rig: &Rig) -> Checked<String> {
        let mut attempt = 0;
        let (client, result) = loop {
            let mut client: Client<P> = self.open(&self.connector(rig))?;
            let result = self.log_in(rig, &mut client, WRONG_PASSWORD, &rig.expired_token);
            attempt += 1;
            // A server that is busy has not looked at the password.
            if attempt == 50 || !result.as_ref().is_err_and(Error::is_transient) {
                break (client, result);
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let hashed = matches!(self.mechanism.as_str(), "CRAM-MD5" | "APOP");
        if hashed && self.endpoint.name.starts_with("nginx.") && result.is_ok() {
            return Ok("taken for right, as this server cannot tell".into());
        }
        if self.mechanism == "EXTERNAL" && self.endpoint.name.starts_with("exim.") && result.is_ok() {
            return Ok("taken for right, as this server looks at the certificate alone".into());
        }
        let error = refused("a wrong log-in", result)?;
        let Error::Rejected(rejection) = &error else { return Err(format!("not Rejected, but {}", whole(&error))) };
        let shown = format!("{error:?} {error}");
        ensure(!shown.contains(WRONG_PASSWORD) && !shown.contains(&rig.expired_token), || format!("shown: {shown}"))?;
        ensure(error.is_permanent(), || format!("not for good: {shown}"))?;
        ensure(!client.is_authenticated(), || "refused, and the client thinks otherwise".into())?;
        ensure(client.is_open() != rejection.closing, || format!("open: {}, after {rejection}", client.is_open()))?;
        if self.mechanism.starts_with("SCRAM") {
            ensure(shown.contains("may hold no SCRAM secret"), || format!("no hint: {shown}"))?;
        }
        if matches!(self.mechanism.as_str(), "XOAUTH2" | "OAUTHBEARER") {
            let json =
                rejection.detail.as_deref().and_then(|detail| serde_json::from_str::<serde_json::Value>(detail).ok());
            ensure(json.is_some_and(|json| json.is_object()), || format!("no JSON: {shown}"))?;
        }
        Ok(rejection.to_string())
    }

    fn log_in<P: Protocol>(
        &self,
        rig: &Rig,
        client: &mut Client<P>,
        password: &str,
        token: &str,
    ) -> mailconnect::Result<()> {
        let (user, _) = rig.credentials(self.endpoint, USER);
        let token = token.to_owned();
        let mut mechanism: Box<dyn Mechanism> = match self.mechanism.as_str() {
            "PLAIN" => Box::new(Plain::new(&user, password)?),
            "LOGIN" => Box::new(Login::new(&user, password)?),
            "CRAM-MD5" => Box::new(CramMd5::new(&user, password)?),
            "SCRAM-SHA-1" => Box::new(Scram::sha1(&user, password)?),
            "SCRAM-SHA-256" => Box::new(Scram::sha256(&user, password)?),
            "SCRAM-SHA-512" => Box::new(Scram::sha512(&user, password)?),
            "OAUTHBEARER" => Box::new(OAuthBearer::with_source(&user, move || Ok(token.clone()))?),
            "XOAUTH2" => Box::new(XOAuth2::new(&user, &token)?),
            "EXTERNAL" if password == WRONG_PASSWORD => Box::new(External::with_identity("nobody")?),
            "EXTERNAL" => Box::new(External::new()),
            "APOP" => Box::new(Apop::new(&user, password)?),
            // The connector has narrowed it to that.
            "USER" => return client.login(&user, password),
            other => return Err(Error::unsupported(format!("{other} is no mechanism that this suite knows"))),
        };
        client.authenticate(&mut *mechanism)
    }

    /// The server offers it, refuses every binding, and the error says what that may mean.
    fn bound<P: Forced>(&self, rig: &Rig) -> Checked<String> {
        let mut connector = self.connector(rig).channel_binding(BindingPolicy::Required);
        connector = connector.mechanisms([self.mechanism.trim_end_matches("-PLUS")]);
        let mut client: Client<P> = self.open(&connector)?;
        let (user, password) = rig.credentials(self.endpoint, USER);
        let error = refused("a bound log-in", client.login(&user, password))?;
        is_refusal(&error, "the strongest")?;
        let mut refused_by = Vec::new();
        for kind in ChannelBinding::ALL.iter().copied() {
            let scram = match self.mechanism.as_str() {
                "SCRAM-SHA-1-PLUS" => Scram::sha1(&user, password),
                "SCRAM-SHA-256-PLUS" => Scram::sha256(&user, password),
                other => return Err(format!("{other} is no mechanism that this suite knows")),
            };
            let mut scram = scram.during("scram")?.bound_by(kind);
            let mut client: Client<P> = self.open(&connector)?;
            let has_it = client.tls().is_some_and(|tls| tls.channel_binding(kind).is_some());
            let error = refused(kind.name(), client.authenticate(&mut scram))?;
            ensure(!client.is_authenticated(), || "refused, and the client thinks otherwise".into())?;
            if has_it {
                is_refusal(&error, kind.name())?;
                refused_by.push(kind.name());
            } else {
                ensure(matches!(error, Error::Unsupported(_)), || whole(&error))?;
            }
        }
        Ok(format!("{refused_by:?} refused; {error}"))
    }

    /// `login` takes the strongest mechanism that is offered, and it is taken.
    fn choice<P: Forced>(&self, rig: &Rig) -> Checked<String> {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&sent);
        let connector = self.connector(rig).transcript(move |event| {
            if let TranscriptEvent::Sent(line) = event {
                heard.lock().unwrap().push((*line).to_owned());
            }
        });
        let mut client: Client<P> = self.open(&connector)?;
        // Not what the rig says: some servers take more than they tell.
        let offered = client.exchange(|protocol, wire| protocol.mechanisms(wire)).during("mechanisms")?;
        let best = ORDER.into_iter().find(|name| offered.iter().any(|offered| offered == name));
        crate::login::log_in(rig, self.endpoint, &mut client, USER)?;
        let _ = client.quit();
        let sent = sent.lock().unwrap();
        let mut words = sent.iter().filter_map(|line| {
            let rest = line.split_once("AUTH ").or_else(|| line.split_once("AUTHENTICATE "))?.1;
            rest.split(' ').next()
        });
        let used = words.next();
        ensure(used == best, || format!("{used:?} was used, of {offered:?}"))?;
        Ok(format!("by {}", used.unwrap_or("the protocol's own command")))
    }
}

fn is_refusal(error: &Error, binding: &str) -> Checked {
    let Error::Rejected(rejection) = error else {
        return Err(format!("{binding}: not Rejected, but {}", whole(error)));
    };
    let text = rejection.to_string();
    let hints = ["does not tell which channel bindings it takes", "may hold no SCRAM secret", "Connector::mechanisms"];
    ensure(hints.iter().all(|hint| text.contains(hint)), || format!("{binding}: no hint: {text}"))
}

/// A protocol that takes what it would not of itself.
trait Forced: Protocol + Default {
    fn forced() -> Self {
        Self::default()
    }
}

impl Forced for Smtp {}

impl Forced for Imap {}

impl Forced for Pop3 {
    /// The stamp came in clear.
    fn forced() -> Self {
        Self::new().danger_apop_after_stls(true)
    }
}
