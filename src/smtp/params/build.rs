//! How parameters are made: each with the limits of its RFC, so that none of them can become another one or a command.

use std::fmt::Write;
use std::time::SystemTime;

use super::{Demand, MailParameter, OWN, Parameter, RcptParameter};
use crate::smtp::envelope;
use crate::{Error, Result};

/// Nine digits are what RFC 2852 and RFC 4865 allow.
const NINE_DIGITS: u64 = 999_999_999;

/// How much of a message comes back with a report of failure, RFC 3461 4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

/// When a report about a recipient is wanted, RFC 3461 4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notify {
    /// The message was delivered.
    Success,
    /// It could not be.
    Failure,
    /// It takes longer.
    Delay,
}

/// What the octets of a message may be, RFC 6152 and RFC 3030.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// Lines of ASCII.
    SevenBit,
    /// Lines of any octets. It is what goes out if nothing is said and the server offers 8BITMIME.
    EightBitMime,
    /// Any octets, with no regard to lines: sent by BDAT as they are.
    BinaryMime,
}

/// What happens to a message that is late, RFC 2852.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliverBy {
    /// It goes back.
    Return,
    /// The sender is told, and it goes on.
    Notify,
}

impl MailParameter {
    /// RET (DSN, RFC 3461): how much comes back with a report of failure.
    pub fn ret(ret: Ret) -> Self {
        let value = match ret {
            Ret::Full => "FULL",
            Ret::Headers => "HDRS",
        };
        Self(Parameter::new("DSN", "RET", Some(value.to_owned())))
    }

    /// ENVID (DSN, RFC 3461): an identifier that reports repeat. It may be of any printable ASCII.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is empty, longer than 100 characters or holds others than those and blanks.
    pub fn envelope_id(id: &str) -> Result<Self> {
        if id.is_empty() || !id.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::invalid("envelope_id", "is empty or not of printable ASCII"));
        }
        let value = xtext(id);
        if value.len() > 100 {
            return Err(Error::invalid("envelope_id", "is longer than 100 characters"));
        }
        Ok(Self(Parameter::new("DSN", "ENVID", Some(value))))
    }

    /// BODY (8BITMIME, BINARYMIME): what the octets of the message may be.
    ///
    /// 7BIT asks for nothing, and is left out where the server does not offer 8BITMIME. BINARYMIME sends the message by
    /// BDAT, also if chunking was not switched on.
    pub fn body(body: BodyType) -> Self {
        let (extension, value) = match body {
            BodyType::SevenBit => ("8BITMIME", "7BIT"),
            BodyType::EightBitMime => ("8BITMIME", "8BITMIME"),
            BodyType::BinaryMime => ("BINARYMIME", "BINARYMIME"),
        };
        let demand = if body == BodyType::BinaryMime { Demand::Chunks } else { Demand::Nothing };
        let parameter = Parameter::new(extension, "BODY", Some(value.to_owned())).demanding(demand);
        Self(Parameter { optional: body == BodyType::SevenBit, ..parameter })
    }

    /// SMTPUTF8 (RFC 6531): the message's header holds text outside ASCII. Addresses outside ASCII bring it by
    /// themselves.
    pub fn smtputf8() -> Self {
        Self(Parameter::new("SMTPUTF8", "SMTPUTF8", None))
    }

    /// REQUIRETLS (RFC 8689): the message goes on over TLS that is checked, or not at all. Only over TLS.
    pub fn require_tls() -> Self {
        Self(Parameter::new("REQUIRETLS", "REQUIRETLS", None).demanding(Demand::Tls))
    }

    /// BY (DELIVERBY, RFC 2852): within how many seconds it must be delivered; `trace` reports every relay.
    ///
    /// Less than what the server told as its least is an error before MAIL.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for more than nine digits, and for zero or less with [`DeliverBy::Return`].
    pub fn deliver_by(seconds: i64, late: DeliverBy, trace: bool) -> Result<Self> {
        let too_early = late == DeliverBy::Return && seconds <= 0;
        if too_early || seconds.unsigned_abs() > NINE_DIGITS {
            return Err(Error::invalid("deliver_by", "is out of range: 1 to 999999999 seconds, for Notify also less"));
        }
        let (mode, demand) = match late {
            DeliverBy::Return => ("R", Demand::AtLeast(0, seconds.unsigned_abs())),
            DeliverBy::Notify => ("N", Demand::Nothing),
        };
        let value = format!("{seconds};{mode}{}", if trace { "T" } else { "" });
        Ok(Self(Parameter::new("DELIVERBY", "BY", Some(value)).demanding(demand)))
    }

    /// MT-PRIORITY (RFC 6710): from -9, which can wait, to 9.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] beyond that.
    pub fn priority(priority: i8) -> Result<Self> {
        if !(-9..=9).contains(&priority) {
            return Err(Error::invalid("priority", "is not within -9 to 9"));
        }
        Ok(Self(Parameter::new("MT-PRIORITY", "MT-PRIORITY", Some(priority.to_string()))))
    }

    /// HOLDFOR (FUTURERELEASE, RFC 4865): the server keeps the message for so many seconds. More than it told as its
    /// most is an error before MAIL.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for zero and for more than nine digits.
    pub fn hold_for(seconds: u64) -> Result<Self> {
        if seconds == 0 || seconds > NINE_DIGITS {
            return Err(Error::invalid("hold_for", "is not within 1 to 999999999 seconds"));
        }
        let parameter = Parameter::new("FUTURERELEASE", "HOLDFOR", Some(seconds.to_string()));
        Ok(Self(parameter.demanding(Demand::AtMost(0, seconds))))
    }

    /// HOLDUNTIL (FUTURERELEASE, RFC 4865): the server keeps the message until then, to the second.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before 1970 and after 9999.
    pub fn hold_until(time: SystemTime) -> Result<Self> {
        let invalid = || Error::invalid("hold_until", "is not within the years 1970 to 9999");
        let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| invalid())?;
        let value = rfc3339(since.as_secs()).ok_or_else(invalid)?;
        Ok(Self(Parameter::new("FUTURERELEASE", "HOLDUNTIL", Some(value))))
    }

    /// AUTH (RFC 4954 5): who submitted the message first; none is `<>`, "not known".
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no address.
    pub fn auth(mailbox: Option<&str>) -> Result<Self> {
        let value = match mailbox {
            None => "<>".to_owned(),
            Some(mailbox) if mailbox.is_ascii() && !mailbox.is_empty() => xtext(&envelope::sender(mailbox)?),
            Some(_) => return Err(Error::invalid("auth", "is not an address in ASCII")),
        };
        Ok(Self(Parameter::new("AUTH", "AUTH", Some(value))))
    }

    /// Any other parameter: the keyword that EHLO must tell, the keyword of the parameter, and its value.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no keyword or value (RFC 5321 4.1.2; `<` and `>` are refused, too), and for
    /// those that this client sends by itself or by a constructor of their own: SIZE, BODY, SMTPUTF8, AUTH, BY.
    pub fn other(extension: &str, keyword: &str, value: Option<&str>) -> Result<Self> {
        other(extension, keyword, value).map(Self)
    }

    /// Leaves it out where the server does not offer it, or not so much of it, instead of failing.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.0.optional = true;
        self
    }
}

