//! A mailbox as curl sees it, which must be as this crate sees it; and a message that curl puts into another one.
//!
//! Of what answers a command of one's own, curl shows the untagged lines that it knows for such, and of a literal only
//! the line before it. It marks as seen what it fetches by URL, and has the flag set in what it appends.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Write;
use std::process::{Command, Stdio};

use mailconnect::ImapClient;
use mailconnect::imap::{
    Address, Addresses, Capabilities, Envelope, FetchedMessage, Item, ListEntry, Namespace, Namespaces, Store, Text,
};

use crate::login::USER;
use crate::messages::{Message, body, difference};
use crate::model::{Endpoint, Mode, Rig, Verify};
use crate::report::{Checked, During, ensure};
use crate::roundtrip::large;
use crate::seen::{Folder, Seen, raw_name};

/// What is compared at every endpoint; NAMESPACE comes on top where it is offered.
pub(crate) const LEAST: usize = 18;

/// Written by curl behind each answer; no message of the rig has such a line.
const END: &[u8] = b"\n<<the end of what curl got>>\n";

/// Seconds for one transfer of curl's.
const WATCHDOG: &str = "180";

/// Compares the first mailbox with what was `seen` of it, and has curl append to the second. No mailbox is open, before
/// or afterwards. Says how many things were compared.
pub(crate) fn compare(
    rig: &Rig,
    endpoint: &Endpoint,
    client: &mut ImapClient,
    seen: &Seen,
    boxes: &[ListEntry; 2],
) -> Checked<usize> {
    let capabilities = client.capabilities().during("CAPABILITY")?.clone();
    let folder = Folder::new("curl", endpoint)?;
    let (message, second) = (large(), raw_name(&boxes[1])?);
    let mut questions = vec![names(boxes), uploading(second, folder.write("message", &message.bytes)?)];
    questions.extend(about(raw_name(&boxes[0])?, seen)?);
    if capabilities.has("NAMESPACE") {
        questions.push(namespaces(client.namespace().during("NAMESPACE")?));
    }
    questions.push(offered(capabilities));
    let answers = ask(rig, endpoint, &folder, &questions)?;
    for (question, answer) in questions.iter().zip(&answers) {
        (question.same)(answer).map_err(|error| format!("curl, {:?}: {error}", question.options))?;
    }
    marked_as_seen(client, &boxes[0], seen)?;
    uploaded(endpoint, client, &boxes[1], &message)?;
    Ok(answers.len() + 2)
}

// ---- What is asked, and what must be the answer ----

/// Whether an answer is as this crate sees it.
type Same<'a> = Box<dyn Fn(&[u8]) -> Checked + 'a>;

struct Question<'a> {
    /// Lines of curl's configuration.
    options: Vec<(&'static str, String)>,
    same: Same<'a>,
}

/// A transfer: `path` is what stands behind the server's own URL.
fn get<'a>(path: String, same: impl Fn(&[u8]) -> Checked + 'a) -> Question<'a> {
    Question { options: vec![("url", path)], same: Box::new(same) }
}

/// Any command, in the mailbox of `path`.
fn custom<'a>(path: String, command: String, same: impl Fn(&str) -> Checked + 'a) -> Question<'a> {
    let same = move |answer: &[u8]| same(&String::from_utf8_lossy(answer));
    Question { options: vec![("url", path), ("request", command)], same: Box::new(same) }
}

/// All that is compared in the mailbox that was seen. First what depends on flags: fetching changes them.
fn about<'a>(name: &str, seen: &'a Seen) -> Checked<Vec<Question<'a>>> {
    let Seen { messages, .. } = seen;
    let mailbox = encoded(name);
    let mut questions = vec![
        status(name, seen),
        examined(name, seen),
        flagged(&mailbox, seen),
        summaries(&mailbox, messages),
        envelopes(&mailbox, messages),
    ];
    for message in messages {
        questions.push(by_subject(&mailbox, message)?);
    }
    for message in messages {
        questions.push(whole(&mailbox, seen, message)?);
    }
    questions.push(text(&mailbox, messages)?);
    questions.push(part(&mailbox, messages)?);
    Ok(questions)
}

fn offered<'a>(ours: Capabilities) -> Question<'a> {
    custom(String::new(), "CAPABILITY".into(), move |answer| {
        let ours: BTreeSet<_> = ours.iter().map(str::to_ascii_uppercase).collect();
        let theirs = answer.split_whitespace().skip(2).map(str::to_ascii_uppercase).collect();
        same(&ours, &theirs)
    })
}

