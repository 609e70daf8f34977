//! Where to connect to: a host and perhaps a port, or a Unix socket. Text becomes an [`Endpoint`] here and nowhere
//! else; what is refused is refused before the name service or a server hears of it. Never resolves anything, and never
//! repeats what it refuses, since that may hold a password. RFC 3986 (URLs), RFC 1123 2.1 (names), RFC 9844 (zones).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::ports::Security;

/// Where to connect to: a host, perhaps a port, perhaps the scheme of a URL.
///
/// Every verb that connects takes whatever becomes an endpoint:
///
/// | given | means |
/// |---|---|
/// | `"mail.example.com"` | the verb's own port |
/// | `"mail.example.com:2525"`, `("mail.example.com", 2525)` | another port |
/// | `"192.0.2.1:25"`, `"[::1]:143"`, `("::1", 143)`, `"::1"` | an address; IPv6 with a port wants brackets |
/// | `"[fe80::1%eth0]:143"` | a link-local address with its zone |
/// | `"unix:/run/lmtp"` | a Unix socket, by its absolute path |
/// | `"imaps://mail.example.com:993/"` | a URL; only scheme, host and port may be in it |
/// | `IpAddr`, `SocketAddr` | themselves |
///
/// A name is kept as typed, for the name service, SNI and the check of the certificate; a trailing dot and underscores
/// are taken. Refused are names that are not ASCII (their `xn--` form is wanted), those that end in a number and are
/// no IPv4 address (`127.1`, which resolvers read in ways of their own), labels of more than 63 octets and names of
/// more than 253 (RFC 1035), and user names and passwords in URLs, since URLs end up in logs.
///
/// ```
/// use mailconnect::{Endpoint, Host};
///
/// let endpoint = Endpoint::try_from("mail.example.com:2525")?;
/// assert_eq!(endpoint.host(), &Host::Name("mail.example.com".to_owned()));
/// assert_eq!(endpoint.port(), Some(2525));
///
/// let endpoint = Endpoint::try_from(("::1", 143))?;
/// assert_eq!(endpoint.to_string(), "[::1]:143");
///
/// let endpoint = Endpoint::try_from("IMAPS://mail.example.com/")?;
/// assert_eq!((endpoint.scheme(), endpoint.port()), (Some("imaps"), None));
///
/// let refused = Endpoint::try_from("imap://user:secret@mail.example.com").unwrap_err();
/// assert!(!refused.to_string().contains("secret"));
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Option<String>,
    host: Host,
    port: Option<u16>,
}

/// The host of an [`Endpoint`].
///
/// `Display` writes it as a URL's authority does, IPv6 in brackets: `mail.example.com`, `[::1]`, `unix:/run/lmtp`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Host {
    /// A name, as it was typed. Also an IPv6 address with a zone (`fe80::1%eth0`), which only the resolver of this
    /// machine understands; no certificate can be for it, so that TLS to it wants a `server_name` of its own.
    Name(String),
    /// An address.
    Ip(IpAddr),
    /// The absolute path of a Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, if one was given; never 0, and never there for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The scheme of the URL that was given, in lower case.
    pub fn scheme(&self) -> Option<&str> {
        self.scheme.as_deref()
    }

    /// The endpoint with `default` as its port if it names none; a Unix socket never gets one.
    pub(crate) fn or_port(mut self, default: Option<u16>) -> Self {
        if !matches!(self.host, Host::Unix(_)) {
            self.port = self.port.or(default);
        }
        self
    }

    /// What the scheme asks for: `None` without one, else what `schemes` says. A scheme that stands for STARTTLS can
    /// be followed by `+insecure`, for plain text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a scheme that is not in `schemes`; the text lists them.
    pub(crate) fn security(&self, schemes: &[(&'static str, Security)]) -> Result<Option<Security>> {
        let Some(scheme) = self.scheme() else { return Ok(None) };
        let (name, insecure) = match scheme.strip_suffix("+insecure") {
            Some(name) => (name, true),
            None => (scheme, false),
        };
        match schemes.iter().find(|(known, _)| *known == name) {
            Some((_, Security::StartTls)) if insecure => Ok(Some(Security::Plain)),
            Some((_, security)) if !insecure => Ok(Some(*security)),
            _ => Err(unknown_scheme(scheme, schemes)),
        }
    }

    /// The endpoint with a port that was given beside it.
    fn beside(mut self, port: u16) -> Result<Self> {
        match (&self.host, self.port) {
            (Host::Unix(_), _) => Err(refused("a Unix socket has no port")),
            (_, Some(_)) => Err(refused("the port is given twice")),
            (_, None) => {
                self.port = Some(not_zero(port)?);
                Ok(self)
            }
        }
    }
}

fn unknown_scheme(scheme: &str, schemes: &[(&'static str, Security)]) -> Error {
    let plain = schemes.iter().filter(|(_, security)| *security == Security::StartTls);
    let known = schemes.iter().map(|(name, _)| (*name).to_owned());
    let known: Vec<_> = known.chain(plain.map(|(name, _)| format!("{name}+insecure"))).collect();
    if known.is_empty() {
        return refused("this protocol has no URL scheme: give host and port");
    }
    Error::invalid("endpoint", format!("the scheme {scheme} is none of {}", known.join(", ")))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `host:port`, `[v6]:port`, `unix:/path`; without the scheme, and without a port that was not given.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

fn refused(reason: &'static str) -> Error {
    Error::invalid("endpoint", reason)
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(refused("is empty"));
        }
        if let Some(offset) = text.find(char::is_control) {
            return Err(Error::invalid("endpoint", format!("contains a control character at offset {offset}")));
        }
        if let Some(path) = unix_path(text) {
            return unix(path);
        }
        // Looked for before anything else, and everywhere: a `/` in a password would end the authority too early.
        if text.contains('@') {
            return Err(refused("contains an @: user and password belong into login, not into the endpoint"));
        }
        match text.split_once("://") {
            Some((scheme, rest)) => url(scheme, rest),
            None => authority(text, None),
        }
    }
}

/// What follows `unix:`, which is a scheme and so has no case.
fn unix_path(text: &str) -> Option<&str> {
    let (scheme, path) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("unix").then_some(path)
}

fn unix(path: &str) -> Result<Endpoint> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if !path.starts_with('/') {
        return Err(refused("a Unix socket wants an absolute path, as in unix:/run/lmtp"));
    }
    Ok(Endpoint { scheme: None, host: Host::Unix(path.into()), port: None })
}

fn url(scheme: &str, rest: &str) -> Result<Endpoint> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(known) {
        return Err(refused("what stands before :// is no URL scheme"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(refused("a URL with a path, query or fragment: only host and port count here"));
    }
    if rest.contains('%') {
        return Err(refused("a URL with a percent sign: the host must be given as it is, and without a zone"));
    }
    if !rest.starts_with('[') && rest.matches(':').count() > 1 {
        return Err(refused("an IPv6 address in a URL wants brackets, as in imap://[::1]:143"));
    }
    authority(rest, Some(scheme.to_ascii_lowercase()))
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, `v6`.
fn authority(text: &str, scheme: Option<String>) -> Result<Endpoint> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((inner, after)) = rest.split_once(']') else {
            return Err(refused("the bracket [ is never closed"));
        };
        let host = ipv6(inner).ok_or_else(|| refused("what stands in brackets is no IPv6 address"))?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(parse_port(port)?)),
            None if after.is_empty() => (host, None),
            None => return Err(refused("only :port may follow a closing bracket")),
        }
    } else if let Some(host) = ipv6(text) {
        (host, None)
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(refused("has several colons, but is no IPv6 address (with a port, it wants brackets)"));
            }
            Some((host, port)) => (name(host)?, Some(parse_port(port)?)),
            None => (name(text)?, None),
        }
    };
    Ok(Endpoint { scheme, host, port })
}

