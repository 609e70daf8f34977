//! What `login` chooses: the strongest on offer, once, and what it says where there is nothing to choose.

use mailconnect::sasl::{BindingPolicy, ChannelBindings};
use mailconnect::{Connector, Error, Result};

use crate::peer::{Dialect, Part, Say, client};
use crate::scram_server::{PASSWORD, Server, USER};
use crate::{bindings, for_each, honest};

for_each! {
    the_strongest_is_taken_once: strongest;
    names_are_compared_without_regard_to_case: any_case;
    the_flag_tells_a_server_whose_offer_was_taken_out: downgrade;
    a_binding_is_taken_where_it_is_required: required;
    what_saslprep_prohibits_goes_by_another_mechanism: unprepared;
    oauth_is_never_taken_for_a_password: no_oauth;
    cram_md5_is_the_last_resort_on_this_machine_alone: cram_md5;
}

/// Refuses everything, so that what was tried shows.
fn refusing() -> Part {
    Box::new(|_| Say::Refusal)
}

/// What is tried, and what came of it.
#[track_caller]
fn tried<P: Dialect>(connector: Connector, offered: &[&'static str], tls: Option<ChannelBindings>) -> (String, Error) {
    let (mut client, seen, _handle) = client::<P>(connector, offered, refusing(), tls);
    let error = client.login(USER, PASSWORD).unwrap_err();
    assert!(client.is_open(), "{error}");
    let seen = seen.lock().unwrap();
    (seen.attempts.join(" "), error)
}

fn strongest<P: Dialect>() {
    let with = |offered: &[&'static str], connector: Connector| tried::<P>(connector, offered, None).0;
    let all = ["LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-256"];
    assert_eq!(with(&all, Connector::new()), "SCRAM-SHA-512");
    assert_eq!(with(&all[..5], Connector::new()), "SCRAM-SHA-1");
    assert_eq!(with(&all[..3], Connector::new()), "PLAIN");
    assert_eq!(with(&["CRAM-MD5", "LOGIN"], Connector::new()), "LOGIN");
    // Only these, in this order.
    assert_eq!(with(&all, Connector::new().mechanisms(["PLAIN", "LOGIN"])), "PLAIN");
    assert_eq!(with(&all, Connector::new().mechanisms(["login", "plain"])), "LOGIN");
    assert_eq!(with(&all, Connector::new().mechanisms(["XOAUTH2", "cram-md5", "PLAIN"])), "CRAM-MD5");
    assert_eq!(with(&all, Connector::new().mechanisms(["SCRAM-SHA-256", "SCRAM-SHA-512"])), "SCRAM-SHA-256");
    assert_eq!(with(&all[1..3], Connector::new().mechanisms(["SCRAM-SHA-256", "LOGIN-X"])), "");
}

fn any_case<P: Dialect>() {
    let (mut client, seen, _handle) =
        client::<P>(Connector::new(), &["plain", "Scram-Sha-256"], honest(Server::default()), None);
    client.login(USER, PASSWORD).unwrap();
    assert_eq!(seen.lock().unwrap().attempts, ["SCRAM-SHA-256"]);
}

fn downgrade<P: Dialect>() {
    // The server offers -PLUS; what the client hears lacks it.
    let log_in = |heard: &[&'static str], offers_plus, bindings| -> Result<()> {
        let server = Server { binding: None, offers_plus };
        client::<P>(Connector::new(), heard, honest(server), bindings).0.login(USER, PASSWORD)
    };
    let plain = ["SCRAM-SHA-256"];
    assert!(matches!(log_in(&plain, true, Some(bindings())), Err(Error::Rejected(_))));
    // Nothing was taken out; or the client cannot, or did not want to.
    log_in(&plain, false, Some(bindings())).unwrap();
    log_in(&plain, true, None).unwrap();
    log_in(&["SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"], true, Some(bindings())).unwrap();
}

fn required<P: Dialect>() {
    let connector = || Connector::new().channel_binding(BindingPolicy::Required);
    let offered = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
    let binding = bindings().get(mailconnect::sasl::ChannelBinding::TlsExporter).unwrap().to_vec();
    let server = Server { binding: Some(("tls-exporter", binding)), offers_plus: true };
    let (mut client, seen, _handle) = client::<P>(connector(), &offered, honest(server), Some(bindings()));
    client.login(USER, PASSWORD).unwrap();
    assert_eq!(seen.lock().unwrap().attempts, ["SCRAM-SHA-256-PLUS"]);
    // A connection without one, and a server without it: nothing else will do.
    let (attempts, error) = tried::<P>(connector(), &offered, Some(ChannelBindings::new()));
    assert!(attempts.is_empty() && matches!(error, Error::Unsupported(_)), "{error}");
    let (attempts, error) = tried::<P>(connector(), &offered[..2], Some(bindings()));
    let Error::NoMechanism(none) = &error else { panic!("{error:?}") };
    assert!(attempts.is_empty());
    assert_eq!(none.possible, ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]);
    assert_eq!(none.offered, ["PLAIN", "SCRAM-SHA-256"]);
    let only_one = connector().mechanisms(["SCRAM-SHA-1"]);
    assert!(matches!(tried::<P>(only_one, &offered, Some(bindings())).1, Error::NoMechanism(_)));
    // Asked for by its name it needs no policy.
    let named = Connector::new().mechanisms(["SCRAM-SHA-256-PLUS", "PLAIN"]);
    assert_eq!(tried::<P>(named, &offered, Some(bindings())).0, "SCRAM-SHA-256-PLUS");
}

fn unprepared<P: Dialect>() {
    // An emoji is younger than SASLprep's Unicode.
    let log_in = |offered: &[&'static str]| {
        let (mut client, seen, _handle) = client::<P>(Connector::new(), offered, refusing(), None);
        let error = client.login(USER, "p\u{1f511}ssword").unwrap_err();
        let attempts = seen.lock().unwrap().attempts.join(" ");
        (attempts, error)
    };
    let (attempts, error) = log_in(&["SCRAM-SHA-256", "PLAIN"]);
    assert!(attempts == "PLAIN" && matches!(error, Error::Rejected(_)), "{attempts} {error}");
    if P::NAME == "SMTP" {
        let (attempts, error) = log_in(&["SCRAM-SHA-256"]);
        assert!(attempts.is_empty() && error.to_string().contains("SASLprep"), "{error}");
    }
}

fn no_oauth<P: Dialect>() {
    let connector = Connector::new().mechanisms(["XOAUTH2", "OAUTHBEARER", "EXTERNAL", "ANONYMOUS"]);
    let (attempts, error) = tried::<P>(connector, &["XOAUTH2", "OAUTHBEARER", "EXTERNAL", "ANONYMOUS"], None);
    assert!(attempts.is_empty(), "{attempts}");
    let Error::NoMechanism(none) = &error else { panic!("{error:?}") };
    assert!(none.possible.is_empty() && none.offered.len() == 4);
}

#[test]
fn the_error_lists_what_was_offered_and_what_was_possible() {
    use mailconnect::smtp::Smtp;
    let (_, error) = tried::<Smtp>(Connector::new(), &["GSSAPI", "CRAM-MD5", "XOAUTH2"], None);
    assert_eq!(
        error.to_string(),
        "mail.example.com:25 offers no way to log in that can be used: offered GSSAPI CRAM-MD5 XOAUTH2; possible \
         SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN; CRAM-MD5 on request only, see Connector::mechanisms; XOAUTH2 \
         takes a token, not a password: see authenticate; many servers offer more after start_tls"
    );
    let (_, error) = tried::<Smtp>(Connector::new(), &[], Some(bindings()));
    assert!(error.to_string().ends_with("offered none; possible SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"));
}

fn cram_md5<P: Dialect>() {
    let attempts = |offered: &[&'static str]| {
        let (script, seen) = crate::peer::script::<P>(offered, refusing(), false);
        let server = script.listen().unwrap();
        // A socket of this machine, in clear: allowed without having to be.
        let mut client = Connector::new().connect::<P>(server.endpoint()).unwrap();
        client.login(USER, PASSWORD).unwrap_err();
        seen.lock().unwrap().attempts.join(" ")
    };
    assert_eq!(attempts(&["CRAM-MD5"]), "CRAM-MD5");
    assert_eq!(attempts(&["CRAM-MD5", "LOGIN"]), "LOGIN");
    assert_eq!(attempts(&["CRAM-MD5", "SCRAM-SHA-1", "PLAIN"]), "SCRAM-SHA-1");
    // Over any other link it has to be asked for.
    let tls = Some(bindings());
    if P::NAME == "SMTP" {
        assert_eq!(tried::<P>(Connector::new(), &["CRAM-MD5"], tls.clone()).0, "");
    }
    assert_eq!(tried::<P>(Connector::new().mechanisms(["CRAM-MD5"]), &["CRAM-MD5"], tls).0, "CRAM-MD5");
}
