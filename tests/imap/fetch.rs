//! FETCH: the cursor in wire order, however it is left, and what must not break it.

use std::borrow::Cow;
use std::io::Read;

use mailconnect::imap::{Event, Item};
use mailconnect::testing::Script;
use mailconnect::{Connector, Error};

use crate::{rejected, session, session_of, told};

#[test]
fn fetch_gives_items_in_wire_order() {
    let script = "C: A1 FETCH 1:* (UID FLAGS BODY.PEEK[])\nS: * 1 FETCH (UID 5 BODY[] {12}\nS- Hello\\r\\nA1 OK FLAGS (\\\\Seen)\
                  RFC822.SIZE 12)\\r\\n\nS: * 8 EXISTS\nS: * 2 FETCH (BODY[1]<0> NIL BODY[2] \"a\\\\\"b\" BODY[TEXT] {0}\n\
                  S:  BODY[3] \"\" INTERNALDATE \"d\" X-LIST (\"x\" {3}\nS: y(z NIL) UID 6)\nS: * 3 FETCH ()\nS: A1 OK\n\
                  C: A2 NOOP\nS: A2 OK";
    session(script, |mut client| {
        let told = told(&mut client, "*:1", "(UID FLAGS BODY.PEEK[])").unwrap();
        assert_eq!(
            told,
            [
                "message 1",
                "Uid(5)",
                "BODY[] 12 Hello\r\nA1 OK",
                "Flags([\"\\\\Seen\"])",
                "Size(12)",
                "message 2",
                "BODY[1]<0> 0 NIL",
                "BODY[2] 3 a\"b",
                "BODY[TEXT] 0 ",
                "BODY[3] 0 ",
                "INTERNALDATE: \"d\"",
                "X-LIST: (\"x\" {3}\r\ny(z NIL)",
                "Uid(6)",
                "message 3",
            ]
        );
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(8)]);
        client.noop().unwrap();
    });
}

const TWO: &str = "C: A1 UID FETCH 1:* BODY[]\nS: * 1 FETCH (BODY[1] {4}\nS- abcd BODY[2] {4}\\r\\nefgh UID 1)\\r\\n\n\
                   S: * 2 EXISTS\nS: * 2 FETCH (UID 2 BODY[] {4}\nS: ijkl)\nS: * 3 EXISTS\nS: A1 OK\nC: A2 NOOP\nS: A2 OK";

#[test]
fn what_is_not_read_is_skipped() {
    session(TWO, |mut client| {
        let mut list = client.uid_fetch("1:*", "BODY[]").unwrap();
        {
            let mut first = list.next_message().unwrap().unwrap();
            let Some(Item::Section(mut section)) = first.next_item().unwrap() else { panic!() };
            let mut two = [0; 2];
            section.read_exact(&mut two).unwrap();
            assert_eq!(&two, b"ab");
        }
        // The rest of the first message is skipped, then all of the second.
        assert_eq!(list.next_message().unwrap().unwrap().number(), 2);
        assert!(list.next_message().unwrap().is_none());
        assert!(list.next_message().unwrap().is_none());
        let events = client.events();
        assert!(!events.incomplete);
        assert_eq!(events.collect::<Vec<_>>(), [Event::Exists(2), Event::Exists(3)]);
        client.noop().unwrap();
    });
}

#[test]
#[allow(clippy::forget_non_drop, reason = "that nothing depends on being dropped is what is shown")]
fn a_cursor_may_be_dropped_or_forgotten_anywhere() {
    for (items, forget) in [(0, false), (0, true), (1, false), (1, true), (2, true), (3, true), (4, false)] {
        session(TWO, |mut client| {
            let mut list = client.uid_fetch("1:*", "BODY[]").unwrap();
            let mut message = list.next_message().unwrap().unwrap();
            for _ in 0..items {
                let item = message.next_item().unwrap();
                if let (Some(Item::Section(mut section)), true) = (item, forget) {
                    section.read_exact(&mut [0]).unwrap();
                    std::mem::forget(section);
                }
            }
            if forget {
                std::mem::forget(message);
                std::mem::forget(list);
            }
            client.noop().unwrap();
            assert!(client.events().incomplete);
            assert!(!client.events().incomplete);
        });
    }
}

