//! Real sockets on loopback: peers that are silent, closed, in the wrong mode or interrupted. No test asserts a time; a
//! watchdog ends what hangs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mailconnect::testing::{Mode, Server};
use mailconnect::{Connector, Error, ImapClient, Interrupt, Phase, Pop3Client, Security, SmtpClient, Timeouts};

/// Serves one connection by `serve`, and keeps it open until the client is done with it.
fn serve(serve: impl FnOnce(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        serve(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    address
}

fn watchdog<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(60)).expect("it hangs")
}

/// Time-outs so short that silence ends soon, and so long that loopback does not notice.
fn hasty() -> Connector {
    let mut timeouts = Timeouts::default();
    (timeouts.greeting, timeouts.handshake, timeouts.command) =
        (Duration::from_millis(300), Duration::from_millis(300), Duration::from_millis(300));
    Connector::new().timeouts(timeouts)
}

fn phase(error: &Error) -> Phase {
    match error {
        Error::Timeout(timeout) => timeout.at.phase,
        Error::ConnectionLost(at) => at.phase,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_5_silence_ends_in_a_time_out_that_names_phase_and_peer() {
    let address = serve(|_| {});
    let error = watchdog(move || hasty().connect::<mailconnect::smtp::Smtp>(address).unwrap_err());
    assert!(error.is_timeout() && error.is_transient());
    assert_eq!(phase(&error), Phase::Greeting);
    let text = error.to_string();
    assert!(text.starts_with(&format!("{address}: waiting for the greeting")), "{text}");
    assert!(text.contains("use connect_ssl (its port is 465)"), "{text}");
}

#[test]
fn rule_5_a_drip_cannot_stretch_the_greeting() {
    let address = serve(|stream| {
        // Ends by itself when the client has closed.
        while stream.write_all(b"2").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let error = watchdog(move || hasty().connect::<mailconnect::smtp::Smtp>(address).unwrap_err());
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn rule_5_the_overall_deadline_bounds_every_phase() {
    let address = serve(|stream| stream.write_all(b"+OK hi\r\n").unwrap());
    let connector = Connector::new().deadline(Duration::from_millis(300));
    let error = watchdog(move || {
        connector.connect::<mailconnect::pop3::Pop3>(address).and_then(|mut pop3| pop3.stat()).unwrap_err()
    });
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn a_server_that_closes_is_told_so() {
    let address = serve(|stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    let error = watchdog(move || ImapClient::connect(address).unwrap_err());
    assert_eq!(phase(&error), Phase::Greeting);
    assert!(error.to_string().contains("the server closed the connection"), "{error}");
}

#[test]
fn a_refused_connection_lists_the_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = watchdog(move || SmtpClient::connect(("127.0.0.1", port)).unwrap_err());
    let Error::Connect(failed) = &error else { panic!("{error:?}") };
    assert_eq!(failed.attempts.len(), 1);
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}: ")), "{error}");
}

#[cfg(feature = "rustls")]
#[test]
fn tls_on_a_plain_port_names_the_verb_to_use() {
    let smtp = Server::smtp().start().unwrap();
    let error = watchdog(move || (SmtpClient::connect_ssl(smtp.endpoint()).unwrap_err(), smtp.port()));
    let (Error::WrongMode(wrong), port) = (&error.0, error.1) else { panic!("{:?}", error.0) };
    assert_eq!(wrong.security, Security::Tls);
    assert!(wrong.received.starts_with("220 "), "{wrong:?}");
    let text = error.0.to_string();
    let advice =
        format!("port {port} speaks plain SMTP; use connect and start_tls there, or connect_ssl (its port is 465)");
    assert!(text.ends_with(&advice), "{text}");

    let pop3 = Server::pop3().start().unwrap();
    let error = watchdog(move || Pop3Client::connect_ssl(pop3.endpoint()).unwrap_err());
    assert!(error.to_string().contains("+OK") && error.to_string().contains("995"), "{error}");
}

#[test]
fn plain_on_a_port_that_speaks_tls_names_the_verb_to_use() {
    // What a TLS server says to a client that it does not understand.
    let address = serve(|stream| stream.write_all(b"\x15\x03\x03\x00\x02\x02\x32").unwrap());
    let error = watchdog(move || ImapClient::connect(address).unwrap_err());
    let Error::WrongMode(wrong) = &error else { panic!("{error:?}") };
    assert_eq!(wrong.security, Security::Plain);
    assert!(error.to_string().contains(&format!("use connect_ssl on port {}", address.port())), "{error}");

    // One that waits for the client to begin.
    let silent = Server::imap().mode(Mode::Tls).start().unwrap();
    let error = watchdog(move || hasty().connect::<mailconnect::imap::Imap>(silent.endpoint()).unwrap_err());
    assert!(error.is_timeout() && error.to_string().contains("use connect_ssl (its port is 993)"), "{error}");
}

#[test]
fn garbage_instead_of_a_greeting_is_shown_escaped() {
    let address = serve(|stream| stream.write_all(b"HTTP/1.1 400 \x1b[31mno\r\n").unwrap());
    let error = watchdog(move || Pop3Client::connect(address).unwrap_err());
    let text = error.to_string();
    assert!(text.contains("HTTP/1.1 400 \\u{1b}[31mno"), "{text}");
}

/// Interrupts from another thread once the client is known to wait there, and returns what it was told.
fn interrupted(greeting: &'static [u8], then: impl FnOnce(&Connector, SocketAddr) -> Error + Send + 'static) -> Error {
    let (reached, wait) = mpsc::channel();
    let address = serve(move |stream| {
        stream.write_all(greeting).unwrap();
        reached.send(()).unwrap();
    });
    let interrupt = Interrupt::new();
    let connector = Connector::new().interrupt(interrupt.clone());
    let client = thread::spawn(move || watchdog(move || then(&connector, address)));
    wait.recv().unwrap();
    interrupt.interrupt();
    client.join().unwrap()
}

#[test]
fn an_interrupt_ends_the_wait_for_a_greeting() {
    let error =
        interrupted(b"", |connector, address| connector.connect::<mailconnect::imap::Imap>(address).unwrap_err());
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
}

#[test]
fn an_interrupt_ends_a_command() {
    let error = interrupted(b"+OK hi\r\n", |connector, address| {
        connector.connect::<mailconnect::pop3::Pop3>(address).and_then(|mut pop3| pop3.stat()).unwrap_err()
    });
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
}

#[cfg(feature = "rustls")]
#[test]
fn an_interrupt_ends_a_handshake() {
    let error =
        interrupted(b"", |connector, address| connector.connect_ssl::<mailconnect::imap::Imap>(address).unwrap_err());
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
    let error = interrupted(b"* OK hi\r\n", |connector, address| {
        connector.connect_start_tls::<mailconnect::imap::Imap>(address).unwrap_err()
    });
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
}

#[test]
fn an_interrupt_set_before_ends_everything_at_once() {
    let interrupt = Interrupt::new();
    interrupt.interrupt();
    let connector = Connector::new().interrupt(interrupt);
    let error = watchdog(move || connector.connect::<mailconnect::smtp::Smtp>("localhost:9").unwrap_err());
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
}

#[test]
fn a_handle_of_the_client_ends_its_calls() {
    let address = serve(|stream| stream.write_all(b"+OK hi\r\n").unwrap());
    let mut pop3 = Pop3Client::connect(address).unwrap();
    let handle = pop3.interrupt_handle();
    let other = thread::spawn(move || handle.interrupt());
    let error = watchdog(move || pop3.stat().unwrap_err());
    other.join().unwrap();
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_local() {
    let path = std::env::temp_dir().join(format!("mailconnect-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"+OK hi\r\n-ERR no capa\r\n+OK\r\n+OK in\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let endpoint = format!("unix:{}", path.display());
    let error = watchdog(move || {
        let mut pop3 = Pop3Client::connect(&*endpoint).unwrap();
        pop3.login("user", "secret").unwrap_err()
    });
    std::fs::remove_file(&path).unwrap();
    // The answers came before the questions, which is an error; that it was asked at all is the point.
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
}

#[test]
fn rule_3_loopback_is_local_and_a_dialer_is_not() {
    let server = Server::pop3().mode(Mode::Plain).start().unwrap();
    let mut pop3 = Pop3Client::connect(server.endpoint()).unwrap();
    pop3.login("user", "password").unwrap();
    pop3.quit().unwrap();

    let port = server.port();
    let dialled = Connector::new().dialer(move |target| {
        assert_eq!((target.host, target.port), ("mail.example.com", 110));
        Ok(Box::new(mailconnect::transport::Timed::new(TcpStream::connect(("127.0.0.1", port))?)))
    });
    let mut pop3: Pop3Client = dialled.connect("mail.example.com").unwrap();
    let error = pop3.login("user", "password").unwrap_err();
    assert!(matches!(error, Error::InsecureLogin(_)) && pop3.is_open(), "{error:?}");

    let mut pop3: Pop3Client = dialled.danger_plaintext_auth(true).connect("mail.example.com").unwrap();
    pop3.login("user", "password").unwrap();
}

#[test]
fn an_url_is_held_to_its_scheme() {
    for url in ["imaps://localhost:9", "pop3://localhost:9", "imap://localhost:9"] {
        let error = ImapClient::connect(url).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{url}: {error:?}");
    }
    let server = Server::imap().start().unwrap();
    let url = format!("imap+insecure://localhost:{}", server.port());
    assert!(!ImapClient::connect_url(&url).unwrap().is_secure());
    let error = ImapClient::connect_url(&format!("localhost:{}", server.port())).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    #[cfg(feature = "rustls")]
    {
        let connector = Connector::new().root_certificates_pem(server.certificate_pem().as_bytes()).unwrap();
        let url = format!("imap://localhost:{}", server.port());
        let imap: ImapClient = connector.connect_url(&url).unwrap();
        assert!(imap.is_secure());
    }
}

#[cfg(feature = "rustls")]
#[test]
fn connect_auto_never_goes_without_tls() {
    let error = Connector::new().connect_auto::<mailconnect::imap::Imap>("localhost:143").unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
}

#[cfg(feature = "rustls")]
#[test]
fn start_tls_with_an_untrusted_certificate_is_an_error_of_start_tls() {
    let server = Server::smtp().start().unwrap();
    let mut smtp = SmtpClient::connect(server.endpoint()).unwrap();
    let error = smtp.start_tls().unwrap_err();
    assert!(error.is_certificate() && error.is_fatal() && !smtp.is_open(), "{error:?}");
    let Error::StartTls(error) = &error else { panic!("{error:?}") };
    assert!(matches!(error.cause, mailconnect::errors::StartTlsCause::Failed(_)));
    let sent = server.transcript().join("\n");
    assert!(!sent.contains("AUTH P") && !sent.contains("MAIL"), "{sent}");
}

/// A person may be asked, and think.
#[cfg(feature = "rustls")]
#[test]
fn rule_5_the_time_that_the_event_takes_is_not_charged() {
    for mode in [Mode::Tls, Mode::StartTls] {
        for overall in [None, Some(Duration::from_secs(60))] {
            let server = Server::pop3().mode(mode).start().unwrap();
            let clock = mailconnect::testing::VirtualClock::new();
            let turned = clock.clone();
            let mut connector = Connector::new().clock(clock).server_certificate_validate(move |event| {
                turned.advance(Duration::from_secs(3600));
                event.is_valid = true;
            });
            if let Some(overall) = overall {
                connector = connector.deadline(overall);
            }
            let security = if mode == Mode::Tls { Security::Tls } else { Security::StartTls };
            let result = connector.open(mailconnect::pop3::Pop3::new(), server.endpoint(), security);
            match overall {
                None => assert!(result.unwrap().is_secure()),
                Some(_) => assert!(result.unwrap_err().is_timeout(), "the bound of everything holds"),
            }
        }
    }
}
