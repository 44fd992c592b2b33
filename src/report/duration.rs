//! Durations in words, for people.

use std::time::Duration;

/// Returns seconds as in `2.345 s`, `3 min 02 s`, `1 h 02 min 03 s`.
pub(super) fn words(seconds: f64) -> String {
    if seconds.is_nan() || seconds < 59.9995 {
        return format!("{:.3} s", seconds.max(0.0));
    }
    let whole = Duration::try_from_secs_f64(seconds.round()).map_or(u64::MAX, |duration| duration.as_secs());
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours == 0 {
        format!("{minutes} min {seconds:02} s")
    } else {
        format!("{hours} h {minutes:02} min {seconds:02} s")
    }
}

/// Returns a time that is still growing as a clock shows it: `7s`, `1:07`, `2:01:07`.
pub(super) fn clock(elapsed: Duration) -> String {
    let whole = elapsed.as_secs();
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases = [
            (0.0, "0.000 s"),
            (2.3451, "2.345 s"),
            (59.9994, "59.999 s"),
            (59.9999, "1 min 00 s"),
            (182.4, "3 min 02 s"),
            (3723.0, "1 h 02 min 03 s"),
            (-1.0, "0.000 s"),
            (f64::NAN, "0.000 s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(words(seconds), text, "{seconds}");
        }
        for (seconds, text) in [(7, "7s"), (67, "1:07"), (7267, "2:01:07")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
