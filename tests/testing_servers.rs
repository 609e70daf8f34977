//! The throw-away servers, by raw sockets: what goes over the wire, in all three modes.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use mailconnect::testing::{Mode, Server};

const MESSAGE: &str = "From: Ann <ann@example.org>\r\nSubject: one\r\n\r\n.dot\r\nbody\r\n";

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A client that says and expects lines.
struct Peer {
    stream: BufReader<Box<dyn Stream>>,
    socket: TcpStream,
}

impl Peer {
    fn plain(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address()).unwrap();
        // A watchdog, so that a server that does not answer fails the test.
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream: BufReader::new(Box::new(socket.try_clone().unwrap())), socket }
    }

    fn tls(server: &Server) -> Self {
        Self::plain(server).start_tls(server, "localhost")
    }

    fn start_tls(self, server: &Server, name: &str) -> Self {
        assert!(self.stream.buffer().is_empty());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(server.certificate_der().to_vec().into()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = name.to_owned().try_into().unwrap();
        let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = self.socket.try_clone().unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).unwrap();
        }
        let stream: Box<dyn Stream> = Box::new(rustls::StreamOwned::new(tls, socket));
        Self { stream: BufReader::new(stream), socket: self.socket }
    }

    fn send(&mut self, text: &str) -> &mut Self {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        self.stream.get_mut().flush().unwrap();
        self
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    /// The next lines must be these.
    #[track_caller]
    fn expect(&mut self, lines: &[&str]) -> &mut Self {
        for wanted in lines {
            assert_eq!(self.line().trim_end(), *wanted);
        }
        self
    }

    /// The next lines must begin like this.
    #[track_caller]
    fn starts(&mut self, lines: &[&str]) -> &mut Self {
        for wanted in lines {
            let line = self.line();
            assert!(line.starts_with(wanted), "{line:?} instead of {wanted:?}");
        }
        self
    }

    #[track_caller]
    fn ended(&mut self) {
        match self.stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => panic!("not closed: {other:?}"),
        }
    }
}

#[test]
fn smtp_answers_a_group_in_order() {
    let server = Server::smtp().mode(Mode::Plain).start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.starts(&["220 "]).send("EHLO [127.0.0.1]\r\n").starts(&["250-localhost"]);
    peer.expect(&["250-PIPELINING", "250-8BITMIME", "250-ENHANCEDSTATUSCODES", "250-AUTH PLAIN LOGIN"]);
    peer.expect(&["250 SIZE 52428800"]);
    peer.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").starts(&["530 5.7.0", "503 5.5.1", "503 5.5.1"]);
    peer.send("AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=\r\n").starts(&["235 2.7.0"]);
    peer.send("RSET\r\nMAIL FROM:<> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<\"a b>\"@d>\r\nRCPT TO:<refuse@d>\r\n");
    peer.send("RCPT TO:<LATER-on@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n");
    peer.starts(&["250 2.0.0", "250 2.1.0", "250 2.1.5", "550 5.1.1", "451 4.2.1", "250 2.1.5", "354 "]);
    assert!(server.messages().is_empty());
    peer.send("Subject: x\r\n\r\n..\r\n..a\r\nbare\n.\nstill\r\n.\r\nNOOP\r\nQUIT\r\n");
    peer.starts(&["250 2.0.0 queued as ", "250 2.0.0", "221 2.0.0"]).ended();
    let [message] = &server.messages()[..] else { panic!("not one message") };
    assert_eq!((message.from.as_str(), &message.to[..]), ("", &["\"a b>\"@d".to_owned(), "e@f".to_owned()][..]));
    assert_eq!(message.data, b"Subject: x\r\n\r\n.\r\n.a\r\nbare\n.\nstill\r\n");
    assert_eq!((message.secure, message.user.as_deref()), (false, Some("user")));
}

