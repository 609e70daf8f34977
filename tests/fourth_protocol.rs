//! A fourth and a fifth protocol, from outside the crate: they compile with public paths alone (`tests/sieve-client` is
//! the same sources as a package of its own), and do what the three do.

#[path = "fourth_protocol/lmtp.rs"]
pub mod lmtp;
#[path = "fourth_protocol/sieve.rs"]
pub mod sieve;

use std::io::Read;

use lmtp::{Lmtp, LmtpClient, LmtpVerbs};
use mailconnect::errors::StartTlsCause;
use mailconnect::sasl::{self, Mechanism, Plain, Secret};
use mailconnect::testing::{Chunking, Script, ScriptHandle, StandInTls};
use mailconnect::{Client, Connector, Error, Protocol, Result, Security};
use sieve::{Sieve, SieveClient, SieveVerbs};

fn open<P: Protocol + Default>(script: Script, security: Security) -> (Result<Client<P>>, ScriptHandle) {
    let (transport, handle) = script.play();
    let connector = Connector::new().clock(handle.clock()).tls(StandInTls::new()).danger_plaintext_auth(true);
    (connector.over(P::default(), transport, ("mail.example.com", 4190), security), handle)
}

/// A session from the greeting on, in every chunking; the script must be played to its end.
#[track_caller]
fn session<P: Protocol + Default>(script: &str, work: impl Fn(Client<P>)) {
    for chunking in Chunking::ALL {
        let (client, handle) = open(Script::parse(script).unwrap().chunking(chunking), Security::Plain);
        work(client.unwrap());
        handle.finish();
    }
}

const GREETING: &str = "S: \"IMPLEMENTATION\" \"Example\"\nS: \"SASL\" \"PLAIN\"\nS: \"STARTTLS\"\nS: OK \"ready\"\n";

fn sieve(script: &str, work: impl Fn(SieveClient)) {
    session(&format!("{GREETING}{script}"), work);
}

// ---- What every protocol gets ----

#[test]
fn connect_ssl_says_that_there_is_no_port() {
    let errors =
        [LmtpClient::connect_ssl("localhost").unwrap_err(), SieveClient::connect_ssl("localhost").unwrap_err()];
    for (error, name) in errors.iter().zip(["LMTP", "ManageSieve"]) {
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("port") && text.contains(name) && text.contains("no default"), "{text}");
    }
    assert!(Connector::new().connect_auto::<Lmtp>("localhost").is_err());
}

#[test]
fn schemes_are_the_protocol_s_own() {
    let error = SieveClient::connect_url("imap://localhost").unwrap_err();
    assert!(error.to_string().contains("sieve"), "{error}");
    let error = SieveClient::connect_url("sieves://localhost").unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)));
}

#[test]
fn start_tls_works_for_it_and_forgets() {
    let script =
        format!("{GREETING}C: STARTTLS\nS: OK \"go\"\nTLS\nS: \"SASL\" \"EXTERNAL\"\nS: OK\nC: LOGOUT\nS: OK\nEOF");
    for chunking in Chunking::ALL {
        let (client, handle) = open::<Sieve>(Script::parse(&script).unwrap().chunking(chunking), Security::StartTls);
        let client = client.unwrap();
        assert!(client.is_secure());
        assert_eq!(client.protocol().capability("sasl"), Some("EXTERNAL"));
        assert_eq!(client.protocol().capability("IMPLEMENTATION"), None);
        client.quit().unwrap();
        handle.finish();
    }
}

#[test]
fn start_tls_fails_for_it_as_for_the_three() {
    for answer in
        ["S: NO \"no\"", "S: BYE", "S: OK\\r\\n\"SASL\" \"PLAIN\"", "S: \"x\"\nS: OK", "S: what", "EOF", "STALL"]
    {
        let script = Script::parse(&format!("{GREETING}C: STARTTLS\n{answer}")).unwrap();
        let error = open::<Sieve>(script, Security::StartTls).0.unwrap_err();
        assert!(matches!(error, Error::StartTls(_)) && error.is_fatal(), "{answer}: {error:?}");
    }
    let (client, handle) =
        open::<Lmtp>(Script::parse("S: 220 hi\nC: LHLO localhost\nS: 250 hi\nSTALL").unwrap(), Security::StartTls);
    let Error::StartTls(error) = client.unwrap_err() else { panic!() };
    assert!(matches!(error.cause, StartTlsCause::NotOffered));
    handle.finish();
}

