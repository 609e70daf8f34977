//! A toy protocol over a script, for proofs on the real `Wire`.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use mailconnect::sasl::{self, Mechanism};
use mailconnect::testing::{Chunking, Script, ScriptHandle};
use mailconnect::wire::{Answer, Flaw, Framer, Need, Wire};
use mailconnect::{Client, Connector, Protocol, Result, Security};

/// Answers are a line each; `BODY n` is followed by so many bytes and another line, `DOTTED` by a dotted body.
#[derive(Debug, Default)]
pub struct Toy;

struct ToyFramer {
    rest: bool,
}

impl Framer for ToyFramer {
    fn need(&mut self, frame: &[u8]) -> Result<Need, Flaw> {
        let text = std::str::from_utf8(frame).map_err(|_| Flaw::Malformed("not text"))?;
        if text.is_empty() {
            return Ok(Need::Line { max: 64 });
        }
        if self.rest {
            return Ok(Need::Last);
        }
        if let Some(size) = text.strip_prefix("BODY ") {
            self.rest = true;
            let size = size.trim_end().parse().map_err(|_| Flaw::Malformed("no size"))?;
            return Ok(Need::Stream(size));
        }
        Ok(if text.starts_with("DOTTED") { Need::Dotted } else { Need::Last })
    }
}

pub fn answer(command: &'static str) -> Answer {
    Answer::new(command, ToyFramer { rest: false })
}

impl Protocol for Toy {
    const NAME: &'static str = "Toy";
    const SASL_SERVICE: &'static str = "toy";
    const PORT: Option<u16> = Some(4);
    const TLS_PORT: Option<u16> = None;

    fn reset(&mut self) {}

    fn greet(&mut self, wire: &mut Wire) -> Result<()> {
        wire.expect(answer("greeting"));
        wire.next_part().map(drop)
    }

    fn request_tls(&mut self, _: &mut Wire) -> Result<()> {
        Ok(())
    }

    fn secured(&mut self, _: &mut Wire) -> Result<()> {
        Ok(())
    }

    fn mechanisms(&mut self, _: &mut Wire) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn authenticate(&mut self, _: &mut Wire, _: &mut dyn Mechanism, _: &sasl::Context<'_>) -> Result<()> {
        Ok(())
    }

    fn quit(&mut self, wire: &mut Wire) -> Result<()> {
        ask(wire, "QUIT").map(drop)
    }
}

pub fn send(wire: &mut Wire, command: &'static str) -> Result<()> {
    let mut group = wire.group();
    group.put(command).end(answer(command));
    group.send()
}

pub fn ask(wire: &mut Wire, command: &'static str) -> Result<String> {
    send(wire, command)?;
    wire.next_part()?;
    Ok(String::from_utf8_lossy(wire.frame()).trim_end().to_owned())
}

pub fn open(connector: Connector, script: &str, chunking: Chunking) -> (Client<Toy>, ScriptHandle) {
    let (transport, handle) = Script::parse(script).unwrap().chunking(chunking).play();
    let connector = connector.clock(handle.clock());
    let client = connector.over(Toy, transport, "toy.example", Security::Plain).unwrap();
    (client, handle)
}