#[test]
fn smtp_refuses_what_is_wrong() {
    let server = Server::smtp().mode(Mode::Plain).user("ann", "p").user("bob", "q").start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.starts(&["220 "]);
    let long = format!("NOOP {}\r\n", "x".repeat(100_000));
    for (command, reply) in [
        ("MAIL FROM:<a@b>\r\n", "503 5.5.1"),
        ("AUTH PLAIN\r\n", "503 5.5.1"),
        ("EHLO\r\n", "501 "),
        ("HELO x\r\n", "250 localhost"),
        ("STARTTLS\r\n", "502 5.5.1"),
        ("NONSENSE\r\n", "500 5.5.2"),
        ("HELP\r\n", "502 5.5.1"),
        ("VRFY a\r\n", "252 "),
        (&long, "500 5.5.2"),
        ("AUTH X\r\n", "504 5.5.4"),
        ("AUTH PLAIN !\r\n", "501 5.5.2"),
        ("AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=\r\n", "535 5.7.8"),
        ("AUTH PLAIN\r\n", "334 "),
        ("*\r\n", "501 "),
        ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6"),
        ("Ym9i\r\n", "334 UGFzc3dvcmQ6"),
        ("cQ==\r\n", "235 2.7.0"),
        ("AUTH PLAIN\r\n", "503 5.5.1"),
        ("RCPT TO:<a@b>\r\n", "503 5.5.1"),
        ("MAIL FROM: <a@b>\r\n", "501 5.1.7"),
        ("MAIL FROM:a@b\r\n", "501 5.1.7"),
        ("MAIL FROM:<a@b> X=1\r\n", "555 5.5.4"),
        ("MAIL FROM:<a@b> SIZE=52428801\r\n", "552 5.3.4"),
        ("MAIL FROM:<a@b>\r\n", "250 2.1.0"),
        ("MAIL FROM:<a@b>\r\n", "503 5.5.1"),
        ("RCPT TO:<>\r\n", "501 5.1.3"),
        ("DATA\r\n", "554 5.5.1"),
        ("RSET\r\n", "250 2.0.0"),
        ("DATA\r\n", "503 5.5.1"),
    ] {
        peer.send(command).starts(&[reply]);
    }
}

#[test]
fn starttls_forgets_and_logs_in_inside() {
    let server = Server::smtp().host("mail.example.test").start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.starts(&["220 "]).send("EHLO x\r\n").starts(&["250-", "250-P", "250-8", "250-E", "250-STARTTLS", "250 "]);
    peer.send("AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=\r\nMAIL FROM:<a@b>\r\n").starts(&["538 5.7.11", "530 5.7.0"]);
    peer.send("STARTTLS\r\n").starts(&["220 2.0.0"]);
    let mut peer = peer.start_tls(&server, "mail.example.test");
    peer.send("AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=\r\n").starts(&["503 5.5.1"]);
    peer.send("EHLO x\r\n").starts(&["250-", "250-P", "250-8", "250-E", "250-AUTH PLAIN LOGIN", "250 SIZE"]);
    peer.send("STARTTLS\r\n").starts(&["503 5.5.1"]);
    peer.send("AUTH LOGIN dXNlcg==\r\n").expect(&["334 UGFzc3dvcmQ6"]).send("cGFzc3dvcmQ=\r\n").starts(&["235 2.7.0"]);
    peer.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").starts(&["250 ", "250 ", "354 "]);
    peer.send(".\r\n").starts(&["250 2.0.0 queued"]);
    let [message] = &server.messages()[..] else { panic!("not one message") };
    assert!(message.secure && message.data.is_empty());

    let transcript = server.transcript();
    let has = |line: &str| transcript.iter().any(|recorded| recorded == line);
    assert!(has("C: AUTH PLAIN ***") && has("-- TLS") && has("C: STARTTLS") && has("C: ***"), "{transcript:#?}");
    assert!(!transcript.iter().any(|line| line.contains("cGFzc3dvcmQ") || line.contains("AHVzZXI")));
}

#[test]
fn plain_text_behind_starttls_ends_the_connection() {
    let smtp = Server::smtp().start().unwrap();
    let mut peer = Peer::plain(&smtp);
    peer.starts(&["220 "]).send("STARTTLS\r\nEHLO x\r\n").starts(&["220 "]).ended();
    let imap = Server::imap().start().unwrap();
    let mut peer = Peer::plain(&imap);
    peer.starts(&["* OK IMAP"]).send("a STARTTLS\r\nb NOOP\r\n").starts(&["a OK"]).ended();
    let pop3 = Server::pop3().start().unwrap();
    let mut peer = Peer::plain(&pop3);
    peer.starts(&["+OK"]).send("STLS\r\nCAPA\r\n").starts(&["+OK"]).ended();
}

