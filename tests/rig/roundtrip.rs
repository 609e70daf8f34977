//! A large message with everything that transports get wrong, through Postfix's submission port and back out of Dovecot.

use mailconnect::SmtpClient;
use mailconnect::smtp::Envelope;

use crate::login::USER;
use crate::messages::Message;
use crate::model::{Mode, Rig};
use crate::{mailboxes, opening};

const SIZE: usize = 100 << 10;
const RECIPIENT: &str = "alice@example.test";

/// Lines of all sorts, 100 KiB of them.
pub(crate) fn large() -> Message {
    let lines: [&[u8]; 10] = [
        b".",
        b"..",
        b".a dot at the start",
        b"...three",
        b"",
        b"a dot at the end.",
        "\u{fc}\u{f6}\u{e4}\u{df} \u{20ac} \u{1f4e7}".as_bytes(),
        b"\x80\xff\xfe not UTF-8 \xc3",
        b" \t ",
        &[b'x'; 990],
    ];
    let mut body = Vec::new();
    for (number, line) in lines.iter().cycle().enumerate() {
        body.extend_from_slice(line);
        if !line.is_empty() && *line != b"." {
            body.extend_from_slice(number.to_string().as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        if body.len() >= SIZE {
            break;
        }
    }
    Message::new(RECIPIENT, &body)
}

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn a_message_of_100_kib_comes_back_byte_for_byte() {
    let rig = Rig::from_environment();
    let message = large();
    submit(&rig, &message).expect("sending");
    for (name, mode) in [("dovecot.imaps", Mode::Implicit), ("dovecot.pop3", Mode::StartTls)] {
        let reader = rig.endpoint(name);
        assert_eq!(reader.mode, mode, "{name}");
        mailboxes::arrived_at(&rig, reader, &message).unwrap();
        println!("ok     {} bytes back by {name} ({mode})", message.bytes.len());
    }
}

/// As `examples/send_587.rs` does it.
fn submit(rig: &Rig, message: &Message) -> mailconnect::Result<()> {
    let endpoint = rig.endpoint("postfix.submission");
    assert_eq!(endpoint.mode, Mode::StartTls);
    let mut smtp: SmtpClient = opening::trusting(rig).connect(endpoint.address())?;
    smtp.start_tls()?;
    let (user, password) = rig.credentials(endpoint, USER);
    smtp.login(&user, password)?;
    let envelope = Envelope::new(RECIPIENT, [RECIPIENT])?;
    let report = smtp.send(&envelope, message.bytes.as_slice())?;
    smtp.quit()?;
    println!("ok     {} bytes sent by {} ({}): {}", message.bytes.len(), endpoint.name, endpoint.mode, report.reply);
    Ok(())
}
