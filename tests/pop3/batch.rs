//! Many messages: what is pipelined and what is not, how many round trips it takes, refusals in the middle, and cursors
//! that are left.

use std::io::{self, Read};

use mailconnect::pop3::ResponseCode;
use mailconnect::testing::{Chunking, Mode, Script, Server};
use mailconnect::{Connector, Error, Limits, Pop3Client, Result, Security};

use crate::far::{Answers, far_away};
use crate::{open, open_with, rejected, session};

const PIPELINING: &str = "C: CAPA\nS: +OK\nS: PIPELINING\nS: .\n";
const NO_PIPELINING: &str = "C: CAPA\nS: +OK\nS: TOP\nS: .\n";

// ---- What goes over the wire ----

/// `WAIT` holds the client to reading an answer before it sends the next command.
#[test]
fn without_pipelining_each_command_waits_for_the_answer_before_it() {
    for capa in [NO_PIPELINING, "C: CAPA\nS: -ERR unknown command\n"] {
        let script = format!(
            "C: LIST\nS: +OK\nS: 1 3\nS: 2 3\nS: 4 3\nS: .\n{capa}WAIT\nC: RETR 1\nS: +OK\nS: a\nS: .\nWAIT\nC: RETR 2\n\
             S: -ERR gone\nWAIT\nC: RETR 4\nS: +OK\nS: d\nS: .\nWAIT\nC: DELE 1\nS: +OK\nWAIT\nC: DELE 4\nS: +OK"
        );
        session(&script, |mut client| {
            let mut all = client.retr_all().unwrap();
            let mut first = all.next_body().unwrap().unwrap();
            assert_eq!((first.number(), first.read(&mut [0]).unwrap()), (1, 1), "the rest is read before RETR 2");
            assert_eq!(rejected(&all.next_body().unwrap_err()), ("RETR", None));
            assert_eq!(all.number(), Some(2));
            assert_eq!(all.next_body().unwrap().unwrap().collect().unwrap(), b"d\r\n");
            assert!(all.next_body().unwrap().is_none() && all.next_body().unwrap().is_none());
            assert!(client.dele_many([1, 4]).unwrap().is_empty());
        });
    }
}

#[test]
fn with_pipelining_all_commands_go_out_in_one_write() {
    let script = "S: +OK\nC: CAPA\nS: +OK\nS: pipelining\nS: .\nC: RETR 1\nC: RETR 2\nC: RETR 3\n\
                  S: +OK\nS: a\nS: .\nS: +OK\nS: ..\nS: .\nS: +OK\nS: c\nS: .\n\
                  C: TOP 3 5\nC: TOP 1 5\nS: +OK\nS: c\nS: .\nS: \nS: +OK\nS: .";
    for chunking in Chunking::ALL {
        let (client, handle) = open(Script::parse(script).unwrap().chunking(chunking));
        let mut client = client.unwrap();
        let mut bodies = Vec::new();
        let mut many = client.retr_many(1..=3).unwrap();
        while let Some(mut body) = many.next_body().unwrap() {
            let mut text = String::new();
            io::BufRead::read_line(&mut body, &mut text).unwrap();
            bodies.push((body.number(), text));
        }
        assert_eq!(bodies, [(1, "a\r\n".to_owned()), (2, ".\r\n".to_owned()), (3, "c\r\n".to_owned())]);
        let mut many = client.top_many([3, 1], 5).unwrap();
        let mut octets = Vec::new();
        while let Some(mut body) = many.next_body().unwrap() {
            octets.push((body.number(), body.copy_to(&mut io::sink()).unwrap()));
        }
        assert_eq!(octets, [(3, 3), (1, 0)]);
        handle.finish();
        assert_eq!(handle.writes(), 3, "CAPA, RETR and TOP");
    }
}