// ---- ManageSieve ----

#[test]
fn a_greeting_may_be_a_goodbye_or_nonsense() {
    for (script, rejected) in
        [("S: BYE (TRYLATER) \"full\"", true), ("S: NO", true), ("S: +OK", false), ("S: x y\nS: OK", false)]
    {
        let error = open::<Sieve>(Script::parse(&format!("{script}\nEOF")).unwrap(), Security::Plain).0.unwrap_err();
        assert_eq!(error.rejection().is_some(), rejected, "{error:?}");
        assert_eq!(error.is_transient(), script.contains("TRYLATER"), "{error:?}");
    }
}

#[test]
fn login_picks_what_is_on_offer() {
    sieve("C: AUTHENTICATE \"PLAIN\" \"AHUAcA==\"\nS: OK", |mut client| client.login("u", "p").unwrap());
    sieve("C: AUTHENTICATE \"PLAIN\" \"AHUAcA==\"\nS: NO \"wrong\"", |mut client| {
        assert!(client.login("u", "p").unwrap_err().is_permanent() && client.is_open());
    });
    let nothing = "S: \"SASL\" \"GSSAPI\"\nS: OK";
    session::<Sieve>(nothing, |mut client| {
        let error = client.login("u", "p").unwrap_err();
        assert!(matches!(error, Error::NoMechanism(_)), "{error:?}");
    });
}

#[test]
fn a_long_response_is_a_literal() {
    let password = "p".repeat(1000);
    let encoded = Secret::from(format!("\0u\0{password}")).to_base64();
    let encoded = String::from_utf8(encoded.as_bytes().to_vec()).unwrap();
    sieve(&format!("C: AUTHENTICATE \"PLAIN\" {{{}+}}\nC: {encoded}\nS: OK", encoded.len()), |mut client| {
        client.authenticate(&mut Plain::new("u", &password).unwrap()).unwrap();
    });
}

/// Asks, is asked, and wants the last word.
struct Talk(Vec<Vec<u8>>);

impl Mechanism for Talk {
    fn name(&self) -> &str {
        "X-TALK"
    }
    fn start(&mut self, _: &sasl::Context<'_>) -> Result<Option<Secret>> {
        Ok(None)
    }
    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        self.0.push(challenge.to_vec());
        if challenge == b"bad" { Err(Error::unsupported("that challenge")) } else { Ok("a".into()) }
    }
    fn is_finished(&self) -> bool {
        self.0.len() == 3
    }
}

#[test]
fn challenges_are_strings_of_either_form() {
    let script = "C: AUTHENTICATE \"X-TALK\"\nS: {4}\nS: Yg==\nC: \"YQ==\"\nS: \"\"\nC: \"YQ==\"\n\
         S: OK (SASL \"Yw==\") \"in\"";
    sieve(script, |mut client| {
        let mut talk = Talk(Vec::new());
        client.authenticate(&mut talk).unwrap();
        assert_eq!(talk.0, [&b"b"[..], b"", b"c"]);
    });
    sieve("C: AUTHENTICATE \"X-TALK\"\nS: \"Yg==\"\nC: \"YQ==\"\nS: OK", |mut client| {
        assert!(matches!(client.authenticate(&mut Talk(Vec::new())), Err(Error::Protocol(_))));
    });
    let cancelled = "C: AUTHENTICATE \"X-TALK\"\nS: \"YmFk\"\nC: \"*\"\nS: NO \"cancelled\"\nC: LISTSCRIPTS\nS: OK";
    sieve(cancelled, |mut client| {
        assert!(matches!(client.authenticate(&mut Talk(Vec::new())), Err(Error::Unsupported(_))));
        client.list_scripts().unwrap();
    });
}

#[test]
fn scripts_are_listed() {
    let script = "C: LISTSCRIPTS\nS: \"one \\\\\"1\\\\\"\" ACTIVE\nS: {3}\nS: t\\no\nS: OK {4}\nS: d\\r\\n.\n\
         C: LISTSCRIPTS\nS: NO (QUOTA/MAXSIZE) {3}\nS: no!";
    sieve(script, |mut client| {
        let scripts = client.list_scripts().unwrap();
        assert_eq!(scripts, [("one \"1\"".to_owned(), true), ("t\no".to_owned(), false)]);
        let error = client.list_scripts().unwrap_err();
        let rejection = error.rejection().unwrap();
        assert_eq!((rejection.code.as_deref(), rejection.lines.concat().as_str()), (Some("QUOTA/MAXSIZE"), "no!"));
        assert!(client.is_open());
    });
}

