//! IDLE against Dovecot, on every back end of the build: twenty rounds, each with news of another session, an end by another
//! thread, and a NOOP.

use std::time::Duration;

use mailconnect::imap::Event;
use mailconnect::{Connector, ImapClient, TlsBackend};

use crate::login::{self, USER};
use crate::messages::Message;
use crate::model::{Endpoint, Rig};
use crate::report::{Checked, During, ensure};
use crate::{mailboxes, opening};

const ROUNDS: usize = 20;

#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn idle_twenty_times_on_every_back_end() {
    let rig = Rig::from_environment();
    let backends = [
        cfg!(feature = "rustls").then_some(TlsBackend::Rustls),
        cfg!(feature = "native-tls").then_some(TlsBackend::NativeTls),
    ];
    let mut done = 0;
    for backend in backends.into_iter().flatten() {
        for name in ["dovecot.imap", "dovecot.imaps"] {
            let connector = opening::lenient(&rig).tls_backend(backend);
            let result = rounds(&rig, rig.endpoint(name), &connector);
            result.unwrap_or_else(|why| panic!("{name} on {backend:?}: {why}"));
            println!("ok     {name} on {backend:?}: {ROUNDS} rounds of IDLE, DONE and NOOP");
            done += ROUNDS;
        }
    }
    println!("{done} rounds");
    assert!(done >= 2 * ROUNDS);
}

fn rounds(rig: &Rig, endpoint: &Endpoint, connector: &Connector) -> Checked {
    let _guard = mailboxes::alone(endpoint);
    let open = || {
        let mut client: ImapClient = opening::open(connector, endpoint).during("opening")?;
        login::log_in(rig, endpoint, &mut client, USER).map(|()| client)
    };
    let crowded = mailboxes::is_crowded(endpoint);
    let (mut listener, mut other) = (open()?, open()?);
    let mailbox = format!("mc-idle-{}", Message::short("x").tag);
    mailboxes::naming(crowded, || other.create(mailbox.as_str())).during("CREATE")?;
    let result = in_mailbox(&mut listener, &mut other, &mailbox);
    let left = listener.quit().during("LOGOUT");
    mailboxes::naming(crowded, || other.delete(mailbox.as_str())).during("DELETE")?;
    result.and(left)
}

fn in_mailbox(listener: &mut ImapClient, other: &mut ImapClient, mailbox: &str) -> Checked {
    listener.select(mailbox).during("SELECT")?;
    for round in 1..=ROUNDS {
        let mut idle = listener.idle(Duration::from_secs(30)).during("IDLE")?;
        let stop = idle.handle();
        other.append(mailbox, &[], &Message::short("x").bytes).during("APPEND")?;
        let mut heard = Vec::new();
        while let Some(event) = idle.next_event().during("IDLE")? {
            heard.push(event);
            if matches!(heard.last(), Some(Event::Exists(_))) {
                break;
            }
        }
        let count = u32::try_from(round).unwrap_or_default();
        ensure(heard.last() == Some(&Event::Exists(count)), || format!("round {round}: {heard:?}"))?;
        let waker = std::thread::spawn(move || stop.done());
        while idle.next_event().during("IDLE that is ended")?.is_some() {}
        waker.join().map_err(|_| "the other thread")?;
        listener.noop().during("NOOP")?;
    }
    Ok(())
}
