//! Values that are written out in Python: numbers, texts, truth, nothing, and lists, dicts and namespaces of them.

use ruff_python_ast::{Expr, Keyword, Number, UnaryOp};
use serde_json::Value;

use super::super::scalar::{any_float, any_int};

/// A value that is written out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// Neither of the others; a number that JSON has no word for is in its form.
    One(Value),
    /// A list.
    List(Vec<Literal>),
    /// A dict, or a `SimpleNamespace`, by its keys.
    Items(Vec<(String, Literal)>),
}

impl Literal {
    /// Returns what an expression is if it is written out; `None` for what has to be evaluated.
    pub(super) fn of(expression: &Expr) -> Option<Literal> {
        let one = |value: Value| Some(Literal::One(value));
        match expression {
            Expr::NoneLiteral(_) => one(Value::Null),
            Expr::BooleanLiteral(literal) => one(Value::Bool(literal.value)),
            Expr::StringLiteral(literal) => one(Value::from(literal.value.to_str())),
            Expr::NumberLiteral(literal) => one(number(&literal.value, false)?),
            Expr::UnaryOp(unary) => match (&*unary.operand, unary.op) {
                (Expr::NumberLiteral(literal), UnaryOp::USub) => one(number(&literal.value, true)?),
                (Expr::NumberLiteral(literal), UnaryOp::UAdd) => one(number(&literal.value, false)?),
                _ => None,
            },
            Expr::List(list) => list.elts.iter().map(Literal::of).collect::<Option<_>>().map(Literal::List),
            Expr::Dict(dict) => {
                let item = |item: &ruff_python_ast::DictItem| {
                    let value = Literal::of(&item.value)?;
                    match Literal::of(item.key.as_ref()?)? {
                        Literal::One(Value::String(key)) => Some(Some((key, value))),
                        // What is no text cannot be named.
                        Literal::One(_) => Some(None),
                        Literal::List(_) | Literal::Items(_) => None,
                    }
                };
                let items = dict.items.iter().map(item).collect::<Option<Vec<_>>>()?;
                Some(Literal::Items(items.into_iter().flatten().collect()))
            }
            Expr::Call(call) if is_namespace(&call.func) => {
                let item = |keyword: &Keyword| Some((keyword.arg.as_ref()?.to_string(), Literal::of(&keyword.value)?));
                call.arguments.keywords.iter().map(item).collect::<Option<_>>().map(Literal::Items)
            }
            _ => None,
        }
    }

    /// Returns the value of a flag; dicts are none.
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Literal::One(value) => Some(value.clone()),
            Literal::List(items) => items.iter().map(Literal::value).collect::<Option<_>>().map(Value::Array),
            Literal::Items(_) => None,
        }
    }

    /// Returns the values of a dict by their names, those of inner dicts behind a dot. An empty dict is no value.
    pub(super) fn nested(items: &[(String, Literal)]) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        for (name, literal) in items {
            match literal {
                Literal::Items(inner) => {
                    let inner = Literal::nested(inner).into_iter();
                    found.extend(inner.map(|(rest, value)| (format!("{name}.{rest}"), value)));
                }
                other => found.extend(other.value().map(|value| (name.clone(), value))),
            }
        }
        found
    }
}

fn is_namespace(function: &Expr) -> bool {
    match function {
        Expr::Name(name) => name.id.as_str().ends_with("SimpleNamespace"),
        Expr::Attribute(attribute) => attribute.attr.as_str() == "SimpleNamespace",
        _ => false,
    }
}

fn number(number: &Number, is_negative: bool) -> Option<Value> {
    let sign = if is_negative { "-" } else { "" };
    match number {
        Number::Int(int) => any_int(&format!("{sign}{int}")),
        Number::Float(float) => Some(any_float(if is_negative { -float } else { *float })),
        Number::Complex { .. } => None,
    }
}