#[test]
fn the_end_of_a_fetch_is_its_own_status() {
    let start = "C: A1 FETCH 1 FLAGS\nS: * 1 FETCH (FLAGS ())\n";
    session(&format!("{start}S: A1 NO [EXPUNGEISSUED] some are gone\nC: A2 NOOP\nS: A2 OK"), |mut client| {
        let error = told(&mut client, "1", "FLAGS").unwrap_err();
        assert!(error.is_transient() && !error.is_fatal(), "{error}");
        assert_eq!(rejected(&error), ("FETCH", "NO", Some("EXPUNGEISSUED")));
        client.noop().unwrap();
        assert!(!client.events().incomplete);
    });
    for end in ["EOF", "S- A1 OK\nEOF", "S: * 2 FETCH (BODY[] {9}\nS- abc\nEOF", "S: * 2 FETCH (FLAGS ()\nEOF"] {
        session(&format!("{start}{end}"), |mut client| {
            let error = told(&mut client, "1", "FLAGS").unwrap_err();
            assert!(matches!(error, Error::ConnectionLost(_)), "{end}: {error:?}");
            assert!(!client.is_open());
        });
    }
    for bad in ["S: A2 OK", "S: A0 OK", "S: + what?", "S: A1 FINE", "S: A1"] {
        session(&format!("{start}{bad}"), |mut client| {
            let error = told(&mut client, "1", "FLAGS").unwrap_err();
            assert!(matches!(error, Error::Protocol(_)) && !client.is_open(), "{bad}: {error:?}");
        });
    }
}

#[test]
fn a_goodbye_in_the_middle_is_told() {
    for start in ["", "S: * 1 FETCH (FLAGS ())\n", "S: * 1 FETCH (BODY[] {1}\nS: x)\n"] {
        session(
            &format!("C: A1 FETCH 1 FLAGS\n{start}S: * BYE [UNAVAILABLE] shutting \\x07 down\nEOF"),
            |mut client| {
                let error = told(&mut client, "1", "FLAGS").unwrap_err();
                assert_eq!(rejected(&error).1, "BYE");
                assert!(error.is_fatal() && error.is_transient() && !client.is_open());
                assert!(
                    error.to_string().ends_with("the server refused to go on: BYE [UNAVAILABLE] shutting \\u{7} down")
                );
            },
        );
    }
    // Said between two commands, it is told by the next.
    session("S: * BYE idle for too long\nEOF", |mut client| {
        assert!(client.noop().unwrap_err().to_string().contains("idle for too long"));
    });
}

