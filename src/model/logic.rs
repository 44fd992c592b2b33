//! Conditions joined by `and`, `or` and `not`: what the languages that choose runs and tests have in common.
//!
//! `not` binds before `and` before `or`; parentheses group. What a single condition looks like is each language's own.

use std::fmt;
use std::ops::Range;

use winnow::ModalResult;
use winnow::Parser as _;
use winnow::stream::LocatingSlice;
use winnow::token::take_while;

use super::{FilterMistake, nearest};

/// How deep a filter may be nested.
const MAX_DEPTH: usize = 200;

/// Conditions `T` and how they are joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Logic<T> {
    /// One of the two.
    Or(Box<Logic<T>>, Box<Logic<T>>),
    /// Both.
    And(Box<Logic<T>>, Box<Logic<T>>),
    /// Not this.
    Not(Box<Logic<T>>),
    /// A single condition.
    Test(T),
}

impl<T> Logic<T> {
    /// Returns whether it holds, where `test` says so of the single conditions.
    pub(crate) fn holds(&self, test: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Logic::Or(left, right) => left.holds(test) || right.holds(test),
            Logic::And(left, right) => left.holds(test) && right.holds(test),
            Logic::Not(inner) => !inner.holds(test),
            Logic::Test(condition) => test(condition),
        }
    }

    /// Returns the opposite if `is_negated`, else the same.
    pub(crate) fn negated_if(self, is_negated: bool) -> Self {
        if is_negated { Logic::Not(Box::new(self)) } else { self }
    }

    /// Returns how strongly it binds: the larger, the fewer parentheses it needs.
    const fn strength(&self) -> u8 {
        match self {
            Logic::Or(..) => 0,
            Logic::And(..) => 1,
            Logic::Not(_) => 2,
            Logic::Test(_) => 3,
        }
    }
}

impl<T: fmt::Display> Logic<T> {
    /// Writes it as an operand, in parentheses if it binds less than `least`.
    fn operand(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.strength() < least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl<T: fmt::Display> fmt::Display for Logic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Logic::Or(left, right) => {
                left.operand(f, 0)?;
                f.write_str(" or ")?;
                right.operand(f, 1)
            }
            Logic::And(left, right) => {
                left.operand(f, 1)?;
                f.write_str(" and ")?;
                right.operand(f, 2)
            }
            Logic::Not(inner) => {
                f.write_str("not ")?;
                inner.operand(f, 2)
            }
            Logic::Test(condition) => condition.fmt(f),
        }
    }
}

/// What a word or sign of a language is, as far as joining conditions needs it.
pub(crate) trait LogicKind: Clone {
    /// Returns the bare word that it is. `and`, `or` and `not` are such.
    fn word(&self) -> Option<&str>;
    /// Returns whether it is `(`.
    fn is_open(&self) -> bool;
    /// Returns whether it is `)`.
    fn is_close(&self) -> bool;
}

/// A word or sign, and the bytes it stands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<K> {
    /// What it is.
    pub(crate) kind: K,
    /// Where.
    pub(crate) span: Range<usize>,
}

/// The words and signs of a filter, read one by one.
pub(crate) struct Tokens<'a, K> {
    source: &'a str,
    tokens: Vec<Token<K>>,
    at: usize,
}

impl<'a, K: LogicKind> Tokens<'a, K> {
    /// Parts `source` into words and signs; `token` reads the one that begins where its input stands.
    pub(crate) fn new(
        source: &'a str,
        token: impl Fn(&mut LocatingSlice<&'a str>) -> Result<Token<K>, FilterMistake>,
    ) -> Result<Self, FilterMistake> {
        let mut input = LocatingSlice::new(source);
        let mut tokens = Vec::new();
        loop {
            let _: ModalResult<&str> = take_while(0.., char::is_whitespace).parse_next(&mut input);
            if input.is_empty() {
                return Ok(Self { source, tokens, at: 0 });
            }
            tokens.push(token(&mut input)?);
        }
    }

    /// Returns the next one and goes past it.
    pub(crate) fn next(&mut self) -> Option<Token<K>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Returns the next one.
    pub(crate) fn peek(&self) -> Option<&Token<K>> {
        self.tokens.get(self.at)
    }

    /// Goes past the keyword if it is next.
    pub(crate) fn take(&mut self, keyword: &str) -> bool {
        let word = self.peek().and_then(|token| token.kind.word());
        let is_next = word.is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_next);
        is_next
    }

