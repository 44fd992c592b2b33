//! Words of YAML 1.1 and of Python: what `1e3`, `yes` or `0x1f` is when it stands bare.
//!
//! Guild reads flags with Python's `int` and `float` and then with `PyYAML`, which it patches so that `1e3` is a number.

use serde_json::{Number, Value};

use crate::model::float_text;

/// What a bare word is to YAML.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number that JSON can hold.
    Number(Number),
    /// A number that JSON cannot hold, a time, a date, or a mark of YAML's own: no text to other readers.
    Other,
    /// Text.
    Text,
}

/// Returns what a word is that stands bare in YAML 1.1, with Guild's patch.
pub(super) fn yaml_word(word: &str) -> Word {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Word::Null,
        "<<" | "=" => return Word::Other,
        _ => {}
    }
    if let Some(value) = yaml_bool(word) {
        return Word::Bool(value);
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Word::Text;
    }
    yaml_int(word).or_else(|| yaml_float(word)).unwrap_or(if is_date(word) { Word::Other } else { Word::Text })
}

fn yaml_bool(word: &str) -> Option<bool> {
    let lower = word.to_ascii_lowercase();
    let capital = || {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    let value = match lower.as_str() {
        "yes" | "true" | "on" => true,
        "no" | "false" | "off" => false,
        _ => return None,
    };
    // `yEs` is text.
    (word == lower || word == lower.to_ascii_uppercase() || word == capital()).then_some(value)
}

fn yaml_int(word: &str) -> Option<Word> {
    let (negative, digits) = sign(word);
    let only = |digits: &str, radix: u32| {
        digits.chars().all(|c| c == '_' || c.is_digit(radix)) && digits.chars().any(|c| c.is_digit(radix))
    };
    let read = |digits: &str, radix: u32| {
        let digits: String = digits.chars().filter(|c| *c != '_').collect();
        let value = i128::from_str_radix(&digits, radix).ok()?;
        whole(if negative { -value } else { value })
    };
    let number = |found: Option<Number>| Some(found.map_or(Word::Other, Word::Number));
    if let Some(digits) = digits.strip_prefix("0b").filter(|digits| only(digits, 2)) {
        return number(read(digits, 2));
    }
    if let Some(digits) = digits.strip_prefix("0x").filter(|digits| only(digits, 16)) {
        return number(read(digits, 16));
    }
    if digits.len() > 1 && digits.starts_with('0') && only(digits, 8) {
        return number(read(digits, 8));
    }
    if digits == "0" {
        return number(whole(0));
    }
    if digits.starts_with(|c: char| matches!(c, '1'..='9')) {
        if only(digits, 10) {
            return number(read(digits, 10));
        }
        // A time: 1:30.
        let mut parts = digits.split(':');
        let first = parts.next().is_some_and(|part| only(part, 10));
        let rest: Vec<&str> = parts.collect();
        if first && !rest.is_empty() && rest.iter().all(|part| is_sixtieth(part)) {
            return Some(Word::Other);
        }
    }
    None
}

fn is_sixtieth(part: &str) -> bool {
    let mut digits = part.chars();
    match (digits.next(), digits.next(), digits.next()) {
        (Some(one), None, _) => one.is_ascii_digit(),
        (Some(ten), Some(one), None) => matches!(ten, '0'..='5') && one.is_ascii_digit(),
        _ => false,
    }
}

fn yaml_float(word: &str) -> Option<Word> {
    let (_, rest) = sign(word);
    if matches!(rest, ".inf" | ".Inf" | ".INF") || matches!(word, ".nan" | ".NaN" | ".NAN") {
        return Some(Word::Other);
    }
    let (mantissa, exponent) = rest.split_once(['e', 'E']).map_or((rest, None), |(m, e)| (m, Some(e)));
    let digits = |text: &str| text.chars().all(|c| c == '_' || c.is_ascii_digit());
    let is_exponent = |text: &str| {
        let (_, digits) = sign(text);
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    };
    if exponent.is_some_and(|text| !is_exponent(text)) {
        return None;
    }
    let matches = match mantissa.split_once('.') {
        // `.5`, without a sign; an exponent needs its own.
        Some(("", fraction)) => {
            let signed = exponent.is_none_or(|text| text.starts_with(['-', '+']));
            rest == word && !fraction.is_empty() && digits(fraction) && signed
        }
        Some((whole, fraction)) => {
            let time = || exponent.is_none() && whole.contains(':') && is_time(whole);
            digits(fraction) && ((whole.starts_with(|c: char| c.is_ascii_digit()) && digits(whole)) || time())
        }
        None => exponent.is_some() && mantissa.starts_with(|c: char| c.is_ascii_digit()) && digits(mantissa),
    };
    if !matches {
        return None;
    }
    let plain: String = word.chars().filter(|c| *c != '_').collect();
    Some(plain.parse().ok().and_then(Number::from_f64).map_or(Word::Other, Word::Number))
}

fn is_time(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.chars().all(|c| c == '_' || c.is_ascii_digit())
        && parts.all(is_sixtieth)
}

/// Returns whether YAML 1.1 takes a word for a date: `2024-01-31`, `2024-1-31 10:00:00`.
fn is_date(word: &str) -> bool {
    let date = word.split(['T', 't', ' ', '\t']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let [year, month, day] = parts[..] else { return false };
    let alone = date.len() == word.len();
    year.len() == 4
        && parts.iter().all(|part| digits(part))
        && if alone { month.len() == 2 && day.len() == 2 } else { (1..=2).contains(&month.len()) && word.contains(':') }
}

fn sign(word: &str) -> (bool, &str) {
    match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    }
}

fn whole(value: i128) -> Option<Number> {
    i64::try_from(value).map(Number::from).ok().or_else(|| u64::try_from(value).map(Number::from).ok())
}

/// Returns what Python's `int` makes of a text; `None` where it refuses, or where the number has more than 64 bits.
pub(super) fn python_int(text: &str) -> Option<Number> {
    let (negative, digits) = sign(python_trim(text));
    let digits = without_underscores(digits)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    whole(if negative { -value } else { value })
}

/// Returns whether a text is a whole number of any size.
pub(super) fn is_whole(text: &str) -> bool {
    let (_, digits) = sign(python_trim(text));
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns what Python's `float` makes of a text: also `nan` and `inf`, which JSON cannot hold.
pub(super) fn python_float(text: &str) -> Option<f64> {
    let text = python_trim(text);
    let (_, rest) = sign(text);
    let word = rest.to_ascii_lowercase();
    if !matches!(word.as_str(), "nan" | "inf" | "infinity")
        && !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    without_underscores(text)?.parse().ok()
}

/// Python allows an underscore between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let right =
        bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))));
    right.then(|| text.replace('_', ""))
}

