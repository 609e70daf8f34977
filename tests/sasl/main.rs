//! Logging in, for all three protocols alike: what is chosen, what a wrong server gets, and SCRAM against a server in
//! other code, over a stand-in for TLS and over real TLS.
#![cfg(feature = "scram")]

mod choice;
mod peer;
mod real_tls;
mod scram_server;
mod secrets;
mod sha256;
mod wrong;

use mailconnect::sasl::{ChannelBinding, ChannelBindings, Scram};
use mailconnect::{Connector, Error};

use peer::{Dialect, client};
use scram_server::{PASSWORD, Server, USER};

/// Runs a function for each protocol.
macro_rules! for_each {
    ($($name:ident: $work:ident;)*) => {
        $(#[test]
        fn $name() {
            $work::<mailconnect::smtp::Smtp>();
            $work::<mailconnect::imap::Imap>();
            $work::<mailconnect::pop3::Pop3>();
        })*
    };
}
pub(crate) use for_each;

for_each! {
    scram_with_a_server_in_other_code: scram;
    scram_bound_with_a_server_in_other_code: scram_bound;
    rule_3_nothing_is_said_in_clear: in_clear;
}

pub(crate) fn bindings() -> ChannelBindings {
    let exporter: Vec<u8> = (0..32).collect();
    ChannelBindings::new()
        .with(ChannelBinding::TlsExporter, exporter)
        .with(ChannelBinding::TlsServerEndPoint, vec![0xab; 48])
}

pub(crate) fn honest(server: Server) -> peer::Part {
    server.part(|_, message| message)
}

fn scram<P: Dialect>() {
    let server = Server::default();
    let (mut client, seen, handle) = client::<P>(Connector::new(), &["PLAIN"], honest(server.clone()), None);
    client.authenticate(&mut Scram::sha256(USER, PASSWORD).unwrap()).unwrap();
    assert!(client.is_authenticated());
    assert_eq!(seen.lock().unwrap().attempts, ["SCRAM-SHA-256"]);
    P::noop(&mut client).unwrap();
    assert_eq!(handle.error(), None);
    let (mut client, _, _handle) = peer::client::<P>(Connector::new(), &["PLAIN"], honest(server), None);
    let error = client.authenticate(&mut Scram::sha256(USER, "pensil").unwrap()).unwrap_err();
    let rejection = error.rejection().expect("Rejected");
    let hint = rejection.hint.as_deref().unwrap();
    assert!(
        hint.contains("may hold no SCRAM secret") && hint.contains("Connector::mechanisms([\"PLAIN\", \"LOGIN\"])")
    );
    assert!(error.to_string().contains(hint) && error.is_permanent());
    assert!(client.is_open() && !client.is_authenticated());
}

fn scram_bound<P: Dialect>() {
    let run = |binding: Option<(&'static str, Vec<u8>)>, mut scram: Scram| {
        let server = Server { binding, offers_plus: true };
        let offered = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
        let (mut client, seen, _handle) = client::<P>(Connector::new(), &offered, honest(server), Some(bindings()));
        let result = client.authenticate(&mut scram);
        (result, client.is_open(), seen.lock().unwrap().attempts.clone())
    };
    let scram = || Scram::sha256(USER, PASSWORD).unwrap();
    let data = |kind| bindings().get(kind).unwrap().to_vec();
    let exporter = ("tls-exporter", data(ChannelBinding::TlsExporter));
    let end_point = ("tls-server-end-point", data(ChannelBinding::TlsServerEndPoint));
    let (result, _, attempts) = run(Some(exporter.clone()), scram().bound());
    result.unwrap();
    assert_eq!(attempts, ["SCRAM-SHA-256-PLUS"]);
    run(Some(end_point.clone()), scram().bound_by(ChannelBinding::TlsServerEndPoint)).0.unwrap();
    // Somebody in the middle has another connection to the server, and so other data.
    let middle = ("tls-exporter", vec![7; 32]);
    for (binding, scram, kind) in [
        (Some(middle), scram().bound(), "tls-exporter"),
        // A server that takes the other kind, or none in truth.
        (Some(end_point), scram().bound(), "tls-exporter"),
        (Some(exporter), scram().bound_by(ChannelBinding::TlsServerEndPoint), "tls-server-end-point"),
        (None, scram().bound(), "tls-exporter"),
    ] {
        let (result, open, attempts) = run(binding, scram);
        let error = result.unwrap_err();
        assert!(error.rejection().is_some() && open, "{error}");
        assert!(error.to_string().contains(&format!("may not take {kind}: try Scram::bound_by")), "{error}");
        assert_eq!(attempts.len(), 1);
    }
}

fn in_clear<P: Dialect>() {
    let (script, seen) = peer::script::<P>(&["SCRAM-SHA-256"], honest(Server::default()), false);
    let (transport, handle) = script.play();
    let connector = Connector::new().clock(handle.clock());
    let security = mailconnect::Security::Plain;
    let mut client = connector.over(P::default(), transport, ("mail.example.com", 25), security).unwrap();
    let before = handle.sent();
    for result in [client.authenticate(&mut Scram::sha256(USER, PASSWORD).unwrap()), client.login(USER, PASSWORD)] {
        assert!(matches!(result, Err(Error::InsecureLogin(_))));
    }
    assert!(client.is_open() && handle.sent() == before && seen.lock().unwrap().attempts.is_empty());
}
