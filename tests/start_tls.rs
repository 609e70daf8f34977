//! One suite for the upgrade, run for every protocol: it succeeds, or it fails and the connection is closed, and no
//! credentials go out before TLS. TLS is a stand-in that only wraps, so that nothing here depends on a back end.

use mailconnect::errors::StartTlsCause;
use mailconnect::imap::Imap;
use mailconnect::pop3::Pop3;
use mailconnect::smtp::Smtp;
use mailconnect::testing::{Chunking, Script, ScriptHandle, StandInTls};
use mailconnect::{Client, Connector, Error, Protocol, Result, Security};

/// What differs between the protocols.
trait Subject: Protocol {
    fn new() -> Self;
    /// From the greeting to the command, exclusive.
    const BEFORE: &'static str;
    const COMMAND: &'static str;
    const GO_AHEAD: &'static str;
    /// What is asked after the handshake.
    const AFTER: &'static str;
    /// Replies to the command that refuse.
    const REFUSALS: &'static [&'static str];
    /// Replies to the command that are neither.
    const ODD: &'static [&'static str];
    /// Greetings that do not welcome.
    const BAD_GREETINGS: &'static [&'static str];
    /// An exchange over TLS that logs in, and one that logs out.
    const LOGIN: &'static str;
    const QUIT: &'static str;
}

impl Subject for Smtp {
    fn new() -> Self {
        Self::new().hello_name("client.example").unwrap()
    }

    const BEFORE: &'static str =
        "S: 220 hi\nC: EHLO client.example\nS: 250-hi\nS: 250-AUTH PLAIN LOGIN\nS: 250 STARTTLS\n";
    const COMMAND: &'static str = "C: STARTTLS\n";
    const GO_AHEAD: &'static str = "220 go";
    const AFTER: &'static str = "C: EHLO client.example\nS: 250-hi\nS: 250 AUTH PLAIN\n";
    const REFUSALS: &'static [&'static str] = &["454 not now", "502 what?", "554 no", "421 bye"];
    const ODD: &'static [&'static str] =
        &["250 ok", "354 send it", "221 bye", "999 x", "A1 OK", "", "220-go\nS: 221 on"];
    const BAD_GREETINGS: &'static [&'static str] =
        &["554 no", "421 busy", "250 ok", "221 bye", "354 go", "+OK", "* OK"];
    const LOGIN: &'static str = "C: AUTH PLAIN AHVzZXIAc2VjcmV0LXdvcmQ=\nS: 235 ok\n";
    const QUIT: &'static str = "C: QUIT\nS: 221 bye\n";
}

impl Subject for Imap {
    fn new() -> Self {
        Self::new()
    }

    const BEFORE: &'static str = "S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN STARTTLS] hi\n";
    const COMMAND: &'static str = "C: A1 STARTTLS\n";
    const GO_AHEAD: &'static str = "A1 OK go";
    const AFTER: &'static str = "";
    const REFUSALS: &'static [&'static str] = &["A1 NO not now", "A1 BAD what?", "* BYE so long"];
    const ODD: &'static [&'static str] = &["+ go on", "A2 OK go", "a OK go", "A1 MAYBE", "220 go", ""];
    const BAD_GREETINGS: &'static [&'static str] = &[
        "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi",
        "* BYE no",
        "* NO no",
        "* BAD no",
        "A1 OK hi",
        "+OK hi",
        "220 hi",
    ];
    const LOGIN: &'static str = "C: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\nS: A2 OK\n\
        C: A3 AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0LXdvcmQ=\nS: A3 OK\n";
    const QUIT: &'static str = "C: A4 LOGOUT\nS: * BYE\nS: A4 OK\n";
}

impl Subject for Pop3 {
    fn new() -> Self {
        Self::new()
    }

