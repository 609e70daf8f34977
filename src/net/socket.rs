//! What a base socket must be able to do for [`Timed`](super::Timed) to make a transport out of it. It knows no deadline.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::ShutdownHandle;

/// A stream of bytes whose reads and writes can be given a time-out.
///
/// [`TcpStream`] and Unix sockets are there already. Implement it for a stream of your own (a vsock, a tunnel) and wrap
/// that in [`Timed`](super::Timed) to connect over it.
///
/// A read or write whose time-out passes must fail with [`io::ErrorKind::WouldBlock`] or
/// [`io::ErrorKind::TimedOut`] and leave the stream usable.
pub trait Socket: Read + Write + Send {
    /// How long a read may block; none for as long as it takes. Never called with zero.
    ///
    /// # Errors
    /// Those of the operating system.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write may block; none for as long as it takes. Never called with zero.
    ///
    /// # Errors
    /// Those of the operating system.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Whether a read or write that would have to wait fails with [`io::ErrorKind::WouldBlock`] at once.
    ///
    /// # Errors
    /// Those of the operating system.
    fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()>;

    /// The address of the other end, if it has one.
    fn peer_addr(&self) -> Option<SocketAddr>;

    /// The address of this end, if it has one.
    fn local_addr(&self) -> Option<SocketAddr>;

    /// True only if the other end is on this machine for sure; passwords then go over it in clear.
    fn is_local(&self) -> bool {
        false
    }

    /// What shuts the socket down from another thread, so that a blocked read or write ends at once.
    fn shutdown_handle(&self) -> Option<ShutdownHandle> {
        None
    }
}

impl Socket for TcpStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        TcpStream::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        TcpStream::set_write_timeout(self, timeout)
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
        TcpStream::set_nonblocking(self, nonblocking)
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        TcpStream::peer_addr(self).ok()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        TcpStream::local_addr(self).ok()
    }

    fn is_local(&self) -> bool {
        TcpStream::peer_addr(self).is_ok_and(|peer| is_loopback(&peer))
    }

    fn shutdown_handle(&self) -> Option<ShutdownHandle> {
        let socket = self.try_clone().ok()?;
        // It fails only if the connection is down already.
        Some(Box::new(move || drop(socket.shutdown(Shutdown::Both))))
    }
}

/// 127.0.0.0/8 and ::1, also when a socket of both families shows the former as ::ffff:127.x.x.x.
fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::UnixStream;

    use super::{Duration, Shutdown, ShutdownHandle, Socket, SocketAddr, io};

    impl Socket for UnixStream {
        fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
            UnixStream::set_read_timeout(self, timeout)
        }

        fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
            UnixStream::set_write_timeout(self, timeout)
        }

        fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
            UnixStream::set_nonblocking(self, nonblocking)
        }

        fn peer_addr(&self) -> Option<SocketAddr> {
            None
        }

        fn local_addr(&self) -> Option<SocketAddr> {
            None
        }

        fn is_local(&self) -> bool {
            true
        }

        fn shutdown_handle(&self) -> Option<ShutdownHandle> {
            let socket = self.try_clone().ok()?;
            Some(Box::new(move || drop(socket.shutdown(Shutdown::Both))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn loopback_is_told_by_the_address() {
        let cases = [
            ("127.0.0.1:25", true),
            ("127.255.3.4:25", true),
            ("[::1]:25", true),
            ("[::ffff:127.0.0.2]:25", true),
            ("128.0.0.1:25", false),
            ("0.0.0.0:25", false),
            ("10.0.0.1:25", false),
            ("[::]:25", false),
            ("[::ffff:10.0.0.1]:25", false),
            ("[::127.0.0.1]:25", false),
            ("[fe80::1]:25", false),
        ];
        for (address, local) in cases {
            assert_eq!(is_loopback(&address.parse().unwrap()), local, "{address}");
        }
    }

    #[test]
    fn a_tcp_stream_knows_its_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(Socket::peer_addr(&client), listener.local_addr().ok());
        assert_eq!(Socket::local_addr(&client), Socket::peer_addr(&server));
        assert!(Socket::is_local(&client) && Socket::is_local(&server));
    }

    #[test]
    fn the_shutdown_handle_ends_a_blocked_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _server = listener.accept().unwrap();
        let shut_down = Socket::shutdown_handle(&client).unwrap();
        let reader = std::thread::spawn(move || client.read(&mut [0; 8]));
        shut_down();
        assert_eq!(reader.join().unwrap().unwrap(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_is_local_and_can_be_shut_down() {
        let (mut client, _server) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(Socket::is_local(&client));
        assert_eq!((Socket::peer_addr(&client), Socket::local_addr(&client)), (None, None));
        let shut_down = Socket::shutdown_handle(&client).unwrap();
        let reader = std::thread::spawn(move || client.read(&mut [0; 8]));
        shut_down();
        assert_eq!(reader.join().unwrap().unwrap(), 0);
    }
}
