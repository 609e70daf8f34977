//! LMTP: a message goes in, with an answer for each recipient, and is looked for where the endpoint's store can be read.

use mailconnect::LmtpClient;
use mailconnect::smtp::Envelope;

use crate::login::{self, USER};
use crate::messages::Message;
use crate::model::{Endpoint, Rig};
use crate::report::{Checked, During, Notes, ensure};
use crate::{mailboxes, opening, smtp};

pub(crate) fn check(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    let mut client: LmtpClient = opening::open(&opening::trusting(rig), endpoint).during("opening")?;
    if login::is_possible(endpoint) {
        login::log_in(rig, endpoint, &mut client, USER)?;
    }
    let message = Message::short(&smtp::recipient(endpoint));
    let envelope = Envelope::new("rig@example.test", [smtp::recipient(endpoint)]).during("the envelope")?;
    let report = client.send(&envelope, message.bytes.as_slice()).during("sending")?;
    ensure(report.accepted.len() == 1 && report.refused.is_empty(), || format!("{report:?}"))?;
    notes.add(format!("sent: {}", report.accepted[0].1));
    client.noop().during("NOOP")?;
    client.quit().during("QUIT")?;
    match &endpoint.store {
        Some(store) => mailboxes::arrived(rig, store, &message, notes),
        None => Ok(()),
    }
}
