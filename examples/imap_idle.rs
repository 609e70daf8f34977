//! Tells of new mail in the inbox the moment it arrives: STARTTLS, log in, select, fetch what is new, IDLE, and so on. Where
//! the connection is lost, it goes on with the next one where it was.
//!
//!     cargo run --example imap_idle       # with no server given: one message on a throw-away one, then it ends
//!     cargo run --example imap_idle -- mail.example.com --user me --password secret

mod options;

use std::thread;
use std::time::{Duration, Instant};

use mailconnect::imap::Event;
use mailconnect::tls::CertificateErrors;
use mailconnect::{Connector, ImapClient, Result, testing};
use options::Options;

/// Even if nothing is told, it looks for new mail this often.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// And no more often than this, if a server ends each IDLE at once.
const A_SECOND: Duration = Duration::from_secs(1);

/// What is known of the inbox, from one connection to the next. Your own program may keep it in a file.
#[derive(Default)]
struct Known {
    /// The inbox was seen at least once.
    seen: bool,
    validity: Option<u32>,
    last_uid: u32,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::read()?;

    // Nobody to talk to? Then start somebody. Leave this out of your own program.
    let throw_away = if options.host.is_none() { Some(testing::Server::imap().start()?) } else { None };
    if let Some(server) = &throw_away {
        println!("no server given: started one on {}, with a self-signed certificate", server.address());
        (options.host, options.port) = (Some("localhost".into()), Some(server.port()));
        options.accept_self_signed = true;
    }

    let connector = connector(&options);
    let mut known = Known::default();
    loop {
        match watch(&connector, &options, &mut known, throw_away.is_some()) {
            // The network failed, or the server has said goodbye; a wrong password or certificate does not pass. What never
            // worked may have a wrong name.
            Err(error) if error.is_transient() && known.seen && throw_away.is_none() => {
                println!("{error}; again in a minute");
            }
            result => return Ok(result?),
        }
        thread::sleep(Duration::from_secs(60));
    }
}

fn connector(options: &Options) -> Connector {
    // After five silent minutes TCP asks whether the server is there; and gives up after two more. Without that, a dead one
    // would be noticed when the IDLE is renewed, after 28 minutes.
    let connector = Connector::new().keepalive(Duration::from_secs(300));
    if !options.accept_self_signed {
        return connector;
    }
    // Self-signed, and nothing else: `send_587` says more about it.
    let follows = CertificateErrors::UNKNOWN_ISSUER | CertificateErrors::CHAIN_ERROR;
    connector.server_certificate_validate(move |event| {
        if event.errors().without(follows) == CertificateErrors::SELF_SIGNED {
            event.is_valid = true;
        }
    })
}

/// Tells of new mail for as long as the connection holds; in a demonstration, of one message.
fn watch(connector: &Connector, options: &Options, known: &mut Known, demonstration: bool) -> Result<()> {
    let endpoint = (options.host.clone().unwrap_or_default(), options.port.unwrap_or(mailconnect::ports::IMAP));
    let mut imap: ImapClient = connector.connect_start_tls(endpoint)?;
    imap.login(&options.user, &options.password)?;
    let inbox = imap.select("INBOX")?;
    println!("{} messages in the inbox", inbox.exists);
    if !known.seen || inbox.uid_validity != known.validity {
        // The first time, or the UIDs are of other messages now: what is there is not new.
        let last_uid = match inbox.uid_next {
            Some(next) => next.saturating_sub(1),
            None => imap.uid_search("ALL")?.into_iter().max().unwrap_or_default(),
        };
        *known = Known { seen: true, validity: inbox.uid_validity, last_uid };
    }
    loop {
        let begun = Instant::now();
        let found = tell_new(&mut imap, known)?;
        if demonstration && found > 0 {
            return imap.quit();
        }
        // What has come since is told at once. `idle.handle()` would end it from another thread.
        let mut idle = imap.idle(AN_HOUR)?;
        if demonstration {
            send(connector, options)?;
        }
        while let Some(event) = idle.next_event()? {
            if matches!(event, Event::Exists(_)) {
                break;
            }
        }
        idle.done()?;
        if found == 0 {
            thread::sleep(A_SECOND.saturating_sub(begun.elapsed()));
        }
    }
}

/// Fetches what is above the last UID; how many there were.
fn tell_new(imap: &mut ImapClient, known: &mut Known) -> Result<usize> {
    let before = known.last_uid;
    let mut found = 0;
    for message in imap.uid_fetch(before.saturating_add(1).., "(UID FLAGS)")?.collect()? {
        // Where nothing is new, the server tells of the last message all the same.
        let Some(uid) = message.uid().filter(|&uid| uid > before) else { continue };
        println!("new mail: UID {uid}");
        known.last_uid = known.last_uid.max(uid);
        found += 1;
    }
    Ok(found)
}

/// Somebody else puts a message into the inbox.
fn send(connector: &Connector, options: &Options) -> Result<()> {
    let endpoint = (options.host.clone().unwrap_or_default(), options.port.unwrap_or(mailconnect::ports::IMAP));
    let mut other: ImapClient = connector.connect_start_tls(endpoint)?;
    other.login(&options.user, &options.password)?;
    other.append("INBOX", &[], b"Subject: Hello\r\n\r\nAre you there?\r\n")?;
    other.quit()
}
