//! OAUTHBEARER and XOAUTH2 byte for byte, and what they do with a refusal.

use super::*;

const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

fn context() -> Context<'static> {
    let mut context = Context::new("imap", "server.example.com");
    context.port = Some(143);
    context
}

/// RFC 7628 4.1; and 4.2 with its refusal.
#[test]
fn oauthbearer_is_as_in_its_rfc() {
    let mut oauth = OAuthBearer::new("user@example.com", TOKEN).unwrap();
    assert!(!oauth.is_finished());
    let first = oauth.start(&context()).unwrap().unwrap().to_base64();
    let expected = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI\
                    HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
    assert_eq!(std::str::from_utf8(first.as_bytes()).unwrap(), expected);
    assert!(oauth.is_finished());
    let reason = r#"{"status":"invalid_token","scope":"example_scope"}"#;
    assert_eq!(oauth.step(reason.as_bytes()).unwrap().as_bytes(), b"\x01");
    assert_eq!((oauth.failure(), oauth.is_finished()), (Some(reason), false));
    assert!(matches!(oauth.step(b""), Err(Error::Sasl(error)) if error.cause == SaslCause::Unexpected));
}

#[test]
fn without_a_user_the_token_says_who_it_is() {
    let first = OAuthBearer::new("", "t").unwrap().start(&Context::new("imap", "localhost")).unwrap().unwrap();
    assert_eq!(first.as_bytes(), b"n,,\x01host=localhost\x01auth=Bearer t\x01\x01");
}

#[test]
fn a_name_is_escaped_and_a_socket_has_no_port() {
    let mut oauth = OAuthBearer::new("a=b,c", "t").unwrap();
    let first = oauth.start(&Context::new("smtp", "localhost")).unwrap().unwrap();
    assert_eq!(first.as_bytes(), b"n,a=a=3Db=2Cc,\x01host=localhost\x01auth=Bearer t\x01\x01");
}

#[test]
fn xoauth2_answers_its_refusal_with_nothing() {
    let mut oauth = XOAuth2::new("someuser@example.com", "vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==").unwrap();
    let first = oauth.start(&context()).unwrap().unwrap().to_base64();
    let expected = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ==";
    assert_eq!(std::str::from_utf8(first.as_bytes()).unwrap(), expected);
    assert!(oauth.is_finished());
    let reason = r#"{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}"#;
    assert_eq!(oauth.step(reason.as_bytes()).unwrap().as_bytes(), b"");
    assert_eq!((oauth.failure(), oauth.is_finished()), (Some(reason), false));
    assert!(oauth.step(b"").is_err());
}

#[test]
fn a_source_is_asked_at_each_start() {
    let mut tokens = ["one", "two"].into_iter();
    let mut oauth = XOAuth2::with_source("u", move || {
        tokens.next().map(str::to_owned).ok_or_else(|| io::Error::other("no more tokens"))
    })
    .unwrap();
    for token in ["one", "two"] {
        let first = oauth.start(&context()).unwrap().unwrap();
        assert_eq!(first.as_bytes(), format!("user=u\x01auth=Bearer {token}\x01\x01").as_bytes());
        assert_eq!(oauth.password(), Some(token.as_bytes()));
    }
    let error = oauth.start(&context()).unwrap_err();
    assert!(matches!(&error, Error::Caller { closed: false, .. }) && !error.is_fatal(), "{error:?}");
    let mut oauth = OAuthBearer::with_source("u", || Ok("a\x01auth=b".to_owned())).unwrap();
    assert!(matches!(oauth.start(&context()), Err(Error::InvalidArgument(_))));
}

#[test]
fn rule_9_and_11_what_is_refused_and_never_shown() {
    for bad in ["a\rb", "a\nb", "a\0b", "a\x01b"] {
        assert!(OAuthBearer::new(bad, "t").is_err() && OAuthBearer::new("u", bad).is_err());
        assert!(XOAuth2::new(bad, "t").is_err() && XOAuth2::new("u", bad).is_err());
        assert!(XOAuth2::with_source(bad, || Ok(String::new())).is_err());
    }
    for token in ["", " ", "a b", "\u{e9}"] {
        let error = OAuthBearer::new("u", token).unwrap_err().to_string();
        assert!(error.starts_with("invalid token"), "{error}");
    }
    let shown = format!("{:?} {:?}", OAuthBearer::new("u", "hunter2").unwrap(), XOAuth2::new("u", "hunter2").unwrap());
    assert!(shown.contains("[redacted]") && !shown.contains("hunter2"), "{shown}");
}
