//! Sessions to resume, of rustls. Servers that ask for a client certificate are never offered one: OpenSSL then refuses
//! the whole handshake unless the server's author thought of a session context, and Dovecot's did not.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use ::rustls::NamedGroup;
use ::rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use ::rustls::pki_types::ServerName;

/// So many servers are remembered, as rustls' own default is.
const SERVERS: usize = 256;

/// Keeps sessions of servers that ask for no client certificate.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: ClientSessionMemoryCache,
    asking: Mutex<HashSet<ServerName<'static>>>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { kept: ClientSessionMemoryCache::new(SERVERS), asking: Mutex::default() }
    }

    /// Forgets the sessions of this server, and keeps none from now on.
    pub(super) fn is_asking(&self, server: ServerName<'static>) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.kept.remove_tls12_session(&server);
        while self.kept.take_tls13_ticket(&server).is_some() {}
        if asking.len() >= SERVERS {
            // Nothing is kept of those who are forgotten, so that the next handshake with them is a whole one and tells.
            asking.clear();
        }
        asking.insert(server);
    }

    fn may_keep(&self, server: &ServerName<'static>) -> bool {
        !self.asking.lock().unwrap_or_else(PoisonError::into_inner).contains(server)
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, session: Tls12ClientSessionValue) {
        if self.may_keep(&server) {
            self.kept.set_tls12_session(server, session);
        }
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.kept.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        if self.may_keep(&server) {
            self.kept.insert_tls13_ticket(server, ticket);
        }
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(server)
    }
}
