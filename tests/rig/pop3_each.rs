//! Every POP3 endpoint of the rig: each command and each mechanism that it offers, one line each, counted. What comes out
//! is compared with what Python's poplib sees.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailconnect::pop3::{Capabilities, Pop3};
use mailconnect::sasl::{Apop, CramMd5, Login, Mechanism, OAuthBearer, Plain, Scram, XOAuth2};
use mailconnect::{Error, Pop3Client, Protocol, Security};
use serde_json::Value;

use crate::login::{self, USER};
use crate::messages::{body, is_seed};
use crate::model::{Endpoint, Mode, Proto, Rig};
use crate::report::{self, Checked, During, Notes, ensure, refused, whole};
use crate::{mailboxes, opening};

/// Mechanisms that this crate does not have (RFC 6331 calls the first historic, the next two never were in an RFC), and
/// the bound ones of Cyrus, which refuses every binding that can be made here.
const FOREIGN: [&str; 5] = ["DIGEST-MD5", "CRAM-SHA1", "CRAM-SHA256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"];

/// What the endpoints of the rig come to, if all its servers are up.
const LINES: usize = 855;

/// A user's mailbox is opened and closed often, and some servers let go of it only after QUIT was answered.
const TRIES: u32 = 50;

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn pop3_each_command_and_mechanism() {
    let mut rig = Rig::from_environment();
    rig.endpoints.retain(|endpoint| endpoint.proto == Proto::Pop3);
    let (passed, foreign) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = report::run(&rig, |rig, endpoint, notes| {
        let lines = Lines { endpoint, passed: &passed, foreign: &foreign };
        check(rig, &lines, notes)
    });
    let (passed, foreign) = (passed.into_inner(), foreign.into_inner());
    println!(
        "{} POP3 endpoints, {} failed: {passed} commands and mechanisms passed, {foreign} mechanisms are not in this crate \
         ({:?})",
        count.passed,
        count.failed,
        opening::backend()
    );
    assert_eq!((count.passed, count.failed), (rig.endpoints.len(), 0));
    assert!(passed >= LINES, "{passed} lines, and there are {LINES} at least");
}

struct Lines<'a> {
    endpoint: &'a Endpoint,
    passed: &'a AtomicUsize,
    foreign: &'a AtomicUsize,
}

impl Lines<'_> {
    fn ok(&self, what: &str, found: impl std::fmt::Display) {
        self.passed.fetch_add(1, Ordering::Relaxed);
        println!("ok     {} {what}: {found}", self.endpoint.name);
    }

    fn foreign(&self, mechanism: &str) {
        self.foreign.fetch_add(1, Ordering::Relaxed);
        println!("--     {} AUTH {mechanism}: not in this crate", self.endpoint.name);
    }
}

fn check(rig: &Rig, lines: &Lines<'_>, notes: &mut Notes) -> Checked {
    let endpoint = lines.endpoint;
    if endpoint.client_cert {
        notes.add("wants a client certificate: the suite of all endpoints shows how it refuses");
        return Ok(());
    }
    let _guard = mailboxes::alone(endpoint);
    let capabilities = before_login(rig, lines)?;
    mechanisms(rig, lines, &capabilities)?;
    let mut client = logged_in(rig, endpoint)?;
    let messages = reading(rig, lines, &mut client)?;
    batches(lines, &mut client, &messages)?;
    deleting(lines, &mut client, &messages)?;
    client.quit().during("QUIT")?;
    lines.ok("QUIT", "nothing deleted");
    if capabilities.has("UTF8") {
        utf8(rig, lines)?;
    }
    poplib(rig, lines, &messages)?;
    notes.add(format!("{} messages", messages.len()));
    Ok(())
}

fn connected(rig: &Rig, endpoint: &Endpoint) -> Checked<Pop3Client> {
    opening::open(&opening::lenient(rig), endpoint).during("opening")
}

fn logged_in(rig: &Rig, endpoint: &Endpoint) -> Checked<Pop3Client> {
    let mut client = connected(rig, endpoint)?;
    login::log_in(rig, endpoint, &mut client, &rig.seeded_user)?;
    Ok(client)
}

