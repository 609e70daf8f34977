//! What became of a message.

use super::Reply;
use crate::Error;

/// What became of a message, recipient by recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendReport {
    /// The recipients that the server has taken the message for, in the envelope's order, each with the reply that took
    /// it.
    pub accepted: Vec<(String, Reply)>,
    /// Those that do not get it, each with the reply that says so: to the recipient, the sender or the message.
    pub refused: Vec<(String, Reply)>,
    /// Those that may have got it: recipients of a later transaction, the reply to which was lost. The client is closed
    /// then.
    pub unknown: Vec<String>,
    /// Those for whom nothing was tried to its end: the others, where [`Policy::RequireAll`](super::Policy::RequireAll) has
    /// stopped a message; those that the server took no more of at once, if the body can be read only once; those of a
    /// later transaction that could not be sent.
    pub not_attempted: Vec<String>,
    /// The reply that decided: `250 2.0.0 Ok: queued as 4XyZ`, or the first refusal.
    pub reply: Reply,
    /// Each transaction that the server has taken, in order: more than one only if the recipients were split.
    pub deliveries: Vec<Delivery>,
}

/// One transaction that the server has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// For whom.
    pub to: Vec<String>,
    /// The reply to the message, with the text that names it in the server's queue.
    pub reply: Reply,
}

/// What became of one message of [`send_all`](crate::Client::send_all).
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The server has taken it, for at least one recipient.
    Delivered(SendReport),
    /// The server has refused it: nobody gets it.
    Refused(SendReport),
    /// The server cannot have taken it: it did not go out whole, or could not go at all.
    NotSent(Error),
    /// It went out whole and the reply was lost: it may have been taken. Sending it again may deliver it twice.
    Unknown(Error),
}

impl Outcome {
    /// True for [`Delivered`](Self::Delivered).
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered(_))
    }

    /// The report, if the server has decided.
    pub fn report(&self) -> Option<&SendReport> {
        match self {
            Self::Delivered(report) | Self::Refused(report) => Some(report),
            Self::NotSent(_) | Self::Unknown(_) => None,
        }
    }

    /// The error, if it has not.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::NotSent(error) | Self::Unknown(error) => Some(error),
            Self::Delivered(_) | Self::Refused(_) => None,
        }
    }
}
