//! For tests, those of this crate and those of its users: a scripted connection and throw-away servers on loopback.
//! Feature `testing`. Nothing here panics but the methods whose documentation says so.
//!
//! [`Script`] plays one connection from text, in virtual time and without a socket:
//!
//! ```
//! use mailconnect::testing::Script;
//! use std::io::{Read, Write};
//!
//! let (mut transport, script) = Script::parse("S: +OK ready\nC: QUIT\nS: +OK\nEOF")?.play();
//! let mut line = [0; 11];
//! transport.read_exact(&mut line)?;
//! assert_eq!(&line, b"+OK ready\r\n");
//! transport.write_all(b"QUIT\r\n")?;
//! assert_eq!(std::io::read_to_string(&mut transport)?, "+OK\r\n");
//! script.finish();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Server`] is a real server on a real socket of this machine, with a certificate of its own:
//!
//! ```
//! use mailconnect::testing::{Mode, Server};
//!
//! let server = Server::smtp().mode(Mode::StartTls).user("ann", "secret").start()?;
//! let (host, port) = server.endpoint();
//! // .. run the program under test against it, then look at what it sent:
//! assert!(server.messages().is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod clock;
mod play;
mod script;
mod script_text;
mod server;
mod stage;
mod stand_in;

pub use clock::VirtualClock;
pub use script::{Chunking, Script, ScriptHandle, ScriptSocket};
pub use server::{Mode, ReceivedMessage, Server, ServerBuilder};
pub use stage::ScriptServer;
pub use stand_in::StandInTls;