// ---- Before the log-in ----

fn before_login(rig: &Rig, lines: &Lines<'_>) -> Checked<Capabilities> {
    let endpoint = lines.endpoint;
    if endpoint.mode == Mode::StartTls {
        let mut client: Pop3Client = opening::lenient(rig).connect(endpoint.address()).during("connect")?;
        let told = client.capabilities().during("CAPA in clear")?;
        ensure(told.has("STLS"), || "CAPA in clear does not tell STLS".into())?;
        client.start_tls().during("STLS")?;
        ensure(client.is_secure(), || "not secure after STLS".into())?;
        let again = client.capabilities().during("CAPA after STLS")?;
        ensure(!again.has("STLS"), || "CAPA was not asked again after STLS".into())?;
        client.quit().during("QUIT after STLS")?;
        lines.ok("STLS", "and CAPA again");
    }
    let mut client = connected(rig, endpoint)?;
    let told = client.capabilities().during("CAPA")?;
    lines.ok("CAPA", told.iter().collect::<Vec<_>>().join(", "));
    let error = refused("STAT before the log-in", client.stat())?;
    ensure(matches!(error, Error::Rejected(_)), || format!("STAT before the log-in: {}", whole(&error)))?;
    // Not all servers survive that.
    let _ = client.quit();
    Ok(told)
}

/// Every mechanism that the rig says works, and every one that CAPA tells.
fn mechanisms(rig: &Rig, lines: &Lines<'_>, told: &Capabilities) -> Checked {
    let endpoint = lines.endpoint;
    let mut names: Vec<&str> = endpoint.auth.iter().map(String::as_str).collect();
    names.extend(told.mechanisms());
    names.sort_unstable();
    names.dedup();
    for name in names {
        if FOREIGN.contains(&name) {
            lines.foreign(name);
            continue;
        }
        if name == "APOP" && endpoint.mode == Mode::StartTls {
            no_apop_after_stls(rig, lines)?;
        }
        let mut client = connected_for(rig, endpoint, name)?;
        let result = login::patiently(&mut client, |client| by(rig, endpoint, client, name));
        result.during(&format!("logging in by {name}"))?;
        client.stat().during(&format!("STAT after {name}"))?;
        let again = client.capabilities().during("CAPA after the log-in")?;
        client.quit().during(&format!("QUIT after {name}"))?;
        lines.ok(&format!("AUTH {name}"), format!("{} capabilities after it", again.iter().count()));
    }
    Ok(())
}

/// APOP wants to be forced after STLS.
fn connected_for(rig: &Rig, endpoint: &Endpoint, name: &str) -> Checked<Pop3Client> {
    if name != "APOP" || endpoint.mode != Mode::StartTls {
        return connected(rig, endpoint);
    }
    let pop3 = Pop3::new().danger_apop_after_stls(true);
    opening::lenient(rig).open(pop3, endpoint.address(), Security::StartTls).during("opening for APOP")
}

fn no_apop_after_stls(rig: &Rig, lines: &Lines<'_>) -> Checked {
    let mut client = connected(rig, lines.endpoint)?;
    let error = refused("APOP after STLS", by(rig, lines.endpoint, &mut client, "APOP"))?;
    ensure(matches!(error, Error::Unsupported(_)), || format!("APOP after STLS: {}", whole(&error)))?;
    client.quit().during("QUIT")?;
    lines.ok("APOP after STLS", "not unless forced");
    Ok(())
}