#[test]
fn short_answers_are_matched_in_order_and_a_refusal_costs_one_message() {
    let script = format!(
        "{PIPELINING}C: LIST 2\nC: LIST 9\nC: LIST 1\nS: +OK 2   8589934592 octets\nS: -ERR none\nS: \nS: +OK 1 5\n\
         C: UIDL 1\nC: UIDL 2\nC: UIDL 3\nS: +OK 1 a  b\nS: -ERR [SYS/TEMP] later\nS: +OK 3\n\
         C: DELE 1\nC: DELE 2\nC: DELE 3\nS: +OK\nS: -ERR [IN-USE]\nS: -ERR"
    );
    session(&script, |mut client| {
        let list = client.list_many([2, 9, 1]).unwrap();
        let octets = list.iter().map(|entry| entry.as_ref().map(|entry| (entry.number, entry.octets)).ok());
        let octets: Vec<_> = octets.collect();
        assert_eq!(octets, [Some((2, 8_589_934_592)), None, Some((1, 5))]);
        assert_eq!(rejected(list[1].as_ref().unwrap_err()).0, "LIST");
        let uidl = client.uidl_many([1, 2, 3]).unwrap();
        assert_eq!(uidl[0].as_ref().unwrap().uid, "a");
        assert!(uidl[1].as_ref().unwrap_err().is_transient());
        assert!(matches!(uidl[2], Err(Error::Unsupported(_))));
        let refused = client.dele_many(1..=3).unwrap();
        let codes: Vec<_> =
            refused.iter().map(|(n, error)| (*n, error.rejection().and_then(ResponseCode::of))).collect();
        assert_eq!(codes, [(2, Some(ResponseCode::InUse)), (3, None)]);
        assert!(client.protocol().has_deletions());
    });
}

#[test]
fn an_answer_about_another_message_closes_the_client() {
    type Verb = fn(&mut Pop3Client) -> Result<()>;
    let cases: [(Verb, &str); 6] = [
        (|client| client.list_one(1).map(drop), "C: LIST 1\nS: +OK 2 5"),
        (|client| client.list_one(1).map(drop), "C: LIST 1\nS: +OK"),
        (|client| client.uidl_one(1).map(drop), "C: UIDL 1\nS: +OK 2 a"),
        (|client| client.uidl_one(1).map(drop), "C: UIDL 1\nS: +OK a"),
        (|client| client.list_many([1, 2]).map(drop), "C: CAPA\nS: -ERR\nC: LIST 1\nS: +OK 1 5\nC: LIST 2\nS: +OK 1 5"),
        (|client| client.uidl_many([1]).map(drop), "C: CAPA\nS: -ERR\nC: UIDL 1\nS: +OK 2 a"),
    ];
    for (verb, script) in cases {
        session(script, |mut client| {
            assert!(matches!(verb(&mut client), Err(Error::Protocol(_))), "{script}");
            assert!(!client.is_open());
        });
    }
}

#[test]
fn each_gets_messages_and_refusals() {
    let script = format!("{PIPELINING}C: RETR 7\nC: RETR 8\nC: RETR 9\nS: +OK\nS: a\nS: .\nS: -ERR no\nS: +OK\nS: .");
    session(&format!("{script}\nC: NOOP\nS: +OK"), |mut client| {
        let mut seen = Vec::new();
        let each = client.retr_each([7, 8, 9], |number, answer| {
            seen.push((number, answer.and_then(|mut message| message.collect()).ok()));
            Ok(())
        });
        each.unwrap();
        assert_eq!(seen, [(7, Some(b"a\r\n".to_vec())), (8, None), (9, Some(vec![]))]);
        client.noop().unwrap();
    });
    session(&format!("{script}\nC: NOOP\nS: +OK"), |mut client| {
        let error = client.retr_each([7, 8, 9], |_, answer| answer.map(drop)).unwrap_err();
        assert_eq!(rejected(&error).0, "RETR");
        client.noop().unwrap();
    });
}

