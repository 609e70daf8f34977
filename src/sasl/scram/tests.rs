//! SCRAM against the vectors of RFC 5802 5 and RFC 7677 3, and against vectors made with Python's hashlib and hmac by the
//! formulas of RFC 5802 3 (`pbkdf2_hmac(name, b"pencil", salt, 4096)` and so on), since no RFC has any with SHA-512 or
//! with a channel binding.

use super::*;
use crate::tls_info::ChannelBindings;

const SHA1_NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";
const SHA1_FIRST: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const WHOLE_NONCE: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

fn bindings() -> ChannelBindings {
    let data: Vec<u8> = (0..32).collect();
    ChannelBindings::new().with(ChannelBinding::TlsExporter, data.clone()).with(ChannelBinding::TlsServerEndPoint, data)
}

fn fixed(mut scram: Scram, nonce: &str) -> Scram {
    scram.nonce = Some(nonce.to_owned());
    scram
}

fn text(secret: Secret) -> String {
    String::from_utf8(secret.as_bytes().to_vec()).unwrap()
}

/// A whole exchange: the client's first message up to the name, the channel's part of its last one, proof and signature.
#[track_caller]
fn exchange(scram: Scram, context: &Context<'_>, first: [&str; 3], bound_to: &str, proof: &str, signature: &str) {
    let [header, nonce, challenge] = first;
    let mut scram = fixed(scram, nonce);
    let whole = challenge.strip_prefix("r=").unwrap().split(',').next().unwrap();
    assert_eq!(text(scram.start(context).unwrap().unwrap()), format!("{header},r={nonce}"));
    assert_eq!(text(scram.step(challenge.as_bytes()).unwrap()), format!("c={bound_to},r={whole},p={proof}"));
    assert!(!scram.is_finished());
    assert_eq!(text(scram.step(format!("v={signature}").as_bytes()).unwrap()), "");
    assert!(scram.is_finished() && scram.failure().is_none());
    assert_eq!(cause(scram.step(b"more")), SaslCause::Unexpected);
}

