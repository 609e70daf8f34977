//! Everything below TLS: resolving, dialling, deadlines, interrupting. It knows no protocol and no TLS.

mod clock;
mod deadline;
mod dial;
mod inbox;
mod interrupt;
mod race;
mod resolve;
mod socket;
mod timed;
mod timeouts;
mod transport;

pub use clock::{Clock, SystemClock};
pub use deadline::Deadline;
pub use dial::Target;
pub(crate) use dial::{DialSettings, dial, dial_unix};
pub use interrupt::Interrupt;
pub(crate) use interrupt::Registration;
pub use socket::Socket;
pub use timed::Timed;
pub use timeouts::Timeouts;
pub use transport::{Closed, ShutdownHandle, Transport};
