//! Real servers, of the rig that `MAILCONNECT_RIG` names.

use mailconnect::{Connector, ImapClient, Result};

use crate::told;
/// Puts a message into the inbox of each server of the rig that takes this client's log-in, and reads it back.
#[test]
#[ignore = "needs MAILCONNECT_RIG"]
fn real_servers_give_back_what_they_got() {
    let rig = std::env::var("MAILCONNECT_RIG").expect("MAILCONNECT_RIG names no file");
    let rig: serde_json::Value = serde_json::from_slice(&std::fs::read(rig).unwrap()).unwrap();
    let ca = std::fs::read(rig["ca"].as_str().unwrap()).unwrap();
    let mut done = 0;
    for endpoint in rig["endpoints"].as_array().unwrap() {
        let text = |field: &str| endpoint[field].as_str().unwrap_or_default();
        let usable = endpoint["fails"].is_null() && endpoint["client_cert"] != true;
        let (plain, trusted) = (text("mode") == "plain", text("verify") == "ok");
        if text("proto") != "imap" || !usable || !(trusted || plain && endpoint["login_plain"] == true) {
            continue;
        }
        let connector = Connector::new().root_certificates_pem(&ca).unwrap();
        let address = (text("host"), u16::try_from(endpoint["port"].as_u64().unwrap()).unwrap());
        let client: Result<ImapClient> = match text("mode") {
            "implicit" => connector.connect_ssl(address),
            "starttls" => connector.connect_start_tls(address),
            _ => connector.connect(address),
        };
        let mut client = client.unwrap_or_else(|error| panic!("{}: {error}", text("name")));
        let user = "alice".to_owned() + text("login_suffix");
        client.login(&user, "secret-alice").unwrap_or_else(|error| panic!("{}: {error}", text("name")));
        there_and_back(&mut client, text("name"));
        client.quit().unwrap();
        done += 1;
        println!("{}: ok", text("name"));
    }
    assert!(done >= 10, "only {done} endpoints");
}

fn there_and_back(client: &mut ImapClient, name: &str) {
    let line = "0123456789 \u{fc} 0123456789\r\n.dot\r\n";
    let message = format!("From: a@example.test\r\nSubject: {name}\r\n\r\n{}", line.repeat(3_000));
    let body = message.split_once("\r\n\r\n").unwrap().1;
    client.append("INBOX", &["\\Flagged"], message.as_bytes()).unwrap();
    let mailbox = client.select("INBOX").unwrap();
    let newest = *client.uid_search("ALL").unwrap().iter().max().unwrap();
    let mut got = Vec::new();
    let size = client.fetch_to(newest, &mut got).unwrap();
    assert_eq!(size, got.len() as u64, "{name}");
    assert!(got.ends_with(body.as_bytes()), "{name}");
    let told = told(client, &mailbox.exists.to_string(), "(UID FLAGS RFC822.SIZE BODY.PEEK[TEXT])").unwrap();
    assert!(told.contains(&format!("Uid({newest})")), "{name}: {told:?}");
    assert!(told.iter().any(|item| item.starts_with("Flags(") && item.contains("\\\\Flagged")), "{name}");
    assert!(told.iter().any(|item| item.starts_with("BODY[TEXT] ") && item.ends_with(body)), "{name}");
    assert!(client.fetch_to(4_000_000, &mut Vec::new()).unwrap_err().rejection().is_some(), "{name}");
    client.noop().unwrap();
}
