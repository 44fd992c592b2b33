//! Ranges of time as users say them: `today`, `last 3 days`, `between 9:00 and 10:00`, `2026-01-31`.

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

/// From a moment to another that does not belong to it, in microseconds since 1970. An end that is open is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeRange {
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
}

impl TimeRange {
    /// Returns whether the moment is in it.
    pub(crate) fn contains(self, micros: i64) -> bool {
        self.from.is_none_or(|from| from <= micros) && self.to.is_none_or(|to| micros < to)
    }

    /// Returns the range that `text` says at the time `now`, in the time zone of `now`.
    pub(crate) fn parse<Tz: TimeZone>(text: &str, now: &DateTime<Tz>) -> Result<TimeRange, NoTime> {
        parse(text, now)
    }
}

/// A part of the calendar or of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// What can be said, for the message about what cannot.
const FORMS: &str = "say a time (2026-01-31, 1-31, 9:00, 2026-01-31 9:00), after|before TIME, between TIME and TIME, last N \
                     minutes|hours|days|weeks|months|years, today, yesterday, this|last week|month|year, or N days ago";

/// A text that says no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no time; {FORMS}")]
pub(crate) struct NoTime(String);

/// Returns the range that `text` says at the time `now`.
pub(super) fn parse<Tz: TimeZone>(text: &str, now: &DateTime<Tz>) -> Result<TimeRange, NoTime> {
    let lower = text.trim().to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let local = now.naive_local();
    let range = |from: Option<NaiveDateTime>, to: Option<NaiveDateTime>| TimeRange {
        from: from.map(|from| micros(from, &now.timezone())),
        to: to.map(|to| micros(to, &now.timezone())),
    };
    let of_unit = |unit: Unit, at: NaiveDateTime| range(Some(unit.start(at)), unit.start(at).checked_add_unit(unit, 1));
    let found = match words[..] {
        ["today"] => Some(of_unit(Unit::Day, local)),
        ["yesterday"] => local.checked_sub_unit(Unit::Day, 1).map(|at| of_unit(Unit::Day, at)),
        ["this", unit] => Unit::named(unit).map(|unit| of_unit(unit, local)),
        ["last", unit] => Unit::named(unit).and_then(|unit| {
            let from = local.checked_sub_unit(unit, 1)?;
            match unit {
                Unit::Minute | Unit::Hour => Some(range(Some(from), None)),
                _ => Some(of_unit(unit, from)),
            }
        }),
        ["last", number, unit] => count(number)
            .zip(Unit::named(unit))
            .and_then(|(count, unit)| local.checked_sub_unit(unit, count).map(|from| range(Some(from), None))),
        [number, unit, "ago"] => count(number)
            .zip(Unit::named(unit))
            .and_then(|(count, unit)| local.checked_sub_unit(unit, count).map(|at| of_unit(unit, at))),
        ["after", ref rest @ ..] => moment(&rest.join(" "), local).map(|(at, _)| range(Some(at), None)),
        ["before", ref rest @ ..] => moment(&rest.join(" "), local).map(|(at, _)| range(None, Some(at))),
        ["between", ref rest @ ..] => rest.iter().position(|word| *word == "and").and_then(|and| {
            let one = moment(&rest[..and].join(" "), local)?.0;
            let other = moment(&rest[and + 1..].join(" "), local)?.0;
            Some(range(Some(one.min(other)), Some(one.max(other))))
        }),
        _ => moment(&words.join(" "), local).map(|(at, unit)| range(Some(at), at.checked_add_unit(unit, 1))),
    };
    let zoned = || DateTime::parse_from_rfc3339(text.trim()).ok().map(|at| at.timestamp_micros());
    found
        .or_else(|| zoned().map(|at| TimeRange { from: Some(at), to: Some(at + 1_000_000) }))
        .ok_or_else(|| NoTime(text.to_owned()))
}

/// Returns a moment, and how exactly it was said.
fn moment(text: &str, now: NaiveDateTime) -> Option<(NaiveDateTime, Unit)> {
    let words: Vec<&str> = text.split([' ', 't']).filter(|word| !word.is_empty()).collect();
    match words[..] {
        ["now"] => Some((now, Unit::Minute)),
        ["today"] => Some((Unit::Day.start(now), Unit::Day)),
        ["yesterday"] => Some((Unit::Day.start(now).checked_sub_unit(Unit::Day, 1)?, Unit::Day)),
        [date, time] => Some((self::date(date, now)?.and_time(clock(time)?), Unit::Minute)),
        [one] => match date(one, now) {
            Some(date) => Some((date.and_time(NaiveTime::MIN), Unit::Day)),
            None => Some((now.date().and_time(clock(one)?), Unit::Minute)),
        },
        [number, unit, "ago"] => {
            let unit = Unit::named(unit)?;
            Some((now.checked_sub_unit(unit, count(number)?)?, unit))
        }
        _ => None,
    }
}

/// Returns the date that `[[YY]YY-]MM-DD` is.
fn date(text: &str, now: NaiveDateTime) -> Option<NaiveDate> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.iter().all(is_number) {
        return None;
    }
    let (year, month, day) = match parts[..] {
        [month, day] => (now.year(), month, day),
        [year, month, day] => {
            let number: i32 = year.parse().ok()?;
            (if year.len() <= 2 { 2000 + number } else { number }, month, day)
        }
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)
}

/// Returns the time of day that `HH:MM[:SS]` is.
fn clock(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S")).ok()
}

