//! Numbers in shared objects, which are added to in one step.

use crate::model::{Fault, Value};

/// Adds to the number in `place`; nothing there counts as 0. Whole numbers stay whole. Returns the sum.
pub(super) fn add(place: &mut Value, amount: Option<&Value>, at: impl Fn() -> String) -> Result<Value, Fault> {
    let wrong = |what: &str, value: &Value| Fault::usage(format!("{} {what} {value}, which is no number", at()));
    let (zero, one) = (Value::Integer(0), Value::Integer(1));
    let amount = amount.unwrap_or(&one);
    let old = if place.is_null() { &zero } else { &*place };
    let Some(first) = number(old) else { return Err(wrong("holds", old)) };
    let Some(second) = number(amount) else { return Err(wrong("cannot be added", amount)) };
    let sum = match (old, amount) {
        (Value::Integer(old), Value::Integer(amount)) => old.checked_add(*amount).map(Value::Integer),
        _ => Some(Value::Float(first + second)),
    };
    let sum = sum.ok_or_else(|| Fault::usage(format!("{} holds {old}; with {amount} it is too large", at())))?;
    *place = sum.clone();
    Ok(sum)
}

/// Returns a number as a float.
fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the sum of a float and a whole number is a float, as in Lua")]
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Large(digits) => digits.parse().ok(),
        _ => None,
    }
}
