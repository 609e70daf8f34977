//! Rule 11: no secret and no challenge in what people read, whatever the mechanism and however it ends.

use std::sync::{Arc, Mutex};

use mailconnect::Connector;
use mailconnect::sasl::{CramMd5, Login, Mechanism, OAuthBearer, Plain, Scram, XOAuth2};

use crate::for_each;
use crate::peer::{Dialect, Say, client};
use crate::scram_server::Server;

for_each! {
    rule_11_no_secret_and_no_challenge_is_shown: nothing_shown;
}

const PASSWORD: &str = "correct-horse";
const CHALLENGE: &str = "<challenge-of-the-server>";

fn nothing_shown<P: Dialect>() {
    let makers: [fn() -> Box<dyn Mechanism>; 7] = [
        || Box::new(Plain::new("user", PASSWORD).unwrap()),
        || Box::new(Login::new("user", PASSWORD).unwrap()),
        || Box::new(CramMd5::new("user", PASSWORD).unwrap()),
        || Box::new(Scram::sha256("user", PASSWORD).unwrap()),
        || Box::new(Scram::sha1("user", PASSWORD).unwrap()),
        || Box::new(XOAuth2::new("user", PASSWORD).unwrap()),
        || Box::new(OAuthBearer::new("user", PASSWORD).unwrap()),
    ];
    for make in makers {
        let mut answers = Vec::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let mut scram = Server::default().part(|_, text| text);
        let mut n = 0;
        let part = move |message: Option<&[u8]>| {
            n += 1;
            log.lock().unwrap().extend(message.map(<[u8]>::to_vec));
            match (n, scram_like(message)) {
                (1, true) => scram(message),
                (1, false) => Say::Challenge(CHALLENGE.into()),
                _ => Say::Refusal,
            }
        };
        let lines = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&lines);
        let connector = Connector::new().transcript(move |event| *sink.lock().unwrap() += &format!("{event}\n"));
        let (mut client, _, handle) = client::<P>(connector, &[], Box::new(part), None);
        let mut mechanism = make();
        let error = client.authenticate(&mut *mechanism).unwrap_err();
        answers.extend(heard.lock().unwrap().clone());
        let shown = format!("{error} {error:?} {client:?} {}", lines.lock().unwrap());
        let base64 = |text: &[u8]| {
            let secret = mailconnect::sasl::Secret::from(text.to_vec()).to_base64();
            String::from_utf8(secret.as_bytes().to_vec()).unwrap()
        };
        let mut secrets = vec![PASSWORD.to_owned(), base64(CHALLENGE.as_bytes()), base64(PASSWORD.as_bytes())];
        secrets.extend(answers.iter().filter(|answer| answer.len() > 3).map(|answer| base64(answer)));
        for secret in &secrets {
            assert!(!shown.contains(secret.as_str()), "{}: {secret} in {shown}", mechanism.name());
        }
        let oauth = matches!(mechanism.name(), "XOAUTH2" | "OAUTHBEARER");
        assert!(oauth || !shown.contains(CHALLENGE), "{}: {shown}", mechanism.name());
        assert!(shown.contains("[redacted]") && shown.contains(mechanism.name()), "{shown}");
        assert!(!handle.sent().is_empty());
    }
}

/// True for SCRAM-SHA-256's first message, to which the server in other code has an answer.
fn scram_like(message: Option<&[u8]>) -> bool {
    message.is_some_and(|message| message.starts_with(b"n,,n=user,r="))
}
