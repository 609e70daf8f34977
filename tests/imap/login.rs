//! Logging in: SASL exchanges, LOGIN, and what a refusal leaves.

use mailconnect::errors::SaslCause;
use mailconnect::imap::Event;
use mailconnect::sasl::{self, Mechanism, Secret};
use mailconnect::testing::Script;
use mailconnect::{Connector, Error, ImapClient, Result};

use crate::{rejected, session, session_of};
#[test]
fn login_takes_plain_at_once_where_the_server_allows_it() {
    let script = "S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN auth=plain SASL-IR] hi\n\
                  C: A1 AUTHENTICATE PLAIN AHUAcGFzcw==\nS: * 3 EXISTS\nS: A1 OK [CAPABILITY IMAP4rev1 NEW] in";
    session_of(&Connector::new(), Script::parse(script).unwrap(), |mut client| {
        client.login("u", "pass").unwrap();
        assert!(client.is_authenticated() && client.capabilities().unwrap().has("NEW"));
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(3)]);
    });
    // Without SASL-IR; the capabilities are asked for once before the log-in, and again after it.
    let script = "C: A1 CAPABILITY\nS: * CAPABILITY IMAP4 AUTH=PLAIN\nS: A1 OK\nC: A2 AUTHENTICATE PLAIN\nS: + odd text\n\
                  C: AHUAcGFzcw==\nS: A2 OK\nC: A3 CAPABILITY\nS: * CAPABILITY IMAP4 NEW\nS: A3 OK";
    session(script, |mut client| {
        client.login("u", "pass").unwrap();
        assert!(client.capabilities().unwrap().has("NEW"));
        assert!(client.capabilities().unwrap().has("NEW"));
    });
    let script = "S: * OK [CAPABILITY IMAP4 AUTH=LOGIN SASL-IR]\nC: A1 AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: dQ==\nS: +\n\
                  C: cGFzcw==\nS: * CAPABILITY IMAP4 NEW\nS: A1 OK";
    session_of(&Connector::new(), Script::parse(script).unwrap(), |mut client| {
        client.login("u", "pass").unwrap();
        assert!(client.capabilities().unwrap().has("NEW"));
    });
}

#[test]
fn login_falls_back_to_its_own_command() {
    let ask = "C: A1 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: A1 OK\n";
    session(&format!("{ask}C: A2 LOGIN \"us er\" \"p\\\\\"a\\\\\\\\ss\"\nS: A2 OK"), |mut client| {
        client.login("us er", "p\"a\\ss").unwrap();
    });
    // Letters that are not ASCII are literals, which wait for the server's leave.
    session(
        &format!(
            "{ask}C: A2 LOGIN {{3}}\nWAIT\nS: * 1 EXISTS\nS: + go\nC: \\xc3\\xbcx {{5}}\nWAIT\nS: +\nC: p\\xc3\\xa4ss\nS: A2 OK"
        ),
        |mut client| client.login("üx", "päss").unwrap(),
    );
    // A refusal instead of it ends the command: nothing more of it is sent.
    for refusal in ["NO [UNAVAILABLE] later", "BAD no literals"] {
        let script = format!("{ask}C: A2 LOGIN \"u\" {{5}}\nS: A2 {refusal}\nC: A3 NOOP\nS: A3 OK");
        session(&script, |mut client| {
            let error = client.login("u", "päss").unwrap_err();
            assert_eq!(error.is_transient(), refusal.starts_with("NO"), "{error}");
            assert_eq!(rejected(&error).0, "LOGIN");
            client.noop().unwrap();
        });
    }
    session(&format!("{ask}C: A2 LOGIN \"u\" {{5}}\nS: A2 OK"), |mut client| {
        assert!(matches!(client.login("u", "päss"), Err(Error::Protocol(_))));
    });
    let plus = "S: * OK [CAPABILITY IMAP4rev1 LITERAL+]\nC: A1 LOGIN {2+}\nC- \\xc3\\xbc {5+}\\r\\np\\xc3\\xa4ss\\r\\nS: A1 OK";
    let plus = plus.replace("\\r\\nS:", "\\r\\n\nS:");
    session_of(&Connector::new(), Script::parse(&plus).unwrap(), |mut client| client.login("ü", "päss").unwrap());
    session("C: A1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 LOGINDISABLED\nS: A1 OK", |mut client| {
        assert!(matches!(client.login("u", "pass"), Err(Error::NoMechanism(_))));
        assert!(client.is_open());
    });
}

