//! From a host name, or the path of a Unix socket, to a connected transport. It sends and reads nothing.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::race::{Lost, Rules, race};
use super::resolve::{Unresolved, resolve, system};
use super::{Clock, Deadline, Interrupt, Socket, Timed, Transport};
use crate::error::{Attempt, ConnectError, Context, Error, Phase, Result, Timeout};

/// How long an attempt is alone before the next one starts, 250 ms: RFC 8305 section 5.
const STAGGER: Duration = Duration::from_millis(250);

/// At most 8 attempts run side by side, each on a thread; so many start within 2 s of silence.
const AT_ONCE: usize = 8;

/// How often TCP asks again whether the other end is there: 15 s. The 75 s of most systems make eleven minutes of nine times.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd", windows))]
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Where a caller's own dialer shall connect to. See [`Connector::dialer`](crate::Connector::dialer).
///
/// Paths of Unix sockets never go to a dialer.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The host as the caller named it, without the brackets of an IPv6 address; not resolved yet.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// Until when it has to be connected. The transport it returns is told its own deadlines afterwards.
    pub deadline: Deadline,
}

/// All that is needed for dialling, beside where to.
#[derive(Debug, Clone)]
pub(crate) struct DialSettings {
    /// How long resolving may take.
    pub(crate) resolve: Duration,
    /// How long connecting may take, all addresses together.
    pub(crate) connect: Duration,
    /// The overall deadline, told by `clock`.
    pub(crate) deadline: Option<Instant>,
    /// The address to connect from; only addresses of its family are then tried.
    pub(crate) local_address: Option<IpAddr>,
    /// After how much silence the system asks whether the other end still lives; it is rounded to seconds.
    pub(crate) keepalive: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interrupt: Interrupt,
}

/// Connects to a host by TCP: resolves its name, tries its addresses side by side (RFC 8305) and keeps the first.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::Timeout`] and [`Error::Resolve`] of resolving; [`Error::Connect`] with each address
/// that was tried; [`Error::InvalidArgument`] if the host has no address of the local address's family.
pub(crate) fn dial(settings: &DialSettings, host: &str, port: u16) -> Result<Box<dyn Transport>> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let peer = peer_name(host, port);
    let mut addresses = addresses(settings, &peer, host, port)?;
    if let Some(local) = settings.local_address {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
        if addresses.is_empty() {
            return Err(other_family(local, &peer));
        }
    }
    let (local, keepalive) = (settings.local_address, settings.keepalive);
    let connect = move |address: &SocketAddr, wait| open(*address, local, keepalive, wait);
    first_to_connect(settings, &peer, addresses, |address| Some(*address), connect)
}

/// Connects to a Unix socket.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::Connect`] with one attempt that has no address.
#[cfg(unix)]
pub(crate) fn dial_unix(settings: &DialSettings, path: &Path) -> Result<Box<dyn Transport>> {
    let peer = path.display().to_string();
    if settings.interrupt.is_set() {
        return Err(interrupted(Phase::Connect, &peer));
    }
    let connect = |path: &std::path::PathBuf, wait| open_unix(path, wait);
    first_to_connect(settings, &peer, vec![path.to_owned()], |_| None, connect)
}

/// Connects to a Unix socket, which this system does not have.
///
/// # Errors
/// [`Error::Unsupported`].
#[cfg(not(unix))]
pub(crate) fn dial_unix(_: &DialSettings, path: &Path) -> Result<Box<dyn Transport>> {
    Err(Error::unsupported(format!("cannot connect to {}: this system has no Unix sockets", path.display())))
}

/// How a server is named in errors: `mail.example.com:587`, `[::1]:587`.
fn peer_name(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn interrupted(phase: Phase, peer: &str) -> Error {
    Error::Interrupted(Box::new(Context::new(phase, peer)))
}

fn addresses(settings: &DialSettings, peer: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    if settings.interrupt.is_set() {
        return Err(interrupted(Phase::Resolve, peer));
    }
    let budget = Budget::new(settings, settings.resolve);
    resolve(host, port, budget.left, &settings.interrupt, system).map_err(|error| match error {
        Unresolved::Interrupted => interrupted(Phase::Resolve, peer),
        Unresolved::TimedOut => budget.passed(Phase::Resolve, peer),
        Unresolved::Failed(source) => Error::Resolve { host: host.into(), source },
    })
}

fn other_family(local: IpAddr, peer: &str) -> Error {
    let (ours, theirs) = if local.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
    Error::invalid("local address", format!("{local} is an {ours} address, but {peer} has only {theirs} addresses"))
}

/// Races `places` and makes a transport of the winner. `address` is what an error says of a place that failed.
fn first_to_connect<A: Clone + Send + 'static, S: Socket + 'static>(
    settings: &DialSettings,
    peer: &str,
    places: Vec<A>,
    address: fn(&A) -> Option<SocketAddr>,
    connect: impl Fn(&A, Duration) -> io::Result<S> + Send + Sync + 'static,
) -> Result<Box<dyn Transport>> {
    let budget = Budget::new(settings, settings.connect);
    let rules = Rules { until: Instant::now().checked_add(budget.left), stagger: STAGGER, at_once: AT_ONCE };
    match race(places, &rules, &settings.interrupt, connect) {
        Ok(socket) => Ok(Box::new(Timed::with_clock(socket, Arc::clone(&settings.clock)))),
        Err(Lost::Interrupted) => Err(interrupted(Phase::Connect, peer)),
        Err(Lost::Failed(failures)) if failures.is_empty() => Err(budget.passed(Phase::Connect, peer)),
        Err(Lost::Failed(failures)) => {
            let attempts = failures.into_iter().map(|(place, error)| Attempt::new(address(&place), error)).collect();
            Err(Error::Connect(Box::new(ConnectError::new(peer, attempts))))
        }
    }
}

/// How long a phase may take.
struct Budget {
    left: Duration,
    /// The phase's own time-out, if the overall deadline comes no sooner.
    limit: Option<Duration>,
}

impl Budget {
    fn new(settings: &DialSettings, limit: Duration) -> Self {
        let left = settings.deadline.map(|at| at.saturating_duration_since(settings.clock.now()));
        match left {
            Some(left) if left < limit => Self { left, limit: None },
            _ => Self { left: limit, limit: Some(limit) },
        }
    }

    fn passed(&self, phase: Phase, peer: &str) -> Error {
        Error::Timeout(Box::new(Timeout { at: Context::new(phase, peer), limit: self.limit }))
    }
}

fn open(
    address: SocketAddr,
    local: Option<IpAddr>,
    keepalive: Option<Duration>,
    wait: Duration,
) -> io::Result<TcpStream> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    if let Some(local) = local {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    // A command is one write; waiting for more to fill a packet with would only hold it back.
    socket.set_tcp_nodelay(true)?;
    if let Some(time) = keepalive {
        // Systems count it in seconds and refuse zero.
        let time = time.max(Duration::from_secs(1));
        let keepalive = socket2::TcpKeepalive::new().with_time(time);
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "freebsd",
            windows
        ))]
        let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    socket.connect_timeout(&address.into(), wait)?;
    Ok(socket.into())
}

#[cfg(unix)]
fn open_unix(path: &Path, wait: Duration) -> io::Result<std::os::unix::net::UnixStream> {
    let address = socket2::SockAddr::unix(path)?;
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    // Connecting waits while the server's backlog is full, for as long as a write may.
    socket.set_write_timeout(Some(wait.max(Duration::from_millis(1))))?;
    loop {
        match socket.connect(&address) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            result => return result.map(|()| socket.into()),
        }
    }
}

#[cfg(test)]
mod tests;
