//! LMTP is not in this crate yet: its endpoints are accounted for by their greeting.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use crate::model::Endpoint;
use crate::report::{Checked, Notes, ensure};

pub(crate) fn check(endpoint: &Endpoint, notes: &mut Notes) -> Checked {
    let greeting = greeting(endpoint).map_err(|error| format!("the greeting: {error}"))?;
    ensure(greeting.starts_with("220"), || format!("greeted with `{}`", greeting.trim_end()))?;
    notes.add("greeting only: LMTP is not in this crate yet");
    Ok(())
}

fn greeting(endpoint: &Endpoint) -> std::io::Result<String> {
    let socket = TcpStream::connect(endpoint.address())?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line)?;
    Ok(line)
}
