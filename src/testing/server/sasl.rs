//! The two password mechanisms that the servers take, RFC 4616 PLAIN and the LOGIN of the expired draft-murchison-sasl-login.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;

use super::stream::{Connection, Line};

/// How a SASL exchange ended.
pub(super) enum Outcome {
    /// Logged in, by this name.
    User(String),
    /// Wrong user or password.
    Wrong,
    /// The client gave up with `*`.
    Cancelled,
    /// Not base64, or not what the mechanism wants.
    Malformed,
    /// No such mechanism.
    Unknown,
    /// The client is gone.
    Gone,
}

/// Longest line of an exchange: 12 288 octets, RFC 4954 section 4.
const LINE: usize = 12_288;

/// Plays the server's part. `challenge` writes a challenge, given in base64.
pub(super) fn exchange(
    connection: &mut Connection,
    mechanism: &str,
    initial: Option<&[u8]>,
    challenge: fn(&mut Connection, &str) -> io::Result<()>,
) -> io::Result<Outcome> {
    let texts: &[&str] = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => &[""],
        "LOGIN" => &["Username:", "Password:"],
        _ => return Ok(Outcome::Unknown),
    };
    let mut initial = initial.map(|text| if text == b"=" { Vec::new() } else { text.to_vec() });
    let mut answers = Vec::new();
    for text in texts {
        let answer = match initial.take() {
            Some(answer) => answer,
            None => {
                challenge(connection, &STANDARD.encode(text))?;
                match connection.line(LINE)? {
                    Line::Text(line) => {
                        connection.heard(if line == b"*" { "*" } else { "***" });
                        line
                    }
                    Line::TooLong => return Ok(Outcome::Malformed),
                    Line::End => return Ok(Outcome::Gone),
                }
            }
        };
        if answer == b"*" {
            return Ok(Outcome::Cancelled);
        }
        match STANDARD.decode(&answer) {
            Ok(answer) => answers.push(answer),
            Err(_) => return Ok(Outcome::Malformed),
        }
    }
    Ok(judge(connection, &answers))
}

fn judge(connection: &Connection, answers: &[Vec<u8>]) -> Outcome {
    let credentials = match answers {
        [plain] => plain_credentials(plain),
        [user, password] => text(user).zip(text(password)),
        _ => None,
    };
    match credentials {
        None => Outcome::Malformed,
        Some((user, password)) if connection.shared().is_user(user, password) => Outcome::User(user.to_owned()),
        Some(_) => Outcome::Wrong,
    }
}

/// `[authzid] NUL user NUL password`; nobody may act as somebody else.
fn plain_credentials(message: &[u8]) -> Option<(&str, &str)> {
    let mut parts = message.split(|byte| *byte == 0).map(text);
    let (identity, user, password) = (parts.next()??, parts.next()??, parts.next()??);
    let own = identity.is_empty() || identity == user;
    (own && parts.next().is_none()).then_some((user, password))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