#[test]
fn tls_from_the_first_byte() {
    let smtp = Server::smtp().mode(Mode::Tls).start().unwrap();
    Peer::tls(&smtp).starts(&["220 "]).send("STARTTLS\r\n").starts(&["503"]).send("QUIT\r\n").starts(&["221"]).ended();
    let imap = Server::imap().mode(Mode::Tls).start().unwrap();
    Peer::tls(&imap).starts(&["* OK [CAPABILITY IMAP4rev1 "]).send("a STARTTLS\r\n").starts(&["a BAD"]);
    let pop3 = Server::pop3().mode(Mode::Tls).start().unwrap();
    Peer::tls(&pop3).starts(&["+OK"]).send("STLS\r\n").starts(&["-ERR"]).send("QUIT\r\n").starts(&["+OK"]).ended();
    assert_eq!(pop3.transcript()[0], "-- TLS");
}

#[test]
fn a_refused_certificate_is_in_the_transcript() {
    let server = Server::smtp().mode(Mode::Tls).start().unwrap();
    let mut peer = Peer::plain(&server);
    // Alert: fatal, unknown authority.
    peer.stream.get_mut().write_all(&[21, 3, 1, 0, 2, 2, 48]).unwrap();
    while !matches!(peer.stream.read(&mut [0; 100]), Ok(0) | Err(_)) {}
    let transcript = server.transcript();
    assert!(transcript[0].starts_with("-- TLS failed: "), "{transcript:?}");
}

#[test]
fn imap_takes_every_form_of_string() {
    let server = Server::imap().mode(Mode::Plain).user("us er", "pass\"word").start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.expect(&[
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ UNSELECT IDLE AUTH=PLAIN AUTH=LOGIN] IMAP testing server ready",
    ]);
    peer.send("1 LOGIN {5}\r\n").starts(&["+ "]).send("us er {9}\r\n").starts(&["+ "]).send("pass\"word\r\n");
    peer.starts(&["1 OK"]);
    let mut peer = Peer::plain(&server);
    peer.starts(&["* OK"]).send("1 LOGIN {5+}\r\nus er \"pass\\\"word\"\r\n").starts(&["1 OK"]);
    let mut peer = Peer::plain(&server);
    peer.starts(&["* OK"]).send("1 login user {3+}\r\nbad\r\n2 AUTHENTICATE PLAIN\r\n");
    peer.starts(&["1 NO [AUTHENTICATIONFAILED]", "+ "]).send("AHVzIGVyAHBhc3Mid29yZA==\r\n").starts(&["2 OK"]);
    let mut said = server.transcript();
    said.retain(|line| line.starts_with("C: "));
    assert!(!said.iter().any(|line| line.contains("pass") || line.contains("bad") || line.contains("cGFzc")));
}

