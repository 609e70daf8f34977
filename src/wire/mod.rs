//! The only buffer of plain text between a protocol and its transport: groups go out whole or not at all, answers come
//! in as frames, bodies are lent in place, and every limit is checked while reading. It knows no protocol.
//!
//! What is still due (answers, the rest of a body) is state in here, kept before a byte is lent. So a cursor that is
//! dropped or forgotten leaves a client that reads the rest away at the next command, or closes.

mod body;
mod buffers;
mod dotted;
mod fault;
mod framer;
mod gate;
mod group;
mod receive;
mod stuffer;
mod time;
mod transcript;

pub use body::Body;
pub use framer::{Answer, Flaw, Framer, Need};
pub use group::{BodyOutcome, Group};
pub use stuffer::{BadBody, BodyFacts, LineEnds, Stuffer};
pub(crate) use transcript::Listener;
pub use transcript::TranscriptEvent;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroize;

use crate::error::{Error, Phase, Result};
use crate::limits::Limits;
use crate::net::{Clock, Interrupt, Registration, Timeouts, Transport};
use crate::tls_info::TlsInfo;
use body::Pending;
use buffers::Buffers;
use fault::lossy;
use gate::Gate;
use receive::Half;
use transcript::Transcript;

/// Commands that may be unanswered at once, and the bytes of unread replies that neither side's buffers can be trusted
/// to take more of (RFC 2920 4.1 speaks of a TCP window of 4 to 8 KiB).
const WINDOW: (usize, usize) = (128, 8 << 10);

/// Octets that an answer is taken for until longer ones were seen.
const REPLY_ESTIMATE: usize = 64;

/// Which part of an answer [`Wire::next_part`] has found. Its bytes are [`Wire::frame`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A frame after which more of the same answer follows.
    Frame,
    /// A frame whose body follows: read it by [`Wire::body`].
    Body,
    /// The frame that ends the answer.
    Last,
}

/// What [`Wire::wait`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// The server has sent something.
    Bytes,
    /// The server has closed the connection.
    Eof,
    /// Neither, until then.
    Nothing,
}

/// What a wire is made with.
#[derive(Clone)]
pub(crate) struct WireSettings {
    pub(crate) peer: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interrupt: Interrupt,
    pub(crate) listener: Option<Listener>,
    /// The end of everything.
    pub(crate) deadline: Option<Instant>,
    pub(crate) no_deadline: bool,
    /// Whether the caller asked for TLS, from the first byte or by an upgrade.
    pub(crate) tls_wanted: bool,
    /// Whether the server may speak without being asked (IMAP).
    pub(crate) unsolicited: bool,
}

/// The plain text of a connection. Protocols write [`Group`]s to it and read answers by [`next_part`](Self::next_part).
///
/// Any failure of it closes the connection for good: what is read after that cannot be half of an earlier answer.
pub struct Wire {
    stream: Buffers,
    settings: WireSettings,
    /// A frame that does not lie whole in the read buffer.
    assembled: Vec<u8>,
    /// Or the bytes at the head of the read buffer that are the frame.
    lent: usize,
    /// What the framer has asked for and is not whole: a wait that may end without harm has ended in the middle of it.
    half: Option<Half>,
    /// What is left of a body that is being received.
    pending: Pending,
    /// A CR that belongs to the body and is in the buffer no more.
    cr_due: bool,
    body_bytes: u64,
    due: VecDeque<Answer>,
    /// The command whose answer was whole last.
    answered: &'static str,
    /// Half of a body has gone out, and the server has answered: nothing may follow.
    half_sent: bool,
    /// Somebody is in the middle of something that only they can go on with.
    reserved: bool,
    /// Changes that were unanswered when the connection ended.
    outcomes_lost: usize,
    reply_estimate: usize,
    out: Vec<u8>,
    transcript: Transcript,
    phase: Phase,
    registration: Option<Registration>,
    open: bool,
}

impl Wire {
    pub(crate) fn new(transport: Box<dyn Transport>, settings: WireSettings) -> Self {
        let mut gate = Gate::new(transport, settings.clock.clone(), settings.interrupt.clone());
        gate.no_deadline = settings.no_deadline;
        gate.overall = settings.deadline;
        let transcript = Transcript::new(settings.listener.clone());
        transcript.tell(&TranscriptEvent::Connected(&settings.peer));
        let registration = Self::register(&settings.interrupt, &*gate.transport);
        Self {
            stream: Buffers::new(gate),
            settings,
            assembled: Vec::new(),
            lent: 0,
            half: None,
            pending: Pending::Nothing,
            cr_due: false,
            body_bytes: 0,
            due: VecDeque::new(),
            answered: "",
            half_sent: false,
            reserved: false,
            outcomes_lost: 0,
            reply_estimate: REPLY_ESTIMATE,
            out: Vec::new(),
            transcript,
            phase: Phase::Greeting,
            registration,
            open: true,
        }
    }

