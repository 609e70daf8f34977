//! Dialling over real sockets on loopback.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::net::SystemClock;

const HOUR: Duration = Duration::from_secs(3600);

fn settings() -> DialSettings {
    DialSettings {
        resolve: HOUR,
        connect: HOUR,
        deadline: None,
        local_address: None,
        keepalive: None,
        clock: Arc::new(SystemClock),
        interrupt: Interrupt::new(),
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port on which nobody listens: it stays bound, so that nobody else can take it.
fn closed_port() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn error(result: Result<Box<dyn Transport>>) -> Error {
    result.err().unwrap()
}

#[test]
fn an_address_and_a_name_are_dialled() {
    let (listener, port) = listener();
    for host in ["127.0.0.1", "[127.0.0.1]", "localhost"] {
        let mut transport = dial(&settings(), host, port).unwrap();
        let (mut server, from) = listener.accept().unwrap();
        server.write_all(b"ok").unwrap();
        let mut received = [0; 2];
        transport.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"ok");
        assert_eq!((transport.peer_addr(), transport.local_addr()), (listener.local_addr().ok(), Some(from)));
        assert!(transport.is_local() && transport.shutdown_handle().is_some() && transport.tls().is_none());
    }
}

#[test]
fn an_ipv6_address_is_dialled() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    for host in ["::1", "[::1]"] {
        assert!(dial(&settings(), host, port).unwrap().is_local());
    }
}

