//! What servers send that costs other clients the answer or the connection. Each is survived by the command that it comes
//! in, by the one after it, in any chunks, and cut anywhere it is an error and never a result.

use std::time::Duration;

use mailconnect::imap::Imap;
use mailconnect::testing::{Chunking, Script};
use mailconnect::{Connector, ImapClient, Result, Security};

use crate::{open_with, session_of, told};

/// Who sends it, what comes, and what a FETCH makes of it, an item a line; nothing if it is no FETCH.
type Quirk = (&'static str, &'static [u8], &'static [&'static str]);

const FETCHED: &[Quirk] = &[
    ("QQ: a blank before the end", b"* 1 FETCH (UID 5 )\r\n", &["Uid(5)"]),
    ("QQ: a blank after the flags", b"* 1 FETCH (FLAGS (\\Seen ) UID 5)\r\n", &["Flags([\"\\\\Seen\"])", "Uid(5)"]),
    ("hMailServer: no flags", b"* 1 FETCH (FLAGS () UID 5)\r\n", &["Flags([])", "Uid(5)"]),
    ("flags in quotes", b"* 1 FETCH (FLAGS (\"\\\\Seen\" \"x\" \"\\Draft\") UID 5)\r\n", &["Flags([\"\\\\Seen\", \"x\", \"\\\\Draft\"])", "Uid(5)"]),
    ("Domino: double blanks", b"* 1  FETCH  (UID  5  FLAGS  (\\Seen  x))\r\n", &["Uid(5)", "Flags([\"\\\\Seen\", \"x\"])"]),
    ("Domino: parentheses around one item", b"* 1 FETCH (UID 5 (RFC822.SIZE 6) FLAGS ())\r\n", &["Uid(5)", "Size(6)", "Flags([])"]),
    ("Yandex: nothing where an empty part is", b"* 1 FETCH (UID 5 BODY[2.MIME] {3}\r\nA:  BODY[2] )\r\n", &["Uid(5)", "BODY[2.MIME] 3 A: ", "BODY[2] 0 NIL"]),
    ("Exchange: a size below zero", b"* 1 FETCH (RFC822.SIZE -1 UID 5)\r\n", &["RFC822.SIZE: -1", "Uid(5)"]),
    ("a size above 32 bits", b"* 1 FETCH (RFC822.SIZE 4294967296)\r\n", &["Size(4294967296)"]),
    ("a size above 64 bits", b"* 1 FETCH (RFC822.SIZE 18446744073709551616 UID 5)\r\n", &["RFC822.SIZE: 18446744073709551616", "Uid(5)"]),
    ("a UID above 32 bits", b"* 1 FETCH (UID 4294967296 FLAGS ())\r\n", &["UID: 4294967296", "Flags([])"]),
    ("Gmail: X-GM-*", b"* 1 FETCH (X-GM-MSGID 1278455344230334865 X-GM-THRID 9 X-GM-LABELS (\\Inbox \"a b\" &APw-))\r\n", &["GmailMessageId(1278455344230334865)", "GmailThreadId(9)", "GmailLabels([\"\\\\Inbox\", \"a b\", \"\u{fc}\"])"]),
    ("OBJECTID", b"* 1 FETCH (EMAILID (M6d) THREADID NIL)\r\n", &["EmailId(\"M6d\")", "ThreadId(None)"]),
    ("PREVIEW and SAVEDATE", b"* 1 FETCH (PREVIEW NIL SAVEDATE NIL MODSEQ (7))\r\n", &["Preview(None)", "SaveDate(None)", "ModSeq(7)"]),
    ("an item that nobody knows", b"* 1 FETCH (X-A[b c]<1> (d (e \")\")) UID 5)\r\n", &["X-A[b c]<1>: (d (e \")\"))", "Uid(5)"]),
    ("a date without a year's century", b"* 1 FETCH (INTERNALDATE \" 1-Jan-70\" UID 5)\r\n", &["INTERNALDATE: \" 1-Jan-70\"", "Uid(5)"]),
    ("Courier: a date with the zone's name", b"* 1 FETCH (INTERNALDATE \"1-jan-1970 00:00:00 +0000 (UTC)\")\r\n", &["InternalDate( 1-Jan-1970 00:00:00 +0000)"]),
    ("Dovecot: BINARY as literal8", b"* 1 FETCH (BINARY[1] ~{2}\r\n\0\n UID 5)\r\n", &["BINARY[1] 2 \0\n", "Uid(5)"]),
    ("a NUL in a message", b"* 1 FETCH (BODY[] {3}\r\na\0b)\r\n", &["BODY[] 3 a\0b"]),
    ("what seems to be a reply in a message", b"* 1 FETCH (BODY[] {14}\r\n\r\nA1 OK\r\n* X\r\n)\r\n", &["BODY[] 14 \r\nA1 OK\r\n* X\r\n"]),
    ("Latin-1 in a quoted string", b"* 1 FETCH (PREVIEW \"\xe9\" UID 5)\r\n", &["Preview(Some(\"\u{fffd}\"))", "Uid(5)"]),
    ("a structure that is none", b"* 1 FETCH (BODYSTRUCTURE NIL ENVELOPE \"x\" UID 5)\r\n", &["BODYSTRUCTURE: NIL", "ENVELOPE: \"x\"", "Uid(5)"]),
    ("rust-imap #166: an empty list of addresses", b"* 1 FETCH (ENVELOPE (NIL \"s\" () ((NIL NIL \"x\" \"y\"))) UID 5)\r\n", &[
        "Envelope { date: None, subject: Some(\"s\"), from: [], sender: [Address { name: None, route: None, mailbox: Some(\"x\"), host: Some(\"y\") }], reply_to: [], to: [], cc: [], bcc: [], in_reply_to: None, message_id: None }",
        "Uid(5)",
    ]),
    ("MailKit #1369: a literal counted in characters", "* 1 FETCH (PREVIEW {7}\r\nэто \"а\" UID 5)\r\n".as_bytes(), &["Preview(Some(\"это \\\"а\\\"\"))", "Uid(5)"]),
    ("Gmail: quotes that are not escaped", b"* 1 FETCH (ENVELOPE (NIL \"a\" NIL ((\"<b@c>\" NIL \"=?q?\"d_e\"?=\" NIL)) NIL NIL NIL NIL NIL \"f\") UID 5)\r\n", &[
        "Envelope { date: None, subject: Some(\"a\"), from: [], sender: [Address { name: Some(\"<b@c>\"), route: None, mailbox: Some(\"=?q?\\\"d_e\\\"?=\"), host: None }], reply_to: [], to: [], cc: [], bcc: [], in_reply_to: None, message_id: Some(\"f\") }",
        "Uid(5)",
    ]),
    ("a body between odd strings", b"* 1 FETCH (X (\"a\"b) BODY[] {2}\r\nab PREVIEW \"a \"b\" c\" UID 5)\r\n", &["X: (\"a\"b)", "BODY[] 2 ab", "Preview(Some(\"a \\\"b\\\" c\"))", "Uid(5)"]),
    ("net-imap: brackets after RFC822 in a message", b"* 1 FETCH (RFC822[] {5}\r\na\r\nb\n UID 5)\r\n", &["RFC822[] 5 a\r\nb\n", "Uid(5)"]),
    ("an empty multipart", b"* 1 FETCH (BODY (NIL \"MIXED\" NIL \"inline\" -1) UID 5)\r\n", &["Structure([: multipart/MIXED])", "Uid(5)"]),
    ("Exchange: a string as disposition", b"* 1 FETCH (BODYSTRUCTURE (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" -1 -1 NIL \"inline\" NIL))\r\n", &["Structure([1: TEXT/PLAIN])"]),
    ("Zimbra: quotes that are not escaped", b"* 1 FETCH (X (\"a \"b\" c\" NIL) UID 5)\r\n", &["X: (\"a \"b\" c\" NIL)", "Uid(5)"]),
    ("a quote that is not escaped, before lists", b"* 1 FETCH (ENVELOPE (\"d\" \"24.\"-Monitor\" ((\"Ann\" NIL \"12345\" \"qq.com\")) NIL NIL ((\"x y UID 99 z\" NIL \"m\" \"h\")) NIL NIL NIL \"<i>\") UID 7)\r\n", &["", "Uid(7)"]),
    ("the same at the end of one", b"* 1 FETCH (X (\"a\" \"b\"c\") UID 7 PREVIEW \"d \"e\" f\" RFC822.SIZE 5)\r\n", &["X: (\"a\" \"b\"c\")", "Uid(7)", "Preview(Some(\"d \\\"e\\\" f\"))", "Size(5)"]),
    ("a quoted string without an end", b"* 1 FETCH (X \"a UID 5)\r\n", &["X: \"a UID 5)"]),
    ("a list without an end", b"* 1 FETCH (UID 5 X (a\r\n", &["Uid(5)", "X: (a"]),
    ("a line end in a quoted string", b"* 1 FETCH (UID 5 X \"two\r\nlines\" BODY[] {7}\r\nA2 OK\r\n)\r\n", &["Uid(5)", "X: \"two"]),
    ("a FETCH without items", b"* 1 FETCH\r\n* 1 FETCH ()\r\n* 1 FETCH UID\r\n", &["message 1", "message 1", "UID: "]),
    ("nested too deep", b"* 1 FETCH (BODY (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((\"a\"))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) UID 5)\r\n", &["", "Uid(5)"]),
];

