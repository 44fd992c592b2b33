//! The functions that stand for a list of numbers: `range`, `linspace`, `logspace`, `geomspace`.
//!
//! As numpy has them, but for `range`, which includes its end where a step leads to it and never goes beyond.

use serde_json::Value;

use super::super::scalar::{any_float, as_number};
use super::spread::MOST_VALUES;

/// Why there is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// It would have too many values.
    TooLong,
    /// An argument cannot be used.
    Wrong(&'static str),
}

/// How far a step may be off its end, in steps: what `0.1 + 0.1 + …` loses.
const SLACK: f64 = 1e-9;

/// Returns the list that a function with these arguments, which are numbers, stands for.
pub(super) fn sequence(name: &str, arguments: &[Value]) -> Result<Vec<Value>, Length> {
    let numbers: Vec<f64> = arguments.iter().filter_map(as_number).collect();
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(Length::Wrong("expected finite numbers"));
    }
    let at = |index: usize| numbers.get(index).copied();
    let (start, end) = (at(0).unwrap_or_default(), at(1));
    match (name, end) {
        ("range", _) => range(arguments, start, end, at(2).unwrap_or(1.0)),
        ("linspace", Some(end)) => Ok(floats(&linspace(start, end, count(at(2))?))),
        ("logspace", Some(end)) => {
            let base = at(3).unwrap_or(10.0);
            if base <= 0.0 {
                return Err(Length::Wrong("the base must be greater than 0"));
            }
            let exponents = linspace(start, end, count(at(2))?);
            Ok(floats(&exponents.iter().map(|exponent| base.powf(*exponent)).collect::<Vec<_>>()))
        }
        ("geomspace", Some(end)) => geomspace(start, end, count(at(2))?),
        _ => Ok(Vec::new()),
    }
}

/// Numbers from the start on; without an end they go from 0 up to the only argument, which is not among them.
fn range(arguments: &[Value], start: f64, end: Option<f64>, step: f64) -> Result<Vec<Value>, Length> {
    if step == 0.0 {
        return Err(Length::Wrong("the step is 0"));
    }
    let (start, end, includes_end) = match end {
        Some(end) => (start, end, true),
        None => (0.0, start, false),
    };
    let steps = (end - start) / step;
    if steps < -SLACK {
        return Ok(Vec::new());
    }
    let last = if includes_end { (steps + SLACK).floor() } else { (steps - SLACK).ceil() - 1.0 };
    #[expect(clippy::cast_precision_loss, reason = "it is far below what a float can tell")]
    let most = MOST_VALUES as f64;
    if last + 1.0 > most {
        return Err(Length::TooLong);
    }
    let are_whole = arguments.iter().all(|argument| argument.as_i64().is_some());
    let mut values = Vec::new();
    let mut index = 0.0;
    while index <= last {
        let value = start + index * step;
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers whose step and ends have 64 bits")]
        values.push(if are_whole { Value::from(value as i64) } else { any_float(rounded(value)) });
        index += 1.0;
    }
    Ok(values)
}

