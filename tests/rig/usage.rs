//! An endpoint from beginning to end: wrong modes, the certificate, a whole session by every verb and from every
//! address, logging in.

use mailconnect::{Client, Connector, Protocol};

use crate::model::{Endpoint, Mode, Rig};
use crate::report::{Checked, During, Notes};
use crate::{login, opening};

/// What the suite does with a connection of one protocol.
pub(crate) trait Session: Protocol + Default {
    /// Logs in where that is possible, uses the verbs, says goodbye.
    fn run(rig: &Rig, endpoint: &Endpoint, client: Client<Self>, notes: &mut Notes) -> Checked;

    /// The least that a server lets only those do whom it has accepted.
    fn first_use(rig: &Rig, endpoint: &Endpoint, client: Client<Self>) -> mailconnect::Result<()>;
}

pub(crate) fn check<P: Session>(rig: &Rig, endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    opening::wrong_mode::<P>(rig, endpoint, notes)?;
    let connector = match endpoint.verify {
        Some(_) if endpoint.client_cert => {
            let first_use = |client| P::first_use(rig, endpoint, client);
            Some(opening::client_certificate(rig, endpoint, notes, first_use)?)
        }
        Some(verify) => opening::certificate::<P>(rig, endpoint, verify, notes)?,
        None => Some(opening::trusting(rig)),
    };
    let Some(connector) = connector else { return Ok(()) };
    let client = opening::open(&connector, endpoint).during("opening")?;
    P::run(rig, endpoint, client, notes)?;
    other_ways_in::<P>(endpoint, &connector, notes)?;
    login::check::<P>(rig, endpoint, &connector, notes)
}

/// `connect` and then `start_tls`, and every other address.
fn other_ways_in<P: Session>(endpoint: &Endpoint, connector: &Connector, notes: &mut Notes) -> Checked {
    if endpoint.mode == Mode::StartTls {
        let mut client: Client<P> = connector.connect(endpoint.address()).during("connect")?;
        client.start_tls().during("connect, then start_tls")?;
        client.quit().during("quit after start_tls")?;
        notes.add("connect and start_tls");
    }
    for host in endpoint.hosts.iter().skip(1) {
        let client: Client<P> = opening::open_at(connector, endpoint, (host, endpoint.port)).during(host)?;
        client.quit().during(&format!("quit from {host}"))?;
        notes.add(host);
    }
    Ok(())
}
