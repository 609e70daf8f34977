//! Builds a message with the crate `mail-builder` and sends it: the recipients are those of its To, Cc and Bcc, and nobody
//! gets to see the Bcc.
//!
//!     cargo run --manifest-path examples/messages/Cargo.toml --bin send_mail_builder
//!     .. --bin send_mail_builder -- mail.example.com --user me --password secret --from me@example.com --to you@example.com
//!
//! With no server given it goes to a throw-away one on loopback.

#[path = "../../../options/mod.rs"]
mod options;

use mail_builder::MessageBuilder;
use mailconnect_messages::{connect, tell};
use options::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read()?;
    let message = MessageBuilder::new()
        .from(("Me, Myself", options.from.as_str()))
        .to(options.to.iter().map(String::as_str).collect::<Vec<_>>())
        .bcc(options.from.as_str())
        .subject("Hello from mail-builder")
        .text_body("It works.\n.\nThe line above is a dot.\n")
        .attachment("text/csv", "numbers.csv", "1,2,3\n")
        .write_to_vec()?;

    let (mut smtp, throw_away) = connect(options.host.as_deref(), options.port, &options.user, &options.password)?;
    let report = smtp.send_message(&message)?;
    smtp.quit()?;

    tell(&report, throw_away.as_ref());
    Ok(())
}