fn namespaces<'a>(ours: Namespaces) -> Question<'a> {
    custom(String::new(), "NAMESPACE".into(), move |answer| {
        let space = |space: &Namespace| format!("({} {})", quoted(&space.prefix), delimiter(space.delimiter));
        let [personal, other_users, shared] =
            [&ours.personal, &ours.other_users, &ours.shared].map(|spaces| list(spaces.iter().map(space)));
        same(format!("* NAMESPACE {personal} {other_users} {shared}").as_str(), answer.trim_end())
    })
}

/// Other sessions make mailboxes too; these two are our own.
fn names(boxes: &[ListEntry; 2]) -> Question<'_> {
    get(String::new(), move |answer| {
        let answer = String::from_utf8_lossy(answer);
        for entry in boxes {
            // A name without a space may stand there with or without quotes.
            let name = raw_name(entry)?;
            let end = format!(") {} {name}", delimiter(entry.delimiter));
            let line = answer.lines().map(|line| line.replace(&quoted(name), name)).find(|line| line.ends_with(&end));
            let line = line.ok_or_else(|| format!("nothing ends in {end}: {answer}"))?;
            let theirs = line.strip_prefix("* LIST (").and_then(|line| line.strip_suffix(&end)).unwrap_or(&line);
            same(&lasting(&entry.attributes), &lasting(theirs.split_whitespace()))?;
        }
        Ok(())
    })
}

fn status<'a>(name: &str, seen: &'a Seen) -> Question<'a> {
    let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)", quoted(name));
    custom(String::new(), command, |answer| {
        let theirs = seen.counts().map(|(item, _)| (item, number(answer, &format!("{item} "))));
        same(&seen.counts(), &theirs)
    })
}

fn examined<'a>(name: &str, seen: &'a Seen) -> Question<'a> {
    custom(String::new(), format!("EXAMINE {}", quoted(name)), |answer| {
        let exists = format!("* {} EXISTS", seen.mailbox.exists);
        ensure(answer.lines().any(|line| line == exists), || format!("no {exists} in {answer}"))?;
        let told = [seen.mailbox.uid_validity, seen.mailbox.uid_next];
        same(&told, &["UIDVALIDITY ", "UIDNEXT "].map(|item| number(answer, item)))
    })
}

fn flagged<'a>(mailbox: &str, seen: &'a Seen) -> Question<'a> {
    custom(mailbox.into(), "UID SEARCH FLAGGED".into(), |answer| same(&seen.flagged, &numbers(answer)))
}

fn by_subject<'a>(mailbox: &str, message: &'a FetchedMessage) -> Checked<Question<'a>> {
    let subject = envelope(message)?.subject().ok_or("no subject")?.to_string();
    let path = format!("{mailbox}?{}", encoded(&format!("SUBJECT {subject}")));
    Ok(get(path, |answer| same(&vec![message.number()], &numbers(&String::from_utf8_lossy(answer)))))
}

/// All of a message but its text.
fn summaries<'a>(mailbox: &str, messages: &'a [FetchedMessage]) -> Question<'a> {
    custom(mailbox.into(), "FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)".into(), move |answer| {
        for message in messages {
            let theirs = line_of(message, answer)?;
            same(&message.uid(), &number(theirs, "UID "))?;
            same(&lasting(message.flags().iter().flat_map(|flags| flags.iter())), &told_flags(theirs))?;
            for item in message.items() {
                match item {
                    Item::Size(size) => same(&Some(size), &number(theirs, "RFC822.SIZE ").map(u64::from))?,
                    Item::InternalDate(date) => {
                        let date = format!("INTERNALDATE \"{date}\"");
                        ensure(theirs.contains(&date), || format!("no {date} in {theirs}"))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    })
}

fn envelopes<'a>(mailbox: &str, messages: &'a [FetchedMessage]) -> Question<'a> {
    custom(mailbox.into(), "FETCH 1:* ENVELOPE".into(), move |answer| {
        for message in messages {
            let ours = format!("* {} FETCH (ENVELOPE {})", message.number(), written(&envelope(message)?));
            same(ours.as_str(), line_of(message, answer)?)?;
        }
        Ok(())
    })
}

/// curl itself compares the UIDVALIDITY.
fn whole<'a>(mailbox: &str, seen: &Seen, message: &'a FetchedMessage) -> Checked<Question<'a>> {
    let uid = message.uid().ok_or("no UID")?;
    let validity = seen.status.uid_validity.ok_or("no UIDVALIDITY")?;
    let ours = bytes(message)?;
    Ok(get(format!("{mailbox};UIDVALIDITY={validity}/;UID={uid}"), |theirs| same_bytes(ours, theirs)))
}