    fn register(interrupt: &Interrupt, transport: &dyn Transport) -> Option<Registration> {
        transport.shutdown_handle().map(|handle| interrupt.register(handle))
    }

    // ---- Facts ----

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The time-outs in force.
    pub fn timeouts(&self) -> &Timeouts {
        &self.settings.timeouts
    }

    /// The server as it was named: `mail.example.com:587`.
    pub fn peer(&self) -> &str {
        &self.settings.peer
    }

    /// True until a failure or [`close`](Self::close).
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// True if the link is encrypted.
    pub fn is_secure(&self) -> bool {
        self.tls().is_some()
    }

    /// True if the link is encrypted, or will be before it is given to the caller.
    pub fn tls_wanted(&self) -> bool {
        self.settings.tls_wanted
    }

    /// True if the server is on this machine for sure, see [`Transport::is_local`].
    pub fn is_local(&self) -> bool {
        self.stream.gate().transport.is_local()
    }

    /// What was negotiated.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.stream.gate().transport.tls()
    }

    /// This end of the socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.gate().transport.local_addr()
    }

    /// The other end of the socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.gate().transport.peer_addr()
    }

    /// The time by the clock in force.
    pub fn now(&self) -> Instant {
        self.settings.clock.now()
    }

    // ---- Sending ----

    /// Starts to compose a group of commands.
    pub fn group(&mut self) -> Group<'_> {
        Group::new(self)
    }

    /// How many more commands may be sent before an answer must be read, so that neither side ever blocks the other.
    pub fn room(&self) -> usize {
        let most = WINDOW.0.min(WINDOW.1 / self.reply_estimate).max(1);
        most.saturating_sub(self.due.len())
    }

    /// An answer that is due for no command: a greeting.
    pub fn expect(&mut self, answer: Answer) {
        self.due.push_back(answer);
    }

    /// From here on the command that was sent last changes what the server keeps, as if its answer had been
    /// [`changing`](Answer::changing): one that is sent in parts changes nothing before its last.
    pub fn mark_changing(&mut self) {
        if let Some(answer) = self.due.back_mut() {
            answer.changes_state = true;
        }
    }

    /// Says anew, oldest first, which of the answers that are due are to commands that [change](Answer::changing) what the
    /// server keeps: for a protocol whose answers may come in another order than its commands.
    pub fn due_changes(&mut self, changes: impl IntoIterator<Item = bool>) {
        for (answer, changes) in self.due.iter_mut().zip(changes) {
            answer.changes_state = changes;
        }
    }

    /// While true, nothing can be sent, and whoever tries closes the connection: a cursor that holds the server in the
    /// middle of something (it waits for a message) takes this off for its own work, so that no other command is taken
    /// for part of that, also if the cursor was forgotten.
    pub fn reserve(&mut self, reserved: bool) {
        self.reserved = reserved;
    }

    /// How many commands that [change](Answer::changing) what the server keeps were sent whole and unanswered when the
    /// connection ended: the oldest ones.
    pub fn outcomes_lost(&self) -> usize {
        self.outcomes_lost
    }

    /// Keeps a secret, and its forms on the wire, out of every text from now on.
    pub fn hide(&mut self, secret: &[u8]) {
        self.transcript.hide(secret);
    }

    /// While true, what the server sends is not shown either: a challenge may be as secret as its answer.
    pub fn hide_received(&mut self, hide: bool) {
        self.transcript.hide_received = hide;
    }

    pub(crate) fn scrub(&self, text: &str) -> String {
        self.transcript.scrub(text)
    }

    /// Sends what was composed. Bytes that the server sent for no command make it an error, since they would be taken
    /// for the answer. Each answer comes with the end of its command in what was composed.
    fn send(
        &mut self,
        answers: Vec<(usize, Answer)>,
        changes: Option<usize>,
        shown: impl FnOnce(&Transcript, &[u8]),
    ) -> Result<()> {
        if !self.open {
            return Err(Error::Closed);
        }
        if self.half_sent || self.reserved {
            return Err(self.fail(Error::Closed));
        }
        self.answered = "";
        self.release();
        if self.due.is_empty() && !self.settings.unsolicited && self.past_blank_lines() > 0 {
            let received = lossy(self.buffered());
            return Err(self.protocol_error("the server sent a reply to no command", received));
        }
        if self.transcript.is_on() {
            shown(&self.transcript, &self.out);
        }
        let (taken, result) = self.stream.write(&self.out);
        // A command that went out whole may be carried out, whatever became of the rest.
        self.due.extend(answers.into_iter().filter(|(end, _)| *end <= taken).map(|(_, answer)| answer));
        if changes.is_some_and(|end| end <= taken) {
            self.mark_changing();
        }
        result.map_err(|error| self.cut_off(error))
    }

    /// How much has arrived that is no blank line: some servers send one after a reply, and it answers nothing.
    fn past_blank_lines(&mut self) -> usize {
        let bytes = self.buffered();
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let left = bytes.len() - blank;
        self.stream.consume(blank);
        left
    }

    // ---- Changing what lies below ----

    /// Replaces the transport by one made of it: TLS, compression. If `make` fails the connection is gone.
    ///
    /// # Errors
    /// [`Error::Protocol`] if one byte is left over that went through the old transport, even part of a line; what
    /// `make` returns.
    pub fn rewrap(&mut self, make: impl FnOnce(Box<dyn Transport>) -> Result<Box<dyn Transport>>) -> Result<()> {
        if self.leftover() > 0 || !self.due.is_empty() || self.body_pending() {
            let received = lossy(self.buffered());
            return Err(
                self.protocol_error("bytes are left over that came before the change of the transport", received)
            );
        }
        let lower = self.stream.gate_mut().close();
        let upper = make(lower).map_err(|error| self.fail(error))?;
        self.stream.gate_mut().transport = upper;
        Ok(())
    }

    /// As [`rewrap`](Self::rewrap), for a handshake, and within its time-out. What the caller's own code takes in it, the
    /// certificate event, is not charged.
    pub(crate) fn secure(&mut self, make: impl FnOnce(Box<dyn Transport>) -> Result<Box<dyn Transport>>) -> Result<()> {
        self.enter(Phase::Handshake);
        let gate = self.stream.gate().below();
        self.rewrap(|plain| make(Box::new(gate(plain))))
    }

    /// Starts anew over another transport. Nothing of before is left but the settings and the secrets to be hidden.
    pub(crate) fn restart(&mut self, transport: Box<dyn Transport>) {
        self.close();
        let transcript = std::mem::take(&mut self.transcript);
        *self = Self::new(transport, self.settings.clone());
        self.transcript = transcript;
    }

    /// How many bytes have arrived that no answer has taken.
    pub(crate) fn leftover(&mut self) -> usize {
        self.release();
        self.buffered().len()
    }

    /// After a handshake: a caller's own TLS may have secured nothing.
    pub(crate) fn secured(&mut self) -> Result<()> {
        if !self.is_secure() {
            let error = Error::handshake(&self.settings.peer, "the TLS that was given reports no TLS");
            return Err(self.fail(error));
        }
        self.transcript.tell(&TranscriptEvent::Secured);
        Ok(())
    }

    /// Ends the connection for good. Nothing unsent goes out, and nothing blocks.
    pub fn close(&mut self) {
        if self.open {
            self.open = false;
            self.outcomes_lost = self.due.iter().filter(|answer| answer.changes_state).count();
            self.transcript.tell(&TranscriptEvent::Closed);
        }
        drop(self.stream.gate_mut().close());
        // The handle that interrupts holds the socket open.
        self.registration = None;
        self.due.clear();
        self.pending = Pending::Nothing;
        self.cr_due = false;
        self.lent = 0;
        self.half = None;
        self.assembled = Vec::new();
        self.out.zeroize();
        let left = self.stream.buffered().len();
        self.stream.consume(left);
    }

    /// Says goodbye on the level of the transport, then closes.
    pub(crate) fn finish(&mut self) {
        // The peer may be gone already; whatever had to be said was said by the protocol.
        let _ = self.stream.gate_mut().transport.close();
        self.close();
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peer, phase) = (&self.settings.peer, self.phase);
        f.debug_struct("Wire")
            .field("peer", peer)
            .field("phase", &phase)
            .field("open", &self.open)
            .field("secure", &self.is_secure())
            .field("answers_due", &self.due.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Wire {
    /// What is unsent stays unsent, and no secret stays in memory.
    fn drop(&mut self) {
        self.out.zeroize();
        drop(self.stream.gate_mut().close());
    }
}
