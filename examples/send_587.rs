//! Sends a message through a submission server: port 587, STARTTLS, log in, send.
//!
//!     cargo run --example send_587        # with no server given: through a throw-away one on loopback
//!     cargo run --example send_587 -- mail.example.com --user me --password secret --from me@example.com --to you@example.com
//!
//! A server with a certificate of its own (a test rig) is refused, unless you say `--accept-self-signed`.

mod options;

use mailconnect::smtp::Envelope;
use mailconnect::tls::{CertificateErrors, policy};
use mailconnect::{Connector, SmtpClient, testing};
use options::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::read()?;

    // Nobody to talk to? Then start somebody. Leave this out of your own program.
    let throw_away = if options.host.is_none() { Some(testing::Server::smtp().start()?) } else { None };
    if let Some(server) = &throw_away {
        println!("no server given: started one on {}, with a self-signed certificate", server.address());
        (options.host, options.port) = (Some("localhost".into()), Some(server.port()));
        options.accept_self_signed = true;
    }

    // The settings of all connections. Show what goes over the wire; passwords are never shown.
    let mut connector = Connector::new().transcript(|line| println!("{line}"));
    if options.accept_self_signed {
        // The event sees every certificate and what is wrong with it, and has the last word. Accept as little as you
        // can: here a self-signed certificate for the right host that has not expired, and nothing else. A pin is
        // better still: `pin_certificate` shows how.
        connector = connector.server_certificate_validate(policy::ignore(CertificateErrors::SELF_SIGNED));
    }

    // Connect in plain text, upgrade, or fail: there is no silent plain session, and no password before TLS.
    let host = options.host.unwrap_or_default();
    let port = options.port.unwrap_or(mailconnect::ports::SMTP_SUBMISSION);
    let mut smtp: SmtpClient = connector.connect((host, port))?;
    smtp.start_tls()?;
    smtp.login(&options.user, &options.password)?;

    // The envelope says who gets it; the message is whatever you made, in RFC 5322 form. Any line ends will do.
    let envelope = Envelope::new(&options.from, &options.to)?;
    let message = format!(
        "From: {}\nTo: {}\nSubject: Hello from mailconnect\n\nIt works.\n.\nThe line above is a dot.\n",
        options.from,
        options.to.join(", "),
    );
    let report = smtp.send(&envelope, message.as_bytes())?;
    smtp.quit()?;

    println!("{}", report.reply);
    for (recipient, reply) in &report.accepted {
        println!("accepted for {recipient}: {reply}");
    }
    for (recipient, reply) in &report.refused {
        println!("refused for {recipient}: {reply}");
    }
    if let Some(server) = &throw_away {
        println!("the throw-away server got {} message(s)", server.messages().len());
    }
    Ok(())
}
