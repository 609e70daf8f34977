//! Logging in: every way that the endpoint's fields promise works, a wrong password does not, and before TLS exactly
//! what the fields say.

use mailconnect::sasl::{Login, Plain};
use mailconnect::{Client, Connector, Error, Protocol};

use crate::mailboxes;
use crate::model::{Endpoint, Mode, Proto, Rig};
use crate::opening::open;
use crate::report::{Checked, During, Notes, ensure, refused, whole};

/// Not the password of anybody.
pub(crate) const WRONG_PASSWORD: &str = "not-the-password";

/// Who logs in.
pub(crate) const USER: &str = "alice";

/// A way to log in that this crate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Login,
    /// IMAP's LOGIN, POP3's USER and PASS.
    Own,
}

/// The ways that must work, under TLS or as the connection is; none if nobody can log in.
fn ways(endpoint: &Endpoint, secure: bool) -> Vec<Way> {
    if endpoint.users.is_empty() {
        return Vec::new();
    }
    // `auth` is for a link without TLS where there is none at all.
    let final_link = secure || endpoint.mode == Mode::Plain;
    let mechanisms = if final_link { &endpoint.auth } else { &endpoint.auth_plain };
    let has = |name: &str| mechanisms.iter().any(|mechanism| mechanism == name);
    let own = match endpoint.proto {
        // It works everywhere under TLS, whatever mechanisms there are.
        Proto::Imap => secure || endpoint.login_plain,
        Proto::Pop3 => has("USER") && (secure || endpoint.login_plain),
        Proto::Smtp | Proto::Lmtp => false,
    };
    let found = [(Way::Plain, has("PLAIN")), (Way::Login, has("LOGIN")), (Way::Own, own)];
    found.into_iter().filter(|(_, works)| *works).map(|(way, _)| way).collect()
}

/// True if a client that was opened by the endpoint's own verb can log in.
pub(crate) fn is_possible(endpoint: &Endpoint) -> bool {
    !ways(endpoint, endpoint.mode != Mode::Plain).is_empty()
}

/// Tries again while the server says that it will pass: some POP3 servers let go of a mailbox only after they have answered
/// QUIT, and Postfix may lose the server that it asks about passwords.
pub(crate) fn patiently<P: Protocol>(
    client: &mut Client<P>,
    mut log_in: impl FnMut(&mut Client<P>) -> mailconnect::Result<()>,
) -> mailconnect::Result<()> {
    let mut result = log_in(client);
    for _ in 0..50 {
        if !result.as_ref().is_err_and(|error| error.is_transient() && client.is_open()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        result = log_in(client);
    }
    result
}

/// Logs in with the right password, in the way that the client chooses.
pub(crate) fn log_in<P: Protocol>(rig: &Rig, endpoint: &Endpoint, client: &mut Client<P>, user: &str) -> Checked {
    let (name, password) = rig.credentials(endpoint, user);
    patiently(client, |client| client.login(&name, password)).during(&format!("login as {name}"))?;
    ensure(client.is_authenticated(), || "login succeeded, and the client does not know".into())
}

/// Checks all of it; `connector` is one with which the endpoint can be used.
pub(crate) fn check<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    connector: &Connector,
    notes: &mut Notes,
) -> Checked {
    let ways = ways(endpoint, endpoint.mode != Mode::Plain);
    if ways.is_empty() {
        notes.add("no login");
        return Ok(());
    }
    let _guard = (endpoint.proto == Proto::Pop3).then(|| mailboxes::alone(endpoint));
    for way in &ways {
        let mut client = open::<P>(connector, endpoint).during("opening to log in")?;
        by(*way, rig, endpoint, &mut client).during(&format!("logging in by {way:?}"))?;
        // Whatever QUIT answers, the login is what counts here.
        let _ = client.quit();
    }
    notes.add(format!("login by {ways:?}"));
    wrong_password::<P>(rig, endpoint, connector, notes)?;
    // Where a client certificate comes first, so does TLS.
    let asks_before_tls = endpoint.mode == Mode::StartTls && !endpoint.client_cert;
    if asks_before_tls { before_tls::<P>(rig, endpoint, connector, notes) } else { Ok(()) }
}

fn by<P: Protocol>(way: Way, rig: &Rig, endpoint: &Endpoint, client: &mut Client<P>) -> mailconnect::Result<()> {
    let (user, password) = rig.credentials(endpoint, USER);
    patiently(client, |client| match way {
        Way::Plain => client.authenticate(&mut Plain::new(&user, password)?),
        Way::Login => client.authenticate(&mut Login::new(&user, password)?),
        Way::Own => client.exchange(|protocol, wire| protocol.login(wire, &user, password)),
    })
}

/// A wrong password is refused as such; afterwards the right one is taken, or the server has hung up.
fn wrong_password<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    connector: &Connector,
    notes: &mut Notes,
) -> Checked {
    let (user, _) = rig.credentials(endpoint, USER);
    let mut client = open::<P>(connector, endpoint).during("opening for a wrong password")?;
    let error = refused("login with a wrong password", client.login(&user, WRONG_PASSWORD))?;
    let Error::Rejected(rejection) = &error else {
        return Err(format!("a wrong password: not Rejected, but {}", whole(&error)));
    };
    ensure(!whole(&error).contains(WRONG_PASSWORD), || "the error repeats the password".into())?;
    ensure(!client.is_authenticated(), || "authenticated after a wrong password".into())?;
    ensure(client.is_open() != rejection.closing, || format!("open: {}, after {rejection}", client.is_open()))?;
    if rejection.closing {
        notes.add("wrong password: refused and closed");
        return Ok(());
    }
    match by(ways(endpoint, client.is_secure())[0], rig, endpoint, &mut client) {
        Ok(()) => {
            let _ = client.quit();
            notes.add("wrong password: refused, then the right one taken");
        }
        Err(Error::ConnectionLost(_) | Error::Io { .. }) => notes.add("wrong password: refused, then closed"),
        Err(error) => return Err(format!("the right password after a wrong one: {}", whole(&error))),
    }
    Ok(())
}

/// Before STARTTLS a login works exactly where the fields say so (this machine is local, so the crate allows it).
fn before_tls<P: Protocol + Default>(
    rig: &Rig,
    endpoint: &Endpoint,
    connector: &Connector,
    notes: &mut Notes,
) -> Checked {
    let mut client: Client<P> = connector.connect(endpoint.address()).during("connecting without TLS")?;
    let (user, password) = rig.credentials(endpoint, USER);
    if ways(endpoint, false).is_empty() {
        // What `login_plain` speaks of is the protocol's own command; some servers offer mechanisms beside it.
        let tried = if endpoint.proto == Proto::Smtp {
            client.login(&user, password)
        } else {
            by(Way::Own, rig, endpoint, &mut client)
        };
        let error = refused("login before TLS", tried)?;
        let typed = matches!(error, Error::NoMechanism(_) | Error::Rejected(_) | Error::Unsupported(_));
        notes.add("no login before TLS");
        return ensure(typed, || format!("login before TLS: {}", whole(&error)));
    }
    client.login(&user, password).during("login before TLS")?;
    let error = refused("start_tls after a login", client.start_tls())?;
    ensure(matches!(error, Error::WrongState(_)), || format!("start_tls after a login: {}", whole(&error)))?;
    client.quit().during("quit after a login without TLS")?;
    notes.add("login before TLS");
    Ok(())
}
