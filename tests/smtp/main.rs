//! The SMTP adapter over scripts: what goes out, in how many writes, and what becomes of each answer, in any chunking.

mod ends;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod hang_up;
mod lmtp;
mod many;
mod parameters;
mod server;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls_line;
mod trips;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod trips_tls;
mod truth;

use std::fmt::Debug;
use std::io::{self, Read};

use mailconnect::errors::SaslCause;
use mailconnect::smtp::{Body, Envelope, Policy, SendOptions, Smtp};
use mailconnect::testing::{Chunking, Script, ScriptHandle, StandInTls};
use mailconnect::wire::LineEnds;
use mailconnect::{Connector, Error, Phase, Result, Security, SmtpClient};

const HELLO: &str = "S: 220 mx.example ESMTP\nC: EHLO me.example\nWAIT\n";
const PIPELINING: &str = "S: 250-mx.example\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250 SIZE 1000\n";
const PLAIN: &str = "S: 250 mx.example\n";

fn smtp() -> Smtp {
    Smtp::new().hello_name("me.example").unwrap()
}

fn open(connector: Connector, script: Script, security: Security) -> (Result<SmtpClient>, ScriptHandle) {
    let (transport, handle) = script.play();
    let connector = connector.clock(handle.clock()).danger_plaintext_auth(true);
    (connector.over(smtp(), transport, "mx.example", security), handle)
}

/// Runs `work` in every chunking, on a script that starts after EHLO was answered by `offer`.
fn run<T: Debug + PartialEq>(offer: &str, script: &str, work: impl Fn(&mut SmtpClient, &ScriptHandle) -> T) -> T {
    let mut results = Vec::new();
    for chunking in Chunking::ALL {
        let script = Script::parse(&format!("{HELLO}{offer}WAIT\n{script}")).unwrap().chunking(chunking);
        let (client, handle) = open(Connector::new(), script, Security::Plain);
        let mut client = client.unwrap();
        results.push(work(&mut client, &handle));
        handle.finish();
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
    results.pop().unwrap()
}

fn envelope(to: &[&str]) -> Envelope {
    Envelope::new("ann@a.example", to).unwrap()
}

/// All of a result that can be compared.
fn shown<T: Debug>(result: Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error} fatal={} unknown={}", error.is_fatal(), error.outcome_unknown()),
    }
}

const MAIL: &str = "C: MAIL FROM:<ann@a.example> SIZE=4 BODY=8BITMIME\n";

// ---- Sending ----

#[test]
fn an_envelope_is_one_write_and_a_message_another() {
    let script = format!(
        "{MAIL}C: RCPT TO:<bob@b.example>\nC: RCPT TO:<cy@c.example>\nC: DATA\n\
         S: 250 2.1.0 Ok\nS: 250 2.1.5 Ok\nS: 251 2.1.5 Forwarded\nS: 354 Go\nWAIT\n\
         C: ..a\nC: .\nS: 250-2.0.0 Ok:\nS: 250 2.0.0 queued as 4XyZ\nC: QUIT\nS: 221 Bye\n"
    );
    run(PIPELINING, &script, |client, handle| {
        let before = handle.writes();
        let report = client.send(&envelope(&["bob@b.example", "cy@c.example"]), b".a\n").unwrap();
        assert_eq!(handle.writes() - before, 2);
        assert_eq!(
            report.accepted.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(),
            ["bob@b.example", "cy@c.example"]
        );
        assert!(report.refused.is_empty() && client.last_refused().is_empty());
        assert_eq!(report.reply.to_string(), "250 2.0.0 Ok: / queued as 4XyZ");
        let quit = std::mem::replace(client, closed());
        quit.quit().unwrap();
        report
    });
}

/// A client to leave behind.
fn closed() -> SmtpClient {
    open(Connector::new(), Script::parse(&format!("{HELLO}{PLAIN}")).unwrap(), Security::Plain).0.unwrap()
}

#[test]
fn without_pipelining_one_at_a_time() {
    let script = "C: MAIL FROM:<>\nWAIT\nS: 250 Ok\nWAIT\nC: RCPT TO:<bob@b.example>\nS: 250 Ok\nWAIT\n\
                  C: RCPT TO:<cy@c.example>\nS: 250 Ok\nWAIT\nC: DATA\nS: 354 Go\nWAIT\nC: a\nC: .\nS: 250 Ok\n";
    let report = run(PLAIN, script, |client, _| {
        client.send(&Envelope::null_sender(["bob@b.example", "cy@c.example"]).unwrap(), "a").unwrap()
    });
    assert_eq!(report.accepted.len(), 2);
}

#[test]
fn each_of_three_recipients_refused_in_turn() {
    let to = ["a@b.example", "c@b.example", "d@b.example"];
    for refused in 0..to.len() {
        let replies: String = (0..to.len())
            .map(|n| if n == refused { "S: 550-5.1.1 No such\nS: 550 5.1.1 user\n" } else { "S: 250 Ok\n" })
            .collect();
        let script = format!(
            "{MAIL}C: RCPT TO:<a@b.example>\nC: RCPT TO:<c@b.example>\nC: RCPT TO:<d@b.example>\nC: DATA\nS: 250 Ok\n\
             {replies}S: 354 Go\nWAIT\nC: ab\nC: .\nS: 250 queued\nC: NOOP\nS: 250 Ok\n"
        );
        let report = run(PIPELINING, &script, |client, _| {
            let report = client.send(&envelope(&to), "ab").unwrap();
            assert_eq!(client.last_refused(), report.refused);
            client.noop().unwrap();
            report
        });
        assert_eq!(report.refused.len(), 1);
        assert_eq!(
            (&*report.refused[0].0, report.refused[0].1.to_string().as_str()),
            (to[refused], "550 5.1.1 No such / user")
        );
        assert_eq!(report.accepted.len(), 2);
    }
}

