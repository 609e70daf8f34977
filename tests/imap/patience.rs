//! How long commands may take at which a server works for minutes: giving up early makes copies twice.

use std::time::Duration;

use mailconnect::imap::Store;
use mailconnect::testing::Script;
use mailconnect::{Connector, Error, ImapClient, Phase, Result, Timeouts};

use crate::{offering, session_of};

type Work = fn(&mut ImapClient) -> Result<()>;

/// Each with what goes out for it.
const LONG: &[(&str, Work)] = &[
    ("COPY 1:* x", |client| client.copy("1:*", "x").map(drop)),
    ("UID COPY 1:* x", |client| client.uid_copy("1:*", "x").map(drop)),
    ("MOVE 1:* x", |client| client.move_to("1:*", "x").map(drop)),
    ("UID MOVE 1:* x", |client| client.uid_move("1:*", "x").map(drop)),
    ("EXPUNGE", |client| client.expunge().map(drop)),
    ("UID EXPUNGE 1:*", |client| client.uid_expunge("1:*").map(drop)),
    ("CLOSE", ImapClient::close),
    ("DELETE x", |client| client.delete("x")),
    ("RENAME x y", |client| client.rename("x", "y")),
    ("STORE 1:* FLAGS.SILENT (a)", |client| client.store("1:*", &Store::replace(&["a"]).silent()).map(drop)),
    ("UID STORE 1:* FLAGS.SILENT (a)", |client| client.uid_store("1:*", &Store::replace(&["a"]).silent()).map(drop)),
    ("SEARCH TEXT x", |client| client.search("TEXT x").map(drop)),
    ("UID SEARCH TEXT x", |client| client.uid_search("TEXT x").map(drop)),
    ("SEARCH RETURN (COUNT) TEXT x", |client| client.esearch("COUNT", "TEXT x").map(drop)),
    ("UID SEARCH RETURN (COUNT) TEXT x", |client| client.uid_esearch("COUNT", "TEXT x").map(drop)),
    ("UID STORE 1:* +X-GM-LABELS (x)", |client| client.command("UID STORE 1:* +X-GM-LABELS (x)").map(drop)),
    ("sort (ARRIVAL) UTF-8 ALL", |client| client.command("sort (ARRIVAL) UTF-8 ALL").map(drop)),
];

const OFFERED: &str = "MOVE UIDPLUS ESEARCH";

/// A server that works at it for as long as that, and says so now and then.
fn working(minutes: usize) -> String {
    let signs = ["S: * OK Hang in there..\n", "S: * OK [INPROGRESS (\"A1\" 175 1000)] Processed 17%\n"];
    (0..minutes).map(|minute| "PAUSE 60s\n".to_owned() + signs[minute % 2]).collect()
}

#[test]
fn what_takes_long_is_waited_for() {
    for (command, work) in LONG {
        let script = format!("C: A1 {command}\n{}PAUSE 30s\nS: A1 OK\nC: A2 NOOP\nS: A2 OK", working(9));
        offering(OFFERED, &script, |mut client| {
            work(&mut client).unwrap_or_else(|error| panic!("{command}: {error}"));
            client.noop().unwrap();
        });
    }
}

/// But not for ever, and what goes on working does not stretch it.
#[test]
fn what_takes_too_long_is_given_up() {
    for (command, work) in LONG {
        offering(OFFERED, &format!("C: A1 {command}\n{}STALL", working(9)), |mut client| {
            let error = work(&mut client).unwrap_err();
            let Error::Timeout(timeout) = &error else { panic!("{command}: {error:?}") };
            assert_eq!((timeout.at.phase, timeout.limit), (Phase::FinalAnswer, Some(Duration::from_secs(600))));
            assert_eq!(error.outcome_unknown(), !command.contains("SEARCH"), "{command}: {error}");
        });
    }
    offering("", "C: A1 NOOP\nSTALL", |mut client| {
        let Error::Timeout(timeout) = client.noop().unwrap_err() else { panic!() };
        assert_eq!((timeout.at.phase, timeout.limit), (Phase::Command, Some(Duration::from_secs(60))));
    });
}

/// In a batch each command has the time that it has alone, whether it is the first or not.
#[test]
fn in_a_batch_too() {
    let run = |script: &str, search_first: bool, check: &dyn Fn(Result<()>)| {
        offering("", script, |mut client| {
            let mut batch = client.batch();
            if !search_first {
                batch.noop();
            }
            batch.uid_search("TEXT x");
            batch.uid_copy("1:*", "x");
            batch.noop();
            check(batch.run().and_then(|replies| replies.done()));
        });
    };
    let long = working(9);
    for (search_first, begin) in [
        (true, "C: A2 UID SEARCH TEXT x\nC: A3 UID COPY 1:* x\nC: A4 NOOP\n"),
        (false, "C: A1 NOOP\nC: A2 UID SEARCH TEXT x\nC: A3 UID COPY 1:* x\nC: A4 NOOP\nS: A1 OK\n"),
    ] {
        let mut script = format!("{begin}{long}S: A2 OK\n{long}S: A3 OK\n");
        if search_first {
            script = script.replace("A2", "A1").replace("A3", "A2").replace("A4", "A3");
        }
        let last = if search_first { "S: A3 OK" } else { "S: A4 OK" };
        run(&format!("{script}PAUSE 50s\n{last}"), search_first, &|result| result.unwrap());
        run(&format!("{script}STALL"), search_first, &|result| {
            let Err(Error::Timeout(timeout)) = result else { panic!("{result:?}") };
            assert_eq!((timeout.at.phase, timeout.at.command), (Phase::Command, "NOOP"));
        });
    }
}

/// A command that the server must ask for in the middle has its time from its end on.
#[test]
fn behind_a_literal_too() {
    let script = "C: A1 UID SEARCH CHARSET UTF-8 TEXT {2}\nWAIT\nPAUSE 50s\nS: +\nC: \\xc3\\xbc\n";
    let answer = format!("{}S: A1 OK", working(9));
    offering("", &format!("{script}{answer}"), |mut client| {
        client.uid_search("TEXT \"ü\"").unwrap();
    });
    offering("", &format!("{script}{answer}"), |mut client| {
        let mut batch = client.batch();
        batch.uid_search("TEXT \"ü\"");
        batch.run().unwrap().done().unwrap();
    });
}

/// As with any other command, an answer that makes progress is never too long.
#[test]
fn a_long_answer_gets_more_time_as_it_comes() {
    let answer = format!("S: * SEARCH{}\nPAUSE 300s\n", " 4294967295".repeat(20_000)).repeat(4);
    let script = format!("S: * OK hi\nC: A1 SEARCH ALL\n{answer}S: A1 OK");
    session_of(&Connector::new(), Script::parse(&script).unwrap(), |mut client| {
        assert_eq!(client.search("ALL").unwrap().len(), 80_000);
    });
    let mut timeouts = Timeouts::default();
    timeouts.final_answer = Duration::from_secs(5);
    let connector = Connector::new().timeouts(timeouts);
    session_of(&connector, Script::parse("S: * OK hi\nC: A1 EXPUNGE\nPAUSE 6s\nSTALL").unwrap(), |mut client| {
        let Err(Error::Timeout(timeout)) = client.expunge() else { panic!("no time-out") };
        assert_eq!((timeout.at.phase, timeout.limit), (Phase::FinalAnswer, Some(Duration::from_secs(5))));
    });
}