fn by(rig: &Rig, endpoint: &Endpoint, client: &mut Pop3Client, name: &str) -> mailconnect::Result<()> {
    let (user, password) = rig.credentials(endpoint, USER);
    let user = user.as_str();
    let mut mechanism: Box<dyn Mechanism> = match name {
        "USER" => return client.exchange(|pop3, wire| pop3.login(wire, user, password)),
        "PLAIN" => Box::new(Plain::new(user, password)?),
        "LOGIN" => Box::new(Login::new(user, password)?),
        "CRAM-MD5" => Box::new(CramMd5::new(user, password)?),
        "APOP" => Box::new(Apop::new(user, password)?),
        "SCRAM-SHA-1" => Box::new(Scram::sha1(user, password)?),
        "SCRAM-SHA-256" => Box::new(Scram::sha256(user, password)?),
        "OAUTHBEARER" => Box::new(OAuthBearer::new(user, &token(user))?),
        "XOAUTH2" => Box::new(XOAuth2::new(user, &token(user))?),
        other => return Err(Error::unsupported(format!("{other}, which this suite does not know"))),
    };
    client.authenticate(&mut *mechanism)
}

/// The user's token, which no other suite of the rig needs in POP3.
fn token(user: &str) -> String {
    let path = std::env::var_os("MAILCONNECT_RIG").expect("MAILCONNECT_RIG");
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    json["oauth_tokens"][user].as_str().expect("a token").to_owned()
}

// ---- One message after the other ----

/// STAT, LIST, UIDL, RETR, TOP and NOOP; the messages.
fn reading(rig: &Rig, lines: &Lines<'_>, client: &mut Pop3Client) -> Checked<Vec<Vec<u8>>> {
    let stat = client.stat().during("STAT")?;
    ensure(stat.messages as usize == rig.seeds.len(), || format!("STAT says {stat:?}"))?;
    lines.ok("STAT", format!("{} messages, {} octets", stat.messages, stat.octets));
    let list = client.list().during("LIST")?;
    let octets: u64 = list.iter().map(|entry| entry.octets).sum();
    ensure(list.len() == rig.seeds.len() && octets == stat.octets, || format!("LIST {list:?}, STAT {stat:?}"))?;
    lines.ok("LIST", format!("{} entries", list.len()));
    let ids = client.uidl().during("UIDL")?;
    ensure(ids.iter().map(|id| id.number).eq(1..=stat.messages), || format!("UIDL {ids:?}"))?;
    lines.ok("UIDL", format!("{} ids, the first is {}", ids.len(), ids[0].uid));
    for (entry, id) in list.iter().zip(&ids) {
        let one = client.list_one(entry.number).during("LIST of one")?;
        let its = client.uidl_one(entry.number).during("UIDL of one")?;
        ensure((one, &its) == (*entry, id), || format!("{one:?} and {its:?} are not {entry:?} and {id:?}"))?;
    }
    lines.ok("LIST n", format!("{} times as LIST", list.len()));
    lines.ok("UIDL n", format!("{} times as UIDL", ids.len()));
    let mut messages = Vec::new();
    for (entry, seed) in list.iter().zip(&rig.seeds) {
        let mut message = Vec::new();
        let size = client.retr_to(entry.number, &mut message).during("RETR")?;
        ensure(size == message.len() as u64, || format!("{size} octets are {}", message.len()))?;
        is_seed(seed, &message)?;
        messages.push(message);
    }
    lines.ok("RETR", format!("{} seeds as they were put there", messages.len()));
    for (message, entry) in messages.iter().zip(&list) {
        let head = client.top(entry.number, 0).and_then(|mut body| body.collect()).during("TOP n 0")?;
        ensure(message.starts_with(head.trim_ascii_end()), || "TOP n 0 is not the head of the message".into())?;
        let all = client.top(entry.number, 10_000).and_then(|mut body| body.collect()).during("TOP n 10000")?;
        // Mailutils puts in an empty line of its own.
        ensure(body(&all).map(<[u8]>::trim_ascii) == body(message).map(<[u8]>::trim_ascii), || {
            format!("TOP n 10000 is {}, not {}", all.escape_ascii(), message.escape_ascii())
        })?;
    }
    lines.ok("TOP", "the heads, and all lines");
    client.noop().during("NOOP")?;
    lines.ok("NOOP", "");
    Ok(messages)
}

// ---- Many messages ----