#[test]
fn nobody_left_and_a_go_ahead_gets_the_dot_alone() {
    for answer in ["250 2.0.0 nothing", "554 5.5.1 No valid recipients"] {
        let script = format!(
            "{MAIL}C: RCPT TO:<bob@b.example>\nC: RCPT TO:<cy@b.example>\nC: DATA\nS: 250 Ok\nS: 550 5.1.1 No\n\
             S: 451 4.2.1 Later\nS: 354 Go\nWAIT\nC: .\nS: {answer}\nWAIT\nC: RSET\nS: 250 Ok\nC: NOOP\nS: 250 Ok\n"
        );
        let error = run(PIPELINING, &script, |client, _| {
            let error = client.send(&envelope(&["bob@b.example", "cy@b.example"]), "ab").unwrap_err();
            assert_eq!(client.last_refused().len(), 2);
            client.noop().unwrap();
            shown::<()>(Err(error))
        });
        assert_eq!(error, "the server refused RCPT: 550 [5.1.1] No fatal=false unknown=false");
    }
}

#[test]
fn refusals_reset_the_session_and_leave_it_usable() {
    let data = "C: RCPT TO:<bob@b.example>\nC: DATA\n";
    for (script, expected) in [
        (format!("{MAIL}{data}S: 550 no\nS: 503 no\nS: 503 no\nC: RSET\nS: 250 Ok\n"), "refused MAIL: 550 no"),
        (format!("{MAIL}{data}S: 250 Ok\nS: 550 no\nS: 503 no\nC: RSET\nS: 250 Ok\n"), "refused RCPT: 550 no"),
        (format!("{MAIL}{data}S: 250 Ok\nS: 250 Ok\nS: 451 no\nC: RSET\nS: 250 Ok\n"), "refused DATA: 451 no"),
        (
            format!("{MAIL}{data}S: 250 Ok\nS: 250 Ok\nS: 354 Go\nWAIT\nC: ab\nC: .\nS: 552 no\n"),
            "refused the end of DATA: 552 no",
        ),
    ] {
        let error = run(PIPELINING, &format!("{script}WAIT\nC: NOOP\nS: 250 Ok\n"), |client, _| {
            let error = client.send(&envelope(&["bob@b.example"]), "ab").unwrap_err();
            client.noop().unwrap();
            shown::<()>(Err(error))
        });
        assert_eq!(error, format!("the server {expected} fatal=false unknown=false"));
    }
}

#[test]
fn require_all_asks_before_data() {
    let start = format!("{MAIL}C: RCPT TO:<bob@b.example>\nC: RCPT TO:<cy@b.example>\nWAIT\n");
    let all = SendOptions::new().policy(Policy::RequireAll);
    let refused = format!("{start}S: 250 Ok\nS: 250 Ok\nS: 550 no\nWAIT\nC: RSET\nS: 250 Ok\nC: NOOP\nS: 250 Ok\n");
    run(PIPELINING, &refused, |client, _| {
        let error = client.send_with(&envelope(&["bob@b.example", "cy@b.example"]), "ab", &all).unwrap_err();
        assert!(error.is_permanent());
        assert_eq!(client.last_refused()[0].0, "cy@b.example");
        client.noop().unwrap().to_string()
    });
    let taken =
        format!("{start}S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nWAIT\nC: DATA\nS: 354 Go\nWAIT\nC: ab\nC: .\nS: 250 Ok\n");
    run(PIPELINING, &taken, |client, handle| {
        let before = handle.writes();
        client.send_with(&envelope(&["bob@b.example", "cy@b.example"]), "ab", &all).unwrap();
        handle.writes() - before
    });
    // One recipient is all or none by itself: nothing waits.
    let one = format!(
        "{MAIL}C: RCPT TO:<bob@b.example>\nC: DATA\nWAIT\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nWAIT\nC: ab\nC: .\nS: 250 Ok\n"
    );
    run(PIPELINING, &one, |client, _| client.send_with(&envelope(&["bob@b.example"]), "ab", &all).unwrap());
}

/// The sender is refused, and yet a recipient is taken and DATA let go: a dot would deliver an empty message.
#[test]
fn rule_10_no_dot_where_somebody_could_get_an_empty_message() {
    let script = format!("{MAIL}C: RCPT TO:<bob@b.example>\nC: DATA\nS: 550 no\nS: 250 Ok\nS: 354 Go\n");
    let error = run(PIPELINING, &script, |client, _| {
        let error = client.send(&envelope(&["bob@b.example"]), "ab").unwrap_err();
        assert!(!client.is_open());
        shown::<()>(Err(error))
    });
    assert_eq!(error, "the server refused MAIL: 550 no fatal=true unknown=false");
}

#[test]
fn a_thousand_recipients_keep_moving() {
    let to: Vec<String> = (0..1000).map(|n| format!("user{n}@b.example")).collect();
    let mut script = Script::parse(&format!("{HELLO}{PIPELINING}{MAIL}")).unwrap();
    // The window: 128 commands are sent before the first reply is needed, and no more.
    let mut commands: Vec<String> = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
    commands.push("DATA\r\n".to_owned());
    let (first, rest) = commands.split_at(127);
    script = script.client(first.concat()).wait();
    for commands in rest.chunks(32) {
        script = script.server("250 Ok\r\n".repeat(32)).client(commands.concat());
    }
    let replies = "250 Ok\r\n".repeat(1001 - 32 * rest.chunks(32).len()) + "354 Go\r\n";
    script = script.server(replies).wait().client("ab\r\n.\r\n").server("250 Ok\r\n");
    let (client, handle) = open(Connector::new(), script, Security::Plain);
    let before = handle.writes();
    let report = client.unwrap().send(&envelope(&to.iter().map(String::as_str).collect::<Vec<_>>()), "ab").unwrap();
    assert_eq!((report.accepted.len(), report.refused.len()), (1000, 0));
    let writes = handle.writes() - before;
    assert_eq!(writes, 1 + rest.chunks(32).len() + 1);
    handle.finish();
}