#[test]
fn nothing_to_do_costs_nothing_but_capa() {
    let script = format!("C: LIST\nS: +OK\nS: .\n{PIPELINING}C: NOOP\nS: +OK");
    session(&script, |mut client| {
        assert!(client.retr_all().unwrap().next_body().unwrap().is_none());
        assert!(client.dele_many([]).unwrap().is_empty() && !client.protocol().has_deletions());
        assert!(client.list_many([]).unwrap().is_empty() && client.uidl_many([]).unwrap().is_empty());
        client.noop().unwrap();
    });
    session("C: LIST\nS: -ERR [SYS/TEMP] later", |mut client| {
        assert_eq!(rejected(&client.retr_all().unwrap_err()), ("LIST", Some("SYS/TEMP")));
    });
}

// ---- Round trips ----

/// A server with so many messages, some of them with a lone dot and a false status in them.
fn mailbox(messages: u32, pipelining: bool) -> Answers {
    Box::new(move |line| {
        let (verb, number) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "CAPA" if pipelining => b"+OK\r\nPIPELINING\r\n.\r\n".to_vec(),
            "CAPA" => b"+OK\r\nTOP\r\n.\r\n".to_vec(),
            "LIST" if number.is_empty() => {
                let lines: String = (1..=messages).map(|n| format!("{n} 1000\r\n")).collect();
                format!("+OK\r\n{lines}.\r\n").into_bytes()
            }
            "LIST" => format!("+OK {number} 1000\r\n").into_bytes(),
            "UIDL" => format!("+OK {number} {}\r\n", "u".repeat(70)).into_bytes(),
            "DELE" => b"+OK\r\n".to_vec(),
            _ => format!("+OK\r\n{number}\r\n..\r\n+OK\r\n{}\r\n.\r\n", "x".repeat(1000)).into_bytes(),
        }
    })
}

fn read_all(client: &mut Pop3Client) -> u32 {
    let (mut all, mut count) = (client.retr_all().unwrap(), 0);
    while let Some(mut message) = all.next_body().unwrap() {
        count += 1;
        let mut text = String::new();
        message.read_to_string(&mut text).unwrap();
        assert!(text.starts_with(&format!("{count}\r\n.\r\n+OK\r\nx")), "{count}: {text}");
    }
    count
}

/// One for CAPA, one for LIST, and then one for each window of 128.
#[test]
fn n_messages_cost_n_by_128_round_trips() {
    for (messages, expected) in [(0, 0), (1, 1), (64, 1), (128, 1), (129, 2), (200, 2), (1000, 8), (5000, 40)] {
        let (mut client, trips) = far_away(mailbox(messages, true));
        assert_eq!(read_all(&mut client), messages);
        assert_eq!(trips.count(), 2 + expected, "{messages} messages");
        assert!(trips.most().commands <= 128, "{:?}", trips.most());
        // Half a window goes out at a time, and not a command for each answer.
        assert!(trips.most().writes <= 3 + messages as usize / 64, "{:?}", trips.most());
        let (mut client, trips) = far_away(mailbox(messages, false));
        assert_eq!(read_all(&mut client), messages);
        assert_eq!((trips.count(), trips.most().commands), (2 + u128::from(messages), 1));
    }
}

#[test]
fn batches_of_short_answers_cost_as_little() {
    let (mut client, trips) = far_away(mailbox(1000, true));
    client.capabilities().unwrap();
    assert!(client.dele_many(1..=1000).unwrap().is_empty());
    assert_eq!(trips.count(), 1 + 8);
    assert!(client.list_many(1..=1000).unwrap().iter().all(Result::is_ok));
    assert_eq!(trips.count(), 1 + 8 + 8);
    // Of answers of 81 octets, only 101 fit in what the other side may be unable to send.
    assert!(client.uidl_many(1..=1000).unwrap().iter().all(Result::is_ok));
    assert!((1 + 8 + 8 + 10..=1 + 8 + 8 + 11).contains(&trips.count()), "{}", trips.count());
}