const OTHERS: &[(&str, &[u8])] = &[
    ("something that nobody knows", b"* NOOP (a \"b\" {1}\r\nx)\r\n* 5 FROB\r\n"),
    (
        "ESEARCH",
        b"* ESEARCH (TAG \"A1\") UID ALL 1:3,5\r\n* SEARCH 2 84 (MODSEQ 917162500)\r\n* SEARCH\r\n* SEARCH x\r\n",
    ),
    ("Gmail: XLIST", b"* XLIST (\\HasNoChildren \\Inbox) \"/\" \"INBOX\"\r\n"),
    ("LIST with what RFC 5258 adds", b"* LIST (\\Subscribed) \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"),
    ("LIST with an attribute without a backslash", b"* LIST (Marked) NIL INBOX\r\n"),
    ("Exchange: a delimiter that is not escaped", b"* LIST (\\Noselect) \"\\\" \"x\"\r\n* LIST () \"\\\" y\r\n"),
    ("STATUS with what nobody knows", b"* STATUS INBOX (MESSAGES 1 MAILBOXID (x) SIZE 4294967296 X-A NIL )\r\n"),
    ("Domino: double blanks", b"* CAPABILITY  IDLE   AUTH=PLAIN \r\n"),
    ("NAMESPACE", b"* NAMESPACE ((\"\" \"/\" \"X-PARAM\" (\"a\" \"b\"))) NIL ((\"\" \"\\\"))\r\n"),
    ("THREAD", b"* THREAD (2)(3 6 (4 23)(44 7 96))\r\n* SORT 2 84 882\r\n"),
    ("ACL", b"* ACL INBOX user lrs \"o t\" \"\"\r\n* MYRIGHTS INBOX rwiptsldaex\r\n* LISTRIGHTS x y la r s\r\n"),
    ("QUOTA", b"* QUOTA \"\" (STORAGE 10 512)\r\n* QUOTA x ()\r\n* QUOTAROOT INBOX\r\n"),
    ("METADATA", b"* METADATA \"\" (/shared/comment {5}\r\nA1 OK /private/x NIL)\r\n"),
    ("VANISHED", b"* VANISHED (EARLIER) 1:4294967295\r\n* VANISHED 405,407\r\n"),
    ("Exchange: a code that stands alone", b"[COPYUID 55 31 6]\r\n"),
    ("no text", b"* OK\r\n* NO\r\n* BAD\r\n* OK \r\n"),
    (
        "odd codes",
        b"* OK [\r\n* OK [UIDNEXT]\r\n* OK [UIDNEXT -1] x\r\n* NO [X-\xfc \"\r\n* OK []\r\n* OK [A \"]\" B\r\n",
    ),
    ("Domino: text where a code should be", b"* OK [x] [y] Searched 91% of the mailbox, ETA 0:01\r\n"),
    ("a set of everything", b"* OK [COPYUID 1 1:4294967295 1:4294967295] x\r\n"),
    ("a literal in a code", b"* NO [BADCHARSET ({5}\r\nUTF-8)] x {5}\r\n"),
    ("text that is not ASCII", b"* OK \xfc\xfd\r\n* NO caf\xc3\xa9\r\n* \xfc\xfd\r\n"),
    ("Exchange: an empty line", b"\r\n\r\n"),
    ("a star alone", b"*\r\n* \r\n"),
    (
        "numbers that are none",
        b"* 4294967296 EXISTS\r\n* -1 EXISTS\r\n* EXISTS\r\n* 1e3 EXISTS\r\n* 0 FETCH (UID 1)\r\n",
    ),
    ("flags that are none", b"* FLAGS\r\n* FLAGS NIL\r\n* FLAGS (\\Seen )\r\n* OK [PERMANENTFLAGS ()] x\r\n"),
    ("a literal instead of a name", b"* {1}\r\nx\r\n* {0}\r\n\r\n"),
    ("what seems to be a literal in text", b"* OK see {5}\r\n* BAD [x] {5}\r\n"),
    ("braces that are no literal", b"* X {-1}\r\n* X {1 }\r\n* X {}\r\n* X {x}\r\n* X {1} \r\n"),
];

