//! One exchange as every protocol carries it: what waits for the server's leave, base64, and the limit on challenges.

use super::{Context, Mechanism, Secret};
use crate::error::{Error, Result, SaslCause};
use crate::limits::Limits;
use crate::wire::Wire;

/// A SASL exchange, for implementations of [`Protocol::authenticate`](crate::Protocol::authenticate). It does no I/O: the
/// protocol sends [`initial`](Self::initial) with its command if there is room, each [`answer`](Self::answer) on a line
/// of its own, and `*` if that fails; success counts only if it [`is_finished`](Self::is_finished).
///
/// ```
/// # use mailconnect::sasl::{Context, Exchange, Mechanism};
/// # use mailconnect::wire::Wire;
/// # use mailconnect::{Error, Result};
/// # enum Reply { Challenge(Vec<u8>), Success, Refusal(Error) }
/// # fn command(_: &mut Wire, _: &str, _: Option<&[u8]>) -> Result<()> { Ok(()) }
/// # fn line(_: &mut Wire, _: &[u8]) -> Result<()> { Ok(()) }
/// # fn reply(_: &mut Wire) -> Result<Reply> { Ok(Reply::Success) }
/// fn authenticate(wire: &mut Wire, mechanism: &mut dyn Mechanism, context: &Context<'_>) -> Result<()> {
///     let mut exchange = Exchange::start(wire, mechanism, context)?;
///     let first = exchange.initial(|octets| octets <= 200);
///     command(wire, exchange.name(), first.as_ref().map(|first| first.as_bytes()))?;
///     loop {
///         match reply(wire)? {
///             Reply::Challenge(challenge) => match exchange.answer(wire, &challenge) {
///                 Ok(answer) => line(wire, answer.as_bytes())?,
///                 Err(error) => {
///                     line(wire, b"*")?;
///                     let refusal = match reply(wire)? {
///                         Reply::Refusal(refusal) => refusal,
///                         _ => wire.malformed("no refusal after the exchange was cancelled"),
///                     };
///                     return Err(Exchange::cancelled(error, refusal));
///                 }
///             },
///             Reply::Success if exchange.is_finished() => return Ok(()),
///             Reply::Success => return Err(wire.malformed("success before the exchange was complete")),
///             Reply::Refusal(refusal) => return Err(refusal),
///         }
///     }
/// }
/// ```
pub struct Exchange<'m> {
    mechanism: &'m mut dyn Mechanism,
    /// The initial response in base64, until it is sent.
    first: Option<Secret>,
}

impl<'m> Exchange<'m> {
    /// Starts the mechanism, and keeps its secret and all challenges out of every text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the mechanism's name is none (RFC 4422 3.1); those of [`Mechanism::start`].
    pub fn start(wire: &mut Wire, mechanism: &'m mut dyn Mechanism, context: &Context<'_>) -> Result<Self> {
        check_name(mechanism.name())?;
        let first = mechanism.start(context)?.map(|message| message.to_base64());
        wire.hide(mechanism.password().unwrap_or_default());
        wire.hide_received(true);
        Ok(Self { mechanism, first })
    }

    /// How many bytes a line with a challenge may have: at least three times as many as the longest challenge takes, so
    /// that one that is too long can be read to its end, and cancelled.
    pub fn line_limit(limits: &Limits) -> usize {
        limits.reply_line.max(limits.sasl_challenge.saturating_mul(4))
    }

    /// The mechanism's name.
    pub fn name(&self) -> &str {
        self.mechanism.name()
    }

    /// The initial response as it stands behind the command: in base64, or `=` if it is empty. None if there is none, or
    /// if its octets do not fit; it is then the answer to the first challenge.
    pub fn initial(&mut self, fits: impl FnOnce(usize) -> bool) -> Option<Secret> {
        let first = self.first.take()?;
        let shown = if first.as_bytes().is_empty() { Secret::from("=") } else { first.clone() };
        if fits(shown.as_bytes().len()) {
            return Some(shown);
        }
        self.first = Some(first);
        None
    }

    /// The answer to a challenge, both in base64. What stands in the challenge that only asks for the initial response is
    /// ignored.
    ///
    /// # Errors
    /// [`Error::Sasl`], those of [`Mechanism::step`]: the exchange must be cancelled.
    pub fn answer(&mut self, wire: &Wire, challenge: &[u8]) -> Result<Secret> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let max = wire.limits().sasl_challenge;
        let challenge = challenge.trim_ascii();
        let decoded = decode(challenge, max).map_err(|cause| Error::sasl(self.mechanism.name(), cause))?;
        self.mechanism.step(decoded.as_bytes()).map(|answer| answer.to_base64())
    }

    /// True if success may be believed.
    pub fn is_finished(&self) -> bool {
        self.first.is_none() && self.mechanism.is_finished()
    }

    /// The error of an exchange that was cancelled because of `why`, from what the server answered to that. A server that
    /// refuses has agreed; one that ends the connection instead does not change the reason.
    pub fn cancelled(why: Error, answer: Error) -> Error {
        match (why, answer) {
            (why, Error::Rejected(refusal)) if !refusal.closing => why,
            (Error::Sasl(mut why), Error::Rejected(_) | Error::ConnectionLost(_) | Error::Io { .. }) => {
                why.closed = true;
                Error::Sasl(why)
            }
            (_, worse) => worse,
        }
    }
}

impl std::fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.name()).finish_non_exhaustive()
    }
}

fn decode(challenge: &[u8], max: usize) -> Result<Secret, SaslCause> {
    if challenge.len() / 4 * 3 > max.saturating_add(2) {
        return Err(SaslCause::TooLong { max });
    }
    match Secret::from_base64(challenge) {
        Some(decoded) if decoded.as_bytes().len() <= max => Ok(decoded),
        Some(_) => Err(SaslCause::TooLong { max }),
        None => Err(SaslCause::NotBase64),
    }
}

/// RFC 4422 3.1, in any case. A name with a blank in it would be two arguments.
fn check_name(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=20).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    Err(Error::invalid("mechanism", "is no SASL mechanism's name (RFC 4422 3.1)"))
}
