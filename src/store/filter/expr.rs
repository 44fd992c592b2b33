//! A filter as a tree, and its text.

use std::fmt;

use super::times::TimeRange;
use super::token::is_bare;
use crate::model::Logic;

/// Words that mean something wherever they stand bare.
const KEYWORDS: [&str; 7] = ["and", "or", "not", "is", "in", "contains", "undefined"];

/// Attributes that every run can have.
const COMMON: [&str; 23] = [
    "cmd",
    "comment",
    "comments",
    "digest",
    "exit_status",
    "flags",
    "id",
    "initialized",
    "label",
    "marked",
    "model",
    "op",
    "operation",
    "opref",
    "path",
    "run_dir",
    "short_id",
    "sourcecode_digest",
    "started",
    "status",
    "stopped",
    "tag",
    "tags",
];

/// The tree of a filter.
pub(super) type Expr = Logic<Condition>;

/// A value and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// What is compared.
    pub(super) name: Name,
    /// With what, and how.
    pub(super) test: Test,
}

/// Among what a name is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Attributes, then flags, then scalars.
    Any,
    /// Attributes of the run.
    Attr,
    /// Its flags.
    Flag,
    /// Its scalars.
    Scalar,
}

impl Scope {
    /// The scopes that a prefix can name.
    pub(super) const PREFIXES: [(&'static str, Scope); 3] =
        [("attr", Scope::Attr), ("flag", Scope::Flag), ("scalar", Scope::Scalar)];
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Among what it is looked for.
    pub(super) scope: Scope,
    /// The name without its prefix.
    pub(super) name: String,
}

impl Name {
    /// Returns whether it is an attribute that every run can have, whether or not one has it.
    pub(super) fn is_common(&self) -> bool {
        matches!(self.scope, Scope::Any | Scope::Attr) && COMMON.contains(&self.name.as_str())
    }

    /// Returns whether it is one of the times of a run.
    pub(super) fn is_time(&self) -> bool {
        matches!(self.scope, Scope::Any | Scope::Attr)
            && matches!(self.name.as_str(), "started" | "stopped" | "initialized")
    }
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// Whether it is there at all.
    Undefined,
    /// Whether it is the same.
    Equal(Literal),
    /// Whether it is another, or not there.
    NotEqual(Literal),
    /// Whether it comes before or after.
    Order(Order, Literal),
    /// Whether it is one of these.
    In(Vec<Literal>),
    /// Whether the text is part of it, in any case.
    Contains(Literal),
}

/// A comparison by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    const fn sign(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }
}

/// A value in a filter, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    /// The text, without quotes.
    pub(super) text: String,
    /// What the text is.
    pub(super) kind: LiteralKind,
    /// The time that it is, where a time of a run is compared with it.
    pub(super) time: Option<TimeRange>,
}

/// What a value in a filter is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LiteralKind {
    /// A number, written bare. It is text, too, where it is compared with text.
    Number(f64),
    /// `true` or `false`, bare.
    Boolean(bool),
    /// `null`, bare.
    Null,
    /// A bare word or quoted text.
    Text,
}

impl Literal {
    /// Returns the value that a bare word is.
    pub(super) fn bare(text: &str) -> Literal {
        let kind = match text {
            "true" | "True" => LiteralKind::Boolean(true),
            "false" | "False" => LiteralKind::Boolean(false),
            "null" | "None" => LiteralKind::Null,
            text => number(text).map_or(LiteralKind::Text, LiteralKind::Number),
        };
        Literal { text: text.to_owned(), kind, time: None }
    }

    /// Returns the value that quoted text is.
    pub(super) fn quoted(text: String) -> Literal {
        Literal { text, kind: LiteralKind::Text, time: None }
    }
}

/// Returns the number that a bare word is. `inf` and `nan` are words.
fn number(text: &str) -> Option<f64> {
    let begins = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if begins { text.parse().ok() } else { None }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.test)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = Scope::PREFIXES.iter().find(|(_, scope)| *scope == self.scope);
        let whole = prefix.map_or_else(String::new, |(prefix, _)| format!("{prefix}:")) + &self.name;
        // A colon in a name without a prefix would be taken for one.
        let is_plain = self.name.chars().all(is_bare)
            && !self.name.is_empty()
            && (self.scope != Scope::Any || !(self.name.contains(':') || is_keyword(&self.name)));
        if is_plain { f.write_str(&whole) } else { quote(f, &whole) }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Undefined => f.write_str("is undefined"),
            Test::Equal(value) => write!(f, "= {value}"),
            Test::NotEqual(value) => write!(f, "!= {value}"),
            Test::Order(order, value) => write!(f, "{} {value}", order.sign()),
            Test::Contains(value) => write!(f, "contains {value}"),
            Test::In(values) => {
                f.write_str("in [")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        let would_be_text = Literal::bare(text).kind == LiteralKind::Text;
        let is_bare = self.kind != LiteralKind::Text
            || (would_be_text && !text.is_empty() && text.chars().all(is_bare) && !is_keyword(text));
        if is_bare { f.write_str(text) } else { quote(f, text) }
    }
}

/// Returns whether a bare word is a keyword.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