/// However long the numbers are: what waits for a server that reads nothing fits in the smallest of socket buffers.
#[test]
fn the_commands_under_way_are_less_than_4_kib() {
    let (mut client, trips) = far_away(mailbox(0, true));
    let numbers = (0..1000).map(|n| u32::MAX - n);
    let mut many = client.top_many(numbers, u32::MAX).unwrap();
    while let Some(message) = many.next_body().unwrap() {
        drop(message);
    }
    let most = trips.most();
    assert!(most.commands == 128 && most.octets < 4096, "{most:?}");
}

/// Over real sockets a server that waits for its client to read does not read either.
#[test]
fn a_server_that_must_write_before_it_reads_is_no_deadlock() {
    let text = "line\r\n".repeat(20_000);
    let server = (0..60).fold(Server::pop3().mode(Mode::Plain), |server, _| server.message(&text)).start().unwrap();
    let watchdog = Connector::new().deadline(std::time::Duration::from_secs(60));
    let mut client: Pop3Client = watchdog.connect(server.endpoint()).unwrap();
    client.login("user", "password").unwrap();
    let numbers: Vec<u32> = (1..=60).cycle().take(600).collect();
    let (mut many, mut count) = (client.retr_many(numbers).unwrap(), 0);
    while let Some(mut message) = many.next_body().unwrap() {
        assert_eq!(message.copy_to(&mut io::sink()).unwrap(), text.len() as u64);
        count += 1;
    }
    assert_eq!(count, 600);
    client.quit().unwrap();
}

// ---- Cursors that are left ----

const THREE: &str = "C: RETR 1\nC: RETR 2\nC: RETR 3\nS: +OK\nS: a\nS: +OK\nS: .\nS: -ERR no\nS: +OK\nS: c\nS: .\n";

#[test]
fn a_cursor_that_is_left_or_forgotten_leaves_a_client_in_step() {
    let script = format!("{PIPELINING}{THREE}C: STAT\nS: +OK 3 9");
    let stat = |mut client: Pop3Client| assert_eq!(client.stat().unwrap().octets, 9);
    session(&script, |mut client| {
        drop(client.retr_many(1..=3).unwrap().next_body().unwrap());
        stat(client);
    });
    session(&script, |mut client| {
        std::mem::forget(client.retr_many(1..=3).unwrap().next_body().unwrap().unwrap());
        stat(client);
    });
    session(&script, |mut client| {
        let mut many = client.retr_many(1..=3).unwrap();
        many.next_body().unwrap().unwrap().read_exact(&mut [0]).unwrap();
        std::mem::forget(many);
        stat(client);
    });
    session(&script, |mut client| {
        let mut many = client.retr_many(1..=3).unwrap();
        drop(many.next_body());
        drop(many.next_body());
        drop(many);
        stat(client);
    });
    // Nothing was asked for yet.
    session(&format!("{PIPELINING}C: STAT\nS: +OK 3 9"), |mut client| {
        drop(client.retr_many(1..=3).unwrap());
        stat(client);
    });
}

#[test]
fn more_than_the_drain_closes_and_finish_reads_any_size() {
    let long = |number| format!("C: RETR {number}\n");
    let body = format!("S: +OK\nS: {}\nS: .\n", "x".repeat(600));
    let script = format!("S: +OK\n{PIPELINING}{}{}", (1..=3).map(long).collect::<String>(), body.repeat(3));
    let mut limits = Limits::default();
    limits.drain = 1500;
    let open = |script: &str| {
        let connector = Connector::new().limits(limits.clone());
        open_with(connector, Script::parse(script).unwrap(), Security::Plain)
    };
    let (client, _) = open(&script);
    let mut client = client.unwrap();
    drop(client.retr_many(1..=3).unwrap().next_body().unwrap());
    assert!(matches!(client.noop(), Err(Error::Limit(limit)) if limit.max == 1500));
    assert!(!client.is_open());
    let (client, handle) = open(&format!("{script}C: NOOP\nS: +OK"));
    let mut client = client.unwrap();
    let mut many = client.retr_many(1..=3).unwrap();
    drop(many.next_body().unwrap());
    many.finish().unwrap();
    client.noop().unwrap();
    handle.finish();
}

