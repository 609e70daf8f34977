//! Fetches the newest message of the inbox over IMAP: port 143, STARTTLS, log in, select, fetch.
//!
//!     cargo run --example imap_fetch      # with no server given: from a throw-away one on loopback
//!     cargo run --example imap_fetch -- mail.example.com --user me --password secret

mod options;

use mailconnect::tls::{CertificateErrors, policy};
use mailconnect::{Connector, ImapClient, testing};
use options::Options;

const WELCOME: &[u8] = b"From: a@example.com\r\nSubject: Welcome\r\n\r\nA message that was there already.\r\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::read()?;

    // Nobody to talk to? Then start somebody. Leave this out of your own program.
    let throw_away =
        if options.host.is_none() { Some(testing::Server::imap().message(WELCOME).start()?) } else { None };
    if let Some(server) = &throw_away {
        println!("no server given: started one on {}, with a self-signed certificate", server.address());
        (options.host, options.port) = (Some("localhost".into()), Some(server.port()));
        options.accept_self_signed = true;
    }

    let mut connector = Connector::new();
    if options.accept_self_signed {
        // Self-signed, and nothing else: `send_587` says more about it.
        connector = connector.server_certificate_validate(policy::ignore(CertificateErrors::SELF_SIGNED));
    }

    // One verb for both steps: it never hands out a plain client. `connect_ssl` is the one for port 993.
    let endpoint = (options.host.unwrap_or_default(), options.port.unwrap_or(mailconnect::ports::IMAP));
    let mut imap: ImapClient = connector.connect_start_tls(endpoint)?;
    imap.login(&options.user, &options.password)?;

    let mailbox = imap.select("INBOX")?;
    println!("{} messages in the inbox", mailbox.exists);
    let newest = imap.uid_search("ALL")?.into_iter().max();
    if let Some(uid) = newest {
        // Streamed: a message of any size takes the same memory.
        let size = imap.fetch_to(uid, &mut std::io::stdout())?;
        println!("-- that was message {uid}, {size} bytes");
    }
    imap.quit()?;
    Ok(())
}
