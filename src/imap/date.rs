//! Dates with a time and a zone, as INTERNALDATE has them (RFC 9051, 9: `date-time`).

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::codec::number;
use crate::{Error, Result};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date with a time and a zone, as `INTERNALDATE` has it: `17-Jul-1996 02:44:25 -0700`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use mailconnect::imap::DateTime;
///
/// let date: DateTime = "17-Jul-1996 02:44:25 -0700".parse()?;
/// assert_eq!((date.year(), date.month(), date.day()), (1996, 7, 17));
/// assert_eq!(date.to_system_time(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(837_596_665)));
/// assert_eq!(DateTime::try_from(SystemTime::UNIX_EPOCH)?.to_string(), " 1-Jan-1970 00:00:00 +0000");
/// # Ok::<(), mailconnect::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// In minutes.
    offset: i16,
}

impl DateTime {
    /// Its year, of four digits.
    pub fn year(&self) -> u16 {
        self.year
    }

    /// Its month, from 1.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// Its day of the month, from 1.
    pub fn day(&self) -> u8 {
        self.day
    }

    /// Its hour, 0 to 23.
    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// Its minute, 0 to 59.
    pub fn minute(&self) -> u8 {
        self.minute
    }

    /// Its second; 60 is a leap second.
    pub fn second(&self) -> u8 {
        self.second
    }

    /// How many minutes its zone is ahead of UTC: -420 for `-0700`.
    pub fn offset(&self) -> i16 {
        self.offset
    }

    /// Seconds since the start of 1970 in UTC.
    pub fn timestamp(&self) -> i64 {
        let days = days(self.year.into(), self.month.into(), self.day.into());
        let minutes = (days * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute) - i64::from(self.offset);
        minutes * 60 + i64::from(self.second)
    }

    /// The same moment as the system tells it; none if it cannot.
    pub fn to_system_time(&self) -> Option<SystemTime> {
        let timestamp = self.timestamp();
        let distance = Duration::from_secs(timestamp.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        if timestamp < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) }
    }

    /// Reads `17-Jul-1996 02:44:25 -0700`. Some servers give a day of one digit no blank, or name the zone.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut words = text.trim_ascii().split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
        let (mut date, mut time) = (date.split(|&byte| byte == b'-'), time.split(|&byte| byte == b':'));
        let mut next_time = || small(time.next()?, 2);
        let (hour, minute, second) = (next_time()?, next_time()?, next_time()?);
        let day = small(date.next()?, 2)?;
        let month = date.next()?;
        let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name.as_bytes()))?;
        let year = date.next().filter(|year| year.len() == 4).and_then(number)?;
        let (year, month) = (u16::try_from(year).ok()?, u8::try_from(month + 1).ok()?);
        let fits = date.next().is_none() && time.next().is_none() && hour < 24 && minute < 60 && second <= 60;
        let exists = day > 0 && day <= days_of(year, month);
        (fits && exists).then_some(Self { year, month, day, hour, minute, second, offset: offset(zone)? })
    }
}

/// A number of at most so many digits.
fn small(digits: &[u8], most: usize) -> Option<u8> {
    number(digits).filter(|_| digits.len() <= most).and_then(|number| number.try_into().ok())
}

/// The minutes of `-0700`.
fn offset(zone: &[u8]) -> Option<i16> {
    if [&b"UT"[..], b"UTC", b"GMT", b"Z"].iter().any(|name| zone.eq_ignore_ascii_case(name)) {
        return Some(0);
    }
    let (sign, digits) = zone.split_first()?;
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    let (hours, minutes) = (small(hours, 2)?, small(minutes, 2).filter(|&minutes| minutes < 60)?);
    let ahead = i16::from(hours) * 60 + i16::from(minutes);
    match sign {
        b'+' => Some(ahead),
        b'-' => Some(-ahead),
        _ => None,
    }
}

fn days_of(year: u16, month: u8) -> u8 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years start in March here, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

impl FromStr for DateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("date", "wants a date as in 17-Jul-1996 02:44:25 -0700");
        Self::parse(text.as_bytes()).ok_or_else(wrong)
    }
}

impl TryFrom<SystemTime> for DateTime {
    type Error = Error;

    /// In UTC, and without fractions of a second. Times before 1970 or after 9999 are refused.
    fn try_from(time: SystemTime) -> Result<Self> {
        let wrong = || Error::invalid("date", "is before 1970 or after 9999");
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| wrong())?.as_secs();
        let mut day = i64::try_from(seconds / 86_400).map_err(|_| wrong())?;
        // At most one too late: no year has fewer days.
        let mut year = u16::try_from(1970 + day / 365).ok().filter(|&year| year < 10_100).ok_or_else(wrong)?;
        while days(year.into(), 1, 1) > day {
            year -= 1;
        }
        day -= days(year.into(), 1, 1);
        let mut month = 1;
        while day >= days_of(year, month).into() {
            day -= i64::from(days_of(year, month));
            month += 1;
        }
        let part = |divisor: u64, modulus: u64| u8::try_from(seconds / divisor % modulus).unwrap_or_default();
        let (hour, minute, second) = (part(3600, 24), part(60, 60), part(1, 60));
        let day = u8::try_from(day + 1).unwrap_or_default();
        if year > 9999 { Err(wrong()) } else { Ok(Self { year, month, day, hour, minute, second, offset: 0 }) }
    }
}