fn text<'a>(mailbox: &str, messages: &'a [FetchedMessage]) -> Checked<Question<'a>> {
    let message = messages.last().ok_or("no message")?;
    let ours = body(bytes(message)?).ok_or("no empty line")?;
    let path = format!("{mailbox}/;MAILINDEX={}/;SECTION=TEXT", message.number());
    Ok(get(path, |theirs| same_bytes(ours, theirs)))
}

fn part<'a>(mailbox: &str, messages: &'a [FetchedMessage]) -> Checked<Question<'a>> {
    let message = messages.first().ok_or("no message")?;
    let ours = bytes(message)?.get(5..25).ok_or("a message of less than 25 bytes")?;
    let path = format!("{mailbox}/;MAILINDEX={}/;PARTIAL=5.20", message.number());
    Ok(get(path, |theirs| same_bytes(ours, theirs)))
}

fn uploading<'a>(mailbox: &str, file: String) -> Question<'a> {
    let mut question = get(encoded(mailbox), |answer| same_bytes(b"", answer));
    question.options.push(("upload-file", file));
    question
}

// ---- What curl has done ----

fn marked_as_seen(client: &mut ImapClient, mailbox: &ListEntry, seen: &Seen) -> Checked {
    client.select(mailbox).during("SELECT")?;
    let found = client.search("SEEN").during("SEARCH SEEN")?;
    client.close().during("CLOSE")?;
    same(&found, &seen.found)
}

/// The message is there byte for byte; it is taken away.
fn uploaded(endpoint: &Endpoint, client: &mut ImapClient, mailbox: &ListEntry, message: &Message) -> Checked {
    client.select(mailbox).during("SELECT")?;
    let found = client.fetch("1:*", "(FLAGS BODY.PEEK[])").during("FETCH")?.collect().during("FETCH")?;
    let [copy] = &found[..] else { return Err(format!("curl appended one message: {found:?}")) };
    let told = lasting(copy.flags().iter().flat_map(|flags| flags.iter()));
    same(&lasting(["\\Seen"]), &told)?;
    match endpoint.store.as_deref() {
        // Mailutils keeps headers of its own in the message.
        Some("mailutils") => message.differs_from(bytes(copy)?).map_or(Ok(()), Err)?,
        _ => same_bytes(&message.bytes, bytes(copy)?)?,
    }
    client.store(1, &Store::add(&["\\Deleted"]).silent()).during("STORE")?;
    // And expunges it.
    client.close().during("CLOSE")
}

// ---- Running curl ----