    /// Makes a mistake.
    pub(crate) fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> FilterMistake {
        FilterMistake::new(self.source, span, message)
    }

    /// Makes the mistake that something is missing at the end.
    pub(crate) fn missing(&self, message: &str) -> FilterMistake {
        let end = self.source.trim_end().len();
        self.wrong(end..end, message)
    }

    /// Makes the mistake that `token` stands where something else is expected, one of `words` perhaps.
    pub(crate) fn expected(&self, token: &Token<K>, expected: &str, words: &[&'static str]) -> FilterMistake {
        let written = &self.source[token.span.clone()];
        let near = token.kind.word().and_then(|word| near_word(word, words));
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        self.wrong(token.span.clone(), format!("{expected}, and not {}{hint}", shown(written)))
    }
}

/// Returns what is written in quotes, unless it has some.
fn shown(written: &str) -> String {
    if written.starts_with(['\'', '"']) { written.to_owned() } else { format!("'{written}'") }
}

/// Returns the word that `word` is most like. Of short words one letter is much, so one slip is always forgiven.
pub(crate) fn near_word<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let one_slip = || words.iter().copied().find(|known| strsim::osa_distance(&lower, known) == 1);
    nearest(&lower, words.iter().copied()).or_else(one_slip)
}

/// Reads a single condition, whose first word or sign is given; `None` at the end of the filter.
pub(crate) type ReadCondition<'r, K, T> =
    &'r mut dyn FnMut(&mut Tokens<'_, K>, Option<Token<K>>) -> Result<Logic<T>, FilterMistake>;

/// Returns the tree of a filter. Of an empty one `example` is said to be missing.
pub(crate) fn parse_logic<K: LogicKind, T>(
    mut tokens: Tokens<'_, K>,
    example: &str,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    if tokens.peek().is_none() {
        return Err(tokens.missing(&format!("it is empty; write for example: {example}")));
    }
    let logic = any(&mut tokens, 0, condition)?;
    match tokens.next() {
        None => Ok(logic),
        Some(token) if token.kind.is_close() => Err(tokens.wrong(token.span, "nothing is open that this would close")),
        Some(token) => Err(tokens.expected(&token, "expected 'and' or 'or'", &["and", "or"])),
    }
}

fn any<K: LogicKind, T>(
    tokens: &mut Tokens<'_, K>,
    depth: usize,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    let mut left = all(tokens, depth, condition)?;
    while tokens.take("or") {
        left = Logic::Or(Box::new(left), Box::new(all(tokens, depth, condition)?));
    }
    Ok(left)
}

fn all<K: LogicKind, T>(
    tokens: &mut Tokens<'_, K>,
    depth: usize,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    let mut left = one(tokens, depth, condition)?;
    while tokens.take("and") {
        left = Logic::And(Box::new(left), Box::new(one(tokens, depth, condition)?));
    }
    Ok(left)
}

fn one<K: LogicKind, T>(
    tokens: &mut Tokens<'_, K>,
    depth: usize,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    if depth > MAX_DEPTH {
        let span = tokens.peek().map_or(0..0, |token| token.span.clone());
        return Err(tokens.wrong(span, format!("it is nested more than {MAX_DEPTH} deep")));
    }
    if tokens.take("not") {
        return Ok(Logic::Not(Box::new(one(tokens, depth + 1, condition)?)));
    }
    match tokens.next() {
        Some(token) if token.kind.is_open() => {
            let inner = any(tokens, depth + 1, condition)?;
            match tokens.next() {
                Some(other) if other.kind.is_close() => Ok(inner),
                None => Err(tokens.wrong(token.span, "this parenthesis is not closed")),
                Some(other) => Err(tokens.expected(&other, "expected 'and', 'or' or ')'", &["and", "or"])),
            }
        }
        token => condition(tokens, token),
    }
}