/// Returns how many values there are to be.
fn count(given: Option<f64>) -> Result<usize, Length> {
    let count = given.unwrap_or(5.0);
    if count < 0.0 || count.fract() != 0.0 {
        return Err(Length::Wrong("the number of values must be a whole number"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was looked at, and saturates")]
    let count = count as usize;
    if count > MOST_VALUES { Err(Length::TooLong) } else { Ok(count) }
}

#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    let step = (end - start) / (count.max(2) - 1) as f64;
    let at = |index: usize| if index > 0 && index + 1 == count { end } else { index as f64 * step + start };
    (0..count).map(at).collect()
}

fn geomspace(start: f64, end: f64, count: usize) -> Result<Vec<Value>, Length> {
    if start == 0.0 || end == 0.0 || start.signum() != end.signum() {
        return Err(Length::Wrong("both ends must be greater than 0, or both less"));
    }
    let exponents = linspace(start.abs().log10(), end.abs().log10(), count);
    let last = exponents.len().saturating_sub(1);
    let at = |(index, exponent): (usize, &f64)| match index {
        0 => start,
        index if index == last => end,
        _ => start.signum() * 10_f64.powf(*exponent),
    };
    Ok(floats(&exponents.iter().enumerate().map(at).collect::<Vec<_>>()))
}

fn floats(numbers: &[f64]) -> Vec<Value> {
    numbers.iter().map(|number| any_float(rounded(*number))).collect()
}

/// Eight decimals, so that 0.1 + 0.2 is 0.3; what is very small keeps its digits.
fn rounded(number: f64) -> f64 {
    if number.abs() <= 1e-8 {
        return number;
    }
    format!("{number:.8}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn functions_are_lists_of_numbers() {
        let cases = [
            ("range", json!([1, 3]), json!([1, 2, 3])),
            ("range", json!([1, 4, 2]), json!([1, 3])),
            ("range", json!([3]), json!([0, 1, 2])),
            ("range", json!([2.5]), json!([0.0, 1.0, 2.0])),
            ("range", json!([0, 1, 0.3]), json!([0.0, 0.3, 0.6, 0.9])),
            ("range", json!([0, 1, 0.1]), json!([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])),
            ("range", json!([3, 1, -1]), json!([3, 2, 1])),
            ("range", json!([3, 1]), json!([])),
            ("range", json!([2, 2]), json!([2])),
            ("linspace", json!([0, 1]), json!([0.0, 0.25, 0.5, 0.75, 1.0])),
            ("linspace", json!([0, 1, 1]), json!([0.0])),
            ("linspace", json!([-1, 1, 3]), json!([-1.0, 0.0, 1.0])),
            ("linspace", json!([0, 1, 0]), json!([])),
            ("logspace", json!([0, 2, 3]), json!([1.0, 10.0, 100.0])),
            ("logspace", json!([0, 3, 4, 2]), json!([1.0, 2.0, 4.0, 8.0])),
            ("logspace", json!([-4, -1, 4]), json!([0.0001, 0.001, 0.01, 0.1])),
            ("geomspace", json!([1, 1000, 4]), json!([1.0, 10.0, 100.0, 1000.0])),
            ("geomspace", json!([-1, -100, 3]), json!([-1.0, -10.0, -100.0])),
            ("geomspace", json!([256, 1, 5]), json!([256.0, 64.0, 16.0, 4.0, 1.0])),
        ];
        for (name, arguments, expected) in cases {
            let found = sequence(name, arguments.as_array().unwrap());
            assert_eq!(found.map(Value::from), Ok(expected), "{name}{arguments}");
        }
    }

    #[test]
    fn what_is_no_list_is_told() {
        let cases = [
            ("range", json!([0, 1, 0]), Length::Wrong("the step is 0")),
            ("range", json!([0, 1e12]), Length::TooLong),
            ("range", json!([0, 1, 1e-30]), Length::TooLong),
            ("linspace", json!([0, 1, 1e9]), Length::TooLong),
            ("linspace", json!([0, 1, 2.5]), Length::Wrong("the number of values must be a whole number")),
            ("linspace", json!([0, 1, -1]), Length::Wrong("the number of values must be a whole number")),
            ("logspace", json!([0, 1, 3, -2]), Length::Wrong("the base must be greater than 0")),
            ("geomspace", json!([0, 1]), Length::Wrong("both ends must be greater than 0, or both less")),
            ("geomspace", json!([-1, 1]), Length::Wrong("both ends must be greater than 0, or both less")),
        ];
        for (name, arguments, expected) in cases {
            assert_eq!(sequence(name, arguments.as_array().unwrap()), Err(expected), "{name}{arguments}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_range_never_goes_beyond_its_end(start in -100_i64..100, end in -100_i64..100, step in 1_i64..50, scale in 0_u8..4) {
            let unit = 10_f64.powi(-i32::from(scale));
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let [first, last, by] = [start, end, step].map(|number| number as f64 * unit);
            let values = sequence("range", &[json!(first), json!(last), json!(by)]).unwrap();
            let numbers: Vec<f64> = values.iter().map(|value| value.as_f64().unwrap()).collect();
            // What whole numbers say.
            let expected = if end < start { 0 } else { (end - start) / step + 1 };
            proptest::prop_assert_eq!(i64::try_from(numbers.len()).unwrap(), expected);
            proptest::prop_assert!(numbers.iter().all(|number| *number <= last + 1e-9));
        }
    }
}