#[test]
fn size_and_utf8_are_checked_before_a_byte_is_sent() {
    run(PIPELINING, "", |client, handle| {
        let before = handle.sent();
        let big = "x".repeat(1001);
        let errors = [
            shown(client.send(&envelope(&["b@b.example"]), &big)),
            shown(client.send(&envelope(&["b@b.example"]), Body::reader(io::empty()).size(1001))),
            shown(client.send(&envelope(&["b\u{f6}b@b.example"]), "a")),
            shown(client.mail("b\u{f6}b@b.example")),
            shown(client.send(&envelope(&["b@b.example"]), "a\0")),
            shown(client.send_with(
                &envelope(&["b@b.example"]),
                "a\n",
                &SendOptions::new().line_ends(LineEnds::Strict),
            )),
        ];
        assert!(errors.iter().all(|error| error.ends_with("fatal=false unknown=false")), "{errors:?}");
        assert_eq!(handle.sent(), before);
    });
    let script = "C: MAIL FROM:<ann@a.example> SMTPUTF8\nS: 250 Ok\nC: RCPT TO:<b\\xc3\\xb6b@b.example>\nS: 250 Ok\n\
                  C: DATA\nS: 354 Go\nC: a\nC: .\nS: 250 Ok\n";
    run("S: 250-x\nS: 250 smtputf8\n", script, |client, _| {
        client.send(&envelope(&["b\u{f6}b@b.example"]), "a").unwrap()
    });
}

/// Fails after some octets.
pub(crate) struct Broken(pub(crate) usize);

impl Read for Broken {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("disk"));
        }
        let n = self.0.min(buf.len());
        buf[..n].fill(b'x');
        self.0 -= n;
        Ok(n)
    }
}

#[test]
fn rule_10_a_reader_that_fails_never_gets_the_dot() {
    for size in [0, 10, 100_000] {
        let start = format!(
            "{HELLO}{PLAIN}C: MAIL FROM:<ann@a.example>\nS: 250 Ok\nC: RCPT TO:<b@b.example>\nS: 250 Ok\nC: DATA\nS: 354 Go\n"
        );
        let mut script = Script::parse(&start).unwrap();
        if size > 65_536 {
            script = script.client("x".repeat(98_304)).stall();
        }
        let (client, handle) = open(Connector::new(), script, Security::Plain);
        let mut client = client.unwrap();
        let error = client.send(&envelope(&["b@b.example"]), Body::reader(Broken(size))).unwrap_err();
        assert!(matches!(error, Error::Caller { .. }) && !error.outcome_unknown(), "{error}");
        assert!(!client.is_open() && !handle.sent().ends_with(b".\r\n"));
    }
}

#[test]
fn a_refusal_in_the_middle_of_a_message_ends_it() {
    let start = format!(
        "{HELLO}{PLAIN}C: MAIL FROM:<ann@a.example>\nS: 250 Ok\nC: RCPT TO:<b@b.example>\nS: 250 Ok\nC: DATA\nS: 354 Go\n"
    );
    for (reply, expected) in [
        ("552 5.3.4 Enough\r\n", "the server refused DATA: 552 [5.3.4] Enough fatal=true unknown=false"),
        ("421 Bye\r\n", "the server refused DATA: 421 Bye fatal=true unknown=false"),
        (
            "250 Ok\r\n",
            "mx.example:587: transferring a body (DATA): no refusal in the middle of a message: `250 Ok` fatal=true unknown=false",
        ),
    ] {
        let script = Script::parse(&start).unwrap().client("x".repeat(32 << 10)).server(reply);
        let (client, handle) = open(Connector::new(), script, Security::Plain);
        let mut client = client.unwrap();
        let result = client.send(&envelope(&["b@b.example"]), Body::reader(Broken(1 << 20)));
        assert_eq!(shown(result), expected);
        assert!(!client.is_open());
        handle.finish();
    }
}

// ---- Truth ----

#[test]
fn rule_7_cut_at_every_byte_no_false_success_and_unknown_after_the_dot_alone() {
    let steps: &[(&str, &str)] = &[
        ("", "220 mx.example ESMTP\r\n"),
        ("EHLO me.example\r\n", "250-mx.example\r\n250 PIPELINING\r\n"),
        (
            "MAIL FROM:<ann@a.example>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n",
            "250 Ok\r\n250-2.1.5 Ok\r\n250 2.1.5 Ok\r\n550 No\r\n354 Go\r\n",
        ),
        ("ab\r\n.\r\n", "250-2.0.0 Ok\r\n250 2.0.0 queued\r\n"),
    ];
    let last = steps.len() - 1;
    let mut unknown = 0;
    for (at, (_, reply)) in steps.iter().enumerate() {
        for cut in 0..=reply.len() {
            for end in [Script::eof as fn(Script) -> Script, Script::reset, Script::stall] {
                let mut script = Script::new();
                for (command, reply) in &steps[..at] {
                    script = script.client(command).server(reply);
                }
                script = end(script.client(steps[at].0).server(&reply[..cut]));
                let (client, _) = open(Connector::new(), script, Security::Plain);
                let result = client.and_then(|mut client| {
                    let result = client.send(&envelope(&["b@b.example", "c@b.example"]), "ab");
                    assert_eq!(client.is_open(), result.is_ok());
                    result
                });
                let whole = at == last && cut == reply.len();
                assert_eq!(result.is_ok(), whole, "step {at} cut at {cut}: {result:?}");
                let expected = at == last && !whole;
                let outcome_unknown = result.is_err_and(|error| error.outcome_unknown());
                assert_eq!(outcome_unknown, expected, "step {at} cut at {cut}");
                unknown += usize::from(outcome_unknown);
            }
        }
    }
    assert_eq!(unknown, 3 * steps[last].1.len());
}