#[test]
fn all_failures_are_listed() {
    let (_socket, address) = closed_port();
    let Error::Connect(failed) = error(dial(&settings(), "127.0.0.1", address.port())) else { panic!() };
    assert_eq!(&*failed.peer, format!("127.0.0.1:{}", address.port()));
    assert_eq!(failed.attempts.len(), 1);
    assert_eq!(failed.attempts[0].address, Some(address));
    assert_eq!(failed.attempts[0].error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_name_that_does_not_exist_is_a_resolve_error() {
    // The system's resolver refuses it without asking anybody.
    let error = error(dial(&settings(), "no\0name", 25));
    assert!(!error.is_transient(), "{error:?}");
    assert!(matches!(error, Error::Resolve { host, .. } if &*host == "no\0name"));
}

#[test]
fn nothing_is_dialled_once_interrupted() {
    let settings = settings();
    settings.interrupt.interrupt();
    let (listener, port) = listener();
    listener.set_nonblocking(true).unwrap();
    assert!(matches!(error(dial(&settings, "127.0.0.1", port)), Error::Interrupted(_)));
    assert!(matches!(error(dial(&settings, "localhost", port)), Error::Interrupted(_)));
    #[cfg(unix)]
    assert!(matches!(error(dial_unix(&settings, Path::new("/nowhere"))), Error::Interrupted(_)));
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_passed_deadline_is_a_time_out_of_the_phase() {
    let mut settings = settings();
    settings.deadline = Some(Instant::now());
    let (_listener, port) = listener();
    let Error::Timeout(connecting) = error(dial(&settings, "::1", port)) else { panic!() };
    assert_eq!(connecting.at, Context::new(Phase::Connect, &format!("[::1]:{port}")));
    assert_eq!(connecting.limit, None);
}

#[test]
fn the_budget_is_the_shorter_of_the_two() {
    let mut settings = settings();
    let whole = Budget::new(&settings, HOUR);
    assert_eq!((whole.left, whole.limit), (HOUR, Some(HOUR)));
    settings.deadline = Some(Instant::now() + HOUR);
    let whole = Budget::new(&settings, HOUR / 2);
    assert_eq!((whole.left, whole.limit), (HOUR / 2, Some(HOUR / 2)));
    let cut = Budget::new(&settings, 2 * HOUR);
    assert!(cut.left <= HOUR && cut.limit.is_none());
    let Error::Timeout(timeout) = whole.passed(Phase::Resolve, "mail.test:25") else { panic!() };
    assert_eq!(timeout.to_string(), "mail.test:25: resolving the name: timed out after 1800 s");
}

#[test]
fn no_time_out_at_all_is_fine() {
    let settings = DialSettings { resolve: Duration::MAX, connect: Duration::MAX, ..settings() };
    let (_listener, port) = listener();
    assert!(dial(&settings, "localhost", port).is_ok());
}

#[test]
fn the_socket_has_its_options() {
    let (listener, _) = listener();
    let address = listener.local_addr().unwrap();
    let plain = open(address, None, None, HOUR).unwrap();
    assert!(plain.nodelay().unwrap());
    assert!(!socket2::SockRef::from(&plain).keepalive().unwrap());
    let kept = open(address, None, Some(Duration::from_secs(77)), HOUR).unwrap();
    let kept = socket2::SockRef::from(&kept);
    assert!(kept.keepalive().unwrap() && kept.tcp_nodelay().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(
        (kept.tcp_keepalive_time().unwrap(), kept.tcp_keepalive_interval().unwrap()),
        (Duration::from_secs(77), Duration::from_secs(15))
    );
    assert!(open(address, None, Some(Duration::ZERO), HOUR).is_ok());
}

// Elsewhere 127.0.0.1 is the only address of its network that is up.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn the_local_address_is_seen_by_the_server() {
    let settings = DialSettings { local_address: Some([127, 0, 0, 2].into()), ..settings() };
    let (listener, port) = listener();
    let transport = dial(&settings, "localhost", port).unwrap();
    let (_, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 2]));
    assert_eq!(transport.local_addr(), Some(from));
}

#[test]
fn a_local_address_of_the_other_family_is_refused() {
    let settings = DialSettings { local_address: Some("::1".parse().unwrap()), ..settings() };
    let error = error(dial(&settings, "127.0.0.1", 25));
    let text = "invalid local address: ::1 is an IPv6 address, but 127.0.0.1:25 has only IPv4 addresses";
    assert_eq!(error.to_string(), text);
}

#[test]
fn peers_are_named_as_in_urls() {
    assert_eq!(peer_name("mail.example.com", 587), "mail.example.com:587");
    assert_eq!(peer_name("2001:db8::1", 587), "[2001:db8::1]:587");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;

    /// A path that is free, and is so again afterwards.
    struct SocketPath(PathBuf);

    impl SocketPath {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mailconnect-{name}-{}", std::process::id()));
            let _ = std::fs::remove_file(&path);
            Self(path)
        }
    }

    impl Drop for SocketPath {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_unix_socket_is_dialled() {
        let path = SocketPath::new("dialled");
        let listener = UnixListener::bind(&path.0).unwrap();
        let mut transport = dial_unix(&settings(), &path.0).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        transport.write_all(b"ok").unwrap();
        let mut received = [0; 2];
        server.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"ok");
        assert!(transport.is_local() && transport.shutdown_handle().is_some() && transport.peer_addr().is_none());
    }

    #[test]
    fn a_missing_unix_socket_is_named() {
        let path = SocketPath::new("missing");
        let Error::Connect(failed) = error(dial_unix(&settings(), &path.0)) else { panic!() };
        assert_eq!(*failed.peer, *path.0.display().to_string());
        assert_eq!((failed.attempts.len(), failed.attempts[0].address), (1, None));
        assert_eq!(failed.attempts[0].error.kind(), io::ErrorKind::NotFound);
    }

    /// Such a server is up, but accepts nobody: its backlog is full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_unix_server_that_accepts_nobody_is_a_time_out() {
        let path = SocketPath::new("full");
        let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        listener.bind(&socket2::SockAddr::unix(&path.0).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let _first = open_unix(&path.0, HOUR).unwrap();
        let settings = DialSettings { connect: Duration::from_millis(20), ..settings() };
        let error = error(dial_unix(&settings, &path.0));
        assert!(error.is_timeout(), "{error:?}");
    }
}
