//! Servers that are wrong in every step: a typed error, the exchange cancelled, the client usable; and arguments that are
//! refused before a byte is sent.

use mailconnect::errors::SaslCause;
use mailconnect::sasl::{Anonymous, Apop, CramMd5, External, Login, Mechanism, OAuthBearer, Plain, Scram, XOAuth2};
use mailconnect::{Connector, Error, Limits};

use crate::for_each;
use crate::peer::{Dialect, Say, client, exchange};
use crate::scram_server::{PASSWORD, Server, USER};

for_each! {
    a_wrong_message_of_scram_is_cancelled: scram;
    garbage_is_cancelled_whatever_the_mechanism: garbage;
    a_challenge_may_be_as_long_as_the_limit: longest;
    success_before_the_end_closes: early_success;
    what_the_server_says_of_scram_is_in_the_error: scram_error;
    oauth_answers_the_error_and_shows_it: oauth;
    a_token_is_asked_for_at_each_log_in: token_source;
    rule_9_nothing_bad_goes_out: arguments;
}

fn mechanisms() -> Vec<Box<dyn Mechanism>> {
    vec![
        Box::new(Plain::new("user", "password").unwrap()),
        Box::new(Login::new("user", "password").unwrap()),
        Box::new(CramMd5::new("user", "password").unwrap()),
        Box::new(Scram::sha1("user", "password").unwrap()),
        Box::new(Scram::sha256("user", "password").unwrap()),
        Box::new(Scram::sha512("user", "password").unwrap()),
        Box::new(XOAuth2::new("user", "token").unwrap()),
        Box::new(OAuthBearer::new("user", "token").unwrap()),
        Box::new(External::new()),
        Box::new(External::with_identity("user").unwrap()),
        Box::new(Anonymous::new("trace").unwrap()),
    ]
}

/// The cause, after which the client goes on.
#[track_caller]
fn cancelled<P: Dialect>(mechanism: &mut dyn Mechanism, part: crate::peer::Part) -> SaslCause {
    let (result, mut client, seen) = exchange::<P>(mechanism, part);
    let Err(Error::Sasl(error)) = result else { panic!("{result:?}") };
    assert!(seen.cancelled && !error.closed && client.is_open() && !client.is_authenticated());
    assert_eq!((&*error.mechanism, &*error.peer), (mechanism.name(), "mail.example.com:25"));
    P::noop(&mut client).unwrap();
    error.cause
}

fn scram<P: Dialect>() {
    let first = |change: fn(&str) -> String| {
        let part = Server::default().part(move |n, text| if n == 0 { change(&text) } else { text });
        cancelled::<P>(&mut Scram::sha256(USER, PASSWORD).unwrap(), part)
    };
    assert_eq!(first(|text| text.replacen("r=", "r=x", 1)), SaslCause::Nonce);
    assert_eq!(first(|text| text.replace("~server", "")), SaslCause::Nonce);
    assert_eq!(first(|text| format!("r=,{}", text.split_once(',').unwrap().1)), SaslCause::Nonce);
    for (count, expected) in
        [("1", 1), ("0", 0), ("4095", 4095), ("1000001", 1_000_001), ("4294967295", u32::MAX.into())]
    {
        let part = Server::default().part(move |_, text| text.replace("4096", count));
        let cause = cancelled::<P>(&mut Scram::sha256(USER, PASSWORD).unwrap(), part);
        assert_eq!(cause, SaslCause::Iterations { count: expected, min: 4096, max: 1_000_000 });
    }
    for change in [
        |_: &str| String::new(),
        |text: &str| format!("m=mandatory,{text}"),
        |text: &str| text.replace(",i=4096", ""),
        |text: &str| text.replace("i=4096", "i=4096x"),
        |text: &str| text.replace("s=", "s=%"),
        |text: &str| text.replace("s=", "t="),
        |text: &str| text.chars().rev().collect(),
    ] {
        assert!(matches!(first(change), SaslCause::Malformed(_)));
    }
    let last = |change: fn(&str) -> String| {
        let part = Server::default().part(move |n, text| if n == 1 { change(&text) } else { text });
        cancelled::<P>(&mut Scram::sha256(USER, PASSWORD).unwrap(), part)
    };
    let zeros = |_: &str| format!("v={}=", "A".repeat(43));
    assert_eq!(last(zeros), SaslCause::Signature);
    assert_eq!(last(|_| "v=AAAA".to_owned()), SaslCause::Signature);
    assert_eq!(last(|_| "v=".to_owned()), SaslCause::Signature);
    for change in [|_: &str| String::new(), |_: &str| "v=%".to_owned(), |text: &str| text.replace("v=", "w=")] {
        assert!(matches!(last(change), SaslCause::Malformed(_)));
    }
}

