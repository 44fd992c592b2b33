//! Words of YAML 1.1: what `1e3`, `yes` or `0x1f` is when it stands bare.
//!
//! That is the reading of `PyYAML`, which Guild patches so that `1e3` is a number.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value};

use super::scalar::{any_float, any_int, sign, whole};

/// What a bare word is to YAML.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number that JSON can hold.
    Number(Number),
    /// The same, written to the base of 60: `1:30` is 90.
    Time(Number),
    /// A number that JSON has no word for, in its form: infinity, what is no number, more than 64 bits.
    Beyond(Value),
    /// A date, or a mark of YAML's own: no text to other readers.
    Other,
    /// Text.
    Text,
}

static INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[-+]?(?:0b(?<bin>[0-1_]+)|(?<oct>0[0-7_]+)|(?<dec>0|[1-9][0-9_]*)|0x(?<hex>[0-9a-fA-F_]+)|(?<base60>[1-9][0-9_]*(?::[0-5]?[0-9])+))$",
    )
});
static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+][0-9]+)?|(?<base60>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    )
});
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[0-9]{4}-(?:[0-9]{2}-[0-9]{2}|[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:.*)$")
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is part of the program and is tested")
}

/// Returns what a word is that stands bare in YAML 1.1, with Guild's patch.
pub(super) fn yaml_word(word: &str) -> Word {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => Word::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Word::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Word::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Word::Beyond(any_float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Word::Beyond(any_float(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => Word::Beyond(any_float(f64::NAN)),
        "<<" | "=" => Word::Other,
        _ if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => Word::Text,
        _ if DATE.is_match(word) => Word::Other,
        _ => integer(word).or_else(|| float(word)).unwrap_or(Word::Text),
    }
}

/// Reads a whole number in any of its notations.
fn integer(word: &str) -> Option<Word> {
    let found = INT.captures(word)?;
    let digits = |name: &str| found.name(name).map(|digits| digits.as_str().replace('_', ""));
    let radixes = [("bin", 2), ("oct", 8), ("dec", 10), ("hex", 16)];
    let plain = radixes.iter().find_map(|(name, radix)| Some((digits(name)?, *radix)));
    let size = match &plain {
        Some((digits, radix)) => i128::from_str_radix(digits, *radix).ok(),
        None => digits("base60")?
            .split(':')
            .try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?)),
    };
    let number = size.and_then(|size| whole(if sign(word).0 { -size } else { size }));
    let beyond = || match &plain {
        Some((digits, 10)) => any_int(&if sign(word).0 { format!("-{digits}") } else { digits.clone() }),
        Some(_) => any_int(&size.map(|size| if sign(word).0 { -size } else { size })?.to_string()),
        None => None,
    };
    match number {
        Some(number) => Some(if plain.is_some() { Word::Number(number) } else { Word::Time(number) }),
        None => Some(beyond().map_or(Word::Other, Word::Beyond)),
    }
}

/// Reads a number with a fraction or an exponent.
fn float(word: &str) -> Option<Word> {
    let found = FLOAT.captures(word)?;
    let digits = word.replace('_', "");
    if found.name("base60").is_none() {
        return Some(match digits.parse::<f64>() {
            Ok(number) => Number::from_f64(number).map_or_else(|| Word::Beyond(any_float(number)), Word::Number),
            Err(_) => Word::Other,
        });
    }
    let (is_negative, digits) = sign(&digits);
    let size = digits.split(':').try_fold(0.0, |sum: f64, part| Some(sum.mul_add(60.0, part.parse::<f64>().ok()?)));
    let number = size.and_then(|size| Number::from_f64(if is_negative { -size } else { size }));
    Some(number.map_or(Word::Other, Word::Time))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bare_words_are_what_pyyaml_with_guilds_patch_makes_of_them() {
        let number = |value: Value| Word::Number(value.as_number().cloned().unwrap());
        let cases = [
            ("", Word::Null),
            ("~", Word::Null),
            ("null", Word::Null),
            ("nULL", Word::Text),
            ("yes", Word::Bool(true)),
            ("YES", Word::Bool(true)),
            ("yEs", Word::Text),
            ("Off", Word::Bool(false)),
            ("y", Word::Text),
            ("N", Word::Text),
            ("1", number(json!(1))),
            ("-17", number(json!(-17))),
            ("017", number(json!(15))),
            ("08", Word::Text),
            ("0x1f", number(json!(31))),
            ("-0x1F", number(json!(-31))),
            ("0X1F", Word::Text),
            ("0b101", number(json!(5))),
            ("0o17", Word::Text),
            ("1_000", number(json!(1000))),
            ("_1", Word::Text),
            ("0_", number(json!(0))),
            ("0x_", Word::Other),
            ("._", Word::Other),
            ("1:30", Word::Time(json!(90).as_number().cloned().unwrap())),
            ("1:99", Word::Text),
            ("-1:30.5", Word::Time(json!(-90.5).as_number().cloned().unwrap())),
            ("1e3", number(json!(1000.0))),
            ("1E5", number(json!(100_000.0))),
            ("1e", Word::Text),
            ("1.", number(json!(1.0))),
            (".5", number(json!(0.5))),
            ("-.5", Word::Text),
            (".5e3", Word::Text),
            (".5e+3", number(json!(500.0))),
            ("1.5e-3", number(json!(0.0015))),
            (".", Word::Text),
            ("-", Word::Text),
            ("...", Word::Text),
            (".inf", Word::Beyond(json!({"$float": "inf"}))),
            ("-.inf", Word::Beyond(json!({"$float": "-inf"}))),
            (".nan", Word::Beyond(json!({"$float": "nan"}))),
            ("nan", Word::Text),
            ("1e999", Word::Beyond(json!({"$float": "inf"}))),
            ("-1e999", Word::Beyond(json!({"$float": "-inf"}))),
            ("0xffffffffffffffffff", Word::Beyond(json!({"$integer": "4722366482869645213695"}))),
            ("-99999999999999999999", Word::Beyond(json!({"$integer": "-99999999999999999999"}))),
            ("18446744073709551615", number(json!(u64::MAX))),
            ("18446744073709551616", Word::Beyond(json!({"$integer": "18446744073709551616"}))),
            ("2024-01-31", Word::Other),
            ("2024-1-1", Word::Text),
            ("2024-1-1 10:00:00", Word::Other),
            ("1.2.3", Word::Text),
            ("=", Word::Other),
            ("<<", Word::Other),
            ("é", Word::Text),
        ];
        for (word, expected) in cases {
            assert_eq!(yaml_word(word), expected, "{word:?}");
        }
    }
}
