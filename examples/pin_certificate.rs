//! Trusts one certificate and no other, by its SHA-256: for a server that no public authority vouches for.
//!
//!     cargo run --example pin_certificate      # with no server given: a throw-away one on loopback
//!     cargo run --example pin_certificate -- mail.example.com                # shows its certificate, trusts nobody
//!     cargo run --example pin_certificate -- mail.example.com --pin 12:34:.. --user me --password secret

mod options;

use mailconnect::tls::policy;
use mailconnect::{Connector, Error, ImapClient, testing};
use options::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::read()?;

    // Nobody to talk to? Then start somebody. Leave this out of your own program.
    let throw_away = match &options.host {
        None => Some(testing::Server::imap().mode(testing::Mode::Tls).start()?),
        Some(_) => None,
    };
    if let Some(server) = &throw_away {
        println!("no server given: started one on {}, with a self-signed certificate", server.address());
        (options.host, options.port) = (Some("localhost".into()), Some(server.port()));
    }
    let endpoint = (options.host.unwrap_or_default(), options.port.unwrap_or(mailconnect::ports::IMAPS));

    let pin = match options.pin {
        Some(pin) => pin,
        None => {
            let seen = look(&endpoint)?;
            println!("ask the server's operator, over another way, whether this is the right one; then pin it");
            if throw_away.is_none() {
                return Ok(());
            }
            seen
        }
    };

    // A pin is a restriction: this certificate, even if it is self-signed or has expired, and no other, even a good one.
    // The server must prove that it holds the key. For a certificate that is renewed for the same key there is
    // `pin_public_key_sha256`.
    let pinned = Connector::new().server_certificate_validate(policy::pin_sha256([&pin])?);
    let mut imap: ImapClient = pinned.connect_ssl(endpoint.clone())?;
    imap.login(&options.user, &options.password)?;
    println!("connected, and logged in: it is the server that was pinned");
    imap.quit()?;

    // Anybody else is refused before a password is sent.
    let other = Connector::new().server_certificate_validate(policy::pin_sha256([[0x12; 32]])?);
    match other.connect_ssl::<mailconnect::imap::Imap>(endpoint) {
        Err(Error::Certificate(refused)) => println!("with another pin: {refused}"),
        Err(error) => return Err(error.into()),
        Ok(_) => return Err("a certificate that was not pinned was accepted".into()),
    }
    Ok(())
}

/// Shows the certificate, and connects to nobody.
fn look(endpoint: &(String, u16)) -> Result<String, Box<dyn std::error::Error>> {
    let nobody = Connector::new().server_certificate_validate(|event| event.is_valid = false);
    let error = nobody.connect_ssl::<mailconnect::imap::Imap>(endpoint.clone()).err().ok_or("it was accepted")?;
    let Some(certificate) = error.certificate().and_then(|refused| refused.certificate()) else {
        return Err(error.into());
    };
    println!("{certificate}");
    println!("serial {}, {} {}", certificate.serial(), certificate.key_kind(), certificate.key_bits().unwrap_or(0));
    Ok(certificate.sha256().ok_or("this build has no TLS")?.to_string())
}
