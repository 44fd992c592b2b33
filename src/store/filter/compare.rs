//! Whether a filter holds for a run.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::Lookup;
use super::expr::{Condition, Expr, Literal, LiteralKind, Name, Order, Scope, Test};
use super::times::TimeRange;

/// The length of the ids that tables show.
const SHORT_ID: usize = 8;

/// Returns whether the condition holds.
pub(super) fn holds(expr: &Expr, run: &dyn Lookup) -> bool {
    expr.holds(&|Condition { name, test }| passes(name, value(name, run).as_deref(), test))
}

pub(super) fn value<'a>(name: &Name, run: &'a dyn Lookup) -> Option<Cow<'a, Value>> {
    let text = name.name.as_str();
    match name.scope {
        Scope::Any => run.attribute(text).or_else(|| run.flag(text)).or_else(|| run.scalar(text)),
        Scope::Attr => run.attribute(text),
        Scope::Flag => run.flag(text),
        Scope::Scalar => run.scalar(text),
    }
}

fn passes(name: &Name, value: Option<&Value>, test: &Test) -> bool {
    let is_id = name.name == "id" && matches!(name.scope, Scope::Any | Scope::Attr);
    let is_equal = |literal: &Literal| value.is_some_and(|value| equal(value, literal, is_id));
    match test {
        Test::Undefined => value.is_none(),
        Test::Equal(literal) => is_equal(literal),
        Test::NotEqual(literal) => !is_equal(literal),
        Test::In(literals) => literals.iter().any(is_equal),
        Test::Contains(literal) => value.is_some_and(|value| contains(value, &literal.text)),
        Test::Order(order, literal) => {
            let found = value.and_then(|value| compare(value, literal));
            found.is_some_and(|found| match order {
                Order::Less => found.is_lt(),
                Order::LessOrEqual => found.is_le(),
                Order::Greater => found.is_gt(),
                Order::GreaterOrEqual => found.is_ge(),
            })
        }
    }
}

/// Returns whether a value is the one that was written. A list is equal to each of its items: a run has several tags.
fn equal(value: &Value, literal: &Literal, is_id: bool) -> bool {
    if let (Some(time), Some(micros)) = (literal.time, value.as_i64()) {
        return time.contains(micros);
    }
    match (value, &literal.kind) {
        (Value::Array(items), _) => items.iter().any(|item| equal(item, literal, false)),
        (Value::Number(own), LiteralKind::Number(number)) => own.as_f64() == Some(*number),
        (Value::Bool(own), LiteralKind::Boolean(boolean)) => own == boolean,
        (Value::Null, LiteralKind::Null) => true,
        // A bare number may be meant as text: a label is text, and may be 100.
        (Value::String(own), LiteralKind::Text | LiteralKind::Number(_)) => {
            *own == literal.text || (is_id && own.get(..SHORT_ID) == Some(literal.text.as_str()))
        }
        (Value::String(own), LiteralKind::Boolean(_) | LiteralKind::Null) => *own == literal.text,
        _ => false,
    }
}

/// Returns how a value compares with what was written; `None` if it cannot be.
fn compare(value: &Value, literal: &Literal) -> Option<Ordering> {
    if let (Some(TimeRange { from, .. }), Some(micros)) = (literal.time, value.as_i64()) {
        return from.map(|from| micros.cmp(&from));
    }
    match (value, &literal.kind) {
        (Value::Number(own), LiteralKind::Number(number)) => own.as_f64()?.partial_cmp(number),
        (Value::String(own), LiteralKind::Text) => Some(own.as_str().cmp(&literal.text)),
        _ => None,
    }
}

/// Returns whether text is part of a value, in any case. Of a list one item must be it as a whole.
fn contains(value: &Value, text: &str) -> bool {
    let wanted = text.to_lowercase();
    match value {
        Value::String(own) => own.to_lowercase().contains(&wanted),
        Value::Array(items) => items.iter().any(|item| match item {
            Value::String(item) => item.to_lowercase() == wanted,
            other => {
                let shown = other.to_string();
                shown == text
            }
        }),
        _ => false,
    }
}
