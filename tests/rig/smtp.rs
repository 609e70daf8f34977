//! SMTP: a message goes in, and is looked for where the endpoint's store can be read.

use mailconnect::smtp::{Envelope, Smtp};
use mailconnect::{Client, SmtpClient};

use crate::login::{self, USER};
use crate::mailboxes;
use crate::messages::Message;
use crate::model::{Endpoint, Rig};
use crate::report::{Checked, During, Notes};
use crate::usage::Session;

/// Who sends.
const SENDER: &str = "alice@example.test";

impl Session for Smtp {
    fn run(rig: &Rig, endpoint: &Endpoint, mut client: Client<Self>, notes: &mut Notes) -> Checked {
        if login::is_possible(endpoint) {
            login::log_in(rig, endpoint, &mut client, USER)?;
        }
        let message = Message::short(&recipient(endpoint));
        send(&mut client, endpoint, &message).during("sending")?;
        client.quit().during("QUIT")?;
        notes.add("sent");
        match &endpoint.store {
            Some(store) => mailboxes::arrived(rig, store, &message, notes),
            None => Ok(()),
        }
    }

    fn first_use(_: &Rig, endpoint: &Endpoint, mut client: Client<Self>) -> mailconnect::Result<()> {
        send(&mut client, endpoint, &Message::short(&recipient(endpoint)))
    }
}

/// Whom the endpoint takes mail for; anybody where it throws mail away.
pub(crate) fn recipient(endpoint: &Endpoint) -> String {
    format!("{USER}@{}", endpoint.domains.first().map_or("example.test", String::as_str))
}

/// Sends to one recipient, whose refusal is an error.
pub(crate) fn send(client: &mut SmtpClient, endpoint: &Endpoint, message: &Message) -> mailconnect::Result<()> {
    let envelope = Envelope::new(SENDER, [recipient(endpoint)])?;
    client.send(&envelope, message.bytes.as_slice()).map(drop)
}