/// Message 9999, in the middle, is refused and costs no other one.
fn batches(lines: &Lines<'_>, client: &mut Pop3Client, messages: &[Vec<u8>]) -> Checked {
    let capabilities = client.capabilities().during("CAPA")?;
    let pipelined = capabilities.has("PIPELINING");
    let how = if pipelined { "pipelined" } else { "one at a time" };
    let mut all = client.retr_all().during("retr_all")?;
    let mut read = Vec::new();
    while let Some(mut message) = all.next_body().during("next_body")? {
        read.push(message.collect().during("collect")?);
    }
    ensure(read == messages, || "retr_all differs from RETR".into())?;
    lines.ok("RETR of all", how);
    let mut numbers: Vec<u32> = (1..=messages.len() as u32).cycle().take(50).chain([9999, 1, 2]).collect();
    let mut refusals = 0;
    let result = client.retr_each(numbers.iter().copied(), |number, answer| match answer {
        Ok(mut message) => {
            assert!(message.collect()? == messages[number as usize - 1], "message {number}");
            Ok(())
        }
        Err(_) => {
            refusals += usize::from(number == 9999);
            Ok(())
        }
    });
    result.during("retr_each")?;
    ensure(refusals == 1, || format!("{refusals} refusals"))?;
    lines.ok("RETR of many", format!("{how}, one of them refused"));
    let mut heads = client.top_many(1..=messages.len() as u32, 0).during("top_many")?;
    while let Some(mut head) = heads.next_body().during("TOP of many")? {
        let (number, head) = (head.number(), head.collect().during("collect")?);
        let message = &messages[number as usize - 1];
        ensure(message.starts_with(head.trim_ascii_end()), || format!("TOP of many: head of {number}"))?;
    }
    lines.ok("TOP of many", how);
    // Solid POP3, which has no CAPA, hangs up on a client that makes five mistakes.
    numbers.retain(|number| *number != 9999 || !capabilities.is_empty());
    let sizes = client.list_many(numbers.iter().copied()).during("list_many")?;
    let ids = client.uidl_many(numbers.iter().copied()).during("uidl_many")?;
    for (number, (size, id)) in numbers.iter().zip(sizes.iter().zip(&ids)) {
        let right = |entry: Result<u32, &Error>| match entry {
            Ok(told) => told == *number,
            Err(error) => *number == 9999 && matches!(error, Error::Rejected(_)),
        };
        let good = right(size.as_ref().map(|entry| entry.number)) && right(id.as_ref().map(|entry| entry.number));
        ensure(good, || format!("of {number}: {size:?} and {id:?}"))?;
    }
    lines.ok("LIST of many", how);
    lines.ok("UIDL of many", how);
    left_early(lines, client, messages)
}

/// Cursors that are left leave a client in step.
fn left_early(lines: &Lines<'_>, client: &mut Pop3Client, messages: &[Vec<u8>]) -> Checked {
    client.retr_all().and_then(|mut all| all.next_body().map(drop)).during("a cursor that is dropped")?;
    let again = client.retr(2).and_then(|mut body| body.collect()).during("RETR after it")?;
    ensure(again == messages[1], || "RETR after a dropped cursor is another message".into())?;
    lines.ok("RETR left in the middle", "the next answer is its own");
    Ok(())
}

// ---- Deletions, and the rest ----