fn count(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Returns the microseconds since 1970 of a local time. One that the clock skips or has twice is the earlier.
fn micros<Tz: TimeZone>(local: NaiveDateTime, zone: &Tz) -> i64 {
    let known = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest().map(|time| time.timestamp_micros());
    let skipped = || known(local + Duration::hours(1));
    known(local).or_else(skipped).unwrap_or_else(|| local.and_utc().timestamp_micros())
}

impl Unit {
    fn named(word: &str) -> Option<Unit> {
        Some(match word.strip_suffix('s').unwrap_or(word) {
            "minute" | "min" => Unit::Minute,
            "hour" | "hr" => Unit::Hour,
            "day" => Unit::Day,
            "week" => Unit::Week,
            "month" => Unit::Month,
            "year" => Unit::Year,
            _ => return None,
        })
    }

    /// Returns when the one that holds `at` begins. Weeks begin on Monday.
    fn start(self, at: NaiveDateTime) -> NaiveDateTime {
        let date = at.date();
        let midnight = |date: Option<NaiveDate>| date.map_or(at, |date| date.and_time(NaiveTime::MIN));
        match self {
            Unit::Minute | Unit::Hour => {
                use chrono::Timelike;
                let minute = if self == Unit::Hour { Some(0) } else { Some(at.minute()) };
                minute.and_then(|minute| date.and_hms_opt(at.hour(), minute, 0)).unwrap_or(at)
            }
            Unit::Day => midnight(Some(date)),
            Unit::Week => {
                let since = Days::new(u64::from(date.weekday().num_days_from_monday()));
                midnight(date.checked_sub_days(since))
            }
            Unit::Month => midnight(date.with_day(1)),
            Unit::Year => midnight(NaiveDate::from_ymd_opt(date.year(), 1, 1)),
        }
    }
}

/// Steps by units; `None` beyond the calendar.
trait Steps: Sized {
    fn checked_add_unit(self, unit: Unit, count: u32) -> Option<Self>;
    fn checked_sub_unit(self, unit: Unit, count: u32) -> Option<Self>;
}

/// Returns the unit as a fixed time, or as months.
fn step(unit: Unit, count: u32) -> Result<Duration, Months> {
    let many = i64::from(count);
    match unit {
        Unit::Minute => Ok(Duration::minutes(many)),
        Unit::Hour => Ok(Duration::hours(many)),
        Unit::Day => Ok(Duration::days(many)),
        Unit::Week => Ok(Duration::weeks(many)),
        Unit::Month => Err(Months::new(count)),
        Unit::Year => Err(Months::new(count.saturating_mul(12))),
    }
}

impl Steps for NaiveDateTime {
    fn checked_add_unit(self, unit: Unit, count: u32) -> Option<Self> {
        match step(unit, count) {
            Ok(duration) => self.checked_add_signed(duration),
            Err(months) => self.checked_add_months(months),
        }
    }

    fn checked_sub_unit(self, unit: Unit, count: u32) -> Option<Self> {
        match step(unit, count) {
            Ok(duration) => self.checked_sub_signed(duration),
            Err(months) => self.checked_sub_months(months),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn at(text: &str) -> Option<i64> {
        let form = "%Y-%m-%d %H:%M";
        (!text.is_empty()).then(|| NaiveDateTime::parse_from_str(text, form).unwrap().and_utc().timestamp_micros())
    }

    #[test]
    fn ranges_are_as_they_are_said() {
        // A Saturday.
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 15, 30, 20).unwrap();
        let cases = [
            ("today", "2026-11-21 00:00", "2026-11-22 00:00"),
            ("Yesterday", "2026-11-20 00:00", "2026-11-21 00:00"),
            ("this week", "2026-11-16 00:00", "2026-11-23 00:00"),
            ("last week", "2026-11-09 00:00", "2026-11-16 00:00"),
            ("last month", "2026-10-01 00:00", "2026-11-01 00:00"),
            ("this year", "2026-01-01 00:00", "2027-01-01 00:00"),
            ("3 weeks ago", "2026-10-26 00:00", "2026-11-02 00:00"),
            ("2 days ago", "2026-11-19 00:00", "2026-11-20 00:00"),
            ("after 7-1", "2026-07-01 00:00", ""),
            ("before 9:00", "", "2026-11-21 09:00"),
            ("between 4-30 and 1-1", "2026-01-01 00:00", "2026-04-30 00:00"),
            ("between 10:00 and 15:00", "2026-11-21 10:00", "2026-11-21 15:00"),
            ("after 25-12-24 18:00", "2025-12-24 18:00", ""),
            ("2026-01-31", "2026-01-31 00:00", "2026-02-01 00:00"),
            ("2026-01-31T09:05", "2026-01-31 09:05", "2026-01-31 09:06"),
        ];
        for (text, from, to) in cases {
            assert_eq!(parse(text, &now), Ok(TimeRange { from: at(from), to: at(to) }), "{text}");
        }
        let ago = |text: &str| (now.timestamp_micros() - parse(text, &now).unwrap().from.unwrap()) / 60_000_000;
        assert_eq!([ago("last 30 min"), ago("last hour"), ago("last 6 hrs")], [30, 60, 360]);
    }

    #[test]
    fn what_is_no_time_is_told_what_is() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 15, 30, 20).unwrap();
        for text in ["", "soon", "13-40", "last", "last x days", "25:00", "between 1-1", "99999999 years ago", "-1-1"] {
            let problem = parse(text, &now).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("'{text}' is no time; say a time")), "{problem}");
        }
    }
}