/// One command in which it comes, and one after it.
fn script(quirk: &[u8]) -> Script {
    let script = Script::new().server("* OK\r\n").client("A1 NOOP\r\n").server([quirk, b"A1 OK\r\n"].concat());
    let fetched = [quirk, b"* 2 FETCH (UID 9)\r\n", quirk, b"A2 OK\r\n"].concat();
    script.client("A2 FETCH 1 FLAGS\r\n").server(fetched).client("A3 NOOP\r\n").server("A3 OK\r\n")
}

fn work(client: &mut ImapClient) -> Result<Vec<String>> {
    client.noop()?;
    let found = told(client, "1", "FLAGS")?;
    client.noop()?;
    Ok(found)
}

fn all() -> impl Iterator<Item = (&'static str, &'static [u8], Option<&'static [&'static str]>)> {
    let fetched = FETCHED.iter().map(|&(who, quirk, told)| (who, quirk, Some(told)));
    fetched.chain(OTHERS.iter().map(|&(who, quirk)| (who, quirk, None)))
}

#[test]
fn quirks_cost_no_connection() {
    for (who, quirk, items) in all() {
        // Lines that end in LF alone, too.
        let bare: Vec<u8> = quirk.iter().copied().filter(|&byte| byte != b'\r').collect();
        let counted = who.contains("in a message") || who.contains("a line end");
        for quirk in [quirk, if counted { quirk } else { &bare }] {
            session_of(&Connector::new(), script(quirk), |mut client| {
                let told = work(&mut client).unwrap_or_else(|error| panic!("{who}: {error}"));
                let next =
                    told.iter().position(|line| line == "message 2").unwrap_or_else(|| panic!("{who}: {told:?}"));
                assert_eq!(told[next + 1], "Uid(9)", "{who}");
                if let Some(items) = items {
                    let found = &told[1..next];
                    let same = |(found, wanted): (&String, &&str)| found == wanted || wanted.is_empty();
                    assert!(found.len() == items.len() && found.iter().zip(items).all(same), "{who}: {found:?}");
                }
            });
        }
    }
}