fn python_trim(text: &str) -> &str {
    text.trim()
}

/// Returns a number as Python's `repr` writes it: `0.1`, `1000.0`, `1e-05`.
pub(super) fn number_text(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) => float_text(value),
        None => number.to_string(),
    }
}

/// Returns a value as an integer would be compared with a float: the number it stands for.
pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        _ => None,
    }
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
            ("1:30", Word::Other),
            ("1:99", Word::Text),
            ("1:30.5", Word::Other),
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
            (".inf", Word::Other),
            ("-.inf", Word::Other),
            (".nan", Word::Other),
            ("nan", Word::Text),
            ("1e999", Word::Other),
            ("18446744073709551615", number(json!(u64::MAX))),
            ("18446744073709551616", Word::Other),
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

    #[test]
    fn numbers_are_what_python_makes_of_them() {
        let ints = [
            ("00500", Some(500)),
            (" 5 ", Some(5)),
            ("+5", Some(5)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("1.", None),
            ("", None),
            ("-", None),
            ("0x10", None),
        ];
        for (text, expected) in ints {
            assert_eq!(python_int(text), expected.map(Number::from), "{text:?}");
        }
        let floats = [
            ("1e3", Some(1000.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1_0.5", Some(10.5)),
            ("e3", None),
            (".", None),
            ("0x1", None),
            ("1e", None),
            ("infinit", None),
        ];
        for (text, expected) in floats {
            assert_eq!(python_float(text), expected, "{text:?}");
        }
        assert!(python_float("NaN").unwrap().is_nan() && python_float("-inf").unwrap() < 0.0);
    }
}
