//! From the text of a filter to its tree.

use std::ops::Range;

use super::Mistake;
use super::expr::{Expr, KEYWORDS, Literal, LiteralKind, Name, Order, Scope, Test, is_keyword};
use super::times::TimeRange;
use super::token::{Kind, Token, tokens};
use crate::model::nearest;
use crate::store::Status;

/// How deep a filter may be nested.
const MAX_DEPTH: usize = 200;

/// Operators that are words.
const OPERATORS: [&str; 4] = ["is", "in", "not", "contains"];

/// Reads a time or a range of times.
type ReadTime<'a> = &'a dyn Fn(&str) -> Result<TimeRange, String>;

/// Returns the tree of the filter `source`.
pub(super) fn parse(source: &str, read_time: ReadTime<'_>) -> Result<Expr, Mistake> {
    let tokens = tokens(source)?;
    let mut parser = Parser { source, tokens, at: 0, read_time };
    if parser.tokens.is_empty() {
        return Err(parser.missing("it is empty; write for example: status = completed"));
    }
    let expr = parser.or(0)?;
    match parser.next() {
        None => Ok(expr),
        Some(Token { kind: Kind::Close, span }) => Err(parser.wrong(span, "nothing is open that this would close")),
        Some(token) => Err(parser.expected(&token, "expected 'and' or 'or'", &["and", "or"])),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    read_time: ReadTime<'a>,
}

impl Parser<'_> {
    fn or(&mut self, depth: usize) -> Result<Expr, Mistake> {
        let mut left = self.and(depth)?;
        while self.take("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expr, Mistake> {
        let mut left = self.unary(depth)?;
        while self.take("and") {
            left = Expr::And(Box::new(left), Box::new(self.unary(depth)?));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, Mistake> {
        if depth > MAX_DEPTH {
            let span = self.tokens.get(self.at).map_or(0..0, |token| token.span.clone());
            return Err(self.wrong(span, format!("it is nested more than {MAX_DEPTH} deep")));
        }
        if self.take("not") {
            return Ok(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        match self.next() {
            Some(Token { kind: Kind::Open, span }) => {
                let inner = self.or(depth + 1)?;
                match self.next() {
                    Some(Token { kind: Kind::Close, .. }) => Ok(inner),
                    None => Err(self.wrong(span, "this parenthesis is not closed")),
                    Some(token) => Err(self.expected(&token, "expected 'and', 'or' or ')'", &["and", "or"])),
                }
            }
            Some(Token { kind: Kind::Quoted(name), span }) => self.test(&name, span),
            Some(Token { kind: Kind::Word(name), span }) if !is_keyword(&name) => self.test(&name, span),
            Some(token) => Err(self.expected(&token, "expected the name of an attribute, flag or scalar", &[])),
            None => Err(self.missing("something is missing here: a condition, such as status = completed")),
        }
    }

    /// Reads what follows the name of a value.
    fn test(&mut self, written: &str, span: Range<usize>) -> Result<Expr, Mistake> {
        let name = self.name(written, &span)?;
        let is_negated = self.take("not");
        let test = match self.next() {
            Some(Token { kind: Kind::Sign(sign), .. }) if !is_negated => self.sign(&name, sign)?,
            Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("is") && !is_negated => {
                let is_not = self.take("not");
                if self.take("undefined") {
                    return Ok(negated(is_not, Expr::Test(name, Test::Undefined)));
                }
                let value = self.value(&name, true)?;
                if is_not { Test::NotEqual(value) } else { Test::Equal(value) }
            }
            Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("in") => self.list(&name)?,
            Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("contains") => {
                Test::Contains(self.value(&name, false)?)
            }
            Some(token) if is_negated => {
                return Err(self.expected(&token, "expected 'in' or 'contains' after 'not'", &["in", "contains"]));
            }
            Some(Token { kind: Kind::Word(word), span: at }) if !is_keyword(&word) => {
                return Err(match near(&word, &OPERATORS) {
                    Some(near) => self.wrong(at, format!("'{word}' is no operator; did you mean '{near}'?")),
                    None => {
                        self.wrong(at, format!("expected an operator after '{written}': = != < <= > >= is in contains"))
                    }
                });
            }
            Some(Token { kind: Kind::Word(_) | Kind::Close, .. }) | None if !is_negated => {
                let what = format!(
                    "'{written}' is compared with nothing; write {written} = VALUE, or {written} is not undefined"
                );
                return Err(self.wrong(span, what));
            }
            Some(token) => {
                return Err(self.expected(&token, &format!("expected an operator after '{written}'"), &OPERATORS));
            }
            None => return Err(self.missing("something is missing here: 'in' or 'contains', and a value")),
        };
        Ok(negated(is_negated, Expr::Test(name, test)))
    }

    /// Reads the name of a value, which may have a prefix.
    fn name(&self, written: &str, span: &Range<usize>) -> Result<Name, Mistake> {
        let name = |scope, name: &str| Name { scope, name: name.to_owned() };
        let Some((prefix, rest)) = written.split_once(':') else { return Ok(name(Scope::Any, written)) };
        if let Some((_, scope)) = Scope::PREFIXES.iter().find(|(known, _)| *known == prefix) {
            return if rest.is_empty() {
                Err(self.wrong(span.clone(), format!("a name is missing after '{written}'")))
            } else {
                Ok(name(*scope, rest))
            };
        }
        let prefixes = Scope::PREFIXES.map(|(prefix, _)| prefix);
        let hint = near(prefix, &prefixes).map(|near| format!("; did you mean '{near}:'?")).unwrap_or_default();
        let what = format!("'{prefix}:' is no prefix: they are attr:, flag: and scalar:{hint}");
        Err(self.wrong(span.start..span.start + prefix.len() + 1, what))
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
        let (mut value, span) = match self.next() {
            Some(Token { kind: Kind::Quoted(text), span }) => (Literal::quoted(text), span),
            Some(Token { kind: Kind::Word(word), span }) if !is_keyword(&word) => (Literal::bare(&word), span),
            Some(Token { kind: Kind::Word(word), span }) => {
                return Err(self.wrong(span, format!("expected a value; as text, '{word}' needs quotes")));
            }
            Some(Token { kind: Kind::OpenList, span }) => {
                return Err(self.wrong(span, "a list follows 'in'; expected one value"));
            }
            Some(token) => return Err(self.expected(&token, "expected a value", &[])),
            None => return Err(self.missing("a value is missing here")),
        };
        if is_compared && name.is_time() && value.kind != LiteralKind::Null {
            value.time = Some((self.read_time)(&value.text).map_err(|what| self.wrong(span.clone(), what))?);
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
        let hint = match near(text, &names) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", names.join(", ")),
        };
        Err(self.wrong(span, format!("no status is called '{text}'; {hint}")))
    }

    /// Reads the list after `in`; for a time also one range.
    fn list(&mut self, name: &Name) -> Result<Test, Mistake> {
        match self.tokens.get(self.at) {
            Some(Token { kind: Kind::OpenList, span }) => {
                let opened = span.clone();
                self.at += 1;
                let mut values = Vec::new();
                if matches!(self.tokens.get(self.at), Some(Token { kind: Kind::CloseList, .. })) {
                    self.at += 1;
                    return Ok(Test::In(values));
                }
                loop {
                    if self.at == self.tokens.len() {
                        return Err(self.wrong(opened, "this list is not closed"));
                    }
                    values.push(self.value(name, true)?);
                    match self.next() {
                        Some(Token { kind: Kind::Comma, .. }) => {}
                        Some(Token { kind: Kind::CloseList, .. }) => return Ok(Test::In(values)),
                        Some(token) => return Err(self.expected(&token, "expected ',' or ']'", &[])),
                        None => return Err(self.wrong(opened, "this list is not closed")),
                    }
                }
            }
            Some(Token { kind: Kind::Quoted(_) | Kind::Word(_), .. }) if name.is_time() => {
                self.value(name, true).map(|value| Test::In(vec![value]))
            }
            Some(token) => {
                let token = token.clone();
                Err(self.expected(&token, "expected a list after 'in', such as [1, 2]", &[]))
            }
            None => Err(self.missing("a list is missing here, such as [1, 2]")),
        }
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes the keyword if it is next.
    fn take(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Word(word), .. })
            if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_next);
        is_next
    }

    fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake::new(self.source, span, message)
    }

    /// Makes the mistake that something is missing at the end.
    fn missing(&self, message: &str) -> Mistake {
        let end = self.source.trim_end().len();
        Mistake::new(self.source, end..end, message)
    }

    /// Makes the mistake that `token` stands where something else is expected, one of `words` perhaps.
    fn expected(&self, token: &Token, expected: &str, words: &[&'static str]) -> Mistake {
        let written = &self.source[token.span.clone()];
        let near = match &token.kind {
            Kind::Word(word) => near(word, words),
            _ => None,
        };
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        self.wrong(token.span.clone(), format!("{expected}, and not {}{hint}", shown(written)))
    }
}

fn negated(is_negated: bool, expr: Expr) -> Expr {
    if is_negated { Expr::Not(Box::new(expr)) } else { expr }
}

/// Returns what is written in quotes, unless it has some.
fn shown(written: &str) -> String {
    if written.starts_with(['\'', '"']) { written.to_owned() } else { format!("'{written}'") }
}

/// Returns the word that `word` is most like. Of short words one letter is much, so one slip is always forgiven.
fn near<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let one_slip = || words.iter().copied().find(|known| strsim::osa_distance(&lower, known) == 1);
    debug_assert!(KEYWORDS.iter().all(|keyword| keyword.is_ascii()), "case is compared in ASCII");
    nearest(&lower, words.iter().copied()).or_else(one_slip)
}
