//! Builds a message with the crate `lettre` and sends it: the recipients are those of its To, Cc and Bcc, and nobody gets
//! to see the Bcc.
//!
//!     cargo run --manifest-path examples/messages/Cargo.toml --bin send_lettre
//!     .. --bin send_lettre -- mail.example.com --user me --password secret --from me@example.com --to you@example.com
//!
//! With no server given it goes to a throw-away one on loopback.

#[path = "../../../options/mod.rs"]
mod options;

use lettre::Message;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType};
use mailconnect_messages::{connect, tell};
use options::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read()?;
    // `keep_bcc`, since lettre would leave it out of the bytes, and who is to get the message with it.
    let from = Mailbox::new(Some("Me, Myself".into()), options.from.parse()?);
    let mut builder = Message::builder().keep_bcc().bcc(options.from.parse()?).from(from);
    for to in &options.to {
        builder = builder.to(to.parse()?);
    }
    let text = SinglePart::plain("It works.\n.\nThe line above is a dot.\n".to_owned());
    let numbers = Attachment::new("numbers.csv".into()).body("1,2,3\n".to_owned(), ContentType::parse("text/csv")?);
    let content = MultiPart::mixed().singlepart(text).singlepart(numbers);
    let message = builder.subject("Hello from lettre").multipart(content)?.formatted();

    let (mut smtp, throw_away) = connect(options.host.as_deref(), options.port, &options.user, &options.password)?;
    let report = smtp.send_message(&message)?;
    smtp.quit()?;

    tell(&report, throw_away.as_ref());
    Ok(())
}
