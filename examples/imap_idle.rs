//! Tells of new mail in the inbox the moment it arrives: STARTTLS, log in, select, IDLE.
//!
//!     cargo run --example imap_idle       # with no server given: one message on a throw-away one, then it ends
//!     cargo run --example imap_idle -- mail.example.com --user me --password secret

mod options;

use std::time::Duration;

use mailconnect::imap::Event;
use mailconnect::tls::CertificateErrors;
use mailconnect::{Connector, ImapClient, testing};
use options::Options;

/// Listens for so long, and then says goodbye.
const AN_HOUR: Duration = Duration::from_secs(3600);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::read()?;

    // Nobody to talk to? Then start somebody. Leave this out of your own program.
    let throw_away = if options.host.is_none() { Some(testing::Server::imap().start()?) } else { None };
    if let Some(server) = &throw_away {
        println!("no server given: started one on {}, with a self-signed certificate", server.address());
        (options.host, options.port) = (Some("localhost".into()), Some(server.port()));
        options.accept_self_signed = true;
    }

    // TCP notices a dead peer by itself after five silent minutes.
    let mut connector = Connector::new().keepalive(Duration::from_secs(300));
    if options.accept_self_signed {
        // Self-signed, and nothing else: `send_587` says more about it.
        let follows = CertificateErrors::UNKNOWN_ISSUER | CertificateErrors::CHAIN_ERROR;
        connector = connector.server_certificate_validate(move |event| {
            if event.errors().without(follows) == CertificateErrors::SELF_SIGNED {
                event.is_valid = true;
            }
        });
    }
    let endpoint = (options.host.clone().unwrap_or_default(), options.port.unwrap_or(mailconnect::ports::IMAP));
    let mut imap: ImapClient = connector.connect_start_tls(endpoint.clone())?;
    imap.login(&options.user, &options.password)?;
    println!("{} messages in the inbox", imap.select("INBOX")?.exists);

    let mut idle = imap.idle(AN_HOUR)?;
    if throw_away.is_some() {
        // Somebody else puts a message there.
        let mut other: ImapClient = connector.connect_start_tls(endpoint)?;
        other.login(&options.user, &options.password)?;
        other.append("INBOX", &[], b"Subject: Hello\r\n\r\nAre you there?\r\n")?;
        other.quit()?;
    }
    // `idle.handle()` would end it from another thread.
    while let Some(event) = idle.next_event()? {
        println!("{event:?}");
        if throw_away.is_some() && matches!(event, Event::Exists(_)) {
            break;
        }
    }
    idle.done()?;
    imap.quit()?;
    Ok(())
}