#[test]
fn a_broken_reply_to_the_dot_leaves_the_outcome_unknown() {
    for reply in ["354 Go", "334 ", "100 x", "250 a\\rb", "250 a\\0b", "250-a\nS: 251 b", "hello"] {
        let script = format!(
            "{MAIL}C: RCPT TO:<b@b.example>\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nC: ab\nC: .\nS: {reply}\n"
        );
        let script = format!("{HELLO}{PIPELINING}{script}");
        let (client, _) = open(Connector::new(), Script::parse(&script).unwrap(), Security::Plain);
        let error = client.unwrap().send(&envelope(&["b@b.example"]), "ab").unwrap_err();
        assert!(matches!(error, Error::Protocol(_)) && error.outcome_unknown(), "{reply}: {error}");
    }
}

#[test]
fn codes_where_they_are_not_due_close() {
    for replies in [
        "S: 354 Go\n",
        "S: 250 Ok\nS: 354 Go\n",
        "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\n",
        "S: 250 Ok\nS: 250 Ok\nS: 334 \n",
        "S: 250 Ok\nS: 250 Ok\nS: 354 Go\nS: 250 Ok\n",
    ] {
        let script = format!("{HELLO}{PIPELINING}{MAIL}C: RCPT TO:<b@b.example>\nC: DATA\n{replies}");
        let (client, _) = open(Connector::new(), Script::parse(&script).unwrap(), Security::Plain);
        let mut client = client.unwrap();
        let error = client.send(&envelope(&["b@b.example"]), "ab").unwrap_err();
        assert!(matches!(error, Error::Protocol(_)) && !error.outcome_unknown(), "{replies}: {error}");
        assert!(!client.is_open());
    }
}

#[test]
fn goodbye_anywhere_closes() {
    let group = format!("{MAIL}C: RCPT TO:<b@b.example>\nC: DATA\n");
    for (script, command) in [
        (format!("{group}S: 421 4.3.2 Bye\nEOF\n"), "MAIL"),
        (format!("{group}S: 250 Ok\nS: 421 4.3.2 Bye\nEOF\n"), "RCPT"),
        (format!("{group}S: 250 Ok\nS: 250 Ok\nS: 421 4.3.2 Bye\nEOF\n"), "DATA"),
        (format!("{group}S: 250 Ok\nS: 250 Ok\nS: 354 Go\nC: ab\nC: .\nS: 421 4.3.2 Bye\nEOF\n"), "the end of DATA"),
        (format!("{group}S: 550 5.7.1 Bye\nEOF\n"), "MAIL"),
    ] {
        run(PIPELINING, &script, |client, _| {
            let error = client.send(&envelope(&["b@b.example"]), "ab").unwrap_err();
            assert_eq!(&*error.rejection().unwrap().command, command);
            assert!(error.is_fatal() && !error.outcome_unknown() && !client.is_open());
        });
    }
}

// ---- Single verbs ----

#[test]
fn a_transaction_step_by_step() {
    let script = "C: MAIL FROM:<ann@a.example> BODY=8BITMIME\nS: 250 Ok\nC: RCPT TO:<b@b.example>\nS: 550 No\n\
                  C: RCPT TO:<c@b.example>\nS: 250 Ok\nC: DATA\nS: 354 Go\nC: ab\nC: .\nS: 250 queued\n\
                  C: MAIL FROM:<> BODY=8BITMIME\nS: 250 Ok\nC: RSET\nS: 250 Ok\nC: VRFY x\nS: 252 2.1.5 Perhaps\nC: HELP\nS: 502 No\n";
    run(PIPELINING, script, |client, handle| {
        let wrong = |result: String| assert!(result.contains("fatal=false"), "{result}");
        let sent = handle.sent();
        wrong(shown(client.rcpt("b@b.example")));
        wrong(shown(client.data("ab")));
        assert_eq!(handle.sent(), sent);
        client.mail("ann@a.example").unwrap();
        let sent = handle.sent();
        wrong(shown(client.mail("ann@a.example")));
        wrong(shown(client.data("ab")));
        wrong(shown(client.send(&envelope(&["b@b.example"]), "ab")));
        wrong(shown(client.start_tls()));
        wrong(shown(client.login("user", "password")));
        assert_eq!(handle.sent(), sent);
        assert!(client.rcpt("b@b.example").unwrap_err().is_permanent());
        wrong(shown(client.data("ab")));
        client.rcpt("c@b.example").unwrap();
        assert_eq!(client.data("ab").unwrap().text(), "queued");
        wrong(shown(client.rcpt("b@b.example")));
        client.mail("").unwrap();
        client.rset().unwrap();
        wrong(shown(client.rcpt("b@b.example")));
        assert_eq!(client.command("VRFY x").unwrap().to_string(), "252 2.1.5 Perhaps");
        assert!(client.command("HELP").unwrap_err().rejection().is_some());
    });
}