    const BEFORE: &'static str = "S: +OK hi <1.2@example>\n";
    const COMMAND: &'static str = "C: STLS\n";
    const GO_AHEAD: &'static str = "+OK go";
    const AFTER: &'static str = "";
    const REFUSALS: &'static [&'static str] = &["-ERR no", "-ERR [SYS/TEMP] not now", "-ERR"];
    const ODD: &'static [&'static str] = &["+ go on", "OK go", "220 go", "* OK go", "+OKAY"];
    const BAD_GREETINGS: &'static [&'static str] = &["-ERR no", "+ hi", "220 hi", "* OK hi"];
    const LOGIN: &'static str = "C: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\n\
        C: AUTH PLAIN AHVzZXIAc2VjcmV0LXdvcmQ=\nS: +OK\n";
    const QUIT: &'static str = "C: QUIT\nS: +OK bye\n";
}

fn open<P: Subject>(script: &str, chunking: Chunking, security: Security) -> (Result<Client<P>>, ScriptHandle) {
    let (transport, handle) = Script::parse(script).unwrap().chunking(chunking).play();
    let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new());
    (connector.over(P::new(), transport, "mail.example.com", security), handle)
}

const CHUNKINGS: [Chunking; 3] = [Chunking::Whole, Chunking::Lines, Chunking::Bytes];

/// Plays a script in which the upgrade must fail, by both verbs, and returns the errors.
fn fails<P: Subject>(script: &str) -> Vec<Error> {
    let mut errors = Vec::new();
    for chunking in CHUNKINGS {
        let (result, handle) = open::<P>(script, chunking, Security::StartTls);
        errors.push(result.expect_err(script));
        no_credentials(&handle);
        let (result, handle) = open::<P>(script, chunking, Security::Plain);
        let Ok(mut client) = result else { continue };
        errors.push(client.start_tls().expect_err(script));
        assert!(!client.is_open() && !client.is_secure(), "{script}");
        assert!(matches!(client.start_tls(), Err(Error::Closed)));
        assert!(matches!(client.login("user", "secret-word"), Err(Error::Closed)));
        no_credentials(&handle);
    }
    for error in &errors {
        assert!(error.is_fatal(), "{error:?}");
    }
    errors
}

fn no_credentials(handle: &ScriptHandle) {
    let sent = String::from_utf8(handle.sent()).unwrap();
    assert!(!sent.contains("secret-word") && !sent.contains("c2VjcmV0") && !sent.contains("AUTH"), "{sent}");
}

fn cause(error: &Error) -> &StartTlsCause {
    match error {
        Error::StartTls(error) => &error.cause,
        other => panic!("{other:?}"),
    }
}

fn upgraded<P: Subject>(after: &str) -> String {
    format!("{}{}S: {}\nTLS\n{}{after}", P::BEFORE, P::COMMAND, P::GO_AHEAD, P::AFTER)
}

fn rule_1_it_succeeds<P: Subject>() {
    let script = upgraded::<P>(&[P::LOGIN, P::QUIT].concat());
    for chunking in CHUNKINGS {
        let (result, handle) = open::<P>(&script, chunking, Security::StartTls);
        let mut client = result.unwrap();
        assert!(client.is_secure() && client.tls().is_some());
        assert!(matches!(client.start_tls(), Err(Error::WrongState(_))), "TLS twice");
        client.login("user", "secret-word").unwrap();
        assert!(matches!(client.start_tls(), Err(Error::WrongState(_))), "after login");
        client.quit().unwrap();
        handle.finish();
    }
}

fn rule_1_a_refusal_closes<P: Subject>() {
    for refusal in P::REFUSALS {
        for error in fails::<P>(&format!("{}{}S: {refusal}\n", P::BEFORE, P::COMMAND)) {
            assert!(matches!(cause(&error), StartTlsCause::Refused(_)), "{error:?}");
            assert!(error.rejection().is_some());
        }
    }
}

fn rule_1_an_odd_reply_closes<P: Subject>() {
    for odd in P::ODD {
        for error in fails::<P>(&format!("{}{}S: {odd}\nSTALL\n", P::BEFORE, P::COMMAND)) {
            assert!(matches!(cause(&error), StartTlsCause::Failed(_)), "{odd}: {error:?}");
        }
    }
}

