//! An SMTP server that costs as little as can be: it takes everything, keeps nothing, reads large blocks, and answers a
//! whole group with one write. Plain and TLS, a thread a connection.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use memchr::{memchr, memmem};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const BLOCK: usize = 256 << 10;
const OFFER: &[u8] =
    b"250-bench\r\n250-PIPELINING\r\n250-SIZE 1000000000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n";

/// Where a server listens.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The port for plain text.
    pub plain: u16,
    /// The port for TLS from the first byte.
    pub tls: u16,
    /// The certificate, for `localhost`.
    pub pem: String,
}

/// Starts one that serves until the process ends.
///
/// # Errors
/// Those of the sockets and of making a certificate.
pub fn start() -> Result<Listening, Box<dyn std::error::Error>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let config = Arc::new(config);
    let plain = listen(|socket| serve(Prompt(socket)))?;
    let tls = listen(move |socket| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        serve(StreamOwned::new(connection, LargeReads(BufReader::with_capacity(BLOCK, Prompt(socket)))))
    })?;
    Ok(Listening { plain, tls, pem: made.cert.pem() })
}

fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let serve = serve.clone();
            // A client that goes is no error.
            thread::spawn(move || socket.set_nodelay(true).and_then(|()| serve(socket)));
        }
    });
    Ok(port)
}

/// Acknowledges at once what it has read. A client that writes twice before it reads and leaves Nagle's algorithm on, as
/// lettre does with a body and its dot, would else wait 40 ms a message, and nothing but that would be measured.
struct Prompt(TcpStream);

impl Read for Prompt {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buf)?;
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&self.0).set_tcp_quickack(true)?;
        Ok(n)
    }
}

impl Write for Prompt {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// rustls reads 4 KiB at a time.
struct LargeReads(BufReader<Prompt>);

impl Read for LargeReads {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for LargeReads {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the server waits for.
enum Want {
    Command,
    /// The final dot; the last octets seen are in front of the buffer.
    Dot,
    /// So many octets of a chunk.
    Chunk(usize),
}

fn serve(mut stream: impl Read + Write) -> io::Result<()> {
    let mut replies = b"220 bench\r\n".to_vec();
    let (mut buf, mut filled, mut want) = (vec![0; BLOCK], 0, Want::Command);
    loop {
        stream.write_all(&replies)?;
        stream.flush()?;
        replies.clear();
        let n = stream.read(&mut buf[filled..])?;
        if n == 0 {
            return Ok(());
        }
        filled += n;
        let taken = take(&buf[..filled], &mut want, &mut replies);
        buf.copy_within(taken..filled, 0);
        filled -= taken;
    }
}

/// Takes what is whole, and says how much that is.
fn take(buf: &[u8], want: &mut Want, replies: &mut Vec<u8>) -> usize {
    let mut at = 0;
    loop {
        let rest = &buf[at..];
        match want {
            Want::Chunk(left) => {
                let n = rest.len().min(*left);
                *left -= n;
                at += n;
                if *left > 0 {
                    return at;
                }
                replies.extend_from_slice(b"250 2.0.0 queued\r\n");
                *want = Want::Command;
            }
            Want::Dot => match memmem::find(rest, b"\r\n.\r\n") {
                Some(end) => {
                    at += end + 5;
                    replies.extend_from_slice(b"250 2.0.0 queued\r\n");
                    *want = Want::Command;
                }
                // The end may lie across two reads.
                None => return at + rest.len().saturating_sub(4),
            },
            Want::Command => {
                let Some(end) = memchr(b'\n', rest) else { return at };
                *want = command(&rest[..end], replies);
                at += end + 1;
            }
        }
    }
}

fn command(line: &[u8], replies: &mut Vec<u8>) -> Want {
    let line = line.trim_ascii();
    match line.get(..4).unwrap_or(line) {
        b"EHLO" => replies.extend_from_slice(OFFER),
        b"DATA" => {
            replies.extend_from_slice(b"354 go\r\n");
            return Want::Dot;
        }
        b"BDAT" => {
            let count = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
            return Want::Chunk(std::str::from_utf8(count).ok().and_then(|count| count.parse().ok()).unwrap_or(0));
        }
        b"QUIT" => replies.extend_from_slice(b"221 bye\r\n"),
        _ => replies.extend_from_slice(b"250 2.1.0 ok\r\n"),
    }
    Want::Command
}