#[test]
fn rule_9_no_argument_becomes_a_command() {
    let bad = [
        "\r\nRCPT TO:<x>",
        "a\r",
        "a\n",
        "a\0",
        "a@b\r\n",
        "a@b\rX",
        "a@b\nX",
        "\"a@b> SIZE=1\"@c",
        "a b@c",
        "a>b@c",
        "a@b> SIZE=1",
        "\"a\r\nb\"@c",
    ];
    run(PIPELINING, "C: MAIL FROM:<a@b> BODY=8BITMIME\nS: 250 Ok\n", |client, handle| {
        let before = handle.writes();
        for bad in bad {
            assert!(matches!(client.mail(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
        }
        let lines = [
            "",
            " NOOP",
            "NOOP\r\nRSET",
            "NOOP\r",
            "NOOP\n",
            "NOOP \0",
            "DATA",
            "data",
            "Data x",
            "AUTH PLAIN",
            "STARTTLS",
            "quit",
            "BDAT 5 LAST",
            "EHLO x",
            "helo x",
            "DATA\tx",
            "X-DATA",
            "N\u{f6}OP",
            "\u{f6}",
        ];
        for line in lines {
            assert!(matches!(client.command(line), Err(Error::InvalidArgument(_))), "{line:?}");
        }
        assert!(client.login("a\r\nRSET", "b").is_err() && client.login("a", "b\n").is_err());
        assert_eq!(handle.writes(), before);
        client.mail("a@b").unwrap();
        for bad in bad {
            assert!(matches!(client.rcpt(bad), Err(Error::InvalidArgument(_))), "{bad:?}");
        }
        assert_eq!(handle.writes(), before + 1);
    });
}

#[test]
fn blank_lines_between_replies_are_skipped() {
    let script = "C: NOOP\nS: 250 Ok\nS- \\r\\n\\n\nC: NOOP\nS- \\r\\n\nS: 250 Ok\nC: MAIL FROM:<a@b>\nS: 250 Ok\n";
    run(PLAIN, script, |client, _| {
        client.noop().unwrap();
        client.noop().unwrap();
        client.mail("a@b").unwrap().to_string()
    });
    // A reply to no command is none of them.
    let script = format!("{HELLO}{PLAIN}C: NOOP\nS: 250 Ok\nS- \\r\\n250 Ok\\r\\n");
    let (client, _) = open(Connector::new(), Script::parse(&script).unwrap(), Security::Plain);
    let mut client = client.unwrap();
    client.noop().unwrap();
    assert!(matches!(client.noop(), Err(Error::Protocol(_))));
}

#[test]
fn quit_is_content_with_silence() {
    for end in ["S: 221 Bye\n", "S: 221-Bye\nS: 221 now\n", "EOF\n", "RESET\n", "S: 421 Bye\nEOF\n", "S- 22\nEOF\n"] {
        let script = format!("{HELLO}{PLAIN}C: QUIT\n{end}");
        let (client, handle) = open(Connector::new(), Script::parse(&script).unwrap(), Security::Plain);
        client.unwrap().quit().unwrap();
        handle.finish();
    }
    let script = format!("{HELLO}{PLAIN}C: QUIT\nS: 500 No\n");
    let (client, _) = open(Connector::new(), Script::parse(&script).unwrap(), Security::Plain);
    assert!(client.unwrap().quit().unwrap_err().rejection().is_some());
}

// ---- Greeting, EHLO, STARTTLS ----

#[test]
fn only_220_welcomes() {
    for greeting in
        ["554 5.7.1 No", "421 Busy", "250 Ok", "221 Bye", "354 Go", "+OK POP3", "* OK IMAP", "220-a\nS: 250 b", "22"]
    {
        for chunking in Chunking::ALL {
            let script = Script::parse(&format!("S: {greeting}\nSTALL\n")).unwrap().chunking(chunking);
            let (client, handle) = open(Connector::new(), script, Security::Plain);
            let error = client.unwrap_err();
            assert!(error.is_fatal(), "{greeting}: {error}");
            assert!(handle.sent().is_empty(), "{greeting}");
        }
    }
}

#[test]
fn helo_where_ehlo_is_not_known_and_no_tls_then() {
    let script = format!("{HELLO}S: 502 5.5.1 What?\nC: HELO me.example\nS: 250 old\n");
    for security in [Security::Plain, Security::StartTls] {
        let (client, handle) = open(Connector::new(), Script::parse(&script).unwrap(), security);
        match security {
            Security::Plain => {
                let mut client = client.unwrap();
                assert_eq!(client.capabilities().iter().count(), 0);
                assert!(matches!(client.start_tls(), Err(Error::StartTls(_))));
                assert!(!client.is_open());
                handle.finish();
            }
            // Who asks for TLS gets no HELO, which knows none.
            _ => {
                assert!(matches!(client, Err(Error::StartTls(_))));
                assert!(handle.sent().ends_with(b"EHLO me.example\r\n"));
            }
        }
    }
    for refusal in ["451 Later", "421 Bye", "550 No", "554 No", "251 Odd"] {
        let script = Script::parse(&format!("{HELLO}S: {refusal}\n")).unwrap();
        let (client, handle) = open(Connector::new(), script, Security::Plain);
        assert!(client.is_err(), "{refusal}");
        handle.finish();
    }
}

const OFFER: &str = "S: 250-mx.example\nS: 250-AUTH PLAIN\nS: 250 StartTLS\n";

#[test]
fn rule_1_anything_but_220_fails_start_tls_and_closes() {
    let offers = [
        (PLAIN, ""),
        (OFFER, "C: STARTTLS\nS: 454 4.7.0 Not now\n"),
        (OFFER, "C: STARTTLS\nS: 502 No\n"),
        (OFFER, "C: STARTTLS\nS: 250 Ok\n"),
        (OFFER, "C: STARTTLS\nS: 221 Ok\n"),
        (OFFER, "C: STARTTLS\nS: 354 do something else\n"),
        (OFFER, "C: STARTTLS\nS: 334 \n"),
        (OFFER, "C: STARTTLS\nS: +OK\n"),
        (OFFER, "C: STARTTLS\nS: 220-go\nS: 250 on\n"),
        (OFFER, "C: STARTTLS\nS: 220 Go\nS: 250 AUTH LOGIN\n"),
        (OFFER, "C: STARTTLS\nS: 220 Go\nS- x\n"),
        (OFFER, "C: STARTTLS\nEOF\n"),
    ];
    for (offer, script) in offers {
        let script_asks = !script.is_empty();
        let script = Script::parse(&format!("{HELLO}{offer}{script}")).unwrap();
        let (client, handle) = open(Connector::new().tls(StandInTls::new()), script, Security::Plain);
        let mut client = client.unwrap();
        let error = client.start_tls().unwrap_err();
        assert!(matches!(error, Error::StartTls(_)) && !client.is_open(), "{error}");
        assert!(!error.to_string().contains("handshake"), "{error}");
        assert!(matches!(client.login("u", "p"), Err(Error::Closed | Error::WrongState(_) | Error::InsecureLogin(_))));
        assert!(handle.sent().ends_with(if script_asks { b"STARTTLS\r\n" } else { b"EHLO me.example\r\n" }));
    }
}

#[test]
fn rule_2_what_was_said_in_clear_is_forgotten() {
    let script = format!(
        "{HELLO}S: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE 10\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\nC: STARTTLS\n\
         S: 220 Go\nTLS\nC: EHLO me.example\nS: 250-mx.example\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcg==\n\
         C: dXNlcg==\nS: 334\nC: cGFzc3dvcmQ=\nS: 235 Ok\n"
    );
    for chunking in Chunking::ALL {
        let script = Script::parse(&script).unwrap().chunking(chunking);
        let (client, handle) = open(Connector::new().tls(StandInTls::new()), script, Security::StartTls);
        let mut client = client.unwrap();
        assert!(client.is_secure() && client.greeting().is_none());
        assert_eq!(client.capabilities().iter().collect::<Vec<_>>(), [("AUTH", "LOGIN")]);
        client.login("user", "password").unwrap();
        handle.finish();
    }
}

// ---- AUTH ----

#[test]
fn auth_takes_235_and_nothing_else() {
    let auth = "C: AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=\n";
    let offer = "S: 250-x\nS: 250 auth=plain\n";
    run(offer, &format!("{auth}S: 235 2.7.0 Welcome\nC: NOOP\nS: 250 Ok\n"), |client, _| {
        client.login("user", "password").unwrap();
        assert!(client.is_authenticated());
        client.noop().unwrap().to_string()
    });
    // Refused: usable, and the next one may be tried. A server that repeats the secret does not get it into an error.
    let refused = format!("{auth}S: 535 5.7.8 AHVzZXIAcGFzc3dvcmQ= password\n{auth}S: 235 Ok\n");
    run(offer, &refused, |client, _| {
        let error = client.login("user", "password").unwrap_err();
        assert_eq!(error.rejection().unwrap().code.as_deref(), Some("5.7.8"));
        assert!(!format!("{error} {error:?}").contains("assword") && !error.to_string().contains("AHVz"), "{error:?}");
        client.login("user", "password").unwrap();
    });
    // PLAIN has no answer to a challenge, and nobody has one to what is not base64: cancelled.
    for (challenge, cause) in [("", SaslCause::Unexpected), ("not base64", SaslCause::NotBase64)] {
        let challenged = format!("{auth}S: 334 {challenge}\nC: *\nS: 501 Cancelled\nC: NOOP\nS: 250 Ok\n");
        run(offer, &challenged, |client, _| {
            let error = client.login("user", "password").unwrap_err();
            assert!(matches!(&error, Error::Sasl(error) if error.cause == cause && !error.closed), "{error:?}");
            client.noop().unwrap().to_string()
        });
    }
    for reply in ["250 Ok", "354 Go", "220 Go", "235-a\nS: 250 b", "334-YQ==\nS: 334 YQ==", "421 Bye"] {
        let script = Script::parse(&format!("{HELLO}{offer}{auth}S: {reply}\n")).unwrap();
        let (client, _) = open(Connector::new(), script, Security::Plain);
        let mut client = client.unwrap();
        let error = client.login("user", "password").unwrap_err();
        assert!(error.is_fatal() && !client.is_open() && !client.is_authenticated(), "{reply}: {error}");
    }
}

#[test]
fn success_before_the_end_of_the_exchange_is_none() {
    let script = Script::parse(&format!("{HELLO}S: 250-x\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 235 Ok\n")).unwrap();
    let (client, _) = open(Connector::new(), script, Security::Plain);
    let mut client = client.unwrap();
    assert!(matches!(client.login("user", "password"), Err(Error::Protocol(_))));
    assert!(!client.is_open());
}

#[test]
fn a_response_too_long_for_the_line_goes_on_its_own() {
    let password = "x".repeat(9_300);
    let mut plain = mailconnect::sasl::Plain::new("u", &password).unwrap();
    let response = mailconnect::sasl::Secret::from(format!("\0u\0{password}")).to_base64();
    let script = Script::parse(&format!("{HELLO}S: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 334 \n")).unwrap();
    let script = script.client([response.as_bytes(), b"\r\n"].concat()).server("235 Ok\r\n");
    let (client, handle) = open(Connector::new(), script, Security::Plain);
    client.unwrap().authenticate(&mut plain).unwrap();
    handle.finish();
}

#[test]
fn rule_3_no_password_in_clear() {
    let (transport, handle) = Script::parse(&format!("{HELLO}S: 250-x\nS: 250 AUTH PLAIN\n")).unwrap().play();
    let mut client = Connector::new().over(smtp(), transport, "mx.example", Security::Plain).unwrap();
    assert!(matches!(client.login("user", "password"), Err(Error::InsecureLogin(_))));
    handle.finish();
}

#[test]
fn a_silent_server_is_a_time_out_of_its_phase() {
    let sent = format!(
        "{HELLO}{PIPELINING}{MAIL}C: RCPT TO:<b@b.example>\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nC: ab\nC: .\nSTALL\n"
    );
    for (script, phase, minutes) in [("STALL\n".to_owned(), Phase::Greeting, 0), (sent, Phase::FinalAnswer, 10)] {
        let (client, handle) = open(Connector::new(), Script::parse(&script).unwrap(), Security::Plain);
        let error = client.and_then(|mut client| client.send(&envelope(&["b@b.example"]), "ab")).unwrap_err();
        let Error::Timeout(timeout) = &error else { panic!("{error}") };
        assert_eq!((timeout.at.phase, error.outcome_unknown()), (phase, phase == Phase::FinalAnswer));
        assert_eq!(handle.clock().elapsed().as_secs() / 60, minutes);
    }
}

#[test]
fn the_largest_message_that_the_server_takes() {
    let body = "x".repeat(998);
    let script = format!(
        "C: MAIL FROM:<ann@a.example> SIZE=1000 BODY=8BITMIME\nC: RCPT TO:<b@b.example>\nC: DATA\nS: 250 Ok\nS: 250 Ok\n\
         S: 354 Go\nC: {body}\nC: .\nS: 250 Ok\n"
    );
    run(PIPELINING, &script, |client, _| client.send(&envelope(&["b@b.example"]), &body).unwrap());
}

#[test]
fn a_recipient_outside_ascii_needs_the_parameter_on_mail() {
    let script = "C: MAIL FROM:<ann@a.example>\nS: 250 Ok\nC: RSET\nS: 250 Ok\n\
                  C: MAIL FROM:<\\xc3\\xb6@a.example> SMTPUTF8\nS: 250 Ok\nC: RCPT TO:<b\\xc3\\xb6b@b.example>\nS: 250 Ok\n";
    run("S: 250-x\nS: 250 SMTPUTF8\n", script, |client, handle| {
        client.mail("ann@a.example").unwrap();
        let sent = handle.sent();
        assert!(matches!(client.rcpt("b\u{f6}b@b.example"), Err(Error::Unsupported(_))));
        assert_eq!(handle.sent(), sent);
        client.rset().unwrap();
        client.mail("\u{f6}@a.example").unwrap();
        client.rcpt("b\u{f6}b@b.example").unwrap().to_string()
    });
}

#[test]
fn a_raw_command_that_is_lost_may_have_been_done() {
    let script = Script::parse(&format!("{HELLO}{PLAIN}C: ETRN x\nEOF\n")).unwrap();
    let (client, _) = open(Connector::new(), script, Security::Plain);
    assert!(client.unwrap().command("ETRN x").unwrap_err().outcome_unknown());
}

#[test]
fn no_login_in_a_transaction() {
    let script = "C: MAIL FROM:<ann@a.example>\nS: 250 Ok\n";
    run("S: 250-x\nS: 250 AUTH PLAIN\n", script, |client, _| {
        client.mail("ann@a.example").unwrap();
        assert!(matches!(client.login("user", "password"), Err(Error::WrongState(_))));
    });
}

/// Has nothing to say, and says so.
struct Nothing;

impl mailconnect::sasl::Mechanism for Nothing {
    fn name(&self) -> &str {
        "EXTERNAL"
    }

    fn start(&mut self, _: &mailconnect::sasl::Context<'_>) -> Result<Option<mailconnect::sasl::Secret>> {
        Ok(Some("".into()))
    }

    fn step(&mut self, challenge: &[u8]) -> Result<mailconnect::sasl::Secret> {
        if challenge.is_empty() { Ok("".into()) } else { Err(Error::unsupported("a challenge")) }
    }

    fn is_finished(&self) -> bool {
        true
    }
}

#[test]
fn empty_responses_and_what_cancels() {
    let auth = |script: &str, limits: mailconnect::Limits| {
        let script = Script::parse(&format!("{HELLO}{PLAIN}C: AUTH EXTERNAL =\n{script}")).unwrap();
        let (client, handle) = open(Connector::new().limits(limits), script, Security::Plain);
        let mut client = client.unwrap();
        let result = client.authenticate(&mut Nothing);
        assert_eq!(client.is_open(), result.as_ref().err().is_none_or(|error| !error.is_fatal()));
        handle.finish();
        result
    };
    let limits = mailconnect::Limits::default;
    auth("S: 235 Ok\n", limits()).unwrap();
    auth("S: 334 \nC- \\r\\n\nS: 235 Ok\n", limits()).unwrap();
    assert!(matches!(auth("S: 334 YQ==\nC: *\nS: 501 No\n", limits()), Err(Error::Unsupported(_))));
    assert!(matches!(auth("S: 334 YQ==\nC: *\nS: 421 Bye\n", limits()), Err(Error::Rejected(_))));
    assert!(matches!(auth("S: 334 YQ==\nC: *\nS: 235 Ok\n", limits()), Err(Error::Protocol(_))));
    assert!(matches!(auth("S: 334 YQ==\nC: *\nS: 334 \n", limits()), Err(Error::Protocol(_))));
    let mut few = limits();
    few.sasl_challenge = 3;
    assert!(matches!(auth("S: 334 YWFh\nC: *\nS: 501 No\n", few.clone()), Err(Error::Unsupported(_))));
    let too_long = auth("S: 334 YWFhYQ==\nC: *\nS: 501 No\n", few.clone());
    assert!(matches!(too_long, Err(Error::Sasl(error)) if error.cause == SaslCause::TooLong { max: 3 }));
    // A server that hangs up or says goodbye instead of agreeing does not change the reason.
    for end in ["EOF", "S: 421 Bye"] {
        let closed = auth(&format!("S: 334 YWFhYQ==\nC: *\n{end}\n"), few.clone());
        assert!(matches!(closed, Err(Error::Sasl(error)) if error.closed), "{end}");
    }
    assert!(matches!(auth("S: 334 YWFhYQ==\nC: *\nS: 235 Ok\n", few), Err(Error::Protocol(_))));
}

#[test]
fn rule_6_capabilities_are_limited() {
    for (max, good) in [(3, true), (2, false)] {
        let mut limits = mailconnect::Limits::default();
        limits.capabilities = max;
        let script = Script::parse(&format!("{HELLO}{PIPELINING}")).unwrap();
        let (client, _) = open(Connector::new().limits(limits), script, Security::Plain);
        assert_eq!(client.is_ok(), good);
    }
}

// ---- Real servers ----

/// Every SMTP endpoint of the rig that can be used without TLS.
#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn rig_plain_endpoints() {
    let path = std::env::var("MAILCONNECT_RIG").expect("MAILCONNECT_RIG names the rig's list of servers");
    let rig: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let password = rig["users"]["alice"].as_str().unwrap();
    let has = |list: &serde_json::Value, word: &str| list.as_array().unwrap().iter().any(|item| item == word);
    let mut tried = 0;
    for endpoint in rig["endpoints"].as_array().unwrap() {
        let login = has(&endpoint["auth_plain"], "PLAIN") || has(&endpoint["auth_plain"], "LOGIN");
        let plain = endpoint["proto"] == "smtp" && (endpoint["mode"] == "plain" || login);
        if !plain || endpoint["fails"]["how"] == "slow" {
            continue;
        }
        let name = endpoint["name"].as_str().unwrap();
        let port = u16::try_from(endpoint["port"].as_u64().unwrap()).unwrap();
        let user = login.then(|| format!("alice{}", endpoint["login_suffix"].as_str().unwrap()));
        let domain = endpoint["domains"][0].as_str().unwrap_or("example.test");
        let result = deliver(port, user.as_deref().map(|user| (user, password)), domain, name);
        match (endpoint["fails"]["at"].as_str(), endpoint["fails"]["how"].as_str(), &result) {
            (None, ..) | (Some("quit"), ..) => assert!(result.is_ok(), "{name}: {result:?}"),
            (Some("ehlo"), Some("5xx"), _) => assert!(result.is_ok(), "{name}: HELO: {result:?}"),
            (Some(at), Some("drop"), Err(error)) => {
                assert!(matches!(error, Error::ConnectionLost(_)), "{name}: {error}");
                assert_eq!(error.outcome_unknown(), at == "dot", "{name}: {error}");
            }
            (Some(_), Some(how), Err(error)) => {
                let status = &error.rejection().unwrap_or_else(|| panic!("{name}: {error}")).status;
                assert_eq!(status.get(..1), how.get(..1), "{name}: {error}");
            }
            other => panic!("{name}: {other:?}"),
        }
        println!("{name}: {}", result.unwrap_or_else(|error| error.to_string()));
        tried += 1;
    }
    assert!(tried >= 35, "{tried} endpoints");
}

/// Sends a message with dots and long lines, from memory and from a reader, and says what the server answered.
fn deliver(port: u16, user: Option<(&str, &str)>, domain: &str, name: &str) -> Result<String> {
    let mut client = SmtpClient::connect(("127.0.0.1", port))?;
    if let Some((user, password)) = user {
        client.login(user, password)?;
    }
    let bob = format!("bob@{domain}");
    let nobody = format!("nosuch-user@{domain}");
    let from = format!("alice@{domain}");
    let message = format!(
        "From: <{from}>\nTo: <{bob}>\nSubject: plain test of {name}\nContent-Type: text/plain; charset=utf-8\n\n.\n..\n. gr\u{fc}n\n{}\n.\n",
        ".x".repeat(400)
    );
    let long = message.clone() + &"0123456789 .\n.\n".repeat(20_000);
    let report = client.send(&Envelope::new(&from, [&bob])?, &message)?;
    client.send(&Envelope::new(&from, [&bob])?, Body::reader(long.as_bytes()).size(long.len() as u64))?;
    let both = client.send(&Envelope::new(&from, [&nobody, &bob])?, &message)?;
    let none = client.send(&Envelope::new(&from, [&nobody])?, &message);
    assert_eq!(none.is_err(), both.refused.len() == 1, "{name}: {none:?}");
    client.noop()?;
    client.mail(&from)?;
    client.rcpt(&bob)?;
    client.rset()?;
    client.quit()?;
    Ok(format!("{} ({} refused)", report.reply, both.refused.len()))
}