fn garbage<P: Dialect>() {
    for n in 0..mechanisms().len() {
        let mechanism = || mechanisms().remove(n);
        // A mechanism that begins is asked for its message first, and then gets the challenge.
        let challenged = |raw: &str| {
            let raw = raw.to_owned();
            cancelled::<P>(&mut *mechanism(), Box::new(move |_| Say::Raw(raw.clone())))
        };
        for raw in ["%%%", "YQ", "YQ=", "Y Q=="] {
            assert_eq!(challenged(raw), SaslCause::NotBase64, "{raw}");
        }
        let max = Limits::default().sasl_challenge;
        for blocks in [max / 3 + 1, max - 2] {
            assert_eq!(challenged(&"AAAA".repeat(blocks)), SaslCause::TooLong { max });
        }
        // Whatever it is, an endless exchange is none: each mechanism has its last message.
        let (result, _, seen) = exchange::<P>(&mut *mechanism(), Box::new(|_| Say::Challenge(b"\xff\x00".to_vec())));
        let error = result.unwrap_err();
        let typed = matches!(&error, Error::Sasl(error)
            if matches!(error.cause, SaslCause::Unexpected | SaslCause::Malformed(_)));
        assert!(typed && seen.cancelled, "{error:?}");
        assert!(!error.to_string().contains('\u{fffd}'), "{error}");
    }
}

/// The longest challenge that RFC 4954 allows is one.
fn longest<P: Dialect>() {
    let max = Limits::default().sasl_challenge;
    let mut said = false;
    let part = move |_: Option<&[u8]>| match std::mem::replace(&mut said, true) {
        false => Say::Challenge(vec![b'x'; max]),
        true => Say::Success,
    };
    exchange::<P>(&mut CramMd5::new("user", "password").unwrap(), Box::new(part)).0.unwrap();
}

/// Nobody is let in who has not proven himself, and nothing of such a server is trusted.
fn early_success<P: Dialect>() {
    let closed = |mechanism: &mut dyn Mechanism, part: crate::peer::Part| {
        let (result, client, _) = exchange::<P>(mechanism, part);
        assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
        assert!(!client.is_open() && !client.is_authenticated());
    };
    let scram = || Scram::sha256(USER, PASSWORD).unwrap();
    closed(&mut scram(), Box::new(|_| Say::Success));
    let mut honest = Server::default().part(|_, text| text);
    let mut messages = 0;
    let cut = move |message: Option<&[u8]>| {
        messages += 1;
        if messages == 2 { Say::Success } else { honest(message) }
    };
    closed(&mut scram(), Box::new(cut));
    closed(&mut Login::new("u", "p").unwrap(), Box::new(|_| Say::Success));
    closed(&mut CramMd5::new("u", "p").unwrap(), Box::new(|_| Say::Success));
    // What a server says is wrong cannot be right after all.
    let mut said = false;
    let told = move |_: Option<&[u8]>| match std::mem::replace(&mut said, true) {
        false => Say::Challenge(b"{\"status\":\"401\"}".to_vec()),
        true => Say::Success,
    };
    closed(&mut XOAuth2::new("u", "t").unwrap(), Box::new(told));
    closed(&mut OAuthBearer::new("u", "t").unwrap(), Box::new(told));
}

fn scram_error<P: Dialect>() {
    for at in [0, 1] {
        let mut part =
            Server::default().part(move |n, text| if n == at { "e=other-error \u{1b}[31m".into() } else { text });
        let part =
            Box::new(move |message: Option<&[u8]>| if message == Some(b"") { Say::Refusal } else { part(message) });
        let (result, client, _) = exchange::<P>(&mut Scram::sha256(USER, PASSWORD).unwrap(), part);
        let error = result.unwrap_err();
        assert_eq!(error.rejection().unwrap().detail.as_deref(), Some("e=other-error \u{1b}[31m"));
        assert!(error.to_string().contains("e=other-error \\u{1b}[31m"), "{error}");
        assert!(client.is_open());
    }
}