impl RcptParameter {
    /// NOTIFY (DSN, RFC 3461): when a report is wanted; none at all if there is nothing in the list.
    pub fn notify(when: impl IntoIterator<Item = Notify>) -> Self {
        let mut words: Vec<&str> = Vec::new();
        for notify in when {
            let word = match notify {
                Notify::Success => "SUCCESS",
                Notify::Failure => "FAILURE",
                Notify::Delay => "DELAY",
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let value = if words.is_empty() { "NEVER".to_owned() } else { words.join(",") };
        Self(Parameter::new("DSN", "NOTIFY", Some(value)))
    }

    /// ORCPT (DSN, RFC 3461): the address that the message was sent to at first, which reports repeat.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no address, and for more than 500 characters.
    pub fn original_recipient(address: &str) -> Result<Self> {
        let address = envelope::recipient(address)?;
        let value = if address.is_ascii() {
            format!("rfc822;{}", xtext(&address))
        } else {
            format!("utf-8;{}", utf8_xtext(&address))
        };
        if value.len() > 500 {
            return Err(Error::invalid("original_recipient", "is longer than 500 characters"));
        }
        Ok(Self(Parameter::new("DSN", "ORCPT", Some(value))))
    }

    /// Any other parameter, as [`MailParameter::other`].
    ///
    /// # Errors
    /// As there.
    pub fn other(extension: &str, keyword: &str, value: Option<&str>) -> Result<Self> {
        other(extension, keyword, value).map(Self)
    }

    /// Leaves it out where the server does not offer it, instead of failing.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.0.optional = true;
        self
    }
}

fn other(extension: &str, keyword: &str, value: Option<&str>) -> Result<Parameter> {
    let is_keyword = |text: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        text.bytes().all(good) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
    };
    let keyword = keyword.to_ascii_uppercase();
    if !is_keyword(extension) || !is_keyword(&keyword) {
        return Err(Error::invalid("parameter", "a keyword is not of letters, digits and hyphens"));
    }
    if OWN.contains(&&*keyword) {
        return Err(Error::invalid("parameter", format!("{keyword} has a constructor of its own, or goes by itself")));
    }
    let good = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b'<' | b'>');
    if value.is_some_and(|value| value.is_empty() || !value.bytes().all(good)) {
        return Err(Error::invalid("parameter", format!("the value of {keyword} is empty or holds what no value may")));
    }
    Ok(Parameter::new(&extension.to_ascii_uppercase(), &keyword, value.map(str::to_owned)))
}

/// RFC 3461 4: what is not plain goes as `+` and two hexadecimal digits.
fn xtext(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "+{byte:02X}")),
        }
        out
    })
}

/// RFC 6533 3, utf-8-addr-xtext: good in every session, with SMTPUTF8 or not.
fn utf8_xtext(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '!'..='~' if !matches!(c, '+' | '=' | '\\') => out.push(c),
            _ => drop(write!(out, "\\x{{{:02X}}}", u32::from(c))),
        }
        out
    })
}

/// `2026-11-21T14:00:00Z`, from seconds since 1970; none after the year 9999.
fn rfc3339(seconds: u64) -> Option<String> {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years from March on, so that a leap day is their last: 400 of them are 146 097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year + 400 * era, month + 3) } else { (year + 400 * era + 1, month - 9) };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    (year <= 9_999).then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_xtext() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_794_225_600, "2026-11-09T12:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(expected));
        }
        assert_eq!(rfc3339(253_402_300_800), None);
        assert_eq!(xtext("a+b=c d\"e\u{7f}"), "a+2Bb+3Dc+20d\"e+7F");
        assert_eq!(utf8_xtext("b\u{f6}b+\\@x"), "b\\x{F6}b\\x{2B}\\x{5C}@x");
    }
}