#[test]
fn imap_reads_and_changes_the_mailbox() {
    let server =
        Server::imap().mode(Mode::Plain).message(MESSAGE).message("Subject: two\r\n\r\n2\r\n").start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.starts(&["* OK"]).send("1 SELECT INBOX\r\n").starts(&["1 BAD"]);
    peer.send("2 LOGIN user password\r\n3 SELECT other\r\n4 SELECT inbox\r\n").starts(&["2 OK", "3 NO"]);
    peer.starts(&["* FLAGS (", "* 2 EXISTS", "* 0 RECENT", "* OK [UNSEEN 1]", "* OK [PERMANENTFLAGS ("]);
    peer.starts(&["* OK [UIDNEXT 3]", "* OK [UIDVALIDITY 1]", "4 OK [READ-WRITE]"]);
    peer.send("a SEARCH SUBJECT two\r\n").expect(&["* SEARCH 2", "a OK SEARCH completed"]);
    peer.send("b UID FETCH 1 (RFC822.SIZE BODY.PEEK[HEADER] BODY[TEXT]<0.6>)\r\n");
    peer.expect(&[&format!("* 1 FETCH (UID 1 RFC822.SIZE {} BODY[HEADER] {{45}}", MESSAGE.len())]);
    peer.expect(&["From: Ann <ann@example.org>", "Subject: one", "", " BODY[TEXT]<0> {6}", ".dot"]);
    peer.expect(&[" FLAGS (\\Seen))", "b OK FETCH completed"]);
    peer.send("c STORE 1:* +FLAGS.SILENT (\\Deleted)\r\nd STORE 2 -FLAGS \\deleted\r\ne EXPUNGE\r\n");
    peer.expect(&["c OK STORE completed", "* 2 FETCH (FLAGS ())", "d OK STORE completed"]);
    peer.expect(&["* 1 EXPUNGE", "e OK EXPUNGE completed"]);
    assert_eq!(server.mailbox(), [b"Subject: two\r\n\r\n2\r\n"]);
    peer.send("f APPEND INBOX (\\Draft) \" 1-Feb-2024 00:00:00 +0000\" {3+}\r\nxyz\r\n");
    peer.expect(&["* 2 EXISTS", "f OK APPEND completed"]);
    peer.send("g FETCH 2 (UID FLAGS INTERNALDATE)\r\n");
    peer.expect(&[
        "* 2 FETCH (UID 3 FLAGS (\\Draft) INTERNALDATE \" 1-Feb-2024 00:00:00 +0000\")",
        "g OK FETCH completed",
    ]);
    assert_eq!(server.messages()[0].data, b"xyz");
    peer.send("h LOGOUT\r\n").starts(&["* BYE", "h OK"]).ended();
}

#[test]
fn imap_answers_bad_to_what_it_does_not_know() {
    let server = Server::imap().mode(Mode::Plain).message("x").start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.starts(&["* OK"]).send("1 LOGIN user password\r\n2 EXAMINE INBOX\r\n");
    while !peer.line().starts_with("2 OK [READ-ONLY]") {}
    let deep = format!("z SEARCH {}\r\n", "(".repeat(1000));
    for command in [
        "z FROBNICATE\r\n",
        "z NOOP now\r\n",
        "z FETCH 2 FLAGS\r\n",
        "z FETCH 1 BODYSTRUCTURE\r\n",
        "z FETCH 0 FLAGS\r\n",
        "z SEARCH LARGER 5\r\n",
        "z SEARCH\r\n",
        "z SEARCH  ALL\r\n",
        "z SEARCH ALL \r\n",
        "z STORE 1 *FLAGS (a)\r\n",
        "z APPEND INBOX \"not a literal\"\r\n",
        "z LOGIN user password\r\n",
        "z\r\n",
        &deep,
    ] {
        peer.send(command).starts(&["z BAD"]);
    }
    peer.send("\r\n").starts(&["* BAD"]).send("z STORE 1 FLAGS ()\r\n").starts(&["z NO"]);
    peer.send("z APPEND INBOX {99999999999}\r\n").starts(&["z BAD [TOOBIG]"]);
    peer.send("z NOOP\r\n").starts(&["z OK"]).send("z APPEND INBOX {99999999999+}\r\n").starts(&["* BYE"]).ended();
}

#[test]
fn imap_tells_other_sessions_what_is_gone() {
    let server = Server::imap().mode(Mode::Plain).message("1").message("2").message("3").start().unwrap();
    let [mut one, mut two] = [(); 2].map(|()| {
        let mut peer = Peer::plain(&server);
        peer.starts(&["* OK"]).send("1 LOGIN user password\r\n2 SELECT INBOX\r\n");
        while !peer.line().starts_with("2 OK") {}
        peer
    });
    one.send("3 STORE 1,3 FLAGS.SILENT \\Deleted\r\n4 CLOSE\r\n").starts(&["3 OK", "4 OK"]);
    two.send("3 FETCH 1:* UID\r\n").expect(&["* 2 FETCH (UID 2)", "3 OK FETCH completed"]);
    two.send("4 NOOP\r\n").expect(&["* 3 EXPUNGE", "* 1 EXPUNGE", "4 OK NOOP completed"]);
}

