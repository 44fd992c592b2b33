//! From the text of a filter to its tree.

use std::ops::Range;

use super::Mistake;
use super::expr::{Condition, Expr, Literal, LiteralKind, Name, Order, Scope, Test, is_keyword};
use super::times::{NoTime, TimeRange};
use super::token::{Kind, tokens};
use crate::model::{Logic, Token, Tokens, near_word, parse_logic};
use crate::store::Status;

/// Operators that are words.
const OPERATORS: [&str; 4] = ["is", "in", "not", "contains"];

/// Reads a time or a range of times.
type ReadTime<'a> = &'a dyn Fn(&str) -> Result<TimeRange, NoTime>;

/// Returns the tree of the filter `source`.
pub(super) fn parse(source: &str, read_time: ReadTime<'_>) -> Result<Expr, Mistake> {
    parse_logic(tokens(source)?, "status = completed", &mut |tokens, first| {
        let mut parser = Parser { tokens, read_time };
        match first {
            Some(Token { kind: Kind::Quoted(name), span }) => parser.test(&name, span),
            Some(Token { kind: Kind::Word(name), span }) if !is_keyword(&name) => parser.test(&name, span),
            Some(token) => {
                Err(parser.tokens.expected(&token, "expected the name of an attribute, flag or scalar", &[]))
            }
            None => Err(parser.tokens.missing("something is missing here: a condition, such as status = completed")),
        }
    })
}

/// Reads one condition.
struct Parser<'a, 't> {
    tokens: &'a mut Tokens<'t, Kind>,
    read_time: ReadTime<'a>,
}

impl Parser<'_, '_> {
    /// Reads what follows the name of a value.
    fn test(&mut self, written: &str, span: Range<usize>) -> Result<Expr, Mistake> {
        let name = self.name(written, &span)?;
        let is_negated = self.tokens.take("not");
        let test = match self.tokens.next() {
            Some(Token { kind: Kind::Sign(sign), .. }) if !is_negated => self.sign(&name, sign)?,
            Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("is") && !is_negated => {
                let is_not = self.tokens.take("not");
                if self.tokens.take("undefined") {
                    return Ok(Logic::Test(Condition { name, test: Test::Undefined }).negated_if(is_not));
                }
                let value = self.value(&name, true)?;
                if is_not { Test::NotEqual(value) } else { Test::Equal(value) }
            }
            Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("in") => self.list(&name)?,
            Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("contains") => {
                Test::Contains(self.value(&name, false)?)
            }
            Some(token) if is_negated => {
                return Err(self.tokens.expected(
                    &token,
                    "expected 'in' or 'contains' after 'not'",
                    &["in", "contains"],
                ));
            }
            Some(Token { kind: Kind::Word(word), span: at }) if !is_keyword(&word) => {
                return Err(match near_word(&word, &OPERATORS) {
                    Some(near) => self.tokens.wrong(at, format!("'{word}' is no operator; did you mean '{near}'?")),
                    None => self
                        .tokens
                        .wrong(at, format!("expected an operator after '{written}': = != < <= > >= is in contains")),
                });
            }
            Some(Token { kind: Kind::Word(_) | Kind::Close, .. }) | None if !is_negated => {
                let what = format!(
                    "'{written}' is compared with nothing; write {written} = VALUE, or {written} is not undefined"
                );
                return Err(self.tokens.wrong(span, what));
            }
            Some(token) => {
                return Err(self.tokens.expected(
                    &token,
                    &format!("expected an operator after '{written}'"),
                    &OPERATORS,
                ));
            }
            None => return Err(self.tokens.missing("something is missing here: 'in' or 'contains', and a value")),
        };
        Ok(Logic::Test(Condition { name, test }).negated_if(is_negated))
    }

    /// Reads the name of a value, which may have a prefix.
    fn name(&self, written: &str, span: &Range<usize>) -> Result<Name, Mistake> {
        let name = |scope, name: &str| Name { scope, name: name.to_owned() };
        let Some((prefix, rest)) = written.split_once(':') else { return Ok(name(Scope::Any, written)) };
        if let Some((_, scope)) = Scope::PREFIXES.iter().find(|(known, _)| *known == prefix) {
            return if rest.is_empty() {
                Err(self.tokens.wrong(span.clone(), format!("a name is missing after '{written}'")))
            } else {
                Ok(name(*scope, rest))
            };
        }
        let prefixes = Scope::PREFIXES.map(|(prefix, _)| prefix);
        let hint = near_word(prefix, &prefixes).map(|near| format!("; did you mean '{near}:'?")).unwrap_or_default();
        let what = format!("'{prefix}:' is no prefix: they are attr:, flag: and scalar:{hint}");
        Err(self.tokens.wrong(span.start..span.start + prefix.len() + 1, what))
    }

