//! From an endpoint to a client: dialling, the greeting, and what to say when the port speaks another language.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use super::Client;
use super::securing::Begin;
use crate::connector::{Connector, Settings};
use crate::endpoint::{Endpoint, Host};
use crate::error::{Attempt, ConnectError, Context, Error, Phase, Result, Timeout, WrongMode};
use crate::net::{self, Deadline, DialSettings, Interrupt, Transport};
use crate::ports::Security;
use crate::protocol::Protocol;
use crate::wire::{Wire, WireSettings};

/// Where and how to connect.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    host: Host,
    /// Zero for a Unix socket, which has none.
    pub(super) port: u16,
    security: Security,
    /// For texts: `mail.example.com:587`.
    pub(super) peer: Arc<str>,
    /// False if the caller brought the transport: there is no other one to the same server then.
    pub(super) dialled: bool,
}

impl Target {
    /// Fills in the protocol's default port, and holds a URL to its own scheme.
    pub(crate) fn new<P: Protocol>(endpoint: Endpoint, security: Security) -> Result<Self> {
        if endpoint.security(P::SCHEMES)?.is_some_and(|own| own != security) {
            return Err(Error::invalid(
                "endpoint",
                "its scheme asks for another verb; use connect_url, or leave it out",
            ));
        }
        let (default, verb) = match security {
            Security::Tls => (P::TLS_PORT, "connect_ssl"),
            Security::StartTls => (P::PORT, "connect_start_tls"),
            Security::Plain => (P::PORT, "connect"),
        };
        let port = match endpoint.host() {
            Host::Unix(_) => 0,
            _ => endpoint.port().or(default).ok_or_else(|| {
                Error::invalid("endpoint", format!("needs a port: {} has no default for {verb}", P::NAME))
            })?,
        };
        let endpoint = if port == 0 { endpoint } else { endpoint.or_port(Some(port)) };
        let peer = endpoint.to_string().into();
        Ok(Self { host: endpoint.host().clone(), port, security, peer, dialled: true })
    }

    pub(super) fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ip(address) => address.to_string(),
            _ => "localhost".to_owned(),
        }
    }

    /// The name that the certificate must be for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if that is not possible.
    pub(super) fn server_name(&self, settings: &Settings) -> Result<String> {
        let invalid = |why: &str| Err(Error::invalid("server name", why));
        let endpoint = match settings.server_name.as_deref().map(Endpoint::try_from) {
            None => return self.own_name(settings),
            Some(Err(Error::InvalidArgument(why))) => return invalid(&why.reason),
            Some(endpoint) => endpoint?,
        };
        match endpoint.host() {
            _ if endpoint.port().is_some() || endpoint.scheme().is_some() => invalid("is a name alone, without a port"),
            Host::Name(zoned) if zoned.contains('%') => invalid("no certificate is for an address with a zone"),
            Host::Name(name) => Ok(name.clone()),
            Host::Ip(address) => Ok(address.to_string()),
            Host::Unix(_) => invalid("is a DNS name or an IP address"),
        }
    }

    fn own_name(&self, settings: &Settings) -> Result<String> {
        let zoned = matches!(&self.host, Host::Name(name) if name.contains('%'));
        if zoned && self.security != Security::Plain && !settings.tls.is_custom() {
            let why = "no certificate is for an address with a zone; say by Connector::server_name what it is for";
            return Err(Error::invalid("server name", why));
        }
        Ok(self.host())
    }
}

impl<P: Protocol> Client<P> {
    /// `deadline` is the end of everything.
    pub(crate) fn open(connector: Connector, protocol: P, target: Target, deadline: Option<Instant>) -> Result<Self> {
        let interrupt = connector.settings().interrupt.clone().unwrap_or_default();
        // Before the name service or a server hears of it.
        target.server_name(connector.settings())?;
        let transport = dial(connector.settings(), &target, &interrupt, deadline)?;
        Self::establish(connector, protocol, target, transport, interrupt, deadline)
    }

    pub(crate) fn over(
        connector: Connector,
        protocol: P,
        transport: Box<dyn Transport>,
        mut target: Target,
    ) -> Result<Self> {
        target.dialled = false;
        target.server_name(connector.settings())?;
        let settings = connector.settings();
        let (interrupt, deadline) = (settings.interrupt.clone().unwrap_or_default(), settings.end());
        Self::establish(connector, protocol, target, Box::new(Foreign(transport)), interrupt, deadline)
    }

    fn establish(
        connector: Connector,
        protocol: P,
        target: Target,
        mut transport: Box<dyn Transport>,
        interrupt: Interrupt,
        deadline: Option<Instant>,
    ) -> Result<Self> {
        let settings = connector.settings();
        let no_deadline = transport.set_deadline(Deadline::NEVER).is_err();
        if no_deadline && !settings.no_deadline {
            return Err(Error::unsupported("the transport cannot end a read in time; see danger_no_deadline"));
        }
        let wire = Wire::new(
            transport,
            WireSettings {
                peer: target.peer.clone(),
                limits: settings.limits.clone(),
                timeouts: settings.timeouts.clone(),
                clock: settings.clock.clone(),
                interrupt: interrupt.clone(),
                listener: settings.listener.clone(),
                deadline,
                no_deadline,
                tls_wanted: target.security != Security::Plain,
                unsolicited: P::UNSOLICITED,
            },
        );
        let mut client = Self { wire, protocol, connector, target, interrupt, authenticated: false };
        let result = client.welcome();
        client.guard(result)?;
        Ok(client)
    }