fn parse_port(text: &str) -> Result<u16> {
    // `u16::from_str` alone would take "+25".
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refused("what follows the colon is no port number"));
    }
    not_zero(text.parse().map_err(|_| refused("the port is above 65535"))?)
}

fn not_zero(port: u16) -> Result<u16> {
    if port == 0 { Err(refused("port 0 cannot be connected to")) } else { Ok(port) }
}

/// An IPv6 address, perhaps with a zone, which has no place in [`IpAddr`] and so stays text.
fn ipv6(text: &str) -> Option<Host> {
    let Some((address, zone)) = text.split_once('%') else {
        return text.parse::<Ipv6Addr>().ok().map(|address| Host::Ip(address.into()));
    };
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let valid = !zone.is_empty() && zone.bytes().all(known) && address.parse::<Ipv6Addr>().is_ok();
    valid.then(|| Host::Name(text.to_owned()))
}

/// A name or an IPv4 address.
fn name(text: &str) -> Result<Host> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    if !text.is_ascii() {
        return Err(refused("a host name that is not ASCII: give its A-label form (xn--...)"));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(other) = text.chars().find(|c| !known(*c)) {
        return Err(Error::invalid("endpoint", format!("a host name cannot contain {other:?}")));
    }
    if text.is_empty() {
        return Err(refused("the host is missing"));
    }
    let rooted = text.strip_suffix('.').unwrap_or(text);
    if rooted.len() > 253 {
        return Err(refused("the host name is longer than 253 octets"));
    }
    match rooted.split('.').map(str::len).find(|len| *len == 0 || *len > 63) {
        Some(0) => return Err(refused("the host name has an empty label (two dots in a row, or one at the start)")),
        Some(_) => return Err(refused("a label of the host name is longer than 63 octets")),
        None => {}
    }
    if rooted.rsplit('.').next().is_some_and(is_number) {
        return Err(refused("ends in a number, but is no IPv4 address of four decimal numbers"));
    }
    Ok(Host::Name(text.to_owned()))
}

/// True for what `inet_aton`, and so many a resolver, takes for a part of an IPv4 address.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    hex.map_or_else(|| label.bytes().all(|b| b.is_ascii_digit()), |hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl From<IpAddr> for Endpoint {
    fn from(address: IpAddr) -> Self {
        Self { scheme: None, host: Host::Ip(address), port: None }
    }
}

impl From<Ipv4Addr> for Endpoint {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<Ipv6Addr> for Endpoint {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        endpoint.clone()
    }
}

/// Keeps the zone of a link-local address, as its number. Refuses port 0.
impl TryFrom<SocketAddr> for Endpoint {
    type Error = Error;

    fn try_from(address: SocketAddr) -> Result<Self> {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Host::Name(format!("{}%{}", v6.ip(), v6.scope_id())),
            _ => Host::Ip(address.ip()),
        };
        Self { scheme: None, host, port: None }.beside(address.port())
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<(&str, u16)> for Endpoint {
    type Error = Error;

    fn try_from((host, port): (&str, u16)) -> Result<Self> {
        host.parse::<Self>()?.beside(port)
    }
}

impl TryFrom<(String, u16)> for Endpoint {
    type Error = Error;

    fn try_from((host, port): (String, u16)) -> Result<Self> {
        (host.as_str(), port).try_into()
    }
}

#[cfg(test)]
mod tests;