#[test]
fn a_script_is_streamed() {
    let get = "C: GETSCRIPT \"a\\\\\\\\b\"\nS: {11}\nS: keep;\\r\\nOK\\r\\n\nS: OK \"done\"\n";
    sieve(&format!("{get}{get}C: LISTSCRIPTS\nS: OK"), |mut client| {
        let mut text = String::new();
        client.get_script("a\\b").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "keep;\r\nOK\r\n");
        let mut copy = Vec::new();
        assert_eq!(client.get_script("a\\b").unwrap().copy_to(&mut copy).unwrap(), 11);
        client.list_scripts().unwrap();
    });
    // Dropped, forgotten, half-read.
    sieve(&format!("{get}{get}{get}C: LISTSCRIPTS\nS: OK"), |mut client| {
        drop(client.get_script("a\\b").unwrap());
        std::mem::forget(client.get_script("a\\b").unwrap());
        client.get_script("a\\b").unwrap().read_exact(&mut [0; 7]).unwrap();
        client.list_scripts().unwrap();
    });
    sieve("C: GETSCRIPT \"a\"\nS: \"keep;\"\nS: OK\nC: GETSCRIPT \"b\"\nS: NO (NONEXISTENT)", |mut client| {
        let mut text = String::new();
        client.get_script("a").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "keep;");
        assert!(client.get_script("b").unwrap_err().is_permanent());
    });
}

#[test]
fn a_script_that_is_cut_or_taken_back_is_an_error() {
    for end in ["S- {12}\\r\\nkeep;", "S: {5}\nS: keep;", "S: {5}\nS: keep;\nS- OK"] {
        sieve(&format!("C: GETSCRIPT \"a\"\n{end}\nEOF"), |mut client| {
            let result = client.get_script("a").and_then(|script| script.copy_to(&mut Vec::new()));
            assert!(matches!(result, Err(Error::ConnectionLost(_))), "{end}: {result:?}");
            assert!(!client.is_open());
        });
    }
    sieve("C: GETSCRIPT \"a\"\nS: {5}\nS: keep;\nS: NO \"disk\"\nC: LISTSCRIPTS\nS: OK", |mut client| {
        assert!(client.get_script("a").unwrap().copy_to(&mut Vec::new()).unwrap_err().rejection().is_some());
        client.list_scripts().unwrap();
    });
}

#[test]
fn a_script_is_put_and_arguments_are_checked() {
    sieve("C: PUTSCRIPT \"\\\\\"x\\\\\"\" {8+}\nC: keep;\\r\\n.\nS: OK", |mut client| {
        client.put_script("\"x\"", b"keep;\r\n.").unwrap();
        for bad in ["a\rb", "a\nb", "a\0b", "a\"\r\nLOGOUT"] {
            assert!(matches!(client.put_script(bad, b""), Err(Error::InvalidArgument(_))));
            assert!(matches!(client.get_script(bad), Err(Error::InvalidArgument(_))));
        }
    });
    sieve("C: PUTSCRIPT \"a\" {0+}\nC: \nEOF", |mut client| {
        let error = client.put_script("a", b"").unwrap_err();
        assert!(error.outcome_unknown(), "{error:?}");
    });
    // More than a block, and a server that has had enough of it.
    let big = vec![b'x'; 200_000];
    let whole = Script::parse(GREETING)
        .unwrap()
        .client("PUTSCRIPT \"a\" {200000+}\r\n")
        .client(&big)
        .client("\r\n")
        .server("OK\r\n");
    let (client, handle) = open::<Sieve>(whole, Security::Plain);
    client.unwrap().put_script("a", &big).unwrap();
    handle.finish();
    let start = Script::parse(GREETING).unwrap().client("PUTSCRIPT \"a\" {200000+}\r\n").client(&big[..20_000]);
    let enough = start.server("NO (QUOTA) \"too big\"\r\n").client(&big[..100_000]).eof();
    let (client, _) = open::<Sieve>(enough, Security::Plain);
    let mut client = client.unwrap();
    let error = client.put_script("a", &big).unwrap_err();
    assert_eq!(error.rejection().and_then(|rejection| rejection.code.as_deref()), Some("QUOTA"), "{error:?}");
    assert!(!client.is_open());
}

// ---- LMTP ----