/// A line that is no response costs no more between two commands than within one; a reply that answers nothing does.
#[test]
fn junk_between_two_commands() {
    for junk in ["[COPYUID 55 31 6]", "a line", "220 x", "No problem\" NIL", "ok then", "+OK", "+1 (555) NIL"] {
        let within = format!("S: * OK\nC: A1 NOOP\nS: {junk}\nS: A1 OK\nC: A2 NOOP\nS: A2 OK");
        let between = format!("S: * OK\nC: A1 NOOP\nS: A1 OK\nS: {junk}\nC: A2 NOOP\nS: A2 OK");
        for script in [within, between] {
            session_of(&Connector::new(), Script::parse(&script).unwrap(), |mut client| {
                client.noop().unwrap_or_else(|error| panic!("{junk}: {error}"));
                client.noop().unwrap_or_else(|error| panic!("{junk}: {error}"));
            });
        }
    }
    for reply in ["A1 OK", "A7 OK", "A1", "A2 FINE", "x NO", "OK", "BAD what", "+", "+ go on"] {
        let script = format!("S: * OK\nC: A1 NOOP\nS: A1 OK\nS: {reply}");
        session_of(&Connector::new(), Script::parse(&script).unwrap(), |mut client| {
            client.noop().unwrap();
            assert!(matches!(client.noop(), Err(mailconnect::Error::Protocol(_))), "{reply}");
            assert!(!client.is_open());
        });
    }
}

/// Rule 7: whatever is missing at the end, the result is never `Ok`; and where the bytes are cut in two makes no
/// difference.
#[test]
fn rule_7_split_or_cut_anywhere() {
    let play = |script: Script| {
        let (client, _) = open_with(Connector::new(), Imap::new(), script, Security::Plain);
        let mut client = client.unwrap();
        told(&mut client, "1", "FLAGS").map(|told| (told, client.events().collect::<Vec<_>>()))
    };
    let start = || Script::new().server("* OK\r\n").client("A1 FETCH 1 FLAGS\r\n");
    for (who, quirk, _) in all() {
        let answer = [quirk, b"A1 OK\r\n"].concat();
        let whole = play(start().server(&answer)).unwrap();
        for offset in 0..answer.len() {
            let (before, after) = answer.split_at(offset);
            let split = play(start().server(before).pause(Duration::from_millis(1)).server(after)).unwrap();
            assert_eq!(split, whole, "{who} split at {offset}");
            let cut = play(start().server(before).eof());
            assert!(cut.is_err(), "{who} cut at {offset}: {cut:?}");
        }
        let bytes = play(start().server(&answer).chunking(Chunking::Bytes)).unwrap();
        assert_eq!(bytes, whole, "{who}");
    }
}
