//! A moment of a certificate, for people and for programs. It knows no time zone but UTC.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first or last second of a certificate.
///
/// `Display` writes the day, `2026-11-16`, and with `#` the second too, `2026-11-16 23:59:59 UTC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

impl Date {
    pub(crate) const fn new(seconds_since_1970: i64) -> Self {
        Self(seconds_since_1970)
    }

    /// This moment by the clock of this machine.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// Seconds since 1970-01-01 00:00:00 UTC; negative before.
    pub const fn unix_seconds(self) -> i64 {
        self.0
    }

    /// The same for the standard library. What lies before 1970 becomes 1970: not every platform knows it.
    pub fn system_time(self) -> SystemTime {
        let since = Duration::from_secs(u64::try_from(self.0).unwrap_or(0));
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    /// Year, month and day of the Gregorian calendar. Years start in March here, so that the leap day comes last.
    fn civil(self) -> (i64, i64, i64) {
        let days = self.0.div_euclid(86_400) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if f.alternate() {
            let second = self.0.rem_euclid(86_400);
            write!(f, " {:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_825_600, "2000-02-29 12:00:00 UTC"),
            (951_912_000, "2000-03-01 12:00:00 UTC"),
            (1_794_873_599, "2026-11-16 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (-62_167_219_200, "0000-01-01 00:00:00 UTC"),
        ];
        for (seconds, text) in cases {
            assert_eq!(format!("{:#}", Date::new(seconds)), text);
            assert_eq!(Date::new(seconds).to_string(), text[..10]);
        }
        for extreme in [i64::MIN, i64::MAX] {
            let _ = (Date::new(extreme).to_string(), Date::new(extreme).system_time());
        }
    }

    #[test]
    fn a_date_is_a_system_time() {
        assert_eq!(Date::new(86_400).system_time(), UNIX_EPOCH + Duration::from_secs(86_400));
        assert_eq!(Date::new(-5).system_time(), UNIX_EPOCH);
        assert!(Date::now() > Date::new(1_700_000_000));
    }
}