const LHLO: &str = "S: 220 hi\nC: LHLO localhost\nS: 250-hi\nS: 250-PIPELINING\nS: 250 STARTTLS\n";

#[test]
fn a_message_has_an_answer_for_each_recipient() {
    let script = "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: RCPT TO:<d@x>\nS: 250 ok\n\
         S: 550 5.1.1 who?\nS: 250-o\nS: 250 k\n\
         C: DATA\nS: 354 go\nC: Subject: x\nC: \nC: ..\nC: .\nS: 250 done\nS: 452 full\nC: QUIT\nS: 221 bye";
    session::<Lmtp>(&format!("{LHLO}{script}"), |mut client| {
        assert!(client.protocol().has("pipelining"));
        let result = client.deliver("a@x", &["b@x", "c@x", "d@x"], &mut &b"Subject: x\n\n.\n"[..]).unwrap();
        assert!(result[0].is_ok());
        assert_eq!(&*result[1].as_ref().unwrap_err().status, "550");
        assert_eq!(result[2].as_ref().unwrap_err().lines, ["full"]);
        client.quit().unwrap();
    });
    let script = "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 550 no\nC: RSET\nS: 250 ok";
    session::<Lmtp>(&format!("{LHLO}{script}"), |mut client| {
        assert!(client.deliver("", &["b@x"], &mut &b""[..]).unwrap()[0].is_err());
        assert!(matches!(client.deliver("a\r\nb", &["b@x"], &mut &b""[..]), Err(Error::InvalidArgument(_))));
        assert!(matches!(client.deliver("a", &["b@x", "c\nd"], &mut &b""[..]), Err(Error::InvalidArgument(_))));
        assert!(matches!(client.login("u", "p"), Err(Error::NoMechanism(_))));
    });
}

#[test]
fn a_lost_answer_to_one_recipient_is_unknown() {
    let script = "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nS: 250 ok\nS: 250 ok\n\
         C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 done\nEOF";
    session::<Lmtp>(&format!("{LHLO}{script}"), |mut client| {
        let error = client.deliver("a@x", &["b@x", "c@x"], &mut &b"x"[..]).unwrap_err();
        assert!(matches!(error, Error::ConnectionLost(_)) && error.outcome_unknown(), "{error:?}");
    });
}

/// A message goes in by LMTP and is found by POP3, read, and deleted by QUIT alone.
#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn a_real_lmtp_server() {
    let rig = std::fs::read(std::env::var("MAILCONNECT_RIG").expect("MAILCONNECT_RIG")).unwrap();
    let rig: serde_json::Value = serde_json::from_slice(&rig).unwrap();
    let at = |name: &str| {
        let endpoint = rig["endpoints"].as_array().unwrap().iter().find(|endpoint| endpoint["name"] == name).unwrap();
        (endpoint["host"].as_str().unwrap(), u16::try_from(endpoint["port"].as_u64().unwrap()).unwrap())
    };
    let subject = format!("fourth protocol {:?}", std::time::SystemTime::now());
    let message = format!("Subject: {subject}\r\n\r\n.\r\n..\r\n\u{e4}\r\n");
    let mut lmtp = LmtpClient::connect(at("dovecot.lmtp")).unwrap();
    let to = ["bob@example.test", "nobody-here@example.test"];
    let result = lmtp.deliver("alice@example.test", &to, &mut message.as_bytes()).unwrap();
    assert!(result[0].is_ok() && result[1].is_err(), "{result:?}");
    lmtp.quit().unwrap();

    let open = || {
        let mut pop3 = mailconnect::Pop3Client::connect(at("dovecot.pop3")).unwrap();
        pop3.login("bob", rig["users"]["bob"].as_str().unwrap()).unwrap();
        pop3
    };
    let find = |pop3: &mut mailconnect::Pop3Client| {
        let numbers: Vec<u32> = pop3.list().unwrap().iter().map(|entry| entry.number).collect();
        numbers.into_iter().find(|&number| {
            let got = pop3.retr(number).unwrap().collect().unwrap();
            got.ends_with(message.as_bytes())
        })
    };
    let mut pop3 = open();
    let number = find(&mut pop3).expect("the message");
    pop3.dele(number).unwrap();
    drop(pop3);
    let mut pop3 = open();
    let number = find(&mut pop3).expect("dropping deletes nothing");
    pop3.dele(number).unwrap();
    pop3.quit().unwrap();
    let mut pop3 = open();
    assert_eq!(find(&mut pop3), None);
    pop3.quit().unwrap();
}
