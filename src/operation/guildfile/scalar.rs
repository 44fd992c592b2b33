//! What a plain scalar of YAML is, by YAML 1.1 as Guild reads it.
//!
//! That is `PyYAML`'s reading, but for numbers such as `1e3`, which Guild takes for numbers.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Number;

use crate::operation::read::Data;

static INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?<bin>[-+]?0b[0-1_]+)|(?<oct>[-+]?0[0-7_]+)|(?<dec>[-+]?(?:0|[1-9][0-9_]*))|(?<hex>[-+]?0x[0-9a-fA-F_]+)|(?<base60>[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+))$",
    )
});
static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is part of the program and is tested")
}

/// Reads a scalar that has neither quotes nor a tag.
pub(super) fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Data::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Data::Bool(false),
        _ => {}
    }
    // Most are words, which need no look at the notations of numbers.
    let may_be_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let number = may_be_number.then(|| integer(text).or_else(|| float(text))).flatten();
    // What JSON has no number for, infinity and very long ones, stays as it was written.
    number.map_or_else(|| Data::Text(text.to_owned()), Data::Number)
}

/// Reads a whole number in any of its notations.
pub(super) fn integer(text: &str) -> Option<Number> {
    let found = INT.captures(text)?;
    let digits = text.replace('_', "");
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let size: u128 = if found.name("bin").is_some() {
        u128::from_str_radix(&digits[2..], 2).ok()?
    } else if found.name("hex").is_some() {
        u128::from_str_radix(&digits[2..], 16).ok()?
    } else if found.name("oct").is_some() {
        u128::from_str_radix(digits, 8).ok()?
    } else if found.name("base60").is_some() {
        digits.split(':').try_fold(0_u128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?
    } else {
        digits.parse().ok()?
    };
    let value = i128::try_from(size).ok()?;
    Number::from_i128(if is_negative { -value } else { value })
}

/// Reads a number with a fraction or an exponent.
pub(super) fn float(text: &str) -> Option<Number> {
    if !FLOAT.is_match(text) {
        return None;
    }
    let digits = text.replace('_', "");
    if !digits.contains(':') {
        return digits.parse().ok().and_then(Number::from_f64);
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let sum = digits.split(':').try_fold(0.0, |sum: f64, part| Some(sum.mul_add(60.0, part.parse::<f64>().ok()?)))?;
    Number::from_f64(sign * sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_as_guild_reads_them() {
        // Each was tried with Guild AI 0.9.0: `guild run --help-op` of flags with these defaults.
        let cases = [
            ("00500", "320"),
            ("08", "'08'"),
            ("010", "8"),
            ("0o17", "'0o17'"),
            ("1e3", "1000.0"),
            ("1.5e3", "1500.0"),
            ("1.e5", "100000.0"),
            ("-1E-3", "-0.001"),
            ("1_0", "10"),
            ("1:30", "90"),
            ("1:30.5", "90.5"),
            ("0x1f", "31"),
            ("0b11", "3"),
            (".5", "0.5"),
            ("-.5", "'-.5'"),
            ("+1", "1"),
            ("-0", "0"),
            ("1.", "1.0"),
            (".inf", "'.inf'"),
            ("2020-01-01", "'2020-01-01'"),
            ("y", "'y'"),
            ("n", "'n'"),
            ("Yes", "yes"),
            ("OFF", "no"),
            ("~", "null"),
            ("", "null"),
            ("=", "'='"),
            ("18446744073709551615", "18446744073709551615"),
            ("99999999999999999999999999999999999999999999", "'99999999999999999999999999999999999999999999'"),
            ("0x", "'0x'"),
            ("0_", "0"),
            ("1e999", "'1e999'"),
        ];
        for (text, expected) in cases {
            let found = match plain(text) {
                Data::Null => "null".to_owned(),
                Data::Bool(true) => "yes".to_owned(),
                Data::Bool(false) => "no".to_owned(),
                Data::Number(number) => number.to_string(),
                Data::Text(text) => format!("'{text}'"),
                other => format!("{other:?}"),
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