/// As IMAP has it, without quotes: ` 1-Jan-1970 00:00:00 +0000`.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = MONTHS.get(usize::from(self.month) - 1).copied().unwrap_or_default();
        let (sign, offset) = (if self.offset < 0 { '-' } else { '+' }, self.offset.unsigned_abs());
        write!(f, "{:2}-{month}-{:04} ", self.day, self.year)?;
        write!(f, "{:02}:{:02}:{:02} ", self.hour, self.minute, self.second)?;
        write!(f, "{sign}{:02}{:02}", offset / 60, offset % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Option<i64> {
        DateTime::parse(text.as_bytes()).map(|date| date.timestamp())
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, seconds) in [
            (" 1-Jan-1970 00:00:00 +0000", 0),
            ("01-Jan-1970 01:30:00 +0130", 0),
            ("31-Dec-1969 16:00:00 -0800", 0),
            ("31-Dec-1969 23:59:59 +0000", -1),
            ("28-Feb-2000 23:59:59 +0000", 951_782_399),
            ("29-Feb-2000 00:00:00 +0000", 951_782_400),
            ("31-Dec-2023 23:59:59 +0000", 1_704_067_199),
            ("31-Dec-9999 23:59:59 +0000", 253_402_300_799),
            ("01-Jan-0000 00:00:00 +0000", -62_167_219_200),
            ("30-Jun-2015 23:59:60 +0000", 1_435_708_800),
        ] {
            assert_eq!(timestamp(text), Some(seconds), "{text}");
            let date: DateTime = text.parse().unwrap();
            assert_eq!(date.to_string().parse::<DateTime>().unwrap(), date);
            let time = date.to_system_time().unwrap();
            if seconds >= 0 {
                assert_eq!(DateTime::try_from(time).unwrap().timestamp(), seconds, "{text}");
            }
        }
        let date = DateTime::parse(b"17-Jul-1996 02:44:25 -0730").unwrap();
        assert_eq!((date.hour(), date.minute(), date.second(), date.offset()), (2, 44, 25, -450));
        assert_eq!(date.to_string(), "17-Jul-1996 02:44:25 -0730");
    }

    #[test]
    fn every_day_goes_there_and_back() {
        for day in 0..150_000 {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400 + 86_399);
            let date = DateTime::try_from(time).unwrap();
            assert_eq!(date.to_system_time(), Some(time), "{date}");
            assert_eq!((date.hour(), date.minute(), date.second()), (23, 59, 59));
        }
        let epoch = SystemTime::UNIX_EPOCH;
        for (time, fine) in [
            (epoch + Duration::from_secs(253_402_300_799), true),
            (epoch + Duration::from_secs(253_402_300_800), false),
            (epoch - Duration::from_secs(1), false),
        ] {
            assert_eq!(DateTime::try_from(time).is_ok(), fine);
        }
    }

    /// What servers send instead of what they should.
    #[test]
    fn odd_dates() {
        for (text, same) in [
            ("1-jan-1970 00:00:00 +0000", Some(0)),
            ("  1-JAN-1970  00:00:00  +0000 ", Some(0)),
            ("01-Jan-1970 0:0:0 GMT", Some(0)),
            ("01-Jan-1970 00:00:00 +0000 (UTC)", Some(0)),
            ("", None),
            ("01-Jan-1970", None),
            ("01-Jan-1970 00:00:00", None),
            ("01-Jan-70 00:00:00 +0000", None),
            ("00-Jan-1970 00:00:00 +0000", None),
            ("30-Feb-2000 00:00:00 +0000", None),
            ("29-Feb-1900 00:00:00 +0000", None),
            ("01-Foo-1970 00:00:00 +0000", None),
            ("01-Jan-1970 24:00:00 +0000", None),
            ("01-Jan-1970 00:60:00 +0000", None),
            ("01-Jan-1970 00:00:61 +0000", None),
            ("01-Jan-1970 00:00:00 0000", None),
            ("01-Jan-1970 00:00:00 +000", None),
            ("01-Jan-1970 00:00:00 +0060", None),
            ("01-Jan-1970 00:00:00 EST", None),
            ("01-Jan-1970-2 00:00:00 +0000", None),
            ("01-Jan-1970 00:00:00:00 +0000", None),
            ("001-Jan-1970 00:00:00 +0000", None),
            ("-1-Jan-1970 00:00:00 +0000", None),
            ("99999999999999999999-Jan-1970 00:00:00 +0000", None),
            ("Thu, 1 Jan 1970 00:00:00 +0000", None),
            ("\u{fc}\u{fc}\u{fc} \u{fc} \u{fc}", None),
        ] {
            assert_eq!(timestamp(text), same, "{text}");
        }
    }
}