    fn sign(&mut self, name: &Name, sign: &str) -> Result<Test, Mistake> {
        let order = |order, value| Test::Order(order, value);
        Ok(match sign {
            "=" => Test::Equal(self.value(name, true)?),
            "!=" => Test::NotEqual(self.value(name, true)?),
            "<" => order(Order::Less, self.value(name, true)?),
            "<=" => order(Order::LessOrEqual, self.value(name, true)?),
            ">" => order(Order::Greater, self.value(name, true)?),
            _ => order(Order::GreaterOrEqual, self.value(name, true)?),
        })
    }

    /// Reads a value. One that a time or status is compared with must be such.
    fn value(&mut self, name: &Name, is_compared: bool) -> Result<Literal, Mistake> {
        let (mut value, span) = match self.tokens.next() {
            Some(Token { kind: Kind::Quoted(text), span }) => (Literal::quoted(text), span),
            Some(Token { kind: Kind::Word(word), span }) if !is_keyword(&word) => (Literal::bare(&word), span),
            Some(Token { kind: Kind::Word(word), span }) => {
                return Err(self.tokens.wrong(span, format!("expected a value; as text, '{word}' needs quotes")));
            }
            Some(Token { kind: Kind::OpenList, span }) => {
                return Err(self.tokens.wrong(span, "a list follows 'in'; expected one value"));
            }
            Some(token) => return Err(self.tokens.expected(&token, "expected a value", &[])),
            None => return Err(self.tokens.missing("a value is missing here")),
        };
        if is_compared && name.is_time() && value.kind != LiteralKind::Null {
            value.time = Some(
                (self.read_time)(&value.text).map_err(|error| self.tokens.wrong(span.clone(), error.to_string()))?,
            );
        }
        if is_compared && name.name == "status" && matches!(name.scope, Scope::Any | Scope::Attr) {
            self.check_status(&value.text, span)?;
        }
        Ok(value)
    }

    fn check_status(&self, text: &str, span: Range<usize>) -> Result<(), Mistake> {
        let names = Status::ALL.map(Status::name);
        if names.contains(&text) {
            return Ok(());
        }
        let hint = match near_word(text, &names) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", names.join(", ")),
        };
        Err(self.tokens.wrong(span, format!("no status is called '{text}'; {hint}")))
    }

    /// Reads the list after `in`; for a time also one range.
    fn list(&mut self, name: &Name) -> Result<Test, Mistake> {
        match self.tokens.peek().cloned() {
            Some(Token { kind: Kind::OpenList, span: opened }) => {
                self.tokens.next();
                let is_close = |token: Option<&Token<Kind>>| token.is_some_and(|token| token.kind == Kind::CloseList);
                let mut values = Vec::new();
                if is_close(self.tokens.peek()) {
                    self.tokens.next();
                    return Ok(Test::In(values));
                }
                loop {
                    if self.tokens.peek().is_none() {
                        return Err(self.tokens.wrong(opened, "this list is not closed"));
                    }
                    values.push(self.value(name, true)?);
                    match self.tokens.next() {
                        Some(Token { kind: Kind::Comma, .. }) => {}
                        Some(Token { kind: Kind::CloseList, .. }) => return Ok(Test::In(values)),
                        Some(token) => return Err(self.tokens.expected(&token, "expected ',' or ']'", &[])),
                        None => return Err(self.tokens.wrong(opened, "this list is not closed")),
                    }
                }
            }
            Some(Token { kind: Kind::Quoted(_) | Kind::Word(_), .. }) if name.is_time() => {
                self.value(name, true).map(|value| Test::In(vec![value]))
            }
            Some(token) => Err(self.tokens.expected(&token, "expected a list after 'in', such as [1, 2]", &[])),
            None => Err(self.tokens.missing("a list is missing here, such as [1, 2]")),
        }
    }
}
