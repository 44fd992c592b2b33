//! From the text of a filter of tests to its tree.

use std::ops::Range;

use super::Expr;
use super::pattern::{Default, Pattern};
use super::token::{Kind, Token, tokens};
use crate::model::{FilterMistake, nearest};

/// How deep a filter may be nested.
const MAX_DEPTH: usize = 200;

/// What can be asked.
const PREDICATES: [&str; 10] =
    ["kind", "name", "file", "resolver", "tag", "param", "variant", "dependency", "all", "none"];

/// Returns the tree of the filter `source`.
pub(super) fn parse(source: &str) -> Result<Expr, FilterMistake> {
    let mut parser = Parser { source, tokens: tokens(source)?, at: 0 };
    if parser.tokens.is_empty() {
        return Err(parser.missing("it is empty; write for example: kind(tap) and not tag(slow)"));
    }
    let expr = parser.or(0)?;
    match parser.next() {
        None => Ok(expr),
        Some(Token { kind: Kind::Close, span }) => Err(parser.wrong(span, "nothing is open that this would close")),
        Some(token) => Err(parser.expected(&token, "expected 'and' or 'or'")),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn or(&mut self, depth: usize) -> Result<Expr, FilterMistake> {
        let mut left = self.and(depth)?;
        while self.take("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expr, FilterMistake> {
        let mut left = self.unary(depth)?;
        while self.take("and") {
            left = Expr::And(Box::new(left), Box::new(self.unary(depth)?));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, FilterMistake> {
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
                    Some(token) => Err(self.expected(&token, "expected 'and', 'or' or ')'")),
                }
            }
            Some(Token { kind: Kind::Predicate { name, length, pattern, span: inner }, span }) => {
                self.predicate(&name, length, &pattern, inner, span)
            }
            Some(Token { kind: Kind::Word(word), span }) if matches!(word.as_str(), "and" | "or") => {
                Err(self.wrong(span, format!("expected a predicate such as kind(tap), and not '{word}'")))
            }
            Some(Token { kind: Kind::Word(name), span }) => {
                self.check_name(&name, &span)?;
                let example = if matches!(name.as_str(), "all" | "none") { "" } else { "…" };
                Err(self.wrong(span, format!("'{name}' needs a pattern in parentheses: {name}({example})")))
            }
            Some(token) => Err(self.expected(&token, "expected a predicate such as kind(tap)")),
            None => Err(self.missing("something is missing here: a predicate, such as kind(tap)")),
        }
    }

    fn check_name(&self, name: &str, span: &Range<usize>) -> Result<(), FilterMistake> {
        if PREDICATES.contains(&name) {
            return Ok(());
        }
        let one_slip = || PREDICATES.iter().copied().find(|known| strsim::osa_distance(name, known) == 1);
        let hint = match nearest(name, PREDICATES).or_else(one_slip) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", PREDICATES.join(", ")),
        };
        Err(self.wrong(span.clone(), format!("there is no predicate '{name}'; {hint}")))
    }

    /// Makes the condition of a predicate; `inner` is where its pattern stands.
    fn predicate(
        &self,
        name: &str,
        length: usize,
        text: &str,
        inner: Range<usize>,
        span: Range<usize>,
    ) -> Result<Expr, FilterMistake> {
        self.check_name(name, &(span.start..span.start + length))?;
        match (name, text.is_empty()) {
            ("all", true) => return Ok(Expr::All),
            ("none", true) => return Ok(Expr::None),
            ("all" | "none", false) => return Err(self.wrong(span, format!("'{name}' takes nothing: {name}()"))),
            (_, true) => return Err(self.wrong(span, format!("a pattern is missing in '{name}(…)'"))),
            (_, false) => {}
        }
        let read =
            |text: &str, default: Default| Pattern::read(text, default).map_err(|what| self.wrong(inner.clone(), what));
        let whole = |text: &str| read(text, Default::Whole);
        let pair = |separator: char| match text.split_once(separator).filter(|_| !text.starts_with(['/', '='])) {
            Some(("", _)) => Err(self.wrong(
                inner.clone(),
                format!("a name is missing before the {}", if separator == ':' { "colon" } else { "'='" }),
            )),
            Some((name, value)) => Ok((whole(name)?, Some(whole(value)?))),
            None => Ok((whole(text)?, None)),
        };
        Ok(match name {
            "kind" => Expr::Kind(whole(text)?),
            "name" => Expr::Name(read(text, Default::Part)?),
            "file" => Expr::File(read(text, Default::Part)?),
            "resolver" => Expr::Resolver(whole(text)?),
            "variant" => Expr::Variant(whole(text)?),
            "dependency" => Expr::Dependency(whole(text)?),
            "tag" => {
                let (name, value) = pair(':')?;
                Expr::Tag(name, value)
            }
            _ => {
                let (name, value) = pair('=')?;
                Expr::Parameter(name, value)
            }
        })
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes the keyword if it is next.
    fn take(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Word(word), .. }) if word == keyword);
        self.at += usize::from(is_next);
        is_next
    }

    fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> FilterMistake {
        FilterMistake::new(self.source, span, message)
    }

    /// Makes the mistake that something is missing at the end.
    fn missing(&self, message: &str) -> FilterMistake {
        let end = self.source.trim_end().len();
        FilterMistake::new(self.source, end..end, message)
    }

    /// Makes the mistake that `token` stands where something else is expected.
    fn expected(&self, token: &Token, expected: &str) -> FilterMistake {
        let written = &self.source[token.span.clone()];
        let lower = written.to_lowercase();
        let near = ["and", "or"].into_iter().find(|known| strsim::osa_distance(&lower, known) == 1);
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        self.wrong(token.span.clone(), format!("{expected}, and not '{written}'{hint}"))
    }
}