/// All of it in one run of curl, which keeps to one connection. The answers in order.
fn ask(rig: &Rig, endpoint: &Endpoint, folder: &Folder, questions: &[Question<'_>]) -> Checked<Vec<Vec<u8>>> {
    let common = common(rig, endpoint, folder)?;
    let (host, port) = endpoint.address();
    let scheme = if endpoint.mode == Mode::Implicit { "imaps" } else { "imap" };
    let transfer = |question: &Question<'_>| {
        let line = |(option, value): &(&str, String)| {
            let server = if *option == "url" { format!("{scheme}://{host}:{port}/") } else { String::new() };
            format!("{option} = {}\n", quoted(&(server + value)))
        };
        common.clone() + &question.options.iter().map(line).collect::<String>()
    };
    let config = questions.iter().map(transfer).collect::<Vec<_>>().join("next\n");
    let mut curl = Command::new("curl");
    curl.args(["-q", "-K", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| format!("curl: {error}");
    let mut running = curl.spawn().map_err(failed)?;
    // It reads all of it before it does anything.
    running.stdin.take().ok_or("no stdin")?.write_all(config.as_bytes()).map_err(failed)?;
    let output = running.wait_with_output().map_err(failed)?;
    let answers = split(&output.stdout);
    ensure(output.status.success() && answers.len() == questions.len(), || {
        let asked = questions.get(answers.len().saturating_sub(1)).map(|question| &question.options);
        format!("{} {answers:?}, at {asked:?}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(answers)
}

/// What every transfer wants. The certificates that nobody should trust are for the suite of all endpoints.
fn common(rig: &Rig, endpoint: &Endpoint, folder: &Folder) -> Checked<String> {
    let (user, password) = rig.credentials(endpoint, USER);
    let end = String::from_utf8_lossy(END).replace('\n', "\\n");
    let mut lines = format!("silent\nshow-error\nfail-early\nmax-time = {WATCHDOG}\nwrite-out = \"{end}\"\n");
    lines += &format!("user = {}\n", quoted(&format!("{user}:{password}")));
    if endpoint.mode == Mode::StartTls {
        lines += "ssl-reqd\n";
    }
    lines += &match endpoint.verify {
        Some(Verify::Fine) => format!("cacert = {}\n", quoted(&folder.write("ca.pem", &rig.ca)?)),
        _ => "insecure\n".to_owned(),
    };
    if endpoint.client_cert {
        lines += &format!("cert = {}\n", quoted(&folder.write("identity.pem", &rig.client.concat())?));
    }
    Ok(lines)
}

fn split(mut output: &[u8]) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    while let Some(at) = output.windows(END.len()).position(|bytes| bytes == END) {
        answers.push(output[..at].to_vec());
        output = &output[at + END.len()..];
    }
    answers
}

// ---- Reading and writing of what is compared ----

fn same<T: PartialEq + Debug + ?Sized>(ours: &T, theirs: &T) -> Checked {
    ensure(ours == theirs, || format!("it saw {theirs:?}, and this crate {ours:?}"))
}

fn same_bytes(ours: &[u8], theirs: &[u8]) -> Checked {
    difference(ours, theirs).map_or(Ok(()), Err)
}

/// For a URL.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// For IMAP and for curl's configuration alike.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn delimiter(delimiter: Option<char>) -> String {
    delimiter.map_or("NIL".into(), |delimiter| quoted(&delimiter.to_string()))
}

/// The number behind `item`.
fn number(text: &str, item: &str) -> Option<u32> {
    let (_, rest) = text.split_once(item)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn numbers(answer: &str) -> Vec<u32> {
    answer.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The line of an answer that tells of this message.
fn line_of<'t>(message: &FetchedMessage, answer: &'t str) -> Checked<&'t str> {
    let start = format!("* {} FETCH ", message.number());
    answer.lines().find(|line| line.starts_with(&start)).ok_or_else(|| format!("no {start} in {answer}"))
}

/// Flags or attributes in lower case, without those that are of a session or of a moment.
fn lasting<S: AsRef<str>>(flags: impl IntoIterator<Item = S>) -> BTreeSet<String> {
    let flags = flags.into_iter().map(|flag| flag.as_ref().to_ascii_lowercase());
    flags.filter(|flag| !["\\recent", "\\marked", "\\unmarked"].contains(&flag.as_str())).collect()
}

fn told_flags(line: &str) -> BTreeSet<String> {
    let list = line.split_once("FLAGS (").and_then(|(_, rest)| rest.split_once(')'));
    lasting(list.map_or("none at all", |(list, _)| list).split_whitespace())
}

fn bytes(message: &FetchedMessage) -> Checked<&[u8]> {
    message.section("BODY[]").ok_or_else(|| format!("no BODY[]: {message:?}"))
}

fn envelope(message: &FetchedMessage) -> Checked<Envelope<'_>> {
    let find = |item| if let Item::Envelope(envelope) = item { Some(envelope) } else { None };
    message.items().find_map(find).ok_or_else(|| format!("no ENVELOPE: {message:?}"))
}

/// As a server writes it, out of what this crate makes of its fields.
fn written(envelope: &Envelope<'_>) -> String {
    let text = |text: Option<Text<'_>>| text.map_or("NIL".into(), |text| quoted(&text.to_str_lossy()));
    let address = |address: Address<'_>| {
        let parts = [address.name, address.route, address.mailbox, address.host].map(text);
        format!("({})", parts.join(" "))
    };
    let people =
        [envelope.from(), envelope.sender(), envelope.reply_to(), envelope.to(), envelope.cc(), envelope.bcc()]
            .map(|people: Addresses<'_>| list(people.map(address)));
    let (date, subject) = (text(envelope.date()), text(envelope.subject()));
    let (reply, id) = (text(envelope.in_reply_to()), text(envelope.message_id()));
    format!("({date} {subject} {} {reply} {id})", people.join(" "))
}

/// NIL if there are none.
fn list(entries: impl Iterator<Item = String>) -> String {
    let entries: String = entries.collect();
    if entries.is_empty() { "NIL".into() } else { format!("({entries})") }
}
