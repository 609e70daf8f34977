//! Lists the messages of a POP3 mailbox with their subjects, and shows the newest: port 110, STLS, log in, list, retrieve.
//!
//!     cargo run --example pop3_list       # with no server given: from a throw-away one on loopback
//!     cargo run --example pop3_list -- mail.example.com --user me --password secret

mod options;

use mailconnect::tls::{CertificateErrors, policy};
use mailconnect::{Connector, Pop3Client, testing};
use options::Options;

const WELCOME: &[u8] = b"From: a@example.com\r\nSubject: Welcome\r\n\r\nA message that was there already.\r\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::read()?;

    // Nobody to talk to? Then start somebody. Leave this out of your own program.
    let throw_away =
        if options.host.is_none() { Some(testing::Server::pop3().message(WELCOME).start()?) } else { None };
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

    let endpoint = (options.host.unwrap_or_default(), options.port.unwrap_or(mailconnect::ports::POP3));
    let mut pop3: Pop3Client = connector.connect_start_tls(endpoint)?;
    pop3.login(&options.user, &options.password)?;

    let total = pop3.stat()?;
    println!("{} messages, {} octets", total.messages, total.octets);
    let entries = pop3.list()?;
    // All headers in a few round trips, if the server offers PIPELINING.
    let mut headers = pop3.top_many(entries.iter().map(|entry| entry.number), 0)?;
    for entry in &entries {
        let Some(mut header) = headers.next_body()? else { break };
        let header = header.collect()?;
        let subject = header.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Subject:"));
        println!("{:6} {:10} {}", entry.number, entry.octets, subject.unwrap_or_default().trim_ascii().escape_ascii());
    }
    if let Some(newest) = entries.last() {
        pop3.retr_to(newest.number, &mut std::io::stdout())?;
    }
    // Messages that were marked with `dele` go now, and only if this is `Ok`.
    pop3.quit()?;
    Ok(())
}
