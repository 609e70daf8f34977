//! A server that refuses in the middle of a message and hangs up, inside TLS: the client is told why.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use mailconnect::smtp::Body;
use mailconnect::{Connector, SmtpClient};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::envelope;
use super::tls_line::identity;

const ROUNDS: usize = 20;

#[test]
fn the_reason_is_told_inside_tls_too() {
    let (config, pem) = identity();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            refuse(listener.accept().unwrap().0, &config);
        }
    });
    let connector = Connector::new().root_certificates_pem(pem.as_bytes()).unwrap();
    let mut told = 0;
    for _ in 0..ROUNDS {
        let mut client: SmtpClient = connector.connect_ssl(("localhost", port)).unwrap();
        let body = Body::reader(std::io::repeat(b'x').take(64 << 20));
        let error = client.send(&envelope(&["b@b.example"]), body).unwrap_err();
        assert!(!error.outcome_unknown() && !client.is_open(), "{error}");
        told += usize::from(error.rejection().is_some_and(|refusal| &*refusal.status == "552"));
    }
    server.join().unwrap();
    println!("{told} of {ROUNDS} were told why");
    // The reset may overtake it.
    assert!(told * 2 >= ROUNDS, "only {told} of {ROUNDS}");
}

fn refuse(socket: TcpStream, config: &Arc<ServerConfig>) {
    let tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(tls, socket));
    stream.get_mut().write_all(b"220 mx\r\n").unwrap();
    for reply in ["250-mx\r\n250 NOOP\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        stream.get_mut().write_all(reply.as_bytes()).unwrap();
    }
    let mut some = vec![0; 100_000];
    stream.read_exact(&mut some).unwrap();
    stream.get_mut().write_all(b"552 5.3.4 enough\r\n").unwrap();
}
