//! What a bare word of YAML is: `010` is eight in YAML 1.1 and ten in YAML 1.2.

use std::sync::LazyLock;

use regex::Regex;

use super::{Value, YamlSchema};

/// Whole numbers of YAML 1.2.
static CORE_INT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:(?<dec>[-+]?[0-9]+)|0o(?<oct>[0-7]+)|0x(?<hex>[0-9a-fA-F]+))$"));
/// Numbers of YAML 1.2 with a fraction or an exponent.
static CORE_FLOAT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"));
/// Whole numbers of YAML 1.1, as its readers in Python have them.
static OLD_INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?<sign>[-+]?)(?:0b(?<bin>[01_]+)|0(?<oct>[0-7_]+)|0x(?<hex>[0-9a-fA-F_]+)|(?<dec>0|[1-9][0-9_]*)|(?<base60>[1-9][0-9_]*(?::[0-5]?[0-9])+))$",
    )
});
/// Numbers of YAML 1.1 with a fraction, the only ones that may have an exponent.
static OLD_FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+][0-9]+)?|(?<base60>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*))$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is part of the program and is tested")
}

/// Returns the value of a word that has neither quotes nor a tag.
pub(crate) fn resolve(word: &str, schema: YamlSchema) -> Value {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" if schema == YamlSchema::Old => return Value::Bool(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" if schema == YamlSchema::Old => return Value::Bool(false),
        _ => {}
    }
    let is_number = word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    is_number.then(|| number(word, schema)).flatten().unwrap_or_else(|| Value::Text(word.to_owned()))
}

/// Returns the number that a word is, if it is one.
pub(super) fn number(word: &str, schema: YamlSchema) -> Option<Value> {
    match schema {
        YamlSchema::Core => core_integer(word).or_else(|| core_float(word)),
        YamlSchema::Old => old_integer(word).or_else(|| old_float(word)),
    }
}

fn core_integer(word: &str) -> Option<Value> {
    let found = CORE_INT.captures(word)?;
    match (found.name("dec"), found.name("oct"), found.name("hex")) {
        (Some(digits), ..) => Some(decimal(digits.as_str())),
        (_, Some(digits), _) => radix(digits.as_str(), 8, false),
        (.., Some(digits)) => radix(digits.as_str(), 16, false),
        _ => None,
    }
}

fn core_float(word: &str) -> Option<Value> {
    CORE_FLOAT.is_match(word).then(|| word.parse().ok().map(Value::Float)).flatten()
}

fn old_integer(word: &str) -> Option<Value> {
    let found = OLD_INT.captures(word)?;
    let is_negative = &found["sign"] == "-";
    let digits = |name: &str| found.name(name).map(|digits| digits.as_str().replace('_', ""));
    if let Some(digits) = digits("dec") {
        return Some(decimal(&format!("{}{digits}", &found["sign"])));
    }
    if let Some(digits) = digits("base60") {
        let sum =
            digits.split(':').try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?;
        return Some(Value::of_digits(&(if is_negative { -sum } else { sum }).to_string()));
    }
    // Of nothing but underscores behind it, the leading 0 is left.
    let digits = |name: &str| digits(name).map(|digits| if name == "oct" { format!("0{digits}") } else { digits });
    [("bin", 2), ("oct", 8), ("hex", 16)].into_iter().find_map(|(name, base)| radix(&digits(name)?, base, is_negative))
}

fn old_float(word: &str) -> Option<Value> {
    let found = OLD_FLOAT.captures(word)?;
    let digits = word.replace('_', "");
    if found.name("base60").is_none() {
        return digits.parse().ok().map(Value::Float);
    }
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let sum = digits.split(':').try_fold(0.0, |sum: f64, part| Some(sum.mul_add(60.0, part.parse::<f64>().ok()?)))?;
    Some(Value::Float(if is_negative { -sum } else { sum }))
}

/// Returns the whole number of decimal digits, however many they are.
fn decimal(digits: &str) -> Value {
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let plain = digits.trim_start_matches('0');
    let plain = if plain.is_empty() { "0" } else { plain };
    Value::of_digits(&format!("{}{plain}", if plain == "0" { "" } else { sign }))
}

