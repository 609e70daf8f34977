//! Endpoints that go wrong: at the step that `fails` names, in that way, and not before. What the server did is taken
//! from the transcript, what the client made of it from its error.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailconnect::wire::TranscriptEvent;
use mailconnect::{Connector, Error, Phase, SmtpClient, Timeouts};

use crate::messages::Message;
use crate::model::{Endpoint, Fails, How, Rig, Step};
use crate::opening;
use crate::report::{Checked, Notes, ensure, whole};
use crate::smtp::{recipient, send};

/// Less than the 3 s that a slow server takes.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// The verb in which a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Connect,
    Send,
    Quit,
}

impl Step {
    fn verb(self) -> Verb {
        match self {
            Self::Connect | Self::Ehlo => Verb::Connect,
            Self::Mail | Self::Rcpt | Self::Data | Self::Dot => Verb::Send,
            Self::Quit => Verb::Quit,
        }
    }

    /// What errors call it.
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &["", "the connection"],
            Self::Ehlo => &["EHLO", "HELO"],
            Self::Mail => &["MAIL"],
            Self::Rcpt => &["RCPT"],
            Self::Data => &["DATA"],
            Self::Dot => &["the end of DATA"],
            Self::Quit => &["QUIT"],
        }
    }
}

pub(crate) fn check(rig: &Rig, endpoint: &Endpoint, fails: Fails, notes: &mut Notes) -> Checked {
    let Fails { at, how } = fails;
    if how == How::Slow {
        slow(rig, endpoint, at)?;
    } else {
        let (failure, replies) = session(&opening::trusting(rig), endpoint);
        fell_out(&replies, fails)?;
        match failure {
            None if is_overcome(fails) => {}
            None => return Err("nothing failed".into()),
            Some((verb, error)) => is_reported(verb, &error, fails)?,
        }
    }
    notes.add(format!("fails at {at}: {how}"));
    Ok(())
}

/// A server that does not know EHLO is asked by HELO, RFC 5321 3.2; and nothing depends on the answer to QUIT.
fn is_overcome(fails: Fails) -> bool {
    matches!((fails.at, fails.how), (Step::Ehlo, How::Permanent) | (Step::Quit, How::Drop))
}

/// Connects, sends, says goodbye: where that failed, and the server's replies, one text each.
fn session(connector: &Connector, endpoint: &Endpoint) -> (Option<(Verb, Error)>, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let connector = connector.clone().transcript(move |event| {
        if let TranscriptEvent::Received(line) = event {
            heard.lock().unwrap().push((*line).to_owned());
        }
    });
    let failure = talk(&connector, endpoint).err();
    let replies = lines.lock().unwrap().iter().filter(|line| line.as_bytes().get(3) != Some(&b'-')).cloned().collect();
    (failure, replies)
}

fn talk(connector: &Connector, endpoint: &Endpoint) -> Result<(), (Verb, Error)> {
    let mut client: SmtpClient = connector.connect(endpoint.address()).map_err(|error| (Verb::Connect, error))?;
    let message = Message::short(&recipient(endpoint));
    send(&mut client, endpoint, &message).map_err(|error| (Verb::Send, error))?;
    client.quit().map_err(|error| (Verb::Quit, error))
}

/// The server's replies were good up to that step, and then what they should be.
fn fell_out(replies: &[String], fails: Fails) -> Checked {
    let good = replies.iter().take_while(|reply| reply.starts_with(['2', '3'])).count();
    let expected = fails.at as usize;
    ensure(good == expected, || format!("{good} good replies instead of {expected}: {replies:?}"))?;
    let bad = replies.get(good).map(String::as_str);
    let fits = match fails.how {
        How::Permanent => bad.is_some_and(|reply| reply.starts_with('5')),
        How::Transient => bad.is_some_and(|reply| reply.starts_with('4') && !reply.starts_with("421")),
        How::Closing => bad.is_some_and(|reply| reply.starts_with("421")),
        How::Drop => bad.is_none(),
        How::Slow => true,
    };
    ensure(fits, || format!("not {}, but {bad:?}", fails.how))
}

/// The error says the same.
fn is_reported(verb: Verb, error: &Error, Fails { at, how }: Fails) -> Checked {
    ensure(verb == at.verb(), || format!("failed in {verb:?} instead of {:?}: {}", at.verb(), whole(error)))?;
    let rejected = error.rejection();
    let fits = match how {
        How::Permanent => error.is_permanent(),
        How::Transient => rejected.is_some() && error.is_transient() && !error.is_permanent(),
        How::Closing => rejected.is_some_and(|rejection| rejection.closing && &*rejection.status == "421"),
        How::Drop => matches!(error, Error::ConnectionLost(_) | Error::Io { .. }) && !error.is_timeout(),
        How::Slow => error.is_timeout(),
    };
    ensure(fits, || format!("not reported as {how}: {}", whole(error)))?;
    let command = match error {
        Error::Rejected(rejection) => &*rejection.command,
        Error::ConnectionLost(context) | Error::Io { at: context, .. } => context.command,
        Error::Timeout(timeout) => timeout.at.command,
        _ => "?",
    };
    ensure(at.command().contains(&command), || format!("not reported for {at}: `{command}`: {}", whole(error)))?;
    let lost = matches!(how, How::Drop | How::Slow);
    let unknown = lost && at == Step::Dot;
    ensure(error.outcome_unknown() == unknown, || format!("outcome unknown should be {unknown}: {}", whole(error)))
}

/// Patience helps, and without it the time-out is that of the slow step.
fn slow(rig: &Rig, endpoint: &Endpoint, at: Step) -> Checked {
    let (failure, _) = session(&opening::trusting(rig), endpoint);
    if let Some((verb, error)) = failure {
        return Err(format!("{verb:?} failed with patience: {}", whole(&error)));
    }
    let mut timeouts = Timeouts::default();
    (timeouts.greeting, timeouts.command, timeouts.final_answer) = (IMPATIENCE, IMPATIENCE, IMPATIENCE);
    let (failure, replies) = session(&opening::trusting(rig).timeouts(timeouts), endpoint);
    let fails = Fails { at, how: How::Slow };
    fell_out(&replies, fails)?;
    let (verb, error) = failure.ok_or("did not time out")?;
    is_reported(verb, &error, fails)?;
    let phase = if let Error::Timeout(timeout) = &error { Some(timeout.at.phase) } else { None };
    let expected = match at {
        Step::Connect => Phase::Greeting,
        Step::Dot => Phase::FinalAnswer,
        _ => Phase::Command,
    };
    ensure(phase == Some(expected), || format!("timed out in phase {phase:?}"))
}