fn oauth<P: Dialect>() {
    let json = format!(r#"{{"status":"401","token":"s3cr3t-t0k3n","pad":"{}"}}"#, "x".repeat(2_000));
    type Maker = fn() -> Box<dyn Mechanism>;
    let makers: [(&str, Maker); 2] = [
        ("", || Box::new(XOAuth2::new("user", "s3cr3t-t0k3n").unwrap())),
        ("\x01", || Box::new(OAuthBearer::with_source("user", || Ok("s3cr3t-t0k3n".to_owned())).unwrap())),
    ];
    for (answer, make) in makers {
        let told = json.clone();
        let mut asked = 0;
        let part = move |message: Option<&[u8]>| {
            asked += 1;
            match asked {
                1 => Say::Challenge(told.clone().into_bytes()),
                _ => {
                    assert_eq!(message, Some(answer.as_bytes()));
                    Say::Refusal
                }
            }
        };
        let (result, mut client, seen) = exchange::<P>(&mut *make(), Box::new(part));
        let error = result.unwrap_err();
        let detail = error.rejection().unwrap().detail.as_deref().unwrap();
        assert!(detail.starts_with(r#"{"status":"401","token":"[redacted]","pad":"xxx"#) && detail.len() == 512);
        assert!(!format!("{error} {error:?} {client:?}").contains("s3cr3t") && !seen.cancelled);
        assert!(client.is_open() && !client.is_authenticated());
        P::noop(&mut client).unwrap();
    }
}

fn token_source<P: Dialect>() {
    let mut tokens = ["first", "second"].into_iter();
    let source = move || tokens.next().map(str::to_owned).ok_or_else(|| std::io::Error::other("no more"));
    let mut oauth = XOAuth2::with_source("user", source).unwrap();
    for token in ["first", "second"] {
        let part = move |message: Option<&[u8]>| {
            assert_eq!(message, Some(format!("user=user\x01auth=Bearer {token}\x01\x01").as_bytes()));
            Say::Success
        };
        let (result, client, _) = exchange::<P>(&mut oauth, Box::new(part));
        result.unwrap();
        assert!(client.is_authenticated());
    }
    let (result, client, seen) = exchange::<P>(&mut oauth, Box::new(|_| unreachable!("nothing was sent")));
    assert!(matches!(result, Err(Error::Caller { .. })) && client.is_open() && seen.attempts.is_empty());
}

fn arguments<P: Dialect>() {
    for bad in ["a\rb", "a\nb", "a\0b", "a\r\nNOOP\r\nb"] {
        let (mut client, seen, handle) = client::<P>(Connector::new(), &["PLAIN"], Box::new(|_| Say::Success), None);
        let before = handle.sent();
        for (user, password) in [(bad, "password"), ("user", bad)] {
            assert!(matches!(client.login(user, password), Err(Error::InvalidArgument(_))));
            assert!(Plain::new(user, password).is_err() && Login::new(user, password).is_err());
            assert!(CramMd5::new(user, password).is_err() && Apop::new(user, password).is_err());
            assert!(Scram::sha1(user, password).is_err() && Scram::sha256(user, password).is_err());
            assert!(Scram::sha512(user, password).is_err());
            assert!(XOAuth2::new(user, password).is_err() && OAuthBearer::new(user, password).is_err());
        }
        assert!(Plain::with_identity(bad, "u", "p").is_err() && External::with_identity(bad).is_err());
        assert!(Anonymous::new(bad).is_err());
        // A token that comes later, and a mechanism of somebody else's whose name is a command.
        let mut late = OAuthBearer::with_source("u", move || Ok(bad.to_owned())).unwrap();
        assert!(matches!(client.authenticate(&mut late), Err(Error::InvalidArgument(_))));
        assert!(matches!(client.authenticate(&mut Named(bad)), Err(Error::InvalidArgument(_))));
        let sent = handle.sent().split_off(before.len());
        let sent = String::from_utf8(sent).unwrap();
        // Nothing but the question what is offered.
        assert!(sent.lines().all(|line| line.ends_with("CAPABILITY") || line == "CAPA"), "{sent}");
        assert!(client.is_open() && seen.lock().unwrap().attempts.is_empty());
    }
    let (mut client, ..) = client::<P>(Connector::new(), &[], Box::new(|_| Say::Success), None);
    for name in ["", "X Y", "X*", "ABCDEFGHIJKLMNOPQRSTU"] {
        assert!(matches!(client.authenticate(&mut Named(name)), Err(Error::InvalidArgument(_))), "{name}");
    }
}

/// A mechanism with this name.
struct Named(&'static str);

impl Mechanism for Named {
    fn name(&self) -> &str {
        self.0
    }

    fn start(&mut self, _: &mailconnect::sasl::Context<'_>) -> mailconnect::Result<Option<mailconnect::sasl::Secret>> {
        Ok(None)
    }

    fn step(&mut self, _: &[u8]) -> mailconnect::Result<mailconnect::sasl::Secret> {
        Ok("".into())
    }

    fn is_finished(&self) -> bool {
        true
    }
}