fn rule_1_plain_text_after_the_go_ahead_closes<P: Subject>() {
    for more in ["x", "\\0", "250-hi\\r\\n250 AUTH LOGIN\\r\\n", "* OK [ALERT] hi\\r\\n", "+OK\\r\\n+OK"] {
        let script = format!("{}{}S- {}\\r\\n{more}\nTLS\n", P::BEFORE, P::COMMAND, P::GO_AHEAD);
        let (result, handle) = open::<P>(&script, Chunking::Whole, Security::StartTls);
        let error = result.unwrap_err();
        assert!(matches!(cause(&error), StartTlsCause::EarlyData(n) if *n > 0), "{more}: {error:?}");
        no_credentials(&handle);
        // Arriving later, it meets the handshake, and fails that.
        for chunking in [Chunking::Lines, Chunking::Bytes] {
            let (result, handle) = open::<P>(&script, chunking, Security::StartTls);
            assert!(matches!(result, Err(Error::StartTls(_))));
            no_credentials(&handle);
        }
    }
}

fn rule_1_an_answer_before_the_question_closes<P: Subject>() {
    let early = format!("{}S: {}\n{}TLS\n", P::BEFORE, P::GO_AHEAD, P::COMMAND);
    for error in fails::<P>(&early) {
        assert!(matches!(cause(&error), StartTlsCause::EarlyAnswer), "{error:?}");
    }
}

fn rule_1_silence_and_the_end_of_file_close<P: Subject>() {
    for end in ["EOF", "RESET", "STALL", "DRIP 1s\nS: 220 go", "DRIP 30s\nS: +OK go"] {
        for error in fails::<P>(&format!("{}{}{end}\n", P::BEFORE, P::COMMAND)) {
            assert_eq!(error.is_timeout(), end == "STALL" || end.starts_with("DRIP 30s"), "{end}: {error:?}");
        }
        for error in fails::<P>(&format!("{}{}S: {}\n{end}\n", P::BEFORE, P::COMMAND, P::GO_AHEAD)) {
            assert!(
                matches!(cause(&error), StartTlsCause::Failed(_) | StartTlsCause::EarlyData(_)),
                "{end}: {error:?}"
            );
        }
    }
}

fn rule_1_a_greeting_that_does_not_welcome_closes<P: Subject>() {
    for greeting in P::BAD_GREETINGS {
        for security in [Security::StartTls, Security::Plain] {
            let (result, handle) = open::<P>(&format!("S: {greeting}\nSTALL\n"), Chunking::Whole, security);
            let error = result.expect_err(greeting);
            assert!(!error.is_timeout() && handle.sent().is_empty(), "{greeting}: {error:?}");
        }
    }
}

fn rule_1_every_cut_is_an_error<P: Subject>() {
    let whole = format!("{}{}S: {}\n", P::BEFORE, P::COMMAND, P::GO_AHEAD);
    let server: usize = whole.lines().filter(|line| line.starts_with("S: ")).map(|line| line.len() - 1).sum();
    for cut in 0..server {
        let mut left = cut;
        let mut script = Script::new();
        for line in whole.lines() {
            let bytes = format!("{}\r\n", &line[3..]);
            if line.starts_with("C: ") {
                script = script.client(bytes);
            } else if bytes.len() < left {
                left -= bytes.len();
                script = script.server(bytes);
            } else {
                script = script.server(&bytes[..left]).eof();
                break;
            }
        }
        let (transport, handle) = script.play();
        let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new());
        let result = connector.over(P::new(), transport, "mail.example.com", Security::StartTls);
        assert!(result.expect_err("cut").is_fatal(), "cut at {cut}");
    }
}

fn rule_3_no_login_in_clear<P: Subject>() {
    let (result, handle) = open::<P>(P::BEFORE, Chunking::Whole, Security::Plain);
    let mut client = result.unwrap();
    let error = client.login("user", "secret-word").unwrap_err();
    assert!(matches!(error, Error::InsecureLogin(_)) && client.is_open(), "{error:?}");
    no_credentials(&handle);
}