    fn welcome(&mut self) -> Result<()> {
        if self.target.security == Security::Tls {
            self.secure(Begin::AtOnce).map_err(|error| self.advise(error))?;
        }
        self.begin_session()?;
        if self.target.security == Security::StartTls { self.start_tls() } else { Ok(()) }
    }

    /// The start of the protocol on a connection that has nothing behind it.
    pub(super) fn begin_session(&mut self) -> Result<()> {
        self.protocol.reset();
        self.wire.enter(Phase::Greeting);
        self.greet().map_err(|error| self.advise(error))
    }

    fn greet(&mut self) -> Result<()> {
        if !self.wire.is_secure() && self.wire.starts_with_tls()? {
            let (peer, received, advice) = (self.target.peer.as_ref().into(), "".into(), "".into());
            let error = WrongMode { peer, security: Security::Plain, received, advice };
            return Err(self.wire.fail(Error::WrongMode(Box::new(error))));
        }
        self.protocol.greet(&mut self.wire)
    }

    /// A caller's own TLS knows the host but not the peer, and has no other word for a deadline than that of `io`.
    pub(super) fn name_peer(&self, error: Error) -> Error {
        let Error::Handshake(mut failed) = error else { return error };
        let kind = failed.source.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) = kind {
            let at = Context::new(Phase::Handshake, &self.target.peer);
            return Error::Timeout(Box::new(Timeout { at, limit: None }));
        }
        failed.peer = self.target.peer.as_ref().into();
        Error::Handshake(failed)
    }

    /// Names the verb and port to use instead, where the failure shows that it was the wrong one.
    pub(super) fn advise(&self, mut error: Error) -> Error {
        let plain = P::PORT.map_or(String::new(), |port| format!(", or connect_start_tls on port {port}"));
        let tls = P::TLS_PORT.map_or(String::new(), |port| format!(" (its port is {port})"));
        let hint = Some(format!("a server that wants TLS first is silent too: then use connect_ssl{tls}").into());
        let (port, name) = (self.target.port, P::NAME);
        let silent = self.target.security != Security::Tls;
        match &mut error {
            Error::WrongMode(wrong) if wrong.security == Security::Plain => {
                wrong.advice = format!("use connect_ssl on port {port}{plain}").into();
            }
            Error::WrongMode(wrong) => {
                wrong.peer = self.target.peer.as_ref().into();
                let at_once = self.target.security == Security::Tls;
                wrong.security = if at_once { Security::Tls } else { Security::StartTls };
                wrong.advice = match at_once {
                    true => {
                        format!("port {port} speaks plain {name}; use connect and start_tls there, or connect_ssl{tls}")
                    }
                    false => format!("the server agreed to TLS and spoke on in plain text; try connect_ssl{tls}"),
                }
                .into();
            }
            Error::Timeout(timeout) if silent && timeout.at.phase == Phase::Greeting => timeout.at.hint = hint,
            Error::ConnectionLost(at) if silent && at.phase == Phase::Greeting => at.hint = hint,
            _ => {}
        }
        error
    }
}

pub(super) fn dial(
    settings: &Settings,
    target: &Target,
    interrupt: &Interrupt,
    deadline: Option<Instant>,
) -> Result<Box<dyn Transport>> {
    let dialling = DialSettings {
        resolve: settings.timeouts.resolve,
        connect: settings.timeouts.connect,
        deadline,
        local_address: settings.local_address,
        keepalive: settings.keepalive,
        clock: settings.clock.clone(),
        interrupt: interrupt.clone(),
    };
    if let Host::Unix(path) = &target.host {
        return net::dial_unix(&dialling, path);
    }
    let (host, port) = (target.host(), target.port);
    let Some(dialer) = &settings.dialer else { return net::dial(&dialling, &host, port) };
    let interrupted = || Error::Interrupted(Box::new(Context::new(Phase::Connect, &target.peer)));
    if interrupt.is_set() {
        return Err(interrupted());
    }
    let own = settings.clock.now().checked_add(settings.timeouts.connect);
    let at = own.into_iter().chain(deadline).min();
    let deadline = at.map_or(Deadline::NEVER, Deadline::hard);
    match dialer(&net::Target { host: &host, port, deadline }) {
        Ok(transport) => Ok(Box::new(Foreign(transport))),
        Err(_) if interrupt.is_set() => Err(interrupted()),
        Err(error) => {
            let attempts = vec![Attempt::new(None, error)];
            Err(Error::Connect(Box::new(ConnectError::new(&target.peer, attempts))))
        }
    }
}

/// A transport that somebody else has made: whatever it says, it is not local.
struct Foreign(Box<dyn Transport>);

impl Read for Foreign {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Foreign {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Transport for Foreign {
    fn set_deadline(&mut self, deadline: Deadline) -> io::Result<()> {
        self.0.set_deadline(deadline)
    }

    fn lower(&self) -> Option<&dyn Transport> {
        Some(&*self.0)
    }

    fn is_local(&self) -> bool {
        false
    }

    fn close(&mut self) -> io::Result<()> {
        self.0.close()
    }
}
