//! A POP3 server that costs next to nothing: each answer is a slice that was made before. It runs in a process of its
//! own, says its ports and its certificate on stdout, and serves until stdin ends.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The number of the one large message; the small ones are 1 to this.
pub(crate) const LARGE: usize = 2001;
pub(crate) const SMALL_SIZE: usize = 4 << 10;
pub(crate) const LARGE_SIZE: usize = 50 << 20;

/// Commands that are answered by one write.
const IN_A_ROW: usize = 64;

/// What TLS holds back at most.
const HELD_BACK: usize = 512 << 10;

/// Lines of 76 octets, as of an attachment in base64, and a line with a dot now and then.
pub(crate) fn message(octets: usize) -> Vec<u8> {
    let mut text = b"From: a@example.com\r\nSubject: a message\r\n\r\n".to_vec();
    while text.len() + 160 < octets {
        text.extend_from_slice(&[b'A'; 76]);
        text.extend_from_slice(b"\r\n");
        if text.len() % 4096 < 78 {
            text.extend_from_slice(b".a line that begins with a dot\r\n");
        }
    }
    let rest = octets - text.len() - 2;
    text.extend(std::iter::repeat_n(b'x', rest));
    text.extend_from_slice(b"\r\n");
    text
}

fn answer(octets: usize) -> Vec<u8> {
    let stuffed = String::from_utf8(message(octets)).unwrap().replace("\r\n.", "\r\n..");
    format!("+OK {octets} octets\r\n{stuffed}.\r\n").into_bytes()
}

struct Mailbox {
    /// The answer to so many RETR in a row.
    small: Vec<u8>,
    size: usize,
    large: Vec<u8>,
    list: Vec<u8>,
}

impl Mailbox {
    fn new() -> Self {
        let lines: String = (1..LARGE).map(|n| format!("{n} {SMALL_SIZE}\r\n")).collect();
        let list = format!("+OK\r\n{lines}.\r\n").into_bytes();
        let small = answer(SMALL_SIZE);
        Self { size: small.len(), small: small.repeat(IN_A_ROW), large: answer(LARGE_SIZE), list }
    }

    fn answer(&self, line: &[u8]) -> &[u8] {
        match line {
            b"LIST" => &self.list,
            b"CAPA" => b"+OK\r\nPIPELINING\r\nTOP\r\nUIDL\r\nUSER\r\n.\r\n",
            b"RETR 2001" => &self.large,
            b"STAT" => b"+OK 2000 8192000\r\n",
            _ => b"+OK\r\n",
        }
    }
}

/// Prints the two ports and the certificate, and serves.
pub(crate) fn run() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let (config, mailbox) = (Arc::new(config), Arc::new(Mailbox::new()));
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (plain, tls) = (listen(), listen());
    println!("{} {}", plain.local_addr().unwrap().port(), tls.local_addr().unwrap().port());
    println!("{}", key.cert.pem());
    io::stdout().flush().unwrap();
    let boxed = Arc::clone(&mailbox);
    std::thread::spawn(move || accept(&plain, &boxed, |socket| socket));
    std::thread::spawn(move || {
        accept(&tls, &mailbox, move |socket| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            connection.set_buffer_limit(Some(HELD_BACK));
            StreamOwned::new(connection, socket)
        });
    });
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

fn accept<S: Read + Write + Send + 'static>(
    listener: &TcpListener,
    mailbox: &Arc<Mailbox>,
    secure: impl Fn(TcpStream) -> S + Clone + Send + 'static,
) {
    for socket in listener.incoming().map_while(Result::ok) {
        let (mailbox, secure) = (Arc::clone(mailbox), secure.clone());
        std::thread::spawn(move || {
            let _ = socket.set_nodelay(true);
            // The client is gone when it fails.
            let _ = serve(secure(socket), &mailbox);
        });
    }
}

fn serve(mut stream: impl Read + Write, mailbox: &Mailbox) -> io::Result<()> {
    let mut input = Vec::new();
    let mut block = [0; 4096];
    stream.write_all(b"+OK ready\r\n")?;
    loop {
        stream.flush()?;
        let n = stream.read(&mut block)?;
        if n == 0 {
            return Ok(());
        }
        input.extend_from_slice(&block[..n]);
        let (mut used, mut in_a_row) = (0, 0);
        while let Some(end) = input[used..].iter().position(|&byte| byte == b'\n') {
            let line = input[used..used + end].trim_ascii_end();
            used += end + 1;
            if line.starts_with(b"RETR ") && line != b"RETR 2001" {
                in_a_row += 1;
                if in_a_row < IN_A_ROW {
                    continue;
                }
            }
            stream.write_all(&mailbox.small[..in_a_row * mailbox.size])?;
            if std::mem::take(&mut in_a_row) < IN_A_ROW {
                stream.write_all(mailbox.answer(line))?;
            }
            if line == b"QUIT" {
                return stream.flush();
            }
        }
        stream.write_all(&mailbox.small[..in_a_row * mailbox.size])?;
        input.drain(..used);
    }
}
