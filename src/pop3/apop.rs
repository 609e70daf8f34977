//! APOP, RFC 1939 7: the greeting's stamp, and the command that is computed from it. The digest is made in `sasl`.

use super::codec::{self, StatusFramer};
use super::{Pop3, accepted, send};
use crate::sasl::{self, Context, Mechanism, Secret};
use crate::wire::{Answer, Wire};
use crate::{Client, Error, Result};

/// Among the mechanisms.
pub(super) const NAME: &str = "APOP";

/// The greeting's stamp, and whether it outlives STLS.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    stamp: Option<Secret>,
    kept: bool,
}

impl State {
    /// After STLS the stamp is what an attacker may have chosen, and no other one comes.
    pub(super) fn reset(&mut self) {
        if !self.kept {
            self.stamp = None;
        }
    }

    /// Takes the stamp out of the greeting, which is the wire's frame.
    pub(super) fn greeted(&mut self, wire: &mut Wire) {
        self.stamp = sasl::apop_stamp(wire.frame()).map(|stamp| stamp.to_vec().into());
    }

    /// Its name, if the server has sent a stamp.
    pub(super) fn offered(&self) -> Option<String> {
        self.stamp.as_ref().map(|_| NAME.to_owned())
    }

    pub(super) fn authenticate(
        &self,
        wire: &mut Wire,
        mechanism: &mut dyn Mechanism,
        context: &Context<'_>,
    ) -> Result<()> {
        let Some(stamp) = &self.stamp else {
            return Err(Error::unsupported(
                "APOP needs a stamp <...@...> in a greeting that was not sent in clear before STLS, and there is none",
            ));
        };
        mechanism.start(context)?;
        let answer = mechanism.step(stamp.as_bytes())?;
        // The user name is as it was given, and holds no blank.
        let (user, digest) = match answer.as_bytes().iter().rposition(|&byte| byte == b' ') {
            Some(at) => answer.as_bytes().split_at(at + 1),
            None => (&b""[..], answer.as_bytes()),
        };
        if !codec::fits("APOP ".len() + answer.as_bytes().len()) {
            return Err(Error::invalid("user", "is too long for a command line of POP3"));
        }
        let due = Answer::new("APOP", StatusFramer::new(wire.limits()));
        send(wire, due, |group| group.put("APOP ").text("user", user)?.secret("digest", digest))?;
        accepted(wire, "APOP").map(drop)
    }
}

impl Pop3 {
    /// Keeps the stamp of a greeting that came in clear for APOP after STLS. Whoever is on the way may have chosen it, and
    /// can then guess the password from the answer, or find parts of it. Default: false.
    #[must_use]
    pub fn danger_apop_after_stls(mut self, allowed: bool) -> Self {
        self.apop.kept = allowed;
        self
    }
}

impl Client<Pop3> {
    /// Logs in by APOP, RFC 1939 7: [`sasl::Apop`]. Never chosen by [`login`](Client::login), since MD5 alone protects
    /// the password; for servers that have nothing else.
    ///
    /// ```
    /// # if cfg!(not(feature = "scram")) { return Ok(()); }
    /// use mailconnect::testing::Script;
    /// use mailconnect::{Connector, Security, pop3::Pop3};
    ///
    /// let script = "S: +OK ready <1896.697170952@dbc.mtview.ca.us>\nC: CAPA\nS: -ERR\n\
    ///               C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK in";
    /// let (transport, script) = Script::parse(script)?.play();
    /// let connector = Connector::new().clock(script.clock()).danger_plaintext_auth(true);
    /// let mut pop3 = connector.over(Pop3::new(), transport, "mail.example.com", Security::Plain)?;
    /// pop3.apop("mrose", "tanstaaf")?;
    /// script.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`authenticate`](Client::authenticate), and [`Error::Unsupported`] if the greeting had no well-formed stamp, or
    /// had it before STLS (see [`Pop3::danger_apop_after_stls`]), or without the feature `scram`.
    pub fn apop(&mut self, user: &str, password: &str) -> Result<()> {
        self.authenticate(&mut sasl::Apop::new(user, password)?)
    }
}