fn rule_9_no_control_in_credentials<P: Subject>() {
    let script = upgraded::<P>("");
    let (result, handle) = open::<P>(&script, Chunking::Whole, Security::StartTls);
    let mut client = result.unwrap();
    let before = handle.sent();
    for bad in ["a\rb", "a\nb", "a\0b", "a\r\nQUIT"] {
        for (user, password) in [(bad, "secret-word"), ("user", bad)] {
            let error = client.login(user, password).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)) && client.is_open(), "{error:?}");
        }
    }
    assert_eq!(handle.sent(), before);
}

fn rule_13_no_tls_in_this_build_is_an_error_of_start_tls<P: Subject>() {
    let (transport, handle) = Script::parse(&upgraded::<P>("")).unwrap().play();
    let none = Connector::new().clock(handle.clock()).tls_backend(mailconnect::TlsBackend::NativeTls);
    if cfg!(feature = "native-tls") {
        return;
    }
    let error = none.over(P::new(), transport, "mail.example.com", Security::StartTls).unwrap_err();
    let StartTlsCause::Failed(inner) = cause(&error) else { panic!("{error:?}") };
    assert!(matches!(**inner, Error::Unsupported(_)), "{error:?}");
}

macro_rules! suite {
    ($($name:ident)*) => {
        mod smtp { $(#[test] fn $name() { super::$name::<mailconnect::smtp::Smtp>(); })* }
        mod imap { $(#[test] fn $name() { super::$name::<mailconnect::imap::Imap>(); })* }
        mod pop3 { $(#[test] fn $name() { super::$name::<mailconnect::pop3::Pop3>(); })* }
    };
}

suite! {
    rule_1_it_succeeds
    rule_1_a_refusal_closes
    rule_1_an_odd_reply_closes
    rule_1_plain_text_after_the_go_ahead_closes
    rule_1_an_answer_before_the_question_closes
    rule_1_silence_and_the_end_of_file_close
    rule_1_a_greeting_that_does_not_welcome_closes
    rule_1_every_cut_is_an_error
    rule_3_no_login_in_clear
    rule_9_no_control_in_credentials
    rule_13_no_tls_in_this_build_is_an_error_of_start_tls
}

#[test]
fn rule_1_smtp_without_an_offer_is_not_asked() {
    let script = "S: 220 hi\nC: EHLO client.example\nS: 250 hi\n";
    for error in fails::<Smtp>(script) {
        assert!(matches!(cause(&error), StartTlsCause::NotOffered), "{error:?}");
    }
}

#[test]
fn rule_2_what_was_said_in_clear_is_forgotten() {
    let script = upgraded::<Smtp>("");
    let (result, _handle) = open::<Smtp>(&script, Chunking::Whole, Security::Plain);
    let mut smtp = result.unwrap();
    assert!(smtp.capabilities().has("STARTTLS"));
    smtp.start_tls().unwrap();
    assert!(!smtp.capabilities().has("STARTTLS"));
    assert_eq!(smtp.capabilities().mechanisms(), ["PLAIN"]);

    // LITERAL+ and LOGIN in clear, neither under TLS.
    let script = upgraded::<Imap>("C: A2 CAPABILITY\nS: * CAPABILITY IMAP4rev1 LOGINDISABLED\nS: A2 OK\n");
    let (result, handle) = open::<Imap>(&script, Chunking::Whole, Security::StartTls);
    let error = result.unwrap().login("user", "secret-word").unwrap_err();
    assert!(matches!(error, Error::NoMechanism(_)), "{error:?}");
    handle.finish();
}

#[test]
fn rule_1_preauth_never_upgrades() {
    let script = "S: * PREAUTH hi\n";
    let (transport, handle) = Script::parse(script).unwrap().play();
    let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new());
    let imap = Imap::new().allow_preauth(true);
    let mut client = connector.over(imap, transport, "mail.example.com", Security::Plain).unwrap();
    let error = client.start_tls().unwrap_err();
    assert!(matches!(cause(&error), StartTlsCause::Preauth), "{error:?}");
    assert!(!client.is_open() && handle.sent().is_empty());
}