fn deleting(lines: &Lines<'_>, client: &mut Pop3Client, messages: &[Vec<u8>]) -> Checked {
    let count = messages.len() as u32;
    client.dele(1).during("DELE")?;
    ensure(client.protocol().has_deletions(), || "DELE left no mark".into())?;
    let left = client.stat().during("STAT after DELE")?;
    ensure(left.messages == count - 1, || format!("STAT after DELE: {left:?}"))?;
    lines.ok("DELE", format!("{} messages are left", left.messages));
    client.rset().during("RSET")?;
    let back = client.stat().during("STAT after RSET")?;
    ensure(back.messages == count && !client.protocol().has_deletions(), || format!("STAT after RSET: {back:?}"))?;
    lines.ok("RSET", format!("{count} again"));
    let wrong = if client.capabilities().during("CAPA")?.is_empty() { None } else { Some(9999) };
    let refused = client.dele_many((1..=count).chain(wrong)).during("dele_many")?;
    ensure(refused.iter().map(|(number, _)| *number).eq(wrong), || format!("dele_many: {refused:?}"))?;
    ensure(client.stat().during("STAT")?.messages == 0, || "messages are left".into())?;
    client.rset().during("RSET")?;
    ensure(client.stat().during("STAT")?.messages == count, || "RSET brought not all back".into())?;
    lines.ok("DELE of many", "and RSET");
    let line = client.command("LIST 1").during("command")?;
    let body = client.command_body("LIST").and_then(|mut body| body.collect()).during("command_body")?;
    ensure(line.starts_with("1 ") && body.starts_with(b"1 "), || format!("{line}: {}", body.escape_ascii()))?;
    lines.ok("any command", line);
    Ok(())
}

fn utf8(rig: &Rig, lines: &Lines<'_>) -> Checked {
    let mut client = connected(rig, lines.endpoint)?;
    client.utf8().during("UTF8")?;
    let start_tls = refused("start_tls after UTF8", client.start_tls())?;
    ensure(matches!(start_tls, Error::WrongState(_)), || whole(&start_tls))?;
    login::log_in(rig, lines.endpoint, &mut client, &rig.seeded_user)?;
    client.stat().during("STAT after UTF8")?;
    client.quit().during("QUIT after UTF8")?;
    lines.ok("UTF8", "");
    Ok(())
}

// ---- Python ----

/// Prints STAT, LIST, UIDL and each message in hexadecimal, a line each.
const PROGRAM: &str = r#"
import poplib, ssl, sys
host, port, mode, user, password = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
context = ssl._create_unverified_context()
if mode == "implicit":
    client = poplib.POP3_SSL(host, port, context=context)
else:
    client = poplib.POP3(host, port)
    if mode == "starttls":
        client.stls(context)
client.user(user)
client.pass_(password)
print(*client.stat())
for lines in client.list()[1], client.uidl()[1]:
    print(b";".join(lines).decode())
for number in range(1, client.stat()[0] + 1):
    print(b"".join(line + b"\r\n" for line in client.retr(number)[1]).hex())
client.quit()
"#;

fn poplib(rig: &Rig, lines: &Lines<'_>, messages: &[Vec<u8>]) -> Checked {
    let endpoint = lines.endpoint;
    let (user, password) = rig.credentials(endpoint, &rig.seeded_user);
    let (host, port) = endpoint.address();
    let mut python = Command::new("python3");
    python.args(["-c", PROGRAM, host, &port.to_string(), &endpoint.mode.to_string(), &user, password]);
    let mut output = python.output().map_err(|error| format!("python3: {error}"))?;
    for _ in 0..TRIES {
        // The mailbox may still be taken by our own last session.
        if output.status.success() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        output = python.output().map_err(|error| format!("python3: {error}"))?;
    }
    ensure(output.status.success(), || format!("poplib: {}", String::from_utf8_lossy(&output.stderr)))?;
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let mut client = logged_in(rig, endpoint)?;
    let (stat, list, uidl) =
        (client.stat().during("STAT")?, client.list().during("LIST")?, client.uidl().during("UIDL")?);
    client.quit().during("QUIT")?;
    let join = |entries: Vec<String>| entries.join(";");
    let mut ours = vec![
        format!("{} {}", stat.messages, stat.octets),
        join(list.iter().map(|entry| format!("{} {}", entry.number, entry.octets)).collect()),
        join(uidl.iter().map(|entry| format!("{} {}", entry.number, entry.uid)).collect()),
    ];
    let hex = |message: &Vec<u8>| message.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    ours.extend(messages.iter().map(hex));
    ensure(text.lines().eq(&ours), || format!("poplib saw {text}, and not {}", ours.join("\n")))?;
    lines.ok("as poplib", format!("STAT, LIST, UIDL and {} messages", messages.len()));
    Ok(())
}