#[test]
fn fetch_to_writes_the_message_or_fails() {
    let ask = "C: A1 UID FETCH 7 (UID BODY.PEEK[])\n";
    for answer in [
        "S: * 2 FETCH (FLAGS (\\\\Seen) UID 3)\nS: * 4 FETCH (UID 7 BODY[] {6}\nS: a\\r\\n.b\\n FLAGS ())\nS: A1 OK\n",
        "S: * 4 FETCH (BODY[] {6}\nS: a\\r\\n.b\\n UID 7)\nS: * 4 FETCH (FLAGS () UID 7)\nS: A1 OK\n",
        "S: * 2 FETCH (UID 3 BODY[] {2}\nS: no)\nS: * 4 FETCH (BODY[] {6}\nS: a\\r\\n.b\\n UID 7)\nS: A1 OK\n",
        "S: * 4 FETCH (UID 7 BODY[] {6}\nS: a\\r\\n.b\\n)\nS: * 2 FETCH (BODY[] {2}\nS: no UID 3)\nS: * 4 FETCH (UID 7 BODY[] {2}\nS: no)\nS: A1 OK\n",
        // What is not the whole of it.
        "S: * 4 FETCH (UID 7 BODY[TEXT] {2}\nS: no RFC822.HEADER \"no\" BINARY[1] \"no\" BODY[]<2> \"no\" body.peek[] {6}\nS: a\\r\\n.b\\n)\nS: A1 OK\n",
        "S: * 4 FETCH (UID 7 RFC822[] {6}\nS: a\\r\\n.b\\n)\nS: A1 OK\n",
        "S: * 4 FETCH (UID 7 RFC822 {6}\nS: a\\r\\n.b\\n)\nS: A1 OK\n",
    ] {
        session(&format!("{ask}{answer}"), |mut client| {
            let mut message = Vec::new();
            assert_eq!(client.fetch_to(7, &mut message).unwrap(), 6, "{answer}");
            assert_eq!(message, b"a\r\n.b\n");
        });
    }
    for answer in [
        "S: A1 OK\n",
        "S: * 4 FETCH (UID 7 BODY[] NIL)\nS: A1 OK\n",
        "S: * 4 FETCH (FLAGS ())\nS: A1 OK\n",
        "S: * 4 FETCH (UID 4 BODY[] {1}\nS: x)\nS: A1 OK\n",
        "S: * 4 FETCH (UID 7 BODY[1] {1}\nS: x)\nS: A1 OK\n",
    ] {
        session(&format!("{ask}{answer}C: A2 NOOP\nS: A2 OK"), |mut client| {
            let error = client.fetch_to(7, &mut Vec::new()).unwrap_err();
            assert_eq!(rejected(&error).2, Some("NONEXISTENT"));
            client.noop().unwrap();
        });
    }
    // Whose the body was is told behind it, or never: it is no success, whatever comes after.
    let right = "S: * 4 FETCH (UID 7 BODY[] {1}\nS: x)\n";
    for other in ["S: * 4 FETCH (BODY[] {1}\nS: x UID 4)\n", "S: * 4 FETCH (BODY[] {1}\nS: x)\n"] {
        for answer in [other.to_owned(), format!("{other}{right}")] {
            session(&format!("{ask}{answer}S: A1 OK\nC: A2 NOOP\nS: A2 OK"), |mut client| {
                let mut message = Vec::new();
                let error = client.fetch_to(7, &mut message).unwrap_err();
                assert_eq!((rejected(&error), message.as_slice()), (("UID FETCH", "OK", None), &b"x"[..]));
                client.noop().unwrap();
            });
        }
    }
    session(&format!("{ask}S: A1 NO no mailbox"), |mut client| {
        assert_eq!(rejected(&client.fetch_to(7, &mut Vec::new()).unwrap_err()).1, "NO");
    });
    // The caller's own writer may fail; the client does not.
    let script = format!("{ask}S: * 4 FETCH (UID 7 BODY[] {{6}}\nS: abcdef)\nS: A1 OK\nC: A2 NOOP\nS: A2 OK");
    session(&script, |mut client| {
        let mut full: &mut [u8] = &mut [0; 2];
        assert!(matches!(client.fetch_to(7, &mut full), Err(Error::Caller { .. })));
        assert!(client.is_open());
        client.noop().unwrap();
    });
}

