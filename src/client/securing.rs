//! From a plain connection to a secured one, for all verbs: the checks around the protocol's own command, the handshake,
//! and on a back end without a hook for the certificate event one more connection to ask it. Nothing else dials again.

use std::sync::Arc;

use super::Client;
use super::opening::dial;
use crate::error::{Error, Phase, Result, StartTlsCause};
use crate::net::Closed;
use crate::protocol::Protocol;
use crate::tls::{Evidence, Handshaken, Peer};
use crate::wire::Ready;

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the first byte.
    AtOnce,
    /// With the protocol's own command, after the greeting.
    ByCommand,
}

impl<P: Protocol> Client<P> {
    /// Secures the connection, or another to the same server in its place.
    pub(super) fn secure(&mut self, begin: Begin) -> Result<()> {
        let Some(evidence) = self.pass(begin, None)? else { return Ok(()) };
        self.dial_again(&evidence)?;
        if begin == Begin::ByCommand {
            self.begin_session()?;
            self.protocol.can_start_tls()?;
        }
        match self.pass(begin, Some(&evidence))? {
            None => Ok(()),
            Some(evidence) => Err(evidence.stands(&self.server_name()?, "the second connection failed like the first")),
        }
    }

    /// One connection's way to TLS. With evidence it ended on the certificate, and another pass could ask the event.
    fn pass(&mut self, begin: Begin, evidence: Option<&Evidence>) -> Result<Option<Evidence>> {
        if begin == Begin::ByCommand {
            self.ask_for_tls()?;
        }
        let alpn = if begin == Begin::AtOnce { P::ALPN } else { &[] };
        self.handshake(alpn, evidence)
    }

    fn ask_for_tls(&mut self) -> Result<()> {
        self.wire.enter(Phase::StartTls);
        self.wire.settle()?;
        // An answer that is there before the question was asked is an attacker's.
        if self.wire.wait(self.wire.now())? != Ready::Nothing {
            return Err(Error::start_tls(&self.target.peer, StartTlsCause::EarlyAnswer));
        }
        self.protocol.request_tls(&mut self.wire)?;
        // What follows the go-ahead in clear is an attacker's, even part of a line.
        let leftover = self.wire.leftover();
        if leftover > 0 {
            return Err(Error::start_tls(&self.target.peer, StartTlsCause::EarlyData(leftover)));
        }
        Ok(())
    }

    fn server_name(&self) -> Result<String> {
        self.target.server_name(self.connector.settings())
    }

    fn handshake(&mut self, alpn: &[&[u8]], evidence: Option<&Evidence>) -> Result<Option<Evidence>> {
        let settings = self.connector.settings();
        let host = self.server_name()?;
        let (name, port) = (Arc::clone(&self.target.peer), self.target.port);
        let tls = settings.tls.connection(&Peer { name, port, protocol: P::NAME }, alpn)?;
        let mut again = None;
        let result = self.wire.secure(|plain| match tls.handshake(&host, plain, evidence)? {
            Handshaken::Done(secured) => Ok(secured),
            Handshaken::Again(found) => {
                again = Some(found);
                Ok(Box::new(Closed))
            }
        });
        result.map_err(|error| self.name_peer(error))?;
        if again.is_none() {
            self.wire.secured()?;
        }
        Ok(again)
    }

    /// Connects to the same server once more, in the same way and within the same deadline. Where that is not possible
    /// the first connection's result stands.
    fn dial_again(&mut self, evidence: &Evidence) -> Result<()> {
        let name = self.server_name()?;
        self.wire.close();
        if !self.target.dialled {
            let why = "with native-tls that takes a second connection, and there is none after `over`";
            return Err(evidence.stands(&name, why));
        }
        log::debug!("{}: connecting again, to ask server_certificate_validate", self.target.peer);
        let deadline = self.wire.overall();
        match dial(self.connector.settings(), &self.target, &self.interrupt, deadline) {
            Ok(transport) => {
                self.wire.restart(transport);
                Ok(())
            }
            Err(error @ (Error::Connect(_) | Error::Resolve { .. })) => {
                Err(evidence.stands(&name, &format!("the second connection that it takes failed: {error}")))
            }
            Err(error) => Err(error),
        }
    }
}
