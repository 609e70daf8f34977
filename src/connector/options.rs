//! What a caller may choose but TLS: time, size, where from and how.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Connector;
use crate::limits::Limits;
use crate::net::{Clock, Interrupt, Target, Timeouts, Transport};
use crate::sasl::BindingPolicy;
use crate::wire::TranscriptEvent;

/// # Options
impl Connector {
    /// How long each phase may take. Default: [`Timeouts::default`].
    #[must_use]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with(|settings| settings.timeouts = timeouts)
    }

    /// How long a client may live in all, from the start of the verb that opens it. Default: no bound. A client's own
    /// can be moved later by [`Client::set_deadline`](crate::Client::set_deadline).
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.with(|settings| settings.deadline = Some(deadline))
    }

    /// How much a server may send. Default: [`Limits::default`].
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|settings| settings.limits = limits)
    }

    /// The address of this machine to connect from. Default: the system chooses.
    #[must_use]
    pub fn local_address(self, address: IpAddr) -> Self {
        self.with(|settings| settings.local_address = Some(address))
    }

    /// After how much silence TCP asks whether the other end is still there. Default: never. It asks again every 15 s, and
    /// gives up after as many times as the system has it: nine on Linux, which is after a little more than two minutes.
    /// What waits for the server then, an IDLE of IMAP too, ends in [`Error::Io`](crate::Error::Io).
    #[must_use]
    pub fn keepalive(self, idle: Duration) -> Self {
        self.with(|settings| settings.keepalive = Some(idle))
    }

    /// How to connect, instead of TCP: a proxy, a tunnel. What it returns never counts as local.
    #[must_use]
    pub fn dialer(
        self,
        dialer: impl Fn(&Target<'_>) -> std::io::Result<Box<dyn Transport>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.dialer = Some(Arc::new(dialer)))
    }

    /// Ends resolving, dialling, the handshake and every later call of every client that this connector opens. Default:
    /// each client has one of its own, [`Client::interrupt_handle`](crate::Client::interrupt_handle).
    ///
    /// ```
    /// use mailconnect::{Connector, Error, Interrupt, SmtpClient};
    ///
    /// let interrupt = Interrupt::new();
    /// let connector = Connector::new().interrupt(interrupt.clone());
    /// interrupt.interrupt(); // from any thread, at any time
    /// let result: Result<SmtpClient, Error> = connector.connect("mail.example.com");
    /// assert!(matches!(result, Err(Error::Interrupted(_))));
    /// ```
    #[must_use]
    pub fn interrupt(self, interrupt: Interrupt) -> Self {
        self.with(|settings| settings.interrupt = Some(interrupt))
    }

    /// Tells `listener` every line that goes over the wire, without secrets and bodies.
    ///
    /// ```
    /// let chatty = mailconnect::Connector::new().transcript(|line| println!("{line}"));
    /// ```
    #[must_use]
    pub fn transcript(self, listener: impl Fn(&TranscriptEvent<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listener = Some(Arc::new(listener)))
    }

    /// Where the time comes from. For tests.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        self.with(|settings| settings.clock = Arc::new(clock))
    }

    /// What [`Client::login`](crate::Client::login) may take, in this order, by its registered names in any case:
    /// `SCRAM-SHA-256`, `PLAIN`, `CRAM-MD5`, `APOP`, and the protocol's own commands `LOGIN` (IMAP) and `USER` (POP3).
    /// Others, which take no password, are passed over. Default: see there.
    ///
    /// ```
    /// use mailconnect::{Connector, Error, Pop3Client};
    /// # fn main() -> mailconnect::Result<()> {
    /// # let server = mailconnect::testing::Server::pop3().mode(mailconnect::testing::Mode::Plain).start().unwrap();
    /// # let endpoint = server.endpoint();
    /// // A server that holds no SCRAM secrets and offers SCRAM all the same.
    /// let connector = Connector::new().mechanisms(["PLAIN", "LOGIN"]);
    /// let mut pop3: Pop3Client = connector.connect(endpoint)?;
    /// pop3.login("user", "password")?;
    /// # pop3.quit()
    /// # }
    /// ```
    #[must_use]
    pub fn mechanisms(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.with(|settings| settings.mechanisms = Some(names))
    }

    /// Whether [`Client::login`](crate::Client::login) binds itself to the TLS connection. If it is required, nothing
    /// else is taken than the `-PLUS` forms of SCRAM; [`sasl::Scram::bound_by`] has a certain kind of binding. Default:
    /// [`BindingPolicy::OnRequest`], which is never.
    ///
    /// ```
    /// use mailconnect::{Connector, sasl::BindingPolicy};
    /// let connector = Connector::new().channel_binding(BindingPolicy::Required);
    /// ```
    ///
    /// [`sasl::Scram::bound_by`]: crate::sasl::Scram::bound_by
    #[must_use]
    pub fn channel_binding(self, policy: BindingPolicy) -> Self {
        self.with(|settings| settings.channel_binding = policy)
    }

    /// Lets passwords go over unencrypted links to other machines, where anybody on the way can read them. Default:
    /// false.
    #[must_use]
    pub fn danger_plaintext_auth(self, allowed: bool) -> Self {
        self.with(|settings| settings.plaintext_auth = allowed)
    }

    /// Takes transports in [`over`](Self::over) that cannot end a read in time, so that a silent server hangs the
    /// program. Default: false.
    #[must_use]
    pub fn danger_no_deadline(self, allowed: bool) -> Self {
        self.with(|settings| settings.no_deadline = allowed)
    }
}