#[test]
fn a_refused_login_leaves_the_client_usable() {
    let script = "S: * OK [CAPABILITY IMAP4 SASL-IR AUTH=PLAIN]\nC: A1 AUTHENTICATE PLAIN AHUAcGFzcw==\n\
                  S: A1 NO [authenticationfailed] wrong \\x1b[31m pass\nC: A2 AUTHENTICATE PLAIN AHUAcGFzcw==\nS: A2 OK";
    session_of(&Connector::new(), Script::parse(script).unwrap(), |mut client| {
        let error = client.login("u", "pass").unwrap_err();
        assert_eq!(rejected(&error), ("AUTHENTICATE", "NO", Some("AUTHENTICATIONFAILED")));
        assert!(error.is_permanent() && !error.is_fatal() && !client.is_authenticated());
        // Nor is the secret shown that the server repeats, nor its control characters.
        let shown = error.to_string();
        assert!(!shown.contains('\x1b') && !shown.contains("pass"), "{shown}");
        client.login("u", "pass").unwrap();
    });
}

/// Speaks as often as it is told to.
struct Steps(Vec<Option<&'static str>>, bool);

impl Mechanism for Steps {
    fn name(&self) -> &str {
        "X-STEPS"
    }

    fn start(&mut self, _: &sasl::Context<'_>) -> Result<Option<Secret>> {
        Ok(if self.1 { Some(Secret::from("")) } else { None })
    }

    fn step(&mut self, challenge: &[u8]) -> Result<Secret> {
        assert!(challenge.is_empty() || challenge == b"challenge");
        match self.0.remove(0) {
            Some(answer) => Ok(Secret::from(answer)),
            None => Err(Error::unsupported("no more")),
        }
    }

    fn is_finished(&self) -> bool {
        self.0.is_empty()
    }
}

#[test]
fn sasl_exchanges() {
    let greeting = "S: * OK [CAPABILITY IMAP4 SASL-IR]\n";
    let run = |script: &str, mechanism: &dyn Fn() -> Steps, check: &dyn Fn(ImapClient, Result<()>)| {
        session_of(&Connector::new(), Script::parse(&format!("{greeting}{script}")).unwrap(), |mut client| {
            let result = client.authenticate(&mut mechanism());
            check(client, result);
        });
    };
    let good = "C: A1 AUTHENTICATE X-STEPS =\nS: + Y2hhbGxlbmdl \nC: YQ==\nS: +\nC: \nS: A1 OK";
    run(good, &|| Steps(vec![Some("a"), Some("")], true), &|_, result| result.unwrap());
    // A mechanism that gives up cancels, and the client stays usable.
    let cancelled = "C: A1 AUTHENTICATE X-STEPS\nS: + \nC: *\nS: * 1 EXISTS\nS: A1 BAD cancelled\nC: A2 NOOP\nS: A2 OK";
    run(cancelled, &|| Steps(vec![None], false), &|mut client, result| {
        assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
        client.noop().unwrap();
    });
    for bad in [
        // Success too early; success after cancelling; another tag.
        "C: A1 AUTHENTICATE X-STEPS\nS: A1 OK",
        "C: A1 AUTHENTICATE X-STEPS\nS: A2 OK",
        "C: A1 AUTHENTICATE X-STEPS\nS: +\nC: *\nS: A1 OK",
        "C: A1 AUTHENTICATE X-STEPS\nS: +\nC: *\nS: +",
    ] {
        run(bad, &|| Steps(vec![None], false), &|client, result| {
            assert!(matches!(result, Err(Error::Protocol(_))), "{bad}: {result:?}");
            assert!(!client.is_open());
        });
    }
    let long = "AAAA".repeat(5_000);
    for (challenge, cause) in [("%%%", SaslCause::NotBase64), (&long, SaslCause::TooLong { max: 12_288 })] {
        let script = format!("C: A1 AUTHENTICATE X-STEPS\nS: + {challenge}\nC: *\nS: A1 BAD\nC: A2 NOOP\nS: A2 OK");
        run(&script, &|| Steps(vec![None], false), &|mut client, result| {
            assert!(matches!(result, Err(Error::Sasl(error)) if error.cause == cause && !error.closed));
            client.noop().unwrap();
        });
    }
}