/// Returns the whole number of digits to another base; one beyond 127 bits is a float.
fn radix(digits: &str, base: u32, is_negative: bool) -> Option<Value> {
    if let Ok(number) = i128::from_str_radix(digits, base) {
        return Some(Value::of_digits(&(if is_negative { -number } else { number }).to_string()));
    }
    let number = digits
        .chars()
        .try_fold(0.0, |number: f64, digit| Some(number.mul_add(f64::from(base), f64::from(digit.to_digit(base)?))));
    number.filter(|_| !digits.is_empty()).map(|number| Value::Float(if is_negative { -number } else { number }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_what_its_version_of_yaml_says() {
        // The word, in YAML 1.1, in YAML 1.2; `s` says that it is a text.
        let cases = [
            ("", "null", "null"),
            ("~", "null", "null"),
            ("nULL", "s", "s"),
            ("true", "true", "true"),
            ("tRue", "s", "s"),
            ("yes", "true", "s"),
            ("Off", "false", "s"),
            ("y", "s", "s"),
            ("0", "0", "0"),
            ("-0", "0", "0"),
            ("+1", "1", "1"),
            ("-17", "-17", "-17"),
            ("010", "8", "10"),
            ("-010", "-8", "-10"),
            ("017", "15", "17"),
            ("08", "s", "8"),
            ("0o17", "s", "15"),
            ("0x1f", "31", "31"),
            ("-0x1f", "-31", "s"),
            ("0X1F", "s", "s"),
            ("0b11", "3", "s"),
            ("1_000", "1000", "s"),
            ("0x_", "s", "s"),
            ("0_", "0", "s"),
            ("1:30", "90", "s"),
            ("-1:30", "-90", "s"),
            ("1:99", "s", "s"),
            ("190:20:30", "685230", "s"),
            ("00:11:22:33:44:55", "s", "s"),
            ("1:30.5", "90.5", "s"),
            ("-1:30.5", "-90.5", "s"),
            ("1e3", "s", "1000.0"),
            ("1.5e3", "s", "1500.0"),
            ("1.5e+3", "1500.0", "1500.0"),
            ("1.5E-3", "0.0015", "0.0015"),
            ("1.", "1.0", "1.0"),
            (".5", "0.5", "0.5"),
            ("-.5", "-0.5", "-0.5"),
            (".", "s", "s"),
            ("._", "s", "s"),
            ("-", "s", "s"),
            ("+", "s", "s"),
            ("...", "s", "s"),
            ("1.2.3", "s", "s"),
            ("10.0.0.1", "s", "s"),
            ("1__0.5_0", "10.5", "s"),
            (".inf", "{\"$float\":\"inf\"}", "{\"$float\":\"inf\"}"),
            ("-.INF", "{\"$float\":\"-inf\"}", "{\"$float\":\"-inf\"}"),
            (".NaN", "{\"$float\":\"nan\"}", "{\"$float\":\"nan\"}"),
            ("inf", "s", "s"),
            ("nan", "s", "s"),
            ("9223372036854775808", "9223372036854775808", "9223372036854775808"),
            ("00099999999999999999999", "s", "{\"$integer\":\"99999999999999999999\"}"),
            (
                "-99999999999999999999",
                "{\"$integer\":\"-99999999999999999999\"}",
                "{\"$integer\":\"-99999999999999999999\"}",
            ),
            ("0xffffffffffffffff", "18446744073709551615", "18446744073709551615"),
            ("0xffffffffffffffffffffffffffffffffff", "8.711228593176025e+40", "8.711228593176025e+40"),
            ("2020-01-01", "s", "s"),
            ("1 2", "s", "s"),
            ("=", "s", "s"),
        ];
        for (word, old, core) in cases {
            for (schema, expected) in [(YamlSchema::Old, old), (YamlSchema::Core, core)] {
                let found = match resolve(word, schema) {
                    Value::Text(text) if text == word => "s".to_owned(),
                    other => other.to_string(),
                };
                assert_eq!(found, expected, "{word} in {schema:?}");
            }
        }
    }
}