/// A large body goes past the read buffer, in larger blocks; what stands before and after it does not.
#[test]
fn large_bodies_arrive_whole() {
    let body: Vec<u8> = (0..80_000_u32).map(|n| (n % 251) as u8).collect();
    let head = format!("* 1 FETCH (BODY[] {{{}}}\r\n", body.len());
    let answer = [head.as_bytes(), &body, b" UID 5)\r\n* 2 EXISTS\r\nA1 OK\r\n"].concat();
    let start = || Script::new().server("* OK\r\n").client("A1 FETCH 1 BODY.PEEK[]\r\n");
    let script = start().server(&answer).client("A2 NOOP\r\n").server("A2 OK\r\n");
    session_of(&Connector::new(), script.clone(), |mut client| {
        let mut list = client.fetch(1, "BODY.PEEK[]").unwrap();
        let mut message = list.next_message().unwrap().unwrap();
        let (mut first, mut rest) = ([0; 3], Vec::new());
        let Some(Item::Section(mut section)) = message.next_item().unwrap() else { panic!() };
        section.read_exact(&mut first).unwrap();
        assert_eq!(section.copy_to(&mut rest).unwrap(), body.len() as u64 - 3);
        assert!(body.starts_with(&first) && body.ends_with(&rest));
        assert!(matches!(message.next_item().unwrap(), Some(Item::Uid(5))));
        assert!(list.next_message().unwrap().is_none());
        client.noop().unwrap();
        assert_eq!(client.events().collect::<Vec<_>>(), [Event::Exists(2)]);
    });
    // The caller's writer fails somewhere in it: the rest is skipped.
    session_of(&Connector::new(), script, |mut client| {
        let mut list = client.fetch(1, "BODY.PEEK[]").unwrap();
        let mut message = list.next_message().unwrap().unwrap();
        let Some(Item::Section(mut section)) = message.next_item().unwrap() else { panic!() };
        let mut small: &mut [u8] = &mut [0; 10_000];
        assert!(matches!(section.copy_to(&mut small), Err(Error::Caller { .. })));
        assert!(matches!(message.next_item().unwrap(), Some(Item::Uid(5))));
        assert!(list.next_message().unwrap().is_none());
        client.noop().unwrap();
    });
    for cut in [head.len() + 1, head.len() + 70_000, answer.len() - 30] {
        session_of(&Connector::new(), start().server(&answer[..cut]).eof(), |mut client| {
            let error = copied(&mut client).unwrap_err();
            assert!(matches!(error, Error::ConnectionLost(_)) && !client.is_open(), "{cut}: {error:?}");
            assert!(matches!(client.noop(), Err(Error::Closed)));
        });
    }
}

fn copied(client: &mut mailconnect::ImapClient) -> mailconnect::Result<()> {
    let mut list = client.fetch(1, "BODY.PEEK[]")?;
    while let Some(mut message) = list.next_message()? {
        while let Some(item) = message.next_item()? {
            if let Item::Section(mut section) = item {
                section.copy_to(&mut std::io::sink())?;
            }
        }
    }
    Ok(())
}

/// Some servers quote flags: each is the same wherever it is told.
#[test]
fn a_flag_in_quotes_is_in_a_message_too() {
    let script = "C: A1 FETCH 1 (FLAGS)\nS: * 1 FETCH (FLAGS (\"\\\\Seen\" \"\\\\\\\\x\" \\\\Draft))\nS: A1 OK\nC: A2 NOOP\n\
                  S: * 1 FETCH (FLAGS (\"\\\\Seen\" \"\\\\\\\\x\" \\\\Draft))\nS: A2 OK";
    session(script, |mut client| {
        let mut batch = client.batch();
        let fetched = batch.fetch("1", "(FLAGS)");
        let message = batch.run().unwrap().take(fetched).unwrap().remove(0);
        let told = message.flags().unwrap();
        for (flag, is) in [
            ("\\Seen", true),
            ("\\seen", true),
            ("\\X", true),
            ("\\Draft", true),
            ("Seen", false),
            ("\"\\Seen\"", false),
        ] {
            assert_eq!(told.contains(flag), is, "{flag}");
        }
        let told: Vec<_> = told.iter().map(Cow::into_owned).collect();
        client.noop().unwrap();
        let Some(Event::Flags { flags, .. }) = client.events().next() else { panic!() };
        assert_eq!((&told, &flags), (&flags, &["\\Seen", "\\x", "\\Draft"].map(str::to_owned).to_vec()));
    });
}