fn cause(result: Result<Secret>) -> SaslCause {
    match result {
        Err(Error::Sasl(error)) => error.cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn as_in_the_rfcs() {
    let context = Context::new("imap", "server.example.com");
    exchange(
        Scram::sha1("user", "pencil").unwrap(),
        &context,
        ["n,,n=user", SHA1_NONCE, SHA1_FIRST],
        "biws",
        "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    );
    exchange(
        Scram::sha256("user", "pencil").unwrap(),
        &context,
        ["n,,n=user", NONCE, SERVER_FIRST],
        "biws",
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    );
}

#[test]
fn with_sha_512() {
    exchange(
        Scram::sha512("user", "pencil").unwrap(),
        &Context::new("imap", "server.example.com"),
        ["n,,n=user", NONCE, SERVER_FIRST],
        "biws",
        "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
        "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
    );
}

#[test]
fn bound_to_the_channel() {
    let (bindings, mut context) = (bindings(), Context::new("imap", "server.example.com"));
    context.bindings = Some(&bindings);
    let exporter = "cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    for (scram, proof, signature) in [
        (Scram::sha1("user", "pencil"), "/QKgZNBHelOsjZPTvucb5s4VtQE=", "tK3UShY5jkJWC9Q52aNEU6Ba6Is="),
        (
            Scram::sha256("user", "pencil"),
            "QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M=",
            "2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs=",
        ),
        (
            Scram::sha512("user", "pencil"),
            "jVaGV/PIJ7hgkpxV9a1jdpzyYkHQH9gW6fn3DbAL2oEA+5w4CCSJjoq8G37bn2FsGaVEMsk4kiHRqMUoN/aiiA==",
            "bTvxua5nsJsvSd2bk+1WbSe84MBgjkACQPOqiN7MhTBLYxVX2QUqwET2NLcZEv2CfexR6NbAMluKltOEs5vLYw==",
        ),
    ] {
        let scram = scram.unwrap().bound();
        exchange(scram, &context, ["p=tls-exporter,,n=user", NONCE, SERVER_FIRST], exporter, proof, signature);
    }
    exchange(
        Scram::sha256("user", "pencil")
            .unwrap()
            .bound_by(ChannelBinding::TlsServerEndPoint)
            .identity("ad,min")
            .unwrap(),
        &context,
        ["p=tls-server-end-point,a=ad=2Cmin,n=user", NONCE, SERVER_FIRST],
        "cD10bHMtc2VydmVyLWVuZC1wb2ludCxhPWFkPTJDbWluLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        "FZQDsg7TiK1Mo4P7U2yiatGgRHd5JPtM5rAyd50slHA=",
        "A5DTMEDeeHhQHHf0vyQy5ux5E5Y157BoNYkcpq9iIDA=",
    );
}

/// Also: SASLprep of the password (U+2168 is `IX`), and a name with a `=` in it.
#[test]
fn the_flag_says_what_client_and_server_can() {
    let bindings = bindings();
    let none = ChannelBindings::new();
    let plus = ["PLAIN", "scram-sha-1-plus"].map(str::to_owned);
    let plain = ["PLAIN", "SCRAM-SHA-256"].map(str::to_owned);
    let flag = |bindings: Option<&ChannelBindings>, offered: &[String]| {
        let mut context = Context::new("imap", "server.example.com");
        (context.bindings, context.offered) = (bindings, offered);
        let first = Scram::sha256("user", "pencil").unwrap().start(&context).unwrap().unwrap();
        text(first).split(',').next().unwrap().to_owned()
    };
    assert_eq!(flag(Some(&bindings), &plain), "y");
    assert_eq!(flag(Some(&bindings), &plus), "n");
    assert_eq!(flag(Some(&none), &plain), "n");
    assert_eq!(flag(None, &plain), "n");
    assert_eq!(flag(None, &plus), "n");
    let mut context = Context::new("imap", "server.example.com");
    (context.bindings, context.offered) = (Some(&bindings), &plain);
    exchange(
        Scram::sha256("us=er", "penc\u{2168}").unwrap(),
        &context,
        ["y,,n=us=3Der", NONCE, SERVER_FIRST],
        "eSws",
        "CDeWNeG7PYdWhkm/3zVqlK5+tzsJOc44n0HZEwoF3i0=",
        "FLoYEhyBl33pBMKFoQQK3mBaGqA0apMEJFXnjTNwKyg=",
    );
}

#[test]
fn without_the_binding_it_asks_for_nothing_is_sent() {
    let one = ChannelBindings::new().with(ChannelBinding::TlsServerEndPoint, [1; 32]);
    let mut context = Context::new("imap", "server.example.com");
    let scram = || Scram::sha256("user", "pencil").unwrap();
    assert!(matches!(scram().bound().start(&context), Err(Error::Unsupported(_))));
    context.bindings = Some(&one);
    let error = scram().bound_by(ChannelBinding::TlsExporter).start(&context).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SCRAM-SHA-256-PLUS needs the channel binding tls-exporter, which this connection does not have"
    );
    let first = scram().bound().start(&context).unwrap().unwrap();
    assert!(text(first).starts_with("p=tls-server-end-point,,"));
}

#[test]
fn a_server_that_is_wrong_is_not_answered() {
    let first = |message: &str| {
        let mut scram = fixed(Scram::sha256("user", "pencil").unwrap(), NONCE);
        scram.start(&Context::new("imap", "server.example.com")).unwrap();
        cause(scram.step(message.as_bytes()))
    };
    let with_nonce = |nonce: &str| first(&format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    for nonce in
        ["", "x", NONCE, &NONCE[1..], "rOprNGfwEbeRWgbNEkqo%hvY", &format!("{NONCE}\u{e9}"), &format!("{NONCE} ")]
    {
        assert_eq!(with_nonce(nonce), SaslCause::Nonce, "{nonce}");
    }
    // A count that is out of bounds costs nothing: the highest would take hours.
    let with_count = |count: &str| first(&format!("r={WHOLE_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i={count}"));
    for (text, count) in [
        ("0", 0),
        ("1", 1),
        ("4095", 4095),
        ("1000001", 1_000_001),
        ("4294967295", 4_294_967_295),
        ("4294971392", 4_294_971_392),
    ] {
        assert_eq!(with_count(text), SaslCause::Iterations { count, min: 4096, max: 1_000_000 });
    }
    assert!(matches!(with_count("99999999999999999999"), SaslCause::Iterations { count: u64::MAX, .. }));
    assert!(matches!(first(&format!("m=x,{SERVER_FIRST}")), SaslCause::Malformed(_)));
    assert!(matches!(with_count("x"), SaslCause::Malformed(_)));
}

#[test]
fn the_limits_are_the_connections() {
    let mut context = Context::new("imap", "server.example.com");
    context.scram_iterations = (1, 4095);
    let mut scram = fixed(Scram::sha256("user", "pencil").unwrap(), NONCE);
    scram.start(&context).unwrap();
    assert!(matches!(cause(scram.step(SERVER_FIRST.as_bytes())), SaslCause::Iterations { count: 4096, .. }));
    scram.start(&context).unwrap();
    scram.step(SERVER_FIRST.replace("4096", "1").as_bytes()).unwrap();
}

#[test]
fn success_counts_after_the_servers_signature_alone() {
    let begun = || {
        let mut scram = fixed(Scram::sha256("user", "pencil").unwrap(), NONCE);
        scram.start(&Context::new("imap", "server.example.com")).unwrap();
        scram.step(SERVER_FIRST.as_bytes()).unwrap();
        scram
    };
    let signature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    for wrong in [
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
        "7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95A==",
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ] {
        let mut scram = begun();
        let found = cause(scram.step(format!("v={wrong}").as_bytes()));
        assert!(matches!(found, SaslCause::Signature | SaslCause::Malformed(_)), "{wrong}: {found:?}");
        assert!(!scram.is_finished());
        // Nor later, with the right one.
        assert!(scram.step(format!("v={signature}").as_bytes()).is_err() && !scram.is_finished());
    }
    for bad in [&b"\xff"[..], b"", b"x=y", SERVER_FIRST.as_bytes()] {
        let mut scram = begun();
        assert!(matches!(cause(scram.step(bad)), SaslCause::Malformed(_)));
        assert!(!scram.is_finished());
    }
    let mut scram = begun();
    scram.step(format!("v={signature},ext=ignored").as_bytes()).unwrap();
    assert!(scram.is_finished());
    // Started again it has nothing of before.
    scram.start(&Context::new("imap", "server.example.com")).unwrap();
    assert!(!scram.is_finished());
}

#[test]
fn what_the_server_says_is_kept() {
    let mut scram = fixed(Scram::sha256("user", "pencil").unwrap(), NONCE);
    let context = Context::new("imap", "server.example.com");
    scram.start(&context).unwrap();
    assert_eq!(text(scram.step(b"e=unknown-user").unwrap()), "");
    assert_eq!((scram.failure(), scram.is_finished()), (Some("e=unknown-user"), false));
    scram.start(&context).unwrap();
    scram.step(SERVER_FIRST.as_bytes()).unwrap();
    assert_eq!(text(scram.step(b"e=invalid-proof,x=y").unwrap()), "");
    assert_eq!((scram.failure(), scram.is_finished()), (Some("e=invalid-proof,x=y"), false));
    assert!(scram.step(b"v=YQ==").is_err() && !scram.is_finished());
}

#[test]
fn a_nonce_is_never_the_same() {
    let context = Context::new("imap", "server.example.com");
    let mut scram = Scram::sha1("user", "pencil").unwrap();
    let nonces: std::collections::BTreeSet<_> =
        (0..100).map(|_| text(scram.start(&context).unwrap().unwrap())).collect();
    assert_eq!(nonces.len(), 100);
    assert!(nonces.iter().all(|first| first.len() == "n,,n=user,r=".len() + 24 && first.matches(',').count() == 3));
}

#[test]
fn rule_9_and_11_what_is_refused_and_never_shown() {
    for bad in ["a\rb", "a\nb", "a\0b", "a\u{7f}"] {
        assert!(matches!(Scram::sha1(bad, "p"), Err(Error::InvalidArgument(_))));
        assert!(matches!(Scram::sha1("u", bad), Err(Error::InvalidArgument(_))));
        assert!(Scram::sha1("u", "p").unwrap().identity(bad).is_err());
    }
    assert!(Scram::sha1("", "p").is_err() && Scram::sha1("\u{ad}", "p").is_err());
    let mut scram = Scram::sha256("user", "hunter2").unwrap();
    scram.start(&Context::new("imap", "server.example.com")).unwrap();
    let shown = format!("{scram:?}");
    assert!(shown.contains("SCRAM-SHA-256") && !shown.contains("hunter2") && !shown.contains("r="), "{shown}");
}