#[test]
fn pop3_deletes_at_quit_only() {
    let server = Server::pop3().mode(Mode::Plain).message(MESSAGE).message("Subject: two\n\n2").start().unwrap();
    let login = || {
        let mut peer = Peer::plain(&server);
        peer.expect(&["+OK POP3 testing server ready"]).send("USER user\r\nPASS password\r\n").starts(&["+OK", "+OK"]);
        peer
    };
    let mut peer = login();
    peer.send("STAT\r\nLIST\r\nUIDL 2\r\nRETR 1\r\n").expect(&[
        "+OK 2 76",
        "+OK 2 messages (76 octets)",
        "1 57",
        "2 19",
    ]);
    peer.expect(&[".", "+OK 2 message-2", "+OK 57 octets"]);
    peer.expect(&["From: Ann <ann@example.org>", "Subject: one", "", "..dot", "body", "."]);
    peer.send("TOP 1 1\r\n").expect(&[
        "+OK 57 octets",
        "From: Ann <ann@example.org>",
        "Subject: one",
        "",
        "..dot",
        ".",
    ]);
    peer.send("TOP 2 0\r\n").expect(&["+OK 19 octets", "Subject: two", "", "."]);
    peer.send("DELE 1\r\nDELE 1\r\nSTAT\r\nLIST 1\r\nRSET\r\nSTAT\r\nDELE 1\r\nDELE 3\r\nDELE 0\r\nRETR\r\n");
    peer.starts(&["+OK", "-ERR", "+OK 1 19", "-ERR", "+OK", "+OK 2 76", "+OK", "-ERR", "-ERR", "-ERR"]);
    drop(peer);
    let mut peer = login();
    assert_eq!(server.mailbox().len(), 2);
    peer.send("DELE 1\r\nQUIT\r\n").starts(&["+OK", "+OK"]).ended();
    assert_eq!(server.mailbox(), [b"Subject: two\n\n2"]);
}

#[test]
fn pop3_logs_in_only_inside_tls() {
    let server = Server::pop3().start().unwrap();
    let mut peer = Peer::plain(&server);
    peer.starts(&["+OK"]).send("CAPA\r\n");
    peer.expect(&[
        "+OK capabilities follow",
        "TOP",
        "UIDL",
        "RESP-CODES",
        "PIPELINING",
        "UTF8 USER",
        "LANG",
        "STLS",
        ".",
    ]);
    peer.send("USER user\r\nAUTH PLAIN\r\nSTAT\r\nSTLS\r\n").starts(&["-ERR", "-ERR", "-ERR", "+OK"]);
    let mut peer = peer.start_tls(&server, "127.0.0.1");
    peer.send("CAPA\r\n").starts(&[
        "+OK",
        "TOP",
        "UIDL",
        "RESP-CODES",
        "PIPELINING",
        "UTF8 USER",
        "LANG",
        "USER",
        "SASL PLAIN",
        ".",
    ]);
    peer.send("USER user\r\nPASS wrong\r\nAUTH PLAIN\r\n").starts(&["+OK", "-ERR [AUTH]", "+ "]);
    peer.send("AHVzZXIAcGFzc3dvcmQ=\r\nSTLS\r\nNOOP\r\n").starts(&["+OK", "-ERR", "+OK"]);
}

#[test]
fn dropping_closes_everything() {
    let server = Server::imap().start().unwrap();
    let address = server.address();
    let mut peers: Vec<Peer> = (0..5).map(|_| Peer::plain(&server)).collect();
    for peer in &mut peers {
        peer.starts(&["* OK"]);
    }
    // One stands in the middle of a handshake, one in the middle of a line.
    peers[0].send("a STARTTLS\r\n").starts(&["a OK"]).send("\x16\x03");
    peers[1].send("b NOO");
    drop(server);
    peers.iter_mut().for_each(Peer::ended);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_name_that_no_certificate_can_hold_is_an_error() {
    let error: io::Error = Server::smtp().host("b\u{fc}cher.example").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_certificate_is_no_authority_and_always_new() {
    let (one, two) = (Server::smtp().start().unwrap(), Server::smtp().start().unwrap());
    assert_ne!(one.certificate_der(), two.certificate_der());
    assert!(one.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    // Basic constraints, critical, with CA as false.
    let no_authority = [6, 3, 0x55, 0x1d, 0x13, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1, 0];
    assert!(one.certificate_der().windows(no_authority.len()).any(|window| window == no_authority));
    assert_eq!(one.endpoint(), ("localhost".to_owned(), one.port()));
}