#[test]
fn finish_asks_for_no_more() {
    let (mut client, trips) = far_away(mailbox(1000, true));
    let mut all = client.retr_all().unwrap();
    drop(all.next_body().unwrap());
    all.finish().unwrap();
    assert_eq!(trips.count(), 3);
    client.list_one(1).unwrap();
}

// ---- Deletions ----

#[test]
fn a_batch_is_deleted_by_quit_alone() {
    let dele = format!("{PIPELINING}C: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\n");
    session(&format!("{dele}C: QUIT\nS: +OK\nEOF"), |mut client| {
        client.dele_many([1, 2]).unwrap();
        client.quit().unwrap();
    });
    session(&format!("{dele}C: QUIT\nEOF"), |mut client| {
        client.dele_many([1, 2]).unwrap();
        assert!(client.quit().unwrap_err().outcome_unknown());
    });
    session(&dele, |mut client| drop(client.dele_many([1, 2]).unwrap()));
    session(&format!("{PIPELINING}C: DELE 1\nC: DELE 2\nS: +OK\nEOF"), |mut client| {
        let error = client.dele_many([1, 2]).unwrap_err();
        assert!(matches!(error, Error::ConnectionLost(_)) && !error.outcome_unknown());
        assert!(matches!(client.quit(), Err(Error::Closed)));
    });
    // What a cursor has left cannot be read away: QUIT was not sent, so nothing is deleted, and that is known.
    let script = format!("{dele}C: RETR 3\nS: +OK\nS: a\nEOF");
    session(&script, |mut client| {
        client.dele_many([1, 2]).unwrap();
        drop(client.retr_many([3]).unwrap().next_body().unwrap());
        let error = client.quit().unwrap_err();
        assert!(matches!(error, Error::ConnectionLost(_)) && !error.outcome_unknown(), "{error:?}");
    });
}

#[test]
fn a_real_server_deletes_a_batch_at_quit_and_not_before() {
    let server = || (0..300).fold(Server::pop3().mode(Mode::Plain), |server, n| server.message(format!("{n}\r\n")));
    for commit in [true, false] {
        let server = server().start().unwrap();
        let mut client = Pop3Client::connect(server.endpoint()).unwrap();
        client.login("user", "password").unwrap();
        let refused = client.dele_many((2..=300).chain([301])).unwrap();
        assert_eq!(refused.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [301]);
        assert_eq!((server.mailbox().len(), client.stat().unwrap().messages), (300, 1));
        if commit {
            client.quit().unwrap()
        } else {
            drop(client)
        }
        assert_eq!(server.mailbox().len(), if commit { 1 } else { 300 });
    }
}

// ---- Rule 7 ----

/// Cut at every byte, a pipelined batch never ends as if it were whole.
#[test]
fn rule_7_a_batch_that_is_cut_anywhere_is_an_error() {
    let script = Script::parse(&format!("S: +OK\n{PIPELINING}{THREE}")).unwrap();
    let (client, handle) = open(script.clone());
    let read = |client: &mut Pop3Client| -> Result<usize> {
        let (mut many, mut octets) = (client.retr_many(1..=3)?, 0);
        loop {
            match many.next_body() {
                Ok(Some(mut message)) => octets += message.collect()?.len(),
                Ok(None) => return Ok(octets),
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {}
            }
        }
    };
    assert_eq!(read(&mut client.unwrap()).unwrap(), 11);
    let (whole, greeting) = (handle.given(), "+OK\r\n".len());
    for cut in greeting..whole {
        let (client, _) = open(script.clone().cut_after(cut));
        let mut client = client.unwrap();
        assert!(matches!(read(&mut client), Err(Error::ConnectionLost(_))), "cut at {cut} of {whole}");
        assert!(!client.is_open());
    }
}
